"""Whether a run of `chaos` kept every promise. An invariant is a name; what broke it is told with the place and the time.

- lost: every record whose append was flushed is stored, or declared dropped, after the drain; but for what a gateway that went back to an older
  database forgot and its station had freed since
- dropped: nothing is declared dropped unless flash was small or the gateway's database went back
- twice: no key is stored twice, and none with two payloads
- order: within a stream, what is said for the first time is newer than what was said before
- siren: the siren sounds by the sample after a crossing
- silence: it does not fall silent while alarmed water stays, unless a person silenced it
- bounds: every queue keeps its bound
- heap: what the program holds does not grow from day to day
- arrives: after the faults everything is committed, and nothing waits
- settings: the gateway shows the revision and values that the station runs
- exception: the program raised nothing but what was drawn
- slots: there is always a good slot, whole, and what a station says that it runs is what runs
- quarantine: the gateway found no message unusable
"""

from collections.abc import Iterator
from typing import Any

from gateway.store import SqliteStore
from node.core import limits
from node.core import settings as S
from node.core.measurements import STREAMS
from simulator import judge
from simulator.chaos_watch import GROWTH, Seen, Watch
from simulator.fleet import District, Place
from simulator.mishaps import KEYS
from simulator.stations import Station
from simulator.world.river import River

INVARIANTS = (
    "lost", "dropped", "twice", "order", "siren", "silence", "bounds", "heap", "arrives", "settings", "exception", "slots", "quarantine",
)  # fmt: skip
MARGIN_MM = 25  # a ranger's own error, at 4 m
BURST_MS = 4000  # a burst, the one that confirms it, and one of each that finds no echo
PAUSE_MS = 122_000  # the longest pause between two sounds of the siren
ACKNOWLEDGED_MS = 12 * 3_600_000
UPDATES = ("offered", "refused", "fetched", "trying", "confirmed", "rolled_back")  # words of the point `update`
_SECOND = 1000

_DECLARED = """SELECT n.node, p.v, p.vs, m.name, r.id FROM records r JOIN lives l ON l.id = r.life_id JOIN nodes n ON n.id = l.node_id
  JOIN points p ON p.record_id = r.id JOIN names m ON m.id = p.name_id
  WHERE r.stream = 1 AND EXISTS (SELECT 1 FROM points q JOIN names k ON k.id = q.name_id WHERE q.record_id = r.id AND q.place = 0 AND k.name = 'dropped')
  ORDER BY r.id, p.place"""
Key = tuple[str, str, int]


def declared(store: SqliteStore) -> set[tuple[str, str, int, int]]:
    """(node, stream, boot, seq) that their stations said they can't send any more."""
    rows: dict[int, dict[str, Any]] = {}
    for node, v, vs, name, record in store.rows(_DECLARED):
        rows.setdefault(record, {"node": node})[name] = vs if v is None else int(v)
    return {
        (row["node"], row["dropped"], row["of_boot"], seq)
        for row in rows.values()
        for seq in range(row["first_seq"], row["last_seq"] + 1)
    }


def missing(store: SqliteStore, made: dict[Key, int], watch: Watch) -> tuple[set[tuple[str, str, int, int]], int]:
    """(keys that were made, are not stored and not declared; how many are declared and not stored)."""
    stored = {(node, STREAMS[stream], boot, seq) for node, stream, boot, seq in store.rows(KEYS)}
    gone = {(*key, seq) for key, count in made.items() for seq in range(1, count + 1)} - stored - watch.taken_back
    said = declared(store) if gone else set()
    return gone - said, len(gone & said)


class Found:
    """Gathers what is broken."""

    def __init__(self, watch: Watch) -> None:
        self.broken = {f"{invariant}: {how}" for (invariant, _), how in watch.broken.items()}

    def breaks(self, invariant: str, how: str) -> None:
        self.broken.add(f"{invariant}: {how}")


