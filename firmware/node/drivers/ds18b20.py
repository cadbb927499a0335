"""Maxim DS18B20 thermometer on 1-Wire, 12 bit. Datasheet 19-7487 revision 6: memory p. 8, commands p. 11, CRC p. 9.

Without "rom" it is alone on its wire and every command is for it; with "rom" (16 hex digits as printed by most tools, family first, CRC last) it is one of
several. No look moves more than six bytes, 4 ms of wire.

Its register says 85.00 degC after power-up, before any conversion, and users see it whenever the supply dips. Three things keep it from being
taken for a temperature. Each measurement writes its own mark (a count and its complement) into the two alarm bytes, which power-up loads anew
from EEPROM: another mark than today's is a chip that lost power since, no_answer. A genuine chip has 10 in byte 6 after converting to exactly
85.00 and 0C after power-up (known to its users, not in the datasheet). And where byte 6 says nothing (copies of the chip), 85.00 is
believed only within 5 degrees of the reading before. 127.94 degC, a genuine chip's failed conversion, is past its range.
All zeros, a wire held low, have a right CRC: the configuration byte must be the one that was written, which also tells a DS18S20.
"""

from node.core.measurements import BAD_CHECKSUM, MISSING, NO_ANSWER, OUT_OF_RANGE
from node.drivers import roles

_SKIP_ROM = b"\xcc"
_WRITE = 0x4E
_CONVERT = 0x44
_READ = 0xBE
_TWELVE_BIT = 0x7F
_CONVERT_MS = 760  # 750 at most
_MOST = 6  # bytes a look
_AT_ONCE_MS = 1
_POWER_ON = 0x0550
_NEAR_CC = 500

_MARKING = 0  # what is being sent
_CONVERTING = 1
_READING = 2


class DS18B20:
    GIVES = ("module_temperature",)

    def __init__(self, bus, config: dict):
        self._bus = bus
        self.GIVES = roles.keys(config, self.GIVES)
        self._select = select(config.get("rom"))
        self._command = bytearray(4)
        self._pad = bytearray(9)
        self._phase = _MARKING
        self._at = 0  # of the bytes of this phase, sent or read
        self._reset = False  # since the phase began somebody answered a reset
        self._mark = 0
        self._last_cc = MISSING

    def start(self) -> int:
        self._mark = self._mark + 1 & 0xFF
        command = self._command
        command[0] = _WRITE
        command[1] = self._mark
        command[2] = self._mark ^ 0xFF
        command[3] = _TWELVE_BIT
        self._begin(_MARKING)
        return _AT_ONCE_MS

    def _begin(self, phase: int) -> None:
        self._phase = phase
        self._at = 0
        self._reset = False

    def read_into(self, values) -> int:
        if not self._reset:
            if not self._bus.reset():
                return -NO_ANSWER
            self._reset = True
        room = self._send(_MOST)
        if self._at < self._length():
            return _AT_ONCE_MS
        if self._phase == _MARKING:
            self._begin(_CONVERTING)
            self._command[0] = _CONVERT
            return _AT_ONCE_MS
        if self._phase == _CONVERTING:
            self._begin(_READING)
            self._command[0] = _READ
            return _CONVERT_MS
        if not self._receive(room):
            return _AT_ONCE_MS
        return self._judge(values)

    def _length(self) -> int:
        return len(self._select) + (4 if self._phase == _MARKING else 1)

    def _send(self, room: int) -> int:
        """Sends what is left of the phase, `room` bytes at most; returns the room left."""
        first = len(self._select)
        length = self._length()
        while room and self._at < length:
            at = self._at
            self._bus.write(self._select[at] if at < first else self._command[at - first])
            self._at = at + 1
            room -= 1
        return room

    def _receive(self, room: int) -> bool:
        sent = self._length()
        while room and self._at < sent + 9:
            self._pad[self._at - sent] = self._bus.read()
            self._at += 1
            room -= 1
        return self._at == sent + 9

    def _judge(self, values) -> int:
        pad = self._pad
        silent = True
        for i in range(9):
            silent = silent and pad[i] == 0xFF
        if silent:  # nobody pulls the wire low
            return -NO_ANSWER
        if crc8(pad, 9):
            return -BAD_CHECKSUM
        if pad[4] != _TWELVE_BIT or pad[2] != self._mark or pad[3] != self._mark ^ 0xFF:
            return -NO_ANSWER
        raw = pad[1] << 8 | pad[0]
        cc = convert_temperature(raw)
        if not -5500 <= cc <= 12500:
            return -OUT_OF_RANGE
        if raw == _POWER_ON and pad[6] != 0x10 and (self._last_cc == MISSING or abs(cc - self._last_cc) > _NEAR_CC):
            return -NO_ANSWER
        self._last_cc = cc
        values[0] = cc
        return 0


def select(rom: str | None) -> bytes:
    """What turns to the chip after a reset. ValueError: this is no DS18B20's number."""
    if rom is None:
        return _SKIP_ROM
    number = bytes([int(rom[i : i + 2], 16) for i in range(0, len(rom), 2)])
    if len(number) != 8 or number[0] != 0x28 or crc8(number, 8):
        raise ValueError("ds18b20: rom is 16 hex digits, begins with 28 and ends with its CRC")
    return b"\x55" + number


def crc8(buffer, count: int) -> int:
    """Maxim's CRC-8 (8C, low bit first, starts at 0); 0 over data and its CRC."""
    crc = 0
    for i in range(count):
        crc ^= buffer[i]
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def convert_temperature(raw: int) -> int:
    """1/100 degC of sixteenths, rounded."""
    if raw & 0x8000:
        raw -= 0x10000
    return (raw * 25 + 2) >> 2
