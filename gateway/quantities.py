"""How a person reads each quantity: name, unit, decimals, and which one says most about a station. Pure.

Units, decimals and words on the wire are the firmware's table; here is only what a duty officer reads instead of SenML. The table's order is also
the order in which a station's quantities are shown.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gateway.wire import WORDS, split

GOOD = (1, 2, 3)
_COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


class Shown(NamedTuple):
    """`factor`: shown = value on the wire * factor. `many` is what stands for several of a kind: their sum, or from lowest to highest."""

    label: str
    unit: str
    factor: float = 1
    decimals: int = 1
    many: str = "range"


TABLE = {
    "level": Shown("Level", "m", decimals=2),
    "fill": Shown("Tank", "%"),
    "rain_rate": Shown("Rain rate", "mm/h"),
    "rain": Shown("Rain", "mm"),
    "pm2_5_nowcast": Shown("PM2.5 NowCast", "µg/m³"),
    "pm2_5": Shown("PM2.5", "µg/m³"),
    "co2": Shown("CO₂", "ppm", decimals=0),
    "panel_power": Shown("Power", "W", many="sum"),
    "panel_energy": Shown("Energy today", "kWh", 0.001, 2, "sum"),
    "performance_ratio": Shown("Performance ratio", "%", 100),
    "soiling_ratio": Shown("Soiling ratio", "%", 100),
    "diagnosis": Shown("Panel", ""),
    "irradiance": Shown("Irradiance", "W/m²", decimals=0),
    "temperature": Shown("Temperature", "°C"),
    "humidity": Shown("Humidity", "%", decimals=0),
    "pressure": Shown("Pressure", "hPa", 0.01),
    "water_temperature": Shown("Water temperature", "°C"),
    "conductivity": Shown("Conductivity", "µS/cm", 10_000, 0),
    "depth": Shown("Depth", "m", decimals=2),
    "range": Shown("Range", "m", decimals=2),
    "wind_speed": Shown("Wind", "m/s"),
    "wind_direction": Shown("Wind from", "°", 180 / math.pi, 0),
    "sound_level": Shown("Sound level", "dB"),
    "pm10": Shown("PM10", "µg/m³"),
    "pm1": Shown("PM1", "µg/m³"),
    "pm4": Shown("PM4", "µg/m³"),
    "pm2_5_24h": Shown("PM2.5, 24 h mean", "µg/m³"),
    "pm10_24h": Shown("PM10, 24 h mean", "µg/m³"),
    "co2_8h": Shown("CO₂, 8 h mean", "ppm", decimals=0),
    "voc_index": Shown("VOC index", "", decimals=0),
    "nox_index": Shown("NOx index", "", decimals=0),
    "module_temperature": Shown("Module temperature", "°C"),
    "panel_voltage": Shown("Voltage", "V", decimals=2),
    "panel_current": Shown("Current", "A", decimals=2),
    # the station itself
    "battery": Shown("Battery", "V"),
    "charger_voltage": Shown("Charger", "V"),
    "charger_current": Shown("Charger current", "A", decimals=2),
    "enclosure_humidity": Shown("Humidity inside", "%", decimals=0),
    "enclosure_temperature": Shown("Temperature inside", "°C"),
    "lid": Shown("Lid", ""),
    "relay": Shown("Relay", ""),
    "fouling": Shown("Fouling", ""),
    "calibration": Shown("Calibration", ""),
    "season": Shown("Season", "", decimals=0),
    "siren_current": Shown("Siren current", "A", decimals=2),
}
ORDER = {key: i for i, key in enumerate(TABLE)}
ITSELF = frozenset(list(TABLE)[ORDER["battery"] :])
# Whoever comes first is what the station is for; within a group the first that has a value.
MAIN = (
    ("level",),
    ("fill",),
    ("rain_rate",),
    ("pm2_5_nowcast", "pm2_5"),
    ("co2",),
    ("panel_power", "performance_ratio"),
    ("temperature",),
)
# change in an hour, as shown: steady below the first, fast from the second
TREND = {
    "level": (0.02, 0.3),
    "fill": (1.0, 20.0),
    "pm2_5_nowcast": (2.0, 20.0),
    "pm2_5": (2.0, 20.0),
    "co2": (50.0, 400.0),
    "temperature": (0.5, 5.0),
}
SUMMED = ("rain",)  # a series of these is sums of stretches, not samples
FROM_ZERO = (
    "rain",
    "rain_rate",
    "panel_power",
    "panel_energy",
    "irradiance",
    "pm2_5_nowcast",
    "pm2_5",
    "pm10",
    "pm1",
    "pm4",
    "wind_speed",
)
INSTEAD = {"Cel": "°C", "ug/m3": "µg/m³", "%RH": "%", "/100": "%", "W/m2": "W/m²", "/": ""}


def display(key: str, unit: str | None = None) -> Shown:
    """The row of the table; a newer station's quantity is shown as it says itself."""
    known = TABLE.get(key)
    if known:
        return known
    words = key.replace("_", " ").replace(":", " ").replace(".", " ")
    return Shown(words[:1].upper() + words[1:], INSTEAD.get(unit or "", unit or ""), decimals=3)


