"""A whole station on the desk: fake ports under the real App, and a clock that the test turns."""

import errno
from types import SimpleNamespace

from node.app import App
from node.core import journal, senml
from node.core import measurements as M
from tests.core.failing_storage import Storage
from tests.core.fake_broker import LIFE, Broker

WRAP = 1 << 30
STATION = {
    "node": "dr01", "district": "demo", "life": LIFE, "seed": 7, "reset": "soft",
    "sensors": [{"driver": "a02yyuw", "bus": "uart1", "gives": "level"},
                {"driver": "battery", "bus": "adc1", "gives": "battery", "ratio_milli": 5700}],
    "settings": {"level.alert": 600, "level.warning": 1000, "level.danger": 1500, "sensor.height": 4500},
}  # fmt: skip
EPOCH_MS = 1528063200000


class Ranger:
    """A UART with an A02YYUW behind it: a frame every 100 ms once it has been powered for 300."""

    def __init__(self, desk):
        self._desk = desk
        self.mm = 4400  # a number, None: silence, "bad": wrong checksums, 0: no echo
        self._told = -1  # frames are told up to here

    def open(self):
        self._told = self._desk.t + 300

    def close(self):
        self._told = -1

    def read_into(self, buffer):
        if self._told < 0:
            return 0
        count = 0
        while self._told <= self._desk.t and count + 4 <= len(buffer):
            mm = self.mm(self._told) if callable(self.mm) else self.mm
            self._told += 100
            if mm is None:
                continue
            high, low = divmod(0 if mm == "bad" else mm, 256)
            buffer[count : count + 4] = bytes((255, high, low, (255 + high + low + (mm == "bad")) & 255))
            count += 4
        return count


class Output:
    def __init__(self, desk, name):
        self._desk, self._name = desk, name
        self.on = 0

    def set(self, on):
        if on != self.on:
            self._desk.changes.append((self._desk.t, self._name, on))
        self.on = on


class Console:
    def __init__(self):
        self.typed = bytearray()
        self.said = bytearray()

    def read_into(self, buffer):
        count = min(len(buffer), len(self.typed))
        buffer[:count] = self.typed[:count]
        del self.typed[:count]
        return count

    def write(self, data):
        assert len(data) <= 48, "more than a UART takes at once"
        self.said += data


class Desk:
    """`t` is milliseconds since the test began; the station's ticks begin at `ticks`. `station`, `buses` and `outputs` are beyond the river gauge's."""

    def __init__(
        self,
        ticks=0,
        settings=None,
        unix=True,
        storage=None,
        link="never",
        station=None,
        buses=None,
        outputs=(),
        slots=None,
        platform=None,
    ):
        self.t = 0
        self._ticks = ticks
        self.unix = EPOCH_MS if unix else None
        self.changes = []
        self.storage = storage or Storage()
        self.ranger = Ranger(self)
        self.broker = Broker()
        self.broker.mode = link
        station = {**STATION, **(station or {})}
        self.station = dict(station, settings={**station["settings"], **(settings or {})})
        self._buses = buses or {}
        self._slots = slots
        self._platform = platform  # without one a defect of ours ends the test that meets it
        self._outputs = ("siren", "strobe", *outputs)
        self._at_once_most = 5 + 4 * len(self.station["sensors"])
        self.steps = 0
        self.boot()

    def boot(self):
        self.console = Console()
        self.outputs = {name: Output(self, name) for name in self._outputs}
        self.broker.close()
        self.app = App(
            self.station,
            self._ports(
                clock=SimpleNamespace(unix_ms=lambda: None if self.unix is None else self.unix + self.t),
                buses={"uart1": self.ranger, "adc1": SimpleNamespace(read_uv=lambda: 2210000), **self._buses},
                outputs=self.outputs,
                storage=self.storage,
                link=self.broker,
                console=self.console,
                slots=self._slots,
            ),
        )

    def _ports(self, **ports):
        if self._platform:
            ports["platform"] = self._platform
        return SimpleNamespace(**ports)

    @property
    def now(self):
        return (self._ticks + self.t) % WRAP

    def run(self, ms, until=lambda: False):
        """Turn the loop for so long, as the board does; True as soon as `until`."""
        end = self.t + ms
        idle = 0
        while True:
            due = self.app.step(self.now)
            self.steps += 1
            assert due >= 0
            idle = 0 if due else idle + 1
            assert idle < self._at_once_most, "the station asks to be stepped at once, again and again"
            if until():
                return True
            if self.broker.inbound or self.console.typed:
                due = min(due, 1)
            if self.t + due > end:
                self.t = end
                return False
            self.t += due

    def level(self, mm):
        self.ranger.mm = 4500 - mm

    def type(self, line):
        """A line on the console; what was said."""
        self.console.said.clear()
        self.console.typed += line.encode() + b"\r"
        self.run(2000)
        return self.console.said.decode()

    def records(self, stream=None):
        """(stream, boot, flags, seq, ms, {name: value}) of all that is in the journal, read by a log of its own."""
        found = []
        for index, name in enumerate(M.STREAMS):
            if stream is not None and index != stream:
                continue
            cursor = journal.Cursor(journal.Log(Storage(self.storage.files), name, 0, 8192, 140))
            while at := cursor.peek():
                flags, seq, seconds, ms, points = journal.points_of(at[3])
                values = {name_of(i): value for i, _, value in points}
                flagged = {name_of(i): q for i, q, _ in points}
                found.append(SimpleNamespace(stream=index, boot=at[0], seq=seq, dated=flags & 1,
                             ms=seconds * 1000 + ms, values=values, q=flagged, kind=next(iter(values))))  # fmt: skip
                cursor.advance(at[3])
        return found

    def events(self, kind):
        return [record for record in self.records(journal.EVENT) if record.kind == kind]

    def switched(self, name):
        return [(t, on) for t, which, on in self.changes if which == name]


def name_of(i):
    """`panel_power:2`; a setting's old and new value by number."""
    if i >= M.OLD_SETTING:
        return hex(i)
    return senml.row_of(i)[0] + (f":{(i >> 8) + 1}" if i >= M.INSTANCE else "")


def broken(*_):
    raise OSError(errno.EIO, "injected")
