"""TI INA226: voltage and, over a shunt, current and power; I2C 0x40 to 0x4F. Datasheet SBOS547, 7.1 registers.

A triggered measurement averages 16 conversions of each. Current and power are computed here from the two voltages: the chip's own current and power
registers need a calibration register that a power failure clears. Both ids and the configuration are read back; the data has no checksum.
It must not see more than 36 V: a reading above is refused as out_of_range, the true voltage may be higher still.

"shunt_uohm" (75 mV at 50 A: 1500); negative where the shunt is wired backwards.
"""

from node.core.measurements import MISSING, NO_ANSWER, OUT_OF_RANGE
from node.drivers import roles

_CONFIGURE = b"\x00\x45\x23"  # average of 16, 1.1 ms each, shunt and bus, triggered
_CONFIGURED = 0x4523
_CONFIG = b"\x00"
_SHUNT = b"\x01"
_BUS = b"\x02"
_MASK = b"\x06"
_MAKER = b"\xfe"
_DIE = b"\xff"
_READY = 0x08
_MEASURE_MS = 40  # 16 * 2 * 1.1 = 35.2, 10 % slow at most
_AGAIN_MS = 4
_LOOKS = 5
_MOST_MV = 36000


class INA226:
    GIVES = ("panel_voltage", "panel_current", "panel_power")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._address = config.get("address", 0x40)
        self.GIVES = roles.keys(config, self.GIVES)
        self._shunt_uohm = config["shunt_uohm"]
        if not 10 <= abs(self._shunt_uohm) <= 100000000:
            raise ValueError("ina226: shunt_uohm is 10 to 100000000, negative when wired backwards")
        self._pair = bytearray(2)
        self._known = False
        self._right = False  # both ids are an INA226's
        self._looks = 0

    def start(self) -> int:
        known = self._known
        self._known = False  # until this measurement has succeeded
        self._looks = 0
        self._right = known or self._ask(_MAKER) == 0x5449 and self._ask(_DIE) & 0xFFF0 == 0x2260
        if not self._right:
            return 0
        self._bus.write(self._address, _CONFIGURE)
        return _MEASURE_MS

    def _ask(self, register) -> int:
        self._bus.write(self._address, register)
        self._bus.read_into(self._address, self._pair)
        return self._pair[0] << 8 | self._pair[1]

    def read_into(self, values) -> int:
        if not self._right:
            return -NO_ANSWER
        if not self._ask(_MASK) & _READY:
            self._looks += 1
            return _AGAIN_MS if self._looks < _LOOKS else -NO_ANSWER
        if self._ask(_CONFIG) != _CONFIGURED:
            return -NO_ANSWER
        shunt = self._ask(_SHUNT)
        mv = convert_mv(self._ask(_BUS))
        if mv == MISSING or mv > _MOST_MV:
            return -OUT_OF_RANGE
        ma = convert_ma(shunt, self._shunt_uohm)
        values[0] = mv
        values[1] = ma
        values[2] = MISSING if ma == MISSING else (mv * ma + 50000) // 100000
        self._known = ma != MISSING
        return 0


def convert_mv(raw: int) -> int:
    """Bus voltage in mV, 1.25 a step, rounded; its highest bit is never set."""
    return MISSING if raw & 0x8000 else (raw * 5 + 2) >> 2


def convert_shunt_uv(raw: int) -> int:
    """Shunt voltage in uV, 2.5 a step, rounded; MISSING at either end of its range."""
    if raw & 0x8000:
        raw -= 0x10000
    return MISSING if raw == 0x7FFF or raw == -0x8000 else (raw * 5 + 1) >> 1


def convert_ma(raw: int, shunt_uohm: int) -> int:
    """Current in mA of a shunt register, rounded."""
    if raw == 0x7FFF or raw == 0x8000:
        return MISSING
    if raw & 0x8000:
        raw -= 0x10000
    return (raw * 5000 + shunt_uohm) // (2 * shunt_uohm)
