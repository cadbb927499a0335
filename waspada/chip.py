"""A board's chip by its bootloader: what it is, what its flash holds, flash written. esptool (GPL) runs as a program of its own and is never imported."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import InputError

BAUD = 460800
CALL_WITHIN_S = 600.0  # erasing and writing 16 MB takes a few minutes
ADVICE = "hold BOOT while it connects, close other programs, check the cable"

Show = Callable[[str], object]
_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Chip:
    name: str  # esp32, esp32s3 ...
    mac: str
    flash: int  # bytes


def probe(port: str, show: Show | None = None) -> Chip:
    """What sits on the port. InputError: nothing that answers as a bootloader."""
    output = _esptool(port, ["flash-id"], "no chip answers", show)
    name = re.search(r"Connected to (ESP\S+) on ", output)
    mac = re.search(r"^MAC:\s+([0-9a-f:]{17,})$", output, re.MULTILINE)
    flash = re.search(r"Detected flash size:\s+(\d+)([KM])B", output)
    if not name or not mac or not flash:
        raise InputError(f"{port}: the chip does not say what it is and how much flash it has; {ADVICE}")
    size = int(flash[1]) * (1 << 20 if flash[2] == "M" else 1 << 10)
    return Chip(name[1].lower().replace("-", ""), mac[1], size)


def read(port: str, offset: int, size: int, show: Show | None = None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "read"
        _esptool(port, ["read-flash", "--no-progress", hex(offset), hex(size), str(path)],
                 "its flash can't be read", show)  # fmt: skip
        data = path.read_bytes()
    if len(data) != size:
        raise InputError(f"{port}: its flash can't be read ({len(data)} of {size} bytes came); {ADVICE}")
    return data


def write(port: str, chip: str, parts: Sequence[tuple[int, bytes]], show: Show | None = None) -> None:
    """Everything is erased, then the parts are written in their order and compared by MD5; all in one call."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["write-flash", "--erase-all"]
        for offset, data in parts:
            path = Path(folder) / f"{offset:07x}.bin"
            path.write_bytes(data)
            words += [hex(offset), str(path)]
        _esptool(port, words, "the board could not be written and is empty or half written: flash it again", show, chip)


def stop() -> None:
    """Ends what runs: somebody has interrupted it."""
    for process in list(_running):
        process.kill()


def _esptool(port: str, words: list[str], what: str, show: Show | None, chip: str = "auto") -> str:
    command = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port, "--baud", str(BAUD), *words]
    surroundings = {**os.environ, "NO_COLOR": "1", "COLUMNS": "160"}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=surroundings)  # fmt: skip
    limit = threading.Timer(CALL_WITHIN_S, process.kill)
    limit.start()
    _running.add(process)
    output = b""
    try:
        assert process.stdout is not None
        while data := process.stdout.read1():  # type: ignore[attr-defined]
            output += data
            if show is not None:
                show(data.decode("utf-8", "replace"))
    except BaseException:
        process.kill()
        raise
    finally:
        limit.cancel()
        _running.discard(process)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    text = output.decode("utf-8", "replace").replace("\r", "\n")
    if process.returncode:
        raise InputError(f"{port}: {what} ({_reason(text, process.returncode)}); {ADVICE}")
    return text


def _reason(output: str, code: int) -> str:
    fatal = re.findall(r"fatal error occurred: (.*)", output)
    if fatal:
        return str(fatal[-1]).strip().rstrip(".")
    lines = output.strip().splitlines()
    return lines[-1].strip() if lines else f"exit {code}"
