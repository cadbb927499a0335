"""The firmware under CPython: a station's app is one object in this process."""

from collections.abc import Callable
from typing import Any

from simulator.adapters.power import Power
from simulator.stations import Ports


class HostBody:
    """Runs one station's app; `make_app` other than the firmware's own is for tests of the simulator."""

    def __init__(self, make_app: Callable[[dict, Any], Any] | None = None) -> None:
        if make_app is None:
            from node.app import App

            make_app = App
        self._make_app = make_app
        self._step: Callable[[int], int] | None = None
        self._power: Power | None = None
        self.app: Any = None  # for who looks on; nothing of the runtime needs it

    def boot(self, station: dict, ports: Ports) -> None:
        self.app = self._make_app(station, ports)
        self._step = self.app.step
        self._power = ports.power if hasattr(self.app, "rest") else None

    def step(self, now_ms: int) -> int:
        """Milliseconds until the app next has work."""
        assert self._step is not None
        return self._step(now_ms)

    def rest(self, now_ms: int) -> int:
        """Milliseconds of deep sleep, with everything but RTC memory and flash gone; 0: it stays awake."""
        ms: int = self.app.rest(now_ms) if self._power else 0
        if ms and self._power:
            frozen = self.app.freeze()
            if not frozen:
                return 0
            self._power.keep(frozen)
            self.cut()
        return ms

    def cut(self) -> None:
        """The power is gone."""
        self._step = self.app = None
