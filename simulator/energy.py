"""What a station takes of its battery: currents, each with its source, times what a simulated station did (simulator/meter.py).

The model first gives back the published figures (3.2 mAh a day for hourly reports, 9.2 for one every 15 minutes) from their own inputs; then it says ours.
Those, and the project's goal, are of a low-power board at the chip's 3.3 V: a development board's regulator, USB bridge and lamp stay on in deep sleep
and take ten times as much (the case "development board"). A station that has a file is priced with its own board's and parts' currents (`Prices`).
Nothing here was measured on a board of ours: `source` says of each number where it is from, and "assumed" where it is from nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from hardware.compile import Station as Described
from node.core.sounder import PATTERNS
from simulator import fleet, scenario
from simulator.adapters.power import BOOT_MS
from simulator.meter import Meter, Use
from simulator.runtimes.host import HostBody
from simulator.stations import Body, Station
from simulator.tables import RainTable

DAY_S = 86_400
HOUR_S = 3600
GOAL_MAH = 4.0  # hourly reports with TLS, on a low-power board
PUBLISHED = {24: 3.2, 96: 9.2}  # reports a day: mAh a day, on a board of 50 uA asleep
SAMPLES_S = (60, 300, 900, 3600)
BATTERY_V = 12.8
CONVERTER_V = 5.0
RAIN_UM_DAY = 12_000  # of a calm day
_HALF_MM = 2500
_SETTLED_H = 2  # of a run, before the day that counts


@dataclass(frozen=True, slots=True)
class Currents:
    """In mA, mC, s, as the names say. `SOURCES` has where each is from."""

    sleep_ma: float = 0.050
    awake_ma: float = 38.0
    connect_mc: float = 300.0
    connect_s: float = 4.2
    modem_ma: float = 0.0
    handshake_s: float = 2.0
    sensor_ma: float = 8.0
    tip_s: float = 0.45
    siren_ma: float = 1000.0
    strobe_ma: float = 200.0
    divider_ma: float = BATTERY_V / 570.0
    own_ma: float = 1.2
    efficiency: float = 0.85

    @property
    def radio_ma(self) -> float:
        return self.connect_mc / self.connect_s


SOURCES = {
    "sleep_ma": "published with the figures it gives back: a low-power board; the bare chip takes 0.006, a development board 4 and more (hardware/boards)",
    "awake_ma": "measured by others on an ESP32-S module, radio off; Espressif's data sheet has 27 to 44 at 160 MHz",
    "connect_mc": "published: one Wi-Fi connect and publish, the boot in it",
    "connect_s": "published: one Wi-Fi connect and publish",
    "modem_ma": "measured by others, with LTE: a LilyGO T-A7670, the chip asleep and its modem on (Xinyuan-LilyGO/LilyGo-Modem-Series, issue 18)",
    "handshake_s": "key arithmetic of TLS 1.2 with a client's certificate, about 2 s on an emulated ESP32; at the published session's mean current (assumed)",
    "sensor_ma": "the ranger's data sheet, average current (hardware/parts/sensors.toml, a02yyuw)",
    "tip_s": "assumed: 300 ms of boot, the contact's closing waited for, asleep again",
    "siren_ma": "assumed: a 12 W siren on 12 V",
    "strobe_ma": "assumed: a 2.4 W strobe on 12 V",
    "divider_ma": "12.8 V over the stations' battery divider of 570 kOhm (hardware/parts/circuits.toml); of the battery, not of the chip",
    "own_ma": "charger and 5 V converter at rest (hardware/parts/supplies.toml, read from memory); of the battery",
    "efficiency": "assumed: a step-down converter from the battery to 5 V at these loads; from there on the boards' 3.3 V regulators are linear",
}
assert set(SOURCES) == {field.name for field in fields(Currents)}
# Where it is not Wi-Fi: a modem on top day and night, and what the link takes beside it.
LINKS: Mapping[str, Mapping[str, float]] = {
    "wifi": {},
    "lte": {"modem_ma": 66.0, "connect_mc": 8.0 * 44, "connect_s": 8.0},  # assumed: dialling and PPP, the chip awake
    "lan": {
        "connect_mc": 5.0 * 189,
        "connect_s": 5.0,
    },  # an Olimex ESP32-POE, link less sleep: 1.525 W less 0.579, at 5 V; 5 s assumed
}


@dataclass(frozen=True, slots=True)
class Draw:
    """What hangs on one of a station's sensors: mA while it works, and while it waits (0 where a switch takes its supply)."""

    sensor: int  # its place in the station's file
    works_ma: float
    waits_ma: float
    on_battery: bool = False  # else behind the 5 V converter


