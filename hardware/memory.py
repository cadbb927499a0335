"""Whether a station's code fits a board without PSRAM: the .mpy bytes of all modules that its data makes the firmware load.

A stock image loads .mpy into the heap. Measured in the 32-bit VM (`waspada bench firmware`): a connected river gauge holds 74 KB and the board's
adapters with main.py 32 KB more; of the 157 KB that a stock image has free (MicroPython 1.25, emulated) that leaves 51 for work and garbage. One
TLS connection takes 48 of them: with TLS, as every station in the field has it, a board needs PSRAM. The bytes are the budget lines that a test
keeps for each module, which stand about a tenth above what it takes.
"""

import ast
import functools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import node

STOCK_MPY_BYTES = 64 * 1024
_FIRMWARE = Path(node.__file__).parents[1]
_BUDGETS = (
    Path(__file__).parents[1] / "tests" / "house" / "mpy_budget.toml",  # a clone
    Path(__file__).with_name("mpy_budget.toml"),  # the wheel
)
_ALWAYS = ("main.py", "node/gauge.py", "node/drivers/battery.py")
# What the firmware imports inside a function, and the stations that make it.
LAZY: Mapping[str, str] = {
    "node/core/limits.py": "watch",
    "node/core/hydrology.py": "mount",
    "node/rounds.py": "others",
    "node/derive.py": "derived",
    "node/derive_panels.py": "panels",
    "node/care.py": "care",
    "node/drivers/roles.py": "registers",
    "node/core/quantities.py": "care",
    "node/esp32/access_points.py": "wifi",
    "node/esp32/access_lan.py": "lan",
    "node/esp32/access_lte.py": "lte",
    "node/esp32/i2c.py": "i2c",
    "node/esp32/onewire_bus.py": "onewire",
    "node/esp32/contacts.py": "contact",
}
# What it imports inside a function for a while, or when something happens: not held by a station that is calm. A name that ends in / is a folder.
WHEN_NEEDED = (
    "node/console/", "node/orders.py", "node/drill.py", "node/core/copies.py", "node/core/network.py", "node/networking.py",  # somebody asks
    "node/core/pin.py", "node/core/words.py", "node/core/words_levels.py",  # and is answered
    "node/telling.py", "node/lasting.py", "node/core/happenings.py", "node/core/texts.py", "node/standing.py",  # something is to be told
    "node/gaps.py", "node/core/salvage.py", "node/faults.py", "node/bare.py",  # something went wrong
    "node/updating.py", "node/core/update.py", "node/core/trial.py", "node/core/slots.py",  # an update
    "node/duty.py", "node/frozen.py", "node/esp32/power.py",  # it sleeps
    "node/compose.py",  # once a boot, and forgotten
    "node/hearing.py", "node/esp32/secure.py", "node/core/clock.py", "node/version.py",  # stations with PSRAM, or held anyway
)  # fmt: skip


def mpy_bytes(station: Mapping[str, Any]) -> int:
    """Of the compiled station."""
    sizes = _sizes()
    return sum(sizes.get(name, 0) for name in modules(station))


def modules(station: Mapping[str, Any]) -> set[str]:
    traits = _traits(station)
    drivers = [f"node/drivers/{sensor['driver']}.py" for sensor in station["sensors"]]
    return loaded([*_ALWAYS, *drivers, *[name for name, trait in LAZY.items() if trait in traits]])


def _traits(station: Mapping[str, Any]) -> set[str]:
    traits = {station.get("access", "wifi")}
    for sensor in station["sensors"]:
        level = sensor.get("gives") == "level"
        if level and (sensor.get("tilt") or sensor.get("assumes_cc") is not None):
            traits.add("mount")
        if not level and sensor["driver"] != "battery":
            traits.add("others")
            given = [
                sensor.get("gives"),
                *[row["gives"] for row in sensor.get("registers", sensor.get("channels", ()))],
            ]
            if sensor["driver"] in ("pms5003", "sen5x", "sps30", "scd4x") or "pm2_5" in given or "co2" in given:
                traits.add("derived")
            if "registers" in sensor:
                traits.add("registers")
    traits |= {name for name in ("watch", "panels", "care") if station.get(name)}
    if station.get("tank") or station.get("relay"):
        traits |= {"derived", "others"}
    for pins in station["pins"].values():
        traits.add("contact" if pins["kind"] in ("pulses", "switch") else pins["kind"])
    return traits


@functools.cache
def _sizes() -> dict[str, int]:
    path = next(path for path in _BUDGETS if path.is_file())
    sizes: dict[str, int] = tomllib.loads(path.read_text(encoding="utf-8"))["bytes"]
    return sizes


def loaded(entries: Iterable[str]) -> set[str]:
    """Modules that are in RAM once these are imported: what they import at the top, and so on."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name)
    return found


@functools.cache
def _imports(name: str) -> tuple[str, ...]:
    path = _FIRMWARE / name
    if not path.is_file():  # main.py of a wheel
        path = Path(__file__).parents[1] / "waspada" / "board" / name
    found = []
    top = ast.parse(path.read_text(encoding="utf-8")).body
    for statement in [*top, *[inner for outer in top if isinstance(outer, ast.Try) for inner in outer.body]]:
        if isinstance(statement, ast.ImportFrom) and statement.module and statement.module.split(".")[0] == "node":
            whole = statement.module.replace(".", "/")
            parts = [f"{whole}.py", *[f"{whole}/{alias.name}.py" for alias in statement.names]]
            found += [part for part in parts if (_FIRMWARE / part).is_file()]
    return tuple(found)
