"""A reference cell (a small calibrated solar cell over its shunt) on an ADS1115: irradiance in the plane of the panels.

Its current, and so its voltage, follows the light, and grows a little with its own warmth (alpha, IEC 60891): the calibration holds at 25 degC. With
a temperature in `temperature_cc` (the caller's: of the cell or a module beside it) the reading is brought back to 25 degC; without, an
error of alpha per degree remains (0.05 %/K: 2 % at 65 degC).

"input" and "range_mv" as in ads1115, "uv_at_1000" the certificate's microvolts at 1000 W/m2, "alpha_ppm" per K (500 where it is not said).
"""

from node.core.measurements import MISSING, OUT_OF_RANGE
from node.drivers import ads1115, roles

_LOW_W = -20  # offsets in the dark
_HIGH_W = 2000  # broken clouds lead past 1300


class ReferenceCell:
    GIVES = ("irradiance",)

    def __init__(self, bus, config: dict):
        self._shot = ads1115.OneShot(bus, config.get("address", 0x48))
        self.GIVES = roles.keys(config, self.GIVES)
        self._range_mv = config["range_mv"]
        self._setup = ads1115.setup(config["input"], self._range_mv)
        self._uv_at_1000 = config["uv_at_1000"]
        self._alpha_ppm = config.get("alpha_ppm", 500)
        if self._uv_at_1000 <= 0 or not 0 <= self._alpha_ppm <= 5000:
            raise ValueError("reference_cell: uv_at_1000 is above 0, alpha_ppm 0 to 5000")
        self.temperature_cc = MISSING

    def start(self) -> int:
        return self._shot.begin(self._setup, self._range_mv)

    def read_into(self, values) -> int:
        wait = self._shot.look()
        if wait:
            return wait
        uv = self._shot.uv
        if uv == MISSING:
            return -OUT_OF_RANGE
        watts = convert_irradiance(uv, self._uv_at_1000, self._alpha_ppm, self.temperature_cc)
        if not _LOW_W <= watts <= _HIGH_W:
            return -OUT_OF_RANGE
        values[0] = watts
        return 0


def convert_irradiance(uv: int, uv_at_1000: int, alpha_ppm: int, temperature_cc: int) -> int:
    """W/m2, rounded; a temperature outside -40 to 125 degC (or MISSING) corrects nothing."""
    warmth = 100000000  # 1 at 25 degC, in 1/100 degC times 1/1,000,000
    if -4000 <= temperature_cc <= 12500:
        warmth += alpha_ppm * (temperature_cc - 2500)
    whole = uv_at_1000 * warmth
    return (uv * 1000 * 100000000 + (whole >> 1)) // whole
