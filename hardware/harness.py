"""A station as what hangs on what: its rails and their voltages, all that takes current from them. Rules, wiring and energy are worked out from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hardware.compile import CONVERTERS, Station
from hardware.fittings import Fitted, Fitting, readers
from hardware.parts import Part, parts
from hardware.shape import Trail
from node.core import settings

CHIP_MV = 3300
# kind of bus: what a part's line may be on it
OF_A_BUS: Mapping[str, tuple[str, ...]] = {
    "uart": ("ttl", "rs485"), "i2c": ("i2c",), "onewire": ("onewire",), "pulses": ("contact",), "switch": ("contact",), "adc": ("divider",),
}  # fmt: skip


@dataclass(frozen=True)
class Load:
    """A part on a rail: the keys that put it there, and the bus or output it belongs to."""

    part: Part
    rail: str
    trail: Trail
    name: str


def demand(station: Station) -> None:
    """InputError where the file leaves out what the hardware is worked out from."""
    source, fittings = station.source, station.fittings
    for name, row in (("site", fittings.coldest_c is not None), ("mount", fittings.mount), ("supply", fittings.supply)):
        if not row:
            source.refuse((name,), f"the file lacks [{name}]; it has {_example(name)}")
    for i, (sensor, fitted) in enumerate(zip(station.sensors, fittings.sensors, strict=True)):
        _demand_sensor(station, i, sensor, fitted)
    _demand_one_chip(station)
    for name, row in station.source.values["pins"].items():
        if row["kind"] == "output":
            for key in ("part", "rail"):
                if not getattr(fittings.fit(name), key):
                    source.refuse(("fit", name), f"fit.{name} lacks '{key}': {_example(key, 'outputs')}")
        if "power" in row and name in station.pins and not fittings.fit(name).switch:
            source.refuse(
                ("fit", name), f"fit.{name} lacks 'switch', which pins.{name}.power drives: {_example('switch')}"
            )
        if "power" not in row and row["kind"] == "uart" and fittings.fit(name).switch:
            source.refuse(
                ("fit", name, "switch"),
                f"fit.{name} names a switch that nothing drives: give pins.{name} a 'power', or feed the sensor all the time without a switch",
            )
        if row["kind"] in ("i2c", "onewire") and not fittings.fit(name).rail:
            source.refuse(("fit", name), f"fit.{name} lacks 'rail': what its pull-ups are fed from, {_example('rail')}")


def _demand_sensor(station: Station, i: int, sensor: dict[str, Any], fitted: Fitted) -> None:
    source = station.source
    if sensor["driver"] == "battery":
        return
    if fitted.part is None:
        source.refuse(("sensors", i), f"sensors[{i + 1}] lacks 'part': {readers(sensor['driver'])}")
    line = station.pins[sensor["bus"]]["kind"]
    if fitted.part["line"] not in OF_A_BUS[line]:
        source.refuse(
            ("sensors", i, "part"),
            f"sensors[{i + 1}]: {fitted.part.id} has a line of kind {fitted.part['line']}, and {sensor['bus']} is {line}; its part is what "
            "answers on that bus, the probe behind a converter is its 'probe'",
        )
    if sensor["driver"] in ("current_loop", "reference_cell") and fitted.probe is None:
        source.refuse(
            ("sensors", i),
            f"sensors[{i + 1}] lacks 'probe', what its converter reads: {readers(sensor['driver'], behind=True)}",
        )
    if line in ("pulses", "switch") and fitted.rail:
        said = (
            f"sensors[{i + 1}]: a contact is fed by nothing, it closes {sensor['bus']} to ground; leave its 'rail' out"
        )
        source.refuse(("sensors", i, "rail"), said)
    for part, rail, key in ((fitted.part, fitted.rail, "rail"), (fitted.probe, fitted.probe_rail, "probe_rail")):
        if part and part["supply_mv"][0] and not rail:
            source.refuse(("sensors", i), f"sensors[{i + 1}] lacks '{key}', which feeds {part.id}: {_example('rail')}")
    panel = any(key.startswith("panel_") for key in keys_of(station, i))
    if sensor["driver"] == "ina226" and panel and station.fittings.module is None:
        source.refuse(
            ("array",), "the file lacks [array]: the module that its INA226 watch, and how many are in series"
        )


def _demand_one_chip(station: Station) -> None:
    """Sensors on one converter are one part on one rail."""
    first: dict[tuple[str, int], int] = {}
    for i, sensor in enumerate(station.sensors):
        fitted = station.fittings.sensors[i]
        if fitted.part and sensor["driver"] in CONVERTERS:
            address = sensor.get("address") or fitted.part["addresses"][0]
            k = first.setdefault((sensor["bus"], address), i)
            other = station.fittings.sensors[k]
            if other.part and (other.part.id, other.rail) != (fitted.part.id, fitted.rail):
                said = f"sensors[{i + 1}] is at the address of sensors[{k + 1}], so both are one chip: give them the same part and rail"
                station.source.refuse(("sensors", i, "part"), said)


def _example(key: str, group: str = "circuits") -> str:
    there = {part.id: part.kind for part in parts(group).values()}
    examples = {
        "site": "coldest_c, the lowest air temperature in degrees",
        "mount": f"part, of parts/mounts.toml {', '.join(parts('mounts'))}",
        "supply": "battery and regulator, and charger and panel where the sun feeds it, of parts/supplies.toml",
        "part": f"of hardware/parts/{group}.toml {', '.join(there)}",
        "switch": f"of hardware/parts/circuits.toml {', '.join(name for name, kind in there.items() if kind == 'switch')}",
        "rail": "allowed are battery, 5V, 3V3",
    }  # fmt: skip
    return examples[key]


def keys_of(station: Station, number: int) -> list[str]:
    """The quantities that a sensor gives."""
    return [key for key, of in station.points if of == number]


def setting(station: Station, key: str) -> int:
    """A setting's value: the file's, or the firmware's own."""
    row = station.rows[settings.index(key, station.rows)]
    value: int = station.settings.get(key, row[3])
    return value