@dataclass(frozen=True, slots=True)
class Prices:
    """A station's own: its board's currents, and those of the parts on its sensors."""

    currents: Currents = Currents()
    draws: tuple[Draw, ...] | None = None  # None: a ranger of `sensor_ma` that is switched


def prices_of(described: Described | None) -> Prices:
    """From the parts that the station's file names; the simulator's own gauge has a low-power board and a switched ranger."""
    if described is None:
        return Prices()
    board, supply = described.board, described.fittings.supply
    link = LINKS[described.access.get("access", "wifi")]
    currents = Currents(sleep_ma=board["asleep_ua"] / 1000, awake_ma=board["awake_ua"] / 1000, **link)
    if supply:
        own_ua = sum(supply[name]["own_ua"] for name in ("charger", "regulator") if name in supply)
        currents = replace(currents, own_ma=own_ua / 1000, efficiency=supply["regulator"]["efficiency_percent"] / 100)
    found: list[Draw] = []
    seen = set()  # a converter or a transceiver that several sensors share is one
    for i, (row, fitted) in enumerate(zip(described.sensors, described.fittings.sensors, strict=True)):
        switched = "power" in described.source.values["pins"][row["bus"]]
        where = row["bus"], row.get("address", i)
        if fitted.part and where not in seen:
            found.append(_draw(i, fitted.part, fitted.rail, switched))
        if fitted.probe:  # a loop's transmitter draws what it says, whoever reads it: at most this
            full_ma = fitted.probe["awake_ua"] / 1000
            found.append(Draw(i, full_ma, full_ma, fitted.probe_rail == "battery"))
        for part in described.fittings.fit(row["bus"]).has("rs485"):
            if row["bus"] not in seen:
                found.append(_draw(i, part, "3V3", False))
        seen |= {where, row["bus"]}
    return Prices(currents, tuple(found))


def is_on_wifi(described: Described | None) -> bool:
    """The one radio whose charge anybody published: what a modem or a cable takes is not lived through here."""
    return described is None or described.access.get("access", "wifi") == "wifi"


def _draw(sensor: int, part: Any, rail: str | None, switched: bool) -> Draw:
    return Draw(sensor, part["awake_ua"] / 1000, 0 if switched else part["asleep_ua"] / 1000, rail == "battery")


def published_mah(reports: int, currents: Currents | None = None) -> float:
    """A day of sleep and so many reports, without anything else: the model behind the published figures."""
    use = Currents() if currents is None else currents
    return use.sleep_ma * 24 + reports * use.connect_mc / HOUR_S


def shares_mah(use: Use, currents: Currents, *, boot_ms: int = BOOT_MS) -> dict[str, float]:
    """mAh a day by what takes it, at the chip's 3.3 V; siren and strobe are the battery's, at 12 V."""
    c = currents
    seconds = {
        # Whatever on a board is not the chip goes on while the radio does: its charge was measured without.
        "sleep": (use.asleep_ms + use.radio_ms) / 1000,
        # A session's connect has a boot in it; what the simulated radio was on for comes on top of that, without one.
        "awake": max(0, use.span_ms - use.asleep_ms - use.radio_ms - use.sessions * boot_ms) / 1000,
        "sensor": sum(use.works_ms) / 1000,
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
        "modem": use.span_ms / 1000 * c.modem_ma,
    }
    return {name: _a_day(mc, use) for name, mc in charges.items()}


def priced_mah(use: Use, prices: Prices) -> tuple[float, float]:
    """mAh a day (behind the 5 V converter, straight off the battery). The board's regulator is linear: what the chip takes, the 5 V give."""
    shares = shares_mah(use, prices.currents)
    if prices.draws is None:
        return sum(shares.values()), 0.0
    rails = [sum(mah for name, mah in shares.items() if name != "sensor"), 0.0]
    for draw in prices.draws:
        works_ms = use.works_ms[draw.sensor]
        mc = (works_ms * draw.works_ma + (use.span_ms - works_ms) * draw.waits_ma) / 1000
        rails[draw.on_battery] += _a_day(mc, use)
    return rails[0], rails[1]


def _a_day(mc: float, use: Use) -> float:
    return mc / HOUR_S / (use.span_ms / 1000 / DAY_S)


def battery_mah(chip_mah: float, currents: Currents | None = None, *, straight_mah: float = 0.0) -> float:
    """mAh a day of the 12.8 V battery: the loads behind the 5 V converter and a linear regulator, those straight on it, and what the supply itself takes."""
    c = Currents() if currents is None else currents
    return loads_mah(chip_mah, straight_mah, c) + (c.divider_ma + c.own_ma) * 24


