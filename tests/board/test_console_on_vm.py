"""`waspada console` against a running station: main.py in the real VM behind a pseudo-terminal."""

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.board.station import ROOT, SIREN, describe, environment, pins
from tests.pty_board import PtyBoard

pytestmark = pytest.mark.vm

POSIX_ONLY = {"termios", "pty", "fcntl", "tty", "curses", "readline", "pwd", "grp", "resource", "select", "selectors"}


def waspada(*words, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "waspada", *map(str, words)], cwd=ROOT, input=stdin, capture_output=True, text=True,
        timeout=60, check=False, env=dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, (ROOT, ROOT / "firmware")))),
    )  # fmt: skip


def install(folder):
    """The firmware's two files on the board; its package stays where it is."""
    for name in ("boot.py", "main.py"):
        (folder / name).write_bytes((ROOT / "firmware" / name).read_bytes())


@pytest.fixture
def board(tmp_path):
    describe(tmp_path)
    install(tmp_path)
    (tmp_path / "world" / "range_mm").write_text("4000")
    with PtyBoard(tmp_path, environment()) as running:
        yield running


def siren_is_on(folder):
    changes = [value for pin, value in pins(folder) if pin == SIREN]
    return bool(changes) and changes[-1] == 1


def test_a_technician_lowers_the_danger_level_and_the_siren_goes_on_there(board, tmp_path):
    script = tmp_path / "script.txt"
    script.write_text(
        "# a lower bank than we thought\nset level.alert 0.1\nset level.warning 0.2 m\nset level.danger 0.3 m\nsave\nshow\n"
    )
    assert waspada("console", board.port, "--script", script).returncode == 0
    (tmp_path / "world" / "range_mm").write_text("4480")  # 0.02 m
    time.sleep(6)
    assert not siren_is_on(tmp_path)
    (tmp_path / "world" / "range_mm").write_text("4180")  # 0.32 m: danger only by the new level
    deadline = time.monotonic() + 20
    while not siren_is_on(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    shown = waspada("console", board.port, "--script", "-", "--json", stdin="status\nshow\n")
    assert shown.returncode == 0, shown.stderr
    result = json.loads(shown.stdout.splitlines()[-1])
    assert result["refused"] is None
    status, show = (each["answer"] for each in result["dialogue"])
    assert "state danger" in status
    assert any(line.startswith("level 0.32 m") for line in status)
    assert "level.danger 0.3 m" in show
    assert board.starts == 1


def test_the_dialogue_is_printed(board):
    done = waspada("console", board.port, "--script", "-", stdin="get level.danger\n\nset level.danger 1.4\nrevert\n")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "> get level.danger"
    assert lines[1].startswith("level.danger 1.5 m")
    assert lines[-1] == "reverted: 1 forgotten"


def test_a_script_stops_at_the_first_refusal(board):
    done = waspada("console", board.port, "--script", "-", stdin="set level.danger 99 km\nsave\n")
    assert done.returncode == 1
    assert "> save" not in done.stdout
    assert "refused:" in done.stdout
    assert "set level.danger 99 km" in done.stderr


def test_lines_typed_by_hand_are_answered_and_not_shown_twice(board):
    done = waspada("console", board.port, stdin="get level.danger\n")
    assert done.returncode == 0, done.stderr
    assert "level.danger 1.5 m" in done.stdout
    assert "get level.danger" not in done.stdout


def test_what_was_half_typed_before_does_not_spoil_the_script(board):
    with open(board.port, "wb", buffering=0) as port:
        port.write(b"set level.danger 1.4\rsav")
    done = waspada("console", board.port, "--script", "-", stdin="revert\n")
    assert done.returncode == 0, done.stderr
    assert "reverted: 1 forgotten" in done.stdout


def test_a_board_without_a_station_is_named_as_such(tmp_path):
    with PtyBoard(tmp_path, environment()) as board:
        done = waspada("console", board.port, "--script", "-", "--deadline", "1", stdin="show\n")
    assert done.returncode == 2
    assert "MicroPython prompt answers, but no station runs" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_port_is_one_sentence_with_the_ports_that_exist():
    for name in ("/dev/ttyNONE9", "socket://127.0.0.1:1", "nonsense://x"):
        done = waspada("console", name, "--script", "-", "--json")
        assert done.returncode == 2, done
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert name in done.stderr
        assert json.loads(done.stdout)["error"]
    assert "port" in waspada("console", "/dev/ttyNONE9").stderr


def test_a_busy_port_is_named_as_busy(board):
    import serial

    with serial.Serial(board.port, exclusive=True):
        done = waspada("console", board.port, "--script", "-")
    assert done.returncode == 2
    assert "in use" in done.stderr


def test_the_cable_tools_import_nothing_that_windows_lacks():
    for name in ("console", "flash"):
        tree = ast.parse((Path(ROOT) / "waspada" / f"{name}.py").read_text())
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not POSIX_ONLY & {found.split(".")[0] for found in names}, f"{name}.py:{node.lineno}"
