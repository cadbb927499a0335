"""Numbers off a wire as integers in a point's unit: times numerator / denominator, rounded half away from zero, no floats.

Every step keeps below 2**30 while the denominator is below 2**29 and the numerator below 2**14, so that a board's level path
allocates nothing; larger ones are as exact, on the heap. What reaches 2**30, is not a number or infinite is MISSING.
"""

from node.core.measurements import MISSING

_HALF = 0x1FFFFFFF  # of the largest


def from_word(word: int, numerator: int, denominator: int) -> int:
    """An unsigned 16-bit word."""
    return _ratio(0, word, 0, numerator, denominator)


def from_signed_word(word: int, numerator: int, denominator: int) -> int:
    """A 16-bit word in two's complement."""
    if word & 0x8000:
        return _negative(_ratio(0, 0x10000 - word, 0, numerator, denominator))
    return _ratio(0, word, 0, numerator, denominator)


def from_words(high: int, low: int, numerator: int, denominator: int) -> int:
    """Two words, unsigned."""
    return _ratio(high, low, 0, numerator, denominator)


def from_signed_words(high: int, low: int, numerator: int, denominator: int) -> int:
    """Two words in two's complement."""
    if not high & 0x8000:
        return _ratio(high, low, 0, numerator, denominator)
    high ^= 0xFFFF
    if low:
        low = 0x10000 - low
    else:
        high += 1
    return _negative(_ratio(high, low, 0, numerator, denominator))


def from_float32(high: int, low: int, numerator: int, denominator: int) -> int:
    """Two words that are an IEEE 754 binary32."""
    exponent = high >> 7 & 0xFF
    if exponent == 0xFF:
        return MISSING
    fraction = high & 0x7F
    if exponent:
        fraction |= 0x80
    else:
        exponent = 1  # subnormal
    value = _ratio(fraction, low, exponent - 150, numerator, denominator)
    return _negative(value) if high & 0x8000 else value


def _negative(value: int) -> int:
    return value if value == MISSING else -value


def _ratio(high: int, low: int, shift: int, numerator: int, denominator: int) -> int:
    """(high << 16 | low) * 2**shift * numerator / denominator: a long division, a bit at a time from the highest."""
    low *= numerator
    high = high * numerator + (low >> 16)
    low &= 0xFFFF
    if shift == 0 and high <= 0x1FFF and denominator < 0x10000000:  # short of 2**29: in one go
        return ((high << 16 | low) + (denominator >> 1)) // denominator
    bits = 16
    rest = high
    while rest:
        rest >>= 1
        bits += 1
    quotient = remainder = 0
    for weight in range(bits - 1 + shift, -1, -1):
        if quotient > _HALF:
            return MISSING
        place = weight - shift
        remainder <<= 1
        if place >= 16:
            remainder |= high >> (place - 16) & 1
        elif place >= 0:
            remainder |= low >> place & 1
        quotient <<= 1
        if remainder >= denominator:
            remainder -= denominator
            quotient |= 1
    # The bit below the point decides with what is left: less than half, or half and more.
    place = -1 - shift
    remainder <<= 1
    if place >= 16:
        remainder |= high >> (place - 16) & 1
    elif place >= 0:
        remainder |= low >> place & 1
    if remainder >= denominator:
        if quotient == 0x3FFFFFFF:
            return MISSING
        quotient += 1
    return quotient
