"""Joins the connections to the ingest core: when to commit, when to acknowledge, what to do while the database can't be written.

A commit comes after an event at once; after readings when half as many wait as the broker sends without an acknowledgement (the other half is on
its way meanwhile: measured 0.70 of mosquitto_sub against 0.56), when none has come for a few milliseconds (a broker that sends fewer than we were told
has fallen silent), or when the first has waited `flush_ms`.
"""

import asyncio
import time
from collections.abc import Callable

from gateway.config import Config
from gateway.connection import Connection
from gateway.ingest import Ingest
from gateway.store import StoreError

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
        self._first_at = 0.0
        self._last_at = 0.0
        district = config.district or "+"
        self.readings = self._connection(
            config, "readings", f"waspada/v1/{district}/+/", ("readings", "status", "settings")
        )
        self.event = self._connection(config, "event", f"waspada/v1/{district}/+/", ("event",))

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
            if self.readings.up:
                for message in self.ingest.due(wall_ms()):
                    self.readings.publish(*message)

    # What the connections tell

    def take(self, connection: Connection, topic: str, payload: bytes) -> None:
        self.ingest.take(topic, payload, wall_ms())

    def arrived(self, connection: Connection) -> None:
        waiting = self.ingest.waiting
        if not waiting:
            return
        if self.trouble is None and (connection is self.event or len(connection.to_acknowledge) >= self._inflight):
            self.flush()
            return
        self._last_at = time.monotonic()
        if self._timer is None:
            self._first_at = self._last_at
            self._timer = asyncio.get_running_loop().call_later(QUIET_S, self._look)
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
            self._timer = asyncio.get_running_loop().call_later(QUIET_S, self._look)

    def flush(self) -> bool:
        """Commit, then acknowledge. A database that can't be written is tried again, and nothing is acknowledged until then."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            self.ingest.flush()
        except StoreError as error:
            self.trouble = str(error)
            self._pause(True)
            self._timer = asyncio.get_running_loop().call_later(RETRY_S, self._look)
            self.on_change()
            return False
        self.readings.acknowledge()
        self.event.acknowledge()
        self._pause(False)
        self.trouble = None
        self.on_change()
        return True

    def _pause(self, paused: bool) -> None:
        self.readings.pause(paused)
        self.event.pause(paused)
