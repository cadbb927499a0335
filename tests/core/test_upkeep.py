from pathlib import Path

import pytest

from node.core import upkeep
from node.core.upkeep import BLOCKED, CLEAR, DRIFT, DUE, DUE_SOON, OK, SCATTER, Calibration, Fouling
from simulator import noise
from simulator.series import read
from tests import vm64

ROOT = Path(__file__).parents[2]


def play(made, days, level_of, spread_of=lambda day: 4, range_of=lambda level: 4500 - level, from_day=0):
    """One burst an hour; (day, state) at every change."""
    changes = []
    for day in range(from_day, from_day + days):
        for hour in range(24):
            level = level_of(day, hour)
            if made.update(level, range_of(level), spread_of(day), day, day * 86400 + hour * 3600):
                changes.append((day, made.state))
    return changes


def test_a_river_that_floods_and_falls_is_no_fouling():
    def level(day, hour):
        return 500 + (900 - 40 * (day % 30) if day % 30 < 20 else 100) + hour

    assert play(Fouling(30), 120, level) == []


def test_an_echo_that_stays_at_the_blanking_distance_is_blocked_until_it_goes():
    made = Fouling(30)
    assert play(made, 3, lambda day, hour: 4465 if day == 1 else 500) == [(1, BLOCKED), (2, CLEAR)]
    flood = Fouling(30)  # a single close echo is none
    assert play(flood, 2, lambda day, hour: 4465 if hour == 5 else 500) == []


def test_scatter_that_stays_three_times_what_it_was_is_told_once():
    made = Fouling(30)
    assert play(made, 40, lambda day, hour: 500, lambda day: 25 if 20 <= day < 30 else 40 if day == 12 else 4) == [
        (23, SCATTER),
        (31, CLEAR),
    ]
    assert made.usual_mm == 4


def test_a_daily_minimum_that_creeps_up_is_drift_and_a_flood_is_not():
    assert play(Fouling(30), 60, lambda day, hour: 500 + 8 * max(0, day - 20) + hour)[0][1] == DRIFT
    assert play(Fouling(30), 40, lambda day, hour: 500 if day < 20 else 700) == []
    assert play(Fouling(30), 60, lambda day, hour: 900 - 8 * day + hour) == []  # the river falls


def test_cleaning_ends_the_suspicion_and_learns_anew():
    made = Fouling(30)
    play(made, 60, lambda day, hour: 500 + 8 * max(0, day - 20))
    assert made.state == DRIFT
    assert made.cleaned() == 1
    assert play(made, 40, lambda day, hour: 500, from_day=60) == []


@pytest.mark.parametrize(
    ("file", "args", "spread", "told"),
    [
        ("simulator/recorded/usgs_deadrun_2018.csv", ("datetime_utc", "gage_height_ft", "ft"), 4, 0),
        ("simulator/recorded/usgs_plumtree_2016_2017.csv", ("datetime_utc", "gage_height_ft", "ft"), 4, 0),
        ("tests/data/trout_creek_2021.csv", ("Time [UTC]", "Range [cm]", "cm", "range", 4500), 90, 0),
    ],
)
def test_recorded_rivers_are_suspected_of_nothing(file, args, spread, told):
    series = read(ROOT / file, *args)
    made = Fouling(30)
    key = noise.key(1, file, "spread")
    changes = 0
    for i, (t, mm) in enumerate(zip(series.times_s, series.values_mm, strict=True)):
        if mm is not None:
            changes += made.update(mm, 6500 - mm, noise.below(noise.draw(key, i), 2 * spread), t // 86400, t)
    assert changes == told


def test_calibration_is_told_a_month_before_and_when_it_is_due():
    made = Calibration(365)
    told = [(day, made.state) for day in range(0, 800) if made.update(day, 0 if day < 400 else 400)]
    assert told == [(335, DUE_SOON), (365, DUE), (400, OK), (735, DUE_SOON), (765, DUE)]
    never = Calibration(365)
    assert (never.update(5, None), never.state) == (1, DUE)


SAME = """
from node.core.upkeep import Calibration, Fouling
def run():
    made = Fouling(30)
    seen = []
    state = 7
    for i in range(24 * 60):
        state = (state * 1103 + 12345) % 65536
        day = i // 24 + (5 if i > 700 else 0)
        level = 500 + state % 30 + i // 3
        made.update(level, 4500 - level, state % (5 if i < 300 else 40), day, i * 3600)
        if i == 900: made.cleaned()
        seen.append((made.state, made.spread_mm, made.usual_mm, made.crept_mm))
    return seen
"""


@pytest.mark.vm
def test_suspicions_are_the_same_on_both_interpreters():
    here = {}
    exec(SAME, here)  # noqa: S102
    seen = here["run"]()
    assert {row[0] for row in seen} > {upkeep.CLEAR, upkeep.SCATTER}
    assert vm64.run(SAME + "print(run())").strip() == str(seen)
