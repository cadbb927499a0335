"""The station's clock: ticks that wrap at 2**30 soon after the start, wall time as `node.core.timekeeper` believes a simulated time server and the gateway."""

from collections.abc import Sequence

from node.core.timekeeper import AGAIN_MS, Timekeeper
from simulator.agenda import NEVER, Moment

WRAP_MASK = (1 << 30) - 1

Span = tuple[int, int]  # from, until, in virtual milliseconds
_HINTS_KEPT = 16


class Clock:
    """Without faults a server answers at `synchronise_at` and every six hours, with the perfect time.

    What changes the time takes effect at the next virtual millisecond at the earliest, and is a function of virtual time alone however often it is asked
    for: both runtimes see the same.
    """

    def __init__(
        self,
        moment: Moment,
        ticks_at_zero: int,
        starts_unix_ms: int,
        *,
        commissioned_s: int = 0,
        drift_ppm: int = 0,
        lies: Sequence[tuple[int, int, int]] = (),
        silent_ms: Sequence[Span] = (),
        steps: Sequence[Span] = (),
    ) -> None:
        """`ticks_at_zero`: the ticks at virtual time 0; wall time is not known before `synchronise_at` is told.

        `commissioned_s`: the floor, seconds since 1970, 0 for none. `drift_ppm`: how much faster the station's crystal is than virtual time; only wall
        time drifts, the ticks of the steps are the agenda's. `lies`: (from, until, seconds) of spans in which the server's time is so far off.
        `silent_ms`: (from, until) of spans in which no server answers. `steps`: (at, ms): the station's own running clock jumps by so much then.
        """
        self._moment = moment
        self._ticks_at_zero = ticks_at_zero
        self._starts_unix_ms = starts_unix_ms
        self._commissioned_s = commissioned_s
        self._drift_ppm = drift_ppm
        self._lies = tuple(lies)
        self._silent_ms = tuple(silent_ms)
        self._steps = tuple(sorted(steps))
        self._keeper = Timekeeper(commissioned_s)
        self._ask_ms = NEVER
        self._said: list[tuple[int, int]] = []  # hints that have not taken effect: (virtual time, seconds since 1970)
        self._to_step = [at for at, _ in self._steps]  # jumps that the keeper has not seen
        self._perfect = not (drift_ppm or self._steps)
        self._line: int | None = None  # wall time less virtual time, while nothing bends it

    def synchronise_at(self, t_ms: int) -> None:
        """The station boots: it knows no time, and asks a server at this virtual time."""
        self._keeper = Timekeeper(self._commissioned_s)
        self._ask_ms = t_ms
        self._said.clear()
        self._line = None

    def ask_at(self, t_ms: int) -> None:
        """There is a network: a server answers at this virtual time."""
        self._ask_ms = t_ms

    def ticks_ms(self) -> int:
        return (self._ticks_at_zero + self._moment.t) & WRAP_MASK

    def unix_ms(self) -> int | None:
        t = self._moment.t
        if self._line is not None and t < self._ask_ms and not self._said:
            return self._line + t
        return self._keep(t).unix_ms(self._tick(t))

    def tls_unix_s(self) -> int:
        """What TLS judges certificates by; 0 when there is nothing to go by."""
        t = self._moment.t
        return int(self._keep(t).tls_unix_s(self._tick(t)))

    def doubts(self) -> int:
        return int(self._keep(self._moment.t).doubts)

    @property
    def doubted_s(self) -> int:
        return int(self._keep(self._moment.t).doubted_s)

    @property
    def source(self) -> int:
        return int(self._keep(self._moment.t).source)

    @property
    def vouched(self) -> bool:
        return bool(self._keep(self._moment.t).vouched)

    @property
    def loose(self) -> bool:
        return bool(self._keep(self._moment.t).loose)

    def hint(self, unix_s: int) -> None:
        if len(self._said) < _HINTS_KEPT:
            self._said.append((self._moment.t, unix_s))

    def floor(self, unix_s: int) -> None:
        self._keeper.floor(unix_s)

    def carry(self, unix_ms: int, loose_ms: int = 0) -> None:
        t = self._moment.t
        self._keep(t).carry(self._tick(t), unix_ms, loose_ms)

    def certificate_refused(self) -> None:
        t = self._moment.t
        self._keep(t).certificate_refused(self._tick(t))

    def _tick(self, t: int) -> int:
        """The tick of the station's own crystal."""
        local = (
            t if self._perfect else t + t * self._drift_ppm // 1_000_000 + sum(ms for at, ms in self._steps if at <= t)
        )
        return (self._ticks_at_zero + local) & WRAP_MASK

    def _keep(self, t: int) -> Timekeeper:
        """The keeper as it is at `t`: what came before is taken in, in its order."""
        keeper = self._keeper
        while True:
            hinted = self._said[0][0] if self._said else NEVER
            stepped = self._to_step[0] if self._to_step else NEVER
            if stepped <= t and stepped <= self._ask_ms and stepped <= hinted:
                self._to_step.pop(0)
                for at in (
                    stepped - 1,
                    stepped,
                ):  # else it would depend on who asked last before the jump, and first after it
                    keeper.unix_ms(self._tick(at))
            elif self._ask_ms <= t and self._ask_ms <= hinted:
                self._ask(keeper)
            elif hinted < t:
                at, unix_s = self._said.pop(0)
                keeper.hint(self._tick(at), unix_s)
            else:
                break
        now = keeper.unix_ms(self._tick(t))
        self._line = now - t if self._perfect and now is not None and not keeper.slewing else None
        return keeper

    def _ask(self, keeper: Timekeeper) -> None:
        t = self._ask_ms
        now = self._tick(t)
        if any(begin <= t < end for begin, end in self._silent_ms):
            self._ask_ms = t + keeper.unanswered()
        else:
            off_s = sum(seconds for begin, end, seconds in self._lies if begin <= t < end)
            self._ask_ms = t + keeper.answer(now, self._starts_unix_ms + t + off_s * 1000)
        assert t < self._ask_ms <= t + AGAIN_MS
