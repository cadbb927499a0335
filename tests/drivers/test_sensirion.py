"""What SHT4x, SCD4x and SEN5x share: words and their CRC."""

import pytest

from node.drivers import sensirion
from simulator.chips import sensirion as chip

# Sensirion/python-i2c-driver tests/test_crc_calculator.py (BSD-3): vectors.json, sensirion_crc8
CRCS = [("", 0xFF), ("beef", 0x92)]
# Words with their CRC as captured or asserted elsewhere
WORDS = [
    "dead98",  # a test of an SHT4x component for ESP-IDF: serial DEADBEEF is de ad 98 be ef 92
    "beef92",
    "0fba7c",  # circuits_sim (Apache-2.0), SHT4X: serial 0f ba 7c f9 8f 0e
    "f98f0e",
    "6667a2",  # SCD4x datasheet, read_measurement
    "5eb93c",
    "8000a2",  # Sensirion's support on data ready without data (raspberry-pi-i2c-scd4x issue 6)
    "144051",  # a crate's test of an SCD41's variant word
    "5441e9",
]


@pytest.mark.parametrize(("data", "crc"), CRCS)
def test_crc_agrees_with_the_makers_own_tests(data, crc):
    data = bytes.fromhex(data)
    assert sensirion.crc8(data, 0, len(data)) == crc
    assert chip.crc8(data) == crc


@pytest.mark.parametrize("word", WORDS)
def test_words_seen_elsewhere_are_intact(word):
    assert sensirion.intact(bytes.fromhex(word))


def test_crc_of_every_word_is_the_one_made_bit_by_bit():
    for value in range(0x10000):
        data = value.to_bytes(2, "big")
        assert sensirion.crc8(data, 0, 2) == chip.crc8(data)


def test_every_error_of_one_two_or_three_bits_in_a_word_is_refused():
    """The CRC is linear: what is true of the zero word's errors is true of every word's."""
    base = chip.framed([0])
    for a in range(24):
        for b in range(a, 24):
            for c in range(b, 24):
                struck = bytearray(base)
                for bit in {a, b, c}:
                    struck[bit // 8] ^= 1 << bit % 8
                assert not sensirion.intact(struck)


def test_every_bit_flip_of_every_word_is_refused():
    for value in range(0, 0x10000, 37):
        good = chip.framed([value])
        assert sensirion.intact(good)
        for bit in range(24):
            struck = bytearray(good)
            struck[bit // 8] ^= 1 << bit % 8
            assert not sensirion.intact(struck)


def test_a_bus_held_low_or_left_high_is_not_intact():
    for count in (3, 6, 9, 24):
        assert not sensirion.intact(bytes(count))
        assert not sensirion.intact(b"\xff" * count)
