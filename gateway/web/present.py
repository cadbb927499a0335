"""What a person is shown of a station: words, marks and order, from facts and a time. Pure."""

from typing import Any

from gateway.config import Station
from gateway.quantities import ITSELF, SUMMED, TREND, Shown, display, number, of_kind, place, text_of, usable
from gateway.reading import Facts, limits_of
from gateway.web.sentences import CALIBRATION, FOULING, REASONS, amount, label_of, sensor_name, trend
from gateway.wire import WORDS as SAID
from gateway.wire import split
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
AHEAD_MS = 300_000
SMALL = 4  # quantities on a card besides the main one
BESIDE_LEVEL = 3  # and on that of a gauge, whose level is what matters
EVERY_PANEL_WELL = ("clean", "unknown")


def shown(facts: Facts, about: Station, now_ms: int, stale_s: int) -> dict[str, Any]:
    """Everything page and API say of a station. `level_...` and `rise_m_h` are a gauge's own; `lines` are those of the main quantity."""
    level = facts.points.get("level", {})
    main = main_shown(facts, stale_s)
    seen_ms = facts.t_ms if facts.t_ms is not None else facts.received_ms
    contact = _contact(facts, seen_ms, now_ms, stale_s)
    state = _state(facts, main)
    lines = main["limits"]
    grouped = groups(facts, stale_s)
    is_level = facts.main == "level"
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
        "main": main,
        "level_m": level.get("v"),
        "level_ok": usable(level),
        "quality": main["quality"],
        "q": main["q"],
        "t_ms": facts.t_ms,
        "seen_ms": seen_ms,
        "age_s": None if seen_ms is None else max(0, (now_ms - seen_ms) // 1000),
        "rise_m_h": round(facts.slope_h, 3) if is_level and facts.slope_h is not None else None,
        "trend": trend(facts.slope_h, facts.main) if facts.main in TREND else {"arrow": "", "words": ""},
        "distance": distance(main["v"], lines, state, main["key"]) if main["ok"] else None,
        "battery_v": facts.points.get("battery", {}).get("v"),
        "lines": lines,
        "bar": bar(main["v"] if main["ok"] else None, lines, None if is_level else 0),
        "quantities": quantities(facts, stale_s),
        "groups": grouped,
        "small": small(facts, grouped),
        "notes": _notes(facts, now_ms, state),
        "version": facts.version,
        "standing": standing(facts),
        "revision": facts.revision,
        "rank": rank(state, contact),
    }


def rank(state: str, contact: str) -> int:
    """Worst first; of the same state those that still speak come first."""
    return 2 * ORDER.index(state) + (contact != "ok")


# Quantities


def _old(facts: Facts, point: dict[str, Any], stale_s: int) -> bool:
    """Other sensors of this station have gone on, this one's records have not."""
    t_ms = point.get("t_ms")
    return t_ms is not None and facts.t_ms is not None and facts.t_ms - t_ms > stale_s * 1000


def quantities(facts: Facts, stale_s: int) -> list[dict[str, Any]]:
    """Every point of the newest readings, in the table's order; `text` is as a person reads it, v and unit are as the station said them."""
    told = []
    for name in sorted(facts.points, key=place):
        point = facts.points[name]
        key, instance = split(name)
        row = display(key, point.get("unit"))
        v, vs = point.get("v"), point.get("vs")
        word = v is None and vs is not None and point.get("q") != 9
        old = _old(facts, point, stale_s)
        told.append(
            {
                "name": name,
                "key": key,
                "instance": instance,
                "label": row.label,
                "unit": point.get("unit"),
                "v": v,
                "vs": vs,
                "q": point.get("q"),
                "ok": (usable(point) or word) and not old,
                "quality": "old reading" if old else "good" if word else quality(point),
                "text": (vs or "") if word else text_of(name, v, point.get("unit")) if v is not None else "–",
                "word": word or key in SAID,
                "itself": key in ITSELF,
                "limits": limits_of(facts, name),
            }
        )
    return told


