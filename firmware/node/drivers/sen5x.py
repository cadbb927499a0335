"""Sensirion SEN50/54/55: particles, humidity, temperature, VOC and NOx index, I2C 0x69. Datasheet version 2, 6.1.

It measures every second once told to and its VOC index takes hours to learn, so it is never stopped: the driver asks whether a reading is
ready, and starts the chip when none comes, which is how it is found after power-up. That measurement is `warming_up`: the datasheet gives it 30 s
in clean air, and whoever measures again sooner gets its readings sooner. Its product name is read at the first start and after every failure.
A value the chip does not know (FFFF of a particle count, 7FFF of the others: a SEN50 has no gas sensor, NOx takes 11 s) is MISSING.
"""

from node.core.measurements import BAD_CHECKSUM, MISSING, NO_ANSWER, REASONS
from node.drivers import roles, sensirion

_NAME = b"\xd0\x14"
_START = b"\x00\x21"
_READY = b"\x02\x02"
_READ = b"\x03\xc4"
_ANSWER_MS = 20
_POLL_MS = 1000
_POLLS = 3
_WARMING_UP = REASONS.index("warming_up")

_NAMING = 0
_POLLING = 1
_ASKING = 2
_READING = 3

_UNKNOWN = 0x7FFF
_NO_MASS = 0xFFFF


class SEN5x:
    GIVES = ("pm1", "pm2_5", "pm4", "pm10", "humidity", "temperature", "voc_index", "nox_index")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._address = config.get("address", 0x69)
        self.GIVES = roles.keys(config, self.GIVES)
        self._answer = bytearray(24)
        self._name = bytearray(9)  # of 48: "SEN55" and its zero; reading may end anywhere
        self._ready = bytearray(3)
        self._known = False
        self._phase = _NAMING
        self._polls = 0
        self._started = False  # and no reading came yet

    def start(self) -> int:
        known = self._known
        self._known = False  # until this measurement has succeeded
        self._polls = 0
        if known:
            return self._send(_READY, _POLLING, _ANSWER_MS)
        return self._send(_NAME, _NAMING, _ANSWER_MS)

    def read_into(self, values) -> int:
        phase = self._phase
        if phase == _ASKING:
            return self._send(_READY, _POLLING, _ANSWER_MS)
        answer = self._name if phase == _NAMING else self._ready if phase == _POLLING else self._answer
        self._bus.read_into(self._address, answer)
        if not sensirion.intact(answer):
            return -BAD_CHECKSUM
        if phase == _POLLING:
            return self._poll()
        if phase == _READING:
            fill(values, answer)
            self._known = True
            self._started = False
            return 0
        # S E N 5 in two words
        if sensirion.word(answer, 0) != 0x5345 or sensirion.word(answer, 1) != 0x4E35:
            return -NO_ANSWER
        return self._send(_READY, _POLLING, _ANSWER_MS)

    def _poll(self) -> int:
        if self._ready[1] == 1:
            return self._send(_READ, _READING, _ANSWER_MS)
        self._polls += 1
        if self._polls < _POLLS:
            self._phase = _ASKING
            return _POLL_MS
        self._bus.write(self._address, _START)
        if self._started:
            return -NO_ANSWER
        self._started = True
        return -_WARMING_UP

    def _send(self, command, phase: int, wait_ms: int) -> int:
        self._bus.write(self._address, command)
        self._phase = phase
        return wait_ms


def fill(values, answer) -> None:
    """Eight words into the units of `GIVES`."""
    for i in range(4):
        values[i] = convert_mass(sensirion.word(answer, i))
    values[4] = convert_humidity(sensirion.word(answer, 4))
    values[5] = convert_temperature(sensirion.word(answer, 5))
    values[6] = convert_index(sensirion.word(answer, 6))
    values[7] = convert_index(sensirion.word(answer, 7))


def convert_mass(ticks: int) -> int:
    """0.1 ug/m3; the chip ends at 1000 ug/m3."""
    return MISSING if ticks == _NO_MASS else roles.within(ticks, 0, 10000)


def convert_humidity(ticks: int) -> int:
    """1/100 %RH."""
    if ticks == _UNKNOWN:
        return MISSING
    return roles.within(sensirion.signed(ticks), sensirion.HUMIDITY_LOW, sensirion.HUMIDITY_HIGH)


def convert_temperature(ticks: int) -> int:
    """1/100 degC of 1/200."""
    return MISSING if ticks == _UNKNOWN else roles.within((sensirion.signed(ticks) + 1) >> 1, -4000, 9000)


def convert_index(ticks: int) -> int:
    """0.1 of an index that runs from 1 to 500."""
    return MISSING if ticks == _UNKNOWN else roles.within(sensirion.signed(ticks), 10, 5000)
