"""Every kind of bus gives the same through the vm runtime as under CPython, faults too; a river gauge's step stays one round trip."""

from pathlib import Path

import pytest

from simulator.adapters import buses
from simulator.adapters.clock import WRAP_MASK, Clock
from simulator.adapters.link import Link
from simulator.adapters.outputs import Output
from simulator.adapters.storage import Storage
from simulator.agenda import Moment
from simulator.chips.a02yyuw import A02YYUW, Faults
from simulator.chips.tipping_bucket import RainSeries, TippingBucket
from simulator.run import HEAP
from simulator.runtimes import vm
from simulator.runtimes.host import HostBody
from simulator.stations import Ports
from simulator.world.river import River
from tests.contract.contracts import Complement, Memory
from tests.contract.simulator_desk import Echo
from tests.parity.probe import App

PINS = {
    "uart1": {"kind": "uart", "rx": 16, "tx": 17},
    "uart2": {"kind": "uart", "rx": 18, "tx": 19},
    "adc1": {"kind": "adc", "pin": 34},
    "adc2": {"kind": "adc", "pin": 35},
    "i2c1": {"kind": "i2c", "sda": 21, "scl": 22},
    "onewire1": {"kind": "onewire", "pin": 13},
    "bucket": {"kind": "pulses", "pin": 27},
    "lid": {"kind": "switch", "pin": 14},
    "siren": {"kind": "output", "pin": 25},
    "relay": {"kind": "output", "pin": 26},
}
STATION = {"node": "pb01", "pins": PINS}
RIVER = {"node": "dr01", "only": "river", "pins": {name: PINS[name] for name in ("uart1", "adc1", "siren", "relay")}}


class Talker:
    """Answers what it is told, 30 ms later."""

    def __init__(self):
        self._told = []

    def hear(self, t_ms, data):
        self._told.append((t_ms + 30, data))

    def frames_into(self, fifo, after_ms, now_ms, powered_ms, room):
        for t_ms, data in self._told:
            if after_ms < t_ms <= now_ms:
                fifo += b"<" + data + b">"


class Pin:
    def __init__(self, uv):
        self._uv = uv

    def read_uv(self, t_ms):
        return self._uv + t_ms


class Lid:
    def __init__(self, moment):
        self._moment = moment

    def closed(self):
        return self._moment.t // 700 & 1


class World:
    def __init__(self):
        self.moment = moment = Moment()
        self.memory = Memory()
        self.switched = []
        clean = Faults(noise_mm=1, lost_byte_ppm=50_000)
        rain = RainSeries([(6000, 9000)])
        made = {
            "uart1": buses.UART(moment, A02YYUW(3, "pb01", River([1000, 1000], 1 << 30), 4000, 0, clean)),
            "uart2": buses.UART(moment, Talker()),
            "adc1": buses.ADC(moment, Pin(1_000_000)),
            "adc2": buses.ADC(moment, Pin(2_000_000)),
            "i2c1": buses.I2C(
                moment,
                {0x40: self.memory, 0x48: Memory()},
                held_ms=((1000, 1500),),
                gone=((0x48, 2000, 3000),),
                swapped=((0x40, 3500, 4000, Memory()),),
            ),
            "onewire1": buses.OneWire(moment, (Complement(),), cut_ms=((500, 900),), shorted_ms=((1200, 1600),)),
            "bucket": buses.Pulses(moment, TippingBucket(3, "pb01", rain, 200_000)),
            "lid": buses.Switch(Lid(moment)),
        }
        outputs = {name: Output(name, lambda name, on: self.switched.append((name, on))) for name in ("siren", "relay")}
        storage = Storage(moment, lambda file, data: None)
        link = Link(moment, Echo(), lambda t_ms: None, 40)
        self.ports = Ports(Clock(moment, 0, 0), made, outputs, storage, link)

    def live(self, body, station, steps=60):
        body.boot(station, self.ports)
        for _ in range(steps):
            self.moment.t += 100
            body.step(self.moment.t & WRAP_MASK)
        return bytes(self.ports.storage.files.get("seen", b"")).decode().splitlines()


@pytest.fixture
def vm_body(monkeypatch, tmp_path):
    """The child with the probe in the app's place."""
    here = str(Path(__file__).parent)
    text = Path(vm.__file__).with_name("vm_child.py").read_text()
    app = "from node.app import App"
    assert app in text
    for name in ("vm_buses.py", "defects.py"):
        (tmp_path / name).write_text(Path(vm.__file__).with_name(name).read_text())
    child = tmp_path / "child.py"
    child.write_text(text.replace(app, f"sys.path.insert(0, {here!r})\n    from probe import App"))
    monkeypatch.setattr("simulator.runtimes.vm._CHILD", child)
    body = vm.VMBody("pb01", HEAP)
    yield body
    body.close()


def test_every_bus_says_the_same_on_both_runtimes(vm_body):
    host, through = World(), World()
    of_host = host.live(HostBody(App), STATION)
    of_vm = through.live(vm_body, STATION)
    assert of_host == of_vm
    assert len(of_host) == 60
    for found in ("b'<ask5'", "b'\\xff", " 19,", " 110,", "b'\\x02", " 0, 255, ", " 1, 0, "):
        assert any(found in line for line in of_host), found
    assert "(45, 6000)" in of_host[-1]
    assert host.switched == through.switched
    assert len(host.switched) == 60
    assert host.memory.registers == through.memory.registers


def test_a_bus_that_the_simulation_has_not_is_an_error_with_its_name(vm_body):
    world = World()
    del world.ports.buses["bucket"]
    with pytest.raises(vm.VMError, match="takes 'bucket' for a bus of the kind Pulses"):
        world.live(vm_body, STATION)


def test_a_river_gauge_s_step_is_one_round_trip(vm_body, monkeypatch):
    written = []
    write = vm.VMBody._write
    monkeypatch.setattr(vm.VMBody, "_write", lambda self, data: (written.append(len(data)), write(self, data)))
    world = World()
    world.live(vm_body, RIVER, steps=20)
    assert len(written) == 21
    assert world.switched == [("siren", 1)]
