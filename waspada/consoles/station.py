"""A station at the end of a cable, spoken to as a program does (docs/console.md): a line, the lines of its answer, and how it ended."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import serial

from simulator.errors import InputError
from waspada.consoles.port import GoneError

FORGET_LINE = b"\x15"
PROMPT = b"> "
READY = b"= ready\r\n"
CLOSED = b"= closed\r\n"
REPL = b">>> "
ANSWER_WITHIN_S = 10.0
HEARD_WITHIN_S = 20.0
SLOW_S = 100.0  # a calibration, a sample of a station that measures seldom
SLOW = ("calibrate", "level")
LINE_MOST = 96
_TRY_S = 1.0
_SILENT_TRIES = 4  # then somebody is told why nothing comes
_KEPT = 4000  # of what is heard before a station is known to be there
_BOOT = re.compile(rb"rst:0x|ets [A-Z][a-z]{2} |ESP-ROM|waspada station ")
_ENDING = re.compile(r"= ([a-z]+)(?: (\d+))?")


class LeftError(Exception):
    """Whoever waited for an answer does not want it any more."""


class Answer(NamedTuple):
    """`ending`: what follows `= `; `seconds` with `wait`."""

    ending: str
    lines: list[str]
    seconds: int = 0

    @property
    def good(self) -> bool:
        return self.ending == "ok"

    @property
    def why(self) -> str:
        """The last line, in which a station says why not."""
        return self.lines[-1].removeprefix("refused: ") if self.lines else self.ending


class Station:
    """Use as a context: what it leaves behind is a station without machine mode, and logged out where this logged in.

    `tell` is for people: what is being waited for. Every method may raise GoneError.
    """

    def __init__(
        self, port: serial.Serial, tell: Callable[[str], object] = lambda _: None, within_s: float = HEARD_WITHIN_S
    ) -> None:
        self.port = port
        self.name = str(port.port)
        self.within_s = within_s
        self.logged_in = False
        self.over = threading.Event()  # set from another thread: what waits for an answer raises LeftError
        self._tell = tell
        self._data = b""
        self._begun = False

    def __enter__(self) -> "Station":
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._begun and not (kind and issubclass(kind, GoneError)):
            self.leave()

    # Bytes

    def read(self) -> bytes:
        """What has arrived, within a moment."""
        try:
            return bytes(self.port.read(max(1, self.port.in_waiting)))
        except (
            serial.SerialException,
            OSError,
            TypeError,
        ) as error:  # TypeError: pyserial's, of a port that was closed
            raise self._gone(error) from None

    def write(self, data: bytes) -> None:
        try:
            self.port.write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise self._gone(error) from None

    def _gone(self, error: Exception) -> GoneError:
        return GoneError(f"{self.name} has gone ({error}): check the cable and run the same command again")

    # The mode for programs

    def begin(self) -> None:
        """Machine mode, whatever was half typed before. InputError: what is there is no station, and what it is instead."""
        heard = self.find()
        if not heard.endswith(READY):
            self._data = b""
            self.write(b"machine\r")
            answer = self.answer(min(ANSWER_WITHIN_S, self.within_s))
            if not answer.good:
                raise InputError(
                    f"{self.name}: this station's firmware has no machine mode; renew it by `waspada flash`"
                )
        self._begun = True

    def find(self) -> bytes:
        """Looks for a station; returns what was heard, which ends with its prompt. The end of a boot is waited for."""
        heard = b""
        booting = False
        deadline = time.monotonic() + self.within_s
        tries = 0
        while time.monotonic() < deadline:
            # At a raw REPL Ctrl-B leads to the prompt, and an empty line shows it; a station takes neither for anything.
            self.write(FORGET_LINE if tries < 2 else b"\x02" + FORGET_LINE + b"\r")
            tries += 1
            until = min(deadline, time.monotonic() + _TRY_S)
            while time.monotonic() < until:
                heard = (heard + self.read())[-_KEPT:]
                if heard.endswith((b"\r\n" + PROMPT, READY)) or heard == PROMPT:
                    if not self._settled():
                        return heard
                if heard.endswith(REPL) and tries > 2:
                    raise InputError(f"{self.name}: {self._instead(heard)}")
            if _BOOT.search(heard) and not booting:
                booting = True
                deadline += self.within_s
                self._tell("the board was reset when its port was opened; waiting for its station")
            if tries == _SILENT_TRIES and not heard:
                self._tell(
                    "nothing answers yet; a station that sleeps hears nothing until it wakes: press its EN button, or wait"
                )
        raise InputError(f"{self.name}: {self._instead(heard)}")

    def _settled(self) -> bytes:
        """What still comes behind a prompt."""
        more = self.read()
        return more if more.strip(b"\r\n> ") and not more.endswith((PROMPT, READY)) else b""

    def _instead(self, heard: bytes) -> str:
        if REPL in heard:
            return "a MicroPython prompt answers, but no station runs; make the board ready by `waspada flash`"
        if not heard:
            return f"no station answers within {self.within_s:g} s; check cable and power"
        strange = sum(1 for byte in heard if byte > 126 or (byte < 32 and byte not in b"\r\n\t\x1b\b"))
        if 4 * strange > len(heard):
            return "what comes is noise: no board that speaks at 115200 baud, or a bad cable"
        said = "".join(chr(byte) if 32 <= byte < 127 else " " for byte in heard[-200:]).split()
        return f"what answers is no Waspada station (it says '{' '.join(said)[-60:]}'); name another port"

    def leave(self) -> None:
        """Out of machine mode: a person finds the prompt."""
        self._begun = False
        try:
            self.stop()
            self.write(b"logout\r" if self.logged_in else b"machine off\r")
            self._until(PROMPT, 2)
        except GoneError:
            pass  # there is nobody to leave

    def stop(self) -> None:
        """Ends whatever is being answered, and forgets what was half typed."""
        self.write(FORGET_LINE)
        self._line(ANSWER_WITHIN_S, lambda line: line == "= ready")

    def _until(self, ending: bytes, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not self._data.endswith(ending) and time.monotonic() < deadline:
            self._data += self.read()

    # A line and its answer

    def ask(self, line: str, within_s: float = ANSWER_WITHIN_S) -> Answer:
        """`within_s` is for each line of the answer. GoneError when none comes: what was asked may have been done."""
        self._revive()
        self.send(line)
        return self.answer(max(within_s, SLOW_S) if line.split()[:1] in [[name] for name in SLOW] else within_s)

    def _revive(self) -> None:
        """After ten quiet minutes the station has logged out and ended machine mode: whoever was asked something meanwhile goes on all the same."""
        while self._begun and self._waiting():
            self._data += self.read()
        if CLOSED in self._data:
            self.logged_in = False
            self._data = b""
            self.begin()

    def _waiting(self) -> bool:
        try:
            return bool(self.port.in_waiting)
        except (serial.SerialException, OSError, TypeError) as error:
            raise self._gone(error) from None

    def send(self, line: str) -> None:
        if len(line) > LINE_MOST or not (line.isascii() and line.isprintable()):
            raise InputError(f"a station takes lines of ASCII of {LINE_MOST} letters at most: one of these is none")
        self.write(line.encode() + b"\r")

    def answer(self, within_s: float = ANSWER_WITHIN_S) -> Answer:
        lines: list[str] = []
        while True:
            line = self._line(within_s)
            found = _ENDING.fullmatch(line)
            if found and found[1] == "closed":
                self.logged_in = False
                raise GoneError(
                    f"{self.name}: the station was left alone for ten minutes and has logged out; begin again"
                )
            if found and found[1] != "ready":
                return Answer(found[1], lines, int(found[2] or 0))
            if line and not found:
                lines.append(line)

    def lines(self, within_s: float = ANSWER_WITHIN_S) -> Iterator[str]:
        """Of a long answer, one by one; the last begins with `= `."""
        while True:
            line = self._line(within_s)
            yield line
            if _ENDING.fullmatch(line):
                return

    def _line(self, within_s: float, wanted: Callable[[str], bool] = lambda _: True) -> str:
        deadline = time.monotonic() + within_s
        while True:
            line, ended, rest = self._data.partition(b"\r\n")
            if ended:
                self._data = rest
                text = line.decode("utf-8", "replace")
                if wanted(text):
                    return text
                continue
            if self.over.is_set():
                raise LeftError
            if time.monotonic() > deadline:
                raise GoneError(f"{self.name}: no answer within {within_s:g} s; check cable and power, and begin again")
            self._data += self.read()

    # What is asked for often

    def status(self) -> dict[str, str]:
        return {name: value for name, _, value in (line.partition(" ") for line in self.must("status"))}

    def must(self, line: str) -> Sequence[str]:
        """The lines of an answer that can't be no."""
        answer = self.ask(line)
        if not answer.good:
            raise GoneError(
                f"{self.name}: `{line}` was answered by `{answer.why}`; its firmware may be another version"
            )
        return answer.lines

    def shown(self) -> dict[str, tuple[str, str]]:
        """Every setting: key -> (value, unit), as the station runs it; with what is typed and not saved left out."""
        found = {}
        for line in self.must("show"):
            words = line.partition(" * ")[0].split()
            if len(words) in (2, 3):
                found[words[0]] = (words[1], words[2] if len(words) == 3 else "")
        return found
