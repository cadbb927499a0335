"""Integers out of registers and floats, against Python's own fractions and struct."""

import struct
from decimal import ROUND_HALF_UP, Decimal, localcontext

from hypothesis import example, given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import scaled
from tests import vm32, vm64

# high, low, numerator, denominator, integer: 21.7902 C41AE5652 of minimalmodbus's tests, 1.1 and 3.14159 of IEEE 754's readers, and the corners
FLOATS = [
    (0x41AE, 0x5652, 1000, 1, 21792),
    (0x3F80, 0x0000, 1000, 1, 1000),
    (0x3F8C, 0xCCCD, 1000, 1, 1100),
    (0xC049, 0x0FD0, 1000, 1, -3142),
    (0x0000, 0x0000, 1000, 1, 0),
    (0x8000, 0x0000, 1000, 1, 0),
    (0x0000, 0x0001, 1000, 1, 0),  # smallest subnormal
    (0x3F00, 0x0000, 1, 1, 1),  # 0.5 goes away from zero
    (0xBF00, 0x0000, 1, 1, -1),
    (0x3EFF, 0xFFFF, 1, 1, 0),
    (0x4E7F, 0xFFFF, 1, 1, 1073741760),
    (0xCE7F, 0xFFFF, 1, 1, -1073741760),
    (0x4E80, 0x0000, 1, 1, MISSING),  # 2**30
    (0xCE80, 0x0000, 1, 1, MISSING),
    (0x7F7F, 0xFFFF, 1, 1, MISSING),
    (0x7F80, 0x0000, 1, 1, MISSING),  # infinite
    (0xFF80, 0x0000, 1, 1, MISSING),
    (0x7FC0, 0x0000, 1, 1, MISSING),  # no number
]
words = st.integers(0, 0xFFFF)
numerators = st.one_of(st.sampled_from([1, 10, 254, 1000, 10000]), st.integers(1, 1 << 20))
denominators = st.one_of(st.sampled_from([1, 3, 10, 254, 1000]), st.integers(1, (1 << 29) - 1))


def rounded(value, numerator, denominator):
    with localcontext(prec=400):
        exact = Decimal(value) * numerator / denominator
        whole = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    return whole if abs(whole) < 1 << 30 else MISSING


def test_floats_of_others_and_the_corners():
    for high, low, numerator, denominator, integer in FLOATS:
        assert scaled.from_float32(high, low, numerator, denominator) == integer, (hex(high), hex(low))


@given(words, words, numerators, denominators)
@example(0x4B7F, 0xFFFF, 1 << 20, (1 << 29) - 1)
def test_a_float_is_scaled_exactly(high, low, numerator, denominator):
    value = struct.unpack(">f", struct.pack(">HH", high, low))[0]
    got = scaled.from_float32(high, low, numerator, denominator)
    if value != value or value in (float("inf"), float("-inf")):
        assert got == MISSING
    else:
        assert got == rounded(value, numerator, denominator)


@given(st.floats(-40, 40, width=32), st.sampled_from([1000, 100, 10]))
def test_a_float_near_what_sensors_say_is_scaled_exactly(value, numerator):
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    assert scaled.from_float32(high, low, numerator, 1) == rounded(value, numerator, 1)


@given(words, words, numerators, denominators)
def test_registers_are_scaled_exactly(high, low, numerator, denominator):
    data = struct.pack(">HH", high, low)
    for take, form in ((scaled.from_words, ">I"), (scaled.from_signed_words, ">i")):
        assert take(high, low, numerator, denominator) == rounded(struct.unpack(form, data)[0], numerator, denominator)
    for take, form in ((scaled.from_word, ">H"), (scaled.from_signed_word, ">h")):
        value = struct.unpack(form, data[:2])[0]
        assert take(high, numerator, denominator) == rounded(value, numerator, denominator)


VM = """
import micropython
from node.drivers import scaled
FLOATS = %r
def run():
    wrong = 0
    error = None
    micropython.heap_lock()
    try:
        for i in range(len(FLOATS)):
            row = FLOATS[i]
            if scaled.from_float32(row[0], row[1], row[2], row[3]) != row[4]:
                wrong += 1
        if scaled.from_words(0x0001, 0x0000, 1000, 10) != 6553600: wrong += 1
        if scaled.from_signed_words(0xFFFF, 0xFFF6, 16383, 100) != -1638: wrong += 1
    except MemoryError as e:
        error = e
    finally:
        micropython.heap_unlock()
    print(error, wrong)
run()
print([scaled.from_float32(*row[:4]) for row in FLOATS])
"""


def test_both_vms_agree_and_allocate_nothing():
    expected = f"None 0\n{[row[4] for row in FLOATS]}\n"
    script = VM % (FLOATS,)
    assert vm64.run(script) == expected
    assert vm32.run(script, vm32.firmware_files()) == expected
