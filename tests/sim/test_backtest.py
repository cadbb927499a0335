import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.backtest import NEVER_MM, Thresholds, backtest, read_thresholds
from simulator.errors import InputError
from simulator.series import Series, read
from waspada.cli import main

ROOT = Path(__file__).parents[2]
DEAD_RUN = ROOT / "simulator/recorded/usgs_deadrun_2018.csv"
DEAD_RUN_ARGS = ["backtest", str(DEAD_RUN), "--time", "datetime_utc", "--value", "gage_height_ft", "--unit", "ft"]
TROUT_CREEK = ROOT / "tests/data/trout_creek_2021.csv"
LEVELS = ["--alert", "0.6", "--warning", "1.0", "--danger", "1.5"]


def series(*values):
    return Series([i * 300 for i in range(len(values))], list(values), 1)


def test_a_flood_is_its_events_and_one_alarm_per_level():
    result = backtest(series(500, 650, 1100, 1200, 1150, 900, 560, 540, 500), Thresholds())
    assert result["events"] == [
        {"t": "1970-01-01T00:05:00Z", "from": "normal", "to": "alert", "level_m": 0.65},
        {"t": "1970-01-01T00:10:00Z", "from": "alert", "to": "warning", "level_m": 1.1},
        {"t": "1970-01-01T00:25:00Z", "from": "warning", "to": "alert", "level_m": 0.9},
        {"t": "1970-01-01T00:35:00Z", "from": "alert", "to": "normal", "level_m": 0.54},
    ]
    assert result["alarms"] == [
        {
            "level": "alert",
            "t_raised": "1970-01-01T00:05:00Z",
            "t_cleared": "1970-01-01T00:35:00Z",
            "peak_m": 1.2,
            "lead_s": 600,
        },
        {
            "level": "warning",
            "t_raised": "1970-01-01T00:10:00Z",
            "t_cleared": "1970-01-01T00:25:00Z",
            "peak_m": 1.2,
            "lead_s": 300,
        },
    ]
    assert list(result["alarms"][0]) == ["level", "t_raised", "t_cleared", "peak_m", "lead_s"]
    assert (result["readings"], result["measured"]) == (9, 9)


def test_a_spike_that_comes_back_raises_nothing_and_a_flood_that_stays_does():
    assert backtest(series(500, 500, 1600, 500, 500), Thresholds())["events"] == []
    assert [event["to"] for event in backtest(series(500, 500, 1600, 1600, 1600), Thresholds())["events"]] == ["danger"]


def test_an_alarm_at_the_end_of_the_record_has_no_clearing_time():
    (alarm,) = backtest(series(500, 700, 710), Thresholds())["alarms"]
    assert (alarm["t_cleared"], alarm["peak_m"]) == (None, 0.71)


def test_delays_are_those_given():
    rows = series(500, 650, 650, 650, 500, 500, 500)
    delayed = backtest(rows, replace(Thresholds(), on_delay=600, off_delay=300))
    assert [event["t"][11:16] for event in delayed["events"]] == ["00:15", "00:25"]


def test_every_expected_reading_has_one_flag():
    seen = []
    rows = Series([0, 300, 600, 1500, 1800], [500, 500, None, 500, 500])
    result = backtest(rows, Thresholds(), on_row=lambda t, mm, flag: seen.append((t, mm, flag)))
    assert seen == [
        (0, 500, 1),
        (300, 500, 1),
        (600, None, 9),
        (900, None, 9),
        (1200, None, 9),
        (1500, 500, 1),
        (1800, 500, 1),
    ]
    assert result["flags"] == {"1": 4, "2": 0, "3": 0, "4": 0, "9": 3}
    assert (result["readings"], result["measured"]) == (7, 4)


def test_an_alarm_holds_through_a_gap_longer_than_milliseconds_can_count(tmp_path):
    day = 86400
    times = [0, 3600, 7200, *(k * 6 * day for k in range(1, 6))]
    result = backtest(Series(times, [500, 700, 700, 700, 700, 700, 700, 500]), replace(Thresholds(), off_delay=0))
    assert [event["to"] for event in result["events"]] == ["alert", "normal"]


def run(capsys, *args):
    code = main(list(args))
    return code, *capsys.readouterr()


def test_command_says_what_a_machine_reads_on_its_last_line(capsys, tmp_path):
    flags = tmp_path / "flags.csv"
    code, out, _ = run(capsys, *DEAD_RUN_ARGS, *LEVELS, "--flags-out", str(flags), "--json")
    result = json.loads(out.splitlines()[-1])
    assert code == 0
    assert list(result)[:4] == ["readings", "flags", "events", "alarms"]
    assert result["readings"] == 8928
    assert result["flags"] == {"1": 8928, "2": 0, "3": 0, "4": 0, "9": 0}
    assert [alarm["t_raised"] for alarm in result["alarms"] if alarm["level"] == "danger"] == [
        "2018-06-03T21:35:00Z",
        "2018-06-11T09:50:00Z",
    ]
    rows = flags.read_text().splitlines()
    assert rows[:2] == ["t,value,flag", "2018-06-01T04:00:00Z,0.283,1"]
    assert len(rows) == 8929


