import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import sen5x
from node.drivers.sen5x import SEN5x
from simulator.chips.i2c import NO_FAULTS, Faults
from simulator.chips.sen5x import SEN5x as Chip
from simulator.chips.sensirion import framed
from tests.drivers.wire import I2C, Clock, Endless, Script, measure, outcome

NAME = framed([0x5345, 0x4E35, 0x3500])
READY = framed([1])
# Sensirion/python-i2c-sen5x tests/response_types/*.py (BSD-3): ticks and what they mean. The wire's order of the eight words is the same repository's
# tests/measured_values/test_measured_values.py. No captured frame was found; CRCs here are the ones proven in test_sensirion.py.
MASSES = [(42, 42), (0xFFFF, MISSING)]  # 4.2 ug/m3; not available
HUMIDITIES = [(0x7FFF, MISSING), (-1337 & 0xFFFF, MISSING)]  # -13.37 %RH: theirs passes it on, no air has it
TEMPERATURES = [(-4242 & 0xFFFF, -2121), (0x7FFF, MISSING)]  # -21.21 degC
INDICES = [(42, 42), (0x7FFF, MISSING)]  # 4.2
TRUTHS = (120, 250, 300, 330, 6543, 2876, 1000, 15)


def fitted(clock, faults=NO_FAULTS, model="SEN55", truths=TRUTHS):
    return SEN5x(I2C({0x69: Chip(clock, [lambda t, v=v: v for v in truths], faults, model)}), {})


def test_ticks_mean_what_the_makers_own_tests_say():
    assert [sen5x.convert_mass(ticks) for ticks, _ in MASSES] == [value for _, value in MASSES]
    assert [sen5x.convert_humidity(ticks) for ticks, _ in HUMIDITIES] == [value for _, value in HUMIDITIES]
    assert [sen5x.convert_temperature(ticks) for ticks, _ in TEMPERATURES] == [value for _, value in TEMPERATURES]
    assert [sen5x.convert_index(ticks) for ticks, _ in INDICES] == [value for _, value in INDICES]


def test_the_eight_words_stand_in_the_makers_order():
    answer = framed((11, 22, 33, 44, 55, 66, 77, 88))
    driver = SEN5x(Script([NAME, READY, answer]), {})
    assert outcome(driver) == [11, 22, 33, 44, 55, 33, 77, 88]
    assert driver.GIVES == ("pm1", "pm2_5", "pm4", "pm10", "humidity", "temperature", "voc_index", "nox_index")


def test_an_idle_chip_is_started_and_warms_up_until_the_next_measurement():
    clock = Clock()
    driver = fitted(clock)
    assert outcome(driver, clock) == "warming_up"
    assert 2000 <= clock.t < 3000
    clock.t += 60_000
    assert measure(driver, clock) == (0, list(TRUTHS), 60)
    clock.t += 60_000
    assert measure(driver, clock) == (0, list(TRUTHS), 40)


def test_a_station_that_reboots_finds_its_chip_measuring():
    clock = Clock()
    driver = fitted(clock)
    measure(driver, clock)
    clock.t += 5_000
    assert measure(SEN5x(driver._bus, {}), clock)[2] == 60


@pytest.mark.parametrize(("model", "missing"), [("SEN50", 4), ("SEN54", 1), ("SEN55", 0)])
def test_what_the_model_lacks_is_missing(model, missing):
    clock = Clock()
    driver = fitted(clock, model=model)
    outcome(driver, clock)
    clock.t += 60_000
    values = outcome(driver, clock)
    assert values == [*TRUTHS[: 8 - missing], *[MISSING] * missing]


def test_nox_is_missing_in_its_first_seconds():
    clock = Clock()
    driver = fitted(clock)
    driver._bus.write(0x69, b"\x00\x21")
    clock.t += 1500
    assert outcome(driver, clock) == [*TRUTHS[:7], MISSING]


def test_pulled_and_plugged_in_again_it_warms_up_again():
    clock = Clock()
    driver = fitted(clock, faults=Faults(unplugged_ms=((40_000, 50_000),)))
    outcome(driver, clock)
    clock.t = 35_000
    assert outcome(driver, clock) == list(TRUTHS)
    clock.t = 45_000
    assert outcome(driver, clock) == "no_answer"
    clock.t = 60_000
    assert outcome(driver, clock) == "warming_up"
    clock.t = 120_000
    assert outcome(driver, clock) == list(TRUTHS)


def test_another_chip_of_the_same_maker_at_its_address_is_no_answer():
    clock = Clock()
    driver = fitted(clock, faults=Faults(other_chip_ms=((0, 1000),)))
    assert outcome(driver, clock) == "no_answer"
    clock.t = 1000
    assert outcome(driver, clock) == "warming_up"
    clock.t = 60_000
    assert outcome(driver, clock) == list(TRUTHS)


def test_a_chip_that_never_has_a_reading_is_given_up():
    class Dead(Chip):
        def _has_reading(self):
            return False

    clock = Clock()
    driver = SEN5x(I2C({0x69: Dead(clock, [lambda t: 0] * 8)}), {})
    assert [outcome(driver, clock) for _ in range(3)] == ["warming_up", "no_answer", "no_answer"]
    assert clock.t < 10_000


def test_every_single_bit_flip_is_refused():
    good = framed((11, 22, 33, 44, 55, 66, 77, 88))
    for place, answer in enumerate((NAME, READY, good)):
        for bit in range(len(answer) * 8):
            script = [NAME, READY, good]
            struck = bytearray(answer)
            struck[bit // 8] ^= 1 << bit % 8
            script[place] = struck
            assert outcome(SEN5x(Script(script), {})) == "bad_checksum"


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_from_the_bus_give_a_reading_in_range_or_a_reason(data):
    assert outcome(SEN5x(Endless(data), {})) in ("bad_checksum", "no_answer")


@given(st.lists(st.integers(0, 0xFFFF), min_size=8, max_size=8))
def test_any_words_with_right_checksums_give_values_in_range_or_missing(words):
    values = outcome(SEN5x(Script([NAME, READY, framed(words)]), {}))
    ranges = [(0, 10000)] * 4 + [(-500, 10500), (-4000, 9000), (10, 5000), (10, 5000)]
    for value, (low, high) in zip(values, ranges, strict=True):
        assert value == MISSING or low <= value <= high
