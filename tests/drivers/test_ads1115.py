import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import ads1115
from node.drivers.ads1115 import ADS1115
from simulator.chips.ads1115 import ADS1115 as Chip
from simulator.chips.i2c import NO_FAULTS, Faults
from tests.drivers.wire import I2C, Clock, Endless, measure, outcome

# eldruin/ads1x1x-rs src/conversion.rs (MIT OR Apache-2.0), vectors.json: register to signed number. The ends of the range are refused here.
CONVERSIONS = [(0x0000, 0), (0x7FFF, MISSING), (0x8000, MISSING), (0xFFFF, -1)]
# The same source: 62.5 uV a step at 2.048 V, 125 uV at 4.096 V; the datasheet's table 7-3 has them all
STEPS_NV = [(6144, 187500), (4096, 125000), (2048, 62500), (1024, 31250), (512, 15625), (256, 7812.5)]
# Config register by the datasheet's table 8-3 (SBAS444E); after power-up it is 8583: AIN0 to AIN1, 2.048 V, single-shot, 128 a second
SETUPS = [("0", 2048, 0xC583), ("0-1", 2048, 0x8583), ("3", 4096, 0xF383), ("2-3", 256, 0xBB83)]

BATTERY = {"input": "0", "range_mv": 4096, "gives": "battery", "steps_per_v": 5700}
SIREN = {
    "input": "1",
    "range_mv": 6144,
    "gives": "siren_current",
    "steps_per_v": 5405,
    "zero_uv": 2_500_000,
}  # ACS712, 5 A: 185 mV/A
CHARGER = {
    "input": "2-3",
    "range_mv": 256,
    "gives": "charger_current",
    "steps_per_v": -10000,
}  # 0.1 Ohm, wired backwards
CONFIG = {"channels": [BATTERY, SIREN, CHARGER]}


def fitted(clock, inputs=(2_210_526, 4_350_000, 100_000, 150_000), faults=NO_FAULTS):
    return ADS1115(I2C({0x48: Chip(clock, [lambda t, uv=uv: uv for uv in inputs], faults)}), CONFIG)


def test_registers_mean_what_another_driver_asserts():
    for raw, number in CONVERSIONS:
        uv = ads1115.convert_uv(raw, 2048)
        assert uv == (MISSING if number == MISSING else (number * 125 + 1) // 2)


@pytest.mark.parametrize(("range_mv", "step_nv"), STEPS_NV)
def test_steps_are_the_datasheets_to_half_a_microvolt(range_mv, step_nv):
    for raw in range(-32767, 32767, 11):
        assert abs(ads1115.convert_uv(raw & 0xFFFF, range_mv) - raw * step_nv / 1000) <= 0.5


@pytest.mark.parametrize(("wanted", "range_mv", "word"), SETUPS)
def test_the_config_register_selects_input_and_range(wanted, range_mv, word):
    assert ads1115.setup(wanted, range_mv) == word


def test_channels_are_converted_one_after_another_in_their_points_units():
    clock = Clock()
    driver = fitted(clock)
    assert driver.GIVES == ("battery", "siren_current", "charger_current")
    result, values, total = measure(driver, clock)
    assert (result, total) == (0, 27)
    assert abs(values[0] - 12600) <= 1
    assert abs(values[1] - 9999) <= 1
    assert values[2] == 500


def test_a_voltage_past_the_range_is_missing_and_the_others_stand():
    clock = Clock()
    assert outcome(fitted(clock, (5_000_000, 2_500_000, 0, 0)), clock) == [MISSING, 0, 0]


def test_another_chip_at_its_address_is_no_answer_and_the_right_one_comes_back_by_itself():
    clock = Clock()
    driver = fitted(clock, faults=Faults(other_chip_ms=((0, 1000),), unplugged_ms=((2000, 3000),)))
    assert outcome(driver, clock) == "no_answer"
    clock.t = 1000
    assert outcome(driver, clock)[2] == 500
    clock.t = 2000
    assert outcome(driver, clock) == "no_answer"
    clock.t = 3000
    assert outcome(driver, clock)[2] == 500


def test_power_that_fails_during_a_conversion_is_no_reading():
    clock = Clock()
    assert outcome(fitted(clock, faults=Faults(unplugged_ms=((3, 4),))), clock) == "no_answer"


def test_a_conversion_that_another_driver_replaced_is_refused():
    clock = Clock()
    bus = I2C({0x48: Chip(clock, [lambda t: 1_000_000] * 4)})
    one, other = ads1115.OneShot(bus, 0x48), ads1115.OneShot(bus, 0x48)
    one.begin(ads1115.setup("0", 4096), 4096)
    other.begin(ads1115.setup("1", 4096), 4096)
    clock.t += 10
    assert one.look() == -1
    assert other.look() == 0
    assert other.uv == 1_000_000


def test_an_input_that_does_not_exist_is_told_at_once():
    for row in ({"input": "4"}, {"range_mv": 5000}, {"steps_per_v": 0}, {"gives": "voltage"}):
        with pytest.raises(ValueError):
            ADS1115(None, {"channels": [dict(BATTERY, **row)]})
    with pytest.raises(ValueError):
        ADS1115(None, {"channels": []})


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_from_the_bus_give_numbers_or_a_reason(data):
    got = outcome(ADS1115(Endless(data), CONFIG))
    assert got == "no_answer" or all(value == MISSING or abs(value) < 1 << 30 for value in got)


@given(
    st.integers(-32767, 32766),
    st.sampled_from(ads1115.RANGES_MV),
    st.integers(0, 5_000_000),
    st.integers(1, 10_000_000),
)
def test_no_intermediate_of_the_conversion_leaves_the_small_ints(raw, range_mv, zero_uv, steps):
    assert abs((range_mv >> 8) * 125 * raw + 8) < 1 << 30
    value = ads1115.convert_steps(ads1115.convert_uv(raw & 0xFFFF, range_mv), zero_uv, steps)
    assert abs(value) < 1 << 31
