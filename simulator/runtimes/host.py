"""The firmware under CPython: a station's app is one object in this process."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from node.version import VERSION
from simulator.adapters.power import Power
from simulator.runtimes import defects
from simulator.stations import Ports

_SAY_IT = ("node.version", "node.uplink", "node.updating", "node.duty", "node.frozen")
_Found = TypeVar("_Found")


def _is(version: str) -> None:
    """From here on the firmware says that it is this version."""
    for name in _SAY_IT:
        module: Any = sys.modules.get(name)
        if module is not None:
            module.VERSION = version


class HostBody:
    """Runs one station's app; `make_app` other than the firmware's own is for tests of the simulator."""

    def __init__(self, make_app: Callable[[dict, Any], Any] | None = None) -> None:
        if make_app is None:
            from node.app import App

            make_app = App
        self._make_app = make_app
        self._step: Callable[[int], int] | None = None
        self._power: Power | None = None
        self._version: str | None = None  # of its slot; None: the code's own
        self.drawn = 0  # defects that a scenario asked for, since the last boot that ended no sleep
        self.app: Any = None  # for who looks on; nothing of the runtime needs it

    def boot(self, station: dict, ports: Ports) -> None:
        slots = getattr(ports, "slots", None)
        self._version = slots.version if slots else None
        self.app = self._as_its_version(lambda: self._make_app(station, ports))
        self._step = self.app.step
        self._power = ports.power if hasattr(self.app, "rest") else None

    def _as_its_version(self, call: Callable[[], _Found]) -> _Found:
        if self._version is None:
            return call()
        _is(self._version)
        try:
            return call()
        finally:
            _is(VERSION)

    def step(self, now_ms: int) -> int:
        """Milliseconds until the app next has work."""
        step = self._step
        assert step is not None
        return step(now_ms) if self._version is None else self._as_its_version(lambda: step(now_ms))

    def plant(self, where: str, times: int) -> None:
        defects.plant(self.app, where, times)

    @property
    def reboot_wanted(self) -> bool:
        return bool(getattr(self.app, "reboot_wanted", False))

    def rest(self, now_ms: int) -> int:
        """Milliseconds of deep sleep, with everything but RTC memory and flash gone; 0: it stays awake."""
        ms: int = self.app.rest(now_ms) if self._power else 0
        if ms and self._power:
            frozen = self._as_its_version(self.app.freeze)
            if not frozen:
                return 0
            self._power.keep(frozen)
            drawn = self.drawn + getattr(self.app, "drawn", 0)
            self.cut()
            self.drawn = drawn
        return ms

    def cut(self) -> None:
        """The power is gone."""
        self._step = self.app = None
        self.drawn = 0