def examine(
    district: District, store: SqliteStore, watch: Watch, made: dict[Key, int]
) -> tuple[list[str], dict[str, Any]]:
    """(what is broken, what was counted) after the drain; `made` is what had been made before it."""
    found = Found(watch)
    scenario = district.scenario
    gone, dropped = missing(store, made, watch)
    if gone:
        found.breaks("lost", f"{len(gone)} records, the first {min(gone)}")
    if dropped and not (scenario.flash or any(row.back_s for row in scenario.restores)):
        found.breaks("dropped", f"{dropped} records were declared dropped for no reason")
    for node, topic, reason in _quarantined(store):
        if not _expected(node, reason):
            found.breaks("quarantine", f"{topic}: {reason}")
    twice = store.rows(
        "SELECT COUNT(*) - COUNT(DISTINCT life_id || '/' || stream || '/' || boot || '/' || seq) FROM records"
    )[0][0]
    if twice:
        found.breaks("twice", f"{twice} rows")
    counted: dict[str, Any] = {
        "crossings": 0,
        "heard": 0,
        "declared": dropped,
        "taken_back": len(watch.taken_back),
        "worst_siren_ms": 0,
    }
    counted["updates"] = {
        word: sum(seen.updates.count(number) for seen in watch.seen.values()) for number, word in enumerate(UPDATES)
    }
    counted["missed"] = 0  # by the invariant `siren`: the judge knows nothing of a sensor that is gone
    counted["resets"] = sum(len(station.dark_ms) for station in district.stations)
    for place, station in zip(district.places, district.stations, strict=True):
        seen = watch.seen[place.node]
        if place.river and place.has_level:
            _water(found, counted, district, place, station, seen)
        _sizes(found, place.node, seen)
        _settled(found, store, place.node, watch, made)
        if station.ports.slots and not place.compiled["settings"].get("power.profile"):
            _version(found, store, place.node, station.ports.slots.version)
    return sorted(found.broken), counted


def _quarantined(store: SqliteStore) -> list[tuple[str, str, str]]:
    rows = store.rows("SELECT topic, reason FROM quarantine ORDER BY id")
    return [(topic.split("/")[3], topic, reason) for topic, reason in rows]


def _expected(node: str, reason: str) -> bool:
    return False


# The water and the siren


def _water(
    found: Found, counted: dict[str, Any], district: District, place: Place, station: Station, seen: Seen
) -> None:
    scenario = district.scenario
    assert place.river is not None
    values = S.Settings(place.compiled["settings"], limits.ROWS).values
    sample_ms = values[S.SAMPLE_INTERVAL] * _SECOND
    lines = (values[S.LEVEL_ALERT], values[S.LEVEL_WARNING], values[S.LEVEL_DANGER])
    deaf = [
        span.ms for span in scenario.spans if span.node == place.node and span.what != "storage" and span.sensor is None
    ]
    until_ms = scenario.span_ms
    rules = judge.Rules(
        levels=(lines[0] + MARGIN_MM, lines[1] + MARGIN_MM, lines[2] + MARGIN_MM),
        deadband=values[S.LEVEL_DEADBAND] + 2 * MARGIN_MM,
        sample_ms=sample_ms,
        on_delay_ms=0,
        boots_ms=place.boots_ms,
    )
    sounds = _spans(seen.sirens, until_ms)
    lights = _spans(seen.strobes, until_ms)
    for crossing in judge.crossings(place.river, rules, until_ms):
        counted["crossings"] += 1
        by_ms = _deadline(crossing.t_ms, sample_ms, station.gone_ms)
        if by_ms > until_ms or _overlaps(deaf, crossing.t_ms - sample_ms, by_ms):
            continue
        if _is_silenced(
            seen, crossing.level, crossing.t_ms, by_ms, place.river, lines[0] - values[S.LEVEL_DEADBAND] - MARGIN_MM
        ):
            continue
        if not _stays(place.river, lines[crossing.level - 1] + MARGIN_MM, crossing.t_ms, by_ms):
            continue
        counted["heard"] += 1
        raised = _raised(seen, crossing)
        lit = any(begin <= by_ms and end > crossing.t_ms for begin, end in lights)
        if not (lit and any(begin <= by_ms and end >= crossing.t_ms - PAUSE_MS for begin, end in sounds)):
            what = f"{place.node}: crossing to {judge.state_name(crossing.level)} at {crossing.t_ms / 1000:.0f} s"
            counted["missed"] += 1
            found.breaks("siren", f"{what} was not heard by {by_ms / 1000:.0f} s")
        else:
            if raised is None or raised > by_ms:  # flash took no event of it, or took it later: by what was heard then
                raised = min(
                    (max(t, crossing.t_ms) for t, end in sounds if end >= crossing.t_ms), default=crossing.t_ms
                )
            counted["worst_siren_ms"] = max(counted["worst_siren_ms"], raised - crossing.t_ms)
    _silence(found, place, station, seen, lights, sounds, lines[0] + MARGIN_MM, sample_ms, deaf, until_ms)


