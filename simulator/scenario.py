"""Scenarios: typed TOML. An unknown key, a wrong type or a number out of bounds is refused in one sentence that says where and what is allowed."""

import datetime
import re
import tomllib
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from node.core import limits, settings
from simulator.errors import InputError
from simulator.fault_tables import (
    ClockTable,
    CrashTable,
    FlashTable,
    LinkTable,
    OrderTable,
    PacketsTable,
    ResetTable,
    RestoreTable,
    TypedTable,
    UpdateTable,
)
from simulator.tables import WATERS, Name, Natural, SpanTable, Table, WorldTable

_OWN = ("name", "folder", "kinds")
SHIPPED = Path(__file__).parent / "scenarios"
BUILT_IN_HEIGHT_MM = 4500

Chance = Annotated[int, Meta(ge=0, le=1_000_000)]


class SeriesTable(Table):
    """A recorded series and the moment of it that is the scenario's start."""

    file: str  # in simulator/recorded, or beside the scenario
    time: str
    value: str
    unit: Literal["ft", "m", "cm", "mm", "in"]
    starts: datetime.datetime
    step_s: Annotated[int, Meta(ge=1, le=86_400)] = 300
    about: str = ""  # what a person is told: river, place, agency and number


class StationsTable(Table):
    """Stations alike but for name, scale and lag. Scaled or lagged copies are synthetic.

    `station` is one of hardware/stations, or a file of that kind; without it the simulator's own river gauge. `series` is the water that its level
    sensor sees: a recorded series, or `tide` or `tank` of the world. The sensor's height is the station's own unless it is said here.
    """

    nodes: Annotated[list[Name], Meta(min_length=1)]
    series: str = ""
    station: str = ""
    scale_milli: list[Annotated[int, Meta(ge=1, le=10_000)]] = msgspec.field(default_factory=lambda: [1000])
    lag_s: list[Natural] = msgspec.field(default_factory=lambda: [0])
    sensor_height_mm: Annotated[int, Meta(ge=0, le=30_000)] | None = None
    settings: dict[str, int] = {}


class FaultsTable(Table):
    """simulator.chips.a02yyuw.Faults; chances in parts per million."""

    bias_mm: Annotated[int, Meta(ge=0, le=100)] = 4
    noise_mm: Annotated[int, Meta(ge=0, le=100)] = 2
    heat_cc: Annotated[int, Meta(ge=0, le=2000)] = 150
    spike_ppm: Chance = 0
    burst_spike_ppm: Chance = 0
    no_echo_ppm: Chance = 0
    burst_no_echo_ppm: Chance = 0
    bad_sum_ppm: Chance = 0
    lost_byte_ppm: Chance = 0
    no_echo: Literal["zero", "silent"] = "zero"


class OutageTable(Table):
    from_s: Natural
    for_s: Annotated[int, Meta(ge=1)]
    silent: bool = False
    forgets: bool = False


class Scenario(Table):
    about: str
    start: datetime.datetime
    hours: Annotated[int, Meta(ge=1, le=8784)]
    stations: Annotated[list[StationsTable], Meta(min_length=1)]
    series: dict[str, SeriesTable] = {}
    seed: Natural = 1
    district: Name = "demo"
    latency_ms: Annotated[int, Meta(ge=1, le=60_000)] = 20
    commit_ms: Annotated[int, Meta(ge=100, le=3_600_000)] = 30_000
    drain_s: Annotated[int, Meta(ge=1, le=86_400)] = 3600
    faults: FaultsTable = msgspec.field(default_factory=FaultsTable)
    outages: list[OutageTable] = []
    spans: list[SpanTable] = []
    resets: list[ResetTable] = []
    tls: bool = False  # stations open their links by a handshake
    links: list[LinkTable] = []
    packets: list[PacketsTable] = []
    clocks: list[ClockTable] = []
    flash: list[FlashTable] = []
    restores: list[RestoreTable] = []
    orders: list[OrderTable] = []
    crashes: list[CrashTable] = []
    typed: list[TypedTable] = []
    updates: list[UpdateTable] = []
    world: WorldTable = msgspec.field(default_factory=WorldTable)
    name: str = ""
    folder: str = ""
    kinds: list[str] = []  # of fault, of a scenario that was drawn

    @property
    def span_ms(self) -> int:
        return self.hours * 3_600_000

    @property
    def starts_unix_ms(self) -> int:
        return unix_ms(self.start)

    def nodes(self) -> list[str]:
        return [node for table in self.stations for node in table.nodes]


