# mypy: ignore-errors
"""Runs in the MicroPython VM, one process per station: the firmware's app between two pipes. simulator/runtimes/vm.py is the other end.

The parent sends a command (`_HEAD`, then its bytes); here the app makes one step on ports that only write down what it does, and one answer goes back
(`_ANSWER`, then what was done, in order). Reading storage, and writing what may be refused, is asked of the parent within the step.
"""

import json
import struct
import sys

_HEAD = (
    "<BIqBBIIHHH"  # command, now, unix ms or -1, link state, flags, ADC uV, free bytes, bytes of link, UART, console
)
_ANSWER = "<IBi"  # bytes that follow, kind, due ms
_ENDED = 1  # flag: the other side of the link closed
_FAILING = 2  # flag: flash refuses to be written
_WINDOW = 5760  # what a link takes at one time
_FULL = 4096  # this much is sent on at once

_in = sys.stdin.buffer
_out = sys.stdout.buffer
_told = bytearray()


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
    _answer(3, 0)
    error, count = struct.unpack("<HI", _in.read(6))
    found = _in.read(count) if count else b""
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


class UART:
    def __init__(self):
        self.opened = False
        self.data = b""

    def open(self):
        self.opened = True
        self.data = b""
        _tell(1, b"", b"")

    def close(self):
        self.opened = False
        self.data = b""
        _tell(2, b"", b"")

    def read_into(self, buffer):
        data = self.data
        count = min(len(buffer), len(data))
        if count:
            buffer[:count] = data[:count]
            self.data = data[count:]
            _tell(3, b"", struct.pack("<H", count))
        return count

    def write(self, data):
        pass


class ADC:
    uv = 0

    def read_uv(self):
        return self.uv


class Output:
    def __init__(self, number):
        self.number = number
        self.on = -1

    def set(self, on):
        on = 1 if on else 0
        if on != self.on:
            self.on = on
            _tell(4, b"", bytes((self.number, on)))


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


class Ports:
    def __init__(self):
        self.clock = Clock()
        self.uart = UART()
        self.adc = ADC()
        self.buses = {"uart1": self.uart, "adc1": self.adc}
        self.outputs = {"siren": Output(0), "strobe": Output(1)}
        self.storage = Storage()
        self.link = Link()
        self.console = Console()
        self.watchdog = Watchdog()


def main():
    from node.app import App

    ports = Ports()
    clock, uart, adc, link, storage, console = (
        ports.clock,
        ports.uart,
        ports.adc,
        ports.link,
        ports.storage,
        ports.console,
    )
    head = bytearray(struct.calcsize(_HEAD))
    app = None
    while True:
        if _in.readinto(head) != len(head):
            return
        command, clock.now, clock.unix, link.at, flags, adc.uv, storage.free, of_link, of_uart, of_console = (
            struct.unpack(_HEAD, head)
        )
        link.data = _in.read(of_link) if of_link else b""
        uart.data = _in.read(of_uart) if of_uart else b""
        console.data = _in.read(of_console) if of_console else b""
        link.ended = flags & _ENDED != 0
        link.room = _WINDOW
        storage.failing = flags & _FAILING != 0
        if command == 1:
            station = json.loads(console.data)
            console.data = b""
            app = App(station, ports)
            _answer(1, 0)
        else:
            _answer(1, app.step(clock.now))


try:
    main()
except Exception as error:  # the VM would print it where the parent expects answers
    sys.print_exception(error, sys.stderr)
    sys.exit(1)
