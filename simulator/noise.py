"""Noise without state: a value is a function of (seed, names, counter), so runs are identical whatever the order of asking.

The mixing is splitmix64 (Steele, Lea, Flood 2014; public domain constants). Integers only: no float, no platform, no order of calls.
"""

from zlib import crc32

MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX1 = 0xBF58476D1CE4E5B9
_MIX2 = 0x94D049BB133111EB

BELL_SD = 148  # standard deviation of bell(): sqrt(4 * (256**2 - 1) / 12) = 147.8


def draw(key: int, counter: int) -> int:
    """64 even bits for this counter under this key."""
    z = (key + counter * _GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * _MIX1) & MASK
    z = ((z ^ (z >> 27)) * _MIX2) & MASK
    return z ^ (z >> 31)


def key(seed: int, *names: str) -> int:
    """The key of one source of noise, for example key(7, "dr01", "range"). Make it once."""
    value = draw(seed & MASK, 1)
    for name in names:
        data = name.encode()
        value = draw(value ^ (crc32(data) << 16 | len(data) & 0xFFFF), 2)
    return value


def below(bits: int, limit: int) -> int:
    """0 to limit - 1 from the lowest 32 bits of a draw."""
    return (bits & 0xFFFFFFFF) * limit >> 32


def bell(bits: int) -> int:
    """About normal around 0, standard deviation BELL_SD, -510 to 510: the sum of the draw's four lowest bytes."""
    return (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255) - 510
