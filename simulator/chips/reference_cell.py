"""A simulated reference cell over its shunt: a voltage for an input of the simulated ADS1115. Warmth raises it by alpha per degree."""

from dataclasses import dataclass

from simulator.chips.i2c import Truth


@dataclass(frozen=True, slots=True)
class ReferenceCell:
    irradiance_w: Truth
    temperature_cc: Truth
    uv_at_1000: int = 75_000
    alpha_ppm: int = 500
    soiling_ppm: int = 0  # a dirty cell sees less

    def __call__(self, t_ms: int) -> int:
        """Microvolts."""
        uv = self.irradiance_w(t_ms) * self.uv_at_1000 // 1000
        uv = uv * (1_000_000 - self.soiling_ppm) // 1_000_000
        return uv + uv * self.alpha_ppm * (self.temperature_cc(t_ms) - 2500) // 100_000_000
