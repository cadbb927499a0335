"""Sensirion SCD40/41: CO2, temperature and humidity, I2C 0x62. Datasheet version 1.4, 3.5 and 3.6.

It measures by itself every 5 s once told to, and while it does answers little more than "is a reading ready" and "give it": so the driver first
asks for a reading, and starts the chip when none comes in 6 s, which is how it is found after power-up; that measurement is `warming_up`. Its
identity is the CRC of its answers, and its serial number whenever it is found idle. Its first reading can be 0 ppm, which no air has: MISSING.
"""

from node.core.measurements import BAD_CHECKSUM, NO_ANSWER, REASONS
from node.drivers import roles, sensirion

_READY = b"\xe4\xb8"
_READ = b"\xec\x05"
_STOP = b"\x3f\x86"
_SERIAL = b"\x36\x82"
_START = b"\x21\xb1"
_ANSWER_MS = 2  # 1 ms by the datasheet
_STOP_MS = 500
_POLL_MS = 1000
_POLLS = 6  # a reading is due every 5 s
_WARMING_UP = REASONS.index("warming_up")

_POLLING = 0
_READING = 1
_STOPPING = 2
_NAMING = 3
_ASKING = 4


class SCD4x:
    GIVES = ("co2", "temperature", "humidity")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self._address = config.get("address", 0x62)
        self.GIVES = roles.keys(config, self.GIVES)
        self._answer = bytearray(9)
        self._ready = bytearray(3)
        self._phase = _POLLING
        self._polls = 0
        self._started = False  # and no reading came yet
        self.serial = 0

    def start(self) -> int:
        self._polls = 0
        return self._send(_READY, _POLLING, _ANSWER_MS)

    def read_into(self, values) -> int:
        phase = self._phase
        if phase == _POLLING:
            return self._poll()
        if phase == _STOPPING:
            return self._send(_SERIAL, _NAMING, _ANSWER_MS)
        if phase == _ASKING:
            return self._send(_READY, _POLLING, _ANSWER_MS)
        answer = self._answer
        self._bus.read_into(self._address, answer)
        if not sensirion.intact(answer):
            return -BAD_CHECKSUM
        if phase == _NAMING:
            self.serial = sensirion.word(answer, 0) << 32 | sensirion.word(answer, 1) << 16 | sensirion.word(answer, 2)
            self._bus.write(self._address, _START)
            if self._started:
                return -NO_ANSWER
            self._started = True
            return -_WARMING_UP
        values[0] = roles.within(sensirion.word(answer, 0), 1, 40000)
        values[1] = roles.within(sensirion.convert_temperature(sensirion.word(answer, 1)), -1000, 6000)
        values[2] = convert_humidity(sensirion.word(answer, 2))
        self._started = False
        return 0

    def _poll(self) -> int:
        self._bus.read_into(self._address, self._ready)
        if not sensirion.intact(self._ready):
            return -BAD_CHECKSUM
        if sensirion.word(self._ready, 0) & 0x7FF:
            return self._send(_READ, _READING, _ANSWER_MS)
        self._polls += 1
        if self._polls < _POLLS:
            self._phase = _ASKING
            return _POLL_MS
        return self._send(_STOP, _STOPPING, _STOP_MS)

    def _send(self, command, phase: int, wait_ms: int) -> int:
        self._bus.write(self._address, command)
        self._phase = phase
        return wait_ms


def convert_humidity(ticks: int) -> int:
    """1/100 %RH: 100 * ticks / 65535, never outside 0 and 100."""
    return (10000 * ticks + 32767) // 65535
