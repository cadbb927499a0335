"""Where readings are kept: SQLite, one writer, every batch one transaction that is on disk when `commit` returns.

`Store` is what ingest needs of a database; another one (PostgreSQL) only has to offer the same. Records are stored as they were said and never
rewritten, except that `t_ms` of a record made before the clock was known is filled in once its boot's `time_fix` is there. The final flag of a
point is in the `q1` of the next record with that point, so it is joined (view `points_final`), whichever of the two came first.
"""

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

from gateway import ledger

try:
    import fcntl
except ImportError:  # not on Windows, where one gateway per database is the operator's business
    fcntl = None  # type: ignore[assignment]

SCHEMA_VERSION = 1
QUARANTINE_LIMIT = 100_000
QUARANTINED_BYTES = 4096
_BUSY_MS = 250

SCHEMA = """
CREATE TABLE nodes (id INTEGER PRIMARY KEY, district TEXT NOT NULL, node TEXT NOT NULL, UNIQUE (district, node));
-- in the order they were first seen: a node's newest life is its highest id, and the current one while `current` has none
CREATE TABLE lives (id INTEGER PRIMARY KEY, node_id INTEGER NOT NULL, life TEXT NOT NULL, first_ms INTEGER NOT NULL, UNIQUE (node_id, life));
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL, unit TEXT, UNIQUE (name, unit));
-- stream 0 is readings, 1 is event; kind is the first point's name of an event and 0 for readings
CREATE TABLE records (id INTEGER PRIMARY KEY, life_id INTEGER NOT NULL, stream INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
  kind INTEGER NOT NULL, t_ms INTEGER, up_ms INTEGER, received_ms INTEGER NOT NULL, hash INTEGER NOT NULL,
  UNIQUE (life_id, stream, boot, seq));
CREATE INDEX records_by_time ON records (life_id, kind, t_ms);
CREATE INDEX events_by_arrival ON records (received_ms) WHERE stream = 1;
CREATE TABLE points (record_id INTEGER NOT NULL, place INTEGER NOT NULL, name_id INTEGER NOT NULL, v REAL, vs TEXT, q INTEGER, q1 INTEGER,
  PRIMARY KEY (record_id, place)) WITHOUT ROWID;
CREATE TABLE boots (life_id INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL, began_ms INTEGER NOT NULL,
  PRIMARY KEY (life_id, boot)) WITHOUT ROWID;
CREATE TABLE marks (life_id INTEGER NOT NULL, stream INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL, beyond TEXT,
  PRIMARY KEY (life_id, stream)) WITHOUT ROWID;
CREATE TABLE status (node_id INTEGER PRIMARY KEY, life TEXT NOT NULL, boot INTEGER, t_ms INTEGER, state TEXT NOT NULL, version TEXT,
  received_ms INTEGER NOT NULL);
CREATE TABLE settings_seen (node_id INTEGER NOT NULL, received_ms INTEGER NOT NULL, life TEXT NOT NULL, revision INTEGER NOT NULL,
  "values" TEXT NOT NULL);
CREATE INDEX settings_by_node ON settings_seen (node_id);
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, times INTEGER NOT NULL, topic TEXT NOT NULL,
  reason TEXT NOT NULL, size INTEGER NOT NULL, hash INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (topic, hash));
"""

# Made when it is not there: the life whose board said last that it is online. A database from before it begins with what the last status said.
CURRENT = """
CREATE TABLE IF NOT EXISTS current (node_id INTEGER PRIMARY KEY, life_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS standing (node_id INTEGER PRIMARY KEY, told TEXT NOT NULL);
INSERT OR IGNORE INTO current SELECT s.node_id, l.id FROM status s JOIN lives l ON l.node_id = s.node_id AND l.life = s.life WHERE s.state = 'online';
"""

# The final flag of a point is in the next record that carries the point. Records between the two (a station's other sensors have their own)
# must all be there: else the record that would say it may be among the missing.
VIEW = """
CREATE VIEW points_final AS
  SELECT n.district, n.node, l.life, r.stream, r.boot, r.seq, r.t_ms, r.up_ms, r.received_ms, m.name, m.unit, p.v, p.vs,
    CASE WHEN p.v IS NULL THEN p.q ELSE COALESCE((
      SELECT CASE WHEN f.seq = r.seq + 1 OR f.seq - r.seq = (SELECT COUNT(*) FROM records g
        WHERE g.life_id = r.life_id AND g.stream = r.stream AND g.boot = r.boot AND g.seq > r.seq AND g.seq <= f.seq) THEN x.q1 END
      FROM records f JOIN points x ON x.record_id = f.id AND x.name_id = p.name_id
      WHERE f.life_id = r.life_id AND f.stream = r.stream AND f.boot = r.boot AND f.seq BETWEEN r.seq + 1 AND r.seq + 240
      ORDER BY f.seq LIMIT 1), p.q) END AS q,
    r.life_id, r.kind
  FROM records r JOIN points p ON p.record_id = r.id JOIN names m ON m.id = p.name_id
    JOIN lives l ON l.id = r.life_id JOIN nodes n ON n.id = l.node_id;
"""

