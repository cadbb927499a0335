"""What the database says of the stations, for page and API: questions only, on a connection of its own."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway import series
from gateway.quantities import SUMMED, TREND, main_of, usable
from gateway.store import StoreError
from gateway.wire import WORDS, split
from node.core.measurements import STATES

TREND_MS = 30 * 60_000
EVENTS_LIMIT = 500
# events that hold until the next of their kind, within a boot
LASTING = ("alarm", "rise_alarm", "storage", "fouling", "calibration", "season", "siren")
LOOK_BACK = 240  # records in which each of a station's kinds of record is looked for: a gauge and its other sensors have their own
FAULTS_LIMIT = 200  # newest sensor events of a boot
ALARM_POINTS = ("alarm", "alarm_from", "limit", "rise")  # of an alarm event, besides the quantity that made it


@dataclass(slots=True)
class Facts:
    """One station as the database has it. Times are milliseconds since 1970, None when not known."""

    district: str
    node: str
    life: str | None = None
    t_ms: int | None = None
    received_ms: int | None = None
    points: dict[str, dict[str, Any]] = field(default_factory=dict)  # newest of each: name -> v, vs, q, unit, t_ms
    main: str | None = None  # key of the quantity the station is shown by
    alarm: str | None = None  # None while nothing is known
    cause: str | None = None  # name of the quantity that made the alarm
    alarm_since_ms: int | None = None
    lasting: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)  # "level", "battery" or a sensor's number -> reason
    slope_h: float | None = None  # change of the main quantity in an hour
    rain_mm: dict[int, float] = field(default_factory=dict)  # hours -> sum
    status: str | None = None
    status_ms: int | None = None
    version: str | None = None
    standing: dict[str, float | str] = field(default_factory=dict)  # what its status says besides
    limits: dict[str, dict[str, float]] = field(default_factory=dict)  # key -> alert, warning, danger -> value
    revision: int | None = None


class Reading:
    """Questions about what is kept."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def _rows(self, sql: str, values: Iterable[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the database can't be read: {error}") from None

    def nodes(self) -> list[tuple[str, str]]:
        """(district, node) of all that ever said something."""
        return [(d, n) for d, n in self._rows("SELECT district, node FROM nodes ORDER BY district, node")]

    def counts(self) -> dict[str, int]:
        """Rows of the tables a person asks for."""
        return {
            table: self._rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("records", "quarantine", "nodes")
        }

    def facts(self, district: str, node: str) -> Facts | None:
        """The station now, or None if there is none of that name."""
        found = self._rows("SELECT id FROM nodes WHERE district = ? AND node = ?", (district, node))
        if not found:
            return None
        facts = Facts(district, node)
        node_id = found[0][0]
        self._retained(facts, node_id)
        life = self._rows(
            "SELECT id, life FROM lives WHERE node_id = ? "
            "ORDER BY id = (SELECT life_id FROM current WHERE node_id = ?) DESC, id DESC LIMIT 1",
            (node_id, node_id),
        )
        if life:
            life_id, facts.life = life[0]
            self._newest(facts, life_id)
            self._lasting(facts, life_id)
            self._faults(facts, life_id)
            facts.main = main_of(facts.points, facts.cause if facts.alarm != STATES[0] else None)
            self._trend(facts, life_id)
        return facts

    def _retained(self, facts: Facts, node_id: int) -> None:
        for state, t_ms, version, received_ms in self._rows(
            "SELECT state, t_ms, version, received_ms FROM status WHERE node_id = ?", (node_id,)
        ):
            facts.status, facts.status_ms, facts.version = state, t_ms or received_ms, version
        for (told,) in self._rows("SELECT told FROM standing WHERE node_id = ?", (node_id,)):
            facts.standing = json.loads(told)
        for revision, values in self._rows(
            'SELECT revision, "values" FROM settings_seen WHERE node_id = ? ORDER BY rowid DESC LIMIT 1', (node_id,)
        ):
            facts.revision = revision
            for setting, value in json.loads(values).items():
                key, _, name = setting.rpartition(".")
                if name in STATES[1:]:
                    facts.limits.setdefault(key, {})[name] = value

    def _newest(self, facts: Facts, life_id: int) -> None:
        """The newest by the node's own order: a late one never takes its place. Records that begin with another point are of another kind."""
        newest = self._rows(
            "SELECT r.id, r.t_ms, r.received_ms, p.name_id FROM records r JOIN points p ON p.record_id = r.id AND p.place = 0 "
            "WHERE r.life_id = ? AND r.stream = 0 ORDER BY r.boot DESC, r.seq DESC LIMIT ?",
            (life_id, LOOK_BACK),
        )
        if not newest:
            return
        facts.t_ms, facts.received_ms = newest[0][1:3]
        seen = set()
        for record_id, t_ms, _, kind in newest:
            if kind in seen:
                continue
            seen.add(kind)
            for name, unit, v, vs, q in self._rows(
                "SELECT m.name, m.unit, p.v, p.vs, p.q FROM points p JOIN names m ON m.id = p.name_id WHERE record_id = ? ORDER BY place",
                (record_id,),
            ):
                facts.points.setdefault(name, {"unit": unit, "v": v, "vs": vs, "q": q, "t_ms": t_ms})

    def _trend(self, facts: Facts, life_id: int) -> None:
        """How fast the main quantity changes, and how much rain fell."""
        if facts.t_ms is None:
            return
        good = "SELECT t_ms, v FROM points_final WHERE life_id = ? AND kind = 0 AND t_ms > ? AND name = ? AND q IN (1, 2, 3) ORDER BY t_ms"
        if facts.main in TREND:
            facts.slope_h = series.slope(self._rows(good, (life_id, facts.t_ms - TREND_MS, facts.main)))
        if "rain" in facts.points:
            rows = self._rows(good, (life_id, facts.t_ms - 86_400_000, "rain"))
            for hours in (1, 24):
                facts.rain_mm[hours] = sum(v for t, v in rows if t > facts.t_ms - hours * 3_600_000)

    def _faults(self, facts: Facts, life_id: int) -> None:
        """What each sensor said last in this boot: the level's, the battery's, or one of the others by its number."""
        named = "(SELECT {} FROM points x JOIN names m ON m.id = x.name_id WHERE x.record_id = r.id AND m.name = '{}' LIMIT 1)"
        columns = (
            named.format("x.vs", "sensor_of"),
            named.format("x.v", "sensor_number"),
            named.format("x.vs", "reason"),
        )
        rows = self._rows(
            f"SELECT p.vs, {', '.join(columns)} FROM records r JOIN points p ON p.record_id = r.id AND p.place = 0 "
            "WHERE r.life_id = ? AND r.stream = 1 AND r.kind IN (SELECT id FROM names WHERE name = 'sensor') "
            "AND r.boot = (SELECT MAX(boot) FROM records WHERE life_id = r.life_id AND stream IN (0, 1)) ORDER BY r.seq DESC LIMIT ?",
            (life_id, FAULTS_LIMIT),
        )
        seen = set()
        for state, of, number, reason in rows:
            who = of or ("level" if number is None else f"{number:.0f}")
            if who not in seen and state == "fault":
                facts.faults[who] = reason or ""
            seen.add(who)

    def _lasting(self, facts: Facts, life_id: int) -> None:
        boot = self._rows("SELECT MAX(boot) FROM records WHERE life_id = ? AND stream IN (0, 1)", (life_id,))[0][0]
        for name in LASTING:
            newest = self._rows(
                "SELECT r.boot, r.t_ms, r.received_ms, COALESCE(p.vs, CAST(p.v AS INTEGER)), r.id "
                "FROM records r JOIN points p ON p.record_id = r.id AND p.place = 0 "
                "WHERE r.life_id = ? AND r.stream = 1 AND r.kind IN (SELECT id FROM names WHERE name = ?) "
                "ORDER BY r.boot DESC, r.seq DESC LIMIT 1",
                (life_id, name),
            )
            if newest and (newest[0][0] == boot or (name == "alarm" and not self._back_to_normal(facts))):
                facts.lasting[name] = str(newest[0][3])
                if name == "alarm":
                    facts.alarm_since_ms = newest[0][1] if newest[0][1] is not None else newest[0][2]
                    facts.cause = self._cause(newest[0][4])
        told = facts.lasting.get("alarm")
        if facts.lasting.get("season", "0") != "0":
            facts.limits.pop("level", None)  # the season's own lines are in force, and they are not said
        facts.alarm = told if told in STATES else "normal" if facts.points else None

    def _cause(self, record_id: int) -> str | None:
        names = self._rows(
            "SELECT m.name FROM points p JOIN names m ON m.id = p.name_id WHERE record_id = ? ORDER BY place",
            (record_id,),
        )
        return next((name for (name,) in names if name not in ALARM_POINTS and not name.startswith("new:")), None)

    @staticmethod
    def _back_to_normal(facts: Facts) -> bool:
        """An alarm of an earlier boot: a restarted station begins at normal and says nothing while all it watches is below the first line."""
        watched = [(point, limits_of(facts, name).get("alert")) for name, point in facts.points.items()]
        return all(usable(point) and point["v"] < alert for point, alert in watched if alert is not None) and any(
            alert is not None for _, alert in watched
        )

    def _of_kind(self, key: str) -> list[str]:
        """All of a kind that any station measured: `panel_power`, `panel_power:2`, ... in order."""
        found = self._rows("SELECT DISTINCT name FROM names WHERE name = ? OR name GLOB ?", (key, f"{key}:[0-9]*"))
        same = sorted((split(name)[1], name) for (name,) in found if split(name)[0] == key)
        return [name for _, name in same]

    def _columns(
        self, station: tuple[str, str], names: list[str], span: tuple[int, int]
    ) -> dict[str, list[tuple[int, float | None, int, str | None]]]:
        """name -> (t_ms, v, q, vs) with final flags, by the time of the reading, over all lives."""
        rows = self._rows(
            "SELECT p.name, p.t_ms, p.v, p.q, p.vs FROM points_final p WHERE p.life_id IN "
            "(SELECT l.id FROM lives l JOIN nodes n ON n.id = l.node_id WHERE n.district = ? AND n.node = ?) "
            f"AND p.kind = 0 AND p.stream = 0 AND p.name IN ({','.join('?' * len(names))}) AND p.t_ms BETWEEN ? AND ? ORDER BY p.t_ms",
            (*station, *names, *span),
        )
        columns: dict[str, Any] = {name: [] for name in names}
        for name, *row in rows:
            columns[name].append(tuple(row))
        return {name: found for name, found in columns.items() if found}

    def series(self, district: str, node: str, name: str, from_ms: int, to_ms: int, now_ms: int) -> dict[str, Any]:
        """Columns of a quantity: times, and v and q of the one named, and of the others of its kind in `more`. A word's are its changes."""
        key, instance = split(name)
        names = [name] if instance > 1 or key in WORDS else list({name: 0} | dict.fromkeys(self._of_kind(key), 0))
        columns = self._columns((district, node), names, (from_ms, to_ms))
        if key in WORDS:
            said = series.words((t, vs, q) for t, _, q, vs in columns.get(name, []))
            return {"t_ms": [r[0] for r in said], "vs": [r[1] for r in said], "q": [r[2] for r in said], "more": []}
        numbers: dict[str, list[series.Row]] = {name: []} | {n: [r[:3] for r in rows] for n, rows in columns.items()}
        about: dict[str, Any] = {}
        if key in SUMMED:
            about["stretch_ms"] = series.stretch_ms(from_ms, min(to_ms, now_ms))
            numbers = {n: series.summed(rows, about["stretch_ms"]) for n, rows in numbers.items()}
        times, found = series.side_by_side(numbers)
        told = [{"name": n, "v": [v for v, _ in rows], "q": [q for _, q in rows]} for n, rows in found.items()]
        return {**told[0], "t_ms": times, "more": told[1:], **about}

    def events(self, limit: int, district: str | None = None, node: str | None = None) -> list[dict[str, Any]]:
        """The newest events, by time; one whose boot has no time yet stands where it arrived."""
        where = "r.stream = 1"
        values: list[Any] = []
        if node is not None:
            where += " AND r.life_id IN (SELECT l.id FROM lives l JOIN nodes n ON n.id = l.node_id WHERE n.node = ?"
            values.append(node)
            if district is not None:
                where += " AND n.district = ?"
                values.append(district)
            where += ")"
        found = self._rows(
            "SELECT r.id, n.district, n.node, r.boot, r.seq, r.t_ms, r.received_ms FROM records r JOIN lives l ON l.id = r.life_id "
            f"JOIN nodes n ON n.id = l.node_id WHERE {where} ORDER BY r.received_ms DESC, r.id DESC LIMIT ?",
            (*values, min(limit, EVENTS_LIMIT)),
        )
        events = []
        for record_id, *row in found:
            points = self._rows(
                "SELECT m.name, m.unit, p.v, p.vs FROM points p JOIN names m ON m.id = p.name_id WHERE record_id = ? ORDER BY place",
                (record_id,),
            )
            event = dict(zip(("district", "node", "boot", "seq", "t_ms", "received_ms"), row, strict=True))
            event["kind"] = points[0][0] if points else ""
            event["points"] = [{"name": n, "unit": u, "v": v, "vs": vs} for n, u, v, vs in points]
            events.append(event)
        events.sort(key=lambda e: e["t_ms"] if e["t_ms"] is not None else e["received_ms"], reverse=True)
        return events


def limits_of(facts: Facts, name: str) -> dict[str, float]:
    """The lines of a point's quantity, empty when it has none."""
    return facts.limits.get(split(name)[0], {})
