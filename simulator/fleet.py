"""A scenario put together: rivers, stations, broker, gateway and trace on one agenda."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.store import SqliteStore
from hardware.compile import STATIONS
from hardware.compile import Station as Described
from hardware.compile import read as read_table
from node.core import limits
from node.core.settings import Settings
from node.core.slots import SLOTS
from simulator import mishaps, noise, releases, surroundings
from simulator.adapters.buses import UART, Spans, within
from simulator.adapters.clock import WRAP_MASK, Clock
from simulator.adapters.link import Link, LinkPort
from simulator.adapters.outputs import Output
from simulator.adapters.storage import CAPACITY_BYTES, Storage
from simulator.agenda import Agenda, Moment
from simulator.broker import Broker, Outage
from simulator.chips.a02yyuw import Faults
from simulator.errors import InputError
from simulator.furnish import Furnisher
from simulator.intake import IngestCore, Intake
from simulator.notes import Notes
from simulator.scenario import BUILT_IN_HEIGHT_MM, Scenario, SeriesTable, StationsTable, unix_ms
from simulator.series import read
from simulator.stations import Body, Ports, Station
from simulator.surroundings import Surroundings
from simulator.trace import Trace
from simulator.troubles import check
from simulator.world.river import Levels, River

RECORDED = Path(__file__).parent / "recorded"
RATIO_MILLI = 5700  # 47 kOhm above 10 kOhm
PINS = {
    "uart1": {"kind": "uart", "rx": 16, "tx": 17, "baud": 9600, "power": 4},
    "adc1": {"kind": "adc", "pin": 34},
    "siren": {"kind": "output", "pin": 25},
    "strobe": {"kind": "output", "pin": 26},
}
_WRAP_EARLY_MS = 5000
_WRAPS = 720  # the first hour sees every station's ticks wrap, five seconds apart
_SETTLE_MS = 60_000
_HEARD_MS = 600_000


@dataclass(frozen=True, slots=True)
class Place:
    """What is true of one station, whatever its firmware believes."""

    node: str
    river: River | None  # the water, for a station that measures a level
    height_mm: int  # the sensor's, above gauge datum; a station may believe another
    compiled: dict
    boots_ms: int
    psram: bool = False  # its board has a heap of megabytes
    number: int = 0  # in the order of the whole scenario, even when only a part of it runs
    described: Described | None = None  # the file it is built from

    @property
    def levels_mm(self) -> tuple[int, int, int]:
        values = Settings(self.compiled["settings"], limits.ROWS).values
        return values[0], values[1], values[2]

    @property
    def has_level(self) -> bool:
        return any(row.get("gives") == "level" for row in self.compiled["sensors"])


def places(
    scenario: Scenario, seed: int, copies: int = 1, levels: Callable[[SeriesTable], Levels] | None = None
) -> list[Place]:
    """Every station of the scenario; `copies` repeats them under further names with noise of their own."""
    find = levels or (lambda table: series(table, scenario.folder))
    sources = {name: find(table) for name, table in scenario.series.items()}
    described_as = {table.station: described(table.station, scenario.folder) for table in scenario.stations}
    waters = {"tide": surroundings.tide, "tank": surroundings.tank, "flood": surroundings.flood}
    found = []
    for table in scenario.stations:
        for i, node in enumerate(table.nodes):
            river = None
            if table.series in sources:
                river = _river(scenario, table, sources[table.series], i)
            elif table.series:
                river = waters[table.series](scenario)
            for copy in range(copies):
                name = node if not copy else f"{node}x{copy}"
                bits = noise.draw(noise.key(seed, name, "identity"), 0)
                built = described_as[table.station]
                compiled = _compiled(scenario, table, name, bits, built)
                place = Place(
                    name,
                    river,
                    _true_height_mm(table, compiled),
                    compiled,
                    _boots_ms(bits),
                    built is not None and bool(built.board["psram_kb"]),
                    described=built,
                )
                if place.has_level and river is None:
                    raise InputError(
                        f'station \'{node}\' measures a level: give its table a series, or series = "tide" or "tank"'
                    )
                check(compiled, [span for span in scenario.spans if span.node == name])
                found.append(place)
    found.sort(key=lambda place: place.node)
    return [replace(place, number=number) for number, place in enumerate(found)]


def series(table: SeriesTable, folder: str) -> Levels:
    """The recorded series a scenario names: beside it, else among those the simulator carries."""
    for path in (Path(folder) / table.file, RECORDED / table.file):
        if path.is_file():
            return read(path, table.time, table.value, table.unit)
    raise InputError(f"no series file '{table.file}' in {folder} or {RECORDED}")


def _river(scenario: Scenario, table: StationsTable, levels: Levels, i: int) -> River:
    source = scenario.series[table.series]
    return River.replay(
        levels,
        from_ms=unix_ms(source.starts),
        span_ms=scenario.span_ms + scenario.drain_s * 1000,
        step_ms=source.step_s * 1000,
        scale_milli=table.scale_milli[i % len(table.scale_milli)],
        lag_ms=table.lag_s[i % len(table.lag_s)] * 1000,
    )


def _boots_ms(bits: int) -> int:
    """Stations are switched on within the first minute."""
    return noise.below(bits >> 32, 60_000)


def described(station: str, folder: str = "") -> Described | None:
    """A station of hardware/stations, or a file beside the scenario; None is the built-in river gauge."""
    if not station:
        return None
    beside = Path(folder) / station
    return Described(read_table(STATIONS, beside if beside.is_file() else station, "station"))


def _true_height_mm(table: StationsTable, compiled: dict) -> int:
    """Where the sensor really hangs: what the scenario says, whatever the station's settings make of it."""
    if table.sensor_height_mm is not None:
        return table.sensor_height_mm
    height_mm: int = compiled["settings"].get("sensor.height", BUILT_IN_HEIGHT_MM)
    return height_mm


