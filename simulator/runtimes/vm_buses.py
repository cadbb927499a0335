# mypy: ignore-errors
"""The pipe of vm_child.py, and the buses of a station at its end: what is done is written down, what is read is asked of the parent."""

import struct
import sys
import time

_ANSWER = "<IBi"  # bytes that follow, kind, due ms
_FULL = 4096  # this much is sent on at once

pipe_in = sys.stdin.buffer
_out = sys.stdout.buffer
_told = bytearray()
spent = [0, 0]  # microseconds: of the longest step, of this step in waiting for the parent


def answer(kind, due):
    _out.write(struct.pack(_ANSWER, len(_told), kind, due))
    if _told:
        _out.write(_told)
        _told[:] = b""


def tell(op, name, data):
    """An op with a short text and bytes."""
    if len(_told) + len(data) > _FULL:
        answer(2, 0)
    _told.extend(struct.pack("<BBH", op, len(name), len(data)))
    _told.extend(name)
    _told.extend(data)


def ask(op, name, first, second, data):
    """An op that the parent answers: (error number, bytes)."""
    tell(op, name.encode(), data)
    _told.extend(struct.pack("<II", first, second))
    begun = time.ticks_us()
    answer(3, 0)
    error, count = struct.unpack("<HI", pipe_in.read(6))
    found = pipe_in.read(count) if count else b""
    spent[1] += time.ticks_diff(time.ticks_us(), begun)
    if error:
        raise OSError(error)
    return found


def taken(port, buffer, op, name):
    """What came along for a port, as much as fits; it is told how much."""
    data = port.data
    count = min(len(buffer), len(data))
    if count:
        buffer[:count] = data[:count]
        port.data = data[count:]
        tell(op, name, struct.pack("<H", count))
    return count


class UART:
    """A UART that is asked whenever it is read."""

    def __init__(self, name):
        self.name = name
        self.bytes_name = name.encode()

    def open(self):
        tell(1, self.bytes_name, b"")

    def close(self):
        tell(2, self.bytes_name, b"")

    def read_into(self, buffer):
        found = ask(42, self.name, 0, len(buffer), b"")
        buffer[: len(found)] = found
        return len(found)

    def write(self, data):
        tell(13, self.bytes_name, data)


class FirstUART(UART):
    data = b""

    def open(self):
        self.data = b""
        super().open()

    def close(self):
        self.data = b""
        super().close()

    def read_into(self, buffer):
        return taken(self, buffer, 3, self.bytes_name)


class ADC:
    def __init__(self, name):
        self.name = name

    def read_uv(self):
        return struct.unpack("<I", ask(45, self.name, 0, 0, b""))[0]


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
        ask(40, self.name, address, 0, data)

    def read_into(self, address, buffer):
        buffer[:] = ask(41, self.name, address, len(buffer), b"")


class OneWire:
    def __init__(self, name):
        self.name = name
        self.bytes_name = name.encode()

    def reset(self):
        return ask(43, self.name, 0, 0, b"")[0]

    def write(self, byte):
        tell(14, self.bytes_name, bytes((byte,)))

    def read(self):
        return ask(44, self.name, 0, 0, b"")[0]


class Pulses:
    def __init__(self, name):
        self.name = name

    def count(self):
        count, self.counted_ms = struct.unpack("<II", ask(46, self.name, 0, 0, b""))
        return count


class Switch:
    def __init__(self, name):
        self.name = name

    def closed(self):
        return ask(47, self.name, 0, 0, b"")[0]


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
