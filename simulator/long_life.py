"""One river gauge for months or a year in virtual time: does its heap stay flat, do its counters stay right, does it mind its ticks' wraps?"""

import datetime
import json
from contextlib import ExitStack
from typing import Any

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from simulator import fleet
from simulator.adapters.clock import WRAP_MASK
from simulator.chaos_watch import size_of
from simulator.run import HEAP
from simulator.runtimes.host import HostBody
from simulator.runtimes.vm import VMBody
from simulator.scenario import FaultsTable, Scenario, StationsTable
from simulator.tables import FloodTable, WorldTable

DAY_MS = 86_400_000
NODE = "river1"


class Looker:
    """An actor that looks at the heap once in a while, and listens to what the station says of itself."""

    def __init__(self, body: HostBody | VMBody, every_ms: int) -> None:
        self._body = body
        self._every_ms = every_ms
        self.heap: list[int] = []
        self.status: list[dict[str, Any]] = []

    def run(self, t_ms: int) -> int:
        self.heap.append(self._body.heap_in_use() if isinstance(self._body, VMBody) else size_of(self._body.app))
        return t_ms + self._every_ms

    def published(self, node: str, topic: str, payload: bytes) -> None:
        if topic.endswith("/status"):
            pack = json.loads(payload)
            self.status.append(
                {point["n"]: point.get("v", point.get("vs")) for point in pack} | {"bt": pack[0].get("bt")}
            )

    def switched(self, node: str, name: str, on: int) -> None: ...

    def appended(self, node: str, file: str, data: bytes) -> None: ...

    def filled(self, node: str, slot: str) -> None: ...


def scenario_of(days: int, sample_s: int) -> Scenario:
    """Calm water, a sensor that always answers, a gateway that is always there."""
    settings = {"sample.interval": sample_s, "report.interval": sample_s, "sample.alarm_interval": sample_s}
    return Scenario(
        about="a long life",
        name="long_life",
        start=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
        hours=days * 24,
        stations=[StationsTable(nodes=[NODE], series="flood", settings=settings)],
        commit_ms=600_000,
        faults=FaultsTable(),
        world=WorldTable(flood=FloodTable(base_mm=300)),
    )


def live(days: int, sample_s: int = 600, runtime: str = "vm", looks: int = 12, seed: int = 1) -> dict[str, Any]:
    """What was counted from outside and what the station said of itself."""
    scenario = scenario_of(days, sample_s)
    places = fleet.places(scenario, seed)
    store = SqliteStore(":memory:")
    with ExitStack() as stack:
        stack.callback(store.close)
        body: HostBody | VMBody
        if runtime == "vm":
            body = VMBody(NODE, HEAP)
            stack.callback(body.close)
        else:
            body = HostBody()
        district = fleet.District(scenario, seed, places, lambda node: body, Ingest(store))
        every_ms = scenario.span_ms // (looks + 1)
        looker = district.watch = Looker(body, every_ms)
        district.agenda.join(looker, every_ms)
        district.run()
        ticks_at_zero = district.stations[0].ports.clock.ticks_ms() - scenario.span_ms & WRAP_MASK
        made = district.notes.made
        stored = store.rows("SELECT COUNT(*) FROM records WHERE stream = 0")[0][0]
        last = next(row for row in reversed(looker.status) if "up_s" in row)
        starts_s = scenario.starts_unix_ms / 1000
        return {
            "days": days,
            "runtime": runtime,
            "samples": district.bursts,
            "samples_expected": (scenario.span_ms - places[0].boots_ms) // (sample_s * 1000) + 1,
            "readings_made": made[NODE, "readings", 1],
            "readings_stored": stored,
            "boots": max(boot for _, _, boot in made),
            "wraps": (ticks_at_zero + scenario.span_ms) >> 30,
            "heap": looker.heap,
            "up_s": last["up_s"],
            "up_s_expected": int(last["bt"] - starts_s - places[0].boots_ms / 1000),
            "status_said": len(looker.status),
            "trace_sha256": district.trace.sha256(),
        }
