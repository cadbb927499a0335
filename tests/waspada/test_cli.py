"""The command line's frame: what every command shares, tried on commands that exist only here."""

import json
import os
import re
import signal
import subprocess
import sys
import types

import pytest

from simulator.errors import InputError
from tests.house.sources import ROOT
from waspada import __version__, cli


def planted(monkeypatch, run):
    """Puts a command with this `run` where `waspada demo` is."""
    module = types.ModuleType("waspada.demo")

    def add(subparsers):
        subparsers.add_parser("demo").add_argument("--count", type=int, default=1)

    module.add, module.run = add, run
    monkeypatch.setitem(sys.modules, "waspada.demo", module)


def refuse(args):
    raise InputError("stations.csv, line 3: no such driver 'x', one of a02yyuw, battery is meant")


def interrupt(args):
    raise KeyboardInterrupt


def fail(args):
    raise ZeroDivisionError("a defect of ours")


def test_exit_code_is_what_the_command_answers(monkeypatch):
    for code in (0, 1):
        planted(monkeypatch, lambda args, code=code: code)
        assert cli.main(["demo"]) == code


def test_unusable_input_is_one_sentence_and_exit_2(monkeypatch, capsys):
    planted(monkeypatch, refuse)
    assert cli.main(["demo"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "waspada: stations.csv, line 3: no such driver 'x', one of a02yyuw, battery is meant\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["demo", "--count", "many"], "invalid int value: 'many'"),
        (["demo", "--no-such-thing"], "--no-such-thing"),
        (["demo", "one", "two"], "one two"),
    ],
)
def test_unusable_arguments_are_one_sentence_and_exit_2(monkeypatch, capsys, argv, says):
    planted(monkeypatch, lambda args: 0)
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert "--help" in err
    assert err.count("\n") == 1


def test_an_unknown_argument_sends_to_its_own_subcommands_help(capsys):
    assert cli.main(["hardware", "check", "river_gauge", "--deep"]) == 2
    assert "unrecognized arguments: --deep (try `waspada hardware check --help`)" in capsys.readouterr().err
    assert cli.main(["hardware", "wiring", "river_gauge", "--out", ""]) == 2
    assert "--out is empty; give a folder" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "code"), [("river_gauge", 0), ("nowhere", 2)])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_leaves_the_exit_code(name, code, closed):
    line = f'exec "{sys.executable}" -m waspada hardware check {name} {closed}'
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_unusable_arguments_are_answered_in_json_too(monkeypatch, capsys):
    planted(monkeypatch, lambda args: 0)
    assert cli.main(["demo", "--json", "--count", "many"]) == 2
    assert "invalid int value" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]


def test_refused_input_is_answered_in_json_too(monkeypatch, capsys):
    planted(monkeypatch, refuse)
    assert cli.main(["demo", "--json"]) == 2
    assert "no such driver" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]


def test_interruption_is_quiet_and_exits_130(monkeypatch, capsys):
    planted(monkeypatch, interrupt)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "waspada: interrupted\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_ended_is_like_being_interrupted(monkeypatch, capsys, number):
    planted(monkeypatch, lambda args: signal.raise_signal(number))
    before = signal.signal(number, signal.SIG_DFL)  # under nohup, or behind another test, it need not be
    try:
        assert cli.main(["demo"]) == 130
        assert capsys.readouterr().err == "waspada: interrupted\n"
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_defect_keeps_its_traceback_and_says_so_in_json(monkeypatch, capsys):
    planted(monkeypatch, fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo", "--json"])
    assert json.loads(capsys.readouterr().out) == {"error": "ZeroDivisionError: a defect of ours"}


def test_every_command_has_json_and_help(capsys):
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit) as ended:
            cli.main([command, "--help"])
        assert ended.value.code == 0
        assert "--json" in capsys.readouterr().out


def test_help_lists_every_command_with_its_purpose(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    listed = dict(re.findall(r"^ {4}(\w+) +(\S.*)$", capsys.readouterr().out, re.MULTILINE))
    assert set(cli.COMMANDS) <= set(listed)


def waspada(*argv, **options):
    path = os.pathsep.join([str(ROOT), str(ROOT / "firmware")])
    environment = dict(os.environ, PYTHONPATH=path)
    command = [sys.executable, "-m", "waspada", *argv]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, **options)


def test_version_is_the_firmwares_version():
    done = waspada("--version")
    assert (done.returncode, done.stdout) == (0, f"waspada {__version__}\n")


def test_no_command_at_all_exits_with_2():
    done = waspada()
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_reader_that_goes_away_leaves_no_traceback():
    read, write = os.pipe()
    os.close(read)
    path = os.pathsep.join([str(ROOT), str(ROOT / "firmware")])
    script = (
        "import sys, types\n"
        "from waspada import cli\n"
        "demo = types.ModuleType('waspada.demo')\n"
        "demo.add = lambda subparsers: subparsers.add_parser('demo')\n"
        "demo.run = lambda args: [print('line') for _ in range(99999)] and 0\n"
        "sys.modules['waspada.demo'] = demo\n"
        "sys.exit(cli.main(['demo']))\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, stdout=write, stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=path), timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (cli.PIPE_CLOSED, b"")


def test_output_to_a_full_disk_is_one_sentence() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "waspada", "hardware", "rules"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == cli.UNUSABLE
    assert done.stderr == b"waspada: the output: no space left there; make room and give the command again\n"
