"""The board's buses in the real VM: every kind from its entry, a held I2C bus freed by nine clocks, and interrupts that allocate nothing."""

import pytest

from tests import vm32
from tests.board.station import FAKES, FIRMWARE
from tests.vm64 import run

pytestmark = pytest.mark.vm


def vm(script):
    return run(script, path=(FAKES, FIRMWARE), timeout=30)


BUILD = """
from node.esp32 import buses, outputs
pins = {
    "uart2": {"kind": "uart", "rx": 16, "tx": 17, "baud": 9600, "parity": 0, "stop": 2},
    "adc1": {"kind": "adc", "pin": 34},
    "i2c0": {"kind": "i2c", "sda": 21, "scl": 22, "khz": 400},
    "probes": {"kind": "onewire", "pin": 13},
    "bucket": {"kind": "pulses", "pin": 27},
    "lid": {"kind": "switch", "pin": 14},
    "siren": {"kind": "output", "pin": 25},
    "valve": {"kind": "output", "pin": 26},
}
made = buses.build(pins)
for name in sorted(made):
    print(name, type(made[name]).__name__)
print(sorted(outputs.build(pins)))
import sys
print("node.esp32.i2c" in sys.modules, made["i2c0"]._i2c.timeout < 5000)
sys.modules.pop("node.esp32.i2c")
buses.build({"uart1": {"kind": "uart", "rx": 1, "tx": 2}, "adc1": {"kind": "adc", "pin": 3}})
print("node.esp32.i2c" in sys.modules)
"""


def test_each_kind_becomes_its_bus_and_only_what_is_there_is_loaded():
    assert vm(BUILD).splitlines() == [
        "adc1 AnalogPin",
        "bucket Pulses",
        "i2c0 I2CBus",
        "lid Switch",
        "probes OneWireBus",
        "uart2 SerialBus",
        "['siren', 'valve']",
        "True True",
        "False",
    ]


FREED = """
import machine
from node.esp32.i2c import I2CBus
class Chip:
    def write(self, data):
        print("heard", data)
machine.I2C.chips[0x40] = Chip()
bus = I2CBus(1, {"sda": 21, "scl": 22})
machine.Pin.outside[21] = 0
machine.Pin.freed_by[22] = [%d, 21]
try:
    bus.write(0x40, b"x")
except OSError as e:
    print("OSError")
"""


@pytest.mark.parametrize(("clocks", "said"), [(1, "heard b'x'\n"), (9, "heard b'x'\n"), (10, "OSError\n")])
def test_a_chip_cut_off_within_a_byte_is_clocked_free(clocks, said):
    assert vm(FREED % clocks) == said


EDGES = """
import machine
import micropython
from node.esp32.contacts import Pulses
import node.esp32.contacts as contacts
LAST = (1 << 30) - 20
class Ticks:
    def __init__(self):
        self.now = LAST - 480
    def ticks_ms(self):
        return self.now
ticks = Ticks()
contacts.time = ticks
pulses = Pulses({"pin": 27, "debounce_ms": 20})
def run(edge):
    error = None
    micropython.heap_lock()
    try:
        for _ in range(30):
            edge(None)
            edge(None)
            ticks.now = 0 if ticks.now == LAST else ticks.now + 20
    except Exception as e:
        error = e
    finally:
        micropython.heap_unlock()
    print(error, pulses.count())
run(machine.Pin._handlers[27])
"""
PIN = b"""
class Pin:
    IN = PULL_UP = IRQ_FALLING = 0
    _handlers = {}
    def __init__(self, number, mode, pull):
        self.number = number
    def irq(self, handler, trigger):
        self._handlers[self.number] = handler
"""
MODULES = (
    "node/__init__.py",
    "node/core/__init__.py",
    "node/core/clock.py",
    "node/core/tips.py",
    "node/esp32/__init__.py",
    "node/esp32/contacts.py",
)


def test_the_interrupt_counts_without_allocating_on_64_and_on_32_bit():
    assert vm(EDGES) == "None 30\n"
    files = vm32.firmware_files()
    assert vm32.run(EDGES, {"machine.py": PIN, **{name: files[name] for name in MODULES}}) == "None 30\n"


BOOT = """
import json, os
os.mkdir("world")
with open("station.json", "w") as file:
    json.dump(%r, file)
exec(open(%r).read())
with open("world/pins") as file:
    print(sorted(file.read().split("\\n")[:-1]))
"""


def test_the_boot_turns_every_output_off_that_can_be_and_a_bad_entry_keeps_none_on():
    pins = {
        "siren": {"kind": "output", "pin": 25},
        "a": {"kind": "output"},
        "b": 7,
        "c": {"pin": 3},
        "valve": {"kind": "output", "pin": 26},
        "lid": {"kind": "switch", "pin": 14},
    }
    assert vm(BOOT % ({"pins": pins}, str(FIRMWARE / "boot.py"))) == "['25 0', '26 0']\n"
