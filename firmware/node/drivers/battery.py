"""Battery voltage through a divider on an ADC pin."""


class Battery:
    """`ratio_milli` is battery over pin in thousandths: 47 kOhm above 10 kOhm is 5700."""

    def __init__(self, bus, ratio_milli: int):
        self._bus = bus
        self._ratio_milli = ratio_milli

    def read_mv(self) -> int:
        # 3,300,000 uV * 5700 would leave the small ints (2**30) and allocate; 100 uV is finer than the ADC.
        return self._bus.read_uv() // 100 * self._ratio_milli // 10000
