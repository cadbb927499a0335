"""A simulated Plantower PMS5003: what its TX pin sends, and what it does when it is told to sleep.

From the maker's manual (PMS5003 series data manual, V2.3 of 2016, appendices I and II): 9600 8N1, a frame of 32 bytes every 2.3 s in steady air; sleep, wake
and passive mode by commands of 7 bytes. It takes 30 s to become right after waking: here it tells a share of the truth that grows until
then, and a frame of nothing but zeros at first (as PyPMS meets it). Assumed, to be checked on a sensor: the first frame 1 s after waking.
"""

import struct
from collections.abc import Callable

from simulator import noise
from simulator.chips.line import LineFaults

FIRST_MS = 1000
FRAME_MS = 2300
WARM_UP_MS = 30_000
_EMPTY_MS = 3000
_VERSION = 0x9700
_ASLEEP, _PASSIVE, _ACTIVE = range(3)


def framed(words: tuple[int, ...]) -> bytes:
    """BM, the length, the words, the sum of them all."""
    data = struct.pack(f">2sH{len(words)}H", b"BM", 2 * len(words) + 2, *words)
    return data + struct.pack(">H", sum(data))


class PMS5003:
    def __init__(
        self,
        seed: int,
        node: str,
        mass: Callable[[int], tuple[int, int, int]],
        faults: LineFaults | None = None,
    ) -> None:
        """`mass(t_ms)` is the truth: PM1, PM2.5, PM10 in whole ug/m3."""
        self._mass = mass
        self._faults = faults or LineFaults()
        self._key = noise.key(seed, node, "pms5003")
        self._heard: list[tuple[int, bytes]] = []
        self._since = -1
        self._state = _ACTIVE
        self._woke_ms = 0

    @property
    def running(self) -> bool:
        """Fan and laser are on."""
        return self._state != _ASLEEP

    def hear(self, t_ms: int, data: bytes) -> None:
        self._heard.append((t_ms, data))

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        """Appends what ended in (after_ms, now_ms], until `fifo` holds `room` bytes or a frame more."""
        at = after_ms + 1
        for until in [*self._turns(at, now_ms), now_ms + 1]:
            self._become(at, powered_ms)
            if self._since >= 0 and self._state == _ACTIVE:
                first = self._woke_ms + FIRST_MS
                due = first if at <= first else at + (first - at) % FRAME_MS
                for t in range(due, until, FRAME_MS):
                    if len(fifo) >= room:
                        break
                    fifo += self.frame(t)
            at = until

    def _turns(self, after_ms: int, now_ms: int) -> list[int]:
        """When it is plugged in or out or told something; between, its frames come evenly."""
        turns = {t + 1 for t, _ in self._heard} | {t for span in self._faults.unplugged_ms for t in span}
        return sorted(t for t in turns if after_ms < t <= now_ms)

    def _become(self, t_ms: int, powered_ms: int) -> None:
        """What it is at this time, of its power and of what it was told."""
        since = self._faults.powered_since(t_ms, powered_ms)
        if since != self._since:
            self._since = self._woke_ms = since
            self._state = _ACTIVE
        while self._heard and self._heard[0][0] < t_ms:
            heard_ms, data = self._heard.pop(0)
            if 0 <= since <= heard_ms:
                self._obey(heard_ms, data)

    def frame(self, t_ms: int) -> bytes:
        """The frame that ends at `t_ms`."""
        age = t_ms - self._woke_ms
        if self._faults.wrong_chip:  # a PMS3003 counts no particles
            frame = framed((*self._mass(t_ms), *self._mass(t_ms), 0, 0, 0))
        elif age < _EMPTY_MS:
            frame = framed((0,) * 13)
        else:
            told = tuple(min(micrograms * age // WARM_UP_MS, micrograms) for micrograms in self._mass(t_ms))
            counts = (210, 70, 45, 30, 0, 0)
            frame = framed((*told, *told, *counts, _VERSION))
        return self._faults.strike(frame, self._key, t_ms)

    def _obey(self, t_ms: int, data: bytes) -> None:
        if len(data) != 7 or data[:2] != b"BM" or sum(data[:5]) != data[5] << 8 | data[6]:
            return
        command, value = data[2], data[4]
        if command == 0xE4:
            if value and self._state == _ASLEEP:
                self._woke_ms = t_ms
            if not value:
                self._state = _ASLEEP
            elif self._state == _ASLEEP:
                self._state = _ACTIVE
        elif command == 0xE1 and self._state != _ASLEEP:
            self._state = _ACTIVE if value else _PASSIVE
