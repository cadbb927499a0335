"""The simulated bucket tips when the rain has filled it, bounces, and goes wrong when told to."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.chips.tipping_bucket import Faults, RainSeries, TippingBucket
from simulator.world.rain import Rain, storms

HOUR = 3_600_000
CLEAN = Faults(bounces=0)
TIP_NM = 200_000


def bucket(intervals, faults=CLEAN, seed=5):
    return TippingBucket(seed, "rg01", RainSeries(intervals), TIP_NM, faults)


def test_even_rain_tips_evenly():
    assert bucket([(HOUR, 1000)]).edges(-1, HOUR) == [HOUR // 5 * i for i in range(1, 6)]


def test_what_is_left_in_the_bucket_tips_with_the_next_rain():
    chip = bucket([(HOUR, 150), (2 * HOUR, 0), (3 * HOUR, 100)])
    assert chip.edges(-1, 2 * HOUR) == []
    assert chip.edges(2 * HOUR, 9 * HOUR) == [2 * HOUR + HOUR // 2]


def test_a_clogged_funnel_lets_nothing_through():
    chip = bucket([(4 * HOUR, 4000)], Faults(bounces=0, clogged_ms=((HOUR, 2 * HOUR), (3 * HOUR, 5 * HOUR))))
    assert len(chip.edges(-1, HOUR)) == 5
    assert chip.edges(HOUR, 2 * HOUR) == []
    assert len(chip.edges(2 * HOUR, 3 * HOUR)) == 5
    assert chip.edges(3 * HOUR, 9 * HOUR) == []


def test_every_tip_bounces_within_its_limit():
    chip = bucket([(HOUR, 20_000)], Faults(bounces=4, bounce_ms=20))
    edges = chip.edges(-1, HOUR)
    tips = [t for _, t in chip.tips(-1, HOUR)]
    assert len(tips) == 100
    assert 250 < len(edges) < 350
    assert all(any(0 <= at - t <= 20 for t in tips) for at in edges)


def test_double_tips_come_as_often_as_asked():
    chip = bucket([(HOUR, 200_000)], Faults(bounces=0, double_ppm=100_000, double_ms=400))
    edges = chip.edges(-1, 2 * HOUR)
    assert 1060 < len(edges) < 1140
    assert len(set(edges)) > 1000


@given(
    st.lists(st.tuples(st.integers(1, 600_000), st.integers(0, 5000)), max_size=12),
    st.lists(st.integers(0, 700_000), max_size=30),
    st.integers(0, 9),
)
def test_any_pattern_of_asking_gives_the_same_edges(rain, pauses, seed):
    end = 0
    intervals = []
    for span_ms, um in rain:
        end += span_ms
        intervals.append((end, um))
    chip = bucket(intervals, Faults(double_ppm=200_000, clogged_ms=((1000, 90_000),)), seed)
    last = end + 1000
    whole = chip.edges(-1, last)
    pieces = []
    at = -1
    for pause in pauses:
        pieces += chip.edges(at, min(at + pause, last))
        at = min(at + pause, last)
    assert pieces + chip.edges(at, last) == whole


def test_a_world_s_rain_tips_as_the_world_says():
    rain = Rain(storms(3, "rg01", 20))
    chip = TippingBucket(5, "rg01", rain, TIP_NM, CLEAN)
    last = rain.corners[-1][0]
    tips = [t for _, t in chip.tips(-1, last)]
    told = rain.tips(TIP_NM // 1000)  # rounded down to the millisecond, the chip's up
    assert len(tips) == len(told) > 50
    assert all(0 <= t - due <= 1 for t, due in zip(tips, told, strict=True))
    assert chip.edges(-1, last) == tips
