"""A 4-20 mA level transmitter (a pressure probe in the water) over a shunt on an ADS1115: depth in mm, as a burst.

NAMUR NE 43: from 3.8 to 20.5 mA is a measurement, below 3.6 mA a broken wire or a dead transmitter, above 21 mA a short circuit; between those it is at
the end of its range. Only a measurement enters the burst. A level sensor never raises: a bus that does not answer is counted.

"input" and "range_mv" as in ads1115 (100 Ohm make 2.1 V of 21 mA: 4096), "shunt_mohm", and the depths "at_4ma_mm" and "at_20ma_mm".
"""

from node.core.measurements import MISSING
from node.drivers import ads1115

BROKEN_UA = 3600
LOW_UA = 3800
HIGH_UA = 20500
SHORT_UA = 21000
_SPAN_MOST_MM = 60000  # keeps 16,500 uA times the span in the small ints


class CurrentLoop:
    """Gathers depths into the caller's array, one a look; `count` of them are good in this burst."""

    GIVES = ("depth",)

    def __init__(self, bus, config: dict):
        self._shot = ads1115.OneShot(bus, config.get("address", 0x48))
        self._range_mv = config["range_mv"]
        self._setup = ads1115.setup(config["input"], self._range_mv)
        self._shunt_cohm = config["shunt_mohm"] // 10
        self._zero_mm = config.get("at_4ma_mm", 0)
        self._span_mm = config["at_20ma_mm"] - self._zero_mm
        if not 0 < self._span_mm <= _SPAN_MOST_MM:
            raise ValueError("current_loop: from at_4ma_mm to at_20ma_mm is 1 to %d mm" % _SPAN_MOST_MM)
        if self._shunt_cohm < 100 or convert_ua(self._range_mv * 1000, self._shunt_cohm) < SHORT_UA + 500:
            raise ValueError("current_loop: 21.5 mA over shunt_mohm must stay below range_mv")
        self.blanking_mm = convert_mm(LOW_UA, self._zero_mm, self._span_mm)
        self.range_mm = convert_mm(HIGH_UA, self._zero_mm, self._span_mm)
        self._converting = False
        self.ua = 0  # of the newest conversion
        self.count = 0
        self.frames = 0  # conversions, a measurement or not
        self.bad_checksum = 0  # it has none
        self.no_echo = 0  # at an end of its range, or short circuit
        self.short = 0
        self.broken_wire = 0
        self.no_answer = 0  # of the ADS1115

    def start(self) -> int:
        self.count = 0
        return self._begin()

    def stop(self) -> None:
        self._converting = False

    def _begin(self) -> int:
        self._converting = False
        try:
            wait = self._shot.begin(self._setup, self._range_mv)
        except OSError:
            self.no_answer += 1
            return 100
        self._converting = True
        return wait

    def read_into(self, burst) -> int:
        """Takes the conversion that is ready, begins the next; returns how many depths in mm the burst holds so far."""
        if self._converting:
            try:
                wait = self._shot.look()
            except OSError:
                wait = -1
            if wait > 0:
                return self.count
            if wait < 0:
                self.no_answer += 1
            else:
                self._take(burst)
        self._begin()
        return self.count

    def _take(self, burst) -> None:
        self.frames += 1
        uv = self._shot.uv
        if uv == MISSING:  # past the converter's range
            self.no_echo += 1
            return
        ua = convert_ua(uv, self._shunt_cohm)
        self.ua = ua
        if ua < BROKEN_UA:
            self.broken_wire += 1
        elif ua < LOW_UA or ua > HIGH_UA:
            self.no_echo += 1
            if ua > SHORT_UA:
                self.short += 1
        elif self.count < len(burst):
            burst[self.count] = convert_mm(ua, self._zero_mm, self._span_mm)
            self.count += 1


def convert_ua(uv: int, shunt_cohm: int) -> int:
    """Microamperes of microvolts over hundredths of an Ohm, rounded."""
    return (uv * 100 + (shunt_cohm >> 1)) // shunt_cohm


def convert_mm(ua: int, zero_mm: int, span_mm: int) -> int:
    """Depth of a current: 4 mA is the zero, 16 mA more the whole span."""
    return zero_mm + ((ua - 4000) * span_mm + 8000) // 16000
