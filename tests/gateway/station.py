"""A real station on the desk and the gateway's core, with a broker's retained messages between them: what is said is carried by hand."""

from __future__ import annotations

import shutil

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from node.core import settings as S
from tests.core.station_desk import LIFE, STATION, Desk, Storage

NOW_MS = 1_790_000_000_000
ROOT = "waspada/v1/demo/dr01/"


class District:
    """`folder` holds the database. `carry` brings what was said to the other side; `mixed` reorders or repeats what the gateway gets."""

    def __init__(self, folder):
        self.folder = folder
        self.station = Desk(link="up")
        self.station.unix = NOW_MS
        self.boards = 1
        self.heard = 0
        self.retained = {}
        self.lost = []  # messages that came to no station: not retained, and it was away
        self.said = []  # every message of the gateway but `committed`
        self.mixed = lambda messages: messages
        self.open()

    # the gateway

    def open(self):
        self.store = SqliteStore(str(self.folder / "kept.db"))
        self.ingest = Ingest(self.store)
        self.ingest.tell_all()

    @property
    def orders(self):
        return self.ingest.orders

    @property
    def node(self):
        return self.ingest.node_of("demo", "dr01")

    @property
    def now_ms(self):
        return NOW_MS + self.station.t

    def snapshot(self):
        """A copy of the database as it is on disk."""
        self.ingest.flush()
        (self.folder / "copy.db").unlink(missing_ok=True)
        self.store.rows(f"VACUUM INTO '{self.folder / 'copy.db'}'")

    def restart(self, restore=False):
        """The gateway dies, with what it had not kept; the broker brings again what it retains."""
        self.store.close()
        if restore:
            for end in ("-wal", "-shm"):
                (self.folder / f"kept.db{end}").unlink(missing_ok=True)
            shutil.copy(self.folder / "copy.db", self.folder / "kept.db")
        self.open()
        for topic, payload in list(self.retained.items()):
            self.ingest.take(topic, payload, self.now_ms)

    def audit(self, *whats):
        self.ingest.flush()
        rows = self.store.rows("SELECT who, what, setting, old, new, revision, detail FROM audit ORDER BY id")
        return [row for row in rows if not whats or row[1] in whats]

    # what is between

    @property
    def online(self):
        return self.station.broker.mode == "up"

    def carry(self, ms=3000):
        """Time passes; both sides say what they have to say and hear each other."""
        for _ in range(3):
            self.station.run(ms // 3)
            published = self.station.broker.published
            new, self.heard = published[self.heard :], len(published)
            for topic, payload, retain, _ in new:
                if retain:
                    self.retained[topic] = payload
            for topic, payload, *_ in self.mixed(new):
                self.ingest.take(topic, payload, self.now_ms)
            for topic, payload, retain in self.ingest.flush(self.now_ms):
                self._to_the_station(topic, payload, retain)

    def _to_the_station(self, topic, payload, retain):
        name = topic.removeprefix(ROOT)
        if name not in ("committed", "resend"):
            self.said.append((name, payload))
        if retain:
            self.station.broker.retained[topic] = payload
        if self.online and self.station.broker.state() == 2:
            self.station.broker.say(name, payload)
        elif not retain:
            self.lost.append(payload)

    def away(self):
        self.station.broker.mode = "refuses"
        self.station.broker.drop()

    def back(self):
        self.station.broker.mode = "up"

    # the station

    @property
    def runs(self):
        return self.station.app.settings

    def value(self, key):
        return self.runs.get(S.index(key))

    def save(self, **levels):
        """A technician saves; False when the station refuses."""
        app = self.station.app
        try:
            app.settings.staged = {
                S.index("level." + key): S.within(S.ROWS[S.index("level." + key)], mm) for key, mm in levels.items()
            }
            app.orders.keep(app.settings)
        except ValueError:
            app.settings.staged = {}
            return False
        return True

    def reboot(self):
        self.station.boot()

    def replace_board(self):
        """The dead board is swapped: the same station file, an empty flash, another life."""
        self.boards += 1
        life = f"{int(LIFE, 16) + self.boards:08x}"
        self.station.station = {**STATION, "life": life}
        self.station.storage = Storage()
        self.station.boot()

    @property
    def agrees(self):
        """The gateway knows what the station runs, and nothing waits."""
        desk = self.orders.desk(self.node)
        values = {row[0]: self.runs.values[i] for i, row in enumerate(S.ROWS)}
        return desk.desired is None and desk.running == (self.runs.revision, values)

    def settle(self, minutes=16):
        """Everything is well for so long."""
        self.back()
        self.mixed = lambda messages: messages
        for _ in range(minutes):
            self.carry(60_000)
