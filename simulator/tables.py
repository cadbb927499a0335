"""The tables of a scenario's world: what is true of the district beside its rivers. Every row has a default that makes sense in the tropics."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
Name = Annotated[str, Meta(pattern=NAME)]
Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Spell = Annotated[list[Natural], Meta(min_length=2, max_length=2)]  # from, for; seconds
Episode = Annotated[list[Natural], Meta(min_length=3, max_length=3)]  # from, for (seconds), how much at its height
WATERS = ("tide", "tank", "flood")  # what a station's `series` may say instead of a recorded one
SPAN_KINDS = ("unplugged", "garbage", "wrong_chip", "bus_low", "silent", "storage")  # of sensors and flash


class Table(Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class SpanTable(Table):
    """Something wrong at one station for a while. `storage`: its flash fails. Else of a sensor: `sensor` is the number that the station's events tell
    (`sensor_number`), without it the level's; `bus_low` is of a whole bus, named as in the station's pins; `siren_broken`: it draws no current."""

    node: Name
    what: Literal["unplugged", "garbage", "wrong_chip", "bus_low", "silent", "storage", "siren_broken"]
    from_s: Natural
    for_s: Positive
    sensor: Natural | None = None
    bus: str | None = None

    @property
    def ms(self) -> tuple[int, int]:
        return self.from_s * 1000, (self.from_s + self.for_s) * 1000


class SiteTable(Table):
    """Where the district is; `tilt` and `azimuth` (180: south) are the panels'."""

    latitude: Annotated[float, Meta(ge=-90, le=90)] = 35.89
    longitude: Annotated[float, Meta(ge=-180, le=180)] = 139.95
    altitude_m: Annotated[float, Meta(ge=-400, le=9000)] = 20.0
    tilt: Annotated[float, Meta(ge=0, le=90)] = 30.0
    azimuth: Annotated[float, Meta(ge=0, le=360)] = 180.0
    mean_c: Annotated[float, Meta(ge=-40, le=50)] = 15.5
    swing_c: Annotated[float, Meta(ge=0, le=40)] = 11.0

    @property
    def local_minutes(self) -> int:
        """Solar time less UTC."""
        return round(self.longitude * 4)


class StormTable(Table):
    from_s: Natural
    for_s: Positive
    depth_um: Positive


class RainTable(Table):
    """`storms`, or without them some from the seed: a wet day in `wet_ppm` per million, around `median_um` deep."""

    storms: list[StormTable] | None = None
    wet_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 200_000
    median_um: Positive = 6000


class WaveTable(Table):
    name: str
    period_ms: Positive
    amplitude_mm: Natural
    phase: int = 0


class TideTable(Table):
    """`constituents`: without them a mixed tide of the size of the Java Sea's. The surge swells and ebbs like half a wave."""

    mean_mm: int = 1800
    constituents: list[WaveTable] | None = None
    surge_mm: Natural = 0
    surge_from_s: Natural = 0
    surge_for_s: Positive = 1


class TankTable(Table):
    """A tank that is filled and drawn once in `period_s`, between these two depths above its floor (gauge datum)."""

    height_mm: Positive = 5000
    low_mm: Natural = 1500
    high_mm: Natural = 4300
    period_s: Positive = 86_400


Wave = Annotated[list[Natural], Meta(min_length=4, max_length=4)]  # from, rises for, falls for (seconds), how high (mm)


class FloodTable(Table):
    """A river that stands at `base_mm` but for these waves, straight up and straight down."""

    base_mm: Natural = 200
    waves: list[Wave] = []


class AirTable(Table):
    """`smoke` in 0.1 ug/m3 of PM2.5, `crowds` in ppm of CO2: (from, for, how much more at the height)."""

    mean_cc: int = 2750
    range_cc: Natural = 800
    pm2_5: Natural = 120
    smoke: list[Episode] = []
    crowds: list[Episode] = []


class PanelTable(Table):
    """What becomes of a panel; the list's first is panel 1. Days are the scenario's, from 0."""

    dust: list[tuple[int, int, float]] = []  # first day, last day, share lost each day
    washed: list[int] = []  # evenings on which a person washes it
    wear_year: float = 0.0
    fault_day: int | None = None
    shade: tuple[int, int, int] | None = None  # from day, from minute, to minute of the solar day
    rain_cleans: bool = True


class SunTable(Table):
    """Light and panels: `file` is a recorded series in simulator/recorded or beside the scenario; without it pvlib makes them (extra `pv`)."""

    file: str = ""
    peak_mw: Positive = 300_000
    panels: list[PanelTable] = []


class WorldTable(Table):
    """`lid_open`: (from, for) in which a person is at the open enclosure."""

    site: SiteTable = msgspec.field(default_factory=SiteTable)
    rain: RainTable = msgspec.field(default_factory=RainTable)
    tide: TideTable = msgspec.field(default_factory=TideTable)
    tank: TankTable = msgspec.field(default_factory=TankTable)
    flood: FloodTable = msgspec.field(default_factory=FloodTable)
    air: AirTable = msgspec.field(default_factory=AirTable)
    sun: SunTable = msgspec.field(default_factory=SunTable)
    lid_open: list[Spell] = []
