# mypy: ignore-errors
"""Runs in the MicroPython VM, one process per station: the firmware's app between two pipes. simulator/runtimes/vm.py is the other end.

The parent sends a command (`_HEAD`, then its bytes); here the app makes one step on ports that only write down what it does, and one answer goes back
(`_ANSWER`, then what was done, in order). Reading storage or a bus, and writing what may be refused, is asked of the parent within the step; only what the
first UART holds and the first ADC reads comes along with the command.
"""

import binascii
import gc
import json
import struct
import sys
import time

from defects import DRAWN, WHERE, plant
from vm_buses import answer, ask, build, pipe_in, spent, taken, tell

_HEAD = (
    # command, now, unix ms or -1, link state, flags, ADC uV, free bytes, doubts, seconds doubted, trust, bytes of link, UART, console
    "<BIqBBIIHiBHHH"
)
_ENDED = 1  # flag: the other side of the link closed
_FAILING = (
    2  # flag: flash refuses to be written; above it, by 2 bits: one more than where a defect is; by 5: how many times
)
_WINDOW = 5760  # what a link takes at one time


class Clock:
    now = 0
    unix = -1

    def ticks_ms(self):
        return self.now

    def unix_ms(self):
        return None if self.unix < 0 else self.unix

    doubted_s = 0
    source = 0
    vouched = False
    loose = False
    doubted = 0

    def doubts(self):
        return self.doubted

    def trust(self, doubts, doubted_s, trust):
        self.doubted = doubts
        self.doubted_s = doubted_s
        self.source = trust & 1
        self.vouched = trust & 2 != 0
        self.loose = trust & 4 != 0

    def hint(self, unix_s):
        if 0 <= unix_s < 1 << 32:
            tell(15, b"", struct.pack("<I", unix_s))

    def carry(self, unix_ms, loose_ms=0):
        tell(17, b"", struct.pack("<qI", unix_ms, loose_ms))

    def floor(self, unix_s):
        if 0 <= unix_s < 1 << 32:
            tell(15, b"floor", struct.pack("<I", unix_s))


class Output:
    def __init__(self, name):
        self.name = name.encode()
        self.on = -1

    def set(self, on):
        on = 1 if on else 0
        if on != self.on:
            self.on = on
            tell(4, self.name, bytes((on,)))


class Link:
    at = 0
    ended = False
    data = b""
    room = 0

    def open(self):
        if self.at == 0:
            self.at = 1
            self.data = b""
        tell(5, b"", b"")

    def state(self):
        return self.at

    def recv_into(self, buffer):
        data = self.data
        if data:
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            self.data = data[count:]
            tell(6, b"", struct.pack("<H", count))
            return count
        if self.ended:
            self.ended = False
            self.at = 0
            tell(7, b"", b"")
            return -1
        return 0

    def send(self, data):
        if self.at != 2:
            return 0
        data = bytes(data[: self.room])
        self.room -= len(data)
        if data:
            tell(8, b"", data)
        return len(data)

    def close(self):
        self.at = 0
        self.ended = False
        self.data = b""
        tell(9, b"", b"")

    def secure(self):
        tell(19, b"", b"")

    @property
    def reason(self):
        """Asked for by a `status` only."""
        return str(ask(30, "", 0, 0, b""), "utf-8")

    def use(self, values):
        self.at = 0
        self.ended = False
        self.data = b""
        tell(18, b"", json.dumps(values).encode())


class Storage:
    failing = False
    free = 0

    def names(self):
        found = ask(20, "", 0, 0, b"")
        return [str(name, "utf-8") for name in found.split(b"\n")] if found else []

    def size(self, name):
        return struct.unpack("<I", ask(21, name, 0, 0, b""))[0]

    def read(self, name, offset, count):
        return ask(22, name, offset, count, b"")

    def append(self, name, data):
        if self.failing:
            raise OSError(5)
        if len(data) > self.free:
            raise OSError(28)
        self.free -= len(data)
        tell(10, name.encode(), data)

    def replace(self, name, data):
        self.free = struct.unpack("<I", ask(23, name, 0, 0, data))[0]

    def remove(self, name):
        self.free = struct.unpack("<I", ask(24, name, 0, 0, b""))[0]


class SlotStorage(Storage):
    """What lies in a slot; each write is asked of the parent."""

    def __init__(self, slot):
        self._folder = slot + "/"

    def names(self):
        found = ask(20, self._folder, 0, 0, b"")
        return [str(name, "utf-8") for name in found.split(b"\n")] if found else []

    def size(self, name):
        return super().size(self._folder + name)

    def read(self, name, offset, count):
        return super().read(self._folder + name, offset, count)

    def append(self, name, data):
        ask(25, self._folder + name, 0, 0, bytes(data))

    def replace(self, name, data):
        super().replace(self._folder + name, data)

    def remove(self, name):
        super().remove(self._folder + name)


