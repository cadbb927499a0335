"""Events in words a person on duty understands. Pure."""

from typing import Any

from gateway.quantities import TREND, Shown, display, number, text_of
from gateway.reading import ALARM_POINTS
from gateway.wire import split

REASONS = {
    "not_fitted": "sensor not fitted",
    "no_answer": "sensor does not answer",
    "bad_checksum": "sensor answers with errors",
    "out_of_range": "out of the sensor's range",
    "warming_up": "sensor is warming up",
}
LINES = {"alert": "alert line", "warning": "warning line", "danger": "danger line"}

FOULING = {"drift": "slow drift", "scatter": "readings scatter", "blocked": "stuck at its blanking distance"}
CALIBRATION = {"ok": "Calibration done", "due_soon": "Calibration due soon", "due": "Calibration due"}

DRILL = {
    "begun": "Drill begun",
    "heard": "Drill: the siren sounded",
    "silent": "Drill: the siren drew no current",
    "not_measured": "Drill ended, its sound not measured",
}

Points = dict[str, dict[str, Any]]


def trend(change_h: float | None, key: str = "level") -> dict[str, str]:
    """Arrow and words of a change in an hour."""
    if change_h is None:
        return {"arrow": "", "words": "no trend yet"}
    row = display(key)
    change = change_h * row.factor
    steady, fast = TREND.get(key, (0.0, float("inf")))
    if abs(change) < steady:
        return {"arrow": "→", "words": "steady"}
    way = ("⇈" if change >= fast else "↑", "rising") if change > 0 else ("↓", "falling")
    unit = f" {row.unit}" if key == "level" else ""  # elsewhere it stands beside the value, and may be long
    return {"arrow": way[0], "words": f"{way[1]} {abs(change):.{row.decimals}f}{unit}/h"}


def label_of(name: str) -> str:
    """`CO₂`, `Power 2`."""
    key, instance = split(name)
    label = display(key).label
    if instance > 1:
        return f"{label} {instance}"
    return label


def sentence(event: dict[str, Any]) -> str:
    """An event in words; one of a newer station is shown as it is."""
    points: Points = {p["name"]: p for p in event["points"]}
    first = event["points"][0] if event["points"] else {"vs": None, "v": None}
    vs, v, kind = first["vs"], first["v"], event["kind"]
    told = _SENTENCES.get(kind)
    if told:
        return told(points, vs or "")
    return f"{kind}: {vs if vs is not None else f'{v:g}' if v is not None else ''}"


def _v(points: Points, name: str) -> float | None:
    return points.get(name, {}).get("v")


def _count(points: Points, name: str) -> str:
    return f"{_v(points, name) or 0:.0f}"


def _at(points: Points) -> str:
    level = _v(points, "level")
    return f" at {level:.2f} m" if level is not None else ""


def _alarm(points: Points, vs: str) -> str:
    before = points.get("alarm_from", {}).get("vs")
    change = f"{before.capitalize() if before else 'Alarm'} → {vs}"
    cause = next((n for n in points if n not in ALARM_POINTS and n != "level" and not n.startswith("new:")), None)
    if cause is None:
        rise = f", {trend(_v(points, 'rise'))['words']}" if "rise" in points else ""
        return change + _at(points) + rise
    point = points[cause]
    if point["v"] is None:
        return f"{change}: {label_of(cause)}, {REASONS.get(point['vs'], point['vs'])}"
    limit = next(((n, p) for n, p in points.items() if n.startswith("new:") and p["v"] is not None), None)
    against = ""
    if limit is not None:
        line = limit[0].rpartition(".")[2]
        against = f" ({LINES.get(line, line)} {text_of(cause, limit[1]['v'], point['unit'])})"
    return f"{change}: {label_of(cause)} {text_of(cause, point['v'], point['unit'])}{against}"


def _rise_alarm(points: Points, vs: str) -> str:
    return f"{'Rises fast' if vs == 'on' else 'No longer rises fast'}{_at(points)}"


def _settings(points: Points, vs: str) -> str:
    changes = [
        f"{name[4:]} {points['old:' + name[4:]]['v']:g} → {p['v']:g}{' ' + p['unit'] if p['unit'] else ''}"
        for name, p in points.items()
        if name.startswith("new:") and p["v"] is not None and _v(points, "old:" + name[4:]) is not None
    ]
    return f"Settings changed by {vs}: {', '.join(changes) or 'defaults'}"


def _dropped(points: Points, vs: str) -> str:
    return f"Gave up {vs} {_count(points, 'first_seq')} to {_count(points, 'last_seq')} of boot {_count(points, 'of_boot')}"


def sensor_name(who: str) -> str:
    """Who a fault is of: a person counts a station's sensors from 1."""
    return {"level": "Level sensor", "battery": "Battery sensor"}.get(who) or f"Sensor {int(who) + 1}"


def _sensor(points: Points, vs: str) -> str:
    of, number_ = points.get("sensor_of", {}).get("vs"), _v(points, "sensor_number")
    who = sensor_name(of or f"{number_:.0f}") if of in ("level", "battery") or number_ is not None else "Sensor"
    if vs == "ok":
        return f"{who} works again"
    reason = points.get("reason", {}).get("vs") or ""
    return f"{who} {vs}{': ' + REASONS.get(reason, reason).removeprefix('sensor ') if reason else ''}"


def _storage(_points: Points, vs: str) -> str:
    return "Storage works again" if vs == "ok" else f"Storage {vs}"


def _shelved(points: Points, _vs: str) -> str:
    seconds = _v(points, "shelved_s") or 0
    if not seconds:
        return "Siren no longer shelved"
    return (
        f"Siren shelved for {seconds:.0f} s"
        if seconds < 120 or seconds % 60
        else f"Siren shelved for {seconds / 60:.0f} min"
    )


def _season(points: Points, _vs: str) -> str:
    season = _v(points, "season") or 0
    return f"Levels of season {season:.0f} are in force" if season else "The settings' own levels are in force"


_SENTENCES = {
    "alarm": _alarm,
    "rise_alarm": _rise_alarm,
    "settings": _settings,
    "dropped": _dropped,
    "sensor": _sensor,
    "storage": _storage,
    "shelved_s": _shelved,
    "boot": lambda _points, vs: f"Started ({vs})",
    "time_fix": lambda _points, vs: f"Clock set by {vs}",
    "acknowledged": lambda _points, vs: f"Acknowledged by {vs}",
    "lid": lambda _points, vs: f"Lid {vs}",
    "fouling": lambda _points, vs: f"Fouling suspected: {FOULING.get(vs, vs)}" if vs != "clear" else "No longer fouled",
    "calibration": lambda _points, vs: CALIBRATION.get(vs, f"Calibration {vs}"),
    "season": _season,
    "siren": lambda _points, vs: (
        "Siren draws no current: broken, or its wire" if vs == "fault" else "Siren works again"
    ),
    "drill": lambda _points, vs: DRILL.get(vs, f"Drill {vs}"),
    "safe_mode": lambda _points, vs: "Safe mode: only sampling, alarm and siren" if vs == "on" else "Safe mode ended",
    "crash": lambda _points, vs: f"Fault of the firmware: {vs}",
    "refused": lambda _points, vs: f"Refused: {vs}",
    "relay": lambda _points, vs: f"Relay {vs}",
}


def amount(value: float, row: Shown) -> str:
    """A difference with its unit."""
    return f"{number(value, row)} {row.unit}".rstrip().replace(" %", "\u202f%")
