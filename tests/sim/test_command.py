"""`waspada simulate`: exit codes, the last line of --json, and the files it writes."""

import contextlib
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
from waspada.simulate import _seeds

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

CAMPAIGN = """
import os, sys
from simulator import chaos_campaign
from waspada import cli

run = chaos_campaign.run

def saying(seeds, jobs, runtime, told):
    return run(seeds, jobs, runtime, lambda found: (told(found), os.write(1, b"%d\\n" % found["seed"])))

if __name__ == "__main__":
    chaos_campaign.run = saying
    sys.exit(cli.main(["simulate", "chaos", "--seeds", "1-100000", "--jobs", "2", "--json"]))
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


@contextlib.contextmanager
def _program(text, folder):
    """A script in a process group of its own."""
    (folder / "program.py").write_text(text)
    run = subprocess.Popen(
        [sys.executable, str(folder / "program.py")],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "firmware")])),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with run.stdout, run.stderr:
        try:
            yield run
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()


def _ended(run, how):
    """What it says when it is ended so. Workers have the same pipes: they end when the last worker has ended."""
    if how == signal.SIGINT:
        os.killpg(run.pid, how)  # to the workers too, as a terminal does
    else:
        run.send_signal(how)
    return run.communicate(timeout=20)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends with its parent only when it is told")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_jobs_leave_no_worker(how, tmp_path):
    with _program(ENDLESS, tmp_path) as run:
        assert [run.stdout.readline() for _ in range(2)] == [b"begun\n"] * 2
        _, said = _ended(run, how)
    if how == signal.SIGKILL:
        assert run.returncode == -how
    else:
        assert (run.returncode, said) == (130, b"waspada: interrupted\n")


@pytest.mark.skipif(sys.platform == "win32", reason="no group to interrupt")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_campaign_of_several_processes_says_what_was_run(how, tmp_path):
    with _program(CAMPAIGN, tmp_path) as run:
        first = [int(run.stdout.readline()) for _ in range(2)]
        out, said = _ended(run, how)
    assert run.returncode == 130
    assert said.endswith(b"waspada: interrupted\n")
    *more, last = out.splitlines()
    report = json.loads(last)
    said_done = {*first, *map(int, more)}
    done = {seed for part in report["run"] for seed in _seeds(part)}
    assert (report["interrupted"], report["error"]) == (True, "interrupted")
    assert said_done <= done and len(done - said_done) <= 1  # one may be counted and not said yet
    assert report["seeds"] == len(done)


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
