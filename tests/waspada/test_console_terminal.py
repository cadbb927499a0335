"""The terminal: by hand through a pseudo-terminal, completion learned from the station, secrets never on the screen."""

import contextlib
import os
import pty
import select
import subprocess
import sys
import time

import pytest
from prompt_toolkit.formatted_text import fragment_list_to_text
from prompt_toolkit.layout.processors import TransformationInput

from tests.waspada.console_desk import PIN, Cable, console
from waspada.consoles.pin import hidden
from waspada.consoles.port import open_port
from waspada.consoles.station import Station
from waspada.consoles.terminal import Masked, Remembered, Vocabulary

WITHIN_S = 30


class Hand:
    """A person at a terminal: `waspada console WORDS` on a pseudo-terminal of 100 columns."""

    def __init__(self, *words):
        self.screen = ""
        self._master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        self._at = 0  # what was looked for so far ends here
        command = [sys.executable, "-m", "waspada", "console", *words]
        self.process = subprocess.Popen(command, env=environment, preexec_fn=lambda: os.login_tty(slave))
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def types(self, text):
        os.write(self._master, text.encode())

    def until(self, words):
        """Until these are on the screen, behind what was there before."""
        deadline = time.monotonic() + WITHIN_S
        while words not in self.screen[self._at :]:
            assert time.monotonic() < deadline, f"{words!r} never came: {self.screen[-2000:]!r}"
            self.look()
        self._at = self.screen.index(words, self._at) + len(words)

    def look(self):
        with contextlib.suppress(OSError):
            if select.select([self._master], [], [], 0.05)[0]:
                data = os.read(self._master, 65536).decode("utf-8", "replace")
                if "\x1b[6n" in data:
                    os.write(self._master, b"\x1b[1;1R")
                self.screen += data

    def ready(self):
        """The terminal waits for a line: what is typed before is the system's to keep."""
        self.until("\x1b[6n")

    def leaves(self):
        self.ready()
        self.types("\x04")
        return self.ends()

    def ends(self):
        deadline = time.monotonic() + WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.screen
            self.look()
        return self.process.returncode


@pytest.fixture
def cable():
    with Cable(pin=PIN) as running:
        yield running


def test_a_technician_logs_in_completes_sets_and_saves(cable):
    with Hand(cable.port) as hand:
        hand.until("Ctrl-D leaves")
        hand.ready()
        hand.types("sho\tlevel.dan\t\r")
        hand.until("level.danger 1.5 m")
        hand.ready()
        hand.types("set siren.from 2\r")
        hand.until("login PIN first")
        hand.ready()
        hand.types(f"login {PIN}\r")
        hand.until("logged in")
        hand.ready()
        hand.types("set level.danger 1.4 m\r")
        hand.ready()
        hand.types("save\r")
        hand.until("saved, revision 2")
        assert hand.leaves() == 0
        assert PIN not in hand.screen
        cable.until(lambda desk: not (desk.app._console and desk.app._console.user))
    assert cable.desk.app.settings.values[2] == 1400


def test_ctrl_c_ends_a_long_answer_and_not_the_terminal(cable):
    with Hand(cable.port) as hand:
        hand.until("Ctrl-D leaves")
        hand.ready()
        hand.types("level\r")
        hand.until("0.1 m (q")
        hand.types("\x03")
        hand.ready()
        hand.types("get siren.from\r")
        hand.until("siren.from 1")
        assert hand.leaves() == 0


def test_another_language_is_spoken_in_the_terminal(cable):
    done = console(cable.port, stdin="language ms\nget level.danger\nlanguage en\n")
    assert done.code == 0
    assert "Bahasa Melayu" in done.out
    assert "language ms" not in done.out  # the echo is not shown twice


def test_a_cable_pulled_at_the_terminal_ends_it(cable):
    with Hand(cable.port) as hand:
        hand.until("Ctrl-D leaves")
        cable.cut_after = cable.said + 10
        hand.ready()
        hand.types("show\r")
        hand.until("has gone")
        assert hand.ends() == 1


def test_the_live_chart_is_on_the_terminal_until_q(cable):
    cable.desk.level(1200)
    with Hand(cable.port, "--chart") as hand:
        hand.until("demo/dr01")
        hand.until("WARNING")
        hand.types("q")
        assert hand.ends() == 0
    assert "demo/dr01: warning, level 1.2 m" in hand.screen


def test_words_are_learned_from_the_station(cable):
    with open_port(cable.port) as port, Station(port) as station:
        words = Vocabulary.of(station)
    assert {"help", "set", "calibrate", "export", "maintenance"} <= set(words.offers(""))
    assert words.offers("set level.d") == ["level.danger", "level.deadband"]
    assert words.offers("set wi") == ["wifi.ssid", "wifi.key"]
    assert words.offers("test ") == ["1", "2", "3", "off"]
    assert words.offers("export ") == ["settings", "readings", "events"]
    assert words.offers("login ") == []
    assert words.offers("set level.danger 1") == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [("login 123456", "login *"), ("  login  1 2", "login *"), ("set wifi.key a b", "set wifi.key *"), ("set wifi.ssid Depot", "set wifi.ssid Depot"),
     ("login", "login"), ("show", "show")],
)  # fmt: skip
def test_a_secret_is_neither_shown_nor_remembered(line, shown):
    assert hidden(line) == shown
    history = Remembered()
    history.append_string(line)
    assert history.get_strings() == ([line] if line == shown else [])
    drawn = Masked().apply_transformation(TransformationInput(None, None, 0, lambda i: i, [("", line)], 80, 1))
    text = fragment_list_to_text(drawn.fragments)
    assert len(text) == len(line)
    assert ("*" in text) == (line != shown)
    for secret in ("123456", "1 2", "a b"):
        assert secret not in text or secret not in line
