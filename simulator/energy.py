"""What a sleeping station takes from its battery: a table of currents, each with its source, times what a simulated station did.

The model first gives back the published figures (3.2 mAh a day for hourly reports, 9.2 for one every 15 minutes) from their own inputs; then it says ours.
Nothing here was measured on a board: `source` says of each number where it is from, and "assumed" where it is from nobody.
Milliampere hours are at the chip's 3.3 V, as the published ones; what a 12 V battery gives for them stands beside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from node.core.sounder import PATTERNS
from simulator import fleet, scenario
from simulator.adapters.buses import UART, Pulses
from simulator.adapters.power import BOOT_MS
from simulator.runtimes.host import HostBody
from simulator.stations import Body, Station

DAY_S = 86_400
HOUR_S = 3600
GOAL_MAH = 4.0  # hourly reports with TLS
PUBLISHED = {24: 3.2, 96: 9.2}  # reports a day: mAh a day
SAMPLES_S = (60, 300, 900, 3600)
_SETTLED_H = 2  # of a run, before the day that counts


@dataclass(frozen=True, slots=True)
class Currents:
    """In mA, mC, s, as the names say. `SOURCES` has where each is from."""

    sleep_ma: float = 0.050
    awake_ma: float = 38.0
    connect_mc: float = 300.0
    connect_s: float = 4.2
    handshake_s: float = 2.0
    sensor_ma: float = 8.0
    tip_s: float = 0.45
    siren_ma: float = 1000.0
    strobe_ma: float = 200.0
    divider_ma: float = 12.6 / 57.0
    efficiency: float = 0.85

    @property
    def radio_ma(self) -> float:
        return self.connect_mc / self.connect_s


SOURCES = {
    "sleep_ma": "published with the figures it gives back; the bare chip takes 0.006, a WROVER board 0.085",
    "awake_ma": "measured by others on an ESP32-S module, radio off; Espressif's data sheet has 27 to 44 at 160 MHz",
    "connect_mc": "published: one Wi-Fi connect and publish, the boot in it",
    "connect_s": "published: one Wi-Fi connect and publish",
    "handshake_s": "key arithmetic of TLS 1.2 with a client's certificate, about 2 s on an emulated ESP32; at the published session's mean current (assumed)",
    "sensor_ma": "the ranger's data sheet, from memory (assumed)",
    "tip_s": "assumed: 300 ms of boot, the contact's closing waited for, asleep again",
    "siren_ma": "assumed: a 12 W siren on 12 V",
    "strobe_ma": "assumed: a 2.4 W strobe on 12 V",
    "divider_ma": "12.6 V over the battery divider's 57 kOhm; of the battery, not of the chip",
    "efficiency": "assumed: a step-down converter at these loads",
}
assert set(SOURCES) == {field.name for field in fields(Currents)}


@dataclass(frozen=True, slots=True)
class Use:
    """What a station did in some time, in ms and times."""

    span_ms: int = 0
    asleep_ms: int = 0
    wakes: int = 0
    sessions: int = 0
    radio_ms: int = 0
    sensor_ms: int = 0
    siren_ms: int = 0
    strobe_ms: int = 0
    tips: int = 0

    def since(self, before: "Use") -> "Use":
        return Use(*(getattr(self, field.name) - getattr(before, field.name) for field in fields(Use)))


class Meter:
    """Looks at a station after each of its steps; what is on stays on until the next."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._uarts = [bus for bus in station.ports.buses.values() if isinstance(bus, UART)]
        self._pulses = [bus for bus in station.ports.buses.values() if isinstance(bus, Pulses)]
        self._on = {"radio_ms": False, "sensor_ms": False, "siren_ms": False, "strobe_ms": False}
        self._sums = dict.fromkeys(self._on, 0)
        self._sessions = 0
        self._last_ms = 0
        station.meter = self

    def look(self, t_ms: int) -> None:
        ports = self._station.ports
        radio = ports.link.state() != 0
        self._sessions += radio and not self._on["radio_ms"]
        for name, on in self._on.items():
            self._sums[name] += (t_ms - self._last_ms) * on
        self._last_ms = t_ms
        self._on = {
            "radio_ms": radio,
            "sensor_ms": any(uart.powered for uart in self._uarts),
            "siren_ms": bool(ports.outputs["siren"].on),
            "strobe_ms": bool(ports.outputs["strobe"].on),
        }

    def use(self, t_ms: int) -> Use:
        self.look(t_ms)
        power = self._station.power
        tips = sum(bus.wakes for bus in self._pulses)
        return Use(
            span_ms=t_ms,
            asleep_ms=power.asleep_ms,
            wakes=power.wakes,
            sessions=self._sessions,
            tips=tips,
            **self._sums,
        )


def published_mah(reports: int, currents: Currents | None = None) -> float:
    """A day of sleep and so many reports, without anything else: the model behind the published figures."""
    use = Currents() if currents is None else currents
    return use.sleep_ma * 24 + reports * use.connect_mc / HOUR_S


def shares_mah(use: Use, currents: Currents, *, boot_ms: int = BOOT_MS) -> dict[str, float]:
    """mAh a day at 3.3 V by what takes it; siren and strobe are the battery's, at 12 V."""
    c = currents
    seconds = {
        "sleep": use.asleep_ms / 1000,
        # A session's connect has a boot in it; what the simulated radio was on for comes on top of that, without one.
        "awake": (use.span_ms - use.asleep_ms - use.radio_ms - use.sessions * boot_ms) / 1000,
        "sensor": use.sensor_ms / 1000,
        "radio": use.radio_ms / 1000,
        "tips": use.tips * c.tip_s,
    }
    charges = {
        "sleep": seconds["sleep"] * c.sleep_ma,
        "awake": seconds["awake"] * c.awake_ma,
        "sensor": seconds["sensor"] * c.sensor_ma,
        "connect": use.sessions * c.connect_mc,
        "tls": use.sessions * c.handshake_s * c.radio_ma,
        "radio": seconds["radio"] * c.radio_ma,
        "tips": seconds["tips"] * c.awake_ma,
    }
    days = use.span_ms / 1000 / DAY_S
    return {name: mc / HOUR_S / days for name, mc in charges.items()}