_RECORD = "INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_POINT = "INSERT INTO points VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
_BOOT = "INSERT INTO boots VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET seq = excluded.seq, began_ms = excluded.began_ms WHERE excluded.seq <= seq"
_DATE = "UPDATE records SET t_ms = up_ms + ? WHERE life_id = ? AND stream IN (0, 1) AND boot = ? AND up_ms IS NOT NULL"
_MARK = "INSERT OR REPLACE INTO marks VALUES (?,?,?,?,?)"
_STATUS = "INSERT OR REPLACE INTO status VALUES (?,?,?,?,?,?,?)"
_CURRENT = "INSERT OR REPLACE INTO current VALUES (?,?)"
_QUARANTINE = "INSERT INTO quarantine VALUES (NULL,?,?,1,?,?,?,?,?) ON CONFLICT DO UPDATE SET times = times + 1, last_ms = excluded.last_ms"
_TRIM = "DELETE FROM quarantine WHERE id <= (SELECT MAX(id) FROM quarantine) - ?"


class StoreError(Exception):
    """One sentence: the database can't be opened, read or written."""


class Record(NamedTuple):
    """A row of `records`."""

    id: int
    life_id: int
    stream: int
    boot: int
    seq: int
    kind: int
    t_ms: int | None
    up_ms: int | None
    received_ms: int
    hash: int


@dataclass(slots=True)
class Batch:
    """What one transaction keeps. Rows are tuples in the tables' order."""

    nodes: list[tuple[Any, ...]] = field(default_factory=list)
    lives: list[tuple[Any, ...]] = field(default_factory=list)
    current: list[tuple[int, int]] = field(default_factory=list)
    names: list[tuple[Any, ...]] = field(default_factory=list)
    records: dict[tuple[int, int, int, int], tuple[Any, ...]] = field(default_factory=dict)
    points: list[tuple[Any, ...]] = field(default_factory=list)
    boots: list[tuple[int, int, int, int]] = field(default_factory=list)
    marks: list[tuple[Any, ...]] = field(default_factory=list)
    status: list[tuple[Any, ...]] = field(default_factory=list)
    standing: list[tuple[int, str]] = field(default_factory=list)
    settings: list[tuple[Any, ...]] = field(default_factory=list)
    quarantine: list[tuple[Any, ...]] = field(default_factory=list)
    entries: ledger.Entries = field(default_factory=ledger.Entries)


@dataclass(slots=True)
class Kept:
    """What ingest must know of what was kept before."""

    nodes: list[tuple[int, str, str]]
    lives: list[tuple[int, int, str]]
    current: list[tuple[int, int]]
    names: list[tuple[int, str, str | None]]
    boots: list[tuple[int, int, int, int]]
    marks: list[tuple[int, int, int, int, str | None]]
    status: list[tuple[int, str]]
    settings: list[tuple[int, str, int, str]]
    last_record: int
    remembered: ledger.Remembered = field(default_factory=ledger.Remembered)


class Store(Protocol):
    """What ingest needs of a database. Every method may raise StoreError; a write or finish that raised has kept nothing."""

    def load(self) -> Kept: ...

    def write(self, batch: Batch) -> None:
        """Begin a transaction and put the batch into it."""

    def finish(self) -> None:
        """Commit it: on disk when this returns. May be called in another thread, one at a time."""

    def hash_of(self, life_id: int, stream: int, boot: int, seq: int) -> int | None: ...


