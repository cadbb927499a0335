"""drivers/README.md says which drivers' data has a checksum and which not; here it is held to that."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.drivers import catalog
from node.drivers.ads1115 import ADS1115
from node.drivers.bme280 import BME280
from node.drivers.ina226 import INA226
from simulator.chips import ads1115, bme280, ina226
from tests.drivers.wire import I2C, Clock, outcome

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "firmware/node/drivers/README.md").read_text(encoding="utf-8")


def rows(heading):
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| ([a-z][a-z0-9_]*) \|", section, re.MULTILINE)[1:]


PROTECTED = rows("Protected on the wire")
UNPROTECTED = rows("Unprotected on the wire")


def test_every_driver_of_the_catalogue_is_in_one_of_the_two_lists():
    listed = PROTECTED + UNPROTECTED
    assert len(set(listed)) == len(listed)
    missing = {*catalog.LEVEL, *catalog.OTHERS} - set(listed)
    assert not missing, f"firmware/node/drivers/README.md: say of {sorted(missing)} whether its data has a checksum"
    for name in listed:
        assert (ROOT / f"firmware/node/drivers/{name}.py").is_file(), f"README.md lists {name}, which is no driver"


@pytest.mark.parametrize("name", PROTECTED)
def test_a_protected_driver_has_a_test_that_flips_every_bit(name):
    source = (ROOT / f"tests/drivers/test_{name}.py").read_text(encoding="utf-8")
    assert re.search(r"def test_\w*(single_bit|bit_flip)\w*\(", source), (
        f"README.md calls {name} protected: flip every bit in its test"
    )


def test_the_four_of_the_design_are_listed_as_unprotected():
    assert {"maxbotix", "bme280", "ina226", "ads1115"} <= set(UNPROTECTED)


class Struck(I2C):
    """One bit of one answer is struck on the wire."""

    def __init__(self, chips, answer, bit):
        super().__init__(chips)
        self.left = answer
        self.bit = bit

    def read_into(self, address, buffer):
        super().read_into(address, buffer)
        if self.left == 0:
            bit = self.bit % (8 * len(buffer))
            buffer[bit // 8] ^= 1 << bit % 8
        self.left -= 1


def bme(answer, bit):
    clock = Clock()
    chip = bme280.BME280(clock, lambda t: 2500, lambda t: 5000, lambda t: 100000)
    return BME280(Struck({0x76: chip}, answer, bit), {}), clock


def ina(answer, bit):
    clock = Clock()
    chip = ina226.INA226(clock, lambda t: 12000, lambda t: 5000, 2000)
    return INA226(Struck({0x40: chip}, answer, bit), {"shunt_uohm": 2000}), clock


def ads(answer, bit):
    clock = Clock()
    row = {"input": "0", "range_mv": 4096, "gives": "battery", "steps_per_v": 5700}
    return ADS1115(
        Struck({0x48: ads1115.ADS1115(clock, [lambda t: 2_210_526] * 4)}, answer, bit), {"channels": [row]}
    ), clock


# driver, how many answers a first measurement reads, what each value may be at most and at least
CASES = {
    "bme280": (bme, 6, [(-4000, 8500), (-500, 10500), (30000, 110000)]),
    "ina226": (ina, 6, [(0, 36000), (-40960, 40960), (-14746, 14746)]),
    "ads1115": (ads, 2, [(-23347, 23347)]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bit_struck_from_an_unprotected_chip_can_pass_but_never_out_of_its_range(name):
    """Why these are in the list: some flips are another reading. None is a reading the chip cannot have made."""
    make, answers, ranges = CASES[name]
    assert name in UNPROTECTED
    right = outcome(*make(99, 0))
    passed = refused = 0
    for answer in range(answers):
        for bit in range(208):
            got = outcome(*make(answer, bit))
            if isinstance(got, str):
                refused += 1
                continue
            passed += got != right
            for value, (low, high) in zip(got, ranges, strict=True):
                assert value == MISSING or low <= value <= high
    print(f"{name}: {passed} flips are another reading, {refused} are refused")
    assert passed
    assert refused


@given(st.sampled_from(sorted(CASES)), st.integers(0, 6), st.integers(0, 207))
def test_the_measurement_after_a_struck_one_is_right_again(name, answer, bit):
    make, answers, _ = CASES[name]
    right = outcome(*make(99, 0))
    driver, clock = make(answer % answers, bit)
    outcome(driver, clock)
    assert outcome(driver, clock) == right
