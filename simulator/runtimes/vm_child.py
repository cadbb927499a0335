# mypy: ignore-errors
"""Runs in the MicroPython VM, one process per station: the firmware's app between two pipes. simulator/runtimes/vm.py is the other end.

The parent sends a command (`_HEAD`, then its bytes); here the app makes one step on ports that only write down what it does, and one answer goes back
(`_ANSWER`, then what was done, in order). Reading storage or a bus, and writing what may be refused, is asked of the parent within the step; only what the
first UART holds and the first ADC reads comes along with the command.
"""

import gc
import json
import struct
import sys
import time

_HEAD = (
    # command, now, unix ms or -1, link state, flags, ADC uV, free bytes, doubts, seconds doubted, trust, bytes of link, UART, console
    "<BIqBBIIHiBHHH"
)
_ANSWER = "<IBi"  # bytes that follow, kind, due ms
_ENDED = 1  # flag: the other side of the link closed
_FAILING = 2  # flag: flash refuses to be written
_WINDOW = 5760  # what a link takes at one time
_FULL = 4096  # this much is sent on at once

_in = sys.stdin.buffer
_out = sys.stdout.buffer
_told = bytearray()
_spent = [0, 0]  # microseconds: of the longest step, of this step in waiting for the parent


def _answer(kind, due):
    _out.write(struct.pack(_ANSWER, len(_told), kind, due))
    if _told:
        _out.write(_told)
        _told[:] = b""


def _tell(op, name, data):
    """An op with a short text and bytes."""
    if len(_told) + len(data) > _FULL:
        _answer(2, 0)
    _told.extend(struct.pack("<BBH", op, len(name), len(data)))
    _told.extend(name)
    _told.extend(data)


def _ask(op, name, first, second, data):
    """An op that the parent answers: (error number, bytes)."""
    _tell(op, name.encode(), data)
    _told.extend(struct.pack("<II", first, second))
    begun = time.ticks_us()
    _answer(3, 0)
    error, count = struct.unpack("<HI", _in.read(6))
    found = _in.read(count) if count else b""
    _spent[1] += time.ticks_diff(time.ticks_us(), begun)
    if error:
        raise OSError(error)
    return found


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
            _tell(15, b"", struct.pack("<I", unix_s))

    def carry(self, unix_ms, loose_ms=0):
        _tell(17, b"", struct.pack("<qI", unix_ms, loose_ms))

    def floor(self, unix_s):
        if 0 <= unix_s < 1 << 32:
            _tell(15, b"floor", struct.pack("<I", unix_s))


class UART:
    """A UART that is asked whenever it is read."""

    def __init__(self, name):
        self.name = name
        self.bytes_name = name.encode()

    def open(self):
        _tell(1, self.bytes_name, b"")

    def close(self):
        _tell(2, self.bytes_name, b"")

    def read_into(self, buffer):
        found = _ask(42, self.name, 0, len(buffer), b"")
        buffer[: len(found)] = found
        return len(found)

    def write(self, data):
        _tell(13, self.bytes_name, data)


class FirstUART(UART):
    data = b""

    def open(self):
        self.data = b""
        super().open()

    def close(self):
        self.data = b""
        super().close()

    def read_into(self, buffer):
        data = self.data
        count = min(len(buffer), len(data))
        if count:
            buffer[:count] = data[:count]
            self.data = data[count:]
            _tell(3, self.bytes_name, struct.pack("<H", count))
        return count


class ADC:
    def __init__(self, name):
        self.name = name

    def read_uv(self):
        return struct.unpack("<I", _ask(45, self.name, 0, 0, b""))[0]


class FirstADC:
    uv = 0

    def __init__(self, name):
        pass

    def read_uv(self):
        return self.uv


class I2C:
    def __init__(self, name):
        self.name = name

    def write(self, address, data):
        _ask(40, self.name, address, 0, data)

    def read_into(self, address, buffer):
        buffer[:] = _ask(41, self.name, address, len(buffer), b"")


class OneWire:
    def __init__(self, name):
        self.name = name
        self.bytes_name = name.encode()

    def reset(self):
        return _ask(43, self.name, 0, 0, b"")[0]

    def write(self, byte):
        _tell(14, self.bytes_name, bytes((byte,)))

    def read(self):
        return _ask(44, self.name, 0, 0, b"")[0]


class Pulses:
    def __init__(self, name):
        self.name = name

    def count(self):
        count, self.counted_ms = struct.unpack("<II", _ask(46, self.name, 0, 0, b""))
        return count


class Switch:
    def __init__(self, name):
        self.name = name

    def closed(self):
        return _ask(47, self.name, 0, 0, b"")[0]


def build(pins):
    """(buses, the first UART, the first ADC) as simulator/runtimes/vm.py sees them; where there is none, one that nothing knows."""
    buses = {}
    uart = adc = None
    for name in sorted(pins):
        kind = pins[name]["kind"]
        if kind == "uart" and uart is None:
            buses[name] = uart = FirstUART(name)
        elif kind == "adc" and adc is None:
            buses[name] = adc = FirstADC(name)
        elif kind != "output":
            made = {"uart": UART, "adc": ADC, "i2c": I2C, "onewire": OneWire, "pulses": Pulses, "switch": Switch}
            buses[name] = made[kind](name)
    return buses, uart or FirstUART(""), adc or FirstADC("")


