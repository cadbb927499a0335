"""What the firmware takes of a board's memory, in the 64-bit VM and in the 32-bit one whose objects have an ESP32's sizes.

The path from an echo to the siren must not allocate: a garbage collection or a full heap could delay it. Small ints of a
32-bit chip end at 2**30, so the flood below is run just before the clock's wrap as well.
"""

import pytest

from tests import vm32, vm64

VMS = pytest.mark.parametrize(
    "run", [vm64.run, lambda script: vm32.run(script, vm32.firmware_files())], ids=["64", "32"]
)
# Heap on the board: 157 KB and more is free at the start of a stock image, a TLS connection will take 55 KB of it.
HEAP_LIMIT = 80 * 1024

WORLD = """
import gc, micropython
from node.core.clock import add
from node.core.settings import Settings
from node.core.sounder import Sounder
from node.drivers.a02yyuw import A02YYUW
from node.drivers.battery import Battery
from node.gauge import Gauge

class Uart:
    def __init__(self):
        self.mm = 4000
        self.frame = bytearray(4)
    def open(self): pass
    def close(self): pass
    def read_into(self, buffer):
        if not self.mm:
            return 0
        frame = self.frame
        frame[0] = 255
        frame[1] = self.mm >> 8
        frame[2] = self.mm & 255
        frame[3] = (255 + frame[1] + frame[2]) & 255
        for i in range(20):
            buffer[i] = frame[i & 3]
        return 20

class Adc:
    def read_uv(self): return 2210000

class Output:
    def __init__(self):
        self.on = 0
        self.changes = 0
    def set(self, on):
        if on != self.on:
            self.on = on
            self.changes += 1
"""

FLOOD = """
def flood(start_ms):
    uart, siren, strobe = Uart(), Output(), Output()
    battery = Battery(Adc(), 5700)
    gauge = Gauge(A02YYUW(uart), battery, Settings({"sensor.height": 4500}), Sounder(siren, strobe))
    now = start_ms
    seconds = 0
    decided = 0
    highest = 0
    micropython.heap_lock()
    try:
        for i in range(6000):
            tenth = i // 10
            # dry, up to 2.6 m, the sensor silent, down again
            if tenth < 200: uart.mm = 4200
            elif tenth < 300: uart.mm = 4200 - (tenth - 200) * 23
            elif tenth < 330: uart.mm = 0
            elif tenth < 430: uart.mm = 1900 + (tenth - 330) * 23
            else: uart.mm = 4200
            if gauge.step(now, seconds):
                decided += 1
                if gauge.state > highest: highest = gauge.state
            if i == 2600: gauge.acknowledge()
            now = add(now, 700)
            seconds += i % 10 and 1 or 0
    finally:
        micropython.heap_unlock()
    print(decided > 50, highest, siren.changes > 0, gauge.state, gauge.failures)
flood(0)
flood((1 << 30) - 2000000)
"""

PLANTED = """
def leak(n):
    found = None
    micropython.heap_lock()
    try:
        found = [n]
    except MemoryError:
        found = 0
    finally:
        micropython.heap_unlock()
    print("caught" if found == 0 else "not caught")
leak(1)
"""


@VMS
def test_from_echo_to_siren_nothing_is_allocated(run) -> None:
    assert run(WORLD + FLOOD).splitlines() == ["True 3 True 0 0"] * 2


@VMS
def test_an_allocation_on_that_path_is_caught(run) -> None:
    assert run(WORLD + PLANTED).strip() == "caught"


STATION = """
class Clock:
    def ticks_ms(self): return 0
    def unix_ms(self): return None
class Storage:
    def __init__(self): self.files = {}
    def names(self): return list(self.files)
    def size(self, name): return len(self.files.get(name, b""))
    def read(self, name, offset, count): return bytes(self.files.get(name, b"")[offset:offset + count])
    def append(self, name, data): self.files[name] = self.files.get(name, b"") + bytes(data)
    def replace(self, name, data): self.files[name] = bytes(data)
    def remove(self, name): del self.files[name]
class Link:
    def open(self): pass
    def state(self): return 0
    def recv_into(self, buffer): return 0
    def send(self, data): return 0
    def close(self): pass
class Console:
    def read_into(self, buffer): return 0
    def write(self, data): pass
class Ports:
    def __init__(self):
        self.clock = Clock()
        self.storage = Storage()
        self.link = Link()
        self.console = Console()
        self.buses = {"uart1": Uart(), "adc1": Adc()}
        self.outputs = {"siren": Output(), "strobe": Output()}

station = {"node": "dr01", "district": "demo", "life": "5eed0001", "seed": 7,
    "sensors": [{"driver": "a02yyuw", "bus": "uart1", "gives": "level"},
                {"driver": "battery", "bus": "adc1", "gives": "battery", "ratio_milli": 5700}],
    "settings": {"level.alert": 600, "level.warning": 1000, "level.danger": 1500, "sensor.height": 4500}}
ports = Ports()
from node.app import App
app = App(station, ports)
now = 0
def steps(count):
    global now
    for i in range(count):
        now += app.step(now)
"""
# One part each, since this VM collects only between them. The files of the simulated flash are not the station's.
MEASURE = "print(gc.mem_alloc() - sum(len(data) for data in ports.storage.files.values()))"
PARTS = ["import gc", "print(gc.mem_alloc())" + WORLD + STATION, "gc.collect()", MEASURE]
PARTS += ["steps(10)\ngc.collect()", MEASURE, "steps(2000)\ngc.collect()", MEASURE]


def test_whole_station_fits_beside_a_tls_connection() -> None:
    start, made, begun, later = map(int, vm32.run(PARTS, vm32.firmware_files(compiled=True)).split())
    assert made - start <= HEAP_LIMIT, f"the station takes {made - start} bytes of a 32-bit heap"
    assert later - begun <= 2048, f"{later - begun} bytes more are held after 2000 steps than after 10"
