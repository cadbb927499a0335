"""A simulated Sensirion SPS30 on its UART: SHDLC frames in and out, idle or measuring.

From the maker's datasheet (SPS30, version 1.0 of March 2020, chapter 5). Right after the start of a measurement it tells a share of the truth that grows for
30 s; a reading taken twice within its second is without data the second time. Assumed, to be checked on a sensor: an answer begins 5 ms after
the request.
"""

import struct
from collections.abc import Callable

from simulator import noise
from simulator.chips.line import LineFaults

WARM_UP_MS = 30_000
ANSWER_MS = 10  # to its end: 47 bytes take 4 ms at 115200 baud
PRODUCT = b"00080000\0"
_FLAG = 0x7E
_STUFFED = (0x7E, 0x7D, 0x11, 0x13)
_WRONG_STATE = 0x43
_UNKNOWN_COMMAND = 0x02
_DEVICE_ERROR = 0x80


def framed(data: bytes) -> bytes:
    """Checksum, stuffing and both flags around address, command and what follows."""
    out = bytearray([_FLAG])
    for byte in data + bytes([~sum(data) & 0xFF]):
        out += bytes((0x7D, byte ^ 0x20)) if byte in _STUFFED else bytes([byte])
    return bytes(out) + bytes([_FLAG])


def unframed(frame: bytes) -> bytes:
    """Address, command and what follows; empty when a frame is damaged."""
    if len(frame) < 2 or frame[0] != _FLAG or frame[-1] != _FLAG:
        return b""
    data = bytearray()
    escaped = False
    for byte in frame[1:-1]:
        if byte == 0x7D:
            escaped = True
        else:
            data.append(byte ^ 0x20 if escaped else byte)
            escaped = False
    return bytes(data[:-1]) if sum(data) & 0xFF == 0xFF else b""


class SPS30:
    def __init__(
        self,
        seed: int,
        node: str,
        mass: Callable[[int], tuple[int, int, int, int]],
        faults: LineFaults | None = None,
        *,
        fan_fails_ms: int | None = None,
    ) -> None:
        """`mass(t_ms)` is the truth: PM1, PM2.5, PM4, PM10 in 0.1 ug/m3. From `fan_fails_ms` on its fan stands still."""
        self._mass = mass
        self._faults = faults or LineFaults()
        self._fan_fails_ms = fan_fails_ms
        self._key = noise.key(seed, node, "sps30")
        self._heard: list[tuple[int, bytes]] = []
        self._due: list[tuple[int, bytes]] = []
        self._since = -1
        self._measures_ms = -1  # since then, -1 idle
        self._read_second = -1

    @property
    def running(self) -> bool:
        """Fan and laser are on."""
        return self._measures_ms >= 0

    def hear(self, t_ms: int, data: bytes) -> None:
        self._heard.append((t_ms, data))

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        """Appends what ended in (after_ms, now_ms], until `fifo` holds `room` bytes or a frame more."""
        while self._heard and self._heard[0][0] <= now_ms:
            t, data = self._heard.pop(0)
            since = self._faults.powered_since(t, powered_ms)
            if since != self._since:
                self._since = since
                self._measures_ms = -1
            answer = self._answer(t, data) if since >= 0 else b""
            if answer:
                self._due.append((t + ANSWER_MS, self._faults.strike(answer, self._key, t)))
        while self._due and self._due[0][0] <= now_ms:
            at, answer = self._due.pop(0)
            if at > after_ms and len(fifo) < room:
                fifo += answer

    def _answer(self, t_ms: int, request: bytes) -> bytes:
        data = unframed(request)
        if len(data) < 3 or data[0] != 0 or data[2] != len(data) - 3:
            return b""
        command = data[1]
        state, answer = self._obey(t_ms, command, data[3:])
        if self._fan_fails_ms is not None and t_ms >= self._fan_fails_ms:
            state |= _DEVICE_ERROR
        return framed(bytes((0, command, state, len(answer))) + answer)

    def _obey(self, t_ms: int, command: int, data: bytes) -> tuple[int, bytes]:
        if command == 0xD0:
            return 0, b"00090000\0" if self._faults.wrong_chip else PRODUCT
        if command == 0x00:
            if self._measures_ms >= 0:
                return _WRONG_STATE, b""
            self._measures_ms = t_ms
            return 0, b""
        if command == 0x01:
            if self._measures_ms < 0:
                return _WRONG_STATE, b""
            self._measures_ms = -1
            return 0, b""
        if command == 0x03:
            return self._reading(t_ms)
        return _UNKNOWN_COMMAND, b""

    def _reading(self, t_ms: int) -> tuple[int, bytes]:
        if self._measures_ms < 0:
            return _WRONG_STATE, b""
        second = (t_ms - self._measures_ms) // 1000
        if second == self._read_second or second == 0:
            return 0, b""
        self._read_second = second
        age = t_ms - self._measures_ms
        told = [min(tenths * age // WARM_UP_MS, tenths) / 10 for tenths in self._mass(t_ms)]
        return 0, struct.pack(">10f", *told, 26.31, 37.0, 41.52, 42.41, 42.54, 0.8)