class Output:
    def __init__(self, name):
        self.name = name.encode()
        self.on = -1

    def set(self, on):
        on = 1 if on else 0
        if on != self.on:
            self.on = on
            _tell(4, self.name, bytes((on,)))


class Link:
    at = 0
    ended = False
    data = b""
    room = 0

    def open(self):
        if self.at == 0:
            self.at = 1
            self.data = b""
        _tell(5, b"", b"")

    def state(self):
        return self.at

    def recv_into(self, buffer):
        data = self.data
        if data:
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            self.data = data[count:]
            _tell(6, b"", struct.pack("<H", count))
            return count
        if self.ended:
            self.ended = False
            self.at = 0
            _tell(7, b"", b"")
            return -1
        return 0

    def send(self, data):
        if self.at != 2:
            return 0
        data = bytes(data[: self.room])
        self.room -= len(data)
        if data:
            _tell(8, b"", data)
        return len(data)

    def close(self):
        self.at = 0
        self.ended = False
        self.data = b""
        _tell(9, b"", b"")

    def secure(self):
        _tell(19, b"", b"")

    @property
    def reason(self):
        """Asked for by a `status` only."""
        return str(_ask(30, "", 0, 0, b""), "utf-8")

    def use(self, values):
        self.at = 0
        self.ended = False
        self.data = b""
        _tell(18, b"", json.dumps(values).encode())


class Storage:
    failing = False
    free = 0

    def names(self):
        found = _ask(20, "", 0, 0, b"")
        return [str(name, "utf-8") for name in found.split(b"\n")] if found else []

    def size(self, name):
        return struct.unpack("<I", _ask(21, name, 0, 0, b""))[0]

    def read(self, name, offset, count):
        return _ask(22, name, offset, count, b"")

    def append(self, name, data):
        if self.failing:
            raise OSError(5)
        if len(data) > self.free:
            raise OSError(28)
        self.free -= len(data)
        _tell(10, name.encode(), data)

    def replace(self, name, data):
        self.free = struct.unpack("<I", _ask(23, name, 0, 0, data))[0]

    def remove(self, name):
        self.free = struct.unpack("<I", _ask(24, name, 0, 0, b""))[0]


class Console:
    data = b""

    def read_into(self, buffer):
        data = self.data
        count = min(len(buffer), len(data))
        if count:
            buffer[:count] = data[:count]
            self.data = data[count:]
            _tell(11, b"", struct.pack("<H", count))
        return count

    def write(self, data):
        _tell(12, b"", data)


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
        if not self.survives:
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
        _tell(16, b"", data)

    def slept_ms(self):
        return self._slept_ms


class Ports:
    def __init__(self, pins, power):
        self.power = power
        self.clock = Clock()
        self.buses, self.uart, self.adc = build(pins)
        self.outputs = {name: Output(name) for name in pins if pins[name]["kind"] == "output"}
        self.storage = Storage()
        self.link = Link()
        self.console = Console()
        self.watchdog = Watchdog()
        self.platform = Platform(False)


def boot(spoken):
    """(ports, app) of the station that comes with a command."""
    gc.collect()  # a board boots with an empty heap
    from node.app import App

    gc.collect()  # and compiles nothing
    memory = _in.read(spoken[-3]) if spoken[-3] else b""
    station, cause, slept_ms = json.loads(_in.read(spoken[-2] + spoken[-1]))
    ports = Ports(station["pins"], Power(cause, slept_ms, memory))
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
    longest, _spent[0] = _spent[0], 0
    return longest


def main():
    head = bytearray(struct.calcsize(_HEAD))
    ports = app = None
    while True:
        if _in.readinto(head) != len(head):
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
            _answer(1, 0)
            continue
        if spoken[0] > 2:  # whoever looks on asks; nothing is stepped
            _in.read(sum(spoken[10:]))
            _answer(1, look(spoken[0]))
            continue
        _, clock.now, clock.unix, link.at, flags, adc.uv, storage.free = spoken[:7]
        clock.trust(*spoken[7:10])
        of_link, of_uart, of_console = spoken[10:]
        link.data = _in.read(of_link) if of_link else b""
        uart.data = _in.read(of_uart) if of_uart else b""
        console.data = _in.read(of_console) if of_console else b""
        link.ended = flags & _ENDED != 0
        link.room = (link.at >> 2) - 1 if link.at > 3 else _WINDOW
        link.at &= 3
        storage.failing = flags & _FAILING != 0
        _spent[1] = 0
        begun = time.ticks_us()
        due = app.step(clock.now)
        _spent[0] = max(_spent[0], time.ticks_diff(time.ticks_us(), begun) - _spent[1])
        rest = app.rest(clock.now) if app.duty else 0
        frozen = app.freeze() if rest else b""
        if frozen:
            ports.power.keep(frozen)
            app = None  # all but RTC memory and flash is gone
            _answer(4, rest)
        else:
            _answer(1, due)


try:
    main()
except Exception as error:  # the VM would print it where the parent expects answers
    sys.print_exception(error, sys.stderr)
    sys.exit(1)