def main_shown(facts: Facts, stale_s: int) -> dict[str, Any]:
    """The quantity a station is shown by; of several of a kind their sum, or from lowest to highest."""
    key = facts.main
    if key is None:
        nothing: dict[str, Any] = {
            "key": None,
            "label": "",
            "text": "–",
            "unit": "",
            "v": None,
            "ok": False,
            "limits": {},
        }
        return {**nothing, "quality": "no reading", "q": None, "of": ""}
    row = display(key)
    names = of_kind(facts.points, key)
    points = [facts.points[name] for name in names]
    good = [p for p in points if usable(p) and not _old(facts, p, stale_s)]
    newest = good[0] if good else points[0]
    spoken = good or [p for p in points if p.get("v") is not None]
    values = [p["v"] for p in spoken]
    said = _many(values, row) if values else "–"
    old = bool(values) and not good and any(_old(facts, p, stale_s) for p in spoken)
    return {
        "key": key,
        "label": row.label,
        "text": said,
        "unit": row.unit,
        "v": _one(values, row),
        "ok": bool(good),
        "quality": "old reading" if old else quality(newest),
        "q": newest.get("q"),
        "limits": limits_of(facts, key),
        "of": f"{len(good)} of {len(points)} panels" if 0 < len(good) < len(points) else "",
    }


def _one(values: list[float], row: Shown) -> float | None:
    """What is compared with lines: the sum, or the highest."""
    if not values:
        return None
    return sum(values) if row.many == "sum" else max(values)


def _many(values: list[float], row: Shown) -> str:
    """Several of a kind in few characters, without unit."""
    if row.many == "sum":
        return number(sum(values), row)
    low, high = number(min(values), row), number(max(values), row)
    return low if low == high else f"{low}–{high}"


def groups(facts: Facts, stale_s: int) -> list[dict[str, Any]]:
    """What can be drawn, each kind once, with what its newest values are: one number, a sum, or from lowest to highest."""
    told = []
    for key in dict.fromkeys(split(name)[0] for name in sorted(facts.points, key=place)):
        if key in SAID or key.startswith("unknown:"):
            continue
        points = [facts.points[name] for name in of_kind(facts.points, key)]
        if all(point.get("v") is None and point.get("q") != 9 for point in points):
            continue  # a newer station's word
        good = [p for p in points if usable(p) and not _old(facts, p, stale_s)]
        row = display(key, points[0].get("unit"))
        if key in SUMMED:
            text = f"{amount(facts.rain_mm[24], row)} in 24 h" if 24 in facts.rain_mm else "–"
        elif len(good) == 1:
            text = text_of(key, good[0]["v"], points[0].get("unit"))
        else:
            text = f"{_many([p['v'] for p in good], row)} {row.unit}".rstrip().replace(" %", "\u202f%") if good else "–"
        told.append({"key": key, "label": row.label, "text": text, "ok": bool(good), "count": len(points)})
    return told


