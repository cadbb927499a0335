"""A simulated 4-20 mA level transmitter over its shunt: a voltage for an input of the simulated ADS1115.

Past its ends it stops at 3.8 and 20.5 mA as NAMUR NE 43 asks; a transmitter that finds itself broken says 21.6 mA, a broken wire 0.
"""

from dataclasses import dataclass

from simulator.chips.i2c import Truth, Windows, window


@dataclass(frozen=True, slots=True)
class CurrentLoop:
    depth_mm: Truth
    at_20ma_mm: int
    shunt_mohm: int
    at_4ma_mm: int = 0
    broken_wire_ms: Windows = ()
    short_ms: Windows = ()
    failed_ms: Windows = ()

    def ua(self, t_ms: int) -> int:
        if window(self.broken_wire_ms, t_ms) >= 0:
            return 0
        if window(self.short_ms, t_ms) >= 0:
            return 24_000
        if window(self.failed_ms, t_ms) >= 0:
            return 21_600
        span = self.at_20ma_mm - self.at_4ma_mm
        ua = 4000 + ((self.depth_mm(t_ms) - self.at_4ma_mm) * 16_000 + span // 2) // span
        return max(3800, min(20_500, ua))

    def __call__(self, t_ms: int) -> int:
        """Microvolts over the shunt."""
        return self.ua(t_ms) * self.shunt_mohm // 1000
