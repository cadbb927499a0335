import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import sensirion, sht4x
from node.drivers.sht4x import SHT4x
from simulator.chips.i2c import Faults
from simulator.chips.sensirion import framed
from simulator.chips.sht4x import SHT4x as Chip
from tests.drivers.wire import I2C, Clock, Endless, Script, measure, outcome

SERIAL = bytes.fromhex("dead98beef92")
# The six bytes of an answer, 1/100 degC, 1/100 %RH. Source: test_sht4x.c of an SHT4x component for ESP-IDF (read as GitHub text, file 32688672405):
# 20.001144426642256 degC, 40.000228885328454 %RH, 100.000610 %RH, -0.001297 %RH. It clamps the last two; here 100.0006 and -0.0013 round to the ends.
VECTORS = [
    ("5f161a5e353b", 2000, 4000),
    ("5f161ad91663", 2000, 10000),
    ("5f161a0c4980", 2000, 0),
]


@pytest.mark.parametrize(("answer", "cc", "cp"), VECTORS)
def test_answers_seen_elsewhere_give_their_values(answer, cc, cp):
    driver = SHT4x(Script([SERIAL, bytes.fromhex(answer)]), {})
    assert measure(driver) == (0, [cc, cp], 20)
    assert driver.serial == 0xDEADBEEF


def test_the_ends_of_the_formulas_are_told_as_they_are():
    """Datasheet 4.6: -45 to 130 degC, -6 to 119 %RH."""
    assert [sensirion.convert_temperature(ticks) for ticks in (0, 65535)] == [-4500, 13000]
    assert [sht4x.convert_humidity(ticks) for ticks in (0, 65535)] == [-600, 11900]


@given(st.integers(0, 65535))
def test_rounding_is_within_half_a_step(ticks):
    assert abs(sensirion.convert_temperature(ticks) - (-4500 + 17500 * ticks / 65535)) <= 0.5 + 1e-9
    assert abs(sht4x.convert_humidity(ticks) - (-600 + 12500 * ticks / 65535)) <= 0.5 + 1e-9


@given(st.integers(-3990, 12490), st.integers(-490, 10490))
def test_the_chip_model_turned_back_gives_the_truth(temperature, humidity):
    clock = Clock()
    driver = SHT4x(I2C({0x44: Chip(clock, lambda t: temperature, lambda t: humidity)}), {})
    for took in (20, 10):  # the serial number is read once
        result, values, total = measure(driver, clock)
        assert (result, total) == (0, took)
        assert abs(values[0] - temperature) <= 1
        assert abs(values[1] - humidity) <= 1


def test_every_single_bit_flip_is_refused():
    for bit in range(48):
        struck = bytearray.fromhex("5f161a5e353b")
        struck[bit // 8] ^= 1 << bit % 8
        assert outcome(SHT4x(Script([SERIAL, struck]), {})) == "bad_checksum"
        number = bytearray(SERIAL)
        number[bit // 8] ^= 1 << bit % 8
        assert outcome(SHT4x(Script([number]), {})) == "bad_checksum"


def test_pulled_and_plugged_in_again_it_comes_back_and_tells_its_number_anew():
    clock = Clock()
    chip = Chip(clock, lambda t: 2500, lambda t: 5000, Faults(unplugged_ms=((100, 200),)))
    driver = SHT4x(I2C({0x44: chip}), {})
    assert outcome(driver, clock) == [2500, 5000]
    clock.t = 100
    assert outcome(driver, clock) == "no_answer"
    clock.t = 200
    assert measure(driver, clock) == (0, [2500, 5000], 20)


def test_another_chip_a_held_bus_and_noise_each_have_their_reason():
    clock = Clock()
    faults = Faults(
        other_chip_ms=((0, 100),), held_low_ms=((100, 200),), garbage_ms=((200, 300),), zeros_ms=((300, 400),)
    )
    driver = SHT4x(I2C({0x44: Chip(clock, lambda t: 2500, lambda t: 5000, faults)}), {})
    reasons = []
    for t in range(0, 500, 100):
        clock.t = t
        reasons.append(outcome(driver, clock))
    assert reasons == ["bad_checksum", "no_answer", "bad_checksum", "bad_checksum", [2500, 5000]]


def test_a_value_no_sensor_has_is_missing():
    answer = framed([0xFFFF, 0x5E35])
    assert outcome(SHT4x(Script([SERIAL, answer]), {})) == [MISSING, 4000]


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_from_the_bus_give_a_reading_in_range_or_a_reason(data):
    got = outcome(SHT4x(Endless(data), {}))
    assert got == "bad_checksum" or all(-4000 <= value <= 12500 or value == MISSING for value in got)
