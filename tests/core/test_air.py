"""Averages and NowCast against exact fractions, published examples and a recorded fortnight."""

import csv
import datetime
from array import array
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.air import Air
from node.core.alarm import LevelAlarm
from node.core.measurements import MISSING
from tests import vm64

DATA = Path(__file__).parents[1] / "data"

# Oldest hour first, ug/m3, None for a missing hour; what was published (or follows); where.
PUBLISHED = (
    ((50, 80, 75, 90, 82, 53, 64, 74, 21, 10, 16, 13), "17.4", "EPA, 'Computing the NowCast' (slides)"),
    (
        (34.9, 43, 50, 64.9, 69.2, 66.2, 53.7, 48.6, 49.2, 35, None, 21),
        "28.4",
        "AirNow forum, 'The NowCast for PM2.5 and PM10'",
    ),
    ((0,) * 11 + (71,), "35.5", "arithmetic: 71 / (2 - 2**-11), a pulse in the newest hour"),
    ((20,) * 12, "20", "arithmetic: no variability gives the plain mean"),
)


def hours_of(means):
    """An Air whose whole hours had these means, in tenths; each hour is four samples."""
    made = Air(4)
    for hour, mean in enumerate(means):
        for _ in range(4):
            made.add(MISSING if mean is None else mean, hour)
    made.add(MISSING, len(means))
    return made


def float_nowcast(means):
    """EPA's steps in plain floats over tenths, newest last."""
    newest_first = list(reversed(means[-12:]))
    known = [(ago, c) for ago, c in enumerate(newest_first) if c is not None]
    if sum(ago < 3 for ago, _ in known) < 2:
        return None
    lowest, highest = min(c for _, c in known), max(c for _, c in known)
    if not highest:
        return 0.0
    weight = max(1 - (highest - lowest) / highest, 0.5)
    return sum(weight**ago * c for ago, c in known) / sum(weight**ago for ago, _ in known)


@pytest.mark.parametrize(("means", "told", "source"), PUBLISHED, ids=[row[2] for row in PUBLISHED])
def test_nowcast_is_what_was_published(means, told, source):
    assert hours_of([None if c is None else round(c * 10) for c in means]).nowcast() == Fraction(told) * 10


CONCENTRATIONS = st.lists(st.one_of(st.none(), st.integers(0, 10_000)), min_size=1, max_size=30)


@given(CONCENTRATIONS)
def test_nowcast_is_the_float_truncated_to_a_tenth(means):
    told, reference = hours_of(means).nowcast(), float_nowcast([None] * 12 + means)
    if reference is None:
        assert told == MISSING
    else:
        assert told <= reference + 1e-6
        assert reference < told + 1 + 1e-6


@given(CONCENTRATIONS)
def test_nowcast_is_exact_to_the_last_digit(means):
    padded = [None] * 12 + means
    newest_first = list(reversed(padded[-12:]))
    known = [(ago, Fraction(c)) for ago, c in enumerate(newest_first) if c is not None]
    if sum(ago < 3 for ago, _ in known) < 2:
        return
    lowest, highest = min(c for _, c in known), max(c for _, c in known)
    weight = max(lowest / highest, Fraction(1, 2)) if highest else Fraction(1)
    exact = sum(weight**ago * c for ago, c in known) / sum(weight**ago for ago, _ in known)
    assert hours_of(means).nowcast() == exact.numerator // exact.denominator


@pytest.mark.parametrize(
    ("newest", "valid"), [((1, 1, 1), 1), ((1, None, 1), 1), ((1, 1, None), 1), ((None, None, 1), 0), ((None,) * 3, 0)]
)
def test_nowcast_needs_two_of_the_newest_three_hours(newest, valid):
    assert (hours_of([50] * 9 + [c and 50 for c in newest]).nowcast() != MISSING) == bool(valid)


def test_an_hour_counts_with_three_quarters_of_its_samples():
    for there in range(61):
        made = Air(60)
        for i in range(60):
            made.add(100 if i < there else MISSING, 5)
        made.add(0, 6)
        assert (made.mean(1) == 100) == (there >= 45)
        assert (made.mean(1) == MISSING) == (there < 45)


