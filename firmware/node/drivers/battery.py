"""Battery voltage through a divider on an ADC pin."""

from node.core.measurements import FLAG_FAIL, FLAG_PASS

_LOW_MV = 8000
_HIGH_MV = 16000


class Battery:
    """`ratio_milli` is battery over pin in thousandths: 47 kOhm above 10 kOhm is 5700."""

    def __init__(self, bus, ratio_milli: int):
        self._bus = bus
        self._ratio_milli = ratio_milli

    def read_mv(self) -> int:
        # 3,300,000 uV * 5700 would leave the small ints (2**30) and allocate; 100 uV is finer than the ADC.
        return self._bus.read_uv() // 100 * self._ratio_milli // 10000

    def flag(self, mv: int) -> int:
        """QARTOD gross range: outside 8 to 16 V a 12 V battery is read wrongly."""
        return FLAG_PASS if _LOW_MV <= mv <= _HIGH_MV else FLAG_FAIL
