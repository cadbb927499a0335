"""Sensirion SPS30 particle sensor: UART 115200 8N1, SHDLC, answers when asked. Datasheet version 1.0 (March 2020), chapter 5.

A frame is 7E, address 0, command, (an answer: state,) length, data, checksum, 7E; the checksum makes the sum FF; 7E 7D 11 13 inside become 7D and
the byte with bit 5 turned. State: bit 7 a fault of fan or laser, below it the error of the command; 43 is "not allowed in this state", which tells
whether it measures. A reading is ten floats, the first four PM1, PM2.5, PM4 and PM10 in ug/m3; without data it is no newer one.
Its product type is read at the first start and after every failure. Air is good 30 s after the start. `stop()` sends it to idle: fan and laser
off. Its deeper sleep, which closes the UART, is not used.
"""

from node.core.measurements import BAD_CHECKSUM, NO_ANSWER, OUT_OF_RANGE, REASONS
from node.drivers import roles, scaled

_NAME = b"\x7e\x00\xd0\x01\x00\x2e\x7e"
_START = b"\x7e\x00\x00\x02\x01\x03\xf9\x7e"  # with floats
_STOP = b"\x7e\x00\x01\x00\xfe\x7e"
_READ = b"\x7e\x00\x03\x00\xfc\x7e"
_PRODUCT = b"00080000"

_WARMING_UP = REASONS.index("warming_up")
_WARM_UP_MS = 30000
_ANSWER_MS = 30  # the datasheet's longest is 20, and 5 for the bytes
_ANSWER_LOOKS = 3
_NEWER_MS = 1000
_NEWER_LOOKS = 3
_WRONG_STATE = 0x43
_DATA = 4  # where it begins
_MOST = _DATA + 40 + 1
_ROOM = 64
_ROUNDS = 8

_NAMING = 0
_STARTING = 1
_READING = 2
_ASKING = 3  # nothing is asked yet


class SPS30:
    GIVES = ("pm1", "pm2_5", "pm4", "pm10")

    def __init__(self, bus, config: dict):
        self._bus = bus
        self.GIVES = roles.keys(config, self.GIVES)
        self._room = bytearray(_ROOM)
        self._frame = bytearray(_MOST)
        self._length = 0  # of what `_frame` holds
        self._spoilt = False
        self._escaped = False
        self._answer = 0  # bytes of data of the answer in `_frame`, -1 none
        self._bad = False
        self._known = False
        self._phase = _NAMING
        self._command = 0
        self._looks = 0
        self._polls = 0
        self.bad_checksum = 0

    def start(self) -> int:
        self._bus.open()
        self._polls = 0
        self._bad = False
        if self._known:
            return self._send(_READ, _READING)
        return self._send(_NAME, _NAMING)

    def stop(self) -> None:
        """Fan and laser rest."""
        self._bus.write(_STOP)
        self._known = False
        self._bus.close()

    def read_into(self, values) -> int:
        if self._phase == _ASKING:
            return self._send(_READ, _READING)
        if not self._receive():
            self._looks += 1
            if self._looks < _ANSWER_LOOKS:
                return _ANSWER_MS
            return self._fail(BAD_CHECKSUM if self._bad else NO_ANSWER)
        error = self._frame[2] & 0x7F
        if self._phase == _NAMING:
            if not error and self._answer >= 8 and not self._is_sps30():
                return self._fail(NO_ANSWER)
            return self._send(_START, _STARTING)  # firmware 1 refuses to tell its type
        if self._phase == _STARTING:
            if error == 0:
                self._phase = _ASKING
                return _WARM_UP_MS
            if error == _WRONG_STATE:  # it measures since before a failure, or before this station's boot
                return self._send(_READ, _READING)
            return self._fail(OUT_OF_RANGE)
        return self._finish(values, error)

    def _finish(self, values, error: int) -> int:
        if error == _WRONG_STATE and not self._polls:  # it has lost power, and idles
            self._polls = 1
            return self._send(_START, _STARTING)
        if error or self._frame[2] & 0x80:
            return self._fail(OUT_OF_RANGE)
        if self._answer == 0:
            self._polls += 1
            if self._polls > _NEWER_LOOKS:
                return self._fail(_WARMING_UP)
            self._phase = _ASKING
            return _NEWER_MS
        if self._answer != 40:  # somebody started it with integers
            self._bus.write(_STOP)
            return self._fail(OUT_OF_RANGE)
        for i in range(4):
            values[i] = convert_mass(self._frame, _DATA + 4 * i)
        self._known = True
        return 0

    def _fail(self, reason: int) -> int:
        self._known = False
        return -reason

    def _is_sps30(self) -> bool:
        for i in range(8):
            if self._frame[_DATA + i] != _PRODUCT[i]:
                return False
        return True

    def _send(self, request, phase: int) -> int:
        for _ in range(_ROUNDS):  # what waits is no answer to this
            if not self._bus.read_into(self._room):
                break
        self._length = 0
        self._spoilt = False
        self._escaped = False
        self._answer = -1
        self._looks = 0
        self._phase = phase
        self._command = request[2]
        self._bus.write(request)
        return _ANSWER_MS

    def _receive(self) -> bool:
        arrived = _ROOM
        rounds = 0
        while arrived == _ROOM and rounds < _ROUNDS:
            rounds += 1
            arrived = self._bus.read_into(self._room)
            for i in range(arrived):
                self._take(self._room[i])
                if self._answer >= 0:
                    return True
        return False

    def _take(self, byte: int) -> None:
        if byte == 0x7E:  # ends a frame, and may begin the next
            if self._length:
                self._judge()
            self._length = 0
            self._spoilt = False
            self._escaped = False
            return
        if byte == 0x7D:
            self._spoilt = self._spoilt or self._escaped
            self._escaped = True
            return
        if self._escaped:
            self._escaped = False
            if byte not in (0x5E, 0x5D, 0x31, 0x33):
                self._spoilt = True
            byte ^= 0x20
        if self._length < _MOST:
            self._frame[self._length] = byte
        else:
            self._spoilt = True
        self._length += 1

    def _judge(self) -> None:
        frame = self._frame
        length = self._length
        if not self._spoilt and not self._escaped and 5 <= length <= _MOST and frame[3] == length - 5:
            total = 0
            for i in range(length):
                total += frame[i]
            if total & 0xFF == 0xFF:
                if frame[0] == 0 and frame[1] == self._command:
                    self._answer = length - 5
                return
        self.bad_checksum += 1
        self._bad = True


def convert_mass(data, at: int) -> int:
    """0.1 ug/m3 of a float, high byte first."""
    return scaled.from_float32(data[at] << 8 | data[at + 1], data[at + 2] << 8 | data[at + 3], 10, 1)
