"""What a station takes of its battery, from its parts' currents and its settings' times: a day, the days without sun, a panel for the worst month.

Nothing here was measured on a board. The simulator says the same from what a simulated station did (simulator/energy.py), by another way.
"""

import math
import tomllib
from functools import cache
from typing import Any

from hardware import harness
from hardware.compile import Station
from hardware.harness import setting
from hardware.parts import Part, parts
from hardware.shape import ROOM
from hardware.sites import MONTHS, Light, Site
from node.core.sounder import PATTERNS
from node.drivers import catalog

PROFILES = ("always on", "duty-cycled")
DAY_S = 86_400
_DANGER = 3
_MOST = 4  # panels or batteries in parallel
_FROSTLESS_DEGREES = 25  # of latitude


class _Line:
    """What a level's driver is started on where there is nothing to measure: all it says is how long a look takes."""

    def open(self) -> None: ...

    def close(self) -> None: ...

    def write(self, data: bytes) -> int:
        return len(data)

    def read_into(self, buffer: Any) -> int:
        return 0


@cache
def figures() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = tomllib.loads((ROOM / "power.toml").read_text(encoding="utf-8"))
    return found


def wakeful(station: Station) -> str:
    """Why a station never sleeps deep, whatever its profile says; "" where it does."""
    return "days of panels are more than RTC memory holds (node.duty)" if "panels" in station.source.values else ""


def runs_on(driver: str) -> bool:
    """Whether the driver's chip measures on between two samples: nothing stops it."""
    return driver in figures()["runs_on"]["drivers"]


def is_switched(station: Station, number: int) -> bool:
    return "power" in station.source.values["pins"][station.sensors[number]["bus"]]


def measuring_ms(station: Station, number: int) -> int:
    """How long a sensor is awake for one sample: a level's driver says it itself, of the others their data sheets do."""
    sensor, fitted, times = station.sensors[number], station.fittings.sensors[number], figures()["times"]
    told = max((part["warm_up_ms"] for part in (fitted.part, fitted.probe) if part), default=0)
    if sensor.get("gives") == "level":
        burst = times["burst_ms"] if sensor["driver"] in ("modbus", "current_loop") else 0
        try:
            return burst + int(catalog.make(catalog.LEVEL, sensor["driver"], _Line(), sensor).start())
        except (AttributeError, OSError, TypeError):
            return burst + int(told)
    if fitted.part and not is_switched(station, number):
        if runs_on(sensor["driver"]) or fitted.part["line"] == "rs485":
            return min(int(told), int(times["ask_ms"]))
    return int(told)


def measures_ms(station: Station) -> int:
    """How long a sample keeps the board awake: buses measure side by side, what shares one takes turns; but a level waits for nobody."""
    buses: dict[tuple[str, bool], int] = {}
    for i, sensor in enumerate(station.sensors):
        bus = sensor["bus"], sensor.get("gives") == "level"
        buses[bus] = buses.get(bus, 0) + measuring_ms(station, i)
    return max(buses.values())


