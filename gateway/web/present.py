"""What a person is shown of a station: words, marks and order, from facts and a time. Pure."""

from typing import Any

from gateway.config import Station
from gateway.reading import GOOD, Facts
from node.core.measurements import STATES

# state -> (English, Malay, mark); a colour never stands alone
WORDS = {
    "danger": ("Danger", "bahaya", "■"),
    "warning": ("Warning", "amaran", "◆"),
    "alert": ("Alert", "waspada", "▲"),
    "normal": ("Normal", "normal", "●"),
    "unknown": ("No usable reading", "tiada bacaan", "○"),
}
ORDER = ("danger", "warning", "alert", "unknown", "normal")
QUALITY = {1: "good", 2: "good", 3: "suspect", 4: "failed", 9: "no reading"}
REASONS = {
    "not_fitted": "sensor not fitted",
    "no_answer": "sensor does not answer",
    "bad_checksum": "sensor answers with errors",
    "out_of_range": "out of the sensor's range",
    "warming_up": "sensor is warming up",
}
STEADY_M_H = 0.02
FAST_M_H = 0.3
AHEAD_MS = 300_000


def shown(facts: Facts, about: Station, now_ms: int, stale_s: int) -> dict[str, Any]:
    """Everything page and API say of a station."""
    level = facts.points.get("level", {})
    good = level.get("v") is not None and level.get("q") in GOOD
    battery = facts.points.get("battery", {})
    seen_ms = facts.t_ms if facts.t_ms is not None else facts.received_ms
    contact = _contact(facts, seen_ms, now_ms, stale_s)
    state = _state(facts, level)
    return {
        "district": facts.district,
        "node": facts.node,
        "title": about.title or facts.node,
        "label": about.label,
        "source": about.source,
        "state": state,
        "state_words": dict(zip(("en", "ms", "mark"), WORDS[state], strict=True)),
        "since_ms": facts.alarm_since_ms,
        "contact": contact,
        "silent": contact != "ok",
        "level_m": level.get("v"),
        "level_ok": good,
        "quality": _quality(level),
        "q": level.get("q"),
        "t_ms": facts.t_ms,
        "seen_ms": seen_ms,
        "age_s": None if seen_ms is None else max(0, (now_ms - seen_ms) // 1000),
        "rise_m_h": None if facts.rise_m_h is None else round(facts.rise_m_h, 3),
        "trend": trend(facts.rise_m_h),
        "distance": distance(level.get("v"), facts.lines, state) if good else None,
        "battery_v": battery.get("v"),
        "lines": facts.lines,
        "bar": bar(level.get("v") if good else None, facts.lines),
        "notes": _notes(facts, now_ms),
        "version": facts.version,
        "revision": facts.revision,
        "rank": rank(state, contact),
    }


def rank(state: str, contact: str) -> int:
    """Worst first; of the same state those that still speak come first."""
    return 2 * ORDER.index(state) + (contact != "ok")


def _state(facts: Facts, level: dict[str, Any]) -> str:
    """The station's own word; but a sensor that reads nothing is no reason to call the water normal."""
    blind = level.get("v") is None or facts.lasting.get("sensor") == "fault"
    if facts.alarm is None or (facts.alarm == "normal" and blind):
        return "unknown"
    return facts.alarm


def _contact(facts: Facts, seen_ms: int | None, now_ms: int, stale_s: int) -> str:
    """ok, or why the station must not be taken for what it last said."""
    if facts.status in ("unreachable", "maintenance"):
        return facts.status
    if seen_ms is None:
        return "never"
    if now_ms - seen_ms > stale_s * 1000:
        return "sleeping" if facts.status == "sleeping" else "stale"
    return "ok"


def _quality(level: dict[str, Any]) -> str:
    if not level:
        return "no reading"
    if level.get("v") is None:
        return REASONS.get(level.get("vs") or "", "no reading")
    return QUALITY.get(level.get("q") or 2, "good")


def _notes(facts: Facts, now_ms: int) -> list[str]:
    notes = []
    if facts.lasting.get("rise_alarm") == "on":
        notes.append("rising fast")
    if facts.lasting.get("sensor") == "fault":
        notes.append("sensor fault")
    if facts.lasting.get("storage") == "fault":
        notes.append("storage fault")
    if facts.points and facts.t_ms is None:
        notes.append("clock not set yet")
    if facts.t_ms is not None and facts.t_ms - now_ms > AHEAD_MS:
        notes.append("clock is ahead")
    return notes


def trend(rise_m_h: float | None) -> dict[str, str]:
    """Arrow and words."""
    if rise_m_h is None:
        return {"arrow": "", "words": "no trend yet"}
    if abs(rise_m_h) < STEADY_M_H:
        return {"arrow": "→", "words": "steady"}
    way = ("⇈" if rise_m_h >= FAST_M_H else "↑", "rising") if rise_m_h > 0 else ("↓", "falling")
    return {"arrow": way[0], "words": f"{way[1]} {abs(rise_m_h):.2f} m/h"}


def distance(level: float | None, lines: dict[str, float], state: str) -> str | None:
    """How far it is to the next line, or above the highest one; an alarm is left only below its deadband, and after a delay."""
    if level is None or not lines:
        return None
    known = [name for name in STATES[1:] if name in lines]
    above = [name for name in known if lines[name] > level]
    if state in above:
        return f"{lines[state] - level:.2f} m below {state}, not yet cleared"
    if above:
        return f"{lines[above[0]] - level:.2f} m below {above[0]}"
    return f"{level - lines[known[-1]]:.2f} m above {known[-1]}"


def bar(level: float | None, lines: dict[str, float]) -> dict[str, Any] | None:
    """A level among its lines as parts of 100: a drawing needs no more."""
    if len(lines) < 3:
        return None
    span = lines["danger"] - lines["alert"]
    low = min(lines["alert"] - span, level if level is not None else lines["alert"])
    high = max(lines["danger"] + span * 0.35, level if level is not None else lines["danger"])

    def at(value: float) -> float:
        return round(100 * (value - low) / (high - low), 1)

    return {"level": None if level is None else max(1.0, at(level)), **{name: at(lines[name]) for name in STATES[1:]}}


def sentence(event: dict[str, Any]) -> str:
    """An event in words."""
    points = {p["name"]: p for p in event["points"]}

    def v(name: str) -> float | None:
        return points.get(name, {}).get("v")

    vs = event["points"][0]["vs"] if event["points"] else ""
    level = f" at {v('level'):.2f} m" if v("level") is not None else ""
    kind = event["kind"]
    if kind == "alarm":
        rise = f", {trend(v('rise'))['words']}" if v("rise") is not None else ""
        before = points.get("alarm_from", {}).get("vs")
        return f"{before.capitalize() if before else 'Alarm'} → {vs}{level}{rise}"
    if kind == "rise_alarm":
        return f"{'Rises fast' if vs == 'on' else 'No longer rises fast'}{level}"
    if kind == "settings":
        changes = [
            f"{name[4:]} {points['old:' + name[4:]]['v']:g} → {p['v']:g}{' ' + p['unit'] if p['unit'] else ''}"
            for name, p in points.items()
            if name.startswith("new:") and "old:" + name[4:] in points
        ]
        return f"Settings changed by {vs}: {', '.join(changes) or 'defaults'}"
    if kind == "dropped":
        return f"Gave up {vs} {v('first_seq') or 0:.0f} to {v('last_seq') or 0:.0f} of boot {v('of_boot') or 0:.0f}"
    if kind == "sensor":
        reason = points.get("reason", {}).get("vs")
        return f"Sensor {vs}{': ' + REASONS.get(reason, reason) if reason else ''}"
    simple = {
        "boot": f"Started ({vs})",
        "time_fix": f"Clock set by {vs}",
        "storage": f"Storage {vs}",
        "acknowledged": f"Acknowledged by {vs}",
    }
    if kind == "shelved_s":
        return f"Siren shelved for {v('shelved_s') or 0:.0f} s"
    return simple.get(kind, f"{kind}: {vs if vs is not None else v(kind)}")
