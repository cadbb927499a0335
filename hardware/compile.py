"""A station's TOML file to the JSON that a board takes (docs/ports.md): checked here, on the PC, so that the firmware never meets what it can't run."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hardware import fittings, memory
from hardware.access import read_access
from hardware.boards import NAME, boards, read_board
from hardware.drivers import DRIVERS, MEASURED, Driver, points_of
from hardware.extras import SPECS, derived, read_extras
from hardware.parts import Part, parts
from hardware.pins import check_pins
from hardware.shape import ROOM, Source, Trail, meant, read, table
from node.core import hydrology, limits, settings
from node.drivers import catalog
from simulator.errors import InputError

STATIONS = ROOM / "stations"
KEYS = (
    "about", "board", "access", "lan", "lte", "watch", "sheet", "pins", "sensors", "settings", "seasons", *SPECS, "rise_median_of", "watchdog_s", *fittings.KEYS
)  # fmt: skip
OVERRIDES = ("settings", "wifi", "lte", "broker", "time", "watchdog_s")
MOST_SENSORS = 32
FIVE_METRES_MM = 5000  # a MaxBotix that sees further is blind for more
_WORDS = {"power.profile": "0 is always on, 1 asleep between samples"}  # of a setting whose numbers say nothing
CONVERTERS = ("ads1115", "reference_cell")  # several may read one ADS1115: they take turns

_SEASON: dict[str, dict[str, Any]] = {
    "from": {"text": r"\d\d-\d\d", "required": True, "about": "month-day, as 10-31"},
    "to": {"text": r"\d\d-\d\d", "required": True, "about": "month-day, as 10-31"},
    **{key: {"is": lambda value: isinstance(value, str), "about": 'a level with its unit, as "1.500 m"', "required": True}
       for key in ("alert", "warning", "danger")},
}  # fmt: skip
_SHEET: dict[str, dict[str, Any]] = {
    "title": {"text": ".{1,60}", "required": True, "about": "a line of 1 to 60 letters"},
    "use": {"text": "(.|\n){1,500}", "required": True, "about": "a text of 1 to 500 letters"},
    "operators_only": {
        "is": lambda value: isinstance(value, list) and all(isinstance(key, str) for key in value),
        "about": "a list of quantities",
    },
}


def shipped() -> list[str]:
    return sorted(path.stem for path in STATIONS.glob("*.toml"))


def compile_station(
    name: str | Path, node: str, district: str, life: str, *, seed: int = 1, **overrides: Any
) -> dict[str, Any]:
    """A shipped station by its name or a file by its path, as the board's JSON. InputError: one sentence.

    `overrides`: `settings` (key -> integer in the table's unit, or text with unit) and `lte` go over the file's; `wifi`, `broker`, `time` and
    `watchdog_s` are taken as they are.
    """
    return Station(read(STATIONS, name, "station")).compiled(node, district, life, seed, **overrides)


def _null_bus() -> Any:
    """What a driver may be made with where there is nothing to measure."""
    return SimpleNamespace(count=lambda: 0, counted_ms=0, open=lambda: None, closed=lambda: 0)


class Station:
    """One station file, checked. `points`: (key, sensor's number) of all it measures, in order."""

    def __init__(self, source: Source) -> None:
        self.source = source
        values = source.values
        for key in values:
            if key not in KEYS:
                source.refuse((key,), f"unknown key '{key}'; allowed are {', '.join(KEYS)}")
        self.about = self._text("about")
        self.board = self._board()
        self.sheet = table(source, values.get("sheet"), _SHEET, ("sheet",))
        self.pins = check_pins(source, values.get("pins", {}), self.board)
        self.access = read_access(source, self.pins, self.board)
        self.sensors: list[dict[str, Any]] = []
        self._fitted: list[tuple[dict[str, Any], str]] = []
        self.points: list[tuple[str, int]] = []
        self.watch: list[str] = []
        self._gather()
        for key in self.sheet.get("operators_only", ()):
            if key not in MEASURED:
                source.refuse(("sheet", "operators_only"), f"no quantity '{key:.40}'; there are {', '.join(MEASURED)}")
        given = {key for key, _ in self.points}
        self.seasons = self._seasons()
        self.extras = read_extras(source, self.pins, given, self.seasons)
        self.derived = derived(given, self.extras)
        self.watch = self._watch(given | self.derived)
        self.settings = self._settings(values.get("settings", {}))
        self.numbers = self._numbers()
        self.fittings = fittings.Fittings(source, source.values.get("pins", {}), self._fitted)
        self._fits_the_board()

    @property
    def called(self) -> str:
        """What a command takes for it: a shipped one's name, or its file."""
        path = self.source.path
        return path.stem if path.parent == STATIONS and path.stem in shipped() else str(path)

    def _text(self, key: str) -> str:
        value = self.source.values.get(key)
        if not isinstance(value, str) or not value:
            self.source.refuse((key,), f"'{key}' is missing or no text")
        return value

    def _board(self) -> dict[str, Any]:
        name = self._text("board")
        if not re.fullmatch(NAME, name):
            self.source.refuse(("board",), f"no board '{name}'; there are {', '.join(boards())}")
        if name not in boards():
            self.source.refuse(("board",), f"no board '{name}'; there are {', '.join(boards())}{meant(name, boards())}")
        return read_board(name)

    # Sensors

    def _gather(self) -> None:
        rows = self.source.values.get("sensors")
        if not isinstance(rows, list) or not 0 < len(rows) <= MOST_SENSORS:
            self.source.refuse(("sensors",), f"'sensors' must be a list of 1 to {MOST_SENSORS} tables, [[sensors]]")
        for i, row in enumerate(rows):
            self._sensor(row, ("sensors", i))
        drivers = [sensor["driver"] for sensor in self.sensors]
        if drivers.count("battery") != 1:
            self.source.refuse(("sensors",), "a station needs one sensor with driver battery, no more and no less")
        if len(drivers) == 1:
            self.source.refuse(("sensors",), "a station needs a sensor besides its battery")

    def _sensor(self, row: Any, trail: Trail) -> None:
        source = self.source
        if not isinstance(row, dict):
            source.refuse(trail, "a sensor must be a table with driver and bus")
        name = row.get("driver")
        driver = DRIVERS.get(name) if isinstance(name, str) else None
        if driver is None:
            source.refuse(
                (*trail, "driver"),
                f"no driver {name!r:.40}; there are {', '.join(sorted(DRIVERS))}{meant(name, DRIVERS)}",
            )
        level = row.get("gives") == "level"
        sensor = table(source, row, {**driver.specs(level), **fittings.OF_A_SENSOR}, trail)
        self._fitted.append(({key: sensor.pop(key) for key in fittings.OF_A_SENSOR if key in sensor}, driver.name))
        if level:
            self._as_its_part_sees(driver, sensor, trail)
        if level and not driver.level:
            source.refuse((*trail, "gives"), f"{name} gives no level; {', '.join(_level_drivers())} do")
        if driver.level == "only" and not level:
            source.refuse(trail, f'{name} gives a level and nothing else: write gives = "level"')
        self._on_its_bus(driver, sensor, trail)
        self._above_or_in_the_water(driver, sensor, trail)
        if "gives" in sensor and isinstance(sensor["gives"], list):
            sensor["gives"] = [key or None for key in sensor["gives"]]  # TOML has no null
        for key in points_of(source, driver, sensor, trail, level):
            if key in [one for one, _ in self.points]:
                advice = (
                    ""
                    if key in ("level", "battery")
                    else f"; a second one is '{key.split(':')[0]}:2', or leave it out with \"\""
                )
                source.refuse((*trail, "gives"), f"'{key}' is given twice{advice}")
            self.points.append((key, len(self.sensors)))
        self._try(driver, sensor, trail, level)
        self.sensors.append(sensor)

    def _as_its_part_sees(self, driver: Driver, sensor: dict[str, Any], trail: Trail) -> None:
        """A ranger's row that leaves its reach out has its part's; one that claims more than that would wait for water that is never told."""
        part = parts("sensors").get(self._fitted[-1][0].get("part", ""), Part("", "", {}))
        for key, better in (("blanking_mm", lambda mm, own: mm < own), ("range_mm", lambda mm, own: mm > own)):
            own = part.get(key)
            if own is None or key not in driver.keys or driver.name not in part["drivers"]:
                continue
            if better(sensor.setdefault(key, own), own):
                does = "is blind for" if key == "blanking_mm" else "sees to"
                self.source.breaks(
                    (*trail, key), f"{key} is {sensor[key]}, and {part.id} {does} {own}", "sensor-claims"
                )
        if driver.name == "maxbotix" and sensor.get("range_mm", 0) > FIVE_METRES_MM and "blanking_mm" not in sensor:
            self.source.refuse(
                trail, "maxbotix: a model that sees beyond 5000 mm is blind for 500: write its blanking_mm, or its part"
            )

    def _above_or_in_the_water(self, driver: Driver, sensor: dict[str, Any], trail: Trail) -> None:
        """A ranger's level falls where a probe's rises: taken for the other, a flood is a drought."""
        can = {"a02yyuw": "range", "maxbotix": "range", "current_loop": "depth"}.get(driver.name)
        measures = sensor.get("measures", can)
        if can and measures != can:
            said = f"{driver.name} measures a {can}, not a {measures}; leave 'measures' out"
            self.source.refuse((*trail, "measures"), said)

    def _on_its_bus(self, driver: Driver, sensor: dict[str, Any], trail: Trail) -> None:
        source, bus = self.source, sensor["bus"]
        if bus not in self.pins:
            source.refuse(
                (*trail, "bus"),
                f"no bus '{bus}' in [pins]; there are {', '.join(sorted(self.pins))}{meant(bus, self.pins)}",
            )
        pins = self.pins[bus]
        if pins["kind"] != driver.bus:
            source.refuse((*trail, "bus"), f"'{bus}' is of kind {pins['kind']}, {driver.name} needs {driver.bus}")
        if driver.baud and pins.get("baud", 9600) != driver.baud:
            source.refuse(
                ("pins", bus, "baud"),
                f"{driver.name} speaks at {driver.baud} baud, '{bus}' at {pins.get('baud', 9600)}",
            )
        for other in self.sensors:
            problem = _clash(other, sensor, bus) if other["bus"] == bus else ""
            if problem and driver.bus == "i2c":
                source.breaks((*trail, "bus"), problem, "i2c-address")
            elif problem:
                source.refuse((*trail, "bus"), problem)

    def _try(self, driver: Driver, sensor: dict[str, Any], trail: Trail, level: bool) -> None:
        """The driver itself says what it can't be made with."""
        if driver.name == "battery":
            return
        try:
            made = catalog.make(catalog.LEVEL if level else catalog.OTHERS, driver.name, _null_bus(), sensor)
            if level and made.blanking_mm >= made.range_mm:
                raise ValueError(f"blanking {made.blanking_mm} mm must be below the range of {made.range_mm} mm")
            if level and sensor.get("tilt"):
                hydrology.Mount(0, sensor["tilt"], sensor.get("assumes_cc"))
        except (ValueError, KeyError) as error:
            reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            source_words = reason if reason.startswith(driver.name) else f"{driver.name}: {reason}"
            self.source.refuse(trail, source_words)

    # Settings

    def _watch(self, given: set[str]) -> list[str]:
        watch = self.source.values.get("watch", [])
        if not isinstance(watch, list):
            self.source.refuse(("watch",), "'watch' must be a list of quantities")
        for key in watch:
            if key not in limits.KEYS:
                self.source.refuse(("watch",), f"no alarm on {key!r:.40}; there are {', '.join(limits.KEYS)}")
            if key not in given:
                self.source.refuse(("watch",), f"'{key}' is watched, but no sensor gives it")
        if len(set(watch)) != len(watch):
            self.source.refuse(("watch",), "'watch' names a quantity twice")
        return watch

    @property
    def rows(self) -> tuple:
        return limits.ROWS if self.watch else settings.ROWS

    def _settings(self, texts: Any, over: Mapping[str, int] | None = None) -> dict[str, int]:
        if not isinstance(texts, dict):
            self.source.refuse(("settings",), "'settings' must be a table of settings")
        values = dict(over or {})
        for key, text in texts.items():
            if over is not None and type(text) is int:
                values[key] = text
                continue
            try:
                values[key] = self.setting(key, text)
            except (ValueError, KeyError) as error:
                self.source.refuse(("settings", key), str(error.args[0]))
        try:
            settings.Settings(values, self.rows)
        except (ValueError, KeyError) as error:
            self.source.refuse(("settings",), str(error.args[0]))
        return {row[0]: values[row[0]] for row in self.rows if row[0] in values}

    def setting(self, key: str, text: Any) -> int:
        """A setting's integer for text with unit ("0.600 m"). ValueError and KeyError say what is allowed."""
        if key not in [row[0] for row in self.rows] and key in [row[0] for row in limits.ROWS]:
            raise KeyError(f"'{key}' is a setting of stations that watch it; add it to 'watch'")
        row = self.rows[settings.index(key, self.rows)]
        if type(text) is int and row[1] is None:
            return settings.within(row, text)
        words = text.split() if isinstance(text, str) else []
        if len(words) != (2 if row[1] else 1):
            example = settings.shown(row, row[3])
            raise ValueError(f'{key} is {text!r:.40}; write text with its unit, as "{example}"' if row[1] else
                             f"{key} is {text!r:.40}; write a whole number from {row[4]} to {row[5]}{': ' + _WORDS[key] if key in _WORDS else ''}")  # fmt: skip
        try:
            return settings.validate(row, *words)
        except ValueError as error:
            raise ValueError(f"{error}{': ' + _WORDS[key] if key in _WORDS else ''}") from None

    def _seasons(self) -> list[list[int]]:
        rows = self.source.values.get("seasons", [])
        if not isinstance(rows, list) or len(rows) > 12:
            self.source.refuse(("seasons",), "'seasons' must be a list of at most 12 tables, [[seasons]]")
        if rows and "level" not in [key for key, _ in self.points]:
            self.source.refuse(("seasons",), "seasons are of levels, and no sensor gives one")
        found = []
        for i, row in enumerate(rows):
            season = table(self.source, row, _SEASON, ("seasons", i))
            values = [int(season[key].replace("-", "")) for key in ("from", "to")]
            try:
                values += [self.setting(f"level.{key}", season[key]) for key in ("alert", "warning", "danger")]
                hydrology.check_seasons([values])
            except ValueError as error:
                self.source.refuse(("seasons", i), str(error).replace("season 1:", f"season {i + 1}:"))
            found.append(values)
        return found

    def _numbers(self) -> dict[str, int]:
        specs: dict[str, dict[str, Any]] = {
            "rise_median_of": {"choices": [1, 3]},
            "watchdog_s": {"low": 0, "high": 3600},
        }
        values = self.source.values
        return table(self.source, {key: values[key] for key in specs if key in values}, specs)

    def _fits_the_board(self) -> None:
        needs = memory.mpy_bytes(self.as_data())
        if needs > memory.STOCK_MPY_BYTES and not self.board["psram_kb"]:
            too_much = f"this station loads {needs} bytes of .mpy, past the {memory.STOCK_MPY_BYTES} that a board without PSRAM holds"
            self.source.breaks(("board",), f"{too_much}; {self._with_psram()}", "psram")

    # The board's JSON

    def as_data(self) -> dict[str, Any]:
        """What does not depend on where it stands."""
        data: dict[str, Any] = {"sensors": self.sensors, "settings": self.settings, "pins": self.pins}
        if self.watch:
            data["watch"] = self.watch
        return {**data, **self.access, **self.extras, **self.numbers}

    def compiled(self, node: str, district: str, life: str, seed: int = 1, **overrides: Any) -> dict[str, Any]:
        path = self.source.path
        for key, value in (("node", node), ("district", district)):
            if not isinstance(value, str) or not re.fullmatch(NAME, value):
                raise InputError(
                    f"{path}: {key} is {value!r:.40}; allowed are 1 to 32 of a-z 0-9 _ -, a letter or digit first"
                )
        if not isinstance(life, str) or not re.fullmatch(r"[0-9a-f]{8}", life):
            raise InputError(f"{path}: life is {life!r:.40}; it is 8 hex digits")
        if type(seed) is not int or not 0 <= seed < 1 << 30:
            raise InputError(f"{path}: seed is {seed!r:.40}; allowed are whole numbers from 0 to {(1 << 30) - 1}")
        for key in overrides:
            if key not in OVERRIDES:
                raise InputError(
                    f"{path}: '{key}' can't be given over a station's file; allowed are {', '.join(OVERRIDES)}"
                )
        data = {"node": node, "district": district, "life": life, "seed": seed, **self.as_data()}
        data["wifi"] = {"ssid": "", "key": ""}
        data["broker"] = {"host": "", "port": 1883}
        if "lte" in overrides:
            if "lte" not in data:
                raise InputError(
                    f'{path}: a subscription (lte) is given, and the station has no modem; leave it out, or write access = "lte"'
                )
            overrides["lte"] = {**data["lte"], **overrides["lte"]}
        for key, value in overrides.items():
            data[key] = self._settings(value, self.settings) if key == "settings" else value
        if data["broker"].get("tls") and not self.board["psram_kb"]:
            self.source.breaks(
                ("board",), f"TLS does not fit the heap of a board without PSRAM; {self._with_psram()}", "psram-tls"
            )
        return data

    def _with_psram(self) -> str:
        names = [name for name in boards() if read_board(name)["psram_kb"]]
        return f"take one with PSRAM: {', '.join(names)}"


def _clash(one: Mapping[str, Any], other: Mapping[str, Any], bus: str) -> str:
    """Why these two can't share a bus, or nothing. Sensors of the rounds take turns on theirs, a level's burst waits for nobody."""
    drivers = (DRIVERS[one["driver"]], DRIVERS[other["driver"]])
    level = "level" in (one.get("gives"), other.get("gives"))
    kind = drivers[0].bus
    addresses = [sensor.get("address", driver.address) for sensor, driver in zip((one, other), drivers, strict=True)]
    if kind == "i2c":
        converters = all(driver.name in CONVERTERS for driver in drivers)
        if addresses[0] == addresses[1] and (level or not converters):
            return f"address {addresses[0]:#x} on '{bus}' is {drivers[0].name}'s already; give each chip its own"
        return ""
    if kind == "uart" and not level and {driver.name for driver in drivers} == {"modbus"}:
        if None in addresses or addresses[0] == addresses[1]:
            return f"two transmitters on '{bus}' need an 'address' each, and not the same"
        return ""
    if kind == "onewire":
        if "rom" not in one or "rom" not in other or one["rom"] == other["rom"]:
            return f"two thermometers on '{bus}' need a 'rom' each, and not the same"
        return ""
    return f"'{bus}' serves {drivers[0].name} already, and nothing else can be on it"


def _level_drivers() -> list[str]:
    return sorted(name for name, driver in DRIVERS.items() if driver.level)