def _compiled(scenario: Scenario, table: StationsTable, node: str, bits: int, described: Described | None) -> dict:
    """The compiled station (docs/ports.md)."""
    height = {} if table.sensor_height_mm is None else {"sensor.height": table.sensor_height_mm}
    life, seed = f"{bits & 0xFFFFFFFF:08x}", bits >> 8 & 0x3FFFFFFF
    if described:
        return described.compiled(node, scenario.district, life, seed, settings={**height, **table.settings})
    return {
        "node": node,
        "district": scenario.district,
        "life": life,
        "seed": seed,
        "sensors": [
            {"driver": "a02yyuw", "bus": "uart1", "gives": "level"},
            {"driver": "battery", "bus": "adc1", "gives": "battery", "ratio_milli": RATIO_MILLI},
        ],
        "settings": {"sensor.height": BUILT_IN_HEIGHT_MM, **height, **table.settings},
        "pins": PINS,
        "wifi": {"ssid": "", "key": ""},
        "broker": {"host": "", "port": 1883},
    }


class Watch(Protocol):
    """Hears what stations say, switch and keep, as it happens."""

    def published(self, node: str, topic: str, payload: bytes) -> None: ...
    def switched(self, node: str, name: str, on: int) -> None: ...
    def appended(self, node: str, file: str, data: bytes) -> None: ...
    def filled(self, node: str, slot: str) -> None: ...


