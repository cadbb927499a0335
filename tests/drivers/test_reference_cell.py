import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import reference_cell
from node.drivers.reference_cell import ReferenceCell
from simulator.chips.ads1115 import ADS1115 as Converter
from simulator.chips.i2c import NO_FAULTS, Faults
from simulator.chips.reference_cell import ReferenceCell as Cell
from tests.drivers.wire import I2C, Clock, Endless, outcome

CONFIG = {"input": "0", "range_mv": 256, "uv_at_1000": 75_000}
# uV, uV at 1000 W/m2, alpha in ppm/K, 1/100 degC, W/m2. IEC 60891's correction by hand, no vector of anybody else's was found:
# 75 mV * (1 + 0.0005 * (65 - 25)) = 76.5 mV is 1000 W/m2 at 65 degC, and would be read as 1020 without a temperature.
CASES = [
    (75_000, 75_000, 500, 2500, 1000),
    (76_500, 75_000, 500, 6500, 1000),
    (76_500, 75_000, 500, MISSING, 1020),
    (37_500, 75_000, 0, 6500, 500),
    (0, 75_000, 500, 2500, 0),
    (-300, 75_000, 500, 2500, -4),
]


@pytest.mark.parametrize(("uv", "calibration", "alpha", "cc", "watts"), CASES)
def test_microvolts_are_brought_back_to_25_degrees(uv, calibration, alpha, cc, watts):
    assert reference_cell.convert_irradiance(uv, calibration, alpha, cc) == watts


def fitted(clock, watts, cc, faults=NO_FAULTS):
    cell = Cell(lambda t: watts, lambda t: cc)
    return ReferenceCell(I2C({0x48: Converter(clock, [cell] + [lambda t: 0] * 3, faults)}), CONFIG)


@given(st.integers(0, 1500), st.integers(-2000, 9000))
def test_the_cell_model_turned_back_gives_the_truth(watts, cc):
    clock = Clock()
    driver = fitted(clock, watts, cc)
    driver.temperature_cc = cc
    assert abs(outcome(driver, clock)[0] - watts) <= 1


def test_without_a_temperature_the_error_is_alphas():
    clock = Clock()
    assert outcome(fitted(clock, 1000, 6500), clock) == [1020]


def test_a_voltage_past_the_range_is_no_sunshine():
    clock = Clock()
    assert outcome(fitted(clock, 5000, 2500), clock) == "out_of_range"
    assert outcome(fitted(clock, 2100, 2500), clock) == "out_of_range"


def test_pulled_and_plugged_in_again_it_comes_back():
    clock = Clock()
    driver = fitted(clock, 800, 2500, Faults(unplugged_ms=((0, 100),)))
    assert outcome(driver, clock) == "no_answer"
    clock.t = 100
    assert outcome(driver, clock) == [800]


def test_a_calibration_that_cannot_be_is_told_at_once():
    for row in ({"uv_at_1000": 0}, {"alpha_ppm": 9000}, {"gives": "panel_power"}):
        with pytest.raises(ValueError):
            ReferenceCell(None, dict(CONFIG, **row))


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_from_the_bus_give_a_reading_in_range_or_a_reason(data):
    got = outcome(ReferenceCell(Endless(data), CONFIG))
    assert got in ("no_answer", "out_of_range") or -20 <= got[0] <= 2000
