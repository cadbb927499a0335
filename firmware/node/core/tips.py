"""Edges of a contact that bounces, counted once each: a rain gauge's bucket, an anemometer's reed, a meter's pulse."""

from node.core.clock import WRAP, diff

_TOP = WRAP - 1


class Tips:
    """`edge` may be called from an interrupt: it allocates nothing. `count` goes up by one per accepted edge and wraps at 2**30.

    An edge less than `debounce_ms` after the last accepted one is bounce. Ticks wrap too: after a silence of k times 12.4 days, to within `debounce_ms`,
    one edge is taken for bounce; that is one in ten million.
    """

    def __init__(self, debounce_ms):
        self.count = 0
        self._debounce_ms = debounce_ms
        self._last = -1

    def edge(self, now_ms):
        if self._last >= 0 and 0 <= diff(now_ms, self._last) < self._debounce_ms:
            return
        self._last = now_ms
        # Not (count + 1) & mask: 2**30 is no small int, and an interrupt must not allocate.
        self.count = 0 if self.count == _TOP else self.count + 1


def since(count, before):
    """Edges from the count `before` to `count`, over a wrap."""
    gone = count - before
    return gone if gone >= 0 else gone + _TOP + 1