def loads_mah(chip_mah: float, straight_mah: float, currents: Currents) -> float:
    """Of that, what the loads are."""
    return chip_mah * CONVERTER_V / BATTERY_V / currents.efficiency + straight_mah


def reserve_mah(hours: float, state: int = 3, currents: Currents | None = None) -> float:
    """What so many hours of siren and strobe take of the 12 V battery, in the sounder's own pattern."""
    c = Currents() if currents is None else currents
    on_ms, off_ms = PATTERNS[state]
    return hours * (c.siren_ma * on_ms / (on_ms + off_ms) + c.strobe_ma)


def calm_day(
    sample_s: int,
    radio_s: int = 3600,
    make_body: Callable[[str], Body] | None = None,
    *,
    station: str = "",
    profile: int = 1,
    hours: int = 24,
) -> Use:
    """A calm day (or `hours` of it) of one station, lived through: nothing is alarmed, 12 mm of rain fall, reports go out by the hour. `station` is one of
    hardware/stations or a file of that kind; without it the simulator's own river gauge."""
    calm = _calm(sample_s, radio_s, station, profile, hours)
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


def _calm(sample_s: int, radio_s: int, station: str, profile: int, hours: int) -> scenario.Scenario:
    """The water stands below every level, the tank is half full, and it drizzles."""
    settings = {
        "power.profile": profile, "sample.interval": sample_s, "report.interval": min(3600, radio_s),
        "radio.interval": radio_s,
    }  # fmt: skip
    described = fleet.described(station)
    if described is None or any(key == "level" for key, _ in described.points):
        settings |= {"rise.limit": 0, "level.alert": 9000, "level.warning": 9500, "level.danger": 9900}
    whole, other = scenario.load("first_light"), scenario.load("every_sensor")
    until_s = (_SETTLED_H + hours) * HOUR_S
    rain = {"storms": [{"from_s": 0, "for_s": until_s, "depth_um": RAIN_UM_DAY * until_s // DAY_S}]}
    world = replace_struct(
        other.world,
        tank=replace_struct(other.world.tank, low_mm=_HALF_MM, high_mm=_HALF_MM),
        rain=msgspec.convert(rain, RainTable),
        air=replace_struct(other.world.air, smoke=[], crowds=[]),
    )
    table = replace_struct(
        whole.stations[0], nodes=["dr01"], station=station, scale_milli=[1000], lag_s=[0], settings=settings
    )
    return replace_struct(
        whole, folder=other.folder, hours=_SETTLED_H + hours, stations=[table], outages=[], resets=[], spans=[], world=world
    )  # fmt: skip


def replace_struct(struct: Any, **changes: object) -> Any:
    return msgspec.structs.replace(struct, **changes)


# The same day under other assumptions, each of them said.
CASES = {
    "low-power board": ("sleep and connect as published, TLS on top", Currents()),
    "low-power board, known access point": (
        "no scan: 2 s less of each connect, at its mean current (a scan takes 2 s on the stock image)",
        Currents(connect_mc=300.0 - 2 * 300.0 / 4.2, connect_s=2.2),
    ),
    "low-power board of 10 uA, known access point": (
        "and a board that takes 10 uA asleep (Espressif's data sheet: timer and RTC memory; measured on a FireBeetle, hardware/boards)",
        Currents(connect_mc=300.0 - 2 * 300.0 / 4.2, connect_s=2.2, sleep_ma=0.010),
    ),
    "development board": (
        "an ESP32-DevKitC V4: 3.8 mA asleep, 43 awake, measured at its 5 V by others (hardware/boards/esp32_devkitc_v4.toml)",
        Currents(sleep_ma=3.8, awake_ma=43.0),
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


def mah_per_day(found: Mapping[str, Meter], t_ms: int, places: Sequence[fleet.Place]) -> dict[str, float]:
    """Of each, at its loads' own rails, over all of a run: floods, resets and talk in it. Siren and strobe are not in it (`reserve_mah`)."""
    described = {place.node: place.described for place in places}
    return {
        node: round(sum(priced_mah(meter.use(t_ms), prices_of(described[node]))), 2)
        for node, meter in sorted(found.items())
        if is_on_wifi(described[node])
    }


def with_boot(use: Use, boot_ms: int) -> Use:
    """The same day on a board that boots in `boot_ms`: what it saves or loses it sleeps."""
    return replace(use, asleep_ms=use.asleep_ms + use.wakes * (BOOT_MS - boot_ms))
