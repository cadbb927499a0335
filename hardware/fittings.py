"""What a station's file says beside its board's data: where it stands, what feeds it, what hangs on its pins. It is not in the board's JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from hardware.parts import Part, parts
from hardware.shape import Source, Trail, meant, table

RAILS = ("battery", "5V", "3V3")
_PART = {"text": "[a-z][a-z0-9_]{0,39}", "about": "a part's name"}
_LIST = {
    "is": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    "about": "a list of circuits",
}
_COUNT = {"low": 1, "high": 4}  # so many in parallel
TABLES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "site": {"coldest_c": {"low": -60, "high": 40, "required": True}},
    "supply": {
        "battery": {**_PART, "required": True},
        "regulator": {**_PART, "required": True},
        "charger": _PART,
        "panel": _PART,
        "panels": _COUNT,
        "batteries": _COUNT,
    },
    "mount": {
        "part": {**_PART, "required": True},
        "clear_mm": {
            "low": 0,
            "high": 100_000,
        },  # as measured there: from below the sensor to the nearest that is no water
    },
    "array": {
        "module": {**_PART, "required": True},
        "in_series": {"low": 1, "high": 40, "required": True},
    },
}
FIT: Mapping[str, Mapping[str, Any]] = {
    "part": _PART,
    "rail": {"choices": list(RAILS)},
    "through": _LIST,
    "switch": _PART,
    "pull_up_ohm": {"low": 100, "high": 1_000_000},
    "pull_down_ohm": {"low": 100, "high": 1_000_000},
    "cable_cm": {"low": 0, "high": 200_000},
    "terminated": {"flag": True},
}
# What a fit may say where it is of that kind of pins, and which circuits are in such a line: what is not here would be soldered by nobody.
OF_A_KIND: Mapping[str, tuple[str, ...]] = {
    "uart": ("rail", "through", "switch", "pull_down_ohm", "cable_cm", "terminated"),
    "i2c": ("rail", "pull_up_ohm", "cable_cm"),
    "onewire": ("rail", "pull_up_ohm", "cable_cm"),
    "adc": ("through", "cable_cm"),
    "pulses": ("rail", "pull_up_ohm", "cable_cm"),
    "switch": ("rail", "pull_up_ohm", "cable_cm"),
    "output": ("part", "rail", "switch", "pull_down_ohm", "cable_cm"),
}
THROUGH: Mapping[str, tuple[str, ...]] = {"uart": ("divider", "shifter", "rs485"), "adc": ("divider",)}
# of a [[sensors]] table, beside what its driver is told
_RAIL = {"choices": list(RAILS)}
OF_A_SENSOR: Mapping[str, Mapping[str, Any]] = {"part": _PART, "rail": _RAIL, "probe": _PART, "probe_rail": _RAIL}
KEYS = (*TABLES, "fit")


class Fitted:
    """What a sensor is: the part on the bus, and the probe behind it where it is a converter; each with its rail."""

    def __init__(self, part: Part | None, probe: Part | None, row: Mapping[str, Any]) -> None:
        self.part, self.probe = part, probe
        self.rail: str | None = row.get("rail")
        self.probe_rail: str | None = row.get("probe_rail")


class Fitting:
    """What is on one of [pins]."""

    def __init__(self, row: Mapping[str, Any], part: Part | None, through: list[Part], switch: Part | None) -> None:
        self.part, self.through, self.switch = part, through, switch
        self.rail: str | None = row.get("rail")
        self.pull_up_ohm: int = row.get("pull_up_ohm", 0)
        self.pull_down_ohm: int = row.get("pull_down_ohm", 0)
        self.cable_cm: int = row.get("cable_cm", 0)
        self.terminated: bool = row.get("terminated", False)

    def has(self, kind: str) -> list[Part]:
        return [part for part in self.through if part.kind == kind]


class Fittings:
    """A station's parts by name. What a file leaves out is None, or not there; `needs` says it in a sentence."""

    def __init__(self, source: Source, pins: Mapping[str, Any], rows: Sequence[tuple[Mapping[str, Any], str]]) -> None:
        """`rows`: of each sensor what its table says of OF_A_SENSOR, and its driver."""
        self._source = source
        given = {
            name: table(source, source.values[name], _named(name, specs), (name,))
            for name, specs in TABLES.items()
            if name in source.values
        }
        self.coldest_c: int | None = given.get("site", {}).get("coldest_c")
        self.supply: dict[str, Part] = {}
        supply = given.get("supply", {})
        self.panels: int = supply.pop("panels", 1)
        self.batteries: int = supply.pop("batteries", 1)
        for key, name in supply.items():
            self.supply[key] = one(source, ("supply", key), "supplies", name, key)
        if "panel" in supply and "charger" not in supply:
            source.refuse(
                ("supply",), "supply names a panel and no 'charger' of parts/supplies.toml between it and the battery"
            )
        mount = given.get("mount")
        self.mount = one(source, ("mount", "part"), "mounts", mount["part"]) if mount else None
        self.clear_mm: int | None = mount.get("clear_mm") if mount else None
        array = given.get("array")
        self.module = one(source, ("array", "module"), "supplies", array["module"], "panel") if array else None
        self.in_series: int = array["in_series"] if array else 1
        self.fits = self._fits(source.values.get("fit", {}), pins)
        self.sensors = [self._fitted(i, row, driver) for i, (row, driver) in enumerate(rows)]

    def _fitted(self, i: int, row: Mapping[str, Any], driver: str) -> Fitted:
        found: dict[str, Part | None] = {"part": None, "probe": None}
        for key in found:
            if key in row:
                trail = ("sensors", i, key)
                part = found[key] = one(self._source, trail, "sensors", row[key])
                if driver not in part["drivers"]:
                    drivers = ", ".join(part["drivers"])
                    self._source.refuse(
                        trail, f"{part.id} is read by {drivers}, not by {driver}; {readers(driver, key == 'probe')}"
                    )
        return Fitted(found["part"], found["probe"], row)

    def _fits(self, rows: Any, pins: Mapping[str, Any]) -> dict[str, Fitting]:
        source = self._source
        if not isinstance(rows, dict):
            source.refuse(("fit",), "'fit' must be a table of tables, [fit.NAME] for each of [pins]")
        found = {}
        for name, row in rows.items():
            if name not in pins:
                source.refuse(
                    ("fit", name), f"fit.{name:.40} is on no pin: [pins] has {', '.join(pins)}{meant(name, pins)}"
                )
            row = table(source, row, _named("fit", FIT), ("fit", name))
            _of_its_kind(source, name, pins[name]["kind"], row)
            part = one(source, ("fit", name, "part"), "outputs", row["part"]) if "part" in row else None
            through = [one(source, ("fit", name, "through"), "circuits", each) for each in row.get("through", ())]
            _of_a_line(source, name, pins[name]["kind"], through)
            switch = (
                one(source, ("fit", name, "switch"), "circuits", row["switch"], "switch") if "switch" in row else None
            )
            found[name] = Fitting(row, part, through, switch)
        return found

    def fit(self, name: str) -> Fitting:
        return self.fits.get(name) or Fitting({}, None, [], None)


