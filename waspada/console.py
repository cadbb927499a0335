"""`waspada console PORT`: the technician's end of the serial cable, by hand or by a script."""

import argparse
import errno
import json
import math
import re
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import serial
from serial.tools import list_ports

from simulator.errors import InputError

BAUD = 115200
PROMPT = b"> "
ANSWER_WITHIN_S = 10.0
FORGET_LINE = b"\x15"
# What an answer begins with when the station did not do what the line asked.
REFUSALS = ("refused:", "no command", "usage:", "not saved", "line too long")


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("console", help="talk to a station over its serial cable")
    parser.add_argument(
        "port", metavar="PORT", help="serial port: /dev/ttyUSB0, COM5, socket://host:port, rfc2217://host:port"
    )
    parser.add_argument("--script", metavar="FILE", type=Path, help="send these lines one by one, - for standard input")
    parser.add_argument(
        "--deadline",
        metavar="S",
        type=float,
        default=ANSWER_WITHIN_S,
        help="seconds to wait for each answer (default 10)",
    )


def run(args: argparse.Namespace) -> int:
    if args.json and args.script is None:
        raise InputError("--json needs --script FILE: a dialogue by hand has no result")
    if not (math.isfinite(args.deadline) and args.deadline > 0):
        raise InputError(f"--deadline {args.deadline:g}: seconds above 0 are meant")
    lines = None if args.script is None else _lines(args.script)
    with open_port(args.port) as port:
        try:
            if lines is None:
                return by_hand(port)
            return by_script(port, lines, args.deadline, args.json)
        except (serial.SerialException, OSError) as error:
            raise InputError(f"{args.port} has gone ({error}): check the cable and start again") from None


def ports_here() -> str:
    found = sorted(port.device for port in list_ports.comports())
    return (
        "ports here: " + ", ".join(found) if found else "no serial port is here: plug the board in, or check its driver"
    )


def open_port(name: str, baud: int = BAUD) -> serial.Serial:
    """The port, opened so that the board behind it goes on: DTR and RTS would reset it. InputError names what is there."""
    host_and_port = _host_and_port(name)
    try:
        port = serial.serial_for_url(name, baudrate=baud, timeout=0.05, write_timeout=5, do_not_open=True)
        if "://" not in name:
            port.exclusive = True
        port.dtr = False
        port.rts = False
        port.open()
        return port
    except (serial.SerialException, OSError, ValueError) as error:
        why = str(error)
        number = _number(error)
        if "exclusively lock" in why or "PermissionError" in why or number in (errno.EBUSY, errno.EAGAIN):
            raise InputError(f"{name} is in use by another program: close it and try again") from None
        if number == errno.EACCES:
            raise InputError(
                f"{name} may not be opened by this user: join its group (dialout) and log in again"
            ) from None
        if host_and_port and number == errno.ECONNREFUSED:
            raise InputError(f"nobody listens at {host_and_port}: start the program that serves {name}") from None
        if "://" in name:
            raise InputError(f"{name} can't be opened ({why}); is the program at its other end running?") from None
        if number in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
            raise InputError(f"{name} is no serial port; {ports_here()}") from None
        raise InputError(f"{name} can't be opened; {ports_here()}") from None


def _host_and_port(name: str) -> str | None:
    """Of a port that is a network address."""
    scheme = name.partition("://")[0]
    if scheme not in ("socket", "rfc2217") or "://" not in name:
        return None
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError(f"{name}: its port must be 1 to 65535; write {scheme}://host:port") from None
    if not host or not port:
        raise InputError(f"{name} has no {'port' if host else 'host'}; write {scheme}://host:port")
    return f"{host}:{port}"


