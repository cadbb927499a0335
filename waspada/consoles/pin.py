"""The technician's PIN: from the keyboard, a file or the environment; never from the command line, and never into any output."""

import getpass
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from simulator.errors import InputError
from waspada.consoles.station import Answer, Station

VARIABLE = "WASPADA_PIN"
TRIES = 3
_WAIT_MOST_S = 700
_DIGEST_S = 60.0


class RefusedError(Exception):
    """The station lets nobody in with this PIN: one sentence, exit code 1."""


class Pin:
    """Where the PIN comes from. What is given is tried once at each station: a wrong one costs waiting."""

    def __init__(
        self, file: Path | None = None, given: str = "", prompt: Callable[[str], str] = getpass.getpass,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:  # fmt: skip
        self._file = file
        self._prompt = prompt
        self._sleep = sleep
        self._tried: set[str] = set()  # ports at which what was given has been tried
        self._right: dict[str, str] = {}
        self._given = given or (_read(file) if file else os.environ.get(VARIABLE, "").strip())

    def can_ask(self) -> bool:
        return self._prompt is not getpass.getpass or sys.stdin.isatty()

    def log_in(self, station: Station, tell: Callable[[str], object]) -> None:
        """Asks until the station lets us in. RefusedError says why it does not."""
        for attempt in range(TRIES):
            pin = self._next(station)
            answer = station.ask(f"login {pin}", _DIGEST_S)
            while answer.ending == "wait" and not answer.why.startswith("wrong"):
                self._wait(answer.seconds, tell)
                answer = station.ask(f"login {pin}", _DIGEST_S)
            if answer.good:
                station.logged_in = True
                self._right[station.name] = pin  # for when it was left alone and has logged out
                return
            if answer.ending != "wait":
                raise RefusedError(f"{station.name}: {answer.why}")
            if not self.can_ask() or attempt == TRIES - 1:
                break
            tell(f"wrong PIN; the next is heard in {answer.seconds} s")
            self._wait(answer.seconds, tell)
        raise RefusedError(f"{station.name}: wrong PIN; it is on the station's label, under the fold")

    def _next(self, station: Station) -> str:
        pin = self._right.pop(station.name, "")
        if not pin and station.name not in self._tried:
            self._tried.add(station.name)
            pin = self._given
        if not pin:
            if not self.can_ask():
                raise InputError(
                    f"{station.name}: this needs the station's PIN: give it in a file (--pin-file) or in {VARIABLE}"
                )
            pin = self._prompt("PIN: ").strip()
        if not pin or len(pin) > 32 or not (pin.isascii() and pin.isprintable()) or " " in pin:
            raise InputError("a PIN is 1 to 32 letters or digits without a space")
        return pin

    def ask(self, station: Station, line: str, tell: Callable[[str], object]) -> Answer:
        """The answer to `line`; logs in where the station wants that first."""
        answer = station.ask(line)
        if answer.ending == "pin":
            self.log_in(station, tell)
            answer = station.ask(line)
        return answer

    def _wait(self, seconds: int, tell: Callable[[str], object]) -> None:
        tell(f"the station hears no PIN for {seconds} s; waiting")
        self._sleep(min(seconds, _WAIT_MOST_S) + 1)


def hidden(line: str) -> str:
    """A line as it may be shown."""
    words = line.split()
    for secret in (["login"], ["set", "wifi.key"]):
        if words[: len(secret)] == secret and len(words) > len(secret):
            return " ".join([*secret, "*"])
    return line


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no text"
        raise InputError(f"{file} can't be read as a PIN ({why}); give a file that holds the PIN alone") from None
