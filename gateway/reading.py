"""What the database says of the stations, for page and API: questions only, on a connection of its own."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.store import StoreError
from node.core.measurements import STATES

TREND_MS = 30 * 60_000
SERIES_LIMIT = (
    4000  # points of a series; more are thinned, keeping the lowest, the highest and every doubtful one of each stretch
)
EVENTS_LIMIT = 500
LASTING = ("alarm", "rise_alarm", "sensor", "storage")  # events that hold until the next of their kind, within a boot
GOOD = (1, 2, 3)


@dataclass(slots=True)
class Facts:
    """One station as the database has it. Times are milliseconds since 1970, None when not known."""

    district: str
    node: str
    life: str | None = None
    t_ms: int | None = None
    received_ms: int | None = None
    points: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the newest reading: name -> v, vs, q, unit
    alarm: str | None = None  # None while nothing is known
    alarm_since_ms: int | None = None
    lasting: dict[str, str] = field(default_factory=dict)
    rise_m_h: float | None = None
    status: str | None = None
    status_ms: int | None = None
    version: str | None = None
    lines: dict[str, float] = field(default_factory=dict)  # alert, warning, danger -> m
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
        life = self._rows("SELECT id, life FROM lives WHERE node_id = ? ORDER BY id DESC LIMIT 1", (node_id,))
        if life:
            life_id, facts.life = life[0]
            self._newest(facts, life_id)
            self._lasting(facts, life_id)
        return facts

    def _retained(self, facts: Facts, node_id: int) -> None:
        for state, t_ms, version, received_ms in self._rows(
            "SELECT state, t_ms, version, received_ms FROM status WHERE node_id = ?", (node_id,)
        ):
            facts.status, facts.status_ms, facts.version = state, t_ms or received_ms, version
        for revision, values in self._rows(
            'SELECT revision, "values" FROM settings_seen WHERE node_id = ? ORDER BY rowid DESC LIMIT 1', (node_id,)
        ):
            facts.revision = revision
            settings = json.loads(values)
            facts.lines = {name: settings[f"level.{name}"] for name in STATES[1:] if f"level.{name}" in settings}

    def _newest(self, facts: Facts, life_id: int) -> None:
        """The newest reading by the node's own order: a late one never takes its place."""
        newest = self._rows(
            "SELECT id, t_ms, received_ms FROM records WHERE life_id = ? AND stream = 0 ORDER BY boot DESC, seq DESC LIMIT 1",
            (life_id,),
        )
        if not newest:
            return
        record_id, facts.t_ms, facts.received_ms = newest[0]
        for name, unit, v, vs, q in self._rows(
            "SELECT m.name, m.unit, p.v, p.vs, p.q FROM points p JOIN names m ON m.id = p.name_id WHERE record_id = ? ORDER BY place",
            (record_id,),
        ):
            facts.points[name] = {"unit": unit, "v": v, "vs": vs, "q": q}
        if facts.t_ms is not None:
            rows = self._rows(
                "SELECT t_ms, v FROM points_final WHERE life_id = ? AND kind = 0 AND t_ms > ? AND name = 'level' AND q IN (1, 2, 3) ORDER BY t_ms",
                (life_id, facts.t_ms - TREND_MS),
            )
            facts.rise_m_h = slope(rows)

    def _lasting(self, facts: Facts, life_id: int) -> None:
        boot = self._rows("SELECT MAX(boot) FROM records WHERE life_id = ? AND stream IN (0, 1)", (life_id,))[0][0]
        for name in LASTING:
            newest = self._rows(
                "SELECT r.boot, r.t_ms, r.received_ms, p.vs FROM records r JOIN points p ON p.record_id = r.id AND p.place = 0 "
                "WHERE r.life_id = ? AND r.stream = 1 AND r.kind IN (SELECT id FROM names WHERE name = ?) "
                "ORDER BY r.boot DESC, r.seq DESC LIMIT 1",
                (life_id, name),
            )
            if newest and (newest[0][0] == boot or (name == "alarm" and not self._back_to_normal(facts))):
                facts.lasting[name] = newest[0][3]
                if name == "alarm":
                    facts.alarm_since_ms = newest[0][1] if newest[0][1] is not None else newest[0][2]
        told = facts.lasting.get("alarm")
        facts.alarm = told if told in STATES else "normal" if facts.points else None

    @staticmethod
    def _back_to_normal(facts: Facts) -> bool:
        """An alarm of an earlier boot: a restarted station begins at normal and says nothing while the water is below its first line."""
        level = facts.points.get("level", {})
        return level.get("q") in GOOD and level["v"] < facts.lines.get("alert", float("-inf"))

    def series(
        self, district: str, node: str, name: str, from_ms: int, to_ms: int
    ) -> list[tuple[int, float | None, int]]:
        """(t_ms, v, q) with final flags, by the time of the reading, over all lives; thinned when there are too many."""
        rows = self._rows(
            "SELECT p.t_ms, p.v, p.q FROM points_final p WHERE p.life_id IN "
            "(SELECT l.id FROM lives l JOIN nodes n ON n.id = l.node_id WHERE n.district = ? AND n.node = ?) "
            "AND p.kind = 0 AND p.stream = 0 AND p.name = ? AND p.t_ms BETWEEN ? AND ? ORDER BY p.t_ms",
            (district, node, name, from_ms, to_ms),
        )
        return thinned(rows)

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


def slope(rows: list[tuple[int, float]]) -> float | None:
    """Metres an hour of the straight line through (t_ms, m); None below three readings or five minutes."""
    if len(rows) < 3 or rows[-1][0] - rows[0][0] < 300_000:
        return None
    hours = [(t - rows[0][0]) / 3_600_000 for t, _ in rows]
    middle = sum(hours) / len(hours)
    level = sum(v for _, v in rows) / len(rows)
    spread = sum((h - middle) ** 2 for h in hours)
    return sum((h - middle) * (v - level) for h, (_, v) in zip(hours, rows, strict=True)) / spread if spread else None


def thinned(rows: list[tuple[int, float | None, int]]) -> list[tuple[int, float | None, int]]:
    """At most about SERIES_LIMIT rows: of each stretch the lowest, the highest and all that are not good, in order. A peak is never lost."""
    if len(rows) <= SERIES_LIMIT:
        return rows
    size = -(-2 * len(rows) // SERIES_LIMIT)
    kept = []
    for at in range(0, len(rows), size):
        stretch = rows[at : at + size]
        good = [row for row in stretch if row[1] is not None and row[2] in (1, 2)]
        chosen = {min(good, key=_level), max(good, key=_level)} if good else set()
        kept += [row for row in stretch if row in chosen or row not in good]
    return kept


def _level(row: tuple[int, float | None, int]) -> float:
    assert row[1] is not None
    return row[1]
