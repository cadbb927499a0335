"""What time to believe. A time server is asked over plain UDP and may lie; the gateway speaks through TLS, seldom and only to the second.

Everything is kept as an offset: wall milliseconds minus `_mono`, the milliseconds since the first call, counted across wraps. A time is refused outright below
the floor (when the station was commissioned, or the newest time that the gateway vouched for in an earlier boot) and more than 20 years above it. A server's
answer that is a jump against the running clock waits for a second one that agrees; against the gateway it never wins.
"""

from node.core.clock import diff

SNTP = 0
GATEWAY = 1

_JUMP_MS = 5000  # up to so much is drift, and is slewed
_FAR_MS = 600_000  # so far apart, the server and the gateway can't both be right
_SLEW = 8  # one millisecond in 2**8: 0.4 s, six hours of a crystal of 20 ppm, take two minutes
_HINTS_APART_MS = 10_000  # messages that waited in a broker come at once, fresh ones at the pace of the clock
_VOUCHED_MS = 7 * 86_400_000  # the gateway's word outlives a long outage, not a gateway that is gone
_EARLIEST_S = 946_684_800  # 2000
_LATEST_S = 4_102_444_800  # 2100
_YEARS_S = 20 * 31_557_600
AGAIN_MS = 6 * 3600_000  # the longest wait between two requests
_DOUBT_MS = 64_000
_RETRY_MS = 15_000
_RETRY_MOST_MS = 960_000
_BACK_MS = 1000  # ticks that go back by more were set anew


