"""Sensirion SHT40/41/45: temperature and humidity, I2C 0x44 (0x45, 0x46 by its name). Datasheet version 6, 4.5 to 4.7.

A one-byte command, a pause, then two words with CRC-8. It has no chip id: that its serial number comes with the right CRC is what
tells it from another chip. Humidity is -6 + 125 * ticks / 65535 and may pass 0 and 100 by a little: not clamped.
"""

from node.core.measurements import BAD_CHECKSUM, MISSING
from node.drivers import roles, sensirion

_MEASURE = b"\xfd"  # high precision: 8.3 ms at most
_SERIAL = b"\x89"
_MEASURE_MS = 10
_SERIAL_MS = 10


class SHT4x:
    GIVES = ("temperature", "humidity")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._address = config.get("address", 0x44)
        self.GIVES = roles.keys(config, self.GIVES)
        self._answer = bytearray(6)
        self._known = False  # since the last failure its serial number was read
        self._awaits_serial = False
        self.serial = 0

    def start(self) -> int:
        self._awaits_serial = not self._known
        self._known = False  # until this measurement has succeeded
        if self._awaits_serial:
            self._bus.write(self._address, _SERIAL)
            return _SERIAL_MS
        self._bus.write(self._address, _MEASURE)
        return _MEASURE_MS

    def read_into(self, values) -> int:
        answer = self._answer
        self._bus.read_into(self._address, answer)
        if not sensirion.intact(answer):
            return -BAD_CHECKSUM
        if self._awaits_serial:
            self.serial = sensirion.word(answer, 0) << 16 | sensirion.word(answer, 1)
            self._awaits_serial = False
            self._bus.write(self._address, _MEASURE)
            return _MEASURE_MS
        values[0] = roles.within(sensirion.convert_temperature(sensirion.word(answer, 0)), -4000, 12500)
        humidity = convert_humidity(sensirion.word(answer, 1))
        values[1] = roles.within(humidity, sensirion.HUMIDITY_LOW, sensirion.HUMIDITY_HIGH)
        self._known = values[0] != MISSING and values[1] != MISSING
        return 0


def convert_humidity(ticks: int) -> int:
    """1/100 %RH."""
    return (12500 * ticks + 32767) // 65535 - 600