class SqliteStore:
    """`path` may be ":memory:". A second gateway on the same file is refused."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            self._db = connect(path)
            self._prepare()
            self._look = self.connection()  # so that a question never waits for a commit in another thread
        except (sqlite3.Error, StoreError) as error:
            self.release()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"the database {path} can't be opened: {error}") from None

    def _prepare(self) -> None:
        db = self._db
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"the database {self.path} has schema {version}, this program knows {SCHEMA_VERSION}: use a newer waspada"
            )
        if version == 0 and db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            raise StoreError(f"{self.path} is a database of something else: choose another file")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=4000")
        db.execute("PRAGMA journal_size_limit=67108864")
        db.execute("PRAGMA cache_size=-32768")
        if version == 0:
            db.executescript(
                f"BEGIN IMMEDIATE;{SCHEMA}{CURRENT}{ledger.SCHEMA}{VIEW}PRAGMA user_version={SCHEMA_VERSION};COMMIT;"
            )
        else:
            # a view holds nothing: it is made anew; and a file that can't be written is said at the start
            db.executescript(f"BEGIN IMMEDIATE;{CURRENT}{ledger.SCHEMA}DROP VIEW IF EXISTS points_final;{VIEW}COMMIT;")

    def load(self) -> Kept:
        def rows(sql: str) -> list[Any]:
            return self._db.execute(sql).fetchall()

        try:
            return Kept(
                nodes=rows("SELECT id, district, node FROM nodes ORDER BY id"),
                lives=rows("SELECT id, node_id, life FROM lives ORDER BY id"),
                current=rows("SELECT node_id, life_id FROM current"),
                names=rows("SELECT id, name, unit FROM names"),
                boots=rows("SELECT life_id, boot, seq, began_ms FROM boots"),
                marks=rows("SELECT life_id, stream, boot, seq, beyond FROM marks"),
                status=rows("SELECT node_id, state FROM status"),
                settings=rows(
                    'SELECT node_id, life, revision, "values" FROM settings_seen '
                    "WHERE rowid IN (SELECT MAX(rowid) FROM settings_seen GROUP BY node_id)"
                ),
                last_record=rows("SELECT COALESCE(MAX(id), 0) FROM records")[0][0],
                remembered=ledger.load(self._db),
            )
        except sqlite3.Error as error:
            raise StoreError(f"the database {self.path} can't be read: {error}") from None

    def commit(self, batch: Batch) -> None:
        self.write(batch)
        self.finish()

    def write(self, batch: Batch) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._insert(batch)
        except sqlite3.Error as error:
            self._undo(error)

    def finish(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo(error)

    def _undo(self, error: sqlite3.Error) -> NoReturn:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        raise StoreError(f"the database {self.path} can't be written: {error}") from None

    def _insert(self, batch: Batch) -> None:
        many = self._db.executemany
        many("INSERT INTO nodes VALUES (?,?,?)", batch.nodes)
        many("INSERT INTO lives VALUES (?,?,?,?)", batch.lives)
        many(_CURRENT, batch.current)
        many("INSERT INTO names VALUES (?,?,?)", batch.names)
        many(_RECORD, batch.records.values())
        many(_POINT, batch.points)
        many(_BOOT, batch.boots)
        many(_DATE, [(began_ms, life_id, boot) for life_id, boot, _, began_ms in batch.boots])
        many(_MARK, batch.marks)
        many(_STATUS, batch.status)
        many("INSERT OR REPLACE INTO standing VALUES (?,?)", batch.standing)
        many("INSERT INTO settings_seen VALUES (?,?,?,?,?)", batch.settings)
        ledger.insert(self._db, batch.entries)
        if batch.quarantine:
            many(_QUARANTINE, batch.quarantine)
            self._db.execute(_TRIM, (QUARANTINE_LIMIT,))

    def hash_of(self, life_id: int, stream: int, boot: int, seq: int) -> int | None:
        try:
            found = self._look.execute(
                "SELECT hash FROM records WHERE life_id = ? AND stream = ? AND boot = ? AND seq = ?",
                (life_id, stream, boot, seq),
            ).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"the database {self.path} can't be read: {error}") from None
        return found[0] if found else None

    def rows(self, sql: str, values: Iterable[Any] = ()) -> list[Any]:
        """A question in SQL, for reports and tests."""
        return self._db.execute(sql, tuple(values)).fetchall()

    def connection(self) -> sqlite3.Connection:
        """For reading: its own connection to a file, this one in memory."""
        return self._db if self.path == ":memory:" else connect(self.path)

    def close(self) -> None:
        self._look.close()
        self._db.close()
        self.release()

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def connect(path: str) -> sqlite3.Connection:
    """Autocommit, so that BEGIN and COMMIT stand where they are meant; waits only briefly for others."""
    return sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)


def _lock(path: str) -> int | None:
    """Marks the database as ours until this process ends, however it ends."""
    if path == ":memory:" or fcntl is None:
        return None
    if not Path(path).resolve().parent.is_dir():
        raise StoreError(f"the database {path} can't be made: its folder does not exist")
    try:
        descriptor = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(f"the database {path} can't be opened: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreError(
            f"the database {path} is in use by another gateway: stop that one, or choose another file"
        ) from None
    return descriptor
