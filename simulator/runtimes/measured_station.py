# mypy: ignore-errors
# It runs in MicroPython's VMs only, whose modules CPython's types do not know.
"""A river gauge on ports that cost nothing, for measuring: runs in the MicroPython VMs (64 and 32 bit) and imports the firmware only in `make`.

Its broker answers at once and lives in a few bytes; what the ports themselves hold is told by `ports_hold`.
"""

import gc
import sys

STATION = {
    "node": "dr01", "district": "demo", "life": "5eed0001", "seed": 7,
    "sensors": [{"driver": "a02yyuw", "bus": "uart1", "gives": "level"},
                {"driver": "battery", "bus": "adc1", "gives": "battery", "ratio_milli": 5700}],
    "settings": {"level.alert": 600, "level.warning": 1000, "level.danger": 1500, "sensor.height": 4500},
}  # fmt: skip
MASK = (1 << 30) - 1


class Uart:
    def __init__(self):
        self.mm = 4000

    def open(self):
        pass

    def close(self):
        pass

    def read_into(self, buffer):
        """Five frames, without allocating; nothing while `mm` is 0."""
        mm = self.mm
        if not mm:
            return 0
        for i in range(0, 20, 4):
            buffer[i] = 255
            buffer[i + 1] = mm >> 8
            buffer[i + 2] = mm & 255
            buffer[i + 3] = (255 + (mm >> 8) + (mm & 255)) & 255
        return 20


class Adc:
    def read_uv(self):
        return 2210000


class Output:
    def __init__(self):
        self.on = 0
        self.changes = 0

    def set(self, on):
        if on != self.on:
            self.on = on
            self.changes += 1


class Nobody:
    """A bus of any other kind, with nobody there: what its drivers hold is measured, what they are told is not."""

    counted_ms = 0

    def write(self, *_):
        raise OSError(5)

    read_into = write

    def reset(self):
        return 0

    def count(self):
        return 0

    def closed(self):
        return 1


class Silent(Nobody):
    """A UART with nobody at its other end."""

    def open(self):
        pass

    close = open

    def write(self, *_):
        return 0

    def read_into(self, *_):
        return 0


class Answering:
    """In a driver's place: every value at once, so that a round has all its points."""

    def __init__(self, count):
        self.count = count

    def start(self):
        return 0

    def read_into(self, values):
        for k in range(self.count):
            values[k] = 40 + k
        return 0


class Clock:
    def __init__(self):
        self.unix = None

    def unix_ms(self):
        return self.unix


class Storage:
    def __init__(self):
        self.files = {}

    def names(self):
        return list(self.files)

    def size(self, name):
        return len(self.files.get(name, b""))

    def read(self, name, offset, count):
        return bytes(memoryview(self.files.get(name, b""))[offset : offset + count])

    def append(self, name, data):
        if name not in self.files:
            self.files[name] = bytearray()
        self.files[name].extend(data)

    def replace(self, name, data):
        self.files[name] = bytes(data)

    def remove(self, name):
        del self.files[name]


class Link:
    """A connection to a broker that says yes to everything, and commits nothing."""

    def __init__(self):
        self.up = False
        self.published = 0
        self.inbound = b""

    def open(self):
        self.up = True

    def close(self):
        self.up = False

    def state(self):
        return 2 if self.up else 0

    def recv_into(self, buffer):
        data = self.inbound
        count = min(len(data), len(buffer))
        buffer[:count] = data[:count]
        self.inbound = data[count:]
        return count

    def send(self, data):
        at = 0
        while at < len(data):  # the node writes whole packets
            first = data[at]
            size = shift = 0
            at += 1
            while True:
                byte = data[at]
                at += 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            if first == 0x10:
                self.inbound += b"\x20\x02\x00\x00"
            elif first == 0x82:
                codes = b""
                i = at + 2
                while i < at + size:  # a filter with its length in front, and its QoS
                    i += 3 + (data[i] << 8 | data[i + 1])
                    codes += b"\x01"
                self.inbound += bytes((0x90, 2 + len(codes))) + bytes(data[at : at + 2]) + codes
            elif first == 0xC0:
                self.inbound += b"\xd0\x00"
            elif first & 0xF0 == 0x30:
                self.published += 1
                topic_end = at + 2 + (data[at] << 8 | data[at + 1])
                self.inbound += b"\x40\x02" + bytes(data[topic_end : topic_end + 2])
            at += size
        return len(data)


