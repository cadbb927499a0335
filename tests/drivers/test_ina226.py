import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import ina226
from node.drivers.ina226 import INA226
from simulator.chips.i2c import NO_FAULTS, Faults
from simulator.chips.ina226 import INA226 as Chip
from tests.drivers.wire import I2C, Clock, Endless, measure, outcome

# vectors.json, ina226: tests of the embedded-hal crate; the datasheet's steps are 2.5 uV and 1.25 mV
SHUNTS = [(0x8300, -80000)]
VOLTAGES = [(0x0300, 960)]
# The datasheet's own example (SBOS547, the table in 6.5.2, from memory: its numbers were not seen again here): 2 mOhm, 10 A: shunt 20 mV is 1F40, bus
# 11.98 V is 2570, 119.8 W
EXAMPLE = (0x1F40, 2000, 10_000, 0x2570, 11_980, 1198)
CONFIG = {"shunt_uohm": 2000}


def fitted(clock, mv=11_980, ma=10_000, faults=NO_FAULTS, config=CONFIG):
    return INA226(I2C({0x40: Chip(clock, lambda t: mv, lambda t: ma, abs(config["shunt_uohm"]), faults)}), config)


def test_registers_mean_what_another_driver_asserts():
    for raw, uv in SHUNTS:
        assert ina226.convert_shunt_uv(raw) == uv
    for raw, mv in VOLTAGES:
        assert ina226.convert_mv(raw) == mv


def test_the_datasheets_own_example_comes_out():
    shunt, uohm, ma, bus, mv, deciwatts = EXAMPLE
    assert ina226.convert_ma(shunt, uohm) == ma
    assert ina226.convert_mv(bus) == mv
    clock = Clock()
    assert outcome(fitted(clock, mv, ma), clock) == [mv, ma, deciwatts]


@given(st.integers(0, 36_000), st.integers(-40_000, 40_000))
def test_the_chip_model_turned_back_gives_the_truth(mv, ma):
    clock = Clock()
    result, values, total = measure(fitted(clock, mv, ma), clock)
    assert (result, total) == (0, 40)
    assert abs(values[0] - mv) <= 1
    assert abs(values[1] - ma) <= 1
    assert abs(values[2] * 100_000 - values[0] * values[1]) <= 50_000


def test_a_shunt_wired_backwards_is_a_negative_shunt():
    clock = Clock()
    assert outcome(fitted(clock, ma=-10_000, config={"shunt_uohm": -2000}), clock) == [11_980, 10_000, 1198]


def test_more_than_36_volts_is_refused():
    for mv in (36_010, 39_000, 50_000):
        clock = Clock()
        assert outcome(fitted(clock, mv), clock) == "out_of_range"


def test_a_current_past_the_shunts_range_is_missing_and_the_voltage_stands():
    for ma in (41_000, -41_000):
        clock = Clock()
        assert outcome(fitted(clock, ma=ma), clock) == [11_980, MISSING, MISSING]


def test_another_chip_at_its_address_is_no_answer_and_the_right_one_comes_back_by_itself():
    clock = Clock()
    driver = fitted(clock, faults=Faults(other_chip_ms=((0, 1000),), unplugged_ms=((2000, 3000),)))
    assert outcome(driver, clock) == "no_answer"
    for t, good in ((1000, True), (2000, False), (3000, True)):
        clock.t = t
        assert (outcome(driver, clock) == [11_980, 10_000, 1198]) == good


def test_power_that_fails_during_a_measurement_is_no_reading():
    clock = Clock()
    driver = fitted(clock, faults=Faults(unplugged_ms=((20, 21),)))
    assert outcome(driver, clock) == "no_answer"
    assert outcome(driver, clock) == [11_980, 10_000, 1198]


def test_one_chip_is_a_panel_or_a_charger_or_the_sirens_current():
    for gives in (
        ["panel_voltage:2", "panel_current:2", "panel_power:2"],
        ["charger_voltage", "charger_current", None],
        [None, "siren_current", None],
    ):
        driver = INA226(None, dict(CONFIG, gives=gives))
        assert list(driver.GIVES) == gives


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_from_the_bus_give_a_reading_in_range_or_a_reason(data):
    driver = INA226(Endless(data), CONFIG)
    driver._known = True
    check(outcome(driver))
    check(outcome(driver))


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_any_registers_give_a_reading_in_range_or_a_reason(shunt, bus):
    class Registers(Endless):
        def read_into(self, address, buffer):
            found = {0xFE: 0x5449, 0xFF: 0x2260, 6: 8, 0: 0x4523, 1: shunt, 2: bus}[self.written[-1][1][0]]
            buffer[0], buffer[1] = found >> 8, found & 0xFF

    check(outcome(INA226(Registers(b""), CONFIG)))


def check(got):
    if isinstance(got, list):
        assert 0 <= got[0] <= 36_000
        assert got[1] == MISSING or abs(got[1]) <= 40_960


def test_a_shunt_that_cannot_be_is_told_at_once():
    for uohm in (0, 5, 200_000_000):
        with pytest.raises(ValueError):
            INA226(None, {"shunt_uohm": uohm})
