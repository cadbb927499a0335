"""What a simulated station did in some time: what slept, talked, measured and sounded for how long. Currents are put to it in simulator/energy.py."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from simulator.adapters.buses import I2C, UART, OneWire, Pulses
from simulator.stations import Station

Works = Callable[[], bool]
_FLAGS = ("radio_ms", "siren_ms", "strobe_ms")


@dataclass(frozen=True, slots=True)
class Use:
    """In ms and times. `works_ms`: how long each of the station's sensors was powered, or was busy where nothing switches it, in the order of its file."""

    span_ms: int = 0
    asleep_ms: int = 0
    wakes: int = 0
    sessions: int = 0
    radio_ms: int = 0
    siren_ms: int = 0
    strobe_ms: int = 0
    tips: int = 0
    works_ms: tuple[int, ...] = ()

    def since(self, before: "Use") -> "Use":
        gone: dict[str, Any] = {
            field.name: getattr(self, field.name) - getattr(before, field.name) for field in fields(Use)[:-1]
        }
        return Use(**gone, works_ms=tuple(now - then for now, then in zip(self.works_ms, before.works_ms, strict=True)))


class Meter:
    """Looks at a station after each of its steps; what is on stays on until the next, but for what deep sleep switches off."""

    def __init__(self, station: Station) -> None:
        self._station = station
        rows = station.compiled["sensors"]
        self._works = [_works(station, row) for row in rows]
        self._switched = ["power" in station.compiled["pins"].get(row["bus"], {}) for row in rows]
        self._pulses = [bus for bus in station.ports.buses.values() if isinstance(bus, Pulses)]
        self._on = dict.fromkeys(_FLAGS, False)
        self._sums = dict.fromkeys(_FLAGS, 0)
        self._working = [False] * len(rows)
        self._works_ms = [0] * len(rows)
        self._sessions = 0
        self._dark_ms = 0
        self._last_ms = 0
        station.meter = self

    def look(self, t_ms: int) -> None:
        ports, power = self._station.ports, self._station.power
        gone = t_ms - self._last_ms
        dark_ms = power.asleep_ms + power.wakes * power.boot_ms
        lit = max(0, gone - (dark_ms - self._dark_ms))
        self._last_ms, self._dark_ms = t_ms, dark_ms
        for name, on in self._on.items():
            self._sums[name] += gone * on
        for i, on in enumerate(self._working):
            self._works_ms[i] += (lit if self._switched[i] else gone) * on
        radio = ports.link.state() != 0
        self._sessions += radio and not self._on["radio_ms"]
        self._on["radio_ms"] = radio
        for name in ("siren", "strobe"):
            self._on[f"{name}_ms"] = bool(ports.outputs[name].on)
        self._working = [works() for works in self._works]

    def use(self, t_ms: int) -> Use:
        self.look(t_ms)
        power = self._station.power
        return Use(
            span_ms=t_ms,
            asleep_ms=power.asleep_ms,
            wakes=power.wakes,
            sessions=self._sessions,
            tips=sum(bus.wakes for bus in self._pulses),
            works_ms=tuple(self._works_ms),
            **self._sums,
        )


def _works(station: Station, row: dict) -> Works:
    """Whether a sensor takes what it takes while it measures: a switched one while it has its supply, another while it runs or owes an answer."""
    bus = station.ports.buses[row["bus"]]
    if isinstance(bus, UART):
        if "power" in station.compiled["pins"][row["bus"]]:
            return lambda: bus.powered
        return lambda: bus.busy
    if isinstance(bus, I2C):
        address = row.get("address", 0)
        return lambda: bus.busy(address)
    if isinstance(bus, OneWire):
        return lambda: bus.busy
    return lambda: False
