"""A simulated Modbus RTU slave behind an RS485 transceiver: answers functions 3 and 4, after its own time.

MODBUS Application Protocol V1.1b3 and MODBUS over Serial Line V1.02: an answer is address, function, number of bytes, registers high byte first,
CRC-16 low byte first; a refusal is the function with its highest bit set and a code: 1 no such function, 2 no such register, 3 no such number of
registers, 6 busy. A request with a wrong CRC, or to another address, is not answered. The CRC is made bit by bit, as the standard shows it, where the
driver's goes by a table.
"""

import struct
from collections.abc import Callable

from simulator import noise
from simulator.chips.line import LineFaults

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
BUSY = 6
_BYTES_PER_SECOND = 960  # 9600 8N1
_MILLION = 1_000_000
_FORMATS = {"u16": ">H", "s16": ">h", "u32": ">I", "s32": ">i", "f32": ">f"}


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return bytes((value & 0xFF, value >> 8))


def words(kind: str, order: str, value: float) -> list[int]:
    """A value as registers: what a maker's manual calls u16 or, say, f32 cdab."""
    data = struct.pack(_FORMATS[kind], value)
    if len(data) == 4:
        data = bytes(data["abcd".index(letter)] for letter in order)
    return [data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)]


class Modbus:
    def __init__(
        self,
        seed: int,
        node: str,
        word: Callable[[int, int, int], int | None],
        faults: LineFaults | None = None,
        *,
        address: int = 1,
        answer_ms: int = 30,
        echo: bool = False,
        neighbour: bool = False,
        busy_ppm: int = 0,
    ) -> None:
        """`word(function, register, t_ms)` is the truth, None where there is no register. `echo`: the transceiver hears itself; `neighbour`: another
        slave's answer is on the line before this one's."""
        self._word = word
        self._faults = faults or LineFaults()
        self._address = address
        self._answer_ms = answer_ms
        self._echo = echo
        self._neighbour = neighbour
        self._busy_ppm = busy_ppm
        self._heard: list[tuple[int, bytes]] = []
        self._key = noise.key(seed, node, "modbus", str(address))

    def hear(self, t_ms: int, data: bytes) -> None:
        self._heard.append((t_ms, data))

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        """Appends what ended in (after_ms, now_ms], until `fifo` holds `room` bytes or a frame more."""
        for t, data in self._heard:
            for at, sent in self._sent(t, data, powered_ms):
                if after_ms < at <= now_ms and len(fifo) < room:
                    fifo += sent
        self._heard = [heard for heard in self._heard if heard[0] + 10_000 > now_ms]

    def _sent(self, t_ms: int, data: bytes, powered_ms: int) -> list[tuple[int, bytes]]:
        """All that is on the line because of a request, each with the time of its end."""
        at = t_ms + _line_ms(data)
        sent = [(at, data)] if self._echo else []
        answer = self._answer(at, data)
        if answer and self._faults.powered_since(t_ms, powered_ms) >= 0:
            if self._neighbour:
                other = self._framed(bytes((self._address % 247 + 1, 3, 4, 1, 2, 3, 4)))
                sent.append((at + self._answer_ms // 2 + 1, other))
            at += self._answer_ms + _line_ms(answer)
            sent.append((at, self._faults.strike(answer, self._key, t_ms)))
        return sent

    def _answer(self, t_ms: int, request: bytes) -> bytes:
        if len(request) < 4 or crc(request[:-2]) != request[-2:] or request[0] != self._address:
            return b""
        function = request[1]
        if function not in (3, 4):
            return self._refusal(function, ILLEGAL_FUNCTION)
        if (noise.draw(self._key, t_ms) & 0xFFFFFFFF) * _MILLION >> 32 < self._busy_ppm:
            return self._refusal(function, BUSY)
        first, count = struct.unpack(">HH", request[2:6])
        if not 1 <= count <= 125:
            return self._refusal(function, ILLEGAL_VALUE)
        data = b""
        for register in range(first, first + count):
            word = None if self._faults.wrong_chip else self._word(function, register, t_ms)
            if word is None:
                return self._refusal(function, ILLEGAL_ADDRESS)
            data += struct.pack(">H", word)
        return self._framed(bytes((self._address, function, 2 * count)) + data)

    def _refusal(self, function: int, code: int) -> bytes:
        return self._framed(bytes((self._address, function | 0x80, code)))

    @staticmethod
    def _framed(data: bytes) -> bytes:
        return data + crc(data)


def _line_ms(data: bytes) -> int:
    return len(data) * 1000 // _BYTES_PER_SECOND + 1
