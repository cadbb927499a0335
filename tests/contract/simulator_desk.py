"""The simulator's adapters on a desk."""

from simulator.adapters import buses
from simulator.adapters.clock import Clock
from simulator.adapters.console import Console
from simulator.adapters.link import Link
from simulator.adapters.outputs import Output
from simulator.adapters.platform import Platform
from simulator.adapters.power import Power
from simulator.adapters.slots import Slots
from simulator.adapters.storage import Storage
from simulator.adapters.watchdog import Watchdog
from simulator.agenda import NEVER, Moment
from simulator.chips.a02yyuw import A02YYUW, Faults
from simulator.world.river import River
from tests.contract import contracts

TICKS_AT_ZERO = 7


class Echo:
    """What the link leads to: says everything again, and ends on "bye"."""

    def __init__(self):
        self.answers = True
        self._link = None

    def connect(self, link):
        self._link = link
        return self if self.answers else None

    def hears(self, t_ms):
        return self.answers

    def feed(self, data):
        if data == b"bye":
            self._link.drop(silently=False)
        else:
            self._link.deliver(data)

    def closed(self):
        self._link = None


class Desk:
    def __init__(self):
        self.moment = Moment()
        self.moment.t = contracts.WRAP - 1300  # the ticks wrap soon
        self._edges = []
        self._is_closed = 0
        self._changes = []
        self._chips = {0x40: contracts.Memory(), 0x48: contracts.Memory()}
        self._wire = [contracts.Complement()]
        self._echo = Echo()

    def make(self, name):
        moment = self.moment
        if name == "clock":
            return Clock(moment, TICKS_AT_ZERO, contracts.UNIX_MS - moment.t - 4000)
        if name == "uart":
            clean = Faults(bias_mm=0, noise_mm=0, heat_cc=0)
            return buses.UART(moment, A02YYUW(1, "dr01", River([1000, 1000], 1 << 31), 4000, 0, clean))
        if name == "adc":
            return buses.ADC(moment, self)
        if name == "i2c":
            self._bus = buses.I2C(moment, self._chips)
            return self._bus
        if name == "onewire":
            self._bus = buses.OneWire(moment, tuple(self._wire))
            return self._bus
        if name == "pulses":
            return buses.Pulses(moment, self, contracts.DEBOUNCE_MS)
        if name == "switch":
            return buses.Switch(self)
        if name == "storage":
            return Storage(moment, lambda file, data: None)
        if name == "link":
            return Link(moment, self._echo, lambda t_ms: None, 40)
        if name == "console":
            console = Console()
            console.typed += contracts.TYPED
            return console
        if name == "outputs":
            self._output = Output("siren", lambda name, on: self._changes.append(on))
            return self._output
        if name == "platform":
            port = Platform()
            port.survives = True
            return port
        if name == "slots":
            stores = {slot: Storage(moment, lambda file, data: None) for slot in ("a", "b")}
            for file, data in contracts.IN_SLOT_A.items():
                stores["a"].replace(file, data)
            return Slots(Storage(moment, lambda file, data: None), stores, {contracts.KEY_NAME: contracts.KEY})
        if name == "power":
            return Power(moment, drift_ppm=30_000)
        return Watchdog()

    def pass_ms(self, ms):
        self.moment.t += ms

    def turn(self):
        self.pass_ms(10)

    def synchronise(self, port, unix_ms):
        port.synchronise_at(self.moment.t)

    # chips and contacts

    def read_uv(self, t_ms):
        return contracts.PIN_UV

    def plug(self, address):
        self._bus._gone = ()

    def unplug(self, address):
        self._bus._gone = ((address, 0, NEVER),)

    def hold(self, line):
        self._bus._held_ms = ((0, NEVER),)

    def let_go(self):
        self._bus._held_ms = ()

    def plug_wire(self):
        self._bus._cut_ms = ()

    def unplug_wire(self):
        self._bus._cut_ms = ((0, NEVER),)

    def edge(self):
        self.pass_ms(1)
        self._edges.append(self.moment.t)

    def edges(self, after_ms, until_ms):
        return [t for t in self._edges if after_ms < t <= until_ms]

    def contact(self, closed):
        self._is_closed = closed

    def closed(self):
        return self._is_closed

    # the rest

    def doze(self, port, ms):
        self.moment.t = port.doze(ms)
        port.wake()
        return port

    def cut(self, port):
        port.restart()
        return port

    def again(self, port):
        return port  # `files` outlives the station

    def refuse(self):
        self._echo.answers = False

    def said(self, port):
        return bytes(port.said)

    def level(self):
        return self._output.on

    def changes(self):
        return self._changes

    def fed(self, port):
        return port.fed
