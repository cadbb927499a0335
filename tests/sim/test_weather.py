"""Rain, tide and air: right by their own definitions, equal for equal seeds."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simulator.world.air import Air
from simulator.world.rain import DAY_MS, HOUR_MS, TIP_UM, Rain, Storm, storms
from simulator.world.tide import M2, MIXED, S2, Tide
from simulator.world.waves import TURN, sine_ppm


@given(st.integers(-3 * TURN, 3 * TURN))
def test_sine_is_right_to_two_millionths(phase):
    assert abs(sine_ppm(phase) - 1e6 * math.sin(2 * math.pi * phase / TURN)) <= 2


def test_every_fifth_of_a_millimetre_is_a_tip():
    falls = storms(3, "rg01", 365)
    rain = Rain(falls)
    total = sum(storm.depth_um for storm in falls)
    tips = rain.tips()
    assert rain.fallen_um(400 * DAY_MS) == total
    assert len(tips) == total // TIP_UM
    assert all(a <= b for a, b in pairwise(tips))
    for n in range(0, len(tips), 50):
        assert 0 <= (n + 1) * TIP_UM - rain.fallen_um(tips[n]) <= 60


def test_a_storm_gives_its_depth_in_its_time():
    rain = Rain([Storm(HOUR_MS, 2 * HOUR_MS, 30_000)])
    assert rain.fallen_um(HOUR_MS) == 0
    assert rain.between_um(HOUR_MS, 3 * HOUR_MS) == 30_000
    assert rain.between_um(HOUR_MS, 2 * HOUR_MS) == 22_200  # its first half has 74 %


def test_storms_leave_dry_spells_dry_and_depend_on_the_seed_alone():
    falls = storms(5, "a", 365, dry=((100, 160),))
    assert falls == storms(5, "a", 365, dry=((100, 160),))
    assert falls != storms(6, "a", 365, dry=((100, 160),))
    days = [storm.starts_ms // DAY_MS for storm in falls]
    assert not any(100 <= day <= 160 for day in days)
    assert 40 <= len(days) <= 85
    assert 2_000 < sorted(storm.depth_um for storm in falls)[len(falls) // 2] < 14_000


def test_tide_is_the_sum_of_its_cosines_and_springs_follow_neaps():
    tide = Tide(mean_mm=200)
    for t in range(0, 30 * DAY_MS, 7_654_321):
        truth = 200 + sum(w.amplitude_mm * math.sin(2 * math.pi * t / w.period_ms) for w in MIXED)
        assert abs(tide.at(t) - truth) <= 2
    two = Tide((M2, S2))
    ranges = []
    for day in range(15):
        day_mm = [two.at(day * DAY_MS + i * 600_000) for i in range(144)]
        ranges.append(max(day_mm) - min(day_mm))
    assert max(ranges) > 1.8 * min(ranges)
    assert ranges.index(max(ranges)) != ranges.index(min(ranges))


def test_a_surge_swells_and_ebbs_within_its_time():
    surge = Tide((), surge_mm=800, surge_from_ms=DAY_MS, surge_for_ms=12 * HOUR_MS)
    assert [surge.at(DAY_MS + h * HOUR_MS) for h in (-1, 0, 6, 12)] == [0, 0, 800, 0]


def test_air_is_humid_when_cool_and_dirty_at_rush_hour():
    air = Air(1, "aq01")
    days = [[air.at(d * DAY_MS + h * HOUR_MS) for h in range(24)] for d in range(20)]
    by_hour = [[sum(day[h][i] for day in days) // 20 for i in range(5)] for h in range(24)]
    assert max(range(24), key=lambda h: by_hour[h][0]) in (14, 15, 16)
    assert min(range(24), key=lambda h: by_hour[h][1]) in (14, 15, 16)
    assert max(range(24), key=lambda h: by_hour[h][2]) in (7, 8, 17, 18)
    assert all(
        0 <= hour[1] <= 10_000 and hour[3] >= hour[2] >= 0 and 380 < hour[4] < 600 for day in days for hour in day
    )
    assert air.at(5 * HOUR_MS) == Air(1, "aq01").at(5 * HOUR_MS) != Air(2, "aq01").at(5 * HOUR_MS)


def test_smoke_comes_and_goes():
    smoky = Air(1, "aq01", smoke=((10 * HOUR_MS, 6 * HOUR_MS, 2000),))
    plain = Air(1, "aq01")
    rise = [smoky.at(h * HOUR_MS)[2] - plain.at(h * HOUR_MS)[2] for h in (9, 10, 13, 16, 17)]
    assert rise == [0, 0, 2000, 0, 0]


def test_a_crowd_breathes():
    crowded = Air(1, "aq01", crowds=((10 * HOUR_MS, 2 * HOUR_MS, 900),))
    assert crowded.at(11 * HOUR_MS)[4] - Air(1, "aq01").at(11 * HOUR_MS)[4] == 900
