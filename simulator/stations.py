"""A simulated station: ports with chips and flash behind them, and a body that runs the firmware on them."""

from collections.abc import Sequence
from typing import Protocol

from node.core import limits, slots
from node.core import settings as S
from simulator import noise
from simulator.adapters.buses import Bus, Pulses
from simulator.adapters.clock import WRAP_MASK, Clock
from simulator.adapters.console import Console
from simulator.adapters.link import LinkPort
from simulator.adapters.outputs import Output
from simulator.adapters.platform import Platform
from simulator.adapters.power import Power
from simulator.adapters.slots import Slots
from simulator.adapters.storage import PowerCut, Storage
from simulator.adapters.watchdog import Watchdog
from simulator.agenda import NEVER, Moment

OFF_MS = 2000  # how long a station that is reset stays dark
IDLE_MS = 3_600_000
LAST_WORDS_MS = 3000  # from a wish to restart until it is done (firmware/main.py)
STARVES_MS = 60_000  # the watchdog
LAMED_MS = 1000  # what a defect in measuring costs (node.faults)
_ASKED_MS = 500  # from a network to a time server's answer


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
        self.power: Power | None = None
        self.slots: Slots | None = None
        self.watchdog = Watchdog()
        self.platform = Platform()


class Meter(Protocol):
    def look(self, t_ms: int) -> None:
        """After each step."""
        ...


