"""A district on real sockets: simulated floods and sensors in virtual time, links, broker and gateway in real time.

Virtual time drives sampling and alarms and waits while a station's queue is over its limit; link timers run on wall time. Broker and gateway are
processes of their own, so what is measured at the end is what a real gateway kept.
"""

import select
import time
from collections.abc import Callable, Sequence
from typing import Any

from node.app import App
from simulator.adapters.socket_link import SocketLink
from simulator.agenda import NEVER
from simulator.fleet import Fleet, Place
from simulator.runtimes import defects
from simulator.scenario import Scenario
from simulator.stations import Ports

SLICE_MS = 15_000  # virtual: as often as a station in alarm samples
QUEUE_LIMIT = 48  # records a station may have waiting before virtual time waits for it
POLL_S = 0.01
_WRAP_MASK = (1 << 30) - 1


class LiveBody:
    """Runs one station: `step` is only its own half (sample, decide, sound, record); `talk` is the fleet's to call, on wall time."""

    def __init__(self) -> None:
        self.app: App | None = None

    def boot(self, station: dict, ports: Ports) -> None:
        self.app = App({**station, "hurry": 1}, ports)

    def step(self, now_ms: int) -> int:
        assert self.app is not None
        return self.app.measure(now_ms)

    def rest(self, now_ms: int) -> int:
        """A demo is watched: nobody sleeps."""
        return 0

    def plant(self, where: str, times: int) -> None:
        defects.plant(self.app, where, times)

    def cut(self) -> None:
        self.app = None

    def waiting(self) -> int:
        """Records made in this boot that no broker has acknowledged."""
        return 0 if self.app is None or self.app.uplink is None else int(self.app.uplink.waiting)

    def committed(self) -> bool:
        """Whether the gateway has told this station that it has everything."""
        app = self.app
        if app is None or app.uplink is None or app.logs is None:
            return False
        return all(mark >= (log.boot, log.seq) for mark, log in zip(app.uplink.mark, app.logs, strict=True))


class LiveFleet(Fleet):
    """`run` lives through the scenario; `break_broker` and `mend_broker` are called where the scenario has an outage."""

    def __init__(self, scenario: Scenario, seed: int, all_places: Sequence[Place], port: int) -> None:
        super().__init__(scenario, seed, all_places)
        self.bodies: list[LiveBody] = []
        self.links: list[SocketLink] = []
        self.pace: list[tuple[float, int]] = []  # (unix time, virtual ms): when what was lived through
        self.broken = False
        for place in all_places:
            body, link = LiveBody(), SocketLink("127.0.0.1", port)
            station = self.furnish(place, body, place.number, link)
            self.agenda.join(station, place.boots_ms)
            self.stations.append(station)
            self.bodies.append(body)
            self.links.append(link)
        self._outages = [(o.from_s * 1000, (o.from_s + o.for_s) * 1000) for o in scenario.outages]

    def run(
        self,
        *,
        speed: float | None,
        break_broker: Callable[[], None],
        mend_broker: Callable[[], None],
        progress: Callable[[int], Any],
    ) -> None:
        """The whole scenario, `speed` virtual seconds a second, or as fast as the queues allow."""
        begun = time.monotonic()
        edges = sorted(
            [(begin, break_broker) for begin, _ in self._outages] + [(end, mend_broker) for _, end in self._outages]
        )
        t = 0
        while t < self.scenario.span_ms:
            t = min(t + SLICE_MS, self.scenario.span_ms, edges[0][0] if edges else NEVER)
            self.agenda.run(t)
            self.pace.append((time.time(), t))
            progress(t)
            if edges and t == edges[0][0]:
                act = edges.pop(0)[1]
                self.broken = act is break_broker
                act()
            self.talk(0)
            due = begun + t / 1000 / speed if speed else 0.0
            while time.monotonic() < due:
                self.talk(min(POLL_S, max(0.0, due - time.monotonic())))
            while not self.broken and any(body.waiting() > QUEUE_LIMIT for body in self.bodies):
                self.talk(POLL_S)

    def talk(self, wait_s: float) -> None:
        """Every station's link once; first wait up to `wait_s` for bytes from the broker."""
        if wait_s:
            select.select([link for link in self.links if link.fileno() >= 0], [], [], wait_s)
        now_ms = time.monotonic_ns() // 1_000_000 & _WRAP_MASK
        for body in self.bodies:
            if body.app is not None:
                body.app.talk(now_ms)

    def settle(self, within_s: float) -> bool:
        """Talk until the gateway has told every station that it has everything; False when it did not within the time."""
        deadline = time.monotonic() + within_s
        while not all(body.committed() for body in self.bodies):
            if time.monotonic() > deadline:
                return False
            self.talk(POLL_S)
        return True

    def close(self) -> None:
        for link in self.links:
            link.close()

    def lived_at(self, unix_s: float) -> int:
        """Virtual milliseconds that it was at a wall time."""
        before = 0
        for at_s, t_ms in self.pace:
            if at_s >= unix_s:
                return t_ms
            before = t_ms
        return before