def place(name: str) -> tuple[int, str, int]:
    """Where a point stands among others."""
    key, instance = split(name)
    return ORDER.get(key, len(ORDER)), key, instance


def number(value: float, row: Shown) -> str:
    """A number on the wire as it is read, without its unit. What the table doesn't know keeps its own decimals."""
    text = f"{value * row.factor:.{row.decimals}f}"
    text = text.lstrip("-") if not text.strip("-0.") else text
    return text.rstrip("0").rstrip(".") if row.decimals == 3 else text


def text_of(name: str, value: float, unit: str | None = None) -> str:
    """A number with its unit, as a person reads it."""
    key, _ = split(name)
    row = display(key, unit)
    if key == "wind_direction":
        return f"{compass(value)} {number(value, row)}°"
    return f"{number(value, row)} {row.unit}".rstrip().replace(" %", "\u202f%")


def drawn(key: str, unit: str | None = None) -> dict[str, Any]:
    """How a chart shows it: `as` is line, bars (sums of stretches) or dots (a direction has no line between north and north)."""
    row = display(key, unit)
    kind = "bars" if key in SUMMED else "dots" if key == "wind_direction" else "line"
    return {
        "unit": row.unit,
        "factor": row.factor,
        "decimals": row.decimals,
        "many": row.many,
        "as": kind,
        "from_zero": key in FROM_ZERO,
    }


def compass(radians: float) -> str:
    return _COMPASS[round(radians / (math.pi / 4)) % 8]


def usable(point: Mapping[str, Any]) -> bool:
    return point.get("v") is not None and point.get("q") in GOOD


def main_of(points: Mapping[str, Mapping[str, Any]], cause: str | None = None) -> str | None:
    """The key a station is shown by: its level, else what makes its alarm, else what it is for."""
    keys = {split(name)[0] for name in points}
    if cause and "level" not in keys and split(cause)[0] in keys:
        return split(cause)[0]
    good = {split(name)[0] for name, point in points.items() if usable(point)}
    for group in MAIN:
        found = [key for key in group if key in keys]
        if found:
            return next((key for key in found if key in good), found[0])
    others = [key for key in keys if key in TABLE and key not in WORDS]
    return min(others, key=ORDER.__getitem__, default=None)


def of_kind(points: Mapping[str, Any], key: str) -> list[str]:
    """The names of all instances of a key, in order."""
    return sorted((name for name in points if split(name)[0] == key), key=place)


def total(values: Iterable[float], row: Shown) -> float | None:
    """What stands for several of a kind as one number: their sum, or the middle of lowest and highest."""
    found = list(values)
    if not found:
        return None
    return sum(found) if row.many == "sum" else (min(found) + max(found)) / 2
