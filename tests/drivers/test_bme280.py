import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import bme280
from node.drivers.bme280 import BME280
from simulator.chips import bme280 as chip
from simulator.chips.i2c import NO_FAULTS, Faults
from tests.drivers.wire import I2C, Clock, Endless, measure, outcome

BOSCH = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
PIMORONI = (28009, 25654, 50, 39145, -10750, 3024, 5667, -120, -7, 15500, -14600, 6000, 75, 376, 0, 286, 50, 30)
# words, raw temperature, pressure, humidity; degC, Pa, %RH and by how much Pa may differ (theirs are real numbers)
VECTORS = [
    # Bosch BMP280 datasheet BST-BMP280-DS001 3.12, the worked example: 25.08 degC, 100653.27 Pa (no humidity on that chip)
    ((*BOSCH, 75, 362, 0, 333, 0, 30), 519888, 415148, None, 2508, 100653, None, 0.5),
    # pimoroni/bme280-python tests/calibration.py and tests/test_compensation.py (MIT): 24.7894877676, 1006.61517564 hPa, 68.66996648709039
    (PIMORONI, 529191, 326816, 30281, 2479, 100661.517564, 6867, 1),
]
# Calibration words in registers: as the two captured chips above would hold them
WORDS = [
    PIMORONI,
    (28417, 26721, 50, 38042, -10559, 3024, 8726, -185, -7, 9900, -10230, 4285, 75, 360, 0, 325, -50, 30),
]
ADDRESS = 0x76


def truths(temperature=2500, humidity=5000, pressure=100000):
    return (lambda t: temperature), (lambda t: humidity), (lambda t: pressure)


def fitted(clock, *truth, faults=NO_FAULTS, words=chip.WORDS):
    return BME280(I2C({ADDRESS: chip.BME280(clock, *truth, faults, words)}), {})


@pytest.mark.parametrize(("words", "raw_t", "raw_p", "raw_h", "cc", "pa", "cp", "tolerance"), VECTORS)
def test_compensation_agrees_with_the_worked_examples(words, raw_t, raw_p, raw_h, cc, pa, cp, tolerance):
    fine = bme280.convert_fine(words, raw_t)
    assert bme280.convert_temperature(fine) == cc
    assert abs(bme280.convert_pressure(words, raw_p, fine) - pa) <= tolerance
    if cp is not None:
        assert bme280.convert_humidity(words, raw_h, fine) == cp


@pytest.mark.parametrize("words", WORDS)
def test_calibration_words_come_out_of_the_registers_with_their_signs(words):
    assert bme280.calibration(*chip.registers(words)) == words


@given(st.integers(-3900, 8400), st.integers(0, 10000), st.integers(31000, 109000))
def test_the_chip_model_turned_back_gives_the_truth(temperature, humidity, pressure):
    clock = Clock()
    result, values, _ = measure(fitted(clock, *truths(temperature, humidity, pressure)), clock)
    assert result == 0
    assert abs(values[0] - temperature) <= 1
    assert abs(values[2] - pressure) <= 5
    assert abs(values[1] - humidity) <= 3


def test_a_first_measurement_takes_ten_milliseconds_and_reads_the_calibration():
    clock = Clock()
    driver = fitted(clock, *truths())
    assert measure(driver, clock)[2] == 10
    first = driver._bus.transfers
    measure(driver, clock)
    assert (first, driver._bus.transfers - first) == (15, 4)


def test_another_chip_at_its_address_is_no_answer_and_the_right_one_comes_back_by_itself():
    clock = Clock()
    driver = fitted(clock, *truths(), faults=Faults(other_chip_ms=((0, 1000),)))
    assert outcome(driver, clock) == "no_answer"
    clock.t = 1000
    assert outcome(driver, clock)[0] in (2499, 2500, 2501)


def test_a_swapped_chip_is_never_read_with_the_other_chips_calibration():
    """The plug is out between two measurements only: nobody sees it. The new chip has other words."""
    clock = Clock()
    bus = I2C({ADDRESS: chip.BME280(clock, *truths(3000))})
    driver = BME280(bus, {})
    assert abs(outcome(driver, clock)[0] - 3000) <= 1
    bus.chips[ADDRESS] = chip.BME280(clock, *truths(3000), words=WORDS[1])
    assert outcome(driver, clock) == "no_answer"
    assert abs(outcome(driver, clock)[0] - 3000) <= 1


def test_power_that_fails_during_a_measurement_is_no_reading():
    clock = Clock(50)
    driver = fitted(clock, *truths(), faults=Faults(unplugged_ms=((52, 53),)))
    assert outcome(driver, clock) == "no_answer"
    assert outcome(driver, clock) != "no_answer"


def test_a_chip_that_measures_for_ever_is_given_up():
    clock = Clock()
    bus = I2C({ADDRESS: chip.BME280(clock, *truths())})
    driver = BME280(bus, {})
    outcome(driver, clock)
    driver.start()
    driver._bus = Endless(b"\xff")
    values = [0, 0, 0]
    waits = [driver.read_into(values) for _ in range(5)]
    assert waits == [2, 2, 2, 2, -1]


def test_a_value_past_the_chips_range_is_refused_and_not_clamped():
    clock = Clock()
    assert outcome(fitted(clock, *truths(temperature=9000)), clock) == "out_of_range"
    values = outcome(fitted(clock, *truths(pressure=25000, humidity=10200)), clock)
    assert values[2] == MISSING
    assert abs(values[1] - 10200) <= 3  # a wet element: told as it is


def test_no_calibration_at_all_is_no_chip():
    for byte in (b"\x00", b"\xff"):
        assert bme280.calibration(byte * 26, byte * 7) == ()


@given(st.binary(min_size=1, max_size=80))
def test_any_bytes_from_the_bus_give_a_reading_in_range_or_a_reason(data):
    driver = BME280(Endless(data), {})
    for _ in range(3):
        check_values(outcome(driver))


@given(st.binary(min_size=33, max_size=33), st.binary(min_size=8, max_size=8))
def test_any_calibration_words_and_any_raw_values_never_crash(words, data):
    class Any(Endless):
        registers = {b"\xd0": b"\x60", b"\x88": words[:26], b"\xe1": words[26:], b"\xf3": b"\0\x24\xa0\0" + data}

        def read_into(self, address, buffer):
            buffer[:] = self.registers[self.written[-1][1]]

    check_values(outcome(BME280(Any(b""), {})))


def check_values(got):
    if isinstance(got, list):
        assert -4000 <= got[0] <= 8500
        assert got[1] == MISSING or -500 <= got[1] <= 10500
        assert got[2] == MISSING or 30000 <= got[2] <= 110000
