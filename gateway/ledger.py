"""The tables of orders and of the audit: who wanted what of which station, and what became of it."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

RECENT = 50  # of a node's orders, in memory

# Made when they are not there, as `current` is. `number` is a command's counter or the revision of desired settings; `body` is what the command
# was given, or the settings as text; `boards`: the life whose settings are the station's. In the audit `who` is a person, the gateway, or how
# the station was told (console).
SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, node_id INTEGER NOT NULL, life TEXT NOT NULL, "do" TEXT NOT NULL, number INTEGER NOT NULL,
  body TEXT NOT NULL, sender TEXT NOT NULL, at_ms INTEGER NOT NULL, expires_s INTEGER, state TEXT NOT NULL, why TEXT NOT NULL, ended_ms INTEGER);
CREATE INDEX IF NOT EXISTS orders_by_node ON orders (node_id);
CREATE TABLE IF NOT EXISTS boards (node_id INTEGER PRIMARY KEY, life TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, node_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
  setting TEXT, old TEXT, new TEXT, revision INTEGER, order_id INTEGER, detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audit_by_node ON audit (node_id);
"""

_ORDER = "INSERT OR REPLACE INTO orders VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_BOARD = "INSERT OR REPLACE INTO boards VALUES (?,?)"
_AUDIT = "INSERT INTO audit VALUES (NULL,?,?,?,?,?,?,?,?,?,?)"


@dataclass(slots=True)
class Entries:
    """What one transaction keeps."""

    orders: list[tuple[Any, ...]] = field(default_factory=list)
    boards: list[tuple[int, str]] = field(default_factory=list)
    audit: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(slots=True)
class Remembered:
    """What was kept before: a node's newest orders and all that wait, the highest number of each kind, what each board said it runs."""

    orders: list[tuple[Any, ...]] = field(default_factory=list)
    last_order: int = 0
    highest: list[tuple[int, str, int, int]] = field(
        default_factory=list
    )  # node_id, life, 1: settings 0: commands, number
    boards: list[tuple[int, str]] = field(default_factory=list)
    runs: list[tuple[int, str, int, int, str]] = field(
        default_factory=list
    )  # node_id, life, highest and newest revision, values


def insert(db: sqlite3.Connection, entries: Entries) -> None:
    db.executemany(_ORDER, entries.orders)
    db.executemany(_BOARD, entries.boards)
    db.executemany(_AUDIT, entries.audit)


def load(db: sqlite3.Connection) -> Remembered:
    def rows(sql: str) -> list[Any]:
        return db.execute(sql).fetchall()

    return Remembered(
        orders=rows(
            "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY node_id ORDER BY id DESC) AS place FROM orders) "
            f"WHERE place <= {RECENT} OR state = 'waiting' ORDER BY id"
        ),
        last_order=rows("SELECT COALESCE(MAX(id), 0) FROM orders")[0][0],
        highest=rows("SELECT node_id, life, \"do\" = 'set', MAX(number) FROM orders GROUP BY 1, 2, 3"),
        boards=rows("SELECT node_id, life FROM boards"),
        runs=rows(
            'SELECT s.node_id, s.life, g.highest, s.revision, s."values" FROM settings_seen s JOIN '
            "(SELECT MAX(rowid) AS newest, MAX(revision) AS highest FROM settings_seen GROUP BY node_id, life) g ON s.rowid = g.newest "
            "ORDER BY s.rowid"
        ),
    )


def audit(db: sqlite3.Connection, station: tuple[str, str] | None, limit: int) -> list[dict[str, Any]]:
    """The newest entries of a station, or of all."""
    where = "WHERE n.district = ? AND n.node = ?" if station else ""
    names = ("district", "node", "at_ms", "who", "what", "setting", "old", "new", "revision", "detail")
    found = db.execute(
        "SELECT n.district, n.node, a.at_ms, a.who, a.what, a.setting, a.old, a.new, a.revision, a.detail FROM audit a "
        f"JOIN nodes n ON n.id = a.node_id {where} ORDER BY a.id DESC LIMIT ?",
        (*(station or ()), limit),
    )
    return [dict(zip(names, row, strict=True)) for row in found]