class Slots:
    def __init__(self, told, data):
        self.running = told["running"]
        self.busy = told["busy"]
        self._keys = told["keys"]
        self._data = data

    def state(self):
        from node.core.slots import State

        return State(self._data)

    def storage(self, slot):
        return SlotStorage(slot)

    def key(self, name):
        return binascii.unhexlify(self._keys.get(name, ""))


class Console:
    data = b""

    def read_into(self, buffer):
        return taken(self, buffer, 11, b"")

    def write(self, data):
        tell(12, b"", data)


class Watchdog:
    def feed(self):
        pass


class Platform:
    """As simulator/adapters/platform.py; `survives` is the station's."""

    def __init__(self, survives):
        self.survives = survives

    def heap_free(self):
        return 100000

    def heap_low(self):
        return 90000

    def traceback(self, error):
        if not self.survives and error.args != (DRAWN,):
            raise error
        return "Traceback: simulated"


class Power:
    def __init__(self, cause, slept_ms, memory):
        self._cause = cause
        self._slept_ms = slept_ms
        self._memory = memory

    def cause(self):
        return self._cause

    def memory(self):
        return self._memory

    def keep(self, data):
        tell(16, b"", data)

    def slept_ms(self):
        return self._slept_ms


class Ports:
    def __init__(self, pins, power, slots):
        self.power = power
        self.clock = Clock()
        self.buses, self.uart, self.adc = build(pins)
        self.outputs = {name: Output(name) for name in pins if pins[name]["kind"] == "output"}
        self.storage = Storage()
        self.link = Link()
        self.console = Console()
        self.watchdog = Watchdog()
        self.platform = Platform(False)
        self.slots = Slots(slots, self.storage) if slots else None


def boot(spoken):
    """(ports, app) of the station that comes with a command."""
    gc.collect()  # a board boots with an empty heap
    memory = pipe_in.read(spoken[-3]) if spoken[-3] else b""
    station, cause, slept_ms, slots = json.loads(pipe_in.read(spoken[-2] + spoken[-1]))
    if slots:
        import node.version

        node.version.VERSION = slots["version"]
    from node.app import App

    gc.collect()  # and compiles nothing
    ports = Ports(station["pins"], Power(cause, slept_ms, memory), slots)
    ports.clock.now = spoken[1]
    ports.clock.unix = spoken[2]
    ports.clock.trust(*spoken[7:10])
    ports.storage.failing = spoken[4] & _FAILING != 0
    ports.storage.free = spoken[6]
    return ports, App(station, ports)


def look(what):
    """3: bytes of the heap in use; 4: microseconds of the longest step since this was asked last."""
    if what == 3:
        gc.collect()
        return gc.mem_alloc()
    longest, spent[0] = spent[0], 0
    return longest


def main():
    head = bytearray(struct.calcsize(_HEAD))
    ports = app = None
    while True:
        if pipe_in.readinto(head) != len(head):
            return
        spoken = struct.unpack(_HEAD, head)
        if spoken[0] == 1:
            ports, app = boot(spoken)
            clock, uart, adc, link, storage, console = (
                ports.clock,
                ports.uart,
                ports.adc,
                ports.link,
                ports.storage,
                ports.console,
            )
            answer(1, 0)
            continue
        if spoken[0] > 2:  # whoever looks on asks; nothing is stepped
            pipe_in.read(sum(spoken[10:]))
            answer(1, look(spoken[0]))
            continue
        _, clock.now, clock.unix, link.at, flags, adc.uv, storage.free = spoken[:7]
        clock.trust(*spoken[7:10])
        of_link, of_uart, of_console = spoken[10:]
        link.data = pipe_in.read(of_link) if of_link else b""
        uart.data = pipe_in.read(of_uart) if of_uart else b""
        console.data = pipe_in.read(of_console) if of_console else b""
        link.ended = flags & _ENDED != 0
        link.room = (link.at >> 2) - 1 if link.at > 3 else _WINDOW
        link.at &= 3
        storage.failing = flags & _FAILING != 0
        spent[1] = 0
        begun = time.ticks_us()
        if flags >> 2:
            plant(app, WHERE[(flags >> 2 & 7) - 1], flags >> 5)
        due = app.step(clock.now)
        spent[0] = max(spent[0], time.ticks_diff(time.ticks_us(), begun) - spent[1])
        rest = app.rest(clock.now) if getattr(app, "duty", None) else 0
        frozen = app.freeze() if rest else b""
        if frozen:
            ports.power.keep(frozen)
            app = None  # all but RTC memory and flash is gone
            answer(4, rest)
        else:
            answer(5 if getattr(app, "reboot_wanted", False) else 1, due)


try:
    main()
except Exception as error:  # the VM would print it where the parent expects answers
    sys.print_exception(error, sys.stderr)
    sys.exit(1)
