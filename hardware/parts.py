"""What a station is built of: `parts/*.toml`, one file a kind, one table a part. A figure that no data sheet gives is named in `assumed`, with the reason."""

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hardware.drivers import DRIVERS
from hardware.part import COMMON
from hardware.shape import ROOM, Source, read, table

PARTS = ROOM / "parts"
_UA = {"low": 0, "high": 20_000_000, "required": True}
_MV = {"low": 0, "high": 1_000_000, "required": True}
_RANGE = {"low": 0, "high": 100_000, "count": 2, "required": True}
_OHM = {"low": 1, "high": 100_000_000, "required": True}
_MA = {"low": 1, "high": 100_000, "required": True}
_CURRENTS = {"asleep_ua": _UA, "awake_ua": _UA, "peak_ua": _UA}


def _optional(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "required"}


_WHOLE = {
    "is": lambda value: isinstance(value, list) and all(type(each) is int for each in value),
    "about": "a list of whole numbers",
}
TIE = re.compile(r"([A-Za-z0-9 ]{1,12}?) (?:to (GND|V\+)|open)")
LINES = ("ttl", "i2c", "rs485", "onewire", "contact", "loop", "cell", "divider")
# kind of file -> what its tables say beside COMMON; `kind` chooses among a file's own sorts.
_SENSOR: Mapping[str, Any] = {
    "drivers": {"is": lambda value: isinstance(value, list) and bool(value) and all(each in DRIVERS for each in value),
                "about": f"a list of drivers, of {', '.join(sorted(DRIVERS))}", "required": True},
    "line": {"choices": list(LINES), "required": True},
    "supply_mv": _RANGE,
    **_CURRENTS,
    "warm_up_ms": {"low": 0, "high": 600_000, "required": True},
    # of a line to the chip: what its 1 reaches (0: its supply), and the least that it takes for one (0: nothing is sent to it)
    "high_mv": {"low": 0, "high": 60_000},
    "takes_high_mv": {"low": 0, "high": 60_000},
    "addresses": {**_WHOLE, "about": "a list of I2C addresses"},
    "max_khz": {"low": 10, "high": 3400},
    "pf": {"low": 1, "high": 400},
    "pull_up_ohm": {"low": 0, "high": 1_000_000},
    "unit_milli": {"low": 1, "high": 32000},
    "bus_max_mv": _optional(_MV),
    "beam_deg": {"low": 1, "high": 120},  # the whole angle that a ranger looks at
    "blanking_mm": {"low": 1, "high": 30_000},  # a ranger is blind for that, and sees to range_mm
    "range_mm": {"low": 100, "high": 100_000},
    # terminals beside supply and line: GND and V+ are wires, open is none
    "ties": {"is": lambda value: isinstance(value, list) and bool(value) and all(isinstance(each, str) and TIE.fullmatch(each) for each in value),
             "about": 'a list as ["SEL to GND"]: a terminal, and to GND, to V+ or open'},
}  # fmt: skip
NEEDED = {
    "ttl": ("high_mv", "takes_high_mv"), "i2c": ("high_mv", "takes_high_mv", "addresses", "max_khz", "pf", "pull_up_ohm"),
    "rs485": ("unit_milli",), "onewire": ("high_mv", "takes_high_mv"),
}  # fmt: skip
_OF_A_RANGER = ("beam_deg", "blanking_mm", "range_mm")
OF_A_DRIVER = {"ina226": ("bus_max_mv",), "a02yyuw": _OF_A_RANGER, "maxbotix": _OF_A_RANGER}
KINDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = MappingProxyType({
    "sensors": {"sensor": _SENSOR},
    "outputs": {
        kind: {"supply_mv": _RANGE, **_CURRENTS, **({"sound_db": {"low": 60, "high": 140, "required": True}} if kind == "siren" else {})}
        for kind in ("siren", "strobe", "valve", "lamp")
    },
    "circuits": {
        "divider": {"top_ohm": _OHM, "bottom_ohm": _OHM, "capacitor_nf": {"low": 1, "high": 10_000}},  # at the pin
        "shifter": {"low_mv": _RANGE, "high_mv": _RANGE},
        "rs485": {"supply_mv": _RANGE, "unit_milli": {"low": 1, "high": 4000, "required": True}, "terminates": {"flag": True, "required": True}, **_CURRENTS},
        "switch": {"supply_mv": _RANGE, "max_ma": _MA, "on_at_mv": _MV, "off_at_mv": _MV, "pull_down_ohm": {"low": 0, "high": 10_000_000, "required": True},
                   "side": {"choices": ["high", "low"], "required": True}},  # which of its load's wires it cuts: plus or ground
        "resistor": {"ohm": _OHM},
    },
    "supplies": {
        "panel": {"peak_mw": {"low": 100, "high": 1_000_000, "required": True}, "voc_mv": _MV, "vmp_mv": _MV, "isc_ma": _MA, "imp_ma": _MA,
                  "voc_ppm": {"low": -6000, "high": -1000, "required": True}, "gamma_ppm": {"low": -6000, "high": -1000, "required": True}},
        "charger": {"input_max_mv": _MV, "output_mv": _MV, "max_ma": _MA, "own_ua": _UA, "efficiency_percent": {"low": 30, "high": 100, "required": True}},
        "battery": {"chemistry": {"choices": ["lifepo4", "li-ion", "lead-acid"], "required": True}, "empty_mv": _MV, "nominal_mv": _MV, "full_mv": _MV,
                    "mah": {"low": 100, "high": 1_000_000, "required": True}, "max_ma": _MA,
                    "cold_cut_off": {"flag": True}},  # its protection refuses charge in frost
        "regulator": {"input_mv": _RANGE, "output_mv": _MV, "max_ma": _MA, "own_ua": _UA, "efficiency_percent": {"low": 30, "high": 100, "required": True}},
    },
    "mounts": {"mount": {"place": {"choices": ["bridge", "wall", "manhole", "lamp_post", "pv_pole", "quay", "tank", "roof"], "required": True},
                         "reach_mm": {"low": 0, "high": 10_000, "required": True}}},
})  # fmt: skip


