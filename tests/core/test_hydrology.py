"""Level, fill and seasons against plain floats; the firmware's own error on the recorded series is printed."""

import datetime
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import hydrology
from node.core.hydrology import BOX, LYING, Mount
from simulator.series import read
from tests import vm32, vm64

ROOT = Path(__file__).parents[2]
RECORDED = (  # file, time, value, unit
    ("simulator/recorded/usgs_deadrun_2018.csv", "datetime_utc", "gage_height_ft", "ft", "stage", 0),
    ("simulator/recorded/usgs_plumtree_2016_2017.csv", "datetime_utc", "gage_height_ft", "ft", "stage", 0),
    ("tests/data/trout_creek_2021.csv", "Time [UTC]", "Range [cm]", "cm", "range", 4500),
)
OWN_ERROR_MM = 2


def sound(celsius):
    return 331.3 + 0.606 * celsius


def test_firmware_adds_two_millimetres_at_most_to_the_sensor_on_the_recorded_series():
    """The recorded levels as a slanted ultrasonic ranger in the day's air would see them, to its own whole millimetre."""
    worst, readings = 0.0, 0
    for file, time, value, unit, kind, height in RECORDED:
        series = read(ROOT / file, time, value, unit, kind, height)
        for tilt in (0, 37, 150, 300):
            height = 4500 if kind == "range" else 6500
            mount = Mount(height, tilt, assumes_cc=2000)
            for t, level in zip(series.times_s, series.values_mm, strict=True):
                if level is None:
                    continue
                air_cc = round(2500 + 1500 * math.sin(t * 2 * math.pi / 86400))
                slant = (height - level) / math.cos(math.radians(tilt / 10))
                told = round(slant * sound(20) / sound(air_cc / 100))
                seen = height - told / sound(20) * sound(air_cc / 100) * math.cos(math.radians(tilt / 10))
                worst = max(worst, abs(mount.level(told, air_cc) - seen))
                readings += 1
    print(f"firmware's own error on level: {worst:.2f} mm at most over {readings} readings, {OWN_ERROR_MM} mm allowed")
    assert worst <= OWN_ERROR_MM


@given(
    st.integers(0, 65_000),
    st.integers(0, 600),
    st.one_of(st.none(), st.integers(-4500, 8500)),
    st.integers(-1000, 5000),
)
def test_level_is_the_float_formula_within_a_millimetre(range_mm, tilt, air_cc, assumed_cc):
    straight = range_mm * math.cos(math.radians(tilt / 10))
    if air_cc is not None:
        straight *= sound(air_cc / 100) / sound(assumed_cc / 100)
    assert abs(Mount(5000, tilt, assumed_cc).level(range_mm, air_cc) - (5000 - straight)) <= 1


def test_a_ranger_that_assumes_no_temperature_is_left_alone():
    assert Mount(4500).level(1953, 4000) == 4500 - 1953
    assert Mount(4500, 0, 2000).level(1953, None) == 4500 - 1953
    # 15 degrees warmer than it thinks: the sound came back early, the water is 2.6 % farther
    assert Mount(4500, 0, 2000).level(3000, 3500) == 4500 - 3079


def test_cosine_is_right_to_a_millionth_at_every_angle():
    for tilt in range(601):
        assert abs(hydrology.versine_ppm(tilt) - 1e6 * (1 - math.cos(math.radians(tilt / 10)))) <= 0.6


@pytest.mark.parametrize("tilt", [-1, 601])
def test_an_angle_nobody_mounts_is_refused(tilt):
    with pytest.raises(ValueError, match="0 to 60 degrees"):
        Mount(4500, tilt)


def test_depth_is_pressure_over_the_weight_of_the_water():
    assert hydrology.depth_mm(9787) == 1000
    assert hydrology.depth_mm(10052, 10052) == 1000
    assert hydrology.level_of_depth(hydrology.depth_mm(29361), -500) == 2500
    for pascals in range(0, 300_000, 137):
        assert abs(hydrology.depth_mm(pascals) - pascals / 9.787) <= 0.5


def lying(share):
    middle = 1 - 2 * share
    return (math.acos(middle) - middle * math.sqrt(1 - middle * middle)) / math.pi


@given(st.integers(100, 10_000), st.integers(0, 1000))
def test_fill_of_a_lying_tank_is_the_circles_segment_to_a_tenth_of_a_per_cent(diameter, permille):
    depth = diameter * permille // 1000
    assert abs(hydrology.fill(depth, diameter, LYING) - 1000 * lying(depth / diameter)) <= 1


def test_fill_is_nothing_below_the_bottom_and_a_box_says_when_it_runs_over():
    assert [hydrology.fill(d, 2000, BOX) for d in (-5, 0, 500, 2000, 2100)] == [0, 0, 250, 1000, 1050]
    assert [hydrology.fill(d, 2000, LYING) for d in (-5, 0, 1000, 2000, 2100)] == [0, 0, 500, 1000, 1000]


SEASONS = ((1101, 331, 500, 900, 1300), (401, 1031, 700, 1100, 1600))


def test_a_season_may_go_over_new_year():
    assert [hydrology.season(SEASONS, day) for day in (1031, 1101, 1231, 101, 331, 401)] == [1, 0, 0, 0, 0, 1]
    assert hydrology.season(SEASONS[:1], 615) == -1
    spring_tide = ((915, 919, 300, 600, 900), *SEASONS)
    assert [hydrology.season(spring_tide, day) for day in (914, 915, 919, 920)] == [2, 0, 0, 2]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ((1301, 331, 1, 2, 3), "season 1: 1301 is no month and day"),
        ((101, 431, 1, 2, 3), "season 1: 431 is no month"),
        ((101, 331, 2, 2, 3), "season 1: levels out of order"),
    ],
)
def test_a_season_that_cannot_be_is_refused_by_its_number(row, sentence):
    hydrology.check_seasons(SEASONS)
    with pytest.raises(ValueError, match=sentence):
        hydrology.check_seasons([row])


def test_month_and_day_are_the_calendars_for_two_centuries():
    begin = datetime.date(1970, 1, 1)
    for days in range(73_000):
        date = begin + datetime.timedelta(days)
        assert hydrology.month_day(days) == date.month * 100 + date.day


SAME_WITHOUT_ALLOCATION = """
import micropython
from array import array
from node.core.hydrology import LYING, Mount, depth_mm, fill
mounts = [Mount(30000, tilt, 2000) for tilt in (0, 123, 600)]
seen = array("i", (0 for _ in range(1000)))
def run():
    micropython.heap_lock()
    try:
        for i in range(1000):
            seen[i] = mounts[i % 3].level(i * 65, -4500 + i * 13) * 3 + depth_mm(i * 1000) + fill(i, 999, LYING)
    finally:
        micropython.heap_unlock()
run()
print(list(seen))
"""


@pytest.mark.vm
def test_levels_are_the_same_on_both_interpreters_and_allocate_nothing(capsys):
    class Lock:
        heap_lock = heap_unlock = staticmethod(lambda: None)

    exec(SAME_WITHOUT_ALLOCATION.replace("import micropython\n", ""), {"micropython": Lock})  # noqa: S102
    printed = capsys.readouterr().out
    assert vm64.run(SAME_WITHOUT_ALLOCATION) == printed
    assert vm32.run(SAME_WITHOUT_ALLOCATION, vm32.firmware_files()) == printed
