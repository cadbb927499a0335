"""`waspada simulate`: exit codes, the last line of --json, and the files it writes."""

import hashlib
import json
import os
import signal
import subprocess
import sys

import pytest

from simulator import scenario
from tests.house.sources import ROOT
from waspada.cli import main

GOOD = (scenario.SHIPPED / "first_light.toml").read_text().replace("hours = 36", "hours = 1")

ENDLESS = """
import os, signal, sys, types
from simulator import shards
from waspada import cli

def one_part(write):
    os.write(1, b"begun\\n")
    signal.pause()

if __name__ == "__main__":
    demo = types.ModuleType("waspada.demo")
    demo.add = lambda subparsers: subparsers.add_parser("demo")
    demo.run = lambda args: shards.run(lambda part: (), one_part, 2, None)
    sys.modules["waspada.demo"] = demo
    sys.exit(cli.main(["demo"]))
"""


def test_good_run_exits_0_and_writes_trace_and_report(tmp_path, capsys):
    (tmp_path / "short.toml").write_text(GOOD)
    out = tmp_path / "out"
    assert main(["simulate", str(tmp_path / "short.toml"), "--seed", "5", "--out", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["scenario"], report["seed"], report["lost"]) == ("short", 5, 0)
    assert hashlib.sha256((out / "trace.jsonl").read_bytes()).hexdigest() == report["trace_sha256"]
    assert json.loads((out / "report.json").read_text()) == report


def test_run_that_fails_leaves_the_earlier_files_alone(tmp_path):
    (tmp_path / "short.toml").write_text(GOOD)
    words = ["simulate", str(tmp_path / "short.toml"), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    kept = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    assert set(kept) == {"trace.jsonl", "report.json"}
    (tmp_path / "short.toml").write_text(GOOD.replace("usgs_deadrun_2018.csv", "none.csv"))
    assert main(words) == 2
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == kept


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends with its parent only when it is told")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_jobs_leave_no_worker(how, tmp_path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    run = subprocess.Popen(
        [sys.executable, str(tmp_path / "endless.py")],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "firmware")])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert [run.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
    if how == signal.SIGINT:
        os.killpg(run.pid, how)  # to the workers too, as a terminal does
    else:
        run.send_signal(how)
    try:
        _, said = run.communicate(timeout=20)  # workers have the same pipes: they end when the last worker has ended
    finally:
        for pipe in (run.stdout, run.stderr):
            pipe.close()
    if how == signal.SIGKILL:
        assert run.returncode == -how
    else:
        assert (run.returncode, said) == (130, b"waspada: interrupted\n")


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