@pytest.mark.parametrize(("hours", "fewest"), [(8, 6), (24, 18)])
def test_the_standards_hours_count_with_three_quarters_of_them(hours, fewest):
    for there in range(hours + 1):
        mean = hours_of([None] * (hours - there) + [30 + i for i in range(there)]).mean(hours)
        assert (mean == MISSING) == (there < fewest)
        if mean != MISSING:
            assert abs(mean - (30 + (there - 1) / 2)) <= 0.5


def test_hours_that_nobody_measured_are_missing_hours():
    made = hours_of([100] * 12)
    assert made.mean(8) == 100
    made.add(100, 15)
    assert (made.mean(1), made.mean(8), made.nowcast()) == (MISSING, MISSING, MISSING)
    made.add(100, 500)
    assert made.mean(24) == MISSING


def recorded():
    """Minutes since 2019-08-01 00:00 EST and tenths of ug/m3."""
    begin = datetime.datetime(2019, 8, 1)
    with open(DATA / "toco_2019.csv", encoding="utf-8", newline="") as file:
        for row in list(csv.reader(file))[1:]:
            moment = datetime.datetime.strptime(row[0], "%m/%d/%Y %H:%M")
            yield int((moment - begin).total_seconds()) // 60, round(float(row[1]) * 10) if row[1] else None


def test_a_recorded_fortnight_gives_the_floats_averages_and_nowcast():
    made = Air(60)
    by_hour = {}
    compared = 0
    for minute, tenths in recorded():
        hour = minute // 60
        if made.add(MISSING if tenths is None else tenths, hour):
            means = []
            for back in range(hour - 24, hour):
                samples = by_hour.get(back, [])
                means.append(sum(samples) / len(samples) if len(samples) >= 45 else None)
            reference = float_nowcast(means)
            told = made.nowcast()
            assert (told == MISSING) == (reference is None)
            if reference is not None:
                # an hour's mean is kept to a hundredth of a tenth, so the last tenth may turn over
                assert reference - 1.01 <= told <= reference + 0.01
                compared += 1
            for span, fewest in ((1, 1), (8, 6), (24, 18)):
                known = [c for c in means[-span:] if c is not None]
                if len(known) >= fewest:
                    assert abs(made.mean(span) - sum(known) / len(known)) <= 0.51
                else:
                    assert made.mean(span) == MISSING
        if tenths is not None:
            by_hour.setdefault(hour, []).append(tenths)
    print(f"recorded fortnight: {compared} hourly NowCasts as the float's")
    assert compared > 340


def test_a_published_reference_raises_an_ordinary_alarm():
    """AirNow's own hours of the same fortnight; a limit is a LevelAlarm on the value."""
    made = Air(1)
    alarm = LevelAlarm(array("i", (120, 350, 550)), 20, 0, 0, confirm=1)
    states = []
    with open(DATA / "airnow_burdens_creek_2019.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for hour, row in enumerate(rows):
        made.add(round(float(row["pm2_5_ug_m3"]) * 10), hour)
        value = made.nowcast()
        states.append(alarm.update(value, 9 if value == MISSING else 1, hour * 3_600_000 % (1 << 30)))
    assert len(rows) == 359
    assert max(states) == 1
    assert 0 < sum(states) < 100


SAME = """
from node.core.air import Air
from node.core.measurements import MISSING
def run():
    made = Air(6)
    seen = []
    state = 7
    for i in range(3000):
        state = (state * 1103 + 12345) % 65536
        if made.add(MISSING if state % 7 == 0 else state % 5000, i // 6 + (30 if i > 2000 else 0)):
            seen.append((made.mean(1), made.mean(8), made.mean(24), made.nowcast()))
    return seen
"""


@pytest.mark.vm
def test_averages_are_the_same_on_both_interpreters():
    here = {}
    exec(SAME, here)  # noqa: S102
    assert vm64.run(SAME + "print(run())").strip() == str(here["run"]())


def test_hours_go_on_from_the_right_time_after_a_clock_that_was_years_ahead():
    one = Air(1)
    one.add(50, 1_000_000)
    for hour in range(400_000, 400_004):
        one.add(50, hour)
    assert one.nowcast() == 50
