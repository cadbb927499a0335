import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import scd4x
from node.drivers.scd4x import SCD4x
from simulator.chips.i2c import NO_FAULTS, Faults
from simulator.chips.scd4x import SCD4x as Chip
from simulator.chips.sensirion import framed
from tests.drivers.wire import I2C, Clock, Endless, Script, measure, outcome

READY = framed([0x8006])
# UNVERIFIED: vectors.json quotes the datasheet's read_measurement example from memory (500 ppm, 25 degC, 37 %RH). Tests of several other drivers hold the
# same nine bytes, as from the datasheet 3.6.2; one notes that the datasheet prints 7b for the first CRC, where the polynomial gives 33.
VECTORS = [("01f4336667a25eb93c", [500, 2500, 3700])]


@pytest.mark.parametrize(("answer", "values"), VECTORS)
def test_the_unverified_datasheet_example_gives_its_values(answer, values):
    assert measure(SCD4x(Script([READY, bytes.fromhex(answer)]), {})) == (0, values, 4)


def test_the_crc_printed_in_the_datasheet_is_refused():
    assert outcome(SCD4x(Script([READY, bytes.fromhex("01f47b6667a25eb93c")]), {})) == "bad_checksum"


def fitted(clock, co2=lambda t: 415, faults=NO_FAULTS):
    return SCD4x(I2C({0x62: Chip(clock, co2, lambda t: 2800, lambda t: 7000, faults)}), {})


def test_an_idle_chip_is_started_and_its_number_read():
    clock = Clock()
    driver = fitted(clock)
    assert outcome(driver, clock) == "warming_up"
    assert clock.t < 7000
    clock.t += 6000
    assert measure(driver, clock) == (0, [415, 2800, 7000], 4)
    assert driver.serial == 0xF8963B079A2C


def test_a_measuring_chip_is_read_at_once_and_never_twice_the_same_reading():
    clock = Clock()
    driver = fitted(clock, co2=lambda t: 400 + t // 1000)
    measure(driver, clock)
    clock.t += 60_000
    first = measure(driver, clock)
    second = measure(driver, clock)
    assert first[2] == 4
    assert 1000 < second[2] < 6000
    assert second[1][0] > first[1][0]


def test_a_station_that_reboots_does_not_stop_a_measuring_chip():
    clock = Clock()
    driver = fitted(clock)
    measure(driver, clock)
    clock.t += 30_000
    again = SCD4x(driver._bus, {})
    assert measure(again, clock) == (0, [415, 2800, 7000], 4)


def test_pulled_and_plugged_in_again_it_is_started_again():
    clock = Clock()
    driver = fitted(clock, faults=Faults(unplugged_ms=((20_000, 30_000),)))
    outcome(driver, clock)
    clock.t = 19_000
    assert outcome(driver, clock) == [415, 2800, 7000]
    clock.t = 25_000
    assert outcome(driver, clock) == "no_answer"
    clock.t = 60_000
    assert outcome(driver, clock) == "no_answer"  # the first second after power
    clock.t = 70_000
    assert outcome(driver, clock) == "warming_up"
    clock.t = 80_000
    assert outcome(driver, clock) == [415, 2800, 7000]


def test_a_chip_that_never_has_a_reading_is_given_up():
    clock = Clock()

    class Dead(Chip):
        def _has_reading(self):
            return False

    driver = SCD4x(I2C({0x62: Dead(clock, lambda t: 415, lambda t: 0, lambda t: 0)}), {})
    assert [outcome(driver, clock) for _ in range(3)] == ["warming_up", "no_answer", "no_answer"]
    assert clock.t < 30_000


def test_no_carbon_dioxide_at_all_is_no_air():
    assert outcome(SCD4x(Script([READY, framed([0, 0x6667, 0x5EB9])]), {})) == [MISSING, 2500, 3700]


def test_every_single_bit_flip_is_refused():
    for bit in range(72):
        struck = bytearray.fromhex(VECTORS[0][0])
        struck[bit // 8] ^= 1 << bit % 8
        assert outcome(SCD4x(Script([READY, struck]), {})) == "bad_checksum"
    for bit in range(24):
        struck = bytearray(READY)
        struck[bit // 8] ^= 1 << bit % 8
        assert outcome(SCD4x(Script([struck]), {})) == "bad_checksum"


@given(st.integers(0, 65535))
def test_rounding_is_within_half_a_step(ticks):
    assert abs(scd4x.convert_humidity(ticks) - 10000 * ticks / 65535) <= 0.5 + 1e-9


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_from_the_bus_give_a_reading_in_range_or_a_reason(data):
    got = outcome(SCD4x(Endless(data), {}))
    assert got in ("bad_checksum", "no_answer") or all(-1000 <= value <= 40000 or value == MISSING for value in got)


@given(st.lists(st.integers(0, 0xFFFF), min_size=3, max_size=3))
def test_any_words_with_right_checksums_give_values_in_range_or_missing(words):
    got = outcome(SCD4x(Script([READY, framed(words)]), {}))
    assert got[0] == MISSING or 1 <= got[0] <= 40000
    assert got[1] == MISSING or -1000 <= got[1] <= 6000
    assert 0 <= got[2] <= 10000
