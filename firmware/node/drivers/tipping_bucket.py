"""A tipping-bucket rain gauge: a reed contact that closes each time the bucket tips.

What has not filled the bucket is not seen: up to one tip is always still to come, so a single tip's rate says little over a minute and much over an hour.
The rate is therefore taken over five minutes or more, however often it is read: a tip of 0.2 mm is then 2.4 mm/h, over 15 s it would be 48 and an alarm.
"""

from array import array

from node.core.clock import diff
from node.core.measurements import MISSING, OUT_OF_RANGE
from node.core.tips import since

_NM = 1000  # in a thousandth of a mm
_RATE = 36000  # thousandths of a mm per ms, in tenths of a mm per hour
_OVER_MS = 270000  # the newest mark this old begins the rate: five minutes, and reads that come a little early
_APART_MS = 30000
_MARKS = 10
_MOST_UM = 1000000  # the table's bound on one record


class TippingBucket:
    """`rain` since the last read, and its rate over five minutes or since the last read, whichever is longer.

    `config["tip_nm"]` is what one tip holds, in millionths of a mm: 200000, or 279400 for 0.2794 mm.
    """

    GIVES = ("rain", "rain_rate")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._tip_nm = config["tip_nm"]
        self._count = bus.count()
        self._read_at = bus.counted_ms
        self._rest_nm = 0  # below a thousandth of a mm, carried so that sums are exact
        self._marks_um = array("i", (0 for _ in range(_MARKS)))  # fallen since each mark, the newest first
        self._marks_at = array("i", (0 for _ in range(_MARKS)))
        self._marks_at[0] = self._read_at
        self._marks = 1

    def start(self) -> int:
        return 0

    def read_into(self, values) -> int:
        count = self._bus.count()
        now = self._bus.counted_ms
        nm = since(count, self._count) * self._tip_nm + self._rest_nm
        self._count = count
        self._read_at = now
        self._rest_nm = nm % _NM
        um = nm // _NM
        if um > _MOST_UM:
            self._marks = 1  # a metre of rain: the contact chatters, and no rate reaches back before it
            self._marks_um[0] = 0
            self._marks_at[0] = now
            return -OUT_OF_RANGE
        values[0] = um
        values[1] = self._rate(um, now)
        return 0

    def _rate(self, um, now):
        """Over the time since the newest mark that is old enough, or since the oldest there is."""
        fallen, at = self._marks_um, self._marks_at
        for i in range(self._marks):
            fallen[i] += um
        i = 0
        while i < self._marks - 1 and diff(now, at[i]) < _OVER_MS:
            i += 1
        rate = convert_rate(fallen[i], diff(now, at[i]))
        if diff(now, at[0]) >= _APART_MS:
            if self._marks < _MARKS:
                self._marks += 1
            for i in range(self._marks - 1, 0, -1):
                fallen[i] = fallen[i - 1]
                at[i] = at[i - 1]
            fallen[0] = 0
            at[0] = now
        return rate


def convert_rate(um: int, gone_ms: int) -> int:
    """Tenths of a mm per hour, of so many thousandths of a mm in so many milliseconds."""
    if gone_ms <= 0:
        return MISSING
    rate = (um * _RATE + gone_ms // 2) // gone_ms
    return rate if rate <= _MOST_UM else MISSING