def battery_mah(chip_mah: float, currents: Currents | None = None) -> float:
    """mAh a day of a 12 V battery, divider and converter included."""
    c = Currents() if currents is None else currents
    return chip_mah * 3.3 / 12.6 / c.efficiency + c.divider_ma * 24


def reserve_mah(hours: float, state: int = 3, currents: Currents | None = None) -> float:
    """What so many hours of siren and strobe take of the 12 V battery, in the sounder's own pattern."""
    c = Currents() if currents is None else currents
    on_ms, off_ms = PATTERNS[state]
    return hours * (c.siren_ma * on_ms / (on_ms + off_ms) + c.strobe_ma)


def calm_day(sample_s: int, radio_s: int = 3600, make_body: Callable[[str], Body] | None = None) -> Use:
    """A calm day of a sleeping river gauge, lived through: the water stands below every level, reports go out by the hour."""
    whole = scenario.load("first_light")
    settings = {
        "power.profile": 1, "sample.interval": sample_s, "report.interval": min(3600, radio_s), "radio.interval": radio_s,
        "rise.limit": 0, "level.alert": 9000, "level.warning": 9500, "level.danger": 9900,
    }  # fmt: skip
    table = replace_struct(whole.stations[0], nodes=["dr01"], scale_milli=[1000], lag_s=[0], settings=settings)
    calm = replace_struct(whole, hours=_SETTLED_H + 24, stations=[table], outages=[], resets=[], spans=[])
    store = SqliteStore(":memory:")
    try:
        body = make_body or (lambda node: HostBody())
        district = fleet.District(calm, calm.seed, fleet.places(calm, calm.seed), body, Ingest(store))
        meter = Meter(district.stations[0])
        district.agenda.run(_SETTLED_H * HOUR_S * 1000)
        before = meter.use(district.moment.t)
        district.agenda.run(calm.span_ms)
        return meter.use(district.moment.t).since(before)
    finally:
        store.close()


def replace_struct(struct: Any, **changes: object) -> Any:
    import msgspec

    return msgspec.structs.replace(struct, **changes)


# The same day under other assumptions, each of them said.
CASES = {
    "as published": ("sleep and connect as published, TLS on top", Currents()),
    "known access point": (
        "no scan: 2 s less of each connect, at its mean current (a scan takes 2 s on the stock image)",
        Currents(connect_mc=300.0 - 2 * 300.0 / 4.2, connect_s=2.2),
    ),
    "known access point, 10 uA": (
        "and a board that takes 10 uA asleep (Espressif's data sheet: timer and RTC memory)",
        Currents(connect_mc=300.0 - 2 * 300.0 / 4.2, connect_s=2.2, sleep_ma=0.010),
    ),
}


def figures(samples_s: tuple[int, ...] = SAMPLES_S) -> dict[str, Any]:
    """For `waspada bench reliability`: mAh a day, with everything that went into them."""
    given = {reports: published_mah(reports) for reports in PUBLISHED}
    rows = []
    for sample_s in samples_s:
        use = calm_day(sample_s)
        for case, (about, currents) in CASES.items():
            shares = shares_mah(use, currents)
            total = sum(shares.values())
            rows.append(
                {
                    "sample_s": sample_s,
                    "case": case,
                    "about": about,
                    "mah_day": round(total, 2),
                    "goal_met": total <= GOAL_MAH,
                    "battery_12v_mah_day": round(battery_mah(total, currents), 2),
                    "shares": {name: round(mah, 3) for name, mah in shares.items() if mah},
                    "wakes": use.wakes,
                    "sessions": use.sessions,
                }
            )
    return {
        "published": {str(n): {"published": PUBLISHED[n], "model": round(mah, 3)} for n, mah in given.items()},
        "goal_mah_day": GOAL_MAH,
        "boot_ms": BOOT_MS,
        "rows": rows,
        "siren_reserve_mah": {f"{hours} h": round(reserve_mah(hours)) for hours in (1, 6, 12)},
        "currents": {
            f.name: {"value": round(getattr(Currents(), f.name), 4), "source": SOURCES[f.name]}
            for f in fields(Currents)
        },
    }


def meters(stations: Sequence[Station]) -> dict[str, Meter]:
    """One at each station whose data lets it sleep."""
    return {
        station.node: Meter(station) for station in stations if station.compiled["settings"].get("power.profile") == 1
    }


def mah_per_day(found: dict[str, Meter], t_ms: int) -> dict[str, float]:
    """Of each, at 3.3 V, over all of a run: floods, resets and talk in it. Siren and strobe are the 12 V battery's (`reserve_mah`)."""
    return {
        node: round(sum(shares_mah(meter.use(t_ms), Currents()).values()), 2) for node, meter in sorted(found.items())
    }


def with_boot(use: Use, boot_ms: int) -> Use:
    """The same day on a board that boots in `boot_ms`: what it saves or loses it sleeps."""
    return replace(use, asleep_ms=use.asleep_ms + use.wakes * (BOOT_MS - boot_ms))
