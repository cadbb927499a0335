"""MaxBotix HRXL-MaxSonar-WR ultrasonic ranger: UART 9600 8N1, sends `R1234` and a carriage return by itself about 6 times a second.

R and four digits are mm (five on the models that see beyond 10 m). The models that speak in cm (`R123`) or in inches are not supported: their lines are
refused. Unprotected: there is no checksum, so a digit struck on the wire can become another digit. What stands against it is the line's form, the
sensor's range and the median of the burst.

It sees from `blanking_mm` (300, or 500 of the 10 m models) to `range_mm` (5000, or 9999), which its row in station.json says. Anything nearer is told as
the blanking distance and counts: one that drowns tells the highest level it can, and warns. Nothing in sight is told as the largest range or one less
(R5000, R4999). After power, from 65 to 160 ms, it says its name, part number and firmware in lines of text. From time to time a byte FF stands between
its lines (known to users of ESPHome): it ends the line it strikes.
"""

_WARM_UP_MS = 160
_FRAME_MS = 170
_FRAMES = 5
_ROOM = 64
_ROUNDS = 16  # 1 KB in one look: a bus that never runs dry does not hold the loop
_IDLE = -1  # no R yet


class MaxBotix:
    """Gathers ranges into the caller's array; `count` of them are good in this burst."""

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._buffer = bytearray(_ROOM)
        self._digits = _IDLE
        self._mm = 0
        self.range_mm = config.get("range_mm", 5000)
        self.blanking_mm = config.get("blanking_mm", 300 if self.range_mm <= 5000 else 500)
        self.count = 0
        self.frames = 0  # of the right form, echo or not
        self.bad_checksum = 0  # it has none: lines that began as a range and are none, and bytes that are no text
        self.no_echo = 0

    def start(self) -> int:
        """Powers the sensor; milliseconds until the first look."""
        self._digits = _IDLE
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
            arrived = bus.read_into(buffer)
            for i in range(arrived):
                self._take(buffer[i], burst)
        return self.count

    def _take(self, byte: int, burst) -> None:
        digits = self._digits
        if 0x30 <= byte <= 0x39 and digits != _IDLE and digits < 5:
            self._mm = self._mm * 10 + byte - 0x30
            self._digits = digits + 1
            return
        self._digits = _IDLE
        if byte == 0x0D and digits >= 4:
            self.frames += 1
            self._judge(burst)
            return
        if digits > 0 or byte >= 0x7F or byte < 0x20 and byte != 0x0D and byte != 0x0A:
            self.bad_checksum += 1
        if byte == 0x52:
            self._digits = 0
            self._mm = 0

    def _judge(self, burst) -> None:
        mm = self._mm
        if not self.blanking_mm <= mm < self.range_mm - 1:
            self.no_echo += 1
        elif self.count < len(burst):
            burst[self.count] = mm
            self.count += 1