class Day:
    """A mean day in one profile. `shares_mah` are at each load's own rail, `battery_mah` is what the battery gives for them."""

    def __init__(self, station: Station, profile: int, *, interval_s: int = 0) -> None:
        harness.demand(station)
        self.station, self.profile = station, profile
        self.samples = DAY_S / (interval_s or setting(station, "sample.interval"))
        self.wakeful = wakeful(station) if profile else ""
        self.shares_mah: dict[str, float] = {}
        self.battery_mah = 0.0
        self.loads_mah = 0.0  # of that, board, radio and sensors: what the simulator counts from events
        supply = station.fittings.supply
        self._volts = supply["battery"]["nominal_mv"] / 1000
        self._board()
        self._sensors()
        self._circuits()
        for name in ("regulator", "charger"):
            if name in supply:
                self._own(name, supply[name]["own_ua"])

    def _add(self, name: str, rail: str, microcoulombs: float) -> None:
        mah = microcoulombs / 3_600_000
        if not mah:
            return
        self.shares_mah[name] = self.shares_mah.get(name, 0) + mah
        regulator = self.station.fittings.supply["regulator"]
        # The board's 3.3 V regulator is a linear one: what it gives, the 5 V give.
        of_battery = regulator["output_mv"] / 1000 / self._volts * 100 / regulator["efficiency_percent"]
        given = mah * (1 if rail == "battery" else of_battery)
        self.loads_mah += given
        self.battery_mah += given

    def _own(self, name: str, ua: float) -> None:
        """What the supply itself takes of the battery, day and night."""
        self.shares_mah[name] = ua * 24 / 1000
        self.battery_mah += ua * 24 / 1000

    def _board(self) -> None:
        station, board = self.station, self.station.board
        radio = figures()[station.access.get("access", "wifi")]
        self._add("modem", "5V", radio.get("on_ua", 0) * DAY_S)
        if not self.profile:
            self._add("board", "5V", board["asleep_ua"] * DAY_S)
            self._add("link", "5V", radio["link_ua"] * DAY_S)
            return
        times = figures()["times"]
        sessions = DAY_S / setting(station, "radio.interval")
        awake_s = self.samples * (times["boot_ms"] + measures_ms(station)) / 1000
        awake_s -= sessions * times["boot_ms"] / 1000  # a session's charge has its boot in it
        talk_s = sessions * radio["talk_ms"] / 1000
        tips_s = 0 if self.wakeful else self._tips() * times["tip_ms"] / 1000
        awake_s = DAY_S if self.wakeful else max(awake_s, 0)
        awake_s = min(awake_s, DAY_S - talk_s - tips_s)
        self._add("asleep", "5V", board["asleep_ua"] * (DAY_S - awake_s - tips_s))
        self._add("awake", "5V", board["awake_ua"] * awake_s)
        self._add("tips", "5V", board["awake_ua"] * tips_s)
        self._add("sessions", "5V", sessions * radio["session_uc"])
        self._add("tls", "5V", sessions * radio["tls_ms"] / 1000 * radio["link_ua"])
        self._add("talk", "5V", talk_s * radio["link_ua"])

    def _tips(self) -> float:
        sizes = [sensor["tip_nm"] for sensor in self.station.sensors if "tip_nm" in sensor]
        return sum(figures()["times"]["rain_um_day"] * 1000 / size for size in sizes)

    def _works_s(self, number: int) -> float:
        """How long a sensor takes what it takes awake."""
        sleeps = self.profile and not self.wakeful
        if runs_on(self.station.sensors[number]["driver"]) and not (sleeps and is_switched(self.station, number)):
            return DAY_S
        return min(DAY_S, self.samples * measuring_ms(self.station, number) / 1000)

    def _sensors(self) -> None:
        station = self.station
        converters = set()
        for i, fitted in enumerate(station.fittings.sensors):
            sensor = station.sensors[i]
            where = (sensor["bus"], sensor.get("address", i))
            if fitted.part and fitted.rail and where not in converters:
                self._part(fitted.part, fitted.rail, self._works_s(i), is_switched(station, i))
            converters.add(where)
            if fitted.probe and fitted.probe_rail:  # a loop's transmitter draws what it says, whoever reads it
                self._part(fitted.probe, fitted.probe_rail, DAY_S, False)

    def _part(self, part: Part, rail: str, works_s: float, switched: bool) -> None:
        waits_ua = 0 if switched else part["asleep_ua"]
        self._add(part.id, rail, part["awake_ua"] * works_s + waits_ua * (DAY_S - works_s))

    def _circuits(self) -> None:
        station = self.station
        for name, fit in station.fittings.fits.items():
            works_s = sum(self._works_s(i) for i, sensor in enumerate(station.sensors) if sensor["bus"] == name)
            for part in fit.has("rs485"):
                self._part(part, fit.rail or "3V3", min(DAY_S, works_s), False)
            for part in fit.has("divider"):
                if station.source.values["pins"][name]["kind"] == "adc":
                    self._own("battery divider", self._volts / (part["top_ohm"] + part["bottom_ohm"]) * 1e6)

    def as_data(self) -> dict[str, Any]:
        return {
            "profile": PROFILES[self.profile], "mah_day": round(self.battery_mah, 1), "wh_day": round(self.battery_mah * self._volts / 1000, 2),
            "samples_day": round(self.samples), "never_sleeps": self.wakeful, "loads_mah_day": {name: round(mah, 2) for name, mah in self.shares_mah.items()},
        }  # fmt: skip


def reserve_mah(station: Station, hours: float) -> float:
    """What so many hours at danger take: the siren in the sounder's own pattern, the strobe throughout."""
    on_ms, off_ms = PATTERNS[_DANGER]
    found = 0.0
    for name in ("siren", "strobe"):
        part = station.fittings.fit(name).part
        if part:
            duty = on_ms / (on_ms + off_ms) if name == "siren" else 1.0
            found += part["awake_ua"] / 1000 * duty * hours
    return found


def usable_mah(station: Station) -> float:
    battery = station.fittings.supply["battery"]
    return float(battery["mah"] * station.fittings.batteries * figures()["sizing"]["battery_percent"] / 100)


def autonomy_days(station: Station, day: Day, siren_h: float) -> float:
    """Days without sun, the siren's reserve untouched."""
    return max(0.0, usable_mah(station) - reserve_mah(station, siren_h)) / day.battery_mah


