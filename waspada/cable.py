"""A running board at the end of a serial cable: its prompt, its console in machine mode, its files. mpremote runs as a program of its own.

docs/console.md says how a program speaks to a station.
"""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import serial

from simulator.errors import InputError
from waspada.console import FORGET_LINE, PROMPT, open_port

REPL = b">>> "
# Stops a station that knows no PIN (three Ctrl-C), leaves a raw REPL (Ctrl-B), and is harmless at a prompt.
TO_REPL = b"\r\x02\x03\x03\x03"
REPL_WITHIN_S = 60.0  # a new image formats its file system first
STATION_WITHIN_S = 60.0
ANSWER_WITHIN_S = 12.0
MPREMOTE_WITHIN_S = 300
READY = b"= ready\r\n"
NO_STATION = "No station runs here"


class NotReadyError(Exception):
    """The board was written, and does not do what it should: one sentence."""


def to_repl(port_name: str, pin: str | None = None) -> None:
    """Gets the board to MicroPython's prompt, whether a station runs or not."""
    deadline = time.monotonic() + REPL_WITHIN_S
    refused = ""
    while time.monotonic() < deadline and not refused:
        # A board with USB of its own is gone for a moment after a reset.
        with contextlib.suppress(serial.SerialException, OSError, InputError), open_port(port_name) as port:
            while time.monotonic() < deadline and not refused:
                refused = _maintenance(port, pin) if pin else ""
                port.write(TO_REPL)
                if read_until_quiet(port).endswith(REPL):
                    return
        if not refused:
            time.sleep(0.5)
    why = refused or f"no MicroPython prompt within {REPL_WITHIN_S:g} s; press its reset button and try again"
    raise InputError(f"{port_name}: {why}")


def _maintenance(port: serial.Serial, pin: str) -> str:
    """Asks a station that runs for the REPL. Returns why it will not, "" when it did or when none runs."""
    if not prompt(port):
        return ""
    ending, _ = ask(port, "machine")
    if ending != "ok":
        return ""
    ending, said = ask(port, f"login {pin}")
    if ending in ("refused", "wait"):  # not tried again: each wrong one costs more time
        ask(port, "machine off")
        why = " ".join(said) or ending
        return (
            f"the station refuses the PIN that the city has for it ({why}): is it this board? If so, wait and try again"
        )
    if ending != "ok":
        return ""
    ask(port, "maintenance")
    return ""


def prompt(port: serial.Serial) -> bool:
    """Whether a station answers, whatever was half typed before."""
    port.write(FORGET_LINE)
    heard = read_until_quiet(port, 0.3, 2)
    return heard.endswith((b"\r\n" + PROMPT, READY))


def ask(port: serial.Serial, line: str) -> tuple[str, list[str]]:
    """How a line's answer ends in machine mode (`ok`, `refused` ...), and the lines before that. ("", []): nothing that ends came."""
    port.reset_input_buffer()
    port.write(line.encode("ascii") + b"\r")
    deadline = time.monotonic() + ANSWER_WITHIN_S
    heard = b""
    while time.monotonic() < deadline:
        heard += port.read(max(1, port.in_waiting))
        found = re.search(rb"(?:^|\r\n)= ([a-z]+)(?: \d+)?\r\n", heard)
        if found:
            lines = heard[: found.start()].decode("utf-8", "replace").split("\r\n")
            return found[1].decode(), [text for text in lines if text and text != line]
        if heard.endswith(b"\r\n" + PROMPT):
            break  # a console without machine mode
    return "", []


def read_until_quiet(port: serial.Serial, quiet_s: float = 0.7, most_s: float = 5) -> bytes:
    """What a board says until it has nothing more to say."""
    data = b""
    end = time.monotonic() + most_s
    quiet_at = time.monotonic() + quiet_s
    while time.monotonic() < min(quiet_at, end):
        more = port.read(max(1, port.in_waiting))
        if more:
            data += more
            quiet_at = time.monotonic() + quiet_s
    return data


def reset(port_name: str) -> None:
    """Of a board that is at its prompt, or is left by a program in a raw one."""
    to_repl(port_name)
    with open_port(port_name) as port:
        port.write(b"import machine; machine.reset()\r")
        read_until_quiet(port, 0.2, 1)


def self_test(port_name: str, name: str) -> tuple[str, dict[str, str]]:
    """Waits for the station's first line, or for its prompt where the line was missed; then what its `status` says. NotReadyError: it does not come."""
    deadline = time.monotonic() + STATION_WITHIN_S
    heard = b""
    why = ""
    started = False
    while time.monotonic() < deadline and not why:
        with contextlib.suppress(serial.SerialException, OSError, InputError), open_port(port_name) as port:
            while time.monotonic() < deadline and not why:
                port.write(FORGET_LINE)
                heard += read_until_quiet(port, 0.5, 3)
                text = heard.decode("utf-8", "replace")
                if heard.endswith((b"\r\n" + PROMPT, READY)):
                    status = _status(port)
                    said = [line.strip() for line in text.splitlines() if line.startswith("waspada station ")]
                    return (said[-1] if said else f"waspada station {status.get('node', name)}"), status
                why = next((line.strip() for line in text.splitlines() if line.startswith(NO_STATION)), "")
                if not started and _at_repl(port):  # somebody had asked for it: that is over now
                    started = True
                    port.write(b"import machine; machine.reset()\r")
        if not why:
            time.sleep(0.3)
    last = heard.decode("utf-8", "replace").strip().splitlines()
    silent = f"no station answers within {STATION_WITHIN_S:g} s; the last it said: {last[-1] if last else 'nothing'}"
    raise NotReadyError(f"{port_name}: {why or silent}")


def _at_repl(port: serial.Serial) -> bool:
    port.write(b"\r")
    return read_until_quiet(port, 0.3, 2).endswith(REPL)


def _status(port: serial.Serial) -> dict[str, str]:
    if ask(port, "machine")[0] != "ok":
        return {}
    _, lines = ask(port, "status")
    ask(port, "machine off")
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def mpremote(port: str, *words: str) -> str:
    command = [sys.executable, "-m", "mpremote", "connect", port, *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=MPREMOTE_WITHIN_S, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InputError(f"{port}: no end within {MPREMOTE_WITHIN_S} s; press the reset button and try again") from None
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        raise InputError(f"{port}: {lines[-1] if lines else 'mpremote failed'}; press the reset button and try again")
    return done.stdout.replace("\r\n", "\n")


def put(port: str, before: str, files: Sequence[tuple[Path, str]], after: str) -> None:
    """Files onto the board in one go, between two scripts. Each is there whole, or as it was."""
    words = ["exec", before]
    for path, name in files:
        words += ["+", "fs", "cp", str(path), ":" + name]
    mpremote(port, *words, "+", "exec", after)


def fetch(port: str, folder: str, names: Sequence[str], to: Path) -> None:
    words: list[str] = []
    for name in names:
        words += [*(["+"] if words else []), "fs", "cp", f":{folder}/{name}", str(to / name)]
    if words:
        mpremote(port, *words)
