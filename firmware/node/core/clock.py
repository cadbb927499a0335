"""Milliseconds that wrap at 2**30, and how long a station has been up.

A chip's small ints end at 2**30 - 1 and its tick counter wraps there, after 12.4 days. Whatever the core compares, it compares with `diff`.
"""

WRAP = 1 << 30
_HALF = 1 << 29
_MASK = WRAP - 1


def diff(later, earlier):
    """Milliseconds from `earlier` to `later`, within half a wrap (6.2 days); negative when `later` came first.

    No step leaves the small ints, as the sum under a mask would: next to the wrap it would allocate.
    """
    gone = later - earlier
    if gone >= _HALF:
        return gone - _HALF - _HALF
    if gone < -_HALF:
        return gone + _HALF + _HALF
    return gone


def add(now_ms, ms):
    """The tick `ms` milliseconds (0 or more) after `now_ms`."""
    left = ms - (_MASK - now_ms)
    return left - 1 if left > 0 else now_ms + ms


class Uptime:
    """Seconds and milliseconds since the first step, counted across wraps: `seconds`, `ms` (0 to 999)."""

    def __init__(self):
        self.seconds = 0
        self.ms = 0
        self._last = -1

    def advance(self, now_ms):
        if self._last < 0:
            self._last = now_ms
        gone = diff(now_ms, self._last)
        if gone <= 0:
            return
        self._last = now_ms
        gone += self.ms
        self.seconds += gone // 1000
        self.ms = gone % 1000