class Body(Protocol):
    """What runs the firmware: simulator.runtimes.host or simulator.runtimes.vm."""

    def boot(self, station: dict, ports: Ports) -> None: ...
    def step(self, now_ms: int) -> int: ...
    def cut(self) -> None: ...

    def plant(self, where: str, times: int) -> None:
        """The next so many calls of this method of the app raise (simulator.runtimes.defects)."""

    def rest(self, now_ms: int) -> int:
        """Milliseconds of deep sleep that the app wants, its state in the power port and itself gone; 0: it stays awake."""
        return 0


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
        write_cuts: Sequence[tuple[int, int]] = (),
        crashes: Sequence[tuple[int, str, int]] = (),
        dying: Sequence[str] = (),
    ) -> None:
        """`write_cuts`: (from, n), the power goes in the n-th write from then on. `crashes`: (from, where, how many times).
        `dying`: versions that raise in every step."""
        self.node: str = compiled["node"]
        self.compiled = compiled
        self.ports = ports
        self.power = ports.power = Power(moment)
        self._asleep_until_ms = -1
        self.meter: Meter | None = None
        self._moment = moment
        self._body = body
        self._ticks_at_zero = ticks_at_zero
        self._sync_after_ms = sync_after_ms
        self._resets_ms = sorted(resets_ms)
        self._reset_ms = self._resets_ms[0] if self._resets_ms else NEVER
        self._write_cuts = list(write_cuts)
        self._crashes = sorted(crashes)
        self._dying = frozenset(dying)
        self._dies_since_ms = -1  # what runs is one of them
        self._restart_ms = NEVER
        self._restart_cause = "hard"
        self._reset_cause = "power"
        self._on = False
        self._knows_time = True  # or asks without being told
        self.dark_ms: list[tuple[int, int]] = []  # from, until: without power, or with a program that only raises
        self.lamed_ms: list[tuple[int, int]] = []  # from, until: a defect in measuring cost its step

    @property
    def gone_ms(self) -> list[tuple[int, int]]:
        return sorted(self.dark_ms + self.lamed_ms) if self.lamed_ms else self.dark_ms

    def run(self, t_ms: int) -> int:
        if 0 <= t_ms < self._asleep_until_ms and t_ms < self._reset_ms:
            return min(self._asleep_until_ms, self._reset_ms)
        if self._write_cuts and t_ms >= self._write_cuts[0][0]:
            at_ms, write = self._write_cuts.pop(0)
            self.ports.storage.cut_in(write, noise.draw(at_ms, write), self.ports.link.close)
        try:
            if not self._on:
                self._boot(t_ms)
            elif t_ms >= self._reset_ms:
                self._resets_ms.pop(0)
                self._reset_ms = self._resets_ms[0] if self._resets_ms else NEVER
                return self._cut(t_ms)
            elif t_ms >= self._restart_ms:
                return self._cut(t_ms, self._restart_cause)
            elif self._asleep_until_ms >= 0:
                self._wake(t_ms)
            if self._dies_since_ms >= 0 or self._crashes:
                self._spoil(t_ms)
            wait_ms = self._body.step((self._ticks_at_zero + t_ms) & WRAP_MASK)
        except PowerCut:
            return self._cut(t_ms)
        if getattr(self._body, "reboot_wanted", False) and t_ms + LAST_WORDS_MS < self._restart_ms:
            self._restart_ms, self._restart_cause = t_ms + LAST_WORDS_MS, "hard"
        if self.meter:
            self.meter.look(t_ms)
        rest_ms = self._body.rest((self._ticks_at_zero + t_ms) & WRAP_MASK)
        if rest_ms:
            return min(self._sleep(rest_ms), self._reset_ms)
        self._ask_the_time(t_ms)
        next_ms = t_ms + (wait_ms if 0 < wait_ms < IDLE_MS else 1 if wait_ms <= 0 else IDLE_MS)
        return min(next_ms, self._reset_ms, self._restart_ms)

    def _spoil(self, t_ms: int) -> None:
        if self._dies_since_ms >= 0:
            self._body.plant("measure", 1)
        elif t_ms >= self._crashes[0][0]:
            _, where, times = self._crashes.pop(0)
            self._body.plant(where, times)
            if where == "measure":
                self.lamed_ms.append((t_ms, t_ms + times * LAMED_MS))

    def _choose_slot(self, t_ms: int, cost: int) -> None:
        """As boot.py does."""
        port = self.ports.slots
        if not port:
            return
        if not port.boot(cost):
            raise RuntimeError(f"{self.node} has no slot that could run")
        if port.version in self._dying:
            self._dies_since_ms = t_ms
            interval_ms = S.Settings(self.compiled["settings"], limits.ROWS).get(S.SAMPLE_INTERVAL) * 1000
            self._restart_ms, self._restart_cause = t_ms + 2 * interval_ms + STARVES_MS, "watchdog"

    def _boot(self, t_ms: int) -> None:
        self._on = True
        self._choose_slot(t_ms, slots.COST_POWER if self._reset_cause == "power" else slots.COST)
        self.ports.clock.synchronise_at(t_ms + self._sync_after_ms)
        for name in sorted(self.ports.buses):
            self.ports.buses[name].boot()
        self._body.boot({**self.compiled, "reset": self._reset_cause}, self.ports)

    def _sleep(self, rest_ms: int) -> int:
        """Only RTC memory and flash are left."""
        self.ports.link.close()
        self._asleep_until_ms = self.power.doze(rest_ms)
        return self._asleep_until_ms

    def _wake(self, t_ms: int) -> None:
        """As a boot, but the pulses were counted; what time it is the app knows from its memory, until a network says more."""
        self._asleep_until_ms = -1
        self._choose_slot(t_ms, slots.COST_POWER)
        self.power.wake()
        self.ports.clock.synchronise_at(NEVER)
        self._knows_time = False
        for name in sorted(self.ports.buses):
            bus = self.ports.buses[name]
            if isinstance(bus, Pulses):
                bus.slept(t_ms - self.power.boot_ms, t_ms, self.power.blind_ms)
            else:
                bus.boot()
        self._body.boot(self.compiled, self.ports)

    def _ask_the_time(self, t_ms: int) -> None:
        """A station that woke asks as soon as it has a network."""
        if not self._knows_time and self.ports.link.state():
            self._knows_time = True
            self.ports.clock.ask_at(t_ms + _ASKED_MS)

    def _cut(self, t_ms: int, cause: str = "power") -> int:
        """The power goes, or (another cause) the board restarts; the flash stays."""
        since_ms = t_ms if self._dies_since_ms < 0 else self._dies_since_ms
        self._on = False
        self._dies_since_ms = -1
        self._restart_ms = NEVER
        self._reset_cause = cause
        self._asleep_until_ms = -1
        self.power.restart(cause)
        self._body.cut()
        self.ports.link.close()
        for name in sorted(self.ports.outputs):
            self.ports.outputs[name].set(0)
        self.dark_ms.append((since_ms, t_ms + OFF_MS))
        return t_ms + OFF_MS
