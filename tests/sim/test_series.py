import hashlib
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.series import UNITS, Series, read

ROOT = Path(__file__).parents[2]
DEAD_RUN = ROOT / "simulator/recorded/usgs_deadrun_2018.csv"
PLUMTREE = ROOT / "simulator/recorded/usgs_plumtree_2016_2017.csv"

# file, what the sentence must say
REFUSED = [
    ("", "empty; it must begin with a line of column names"),
    ("time,level\n", "no rows below the column names"),
    ("time,depth\n2018-06-01T04:00:00Z,1\n", "no column 'level'; there are 'time', 'depth'"),
    ("when,level,level\n", "no column 'time'; there are 'when', 'level'"),
    ("time,level,level\n2018-06-01T04:00:00Z,1,2\n", "2 columns 'level'; a name must stand for one"),
    (
        "time,level\n2018-06-01T04:00:00Z,1\n01/06/2018 04:05,2\n",
        "line 3, column 'time': '01/06/2018 04:05' is no time; allowed is",
    ),
    ("time,level\n2018-06-31T04:00:00Z,1\n", "line 2, column 'time': '2018-06-31T04:00:00Z' is no time"),
    ("time,level\n2018-06-01,1\n", "line 2, column 'time': '2018-06-01' is no time"),
    (
        "time,level\n2018-06-01T04:00:00Z,1\n2018-06-01T04:00:00Z,2\n",
        "line 3, column 'time': 2018-06-01T04:00:00Z does not come after",
    ),
    ("time,level\n2018-06-01T04:00:00Z,1\n2018-06-01T03:55:00Z,2\n", "times must rise"),
    (
        'time,level\n2018-06-01T04:00:00Z,"1,25"\n',
        "line 2, column 'level': '1,25' is no number; allowed is m like 1.25",
    ),
    ("time,level\n2018-06-01T04:00:00Z,inf\n", "line 2, column 'level': 'inf' is no number"),
    ("time,level\n2018-06-01T04:00:00Z,1e9\n", "line 2, column 'level': 1e9 m is no level; allowed is up to 10000 m"),
    ("time,level\n2018-06-01T04:00:00Z\n", "line 2: 1 columns; 'time' and 'level' must be there"),
    ("time,level\n2018-06-01T04:00:00Z,\n2018-06-01T04:05:00Z,NaN\n", "column 'level' holds no reading"),
    ('time,level\n2018-06-01T04:00:00Z,"1\n', "not CSV"),
    (b"\xff\xfe\x00t", "not UTF-8"),
]


def written(folder, text):
    path = folder / "series.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_recorded_floods_are_read_to_the_millimetre():
    series = read(DEAD_RUN, "datetime_utc", "gage_height_ft", "ft")
    assert len(series.times_s) == 8928
    assert series.times_s[0] == 1527825600
    assert series.values_mm[:3] == [283, 280, 277]  # 0.93, 0.92, 0.91 ft
    assert max(series.values_mm) == 1881  # 6.17 ft
    assert series.resolution_mm == 4  # 0.01 ft, rounded up
    assert series.interval_s() == 300
    assert len(series.expected()) == 1
    assert len(series.expected()[0].times_s) == 8928


