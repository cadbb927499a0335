"""Up to where a stream is kept without a hole. Pure: numbers in, numbers out."""

import json
from collections.abc import Iterator

AHEAD_LIMIT = 512  # ranges beyond the mark that are remembered; more than this is forgotten, and asked for again

Key = tuple[int, int]


class Mark:
    """What is handled (kept, quarantined or declared dropped) of one stream of one life.

    Everything up to (boot, seq) is. `ahead` holds what is handled beyond it, per boot as sorted ranges that do not touch. `prev` says for a boot whose
    first record is handled which record came before it; None when nobody can say any more (it was dropped, or could not be read).
    """

    __slots__ = ("ahead", "boot", "forgot", "prev", "seq")

    def __init__(self, boot: int = 0, seq: int = 0, image: str | None = None) -> None:
        self.boot = boot
        self.seq = seq
        self.ahead: dict[int, list[list[int]]] = {}
        self.prev: dict[int, Key | None] = {}
        self.forgot = False
        if image:
            kept = json.loads(image)
            self.ahead = {int(boot): ranges for boot, ranges in kept["ahead"].items()}
            self.prev = {int(boot): (tuple(key) if key else None) for boot, key in kept["prev"].items()}
            self.forgot = kept["forgot"]

    def image(self) -> str | None:
        """What is beyond the mark, to be kept beside it; None is the usual case."""
        if not (self.ahead or self.prev or self.forgot):
            return None
        return json.dumps({"ahead": self.ahead, "prev": self.prev, "forgot": self.forgot}, separators=(",", ":"))

    def may_have(self, boot: int, seq: int) -> bool:
        """False is certain: this key was never handled. True asks the database."""
        if self.forgot or (boot, seq) <= (self.boot, self.seq):
            return True
        return any(first <= seq <= last for first, last in self.ahead.get(boot, ()))

    def add(self, boot: int, first: int, last: int, prev: Key | None = None) -> None:
        """first..last of a boot are handled; `prev` comes from the record with seq 1."""
        if boot > self.boot and first == 1 and (prev is not None or boot not in self.prev):
            if len(self.prev) >= AHEAD_LIMIT and boot not in self.prev:
                self.forgot = True
                return
            self.prev[boot] = prev
        if (boot, last) > (self.boot, self.seq):
            self._insert(boot, first, last)
        self._advance()

    def _insert(self, boot: int, first: int, last: int) -> None:
        ranges = self.ahead.get(boot, [])
        before = [r for r in ranges if r[1] < first - 1]
        after = [r for r in ranges if r[0] > last + 1]
        touched = ranges[len(before) : len(ranges) - len(after)]
        if touched:
            first = min(first, touched[0][0])
            last = max(last, touched[-1][1])
        elif (
            sum(map(len, self.ahead.values())) >= AHEAD_LIMIT
            and not (boot == self.boot and first <= self.seq + 1)
            and first > 1
        ):
            self.forgot = True
            return
        self.ahead[boot] = [*before, [first, last], *after]

    def _advance(self) -> None:
        while True:
            ranges = self.ahead.get(self.boot)
            if ranges and ranges[0][0] <= self.seq + 1:
                self.seq = max(self.seq, ranges.pop(0)[1])
                if not ranges:
                    del self.ahead[self.boot]
                continue
            boot = self._next_boot()
            if not boot:
                return
            self.boot, self.seq = boot, 0
            self.ahead = {b: ranges for b, ranges in self.ahead.items() if b >= boot}
            self.prev = {b: key for b, key in self.prev.items() if b > boot}

    def _next_boot(self) -> int:
        """The boot that continues the mark, or 0.

        One of two things is true of it: its first record names a record that is handled; or nobody can say which came before it, and
        no hole is known before it (a node drops oldest first, so what it has dropped the first record of has nothing older left).
        """
        for boot in sorted(self.prev):
            key = self.prev[boot]
            if key is not None and key <= (self.boot, self.seq):
                return boot
            if key is None and min(self.ahead, default=boot) >= boot:
                return boot
        return 0

    def gaps(self) -> Iterator[tuple[int, int, int]]:
        """(boot, first, last) that are known to exist and are not handled, oldest first."""
        known = {boot: ranges[-1][1] for boot, ranges in self.ahead.items()}
        for key in self.prev.values():
            if key is not None and key > (self.boot, self.seq):
                known[key[0]] = max(known.get(key[0], 0), key[1])
        for boot in sorted(known):
            at = self.seq + 1 if boot == self.boot else 1
            for first, last in self.ahead.get(boot, ()):
                if first > at:
                    yield boot, at, first - 1
                at = last + 1
            if known[boot] >= at:
                yield boot, at, known[boot]
