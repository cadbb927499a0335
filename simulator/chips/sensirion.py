"""What Sensirion's simulated I2C chips share: words with their CRC-8, written out bit by bit (the driver has a table); and a chip that
measures by itself."""

from collections.abc import Callable, Sequence

from simulator.chips.i2c import Chip, Faults


def crc8(data: bytes) -> int:
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def framed(words: Sequence[int]) -> bytes:
    """Each word's two bytes, high first, and their CRC."""
    out = bytearray()
    for word in words:
        pair = (word & 0xFFFF).to_bytes(2, "big")
        out += pair + bytes((crc8(pair),))
    return bytes(out)


def ticks(value: int, offset: int, span: int) -> int:
    """A value (1/100 degC or %RH) as a 16-bit word of a range that begins at `offset` and spans `span`; a chip cannot say more than its ends."""
    return max(0, min(0xFFFF, ((value - offset) * 65535 + span // 2) // span))


class Repeating(Chip):
    """Idle until it is told to measure, then a reading every `every_ms`, which is new until it has been fetched."""

    every_ms: int

    def __init__(self, clock: Callable[[], int], faults: Faults, seed: int) -> None:
        super().__init__(clock, faults, seed=seed)
        self._started_ms = -1  # -1: idle
        self._read_ms = 0  # of the newest reading that was fetched
        self._answer = b""

    @property
    def running(self) -> bool:
        """It measures by itself, whoever asks."""
        return self._started_ms >= 0

    def power_on(self) -> None:
        self._started_ms = -1
        self._answer = b""

    def _has_reading(self) -> bool:
        newest_ms = self.clock() - (self.clock() - self._started_ms) % self.every_ms
        return self.running and newest_ms > max(self._started_ms, self._read_ms)
