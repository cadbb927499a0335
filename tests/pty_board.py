"""A board on a serial cable, for tools that want one: the MicroPython VM of this PC behind a pseudo-terminal.

Its folder is the board's flash. It starts as a board does (boot.py, then main.py unless the raw REPL asked for the reset), stays
at the REPL, and comes back after a soft reset (Ctrl-D) and after `machine.reset()` (the stand-in in tests/fakes/board). POSIX only.
"""

import contextlib
import os
import pty
import select
import signal
import subprocess
import tempfile
import threading
import tty
from pathlib import Path

from tests.vm64 import program

BOOT = """
import sys
sys.path[0] = ""
_only_boot = "raw" in sys.argv
del sys.argv[1:]
for _name in ("boot.py",) if _only_boot else ("boot.py", "main.py"):
    try:
        _file = open(_name)
    except OSError:
        continue
    _text = _file.read()
    _file.close()
    try:
        exec(_text)
    except Exception as _error:
        sys.print_exception(_error)
"""


class PtyBoard:
    """`port` is the path to open; use as a context."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = Path(folder)
        self.starts = 0
        self._environment = environment
        self._outer, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._wake, self._stop = os.pipe()
        self._scripts = tempfile.TemporaryDirectory()
        self._script = Path(self._scripts.name) / "start.py"
        self._script.write_text(BOOT)
        self._raw = False
        self._inner = -1
        self._held = b""
        self._began = b""
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._start()
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.write(self._stop, b".")
        self._thread.join()
        self._end()
        for fd in (self._outer, self._slave, self._wake, self._stop):
            os.close(fd)
        self._scripts.cleanup()

    def _start(self):
        self.starts += 1
        self._inner, slave = pty.openpty()
        tty.setraw(slave)
        command = [program(), "-i", str(self._script), *(["raw"] if self._raw else [])]
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        # The VM's REPL throws away what was typed before its first prompt; a board's UART keeps it, and so do we.
        self._began = b""
        self._held = b"\x01" if self._raw else b""

    def _started(self):
        return self._began is None

    def _end(self):
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._inner)

    def _run(self):
        while True:
            ready = select.select([self._wake, self._outer, self._inner], [], [])[0]
            if self._wake in ready:
                return
            if self._outer in ready:
                data = os.read(self._outer, 4096)
                for byte in data:
                    self._raw = byte == 1 or (self._raw and byte != 2)
                self._held += data
            if self._inner in ready:
                try:
                    data = os.read(self._inner, 4096)
                except OSError:
                    data = b""
                if data:
                    os.write(self._outer, data)
                    self._heard(data)
                else:
                    self._restart()
            if self._held and self._started():
                with contextlib.suppress(OSError):
                    os.write(self._inner, self._held)
                self._held = b""

    def _heard(self, data):
        if not self._started():
            self._began += data
            if b">>> " in self._began or b"waspada station" in self._began:
                self._began = None

    def _restart(self):
        """The VM has ended: a hard reset when machine.reset() left its mark, else a soft one."""
        self._end()
        world = self.folder / "world"
        world.mkdir(exist_ok=True)
        if (world / "reset").exists():
            (world / "reset").unlink()
            (world / "cause").write_text("2")
            self._raw = False
            os.write(self._outer, b"\r\nrst:0xc (SW_CPU_RESET)\r\n")
        else:
            (world / "cause").write_text("5")
            os.write(self._outer, b"MPY: soft reboot\r\n")
        self._start()