def unix_ms(moment: datetime.datetime) -> int:
    """TOML's times without an offset are taken for UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp()) * 1000


def shipped() -> list[str]:
    return sorted(["chaos", *(path.stem for path in SHIPPED.glob("*.toml"))])


def load(name: str, seed: int | None = None) -> Scenario:
    """A shipped scenario by its name, or a TOML file by its path; the seed is what `chaos` is drawn from."""
    if name == "chaos":
        from simulator.chaos import draw

        return draw(1 if seed is None else seed)
    path = SHIPPED / f"{name}.toml" if name in shipped() else Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"no scenario '{name}': neither a readable file nor one of the shipped {', '.join(shipped())}"
        ) from error
    return parse(text, path)


def parse(text: str, path: Path) -> Scenario:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    for own in _OWN:
        if own in raw:
            raise InputError(f"{path}{_line(text, own)}: '{own}' is the file's own, leave it out")
    try:
        scenario = msgspec.convert({**raw, "name": path.stem, "folder": str(path.parent)}, Scenario)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}{_line(text, _key_of(str(error)))}: {_sentence(str(error))}") from error
    problem = _contradiction(scenario)
    if problem:
        key, sentence = problem
        raise InputError(f"{path}{_line(text, key)}: {sentence}")
    return scenario


def _contradiction(scenario: Scenario) -> tuple[str, str] | None:
    """(key, sentence) for what no single value shows."""
    seen: set[str] = set()
    for table in scenario.stations:
        if (table.series or not table.station) and table.series not in (*scenario.series, *WATERS):
            there = ", ".join([*sorted(scenario.series), *WATERS])
            return table.series or "nodes", f"no series '{table.series}'; there are {there}"
        for node in table.nodes:
            if node in seen:
                return node, f"node '{node}' stands twice; names are unique in a scenario"
            seen.add(node)
        for key, values in (("scale_milli", table.scale_milli), ("lag_s", table.lag_s)):
            if len(values) not in (1, len(table.nodes)):
                return key, f"{key} has {len(values)} values for {len(table.nodes)} nodes; allowed are 1 or as many"
        try:
            settings.Settings(table.settings, limits.ROWS if table.station else settings.ROWS)
        except (KeyError, ValueError) as error:
            return next(iter(table.settings), "settings"), f"stations.settings: {error.args[0]}"
    for node in _named(scenario):
        if node not in seen:
            return node, f"no node '{node}'; there are {', '.join(sorted(seen))}"
    until_s = 0
    for outage in sorted(scenario.outages, key=lambda one: one.from_s):
        if outage.from_s < until_s:
            return "outages", "outages overlap; each must begin after the one before has ended"
        until_s = outage.from_s + outage.for_s
    return None


def _named(scenario: Scenario) -> list[str]:
    """Every station that something befalls."""
    tables = (
        scenario.spans,
        scenario.resets,
        scenario.links,
        scenario.clocks,
        scenario.flash,
        scenario.orders,
        scenario.crashes,
        scenario.typed,
        scenario.updates,
    )
    return [row.node for rows in tables for row in rows]


def _key_of(message: str) -> str:
    """The key a msgspec message is about."""
    quoted = message.split("`")
    if "unknown field" in message and len(quoted) > 1:
        return quoted[1]
    if "missing required field" in message and len(quoted) == 3:
        return ""  # at the top: it stands nowhere
    path = quoted[-2] if len(quoted) > 2 else ""
    return path.rsplit(".", 1)[-1].split("[")[0]


def _sentence(message: str) -> str:
    """msgspec's message, and for an unknown key those that are allowed there."""
    quoted = message.split("`")
    path = quoted[-2] if message.endswith("`") and "$" in quoted[-2] else "$"
    where = path.removeprefix("$").lstrip(".")
    if "unknown field" not in message:
        return message.replace("Object ", "the table ").replace("`$.", "`").replace("`$`", "the top")
    allowed = ", ".join(_fields_at(Scenario, where))
    return f"unknown key '{quoted[1]}'{' in ' + where if where else ''}; allowed are {allowed}"


def _fields_at(table: Any, where: str) -> list[str]:
    for part in filter(None, where.replace("[...]", ".*").replace("[", ".").replace("]", "").split(".")):
        while get_origin(table) in (Annotated, UnionType):
            table = get_args(table)[0]
        if get_origin(table) in (list, dict):
            table = get_args(table)[-1]
        else:
            table = msgspec.structs.fields(table)[[f.name for f in msgspec.structs.fields(table)].index(part)].type
    while get_origin(table) in (Annotated, UnionType, list, dict):
        table = get_args(table)[0 if get_origin(table) in (Annotated, UnionType) else -1]
    return [f.name for f in msgspec.structs.fields(table) if f.name not in _OWN]


def _line(text: str, key: str) -> str:
    """Where the text sets `key`, or begins the table `key`, or else first mentions it: ", line N", or nothing."""
    word = re.escape(key)
    for pattern in (rf"""^\s*["']?{word}["']?\s*=""", rf"^\s*\[+\s*{word}\s*[].]", rf"(?<![\w-]){word}(?![\w-])"):
        for number, line in enumerate(text.splitlines(), 1):
            if key and re.search(pattern, line.split("#")[0]):
                return f", line {number}"
    return ""
