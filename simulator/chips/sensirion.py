"""What Sensirion's simulated I2C chips share: words with their CRC-8, written out bit by bit (the driver has a table)."""

from collections.abc import Sequence


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