def budget(station: Station, siren_h: float | None = None) -> dict[str, Any]:
    """What is so at any site."""
    sizing = figures()["sizing"]
    hours = sizing["siren_h"] if siren_h is None else siren_h
    days = [Day(station, profile) for profile in range(len(PROFILES))]
    reserve = reserve_mah(station, hours)
    battery = station.fittings.supply["battery"]
    has_mah = battery["mah"] * station.fittings.batteries
    fed = "panel" in station.fittings.supply  # where no panel feeds the battery nobody waits for the sun
    rows: list[dict[str, Any]] = []
    for day in days:
        needs = (sizing["days"] * day.battery_mah + reserve) * 100 / sizing["battery_percent"]
        rows.append({**day.as_data(), "autonomy_days": round(autonomy_days(station, day, hours), 1),
                     "battery_needed_mah": round(needs), "battery": _battery(station, needs),
                     "battery_suffices": not fed or has_mah >= round(needs)})  # fmt: skip
    found = {
        "station": station.source.path.stem, "is": PROFILES[setting(station, "power.profile")], "profiles": rows, "siren_h": hours,
        "siren_reserve_mah": round(reserve), "days_wanted": sizing["days"], "has_battery": battery.id, "batteries": station.fittings.batteries,
        "has_mah": has_mah,
        "not_counted": [name for name, row in station.pins.items() if row["kind"] == "output" and name not in ("siren", "strobe")],
    }  # fmt: skip
    return {**found, "lacks": _lacks(found)}


def in_force(found: dict[str, Any]) -> dict[str, Any]:
    """The row of the profile that the station's settings choose."""
    row: dict[str, Any] = next(row for row in found["profiles"] if row["profile"] == found["is"])
    return row


def _lacks(found: dict[str, Any]) -> list[str]:
    """What does not suffice for the profile in force."""
    row, lacks = in_force(found), []
    if not row["battery_suffices"]:
        needs = f"{row['battery_needed_mah']} mAh for {found['days_wanted']} days without sun"
        lacks.append(f"its battery has {found['has_mah']} mAh, and it needs {needs} ({row['battery']})")
    if "site" in found and row["panel_needed_w"] is None:
        lacks.append(f"no panel feeds it in {found['worst_month']}")
    elif "site" in found and not row["panel_suffices"]:
        lacks.append(
            f"its panel has {found['has_panel_w']:g} W, and it needs {row['panel_needed_w']:g} ({row['panel']})"
        )
    return lacks


def _battery(station: Station, needs_mah: float) -> str:
    """In frost only one that refuses its charge there."""
    batteries = [part for part in parts("supplies").values() if part.kind == "battery"]
    if (station.fittings.coldest_c or 0) < 0:
        batteries = [part for part in batteries if part.get("cold_cut_off")]
    return _fewest(batteries, "mah", needs_mah)


def _panel(needs_mw: float) -> str:
    panels = [part for part in parts("supplies").values() if part.id.startswith("panel_")]
    return _fewest(panels, "peak_mw", needs_mw)


def _fewest(choices: list[Part], key: str, needed: float) -> str:
    """The cheapest of so many alike; a station's file takes four."""
    rows = [(math.ceil(needed / part[key]) or 1, part) for part in choices]
    rows = [row for row in rows if row[0] <= _MOST] or rows
    count, part = min(rows, key=lambda row: (row[0] * row[1]["usd_cents"], row[0]))
    return f"{count} of {part.id}" if count > 1 else part.id


def at_site(station: Station, site: Site, tilt: int | None = None, siren_h: float | None = None) -> dict[str, Any]:
    """The budget, and a panel for the site's worst month."""
    light = Light(site)
    tilt = light.best_tilt() if tilt is None else tilt
    months = light.wh_m2_day(tilt)
    worst = min(range(12), key=lambda month: months[month])
    found = budget(station, siren_h)
    supply, sizing = station.fittings.supply, figures()["sizing"]
    charger = supply["charger"]["efficiency_percent"] if "charger" in supply else 100
    wh_of_a_watt = months[worst] / 1000 * sizing["panel_percent"] / 100 * charger / 100
    has_mw = supply["panel"]["peak_mw"] * station.fittings.panels if "panel" in supply else 0
    for row in found["profiles"]:
        needs_mw = row["wh_day"] * (100 + sizing["spare_percent"]) / 100 / wh_of_a_watt * 1000 if wh_of_a_watt else None
        row |= {
            "panel_needed_w": None if needs_mw is None else round(needs_mw / 1000, 1),
            "panel": "" if needs_mw is None else _panel(needs_mw),
            "panel_suffices": needs_mw is not None and has_mw >= needs_mw,
        }
    found |= {
        "site": site.name, "worst_month": MONTHS[worst], "tilt": tilt, "azimuth": light.azimuth, "worst_wh_m2_day": round(months[worst]),
        "wh_m2_day": [round(each) for each in months], "horizontal_wh_m2_day": list(site.wh_m2_day), "source": site.source, "where": site.where,
        "assumed": dict(site.assumed), "frost_unasked": abs(site.latitude) > _FROSTLESS_DEGREES and (station.fittings.coldest_c or 0) >= 0,
        "has_panel_w": has_mw / 1000,
    }  # fmt: skip
    return {**found, "lacks": _lacks(found)}