def test_recorded_floods_are_the_files_that_the_readme_says():
    readme = (ROOT / "simulator/recorded/README.md").read_text(encoding="utf-8")
    for path in (DEAD_RUN, PLUMTREE):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
    for path in (ROOT / "tests/data").glob("*.csv"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in (path.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_input_that_cannot_be_used_is_named_with_line_column_and_what_is_allowed(tmp_path, text, sentence):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        read(path, "time", "level", "m")
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_and_a_unit_that_is_none_are_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv: No such file"):
        read(tmp_path / "absent.csv", "time", "level", "m")
    with pytest.raises(InputError, match="unit 'km' is not known; allowed are ft, m, cm, mm, in"):
        read(DEAD_RUN, "datetime_utc", "gage_height_ft", "km")


def test_times_are_utc_in_every_allowed_form(tmp_path):
    text = """logger 7, firmware 1
Time [UTC], Level ,
2018/06/01 04:00:00,1,

2018-06-01 04:01,null,
2018-06-01T04:02Z,3,
2018-06-01T06:03:00+02:00,4,
2018-06-01T04:04:00.900Z,5,
"""
    series = read(written(tmp_path, "\ufeff" + text.replace("\n", "\r\n")), "Time [UTC]", "Level", "cm")
    assert [t - series.times_s[0] for t in series.times_s] == [0, 60, 120, 180, 240]
    assert series.values_mm == [10, None, 30, 40, 50]


@given(st.decimals(-99, 99, places=4), st.sampled_from(sorted(UNITS)))
def test_millimetres_are_exact_in_every_unit(tmp_path_factory, number, unit):
    path = written(tmp_path_factory.getbasetemp(), f"time,level\n2018-06-01 04:00,{number}\n")
    exact = Fraction(number) * Fraction(UNITS[unit])
    mm = read(path, "time", "level", unit).values_mm[0]
    assert abs(mm - exact) <= Fraction(1, 2)
    assert read(path, "time", "level", unit, "range", 4500).values_mm[0] == 4500 - mm


def test_resolution_is_the_step_of_the_source(tmp_path):
    cases = [
        (["1.00", "1.10", "1.30", "1.25"], "m", 50),
        (["370.00", "371.00", "369.00"], "cm", 10),
        (["0.93", "0.92", "0.90"], "ft", 4),
        (["0.283464", "0.280416", "0.274320"], "m", 4),  # published in feet, converted by someone
        (["60.44", "60.21", "60.26"], "cm", 1),
        (["1.000", "1.000"], "m", 1),  # too few different values: what is written
    ]
    for values, unit, expected in cases:
        rows = "".join(f"2018-06-01 04:{i:02d},{value}\n" for i, value in enumerate(values))
        assert read(written(tmp_path, "time,level\n" + rows), "time", "level", unit).resolution_mm == expected, values


def test_a_few_values_from_elsewhere_do_not_hide_a_coarse_step(tmp_path):
    values = [Decimal(i % 40) / 100 for i in range(300)] + [Decimal("0.123")]
    rows = "".join(f"2018-06-01 {i // 60:02d}:{i % 60:02d},{value}\n" for i, value in enumerate(values))
    assert read(written(tmp_path, "time,level\n" + rows), "time", "level", "m").resolution_mm == 10


def test_level_is_straight_between_readings_and_across_gaps():
    series = Series([0, 10, 20, 30], [0, 100, None, 300])
    assert [series.at(t) for t in (-1000, 0, 5000, 5050, 10_000, 20_000, 30_000, 99_000)] == [
        0,
        0,
        50,
        51,
        100,
        200,
        300,
        300,
    ]


def largest_rise(series, within=12):
    """Brute force over an hour of 5-minute readings."""
    values = series.values_mm
    return max(mm - min(values[max(0, i - within) : i + 1]) for i, mm in enumerate(values))


def test_window_holds_the_largest_rise_and_starts_at_zero():
    series = read(DEAD_RUN, "datetime_utc", "gage_height_ft", "ft")
    window = series.window(36)
    assert (window.times_s[0], window.times_s[-1]) == (0, 36 * 3600)
    assert window.start_s in series.times_s
    assert largest_rise(window) == largest_rise(series) == 1219
    assert max(window.values_mm) == 1841  # the second flood of the month rose faster than the first, which rose higher
    assert window.at(0) == series.at(window.start_s * 1000)
    assert window.resolution_mm == series.resolution_mm


def test_missing_readings_are_those_expected_at_the_median_interval():
    times = [0, 300, 600, 749, 1500, 1800, 2100]  # usual 300
    (part,) = Series(times, [1, 2, 3, 4, 5, 6, 7]).expected()
    assert part.times_s == [0, 300, 600, 749, 999, 1249, 1500, 1800, 2100]
    assert part.values_mm == [1, 2, 3, 4, None, None, 5, 6, 7]


def test_a_pause_of_more_than_7_days_parts_two_recordings():
    day = 86400
    times = [0, 3600, 7200, 7200 + 7 * day, 10_800 + 7 * day, 10_801 + 14 * day, 14_401 + 14 * day]
    first, second = Series(times, [1] * 7).expected()
    assert first.values_mm.count(None) == 7 * 24 - 1
    assert second.times_s == times[5:]
    assert len(read(PLUMTREE, "datetime_utc", "gage_height_ft", "ft").expected()) == 3


def test_endless_gaps_are_refused():
    times = list(range(1000))
    for _ in range(12):
        times.append(times[-1] + 500_000)
    with pytest.raises(InputError, match="more than 5000000 readings are missing at one every 1 s"):
        Series(times, [1] * len(times)).expected()
