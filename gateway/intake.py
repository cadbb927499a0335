"""Joins the connections to the ingest core: when to commit, when to acknowledge, what to do while the database can't be written.

A commit comes after an event at once; after readings when half as many wait as the broker sends without an acknowledgement (the other half is on
its way meanwhile), when none has come for a few milliseconds (a broker that sends fewer than we were told
has fallen silent), or when the first has waited `flush_ms`.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.config import Config
from gateway.connection import Connection
from gateway.ingest import Ingest
from gateway.store import StoreError
from gateway.tls import context
from gateway.updates import Updates

QUIET_S = 0.005
RETRY_S = 1.0
TICK_S = 0.25
WAITING_LIMIT = 10_000


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Intake:
    """Two connections, so that no backlog of readings delays an event. `on_change` is told of commits and of trouble."""

    def __init__(self, ingest: Ingest, config: Config, on_change: Callable[[], None] = lambda: None) -> None:
        self.ingest = ingest
        self.trouble: str | None = None  # of the database
        self.on_change = on_change
        self._inflight = max(1, config.broker.inflight // 2)
        self._flush_s = config.broker.flush_ms / 1000
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, "commit")
        self._committing: asyncio.Future[None] | None = None
        self._sealed: list[tuple[Connection, list[int], int]] = []  # what the batch being committed acknowledges
        self._closing = False
        self._first_at = 0.0
        self._last_at = 0.0
        district = config.district or "+"
        self.readings = self._connection(
            config, "readings", f"waspada/v1/{district}/+/", ("readings", "status", "settings", "reply")
        )
        folder = config.updates.folder
        self.updates = Updates(Path(folder)) if folder is not None else None
        asked = ("want",) if self.updates else ()
        self.event = self._connection(config, "event", f"waspada/v1/{district}/+/", ("event", *asked))

    def _connection(self, config: Config, name: str, root: str, names: tuple[str, ...]) -> Connection:
        broker = config.broker
        return Connection(
            self,
            (broker.host, broker.port),
            f"gateway-{config.name}-{name}",
            tuple(root + topic for topic in names),
            broker.keepalive_s,
            broker.user,
            broker.password,
            context(broker.tls) if broker.tls is not None else None,
        )

    async def run(self) -> None:
        """Until cancelled: connections up, nodes told."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.readings.run())
            group.create_task(self.event.run())
            group.create_task(self._tell())

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self.ingest.orders.waits and self.trouble is None:
                self.flush()
            if self.readings.up:
                for message in self.ingest.due(wall_ms()):
                    self.readings.publish(*message)

    # What the connections tell

    def take(self, connection: Connection, topic: str, payload: bytes) -> None:
        if self.updates is not None and topic.endswith("/want"):
            part = self.updates.answer(topic, payload)
            if part is not None:
                connection.publish(*part, retain=False)
            return
        self.ingest.take(topic, payload, wall_ms())

    def arrived(self, connection: Connection) -> None:
        waiting = self.ingest.waiting
        if not waiting:
            return
        if self.trouble is None and (connection is self.event or len(connection.to_acknowledge) >= self._inflight):
            self.flush()
            return
        self._last_at = time.monotonic()
        if self._timer is None and self._committing is None:
            self._first_at = self._last_at
            self._arm(QUIET_S)
        if waiting >= WAITING_LIMIT:
            self._pause(True)

    def opened(self, connection: Connection) -> None:
        if connection is self.readings:
            self.ingest.tell_all()

    def changed(self) -> None:
        self.on_change()

    # Keeping

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        if self.trouble is not None or now - self._last_at >= QUIET_S or now - self._first_at >= self._flush_s:
            self.flush()
        else:
            self._arm(QUIET_S)

    def flush(self) -> None:
        """Write the batch here and commit it in a thread, so that a slow disk delays nobody; then acknowledge. Messages go on coming meanwhile."""
        if self._committing is not None:
            return
        self._disarm()
        fresh = self.ingest.sealed is None
        batch = self.ingest.seal()
        if batch is None:
            return
        if fresh:
            self._sealed = [(c, c.to_acknowledge, len(c.to_acknowledge)) for c in (self.readings, self.event)]
        try:
            self.ingest.store.write(batch)
        except StoreError as error:
            self._failed(error)
            return
        self._committing = asyncio.get_running_loop().run_in_executor(self._thread, self.ingest.store.finish)
        self._committing.add_done_callback(self._finished)

    async def keep_now(self) -> None:
        """Returns when the orders that were taken are on disk, or the database is in trouble."""
        while self.ingest.orders.waits or self._committing is not None:
            self.flush()
            if self._committing is None:
                return
            await asyncio.wait([self._committing])
            await asyncio.sleep(0)  # its callback comes first

    def _finished(self, commit: "asyncio.Future[None]") -> None:
        self._committing = None
        try:
            commit.result()
        except StoreError as error:
            self._failed(error)
            return
        self.ingest.kept()
        for connection, taken, count in self._sealed:
            connection.acknowledge(taken, count)
        self.trouble = None
        self._pause(False)
        self.on_change()
        if self.ingest.waiting and not self._closing:
            self.arrived(self.event if self.event.to_acknowledge else self.readings)

    def _failed(self, error: StoreError) -> None:
        """Nothing is acknowledged, and the same batch is tried again."""
        self.trouble = str(error)
        self._pause(True)
        if not self._closing:
            self._arm(RETRY_S)
        self.on_change()

    async def close(self) -> None:
        """Commit and acknowledge what was taken, if the database lets it."""
        self._closing = True
        self._disarm()
        for _ in range(3):  # what is being committed, then what has come since
            self.flush()
            if self._committing is not None:
                await asyncio.wait([self._committing])
                await asyncio.sleep(0)
        self._thread.shutdown()

    def _arm(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pause(self, paused: bool) -> None:
        self.readings.pause(paused)
        self.event.pause(paused)