def battery_mv(station: Station) -> tuple[int, int]:
    """From empty to what its charger ends at."""
    supply = station.fittings.supply
    top = supply["charger"]["output_mv"] if "charger" in supply else supply["battery"]["full_mv"]
    return supply["battery"]["empty_mv"], top


def rail_mv(station: Station, rail: str) -> tuple[int, int]:
    if rail == "battery":
        return battery_mv(station)
    level = CHIP_MV if rail == "3V3" else station.fittings.supply["regulator"]["output_mv"]
    return level, level


def cold_mv(panel: Part, coldest_c: int) -> int:
    """Its open circuit on the coldest morning; never less than at 25 degrees."""
    voc: int = panel["voc_mv"]
    return max(voc, voc + voc * panel["voc_ppm"] * (coldest_c - 25) // 1_000_000)


def loads(station: Station) -> Iterator[Load]:
    """All that takes current, but for the board and the regulator."""
    fittings = station.fittings
    for i, (sensor, fitted) in enumerate(zip(station.sensors, fittings.sensors, strict=True)):
        if fitted.part and fitted.rail:
            yield Load(fitted.part, fitted.rail, ("sensors", i, "rail"), sensor["bus"])
        if fitted.probe and fitted.probe_rail:
            yield Load(fitted.probe, fitted.probe_rail, ("sensors", i, "probe_rail"), sensor["bus"])
    for name, fit in fittings.fits.items():
        if fit.part and fit.rail:
            yield Load(fit.part, fit.rail, ("fit", name, "rail"), name)
        for part in fit.has("rs485"):
            yield Load(part, fit.rail or "3V3", ("fit", name, "through"), name)


def on_bus(station: Station, name: str) -> list[tuple[int, Fitted]]:
    """The sensors of a bus, by their numbers, that are a part."""
    rows = zip(station.sensors, station.fittings.sensors, strict=True)
    return [(i, fitted) for i, (sensor, fitted) in enumerate(rows) if sensor["bus"] == name and fitted.part]


def outputs(station: Station) -> Iterator[tuple[str, int, Fitting]]:
    for name, row in station.pins.items():
        if row["kind"] == "output":
            yield name, row["pin"], station.fittings.fit(name)