def test_command_without_json_is_a_short_table(capsys):
    code, out, _ = run(capsys, *DEAD_RUN_ARGS, *LEVELS)
    assert code == 0
    assert "8928 of 8928 expected readings, one every 300 s" in out
    assert "danger   2018-06-03T21:35:00Z 2018-06-03T22:45:00Z    1.881       30 min" in out


def test_a_range_is_a_distance_down_to_the_water(capsys):
    args = [
        "backtest",
        str(TROUT_CREEK),
        "--time",
        "Time [UTC]",
        "--value",
        "Range [cm]",
        "--unit",
        "cm",
        "--kind",
        "range",
    ]
    code, out, _ = run(capsys, *args, "--sensor-height", "4.5", "--danger", "1.5", "--json")
    result = json.loads(out)
    assert (code, result["readings"], result["levels_m"]) == (0, 15780, {"danger": 1.5})
    assert max(alarm["peak_m"] for alarm in result["alarms"]) == 1.84  # 266 cm down


def test_thresholds_come_from_a_file_too(capsys, tmp_path):
    path = tmp_path / "thresholds.toml"
    path.write_text("[level]\nalert = 0.6\nwarning = 1\ndanger = 1.5\n[quality]\nuser_high = 1.2\n")
    code, out, _ = run(capsys, *DEAD_RUN_ARGS, "--thresholds", str(path), "--json")
    result = json.loads(out)
    assert code == 0
    assert len(result["alarms"]) == 8
    assert result["flags"]["3"] == sum(
        mm > 1200 for mm in read(DEAD_RUN, "datetime_utc", "gage_height_ft", "ft").values_mm
    )


def test_a_level_that_a_file_leaves_out_is_off(tmp_path):
    path = tmp_path / "thresholds.toml"
    path.write_text("[level]\ndanger = 1.5\n")
    assert read_thresholds(path).levels() == [("danger", 1500)]
    assert read_thresholds(path).alert == NEVER_MM


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[level]\nalert = 1\nwarning = 0.5\n", "alert 1 m and warning 0.5 m are out of order; levels must rise"),
        ("[level]\nalrt = 1\n", r"\[level\] has no 'alrt'; there are alert, warning"),
        ("[levels]\n", r"no table \[levels\]; there are \[level\], \[quality\]"),
        ("alert = 1\n", r"no table \[alert\]"),
        (
            "[level]\nalert = 0.6005\n",
            "alert '0.6005' can't be used; allowed is -10000 to 10000 m, three decimals at most",
        ),
        ("[level]\nalert = true\n", r"\[level\] alert must be a number"),
        ("[level]\non_delay = -1\n", "on_delay '-1' can't be used; allowed is 0 to 86400 s, whole seconds"),
        ("[quality]\nspike_suspect = 0.3\n", "spike_suspect must not be above spike_fail"),
        ("[level\n", "not TOML"),
    ],
)
def test_thresholds_that_cannot_be_used_name_file_and_key(tmp_path, text, sentence):
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence) as error:
        read_thresholds(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ([*DEAD_RUN_ARGS, "--alert", "high"], "--alert: alert 'high' can't be used"),
        ([*DEAD_RUN_ARGS, "--alert", "2", "--danger", "1"], "out of order"),
        ([*DEAD_RUN_ARGS, "--alert", "1", "--thresholds", "x.toml"], "give --alert or --thresholds, not both"),
        ([*DEAD_RUN_ARGS, "--kind", "range"], "--kind range needs --sensor-height"),
        ([*DEAD_RUN_ARGS, "--sensor-height", "4"], "--sensor-height goes with --kind range only"),
        ([*DEAD_RUN_ARGS, "--flags-out", "/nowhere/flags.csv"], "--flags-out /nowhere/flags.csv: No such file"),
        (["backtest", "absent.csv", "--time", "t", "--value", "v", "--unit", "m"], "absent.csv: No such file"),
        ([*DEAD_RUN_ARGS[:-1], "km"], "invalid choice: 'km'"),
    ],
)
def test_unusable_input_exits_with_2_and_one_sentence(capsys, args, sentence):
    code, out, err = run(capsys, *args, "--json")
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1
    assert json.loads(out.splitlines()[-1])["error"] in err


def test_the_command_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "waspada", *DEAD_RUN_ARGS, *LEVELS, "--json"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'firmware'}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["alarms"]) == 8