def small(facts: Facts, grouped: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a card says besides its main quantity: the most telling ones."""
    rain = display("rain")
    told = [
        {"label": f"Rain in {hours} h", "text": amount(mm, rain), "ok": True}
        for hours, mm in sorted(facts.rain_mm.items())
    ]
    behind = ("depth", "range") if facts.main == "level" else ()
    told += [g for g in grouped if g["key"] not in (facts.main, *behind, *SUMMED) and g["key"] not in ITSELF]
    return told[: BESIDE_LEVEL if facts.main == "level" else SMALL]


def quality(point: dict[str, Any]) -> str:
    """In words."""
    if not point:
        return "no reading"
    if point.get("v") is None:
        return REASONS.get(point.get("vs") or "", "no reading")
    return QUALITY.get(point.get("q") or 2, "good")


# State


def _state(facts: Facts, main: dict[str, Any]) -> str:
    """The station's own word; but sensors that read nothing are no reason to call what they watch normal."""
    if facts.alarm is None or (facts.alarm == STATES[0] and _blind(facts, main)):
        return "unknown"
    return facts.alarm


def _blind(facts: Facts, main: dict[str, Any]) -> bool:
    """No value of what the station is for; without a level also none of a quantity that has lines and isn't just warming up."""
    if main["v"] is None or main["quality"] == "old reading" or (main["key"] == "level" and "level" in facts.faults):
        return True
    return main["key"] != "level" and any(
        point.get("v") is None and point.get("vs") != "warming_up"
        for name, point in facts.points.items()
        if limits_of(facts, name)
    )


def _contact(facts: Facts, seen_ms: int | None, now_ms: int, stale_s: int) -> str:
    """ok, or why the station must not be taken for what it last said."""
    if facts.status in ("unreachable", "maintenance"):
        return facts.status
    if seen_ms is None:
        return "never"
    if now_ms - seen_ms > stale_s * 1000:
        return "sleeping" if facts.status == "sleeping" else "stale"
    return "ok"


def _notes(facts: Facts, now_ms: int, state: str) -> list[str]:
    notes = []
    if facts.cause and state in STATES[1:] and split(facts.cause)[0] != facts.main:
        point = facts.points.get(facts.cause, {})
        value = f" {text_of(facts.cause, point['v'], point.get('unit'))}" if point.get("v") is not None else ""
        notes.append(f"{state} for {label_of(facts.cause)}{value}")
    if facts.lasting.get("rise_alarm") == "on":
        notes.append("rising fast")
    for who in sorted(facts.faults, key=lambda who: (who.isdecimal(), who.zfill(3))):
        notes.append("sensor fault" if who == "level" else f"{sensor_name(who).lower()} fault")
    if facts.lasting.get("storage") == "fault":
        notes.append("storage fault")
    if facts.standing.get("safe"):
        notes.append("safe mode: restarted by faults of its own")
    if facts.lasting.get("siren") == "fault":
        notes.append("siren fault: it draws no current")
    notes += _care(facts) + _panels(facts)
    if facts.points.get("lid", {}).get("vs") == "open":
        notes.append("lid open")
    if facts.points and facts.t_ms is None:
        notes.append("clock not set yet")
    if facts.t_ms is not None and facts.t_ms - now_ms > AHEAD_MS:
        notes.append("clock is ahead")
    return notes


# name in `status` -> what a person reads before the number or word; zeros of the second kind are not worth a line
_STANDING = {"reset": "restarted by", "slot": "slot", "lost": "contact was lost by"}
_COUNTED = {"flash_errors": "flash errors", "sensors_bad": "bad sensors", "refused": "orders refused"}


def standing(facts: Facts) -> list[str]:
    """How the station itself is, by its own word."""
    said = facts.standing
    told = [f"{words} {said[name]}" for name, words in _STANDING.items() if said.get(name)]
    if isinstance(heap := said.get("heap_low"), float | int):
        told.append(f"{heap / 1000:.0f} kB of memory never used")
    told += [
        f"{words}: {said[name]:.0f}"
        for name, words in _COUNTED.items()
        if isinstance(said.get(name), float | int) and said[name]
    ]
    return told


def _care(facts: Facts) -> list[str]:
    """What asks a person to look at a gauge."""
    told = []
    fouling, calibration = facts.lasting.get("fouling", "clear"), facts.lasting.get("calibration", "ok")
    if fouling != "clear":
        told.append(f"fouling: {FOULING.get(fouling, fouling)}")
    if calibration != "ok":
        told.append(CALIBRATION.get(calibration, calibration).lower())
    if facts.lasting.get("season", "0") != "0":
        told.append(f"levels of season {facts.lasting['season']}")
    return told


def _panels(facts: Facts) -> list[str]:
    """Which panels are not well, each diagnosis once."""
    names = of_kind(facts.points, "diagnosis")
    by_word: dict[str, list[str]] = {}
    for name in names:
        point = facts.points[name]
        if point.get("q") != 9 and point.get("vs") and point["vs"] not in EVERY_PANEL_WELL:
            by_word.setdefault(point["vs"], []).append(str(split(name)[1]))
    if len(names) == 1:
        return [f"panel {word}" for word in by_word]
    return [f"panel{'s' * (len(which) > 1)} {', '.join(which)} {word}" for word, which in by_word.items()]


def distance(value: float | None, lines: dict[str, float], state: str, key: str = "level") -> str | None:
    """How far it is to the next line, or above the highest one; an alarm is left only below its deadband, and after a delay."""
    if value is None or not lines:
        return None
    row = display(key)

    def gap(of: float) -> str:
        return amount(of, row)

    known = [name for name in STATES[1:] if name in lines]
    above = [name for name in known if lines[name] > value]
    if state in above:
        return f"{gap(lines[state] - value)} below {state}, not yet cleared"
    if above:
        return f"{gap(lines[above[0]] - value)} below {above[0]}"
    return f"{gap(value - lines[known[-1]])} above {known[-1]}"


def bar(value: float | None, lines: dict[str, float], floor: float | None = None) -> dict[str, Any] | None:
    """A value among its lines as parts of 100: a drawing needs no more. `floor`: where the quantity begins, if it does."""
    if len(lines) < 3:
        return None
    span = lines["danger"] - lines["alert"]
    low = min(lines["alert"] - span if floor is None else floor, value if value is not None else lines["alert"])
    high = max(lines["danger"] + span * 0.35, value if value is not None else lines["danger"])

    def at(value: float) -> float:
        return round(100 * (value - low) / (high - low), 1)

    return {"level": None if value is None else max(1.0, at(value)), **{name: at(lines[name]) for name in STATES[1:]}}
