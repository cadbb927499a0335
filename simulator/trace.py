"""The trace: what a station said, switched and kept, as canonical JSON lines (docs/wire.md), and their SHA-256.

Lines leave in order of (t, node, n) while the run goes on, so that a long run needs no memory for them.
"""

import hashlib
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted

from simulator.agenda import Moment


class Trace:
    def __init__(self, moment: Moment, write: Callable[[bytes], object] | None = None) -> None:
        self._moment = moment
        self._write = write
        self._sha256 = hashlib.sha256()
        self._pending: list[tuple[str, int, str]] = []  # the lines of `_at`
        self._at = -1
        self._counts: dict[str, int] = {}
        self.lines = 0
        self._open = True

    def publish(self, node: str, topic: str, qos: int, retain: int, payload: bytes) -> None:
        said = quoted(payload.decode("utf-8", "replace"))
        self._line(node, f'"publish","topic":"{topic}","qos":{qos},"retain":{retain},"payload":{said}')

    def output(self, node: str, name: str, on: int) -> None:
        self._line(node, f'"output","name":"{name}","on":{on}')

    def append(self, node: str, file: str, data: bytes) -> None:
        self._line(node, f'"append","file":"{file}","data":"{data.hex()}"')

    def _line(self, node: str, rest: str) -> None:
        if not self._open:
            return
        t = self._moment.t
        if t != self._at:
            self._flush()
            self._at = t
        n = self._counts.get(node, 0)
        self._counts[node] = n + 1
        self._pending.append((node, n, f'{{"t":{t},"node":"{node}","n":{n},"kind":{rest}}}\n'))

    def _flush(self) -> None:
        pending = self._pending
        if not pending:
            return
        if len(pending) > 1:
            pending.sort()
        data = "".join([line[2] for line in pending]).encode("ascii")
        self._sha256.update(data)
        if self._write:
            self._write(data)
        self.lines += len(pending)
        pending.clear()

    def close(self) -> None:
        """What comes later is not part of it."""
        self._flush()
        self._open = False

    def sha256(self) -> str:
        """Of all lines so far."""
        self._flush()
        return self._sha256.hexdigest()
