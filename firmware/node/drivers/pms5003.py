"""Plantower PMS5003 particle counter: UART 9600 8N1, sends a frame by itself every 0.2 to 0.8 s, every 2.3 s in steady air.

A frame is BM, length 28 in two bytes, 13 words, and the sum of all bytes before it as a word, high bytes first; words 4 to 6 are PM1, PM2.5 and
PM10 in ug/m3 under atmospheric conditions. Other Plantowers have other lengths and are refused. It has no chip id.
Air is good 30 s after power or waking (manual, "Attentions"): until then the driver asks to be looked at again. A frame of nothing but zeros
says that it is not ready. `stop()` puts laser and fan to sleep, and the next start wakes them.
"""

from node.core.measurements import BAD_CHECKSUM, NO_ANSWER, REASONS
from node.drivers import roles

_WAKE = b"\x42\x4d\xe4\x00\x01\x01\x74"
_SLEEP = b"\x42\x4d\xe4\x00\x00\x01\x73"
_ACTIVE = b"\x42\x4d\xe1\x00\x01\x01\x71"
_WARMING_UP = REASONS.index("warming_up")
_LOOK_MS = 2500
_WARM_UP_MS = 30000 + _LOOK_MS  # what a look finds may be as old as the look before
_SILENT_LOOKS = 2
_FRAME = 32
_CARRY = _FRAME - 1
_ROOM = 64
_ROUNDS = 16


class PMS5003:
    GIVES = ("pm1", "pm2_5", "pm10")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self.GIVES = roles.keys(config, self.GIVES)
        self._buffer = bytearray(_CARRY + _ROOM)
        self._input = memoryview(self._buffer)[_CARRY:]
        self._carried = 0
        self._newest = bytearray(_FRAME)
        self._warming_ms = _WARM_UP_MS  # still to go
        self._told = False  # that it is to speak by itself
        self._silent = 0
        self._bad = False  # in this measurement
        self.frames = 0
        self.bad_checksum = 0

    def start(self) -> int:
        self._bus.open()
        self._carried = 0
        self._silent = 0
        self._bad = False
        if self._warming_ms == _WARM_UP_MS:
            self._told = False
            self._bus.write(_WAKE)
        return _LOOK_MS

    def stop(self) -> None:
        """Asleep: the laser lasts for years of hours awake."""
        self._bus.write(_SLEEP)
        self._warming_ms = _WARM_UP_MS
        self._bus.close()

    def read_into(self, values) -> int:
        if not self._told:
            self._told = True
            self._bus.write(_ACTIVE)
        if not self._receive():
            self._silent += 1
            if self._silent < _SILENT_LOOKS:
                return _LOOK_MS
            self._warming_ms = _WARM_UP_MS  # whoever answers next has just been plugged in
            return -BAD_CHECKSUM if self._bad else -NO_ANSWER
        self._silent = 0
        if self._warming_ms > 0:
            self._warming_ms -= _LOOK_MS
            if self._warming_ms > 0:
                return _LOOK_MS
        frame = self._newest
        if not any(memoryview(frame)[4:30]):
            return -_WARMING_UP
        for i in range(3):
            values[i] = convert_mass(frame[10 + 2 * i] << 8 | frame[11 + 2 * i])
        return 0

    def _receive(self) -> int:
        """Good frames among what waits; the newest is kept."""
        buffer = self._buffer
        before = self.frames
        arrived = _ROOM
        rounds = 0
        while arrived == _ROOM and rounds < _ROUNDS:
            rounds += 1
            arrived = self._bus.read_into(self._input)
            i = _CARRY - self._carried
            end = _CARRY + arrived
            while end - i >= _FRAME:
                if buffer[i] != 0x42 or buffer[i + 1] != 0x4D or buffer[i + 2] or buffer[i + 3] != _FRAME - 4:
                    i += 1
                elif not intact(buffer, i):
                    self.bad_checksum += 1
                    self._bad = True
                    i += 1  # the true frame may begin inside this one
                else:
                    self.frames += 1
                    for k in range(_FRAME):
                        self._newest[k] = buffer[i + k]
                    i += _FRAME
            self._carried = end - i
            to = _CARRY - self._carried
            for k in range(i, end):
                buffer[to] = buffer[k]
                to += 1
        return self.frames - before


def intact(buffer, begin: int) -> bool:
    """The sum of a frame's first 30 bytes is its last word."""
    total = 0
    for i in range(begin, begin + _FRAME - 2):
        total += buffer[i]
    return total == buffer[begin + _FRAME - 2] << 8 | buffer[begin + _FRAME - 1]


def convert_mass(micrograms: int) -> int:
    """0.1 ug/m3."""
    return 10 * micrograms