def _raised(seen: Seen, crossing: judge.Crossing) -> int | None:
    """When the station's state reached the level: at the crossing if it had before."""
    state = 0
    for t, now in seen.alarms:
        if t >= crossing.t_ms and now >= crossing.level:
            return crossing.t_ms if state >= crossing.level else t
        if t > crossing.t_ms and state >= crossing.level:
            return crossing.t_ms
        state = now
    return None


def _silence(
    found: Found, place: Place, station: Station, seen: Seen, lights: list, sounds: list, line: int, sample_ms: int, deaf: list, until_ms: int
) -> None:  # fmt: skip
    """While the truth stays above the alert the strobe stays on and the siren's pauses are its pattern's."""
    assert place.river is not None
    for begin, end in _above(place.river, line, place.boots_ms, until_ms):
        by_ms = _deadline(begin, sample_ms, station.gone_ms)
        for spoilt, mended in sorted(deaf):  # spells that meet are one, in whatever order they were drawn
            if spoilt <= by_ms and mended > begin - sample_ms:
                by_ms = max(by_ms, _deadline(mended, sample_ms, station.gone_ms))
        for t_from, t_to in _gaps(lights, by_ms, end):
            if not _excused(t_from, t_to, BURST_MS, station, seen, deaf):
                found.breaks(
                    "silence", f"{place.node}: dark from {t_from / 1000:.3f} to {t_to / 1000:.3f} s in alarmed water"
                )
        for t_from, t_to in _gaps(sounds, by_ms, end):
            if not _excused(t_from, t_to, PAUSE_MS, station, seen, deaf):
                found.breaks(
                    "silence", f"{place.node}: silent from {t_from / 1000:.3f} to {t_to / 1000:.3f} s in alarmed water"
                )


def _excused(t_from: int, t_to: int, allowed_ms: int, station: Station, seen: Seen, deaf: list) -> bool:
    """No longer than the pattern's pause; or without power; or silenced by a person; or a reset while the sensor was gone too."""
    dark = [(begin, until + allowed_ms) for begin, until in station.gone_ms if until >= t_from and begin <= t_to]
    for begin, until in dark:
        if any(spoilt <= until and mended > begin for spoilt, mended in deaf):
            return True
    pieces = _gaps(dark, t_from, t_to)
    for t, shelf_s, _ in seen.silenced:
        lasts = shelf_s * _SECOND if shelf_s else ACKNOWLEDGED_MS
        pieces = [piece for begin, end in pieces for piece in _gaps([(t, t + lasts + allowed_ms)], begin, end)]
    return all(end - begin <= allowed_ms for begin, end in pieces)


def _deadline(t_ms: int, sample_ms: int, dark: list[tuple[int, int]]) -> int:
    """By when the siren must sound: a sample and a burst later, and what the station was without power."""
    by_ms = t_ms + sample_ms + BURST_MS
    for begin, until in sorted(dark):
        if begin <= by_ms and until + BURST_MS > t_ms:
            by_ms += until - begin + BURST_MS
    return by_ms


def _is_silenced(seen: Seen, level: int, t_ms: int, by_ms: int, river: River, low_mm: int) -> bool:
    for t, shelf_s, state in seen.silenced:
        if shelf_s:
            if t <= by_ms and t + shelf_s * _SECOND >= t_ms:
                return True
        elif state >= level and t <= by_ms and t_ms - t <= ACKNOWLEDGED_MS and not _calm(river, low_mm, t, t_ms):
            return True
    return False