def _named(name: str, specs: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """`specs`, and where a part is named those that there are."""
    return {key: {**spec, "about": _there(name, key)} if "text" in spec else spec for key, spec in specs.items()}


def _there(name: str, key: str) -> str:
    group = {"mount": "mounts", "fit": "circuits" if key == "switch" else "outputs"}.get(name, "supplies")
    kind = {"supply": key, "array": "panel", "fit": "switch" if key == "switch" else ""}.get(name, "")
    ids = [part.id for part in parts(group).values() if not kind or part.kind == kind]
    return f"a part's name, of hardware/parts/{group}.toml {', '.join(ids)}"


def _of_its_kind(source: Source, name: str, kind: str, row: Mapping[str, Any]) -> None:
    for key in row:
        if key not in OF_A_KIND[kind]:
            said = f"fit.{name}: '{key}' is of no use on a bus or output of kind {kind}; allowed are {', '.join(OF_A_KIND[kind])}"
            source.refuse(("fit", name, key), said)


def _of_a_line(source: Source, name: str, kind: str, through: Sequence[Part]) -> None:
    kinds = THROUGH.get(kind, ())
    for part in through:
        if part.kind not in kinds:
            said = f"fit.{name}: {part.id} is a {part.kind}; on a line of kind {kind} allowed are {', '.join(kinds)}"
            source.refuse(("fit", name, "through"), said)
    if len(through) > 1:
        source.refuse(("fit", name, "through"), f"fit.{name}: {len(through)} circuits in one line; allowed is one")


def one(source: Source, trail: Trail, group: str, name: str, kind: str = "") -> Part:
    """A part by its id. Unknown: what there is."""
    there = {key: part for key, part in parts(group).items() if not kind or part.kind == kind}
    if name not in there:
        source.refuse(
            trail,
            f"no {kind or group[:-1]} '{name:.40}'; hardware/parts/{group}.toml has {', '.join(there)}{meant(name, there)}",
        )
    return there[name]


def readers(driver: str, behind: bool = False) -> str:
    """The parts of a driver; `behind`: those that a converter reads, else those that answer on the bus."""
    probes = ("loop", "cell")
    names = [
        part.id
        for part in parts("sensors").values()
        if driver in part["drivers"] and (part["line"] in probes) == behind
    ]
    return f"for {driver} there {'is' if len(names) == 1 else 'are'} {', '.join(names) or 'none'}"
