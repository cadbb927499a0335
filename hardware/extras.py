"""What a station is beyond its sensors: tank, panels, relay, and the care of its level sensor. Tables of a station's file to those of docs/ports.md."""

from types import SimpleNamespace
from typing import Any

from hardware.shape import Source, table
from node.core.quantities import (
    CALIBRATION,
    DIAGNOSIS,
    FILL,
    FOULING,
    PANEL_ENERGY,
    PERFORMANCE_RATIO,
    PM2_5_NOWCAST,
    POINTS,
    RELAY,
    SEASON,
    SOILING_RATIO,
)
from node.derive import MEANS, Relay, Tank
from node.derive_panels import Panels

_PEAK = {"low": 1, "high": 1000}
SPECS: dict[str, dict[str, dict[str, Any]]] = {
    "tank": {
        "height_mm": {"low": 100, "high": 100000, "required": True},
        "bottom_mm": {"low": -10000, "high": 30000},
        "shape": {"choices": ["box", "lying"]},
    },
    "panels": {
        "peak_w": {"is": lambda value: isinstance(value, list) and 0 < len(value) <= 12
                   and all(type(each) is int and _PEAK["low"] <= each <= _PEAK["high"] for each in value),
                   "about": "a list of 1 to 12 whole numbers from 1 to 1000", "required": True},
        "gamma_ppm": {"low": -10000, "high": 0},
        "solar_offset_min": {"low": -720, "high": 840},
    },
    "relay": {
        "output": {"text": "[a-z][a-z0-9_]{0,15}", "about": "the name of an output in [pins]", "required": True},
        "of": {"point": True, "required": True},
        "on_below": {"low": -(1 << 30), "high": 1 << 30, "required": True},
        "off_above": {"low": -(1 << 30), "high": 1 << 30, "required": True},
        "max_on_s": {"low": 1, "high": 86400, "required": True},
    },
    "care": {
        "blanking_mm": {"low": 0, "high": 30000},
        "calibrate_every_days": {"low": 1, "high": 3650},
        "calibrated_day": {"low": 0, "high": 49710},  # days since 1970
    },
}  # fmt: skip
_OWN = ("siren", "strobe", "led")  # the firmware itself switches these


def read_extras(
    source: Source, pins: dict[str, dict[str, Any]], given: set[str], seasons: list
) -> dict[str, dict[str, Any]]:
    """Those that the file has, checked, and made once as the firmware makes them."""
    found = {}
    for name, specs in SPECS.items():
        if name in source.values:
            found[name] = table(source, source.values[name], specs, (name,))
    if seasons:
        found.setdefault("care", {})["seasons"] = seasons
    for name in ("tank", "care"):
        if name in found and "level" not in given:
            source.refuse((name,), f"[{name}] is of a level, and no sensor gives one")
    if "tank" in found and "fill" in given:
        source.refuse(("tank",), "[tank] tells 'fill', and a sensor gives it already")
    if "panels" in found:
        _check_panels(source, found["panels"], given)
    if "relay" in found:
        _check_relay(
            source,
            found["relay"],
            pins,
            given | derived(given, {name: row for name, row in found.items() if name in ("tank", "panels")}),
        )
    try:
        if "tank" in found:
            Tank(found["tank"], None)
        if "panels" in found:
            Panels(found["panels"])
        if "relay" in found:
            Relay(found["relay"], SimpleNamespace(set=lambda on: None), 0)
    except ValueError as error:
        source.refuse((str(error).split(":")[0].split(".")[0],), str(error))
    return found


def _check_panels(source: Source, row: dict[str, Any], given: set[str]) -> None:
    numbered = [f"panel_power:{i + 1}" if i else "panel_power" for i in range(len(row["peak_w"]))]
    for key in ("irradiance", "module_temperature", *numbered):
        if key not in given:
            source.refuse(("panels",), f"[panels] with {len(numbered)} panels needs '{key}', and no sensor gives it")


def _check_relay(source: Source, row: dict[str, Any], pins: dict[str, dict[str, Any]], given: set[str]) -> None:
    outputs = [name for name, pin in pins.items() if pin["kind"] == "output" and name not in _OWN]
    if row["output"] not in outputs:
        source.refuse(
            ("relay", "output"),
            f"relay: no output '{row['output']}' to switch; there are {', '.join(outputs) or 'none beside siren, strobe and led'}",
        )
    if row["of"] not in given - {"level", "battery"}:
        source.refuse(
            ("relay", "of"),
            f"relay: '{row['of']:.40}' is not among what can switch it: {', '.join(sorted(given - {'level', 'battery'}))}",
        )


def derived(given: set[str], extras: dict[str, dict[str, Any]]) -> set[str]:
    """The keys that the firmware makes of what is given."""
    found = set()
    if "pm2_5" in given:
        found.add(POINTS[PM2_5_NOWCAST][0])
    if given & {"pm2_5", "co2"}:
        found |= {POINTS[target][0] for of, _, target in MEANS if POINTS[of][0] in given}
    if "tank" in extras:
        found.add(POINTS[FILL][0])
    if "relay" in extras:
        found.add(POINTS[RELAY][0])
    care = extras.get("care", {})
    for key, row in (("blanking_mm", FOULING), ("calibrate_every_days", CALIBRATION), ("seasons", SEASON)):
        if key in care:
            found.add(POINTS[row][0])
    if "panels" in extras:
        for i in range(len(extras["panels"]["peak_w"])):
            number = f":{i + 1}" if i else ""
            found |= {POINTS[k][0] + number for k in (PANEL_ENERGY, PERFORMANCE_RATIO, SOILING_RATIO, DIAGNOSIS)}
    return found