def _calm(river: River, low_mm: int, from_ms: int, to_ms: int) -> bool:
    """Whether the water was down for an hour between."""
    since = None
    for t in range(from_ms, to_ms, 60_000):
        if river.at(t) >= low_mm:
            since = None
        elif since is None:
            since = t
        elif t - since >= 3_600_000:
            return True
    return False


def _stays(river: River, line: int, from_ms: int, to_ms: int) -> bool:
    return all(river.at(t) >= line for t in range(from_ms, to_ms + 1, _SECOND * 20))


def _above(river: River, line: int, from_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    """Spans in which the truth is at or above the line, to ten seconds."""
    begin = None
    t = from_ms
    while t <= until_ms:
        high = river.at(t) >= line
        if high and begin is None:
            begin = t
        elif not high and begin is not None:
            yield begin, t - 10_000
            begin = None
        corner = river.corner_after(t)
        same = (river.at(corner) >= line) == high
        t = corner if same else t + 10_000
    if begin is not None:
        yield begin, until_ms


def _spans(changes: list[tuple[int, int]], until_ms: int) -> list[tuple[int, int]]:
    """[(on, off)] of an output."""
    found = []
    since = None
    for t, on in changes:
        if on and since is None:
            since = t
        elif not on and since is not None:
            found.append((since, t))
            since = None
    if since is not None:
        found.append((since, until_ms + 1))
    return found


def _gaps(spans: list[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int]]:
    """What of (begin, end) lies in none of the spans."""
    found = []
    for t_from, t_to in sorted(spans):
        if t_from > begin and begin < end:
            found.append((begin, min(t_from, end)))
        begin = max(begin, t_to)
    if begin < end:
        found.append((begin, end))
    return found


def _overlaps(spans: list[tuple[int, int]], begin: int, end: int) -> bool:
    return any(t_from <= end and t_to > begin for t_from, t_to in spans)


# The program and the gateway


def _sizes(found: Found, node: str, seen: Seen) -> None:
    if len(seen.sizes) > 2:
        first, last = seen.sizes[0][1], seen.sizes[-1][1]
        if last > first + GROWTH and last > seen.sizes[1][1] + GROWTH:
            found.breaks("heap", f"{node}: what the program holds grew from {first} to {last}")


def _settled(found: Found, store: SqliteStore, node: str, watch: Watch, made: dict[Key, int]) -> None:
    app = getattr(watch.body(node), "app", None)
    if app is None or app.settings.get(S.POWER_PROFILE):  # asleep, or it talks by the hour
        return
    if app.uplink is None:
        found.breaks("arrives", f"{node}: its storage could not be opened")
        return
    boot = app.logs[0].boot
    for number, stream in enumerate(STREAMS):
        count = made.get((node, stream, boot), 0)
        if count and app.uplink.mark[number] < (boot, count):
            found.breaks(
                "arrives", f"{node}: {stream} are committed to {app.uplink.mark[number]}, made to {(boot, count)}"
            )
    rows = store.rows(
        'SELECT s.revision, s."values" FROM settings_seen s JOIN nodes n ON n.id = s.node_id WHERE n.node = ? ORDER BY s.rowid DESC LIMIT 1',
        (node,),
    )
    if not rows or rows[0][0] != app.settings.revision:
        found.breaks(
            "settings",
            f"{node} runs revision {app.settings.revision}, the gateway shows {rows[0][0] if rows else None}",
        )


def _version(found: Found, store: SqliteStore, node: str, runs: str) -> None:
    """What the gateway shows of a station that is always on."""
    rows = store.rows("SELECT s.version FROM status s JOIN nodes n ON n.id = s.node_id WHERE n.node = ?", (node,))
    if not rows or rows[0][0] != runs:
        found.breaks("slots", f"{node} runs {runs}, the gateway shows {rows[0][0] if rows else None}")
