"""The gateway in a simulated district: its own ingest core on SQLite in memory, fed by the in-memory broker.

It commits on a fixed grid of virtual time, not by how much has come, so what one station sees does not depend on how many others there are.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from gateway.wire import NAMES
from simulator.agenda import Moment
from simulator.broker import Broker

EVENT_MS = 1000


class IngestCore(Protocol):
    """What is used of gateway.ingest.Ingest."""

    def take(self, topic: str, payload: bytes, received_ms: int) -> object: ...
    def flush(self) -> object: ...
    def due(self, now_ms: int) -> list: ...
    def tell_all(self) -> None: ...


Messages = list[tuple[str, bytes, int]]


class Intake:
    """An actor: at each `commit_ms` it takes and commits all that has come and speaks to the stations; events of a station, and what came
    before them from it, it commits within a second."""

    def __init__(self, moment: Moment, ingest: IngestCore, starts_unix_ms: int, commit_ms: int) -> None:
        self._moment = moment
        self._ingest = ingest
        self._starts_unix_ms = starts_unix_ms
        self._commit_ms = commit_ms
        self._waiting: dict[str, Messages] = {}  # by the topic without its last word
        self._urgent: dict[str, None] = {}
        self.soon: Callable[[int], object] = lambda t_ms: None
        self.broker: Broker | None = None
        # What a bad network makes of a station's messages: those that come now, those that come later.
        self.mixed: Callable[[str, Messages], tuple[Messages, Messages]] = lambda station, messages: (messages, [])

    def received(self, topic: str, payload: bytes, t_ms: int) -> None:
        """The broker has a message for the gateway."""
        station, _, name = topic.rpartition("/")
        if name not in NAMES:  # it has not subscribed to that
            return
        waiting = self._waiting.get(station)
        if waiting is None:
            waiting = self._waiting[station] = []
        waiting.append((topic, payload, t_ms))
        if name == "event" and station not in self._urgent:
            self._urgent[station] = None
            self.soon(t_ms - t_ms % EVENT_MS + EVENT_MS)

    def forget(self) -> None:
        """The broker lost what the gateway had not read, and what it retained."""
        self._waiting.clear()
        self._urgent.clear()
        self._ingest.tell_all()

    def start_again(self, ingest: IngestCore) -> None:
        """The gateway was restarted: what it had not committed the broker brings again, what it retained too, since the gateway subscribes with every
        connection; and it tells every station where it stands."""
        self._ingest = ingest
        if self.broker is not None:
            for topic, payload in self.broker.retained():
                self.received(topic, payload, self._moment.t)
        ingest.tell_all()

    @property
    def ingest(self) -> IngestCore:
        return self._ingest

    @property
    def waiting(self) -> int:
        """Messages not committed yet."""
        return sum(len(messages) for messages in self._waiting.values())

    def run(self, t_ms: int) -> int:
        if self.broker is not None and not self.broker.away:
            if t_ms % self._commit_ms:
                self._commit(self._urgent)
            else:
                self.settle(t_ms)
        return t_ms - t_ms % self._commit_ms + self._commit_ms

    def settle(self, t_ms: int) -> None:
        """Commit all that has come, and say what is due."""
        assert self.broker is not None
        self._commit(self._waiting)
        for topic, payload, retain in self._ingest.due(self._starts_unix_ms + t_ms):
            self.broker.route(topic, payload, 1, 1 if retain else 0)

    def _commit(self, stations: Iterable[str]) -> None:
        starts = self._starts_unix_ms
        take = self._ingest.take
        later: dict[str, Messages] = {}
        for station in list(stations):
            now, held = self.mixed(station, self._waiting.pop(station, []))
            if held:
                later[station] = held
            for topic, payload, received_ms in now:
                take(topic, payload, starts + received_ms)
        self._waiting.update(later)
        self._ingest.flush()
        self._urgent.clear()