class Console:
    def read_into(self, buffer):
        return 0

    def write(self, data):
        pass


class Ports:
    def __init__(self, station=STATION):
        self.clock = Clock()
        self.storage = Storage()
        self.link = Link()
        self.console = Console()
        self.station = station
        self.buses = {"uart1": Uart(), "adc1": Adc()}
        self.outputs = {"siren": Output(), "strobe": Output()}
        for row in station["sensors"]:
            name = row["bus"]
            if row["driver"] == "battery":
                self.buses[name] = Adc()
            elif row["driver"] == "a02yyuw":
                self.buses[name] = Uart()
            elif name not in self.buses or name == "uart1":
                self.buses[name] = Silent() if name[:4] == "uart" else Nobody()
        for name in station.get("pins", ()):
            if station["pins"][name]["kind"] == "output":
                self.outputs[name] = Output()


def ports_hold(ports):
    """Bytes of the simulated flash: they are not the station's."""
    return sum([len(data) for data in ports.storage.files.values()])  # any order: a sum


def make(ports):
    from node.app import App

    app = App(ports.station, ports)
    for folder, name in (("node", "compose"), ("node.drivers", "catalog")):  # as main.py does
        del sys.modules[folder + "." + name]
        delattr(sys.modules[folder], name)
    return app


def run(app, now, steps):
    """That many steps from the tick `now`; the tick after them."""
    for _ in range(steps):
        now = (now + max(app.step(now), 1)) & MASK
    return now


def turns(app, now, count, done, between):
    """(microseconds of each turn, of each step): a turn is all the steps until `done` has changed; `between` follows it, with how many there were."""
    from time import ticks_diff, ticks_us

    each_turn = []
    each_step = []
    spent = 0
    before = done()
    while len(each_turn) < count:
        begun = ticks_us()
        due = app.step(now)
        took = ticks_diff(ticks_us(), begun)
        each_step.append(took)
        spent += took
        now = (now + max(due, 1)) & MASK
        if done() != before:
            before = done()
            each_turn.append(spent)
            spent = 0
            between(len(each_turn))
            gc.collect()  # a collection falls between turns, and is measured by itself
    return each_turn, each_step


def timed(samples):
    """(microseconds of each sample, of each step, of a collection): a sample is all the steps from its start to its record, told to the broker."""
    from time import ticks_diff, ticks_us

    ports = Ports()
    app = make(ports)
    now = run(app, MASK - 60000, 500)

    def water(number):
        ports.buses["uart1"].mm = 4000 - number % 90

    water(0)
    each_sample, each_step = turns(app, now, samples, lambda: app.logs[0].seq, water)
    begun = ticks_us()
    gc.collect()
    return each_sample, each_step, ticks_diff(ticks_us(), begun)


def allocated(bursts):
    """Bytes that `bursts` decisions from echo to siren take from the heap, danger among them; no collection in between."""
    ports = Ports()
    app = make(ports)
    run(app, MASK - 60000, 50)
    gauge = app.gauge
    burst = gauge._burst
    for _ in range(2):  # the first time warms up
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        for n in range(bursts):
            for i in range(5):
                burst[i] = 2000 + i if n % 40 > 20 else 3900 + i
            gauge.decide(5, n * 400, n)
            gauge.sound(n * 400)
        after = gc.mem_alloc()
        gc.enable()
    return after - before


def timed_rounds(station, rounds):
    """(microseconds of all the steps of an interval: every sensor, level, records, all told to the broker; of each step)."""
    ports = Ports(station)
    app = make(ports)
    for sensor in app.survey.sensors:
        sensor.driver = Answering(len(sensor.ids))
    ports.clock.unix = 1760000000000
    now = run(app, MASK - 60000, 1500)

    def half_an_hour(_):
        ports.clock.unix += 1800000  # a day has 48 rounds, panels are judged after each

    return turns(app, now, rounds, lambda: app.survey.round_s, half_an_hour)