def _number(error: Exception) -> int | None:
    """The system's error number; pyserial keeps some of them in its words only."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = re.search(r"Errno (\d+)\b|\((\d+), '", str(error))
    return int(found[1] or found[2]) if found else None


def by_hand(port: serial.Serial) -> int:
    """Lines from the keyboard to the station, its output to the terminal, until the keyboard ends."""
    print("Lines go to the station; help lists its commands, Ctrl-C leaves.", file=sys.stderr)
    echo = Echo()
    ended = threading.Event()

    def type_lines() -> None:
        # a thread, since Windows can't look at the keyboard without waiting for it
        for line in sys.stdin:
            text = line.rstrip("\r\n").encode("ascii", "replace")
            echo.expect(text)
            port.write(text + b"\r")
        ended.set()

    port.write(FORGET_LINE)
    threading.Thread(target=type_lines, daemon=True).start()
    quiet_since = time.monotonic()
    try:
        while not ended.is_set() or time.monotonic() - quiet_since < 1:
            data = port.read(max(1, port.in_waiting))
            if data:
                quiet_since = time.monotonic()
                sys.stdout.write(echo.strip(data).decode("utf-8", "replace").replace("\r\n", "\n"))
                sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    print()
    return 0


class Echo:
    """The station repeats what it is sent, and the terminal has shown it already: leaves each line out once."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._matched = 0

    def expect(self, line: bytes) -> None:
        if line:
            self._lines.append(line)

    def strip(self, data: bytes) -> bytes:
        shown = b""
        for byte in data:
            if self._lines and byte == self._lines[0][self._matched]:
                self._matched += 1
                if self._matched == len(self._lines[0]):
                    del self._lines[0]
                    self._matched = 0
                continue
            if self._matched:
                shown += self._lines[0][: self._matched]
                self._matched = 0
            shown += bytes((byte,))
        return shown


def by_script(port: serial.Serial, lines: Iterable[str], deadline_s: float, as_json: bool) -> int:
    """Sends a line when the station shows its prompt, prints the dialogue, stops at the first refusal (1)."""
    shown = sys.stderr if as_json else sys.stdout
    wake(port, deadline_s)
    dialogue = []
    refused = None
    for line in lines:
        print(f"> {line}", file=shown, flush=True)
        answer = ask(port, line, deadline_s)
        dialogue.append({"sent": line, "answer": answer})
        for text in answer:
            print(text, file=shown, flush=True)
        if answer and answer[0].startswith(REFUSALS):
            refused = line
            print(f"waspada: stopped at `{line}`, the lines after it were not sent", file=sys.stderr)
            break
    if as_json:
        print(json.dumps({"port": port.port, "dialogue": dialogue, "refused": refused}))
    return 0 if refused is None else 1


def wake(port: serial.Serial, deadline_s: float) -> None:
    """Gets the prompt, whatever was half typed before."""
    port.reset_input_buffer()
    port.write(FORGET_LINE)
    if read_until(port, b"\r\n" + PROMPT, deadline_s) is not None:
        return
    port.write(b"\r")
    answer = read_until(port, b">>> ", 1)
    state = "a MicroPython prompt answers, but no station runs" if answer is not None else "no station answers"
    advice = "make the board ready with `waspada flash`" if answer is not None else "check cable and power"
    raise InputError(f"{port.port}: {state} within {deadline_s:g} s; {advice}")


def ask(port: serial.Serial, line: str, deadline_s: float) -> list[str]:
    """The lines that the station answers to `line`."""
    port.write(line.encode("ascii", "replace") + b"\r")
    data = read_until(port, b"\r\n" + PROMPT, deadline_s)
    if data is None:
        raise InputError(f"{port.port}: no answer to `{line}` within {deadline_s:g} s; check cable and power")
    answer = data.decode("utf-8", "replace").split("\r\n")[1:-1]  # between the echo and the prompt
    return [text for text in answer if text]


def read_until(port: serial.Serial, ending: bytes, deadline_s: float) -> bytes | None:
    """Everything up to and with `ending`, or None when it does not come in time."""
    deadline = time.monotonic() + deadline_s
    data = b""
    while not data.endswith(ending):
        if time.monotonic() > deadline:
            return None
        data += port.read(max(1, port.in_waiting))
    return data


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read ({error}); give a text file with one command per line") from None
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
