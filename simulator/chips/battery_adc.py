"""The battery behind a divider on an ESP32 ADC pin: 12 bit at 11 dB, read through the chip's own calibration (`ADC.read_uv`).

Assumed, of the size the ESP32's documentation shows: after calibration the curve bends by up to 8 mV in mid-range, each chip is off by up to 6 mV, and a
reading scatters by 3 mV. One count is 806 uV.
"""

from simulator import noise
from simulator.world.river import Battery

COUNT_UV = 806
FULL_UV = 4095 * COUNT_UV
_BEND_UV = 8_000
_OFF_UV = 6_000
_NOISE_UV = 3_000


class BatteryADC:
    def __init__(self, seed: int, node: str, battery: Battery, ratio_milli: int) -> None:
        self._battery = battery
        self._ratio_milli = ratio_milli
        self._key = noise.key(seed, node, "adc")
        self._off_uv = noise.below(noise.draw(self._key, -1), 2 * _OFF_UV + 1) - _OFF_UV

    def read_uv(self, t_ms: int) -> int:
        """The pin in uV, in whole counts."""
        pin = self._battery.at(t_ms) * 1_000_000 // self._ratio_milli
        bend = 4 * _BEND_UV * (pin // 1000) * ((FULL_UV - pin) // 1000) // (FULL_UV // 1000) ** 2
        pin += self._off_uv + bend + noise.bell(noise.draw(self._key, t_ms)) * _NOISE_UV // noise.BELL_SD
        return max(0, min(4095, pin // COUNT_UV)) * COUNT_UV
