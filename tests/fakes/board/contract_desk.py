"""The board's adapters on a desk, within the MicroPython VM: stand-ins for `machine`, `network` and `onewire`, real files, pipes and sockets."""

import binascii
import sys

import contracts
import machine
import onewire

from node.esp32 import access, buses, contacts, flash_slots, outputs
from node.esp32 import clock as clock_module
from node.esp32 import power as power_module
from node.esp32.clock import Clock
from node.esp32.console import Console
from node.esp32.link import Link
from node.esp32.platform import Platform
from node.esp32.storage import Storage
from node.esp32.watchdog import Watchdog

SDA, SCL, BUCKET, LID, SIREN = 21, 22, 27, 14, 25
PINS = {
    "uart1": {"kind": "uart", "rx": 16, "tx": 17, "baud": 9600, "power": 4},
    "adc1": {"kind": "adc", "pin": 34},
    "i2c1": {"kind": "i2c", "sda": SDA, "scl": SCL},
    "onewire1": {"kind": "onewire", "pin": 13},
    "bucket": {"kind": "pulses", "pin": BUCKET, "debounce_ms": contracts.DEBOUNCE_MS},
    "lid": {"kind": "switch", "pin": LID},
    "siren": {"kind": "output", "pin": SIREN},
}
BUSES = {"uart": "uart1", "adc": "adc1", "i2c": "i2c1", "onewire": "onewire1", "pulses": "bucket", "switch": "lid"}


class Ticks:
    """`time` as the board's modules see it, turned by hand."""

    def __init__(self, real):
        self.now = contracts.WRAP - 1300  # they wrap soon
        self.gmtime = real.gmtime
        self.sleep_us = real.sleep_us

    def ticks_ms(self):
        return self.now % contracts.WRAP

    def time_ns(self):
        return self.now * 1000000

    def ticks_diff(self, later, earlier):
        return (later - earlier + (contracts.WRAP >> 1)) % contracts.WRAP - (contracts.WRAP >> 1)

    def ticks_add(self, ticks, ms):
        return (ticks + ms) % contracts.WRAP


class Said:
    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += bytes(data)


def _link(port):
    clock = Clock("127.0.0.1", 9)
    return Link(clock, access.build(clock, {}, "data"), {"host": "127.0.0.1", "port": port})


def _slots():
    for file, data in contracts.IN_SLOT_A.items():
        Storage("a").replace(file, data)
    with open("update.key", "w") as keys:
        keys.write("other 00\n" + contracts.KEY_NAME + " " + binascii.hexlify(contracts.KEY).decode() + "\n")
    sys.path.insert(0, "/run_a")  # as boot.py does
    return flash_slots.build(Storage("data"), "")


class Desk:
    def __init__(self, open_port=0, closed_port=0):
        self._ports = (open_port, closed_port)

    def make(self, name):
        if name == "link":  # in real time
            self._link = _link(self._ports[0])
            return self._link
        self.ticks = ticks = Ticks(clock_module.time)
        for module in (clock_module, contacts, machine, power_module):
            module.time = ticks
        machine.I2C.chips.update({0x40: contracts.Memory(), 0x48: contracts.Memory()})
        onewire.OneWire.chips.append(contracts.Complement())
        if name == "clock":
            return Clock("127.0.0.1", 9)
        if name == "storage":
            return Storage("data")
        if name == "console":
            self._said = Said()
            console = Console()
            console._out = self._said
            return console
        if name == "platform":
            return Platform()
        if name == "watchdog":
            return Watchdog(60)
        if name == "slots":
            return _slots()
        if name == "power":
            return power_module.build(PINS)
        if name == "outputs":
            return outputs.build(PINS)["siren"]
        return buses.build(PINS)[BUSES[name]]

    def pass_ms(self, ms):
        self.ticks.now += ms

    def turn(self):
        self._link._poll.poll(5)

    def synchronise(self, port, unix_ms):
        """As an answer of the time server does."""
        port._keeper.answer(port.ticks_ms(), unix_ms)

    # chips and contacts

    def plug(self, address):
        machine.I2C.chips[address] = contracts.Memory()

    def unplug(self, address):
        del machine.I2C.chips[address]

    def hold(self, line):
        machine.Pin.outside[SCL if line == "scl" else SDA] = 0

    def let_go(self):
        machine.Pin.outside.clear()

    def plug_wire(self):
        onewire.OneWire.chips.append(contracts.Complement())

    def unplug_wire(self):
        onewire.OneWire.chips.clear()

    def edge(self):
        self.pass_ms(1)
        machine.Pin.touch(BUCKET, 0)
        machine.Pin.touch(BUCKET, 1)

    def contact(self, closed):
        machine.Pin.touch(LID, 1 - closed)

    # the rest

    def doze(self, port, ms):
        """The chip boots again, a second after it woke."""
        self.pass_ms(ms + 1000)
        return self._booted(port, 4)

    def cut(self, port):
        return self._booted(port, 1)

    def _booted(self, port, cause):
        with open("world/cause", "w") as file:
            file.write(str(cause))
        made = power_module.build(PINS)
        if not hasattr(port, "inner"):
            return made
        port.inner = made  # one that breaks its contract
        return port

    def again(self, port):
        return Storage("data")

    def refuse(self):
        self._link._port = self._ports[1]

    def said(self, port):
        return self._said.data

    def level(self):
        return machine.Pin._values[SIREN]

    def changes(self):
        with open("world/pins") as file:
            lines = [line.split() for line in file]
        levels = [int(level) for pin, level in lines if int(pin) == SIREN]
        return levels[1:]  # the first is the 0 of the beginning

    def fed(self, port):
        with open("world/feeds") as file:
            return file.read().count(".")
