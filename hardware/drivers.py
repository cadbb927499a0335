"""What a station's file may say of each driver: `drivers.toml`, read once."""

import re
import tomllib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hardware.shape import ROOM, Source, Trail
from node.core import measurements, quantities

# What is measured, as against what a station says of itself: the gauge's own, and all further rows of the table.
MEASURED = ("level", "battery", *[row[0] for row in quantities.POINTS[len(measurements.POINTS) :]])
# The firmware's own, of what sensors give: [panels], [care], [relay], and PM2.5.
DERIVED = (
    "panel_energy", "performance_ratio", "soiling_ratio", "diagnosis", "pm2_5_nowcast", "fouling", "calibration", "season", "relay",
    "pm2_5_24h", "pm10_24h", "co2_8h",
)  # fmt: skip
INSTANCES = 16  # beyond, a point's id would be a setting's (measurements.OLD_SETTING)
_KEY = re.compile(r"([a-z0-9_]+)(?::([1-9][0-9]?))?")
_COMMON: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "driver": {"text": ".*", "required": True, "about": "a driver's name"},
    "bus": {"text": ".*", "required": True, "about": "the name of a bus in [pins]"},
    "gives": {"is": lambda value: isinstance(value, str) or isinstance(value, list) and 0 < len(value) <= 16
              and all(isinstance(key, str) for key in value), "about": "a quantity's key, or a list of them"},
})  # fmt: skip
# A level sensor's place: its beam's angle in tenths of a degree, the air temperature it counts on in 0.01 degC, or that it lies in the water.
_PLACE: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    "tilt": {"low": 0, "high": 600},
    "assumes_cc": {"low": -4500, "high": 8500},
    "measures": {"choices": ["range", "depth"]},
})  # fmt: skip


class Driver:
    """One table of drivers.toml."""

    def __init__(self, name: str, row: Mapping[str, Any]) -> None:
        self.name = name
        self.chip: str = row["chip"]
        self.bus: str = row["bus"]
        self.baud: int | None = row.get("baud")
        self.address: int | None = row.get("address")
        self.level: str = row.get("level", "")
        self.how: str = row["how"]
        self.accuracy: Mapping[str, str] = row["accuracy"]
        self.keys: Mapping[str, Mapping[str, Any]] = row.get("keys", {})

    def specs(self, level: bool) -> dict[str, Mapping[str, Any]]:
        return {**_COMMON, **self.keys, **(_PLACE if level else {})}


def _read() -> dict[str, Driver]:
    values = tomllib.loads((ROOM / "drivers.toml").read_text(encoding="utf-8"))
    return {name: Driver(name, row) for name, row in values.items()}


DRIVERS: Mapping[str, Driver] = MappingProxyType(_read())


def points_of(source: Source, driver: Driver, sensor: Mapping[str, Any], trail: Trail, level: bool) -> list[str]:
    """The keys of what this sensor gives; the file is refused where there is no such quantity."""
    rows = sensor.get("registers") or sensor.get("channels")
    if level:
        return ["level"]
    if rows:
        if "gives" in sensor:
            source.refuse((*trail, "gives"), f"{driver.name} has 'gives' in each of its rows, not beside them")
        for row in rows:
            if "gives" not in row:
                source.refuse(trail, f"{driver.name}: each row says what it gives")
        keys = [row["gives"] for row in rows]
    elif driver.name == "battery":
        keys = [sensor.get("gives", "battery")]
        if keys != ["battery"]:
            source.refuse((*trail, "gives"), "a battery gives 'battery' and nothing else")
    else:
        usual = usual_points(driver.name)
        given = sensor.get("gives", list(usual))
        keys = [given] if isinstance(given, str) else [key for key in given if key]
        if not keys:
            source.refuse((*trail, "gives"), "'gives' leaves every value out; leave the sensor out instead")
    for key in keys:
        if not known(key):
            source.refuse(
                (*trail, key or "gives"),
                f"no quantity '{key:.40}'; there are {', '.join(MEASURED)}, and {MEASURED[2]}:2 to :{INSTANCES}",
            )
        if key.split(":")[0] in DERIVED:
            source.refuse((*trail, "gives"), f"'{key}' is made by the firmware; no sensor gives it")
        if key == "level" or key.startswith(("level:", "battery:")):
            source.refuse(
                (*trail, "gives"), f"'{key}' can't be given by {driver.name}: a station has one level and one battery"
            )
    return keys


def known(key: str) -> bool:
    match = _KEY.fullmatch(key)
    return bool(match and match[1] in MEASURED and (match[2] is None or 2 <= int(match[2]) <= INSTANCES))


def usual_points(name: str) -> tuple[str, ...]:
    """What the driver gives where its row does not say."""
    from node.drivers import catalog

    module, kind = name, catalog.OTHERS[name]
    loaded = __import__("node.drivers." + module, None, None, (kind,))
    usual: tuple[str, ...] = getattr(loaded, kind).GIVES
    return usual
