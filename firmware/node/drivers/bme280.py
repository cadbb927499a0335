"""Bosch BME280: temperature, humidity, pressure, I2C 0x76 (0x77). Datasheet BST-BME280-DS002 revision 1.24: 4.2.3 formulas, 5 registers.

Its numbers mean nothing without the calibration words of this very chip. They are read at the first start and after every failure, and a mark is left in
the config register: a chip that lost power, or was swapped, no longer has it. The formulas are the datasheet's for whole numbers; the limits that it
puts on humidity are left out. Nothing on its bus has a checksum: chip id, calibration words, the two control registers and the chip's range are what is
checked. A BMP280 (id 0x58) is another chip: no_answer.
"""

from node.core.measurements import MISSING, NO_ANSWER, OUT_OF_RANGE
from node.drivers import roles, sensirion

_ID = b"\xd0"
_CHIP = 0x60
_CALIBRATION = b"\x88"  # T1 to P9, an empty byte, H1
_CALIBRATION_H = b"\xe1"  # H2 to H6
_STATUS = b"\xf3"  # and on to 0xFE: status, control, config, an empty byte, pressure, temperature, humidity
_CONFIG = b"\xf5\xa0"  # no filter; the mark is a pause between measurements, which forced mode has no use for
_HUMIDITY_ONCE = b"\xf2\x01"
_MEASURE = b"\xf4\x25"  # temperature and pressure once, forced mode: then it sleeps again
_CONTROL = 0x24  # what 0xF4 must say afterwards; a chip that lost power says 0
_MEASURING = 0x08
_MEASURE_MS = 10  # 9.3 at most
_AGAIN_MS = 2
_LOOKS = 5
_SKIPPED = 0x80000
_SKIPPED_H = 0x8000


class BME280:
    GIVES = ("temperature", "humidity", "pressure")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._address = config.get("address", 0x76)
        self.GIVES = roles.keys(config, self.GIVES)
        self._one = bytearray(1)
        self._low = bytearray(26)
        self._high = bytearray(7)
        self._data = bytearray(12)
        self._known = False
        self._calibration = ()
        self._looks = 0

    def start(self) -> int:
        known = self._known
        self._known = False  # until this measurement has succeeded
        self._looks = 0
        if not known and not self._identify():
            self._calibration = ()
            return 0
        self._bus.write(self._address, _HUMIDITY_ONCE)  # takes effect with the next write to 0xF4
        self._bus.write(self._address, _MEASURE)
        return _MEASURE_MS

    def _identify(self) -> bool:
        self._ask(_ID, self._one)
        if self._one[0] != _CHIP:
            return False
        self._calibration = self._read_calibration()
        # Twice: a bit struck in these words would spoil every reading until the next failure.
        if not self._calibration or self._calibration != self._read_calibration():
            return False
        self._bus.write(self._address, _CONFIG)
        return True

    def _read_calibration(self) -> tuple:
        self._ask(_CALIBRATION, self._low)
        self._ask(_CALIBRATION_H, self._high)
        return calibration(self._low, self._high)

    def _ask(self, register, buffer) -> None:
        self._bus.write(self._address, register)
        self._bus.read_into(self._address, buffer)

    def read_into(self, values) -> int:
        if not self._calibration:
            return -NO_ANSWER
        data = self._data
        self._ask(_STATUS, data)
        if data[0] & _MEASURING:
            self._looks += 1
            return _AGAIN_MS if self._looks < _LOOKS else -NO_ANSWER
        if data[1] != _CONTROL or data[2] != _CONFIG[1]:
            return -NO_ANSWER
        words = self._calibration
        raw_pressure = data[4] << 12 | data[5] << 4 | data[6] >> 4
        raw_temperature = data[7] << 12 | data[8] << 4 | data[9] >> 4
        raw_humidity = data[10] << 8 | data[11]
        if raw_temperature == _SKIPPED:
            return -NO_ANSWER
        fine = convert_fine(words, raw_temperature)
        temperature = convert_temperature(fine)
        if not -4000 <= temperature <= 8500:
            return -OUT_OF_RANGE
        values[0] = temperature
        values[1] = values[2] = MISSING
        if raw_humidity != _SKIPPED_H:
            humidity = convert_humidity(words, raw_humidity, fine)
            values[1] = roles.within(humidity, sensirion.HUMIDITY_LOW, sensirion.HUMIDITY_HIGH)
        if raw_pressure != _SKIPPED:
            values[2] = roles.within(convert_pressure(words, raw_pressure, fine), 30000, 110000)
        self._known = values[1] != MISSING and values[2] != MISSING
        return 0


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def calibration(low, high) -> tuple:
    """T1 to T3, P1 to P9, H1 to H6 of the registers 0x88 to 0xA1 and 0xE1 to 0xE7; none of them where they cannot be a chip's."""
    words = []
    for i in range(0, 24, 2):
        word = low[i] | low[i + 1] << 8
        words.append(word if i == 0 or i == 6 else _signed(word, 16))  # T1 and P1 have no sign
    words.append(low[25])
    words.append(_signed(high[0] | high[1] << 8, 16))
    words.append(high[2])
    words.append(_signed(high[3] << 4 | high[4] & 15, 12))
    words.append(_signed(high[5] << 4 | high[4] >> 4, 12))
    words.append(_signed(high[6], 8))
    # No chip has these: a bus held low or high, or registers not yet loaded after power-up.
    if words[0] in (0, 0xFFFF) or words[3] in (0, 0xFFFF) or words[1] in (0, -1) or words[13] in (0, -1):
        return ()
    return tuple(words)


def convert_fine(words: tuple, raw: int) -> int:
    """The fine temperature that all three formulas start from."""
    first = ((raw >> 3) - (words[0] << 1)) * words[1] >> 11
    off = (raw >> 4) - words[0]
    return first + ((off * off >> 12) * words[2] >> 14)


def convert_temperature(fine: int) -> int:
    """1/100 degC."""
    return (fine * 5 + 128) >> 8


def convert_pressure(words: tuple, raw: int, fine: int) -> int:
    """Pa, by the 64-bit formula; 0 where it has no answer."""
    _, _, _, p1, p2, p3, p4, p5, p6, p7, p8, p9 = words[:12]
    a = fine - 128000
    b = a * a * p6 + ((a * p5) << 17) + (p4 << 35)
    a = ((a * a * p3) >> 8) + ((a * p2) << 12)
    a = (((1 << 47) + a) * p1) >> 33
    if a <= 0:
        return 0
    p = (((1048576 - raw) << 31) - b) * 3125 // a
    p = (p + ((p9 * (p >> 13) * (p >> 13)) >> 25) + ((p8 * p) >> 19) >> 8) + (p7 << 4)
    return (p + 128) >> 8


def convert_humidity(words: tuple, raw: int, fine: int) -> int:
    """1/100 %RH, past 0 and 100 where the formula goes there."""
    h1, h2, h3, h4, h5, h6 = words[12:]
    a = fine - 76800
    slope = (((((a * h6) >> 10) * (((a * h3) >> 11) + 32768)) >> 10) + 2097152) * h2 + 8192 >> 14
    a = (((raw << 14) - (h4 << 20) - h5 * a + 16384) >> 15) * slope
    a -= ((((a >> 15) * (a >> 15)) >> 7) * h1) >> 4
    return (a * 100 + (1 << 21)) >> 22
