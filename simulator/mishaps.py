"""What befalls a district by a scenario's tables: lines, packets, clocks, the gateway's database, what people send. A function of time and seed."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from node.core.measurements import STREAMS
from simulator import noise
from simulator.adapters.console import Console
from simulator.adapters.link import Trouble
from simulator.agenda import NEVER
from simulator.broker import Broker
from simulator.fault_tables import GOOD_ORDERS, OrderTable, TypedTable
from simulator.intake import Intake, Messages
from simulator.scenario import Scenario

FullKey = tuple[str, str, int, int]  # node, stream, boot, seq
KEYS = "SELECT n.node, r.stream, r.boot, r.seq FROM records r JOIN lives l ON l.id = r.life_id JOIN nodes n ON n.id = l.node_id"
_DAY_S = 86_400
_ORDER_LIVES_S = 7200
_AGAIN_MS = 60_000


def link_troubles(scenario: Scenario, node: str) -> list[Trouble]:
    return [
        (row.from_s * 1000, (row.from_s + row.for_s) * 1000, row.what, row.number)
        for row in scenario.links
        if row.node == node
    ]


def clock_faults(scenario: Scenario, node: str) -> dict[str, Any]:
    """What simulator.adapters.clock takes."""
    row = next((row for row in scenario.clocks if row.node == node), None)
    if row is None:
        return {}
    starts_s = scenario.starts_unix_ms // 1000
    return {
        "commissioned_s": starts_s - starts_s % _DAY_S if row.commissioned else 0,
        "drift_ppm": row.drift_ppm,
        "lies": [(begin * 1000, (begin + lasts) * 1000, off_s) for begin, lasts, off_s in row.lies],
        "silent_ms": [(begin * 1000, (begin + lasts) * 1000) for begin, lasts in row.silent],
        "steps": [(at * 1000, ms) for at, ms in row.steps],
    }


def write_cuts(scenario: Scenario, node: str) -> list[tuple[int, int]]:
    """(at, the how manieth write from then on) of the resets in the middle of a write."""
    return sorted((row.at_s * 1000 + row.ms, row.in_write) for row in scenario.resets if row.node == node and row.in_write)  # fmt: skip


class Mixer:
    """What the network between broker and gateway makes of messages; counted for each station on its own, so that no station hears who else there is."""

    def __init__(self, scenario: Scenario, seed: int, now: Callable[[], int]) -> None:
        self._spans = [(row.what, row.from_s * 1000, (row.from_s + row.for_s) * 1000) for row in scenario.packets]
        self._seed = seed
        self._now = now
        self._drawn: dict[str, int] = {}

    def _in(self, what: str) -> bool:
        t = self._now()
        return any(name == what and begin <= t < end for name, begin, end in self._spans)

    def _draw(self, node: str) -> int:
        count = self._drawn[node] = self._drawn.get(node, 0) + 1
        return noise.draw(noise.key(self._seed, node, "packets"), count)

    def repeats(self, node: str) -> bool:
        """Whether a message to this node goes out twice."""
        return self._in("repeat") and self._draw(node) % 3 == 0

    def mixed(self, station: str, messages: Messages) -> tuple[Messages, Messages]:
        """(those that the gateway gets now, those that it gets later)."""
        later: Messages = []
        if self._in("hold"):
            bits = self._draw(station)
            later = [message for i, message in enumerate(messages) if bits >> i % 60 & 3 == 0]
            messages = [message for i, message in enumerate(messages) if bits >> i % 60 & 3]
        if self._in("repeat"):
            bits = self._draw(station)
            messages = [m for i, message in enumerate(messages) for m in [message] * (1 + (bits >> i % 60 & 1))]
        if self._in("reorder"):
            key = noise.key(self._draw(station))
            messages = [messages[i] for i in sorted(range(len(messages)), key=lambda i: noise.draw(key, i))]
        return messages, later


class Restorer:
    """An actor: the gateway starts again, on its database or on an older copy of it."""

    def __init__(self, scenario: Scenario, store: SqliteStore, intake: Intake) -> None:
        self._store = store
        self._intake = intake
        events = [(row.at_s * 1000, index, False) for index, row in enumerate(scenario.restores)]
        events += [((row.at_s - row.back_s) * 1000, i, True) for i, row in enumerate(scenario.restores) if row.back_s]
        self._events = sorted(events)
        self._copies: dict[int, sqlite3.Connection] = {}
        self.went_back: Callable[[set[FullKey]], object] = lambda forgotten: None

    def _keys(self) -> set[FullKey]:
        return {(node, STREAMS[stream], boot, seq) for node, stream, boot, seq in self._store.rows(KEYS)}

    def run(self, t_ms: int) -> int:
        while self._events and self._events[0][0] <= t_ms:
            _, index, copies = self._events.pop(0)
            if copies:
                self._copies[index] = sqlite3.connect(":memory:")
                self._store.connection().backup(self._copies[index])
                continue
            older = self._copies.pop(index, None)
            if older:
                had = self._keys()
                older.backup(self._store.connection())
                older.close()
                self.went_back(had - self._keys())
            self._intake.start_again(Ingest(self._store))
        return self._events[0][0] if self._events else NEVER


class Clerk:
    """An actor: whoever sends commands and settings through the gateway, or pretends to. While the broker is away it waits."""

    def __init__(self, scenario: Scenario, broker: Broker, lives: dict[str, str], intake: Intake) -> None:
        self._scenario = scenario
        self._broker = broker
        self._lives = lives
        self._intake = intake
        self._orders = sorted(scenario.orders, key=lambda row: (row.at_s, row.node, row.what))
        self._counters: dict[str, int] = {}
        self._newest: dict[str, bytes] = {}
        self._revisions: dict[str, int] = {}

    def run(self, t_ms: int) -> int:
        if self._broker.away:
            return t_ms + _AGAIN_MS
        while self._orders and self._orders[0].at_s * 1000 <= t_ms:
            self._send(self._orders.pop(0), t_ms)
        return self._orders[0].at_s * 1000 if self._orders else NEVER

    def _order(self, row: OrderTable, t_ms: int) -> None:
        """Through the gateway's own core, which keeps it before it is said. What it does not allow is not said."""
        core: Any = self._intake.ingest
        node = core.node_of(self._scenario.district, row.node)
        now_ms = self._scenario.starts_unix_ms + t_ms
        try:
            if node is None:
                return
            if row.what == "desired":
                core.orders.desire(node, dict(row.values), "desk", now_ms)
            else:
                number = row.number if row.what in ("shelve", "drill") else 0
                order = core.orders.command(node, row.what, number, "desk", now_ms, _ORDER_LIVES_S)
                self._newest[row.node] = order.message()[1]
        except ValueError:
            return
        core.flush()
        for topic, payload, retain in core.orders.due(now_ms):
            self._broker.route(topic, payload, 1, 1 if retain else 0)

    def _send(self, row: OrderTable, t_ms: int) -> None:
        if row.what in GOOD_ORDERS:
            self._order(row, t_ms)
            return
        topic = f"waspada/v1/{self._scenario.district}/{row.node}/"
        life = self._lives[row.node]
        if row.what == "unusable":
            revision = self._revisions[row.node] = self._revisions.get(row.node, 10) + 1
            message = {"life": life, "revision": revision, "values": dict(row.values)}
            self._broker.route(topic + "desired", json.dumps(message).encode(), 1, 1)
            return
        if row.what == "junk":
            self._broker.route(
                topic + ("command", "desired", "committed", "resend")[row.number % 4], b'{"life":[', 1, 0
            )
            return
        if row.what == "replayed" and row.node in self._newest:
            self._broker.route(topic + "command", self._newest[row.node], 1, 0)
            return
        counter = self._counters[row.node] = self._counters.get(row.node, 0) + 1
        expires = (self._scenario.starts_unix_ms + t_ms) // 1000 + (_ORDER_LIVES_S if row.what != "expired" else -1)
        payload = json.dumps(
            {
                "life": life if row.what != "stranger" else "0" * 8,
                "id": f"{counter:x}",
                "counter": counter,
                "expires": expires,
                "do": "ack",
                "with": row.number,
            }
        ).encode()
        if row.what != "replayed":
            self._broker.route(topic + "command", payload, 1, 1 if row.what == "retained" else 0)


class Typist:
    """An actor: somebody at the cable, once."""

    def __init__(self, row: TypedTable, console: Console) -> None:
        self._row = row
        self._console = console

    def run(self, t_ms: int) -> int:
        self._console.typed += "".join(line + "\r" for line in self._row.lines).encode()
        return NEVER