class Fleet:
    """Stations with their chips, rivers and flash on one agenda; where their links lead is up to the kind of fleet."""

    def __init__(
        self, scenario: Scenario, seed: int, all_places: Sequence[Place], write: Callable[[bytes], object] | None = None
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.places = all_places
        self.moment = Moment()
        self.trace = Trace(self.moment, write)
        self.notes = Notes(self.moment, scenario.starts_unix_ms)
        self.agenda = Agenda(self.moment)
        self.stations: list[Station] = []
        self.surroundings: dict[str, Surroundings] = {}
        self.watch: Watch | None = None

    def furnish(self, place: Place, body: Body, i: int, link: LinkPort) -> Station:
        """Station number `i` of the scenario with everything behind its ports."""
        scenario, moment, node = self.scenario, self.moment, place.node
        starts = scenario.starts_unix_ms
        spans = [span for span in scenario.spans if span.node == node]
        seed = self.seed
        around = Surroundings(scenario, seed, node, place.river, place.compiled.get("tank"))
        self.surroundings[node] = around
        furnisher = Furnisher(moment, seed, around, place.compiled, spans, self._ranger_faults, place.height_mm)
        storage = Storage(
            moment,
            lambda file, data: self._appended(node, file, data),
            capacity_bytes=next((f.capacity_kb * 1024 for f in scenario.flash if f.node == node), CAPACITY_BYTES),
            failing_ms=tuple(span.ms for span in spans if span.what == "storage"),
        )
        storage.replaced = lambda file, data: self._replaced(node, file, data)
        names = [name for name, pin in place.compiled["pins"].items() if pin["kind"] == "output"]
        outputs = {name: Output(name, lambda name, on: self._switched(node, name, on)) for name in names}
        if "siren" in outputs:
            broken = tuple(span.ms for span in spans if span.what == "siren_broken")
            around.siren_on = lambda: outputs["siren"].on and not within(moment.t, broken)
        ticks = (WRAP_MASK + 1 - _WRAP_EARLY_MS * (1 + i % _WRAPS)) & WRAP_MASK
        clock = Clock(moment, ticks, starts, **mishaps.clock_faults(scenario, node))
        ports = Ports(clock, furnisher.hang(), outputs, storage, link)
        if any(row.node == node for row in scenario.updates):
            ports.slots = releases.slots_of(
                moment,
                storage,
                tuple(span.ms for span in spans if span.what == "storage"),
                {slot: self._tracing(node, slot) for slot in SLOTS},
            )
        return Station(
            moment,
            place.compiled,
            ports,
            body,
            ticks_at_zero=ticks,
            sync_after_ms=2000 + noise.below(noise.draw(noise.key(seed, node, "sntp"), 0), 3000),
            resets_ms=[r.at_s * 1000 + r.ms for r in scenario.resets if r.node == node and not r.in_write],
            write_cuts=mishaps.write_cuts(scenario, node),
            crashes=[(c.at_s * 1000, c.where, c.times) for c in scenario.crashes if c.node == node],
            dying=[releases.version(n) for n, row in enumerate(scenario.updates) if row.what == "dying"],
        )

    def _ranger_faults(self, unplugged_ms: Spans) -> Faults:
        table = self.scenario.faults
        return Faults(**{name: getattr(table, name) for name in table.__struct_fields__}, unplugged_ms=unplugged_ms)

    def _tracing(self, node: str, slot: str) -> Callable[[str, bytes], object]:
        def written(file: str, data: bytes) -> None:
            self.trace.append(node, f"{slot}/{file}", data)
            if self.watch:
                self.watch.filled(node, slot)

        return written

    def _replaced(self, node: str, file: str, data: bytes) -> None:
        self.notes.append(node, file, data)

    def _published(self, node: str, topic: str, qos: int, retain: int, payload: bytes) -> None:
        self.trace.publish(node, topic, qos, retain, payload)
        self.notes.publish(node, topic, payload)
        if self.watch:
            self.watch.published(node, topic, payload)

    def _switched(self, node: str, name: str, on: int) -> None:
        self.trace.output(node, name, on)
        self.notes.output(node, name, on)
        if self.watch:
            self.watch.switched(node, name, on)

    def _appended(self, node: str, file: str, data: bytes) -> None:
        self.trace.append(node, file, data)
        self.notes.append(node, file, data)
        if self.watch:
            self.watch.appended(node, file, data)


class District(Fleet):
    """Broker and gateway in memory. `run` lives through the scenario, `drain` lets the network settle. What was found is in `trace`, `notes` and the store."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        all_places: Sequence[Place],
        make_body: Callable[[str], Body],
        ingest: IngestCore,
        write: Callable[[bytes], object] | None = None,
        store: SqliteStore | None = None,
    ) -> None:
        """`store` is what `ingest` keeps in: a scenario's restores put it back."""
        super().__init__(scenario, seed, all_places, write)
        self.intake = Intake(self.moment, ingest, scenario.starts_unix_ms, scenario.commit_ms)
        outages = [Outage(o.from_s * 1000, (o.from_s + o.for_s) * 1000, o.silent, o.forgets) for o in scenario.outages]
        self.broker = Broker(self.moment, self._published, self._received, tuple(outages))
        self.broker.forget = self.intake.forget
        self.intake.broker = self.broker
        self.agenda.join(self.broker, outages[0].from_ms if outages else 1 << 41)
        intake = self.agenda.join(self.intake, scenario.commit_ms)
        self.intake.soon = lambda t_ms: self.agenda.sooner(intake, t_ms)
        if scenario.packets:
            mixer = mishaps.Mixer(scenario, seed, lambda: self.moment.t)
            self.intake.mixed, self.broker.repeats = mixer.mixed, mixer.repeats
        for i, place in enumerate(all_places):
            self._join(place, make_body(place.node), i)
        lives = {place.node: place.compiled["life"] for place in all_places}
        if scenario.orders:
            orders = [row for row in scenario.orders if row.node in lives]
            clerk = mishaps.Clerk(msgspec.structs.replace(scenario, orders=orders), self.broker, lives, self.intake)
            self.agenda.join(clerk, 1)
        self._publisher: releases.Publisher | None = None
        if scenario.updates:
            self._publisher = releases.Publisher(scenario, self.broker)
            self.agenda.join(self._publisher, 1)
        consoles = {station.node: station.ports.console for station in self.stations}
        for row in scenario.typed:
            if row.node in consoles:
                self.agenda.join(mishaps.Typist(row, consoles[row.node]), row.at_s * 1000)
        self.restorer: mishaps.Restorer | None = None
        if store is not None and scenario.restores:
            self.restorer = mishaps.Restorer(scenario, store, self.intake)
            self.agenda.join(self.restorer, 1)

    def _received(self, topic: str, payload: bytes, t_ms: int) -> None:
        if self._publisher and topic.endswith("/want"):
            self._publisher.heard(topic, payload, t_ms)
        else:
            self.intake.received(topic, payload, t_ms)

    def _join(self, place: Place, body: Body, i: int) -> None:
        index = i + 2  # behind broker and intake
        refused: list[Callable[[], object]] = []
        link = Link(
            self.moment,
            self.broker,
            lambda t: self.agenda.sooner(index, t),
            self.scenario.latency_ms,
            tls=self.scenario.tls,
            troubles=mishaps.link_troubles(self.scenario, place.node),
            refused=lambda: [tell() for tell in refused],
        )
        link.home = place.compiled["broker"]["host"]
        self.broker.introduce(link, place.node)
        station = self.furnish(place, body, place.number, link)
        refused.append(station.ports.clock.certificate_refused)
        joined = self.agenda.join(station, place.boots_ms)
        assert joined == index
        self.stations.append(station)

    def run(self, progress: Callable[[int], object] | None = None) -> None:
        """The scenario; the trace ends with it."""
        self.agenda.run(self.scenario.span_ms, progress)
        self.trace.close()

    def drain(self, settled: Callable[[], bool]) -> int:
        """Time goes on until `settled` or the scenario's `drain_s` is over; returns the virtual milliseconds it took."""
        begun = self.moment.t
        until = begun + self.scenario.drain_s * 1000
        while self.moment.t < until and not settled():
            self.agenda.run(min(until, self.moment.t + _SETTLE_MS))
        self.intake.settle(self.moment.t)
        return self.moment.t - begun

    def settle(self) -> None:
        """A few minutes more, so that the stations hear what is kept."""
        self.agenda.run(self.moment.t + _HEARD_MS)

    @property
    def bursts(self) -> int:
        """Samples begun: how often a gauge's ranger was powered; of stations without one, rounds recorded."""
        total = 0
        for place, station in zip(self.places, self.stations, strict=True):
            bus = station.ports.buses.get(
                next((row["bus"] for row in place.compiled["sensors"] if row.get("gives") == "level"), "")
            )
            if isinstance(bus, UART):
                total += bus.opened
            else:
                total += sum(n for key, n in self.notes.made.items() if key[0] == place.node and key[1] == "readings")
        return total
