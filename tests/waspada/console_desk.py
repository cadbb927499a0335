"""A station at the other end of a cable: the real App on fake ports, its time turned by a thread, behind a socket (`socket://`) or a pseudo-terminal."""

import contextlib
import io
import json
import os
import select
import sys
import time
from types import SimpleNamespace

from node.core import pin as kept_pin
from tests.core.station_desk import Desk
from tests.in_a_thread import Served
from waspada import cli

PIN = "428716"
STEP_MS = 20  # of the station's time, in each turn


class Cable(Served):
    """`port` is what to open; use as a context. `spoil(data)` changes what the station says on its way; `cut_after` pulls the cable after so many bytes."""

    def __init__(self, pin=None, spoil=None, cut_after=None, silent=0, greeting=b"", before=lambda desk: None, **desk):
        super().__init__()
        self.desk = Desk(**desk)
        if pin:
            self.desk.storage.files["pin"] = bytearray(kept_pin.encode(pin, b"0123456789abcdef", 20))
        before(self.desk)
        self.heard = b""
        self.step_ms = STEP_MS
        self.said = 0
        self.cut_after = cut_after
        self._spoil = spoil or (lambda data: data)
        self._silent = silent  # so many bytes are slept through
        self._greeting = greeting

    def until(self, true):
        """Waits for what the station comes to by itself."""
        deadline = time.monotonic() + 60
        while not true(self.desk):
            assert time.monotonic() < deadline, "it did not come true"
            self._stop.wait(0.01)

    def _serve(self, connection):
        while not self._stop.is_set():
            if select.select([connection], [], [], 0.001)[0]:
                data = connection.recv(4096)
                if not data:
                    return
                if not self.heard:
                    connection.sendall(self._greeting)
                self.heard += data
                slept, self._silent = min(len(data), self._silent), max(0, self._silent - len(data))
                self.desk.console.typed += data[slept:]
            self.desk.run(self.step_ms)
            said = bytes(self.desk.console.said)
            self.desk.console.said.clear()
            if said:
                self.said += len(said)
                if self.cut_after is not None and self.said > self.cut_after:
                    connection.sendall(said[: len(said) // 2])
                    self.cut_after = None
                    return
                connection.sendall(self._spoil(said))


class Peer(Served):
    """Something at a port that is no station: `answer(heard)` is what it says."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer

    def _serve(self, connection):
        connection.settimeout(0.01)
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                data = connection.recv(4096)
                if not data:
                    return
                connection.sendall(self._answer(data))


def console(*words, stdin="", environment=None, monkeypatch=None):
    """`waspada console` in this process: code, out, err, and the JSON object of the last line."""
    out, err = io.StringIO(), io.StringIO()
    before = dict(os.environ)
    os.environ.update(environment or {})
    keyboard = sys.stdin
    sys.stdin = io.StringIO(stdin)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(["console", *map(str, words)])
    finally:
        sys.stdin = keyboard
        os.environ.clear()
        os.environ.update(before)
    last = out.getvalue().splitlines()[-1:] if "--json" in words else []
    return SimpleNamespace(
        code=code, out=out.getvalue(), err=err.getvalue(), json=json.loads(last[0]) if last else None
    )
