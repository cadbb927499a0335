"""A simulated station: ports with chips and flash behind them, and a body that runs the firmware on them."""

from collections.abc import Sequence
from typing import Protocol

from simulator.adapters.buses import Bus
from simulator.adapters.clock import WRAP_MASK, Clock
from simulator.adapters.console import Console
from simulator.adapters.link import LinkPort
from simulator.adapters.outputs import Output
from simulator.adapters.storage import Storage
from simulator.adapters.watchdog import Watchdog
from simulator.agenda import NEVER, Moment

OFF_MS = 2000  # how long a station that is reset stays dark
IDLE_MS = 3_600_000


class Ports:
    """The world as the firmware sees it (docs/ports.md)."""

    def __init__(
        self, clock: Clock, buses: dict[str, Bus], outputs: dict[str, Output], storage: Storage, link: LinkPort
    ) -> None:
        self.clock = clock
        self.buses = buses
        self.outputs = outputs
        self.storage = storage
        self.link = link
        self.console = Console()
        self.watchdog = Watchdog()


class Body(Protocol):
    """What runs the firmware: simulator.runtimes.host or simulator.runtimes.vm."""

    def boot(self, station: dict, ports: Ports) -> None: ...
    def step(self, now_ms: int) -> int: ...
    def cut(self) -> None: ...


class Station:
    """An actor of the agenda."""

    def __init__(
        self,
        moment: Moment,
        compiled: dict,
        ports: Ports,
        body: Body,
        *,
        ticks_at_zero: int,
        sync_after_ms: int,
        resets_ms: Sequence[int] = (),
    ) -> None:
        self.node: str = compiled["node"]
        self.compiled = compiled
        self.ports = ports
        self._moment = moment
        self._body = body
        self._ticks_at_zero = ticks_at_zero
        self._sync_after_ms = sync_after_ms
        self._resets_ms = sorted(resets_ms)
        self._reset_ms = self._resets_ms[0] if self._resets_ms else NEVER
        self._on = False

    def run(self, t_ms: int) -> int:
        if not self._on:
            self._boot(t_ms)
        elif t_ms >= self._reset_ms:
            return self._cut(t_ms)
        wait_ms = self._body.step((self._ticks_at_zero + t_ms) & WRAP_MASK)
        next_ms = t_ms + (wait_ms if 0 < wait_ms < IDLE_MS else 1 if wait_ms <= 0 else IDLE_MS)
        return next_ms if next_ms < self._reset_ms else self._reset_ms

    def _boot(self, t_ms: int) -> None:
        self._on = True
        self.ports.clock.synchronise_at(t_ms + self._sync_after_ms)
        for name in sorted(self.ports.buses):
            self.ports.buses[name].boot()
        self._body.boot(self.compiled, self.ports)

    def _cut(self, t_ms: int) -> int:
        """The power goes; the flash stays."""
        self._on = False
        self._resets_ms.pop(0)
        self._reset_ms = self._resets_ms[0] if self._resets_ms else NEVER
        self._body.cut()
        self.ports.link.close()
        for name in sorted(self.ports.outputs):
            self.ports.outputs[name].set(0)
        return t_ms + OFF_MS
