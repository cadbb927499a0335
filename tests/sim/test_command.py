"""`waspada simulate`: exit codes, the last line of --json, and the files it writes."""

import hashlib
import json

import pytest

from simulator import scenario
from waspada.cli import main

GOOD = (scenario.SHIPPED / "first_light.toml").read_text().replace("hours = 36", "hours = 1")


def test_good_run_exits_0_and_writes_trace_and_report(tmp_path, capsys):
    (tmp_path / "short.toml").write_text(GOOD)
    out = tmp_path / "out"
    assert main(["simulate", str(tmp_path / "short.toml"), "--seed", "5", "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["scenario"], report["seed"], report["lost"]) == ("short", 5, 0)
    assert hashlib.sha256((out / "trace.jsonl").read_bytes()).hexdigest() == report["trace_sha256"]
    assert json.loads((out / "report.json").read_text()) == report


def test_run_with_false_alarms_exits_1(tmp_path, capsys):
    # the ranger hangs at 4.0 m and is said to hang at 4.6 m: the water looks 0.6 m higher than it is
    wrong = GOOD.replace('settings = { "level.alert" = 600', 'settings = { "sensor.height" = 4600, "level.alert" = 600')
    (tmp_path / "wrong.toml").write_text(wrong)
    assert main(["simulate", str(tmp_path / "wrong.toml"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["false_alarms"] >= 8


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.toml"], "first_light"),
        (["first_light", "--seed", "minus"], "whole number"),
        (["first_light", "--jobs", "0"], "1 to 64"),
        (["first_light", "--runtime", "board"], "host"),
        (["first_light", "--out", "/dev/null/x"], "--out"),
    ],
)
def test_unusable_arguments_exit_2_with_a_sentence(words, says, capsys):
    assert main(["simulate", *words, "--json"]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert says in json.loads(told.out.splitlines()[-1])["error"]