class Part:
    """One part: `figures` by key; `kind` of its file's sorts. Its id is the table's name."""

    def __init__(self, name: str, kind: str, figures: Mapping[str, Any]) -> None:
        self.id = name
        self.kind = kind
        self.figures = figures

    def __getitem__(self, key: str) -> Any:
        return self.figures[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.figures.get(key, default)

    @property
    def name(self) -> str:
        return str(self.figures["name"])

    @property
    def assumed(self) -> Mapping[str, str]:
        """Keys whose figures are from no data sheet, and why."""
        found: Mapping[str, str] = self.figures.get("assumed", {})
        return found


@functools.cache
def parts(group: str) -> Mapping[str, Part]:
    """The parts of one file, by id: sensors, outputs, circuits, supplies or mounts."""
    return MappingProxyType(read_parts(read(PARTS, PARTS / f"{group}.toml", "list of parts"), group))


def read_parts(source: Source, group: str) -> dict[str, Part]:
    """InputError: file, line, key, and what is allowed. A figure that is missing is refused."""
    kinds = KINDS[group]
    found = {}
    for name, row in source.values.items():
        kind = row.get("kind", next(iter(kinds))) if isinstance(row, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            source.refuse((name, "kind"), f"{name}: no kind {kind!r:.40}; there are {', '.join(kinds)}")
        figures = table(source, row, {**COMMON, "kind": {"choices": [kind]}, **kinds[kind]}, (name,))
        needed = NEEDED.get(figures.get("line", ""), ())
        for driver in figures.get("drivers", ()):
            needed += OF_A_DRIVER.get(driver, ())
        for key in needed:
            if key not in figures:
                source.refuse(
                    (name,),
                    f"{name} lacks '{key}', as a part on {figures['line']} has it; write it; "
                    f"where no data sheet has it, estimate it and name the reason in [{name}.assumed]",
                )
        for key in figures.get("assumed", {}):
            if key not in figures:
                source.refuse(
                    (name, "assumed", key),
                    f"{name}.assumed names '{key}', which {name} does not say; there are {', '.join(figures)}",
                )
        for key, spec in kinds[kind].items():
            if spec.get("count") == 2 and key in figures and figures[key][0] > figures[key][1]:
                source.refuse((name, key), f"{name}.{key} is {figures[key]}; allowed are two numbers, the lower first")
        found[name] = Part(name, kind, figures)
    return found
