"""The station's clock: ticks that wrap at 2**30 soon after the start, wall time once it has been synchronised."""

from simulator.agenda import NEVER, Moment

WRAP_MASK = (1 << 30) - 1


class Clock:
    def __init__(self, moment: Moment, ticks_at_zero: int, starts_unix_ms: int) -> None:
        """`ticks_at_zero`: the ticks at virtual time 0; wall time is not known before `synchronise_at` is told."""
        self._moment = moment
        self._ticks_at_zero = ticks_at_zero
        self._starts_unix_ms = starts_unix_ms
        self._sync_ms = NEVER

    def synchronise_at(self, t_ms: int) -> None:
        """An SNTP server answers at this virtual time; until then wall time is not known."""
        self._sync_ms = t_ms

    def ticks_ms(self) -> int:
        return (self._ticks_at_zero + self._moment.t) & WRAP_MASK

    def unix_ms(self) -> int | None:
        t = self._moment.t
        return self._starts_unix_ms + t if t >= self._sync_ms else None
