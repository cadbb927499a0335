"""A tipping-bucket rain gauge: a reed contact that closes each time the bucket tips.

What has not filled the bucket is not seen: up to one tip is always still to come, so a single tip's rate says little over a minute and much over an hour.
"""

from node.core.clock import diff
from node.core.measurements import MISSING, OUT_OF_RANGE
from node.core.tips import since

_NM = 1000  # in a thousandth of a mm
_RATE = 36000  # thousandths of a mm per ms, in tenths of a mm per hour
_MOST_UM = 1000000  # the table's bound on one record


class TippingBucket:
    """`rain` since the last read and its rate over that time. `config["tip_nm"]` is what one tip holds, in millionths of a mm: 200000, or 279400
    for 0.2794 mm."""

    GIVES = ("rain", "rain_rate")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._tip_nm = config["tip_nm"]
        self._count = bus.count()
        self._read_at = bus.counted_ms
        self._rest_nm = 0  # below a thousandth of a mm, carried so that sums are exact

    def start(self) -> int:
        return 0

    def read_into(self, values) -> int:
        count = self._bus.count()
        now = self._bus.counted_ms
        nm = since(count, self._count) * self._tip_nm + self._rest_nm
        gone_ms = diff(now, self._read_at)
        self._count = count
        self._read_at = now
        self._rest_nm = nm % _NM
        um = nm // _NM
        if um > _MOST_UM:
            return -OUT_OF_RANGE  # a metre of rain: the contact chatters
        values[0] = um
        values[1] = convert_rate(um, gone_ms)
        return 0


def convert_rate(um: int, gone_ms: int) -> int:
    """Tenths of a mm per hour, of so many thousandths of a mm in so many milliseconds."""
    if gone_ms <= 0:
        return MISSING
    rate = (um * _RATE + gone_ms // 2) // gone_ms
    return rate if rate <= _MOST_UM else MISSING
