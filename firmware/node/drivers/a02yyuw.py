"""DFRobot A02YYUW ultrasonic ranger: UART 9600 8N1, sends a frame by itself about every 100 ms.

A frame is FF H L SUM; SUM is the low byte of FF + H + L, H and L the distance in mm: FF 07 A1 A7 is 1953 mm.
It is blind below 30 mm and sees to 4500 mm.

Assumed from memory of the maker's datasheets, to be checked on a sensor: nothing in sight is told by a number outside
30..4500 (0 among them) or by the codes FFFD (no echo) and FFFE (another ranger's echo) of its sister DYP-A02.
"""

BLANKING_MM = 30
RANGE_MM = 4500
_WARM_UP_MS = 300
_FRAME_MS = 100
_FRAMES = 5
_CARRY = 3  # a frame less its last byte: the most that one call leaves to the next
_ROOM = 64
_ROUNDS = 16  # 1 KB in one look, a second of line at 9600 baud: a bus that never runs dry does not hold the loop


class A02YYUW:
    """Gathers ranges into the caller's array; `count` of them are good in this burst."""

    def __init__(self, bus, config=None):
        self._bus = bus
        self.blanking_mm = BLANKING_MM
        self.range_mm = RANGE_MM
        self._buffer = bytearray(_CARRY + _ROOM)
        self._input = memoryview(self._buffer)[_CARRY:]  # what the last look left over stands just before it
        self._carried = 0
        self.count = 0
        self.frames = 0  # with a right checksum, echo or not
        self.bad_checksum = 0
        self.no_echo = 0

    def start(self) -> int:
        """Powers the sensor; milliseconds until the first look."""
        self._carried = 0
        self.count = 0
        self._bus.open()
        return _WARM_UP_MS + _FRAMES * _FRAME_MS

    def stop(self) -> None:
        self._bus.close()

    def read_into(self, burst) -> int:
        """Parses what waits on the bus, appends ranges in mm to `burst`, returns how many the burst holds so far."""
        buffer = self._buffer
        bus = self._bus
        arrived = _ROOM
        rounds = 0
        while arrived == _ROOM and rounds < _ROUNDS:
            rounds += 1
            arrived = bus.read_into(self._input)
            if not arrived:
                break
            i = _CARRY - self._carried
            end = _CARRY + arrived
            while end - i > 3:
                if buffer[i] != 0xFF:
                    i += 1
                    continue
                high = buffer[i + 1]
                low = buffer[i + 2]
                if (0xFF + high + low) & 0xFF != buffer[i + 3]:
                    self.bad_checksum += 1
                    i += 1  # the true frame may begin inside this one
                    continue
                mm = high << 8 | low
                if BLANKING_MM <= mm <= RANGE_MM:
                    if self.count < len(burst):
                        burst[self.count] = mm
                        self.count += 1
                elif mm < 0x2000 or mm >= 0xFFFD:
                    self.no_echo += 1
                else:
                    # No number of this sensor: read out of step, 511 mm (FF 01 FF FF) looks like FF FF 01 FF for ever.
                    self.bad_checksum += 1
                    i += 1
                    continue
                self.frames += 1
                i += 4
            left = end - i
            self._carried = left
            to = _CARRY - left
            while i < end:
                buffer[to] = buffer[i]
                to += 1
                i += 1
        return self.count
