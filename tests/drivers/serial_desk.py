"""A serial line for driver tests: scripted bytes on one hand, simulated chips in virtual time on the other."""

import subprocess
import sys
from array import array
from pathlib import Path

from simulator.adapters.buses import UART
from simulator.agenda import Moment

VECTORS = Path(__file__).with_name("vectors")
FIRST_MS = (1 << 30) - 5000  # the chip's clock is no station's: any time will do


class Line:
    """A UART whose bytes arrive in the given chunks, one chunk a read at most; `answers` are chunks for each request written."""

    def __init__(self, chunks=(), answers=()):
        self.chunks = [bytes(chunk) for chunk in chunks]
        self.answers = list(answers)
        self.written = []
        self.is_open = False

    def open(self):
        self.is_open = True
        self.chunks = []

    def close(self):
        self.is_open = False

    def write(self, data):
        self.written.append(bytes(data))
        if self.answers:
            self.chunks += [bytes(chunk) for chunk in self.answers.pop(0) if chunk]

    def read_into(self, buffer):
        if not self.chunks:
            return 0
        data = self.chunks.pop(0)
        if len(data) > len(buffer):
            self.chunks.insert(0, data[len(buffer) :])
            data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


def pieces(stream, data, strategies):
    """The stream cut anywhere, as Hypothesis likes."""
    cuts = sorted(data.draw(strategies.lists(strategies.integers(0, len(stream)), max_size=20)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if a < b]


def frames_of(name):
    """The frames of a hexdump: an offset and a colon, pairs of digits, two spaces and the text."""
    for line in (VECTORS / name).read_text(encoding="ascii").splitlines():
        yield bytes.fromhex(line.partition(": ")[2].partition("  ")[0])


def on_this_python(script):
    """What a script prints under CPython that a VM is to print as well."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env={"PYTHONPATH": str(root / "firmware")}, check=True, capture_output=True)
    return done.stdout.decode()


def measure(driver, line, looks=200):
    """One measurement against scripted bytes: (result, values, milliseconds asked for)."""
    values = array("i", [7] * len(driver.GIVES))
    waited = driver.start()
    for _ in range(looks):
        result = driver.read_into(values)
        if result <= 0:
            return result, list(values), waited
        waited += result
    raise AssertionError(f"no end after {looks} looks, {line.written}")


class Bench:
    """A driver on the simulator's UART with a chip behind it; time moves by what the driver asks for."""

    def __init__(self, chip):
        self.moment = Moment()
        self.moment.t = FIRST_MS
        self.bus = UART(self.moment, chip)

    def measure(self, driver, looks=200):
        values = array("i", [7] * len(driver.GIVES))
        self.moment.t += driver.start()
        for _ in range(looks):
            result = driver.read_into(values)
            if result <= 0:
                return result, list(values)
            self.moment.t += result
        raise AssertionError(f"no end after {looks} looks")

    def burst(self, driver, size=5):
        """As the gauge does it: a look every 100 ms, 2 s at most."""
        burst = array("i", [0] * size)
        limit = self.moment.t + 2000
        self.moment.t += driver.start()
        while driver.read_into(burst) < size and self.moment.t < limit:
            self.moment.t += 100
        driver.stop()
        return list(burst[: driver.count])
