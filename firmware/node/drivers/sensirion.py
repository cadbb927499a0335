"""What Sensirion's I2C chips have in common: 16-bit words, high byte first, each followed by its CRC-8 (0x31, starts at 0xFF).

Sensirion's own example: the CRC of BEEF is 92. It finds every error of one, two or three bits in a word.
"""

# 1/100 %RH: a wet or ageing element reads past 0 and 100 by a little, which is told as it is; the core judges.
HUMIDITY_LOW = -500
HUMIDITY_HIGH = 10500

_NIBBLES = b"\x00\x31\x62\x53\xc4\xf5\xa6\x97\xb9\x88\xdb\xea\x7d\x4c\x1f\x2e"


def crc8(buffer, start: int, end: int) -> int:
    crc = 0xFF
    for i in range(start, end):
        crc ^= buffer[i]
        crc = (crc << 4 & 0xFF) ^ _NIBBLES[crc >> 4]
        crc = (crc << 4 & 0xFF) ^ _NIBBLES[crc >> 4]
    return crc


def intact(buffer) -> bool:
    """Every word of the answer agrees with its CRC."""
    for i in range(0, len(buffer), 3):
        if crc8(buffer, i, i + 2) != buffer[i + 2]:
            return False
    return True


def word(buffer, index: int) -> int:
    return buffer[3 * index] << 8 | buffer[3 * index + 1]


def signed(value: int) -> int:
    return value - 0x10000 if value & 0x8000 else value


def convert_temperature(ticks: int) -> int:
    """1/100 degC of SHT4x and SCD4x: -45 + 175 * ticks / 65535."""
    return (17500 * ticks + 32767) // 65535 - 4500
