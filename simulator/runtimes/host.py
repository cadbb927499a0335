"""The firmware under CPython: a station's app is one object in this process."""

from collections.abc import Callable
from typing import Any

from simulator.stations import Ports


class HostBody:
    """Runs one station's app; `make_app` other than the firmware's own is for tests of the simulator."""

    def __init__(self, make_app: Callable[[dict, Any], Any] | None = None) -> None:
        if make_app is None:
            from node.app import App

            make_app = App
        self._make_app = make_app
        self._step: Callable[[int], int] | None = None

    def boot(self, station: dict, ports: Ports) -> None:
        self._step = self._make_app(station, ports).step

    def step(self, now_ms: int) -> int:
        """Milliseconds until the app next has work."""
        assert self._step is not None
        return self._step(now_ms)

    def cut(self) -> None:
        """The power is gone."""
        self._step = None