class Timekeeper:
    """Read: `doubts` (times not believed), `doubted_s` (how far off the newest was), `source` (SNTP or GATEWAY)."""

    def __init__(self, commissioned_s=0):
        """`commissioned_s`: seconds since 1970, 0 when the station does not know."""
        self._commissioned_s = commissioned_s
        self._floor_s = commissioned_s
        self._top_s = min(commissioned_s + _YEARS_S, _LATEST_S) if commissioned_s else _LATEST_S
        self._last = -1  # the newest tick
        self._mono = 0
        self._offset = None
        self._slew = 0  # still to be added to the offset
        self._slewed = 0  # at this `_mono`
        self._waits = None  # offset of an answer that wants a second one
        self._hint = None  # offset of the gateway's that wants a second one,
        self._hinted = 0  # since this `_mono`
        self._before = None  # offset before the newest jump that a server alone made
        self._vouched = -1  # the gateway agreed last at this `_mono`,
        self._word = 0  # with this offset of its own
        self._tls = 0  # which of the times TLS is given
        self._loose_ms = 0  # so far may the running clock be off
        self._retry_ms = _RETRY_MS
        self.source = SNTP
        self.doubts = 0
        self.doubted_s = 0

    def _advance(self, now_ms):
        if self._last < 0:
            self._last = now_ms
        gone = diff(now_ms, self._last)
        if gone <= 0:
            if gone < -_BACK_MS:
                self._last = now_ms
            return
        self._last = now_ms
        self._mono += gone
        part = (self._mono - self._slewed) >> _SLEW
        self._slewed += part << _SLEW
        if self._slew and part:
            part = min(part, abs(self._slew))
            if self._slew < 0:
                part = -part
            self._slew -= part
            self._offset += part

    # What the time is

    def unix_ms(self, now_ms):
        """None while it is not known. Called once in six days at least, or the ticks wrap unseen."""
        self._advance(now_ms)
        return None if self._offset is None else self._mono + self._offset

    def tls_unix_s(self, now_ms):
        """What certificates are judged by, 0 when there is nothing: the floor while the time is not known, so that none starts in the future."""
        self._advance(now_ms)
        times = self._tls_times()
        return times[self._tls % len(times)]

    def _tls_times(self):
        times = []
        if self._offset is not None:
            times.append((self._mono + self._offset) // 1000)
            if self.vouched:
                return times
            if self._before is not None:
                times.append((self._mono + self._before) // 1000)
        if self._floor_s or not times:
            times.append(self._floor_s + self._mono // 1000 if self._floor_s else 0)
        return times

    @property
    def vouched(self):
        """Whether the gateway agreed within a week."""
        return 0 <= self._vouched and self._mono - self._vouched <= _VOUCHED_MS

    @property
    def loose(self):
        """The time came over a sleep, and nobody has said since what it is."""
        return self._loose_ms > 0

    @property
    def slewing(self):
        return self._slew != 0

    # What is told

    def floor(self, unix_s):
        """The newest time that an earlier boot was sure of. Only the gateway may go below it."""
        if self._commissioned_s < unix_s <= self._top_s and unix_s >= _EARLIEST_S:
            self._floor_s = unix_s

    def carry(self, now_ms, unix_ms, loose_ms=0):
        """A time brought over a sleep by a clock that went on: believed until somebody says otherwise, up to `loose_ms` without a second one."""
        self._loose_ms = loose_ms
        self._advance(now_ms)
        if self._offset is None and self._may_be(unix_ms, self._floor_s):
            self._offset = unix_ms - self._mono

    def _may_be(self, unix_ms, floor_s):
        return max(floor_s, _EARLIEST_S) <= unix_ms // 1000 <= self._top_s

    def _doubt(self, off_ms):
        self.doubts += 1
        off_s = off_ms // 1000
        self.doubted_s = max(-0x7FFFFFFF, min(0x7FFFFFFF, off_s))

    def answer(self, now_ms, unix_ms):
        """A server's answer, true at `now_ms`. Returns after how many milliseconds to ask again."""
        self._advance(now_ms)
        offset = unix_ms - self._mono
        known = self._offset
        if not self._may_be(unix_ms, self._floor_s):
            self._doubt(offset - known if known is not None else unix_ms - self._floor_s * 1000)
            return self._later()
        if known is None:
            if self._hint is not None and self._hint - offset > _FAR_MS:  # a message can be old, not from the future
                self._doubt(offset - self._hint)
                return self._later()
            self._step(offset)
        elif _JUMP_MS < abs(offset - known) <= self._loose_ms:
            self._step(offset)
        elif abs(offset - known) <= _JUMP_MS:
            self._slew = offset - known
            self._slewed = self._mono
            self._waits = None
            self._loose_ms = 0
        elif self.vouched and abs(offset - known) > _FAR_MS and abs(offset - self._word) > _FAR_MS:
            self._doubt(offset - known)
            self._waits = None
            return self._later()
        elif self._waits is not None and abs(offset - self._waits) <= _JUMP_MS:
            self._step(offset)
            if not self.vouched:
                self._before = known
        else:
            self._waits = offset
            self._doubt(offset - known)
            return _DOUBT_MS
        self.source = SNTP
        self._retry_ms = _RETRY_MS
        return AGAIN_MS

    def unanswered(self, sent_away=False):
        """Nobody answered, or nothing usable; `sent_away`: the server wants to be left alone. Returns after how many milliseconds to ask again."""
        if sent_away:
            self._retry_ms = _RETRY_MOST_MS
        return self._later()

    def _later(self):
        wait = self._retry_ms
        self._retry_ms = min(wait * 2, _RETRY_MOST_MS)
        return wait

    def hint(self, now_ms, unix_s):
        """The gateway's clock, as a message says that was not retained. It may still have waited in the broker: what it contradicts needs two."""
        self._advance(now_ms)
        offset = unix_s * 1000 + 500 - self._mono
        known = self._offset
        if not self._may_be(unix_s * 1000, self._commissioned_s):
            self._doubt(offset - known if known is not None else (unix_s - self._floor_s) * 1000)
            return
        if known is not None and abs(offset - known) <= _FAR_MS:
            self._vouch(offset)
            if self.source == SNTP or abs(offset - known) <= _JUMP_MS:
                self._hint = None
                return
        witness = self._before is not None and abs(offset - self._before) <= _FAR_MS
        if not witness:
            if self._hint is None or abs(offset - self._hint) > _JUMP_MS:
                self._hint = offset
                self._hinted = self._mono
                return
            if self._mono - self._hinted < _HINTS_APART_MS:
                return
        if known is not None and abs(offset - known) > _FAR_MS:
            self._doubt(known - offset)
        self._step(offset)
        self.source = GATEWAY
        self._floor_s = min(self._floor_s, unix_s)
        self._vouch(offset)

    def certificate_refused(self, now_ms):
        """TLS failed by a certificate, perhaps by its dates: a server's lie keeps the gateway away that would correct it.

        Until the gateway vouches, the next handshake is given another of the times that may be: as it was before the server's jump, then the floor, then
        as believed again. The records' time changes only when the gateway, reached so, says so: a certificate can be wrong by itself.
        """
        self._advance(now_ms)
        if self._offset is None:
            return
        times = self._tls_times()
        if len(times) > 1:
            if not self._tls:
                self._doubt((times[0] - times[1]) * 1000)  # counted once
            self._tls += 1

    def _step(self, offset):
        self._offset = offset
        self._loose_ms = 0
        self._slew = 0
        self._slewed = self._mono
        self._waits = None
        self._hint = None
        self._before = None
        self._tls = 0

    def _vouch(self, offset):
        self._vouched = self._mono
        self._word = offset
        self._before = None
        self._tls = 0
