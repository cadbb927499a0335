"""What is true around one station, point by point: functions of virtual milliseconds that give the point's own integers, without noise.

Chips are told them, and what a station publishes is compared with them. The whole district has one weather; what a station's own mast changes (its air, its
battery) is drawn from seed and name.
"""

from collections.abc import Callable
from functools import lru_cache
from math import acos, pi, sin

from node.core.hydrology import sound_mm_s
from simulator import noise, sunlight
from simulator.errors import InputError
from simulator.scenario import Scenario
from simulator.world.air import Air
from simulator.world.rain import DAY_MS, Rain, Storm, storms
from simulator.world.river import Battery, River
from simulator.world.tide import MIXED, Constituent, Tide
from simulator.world.waves import TURN, sine_ppm

Truth = Callable[[int], int]
_STEP_MS = 300_000  # tide and tank as points this far apart, straight between: the judge wants corners
_WEATHER = "weather"
_BRIGHT_MW = 1000  # a panel below a watt is asleep


def weather_rain(scenario: Scenario, seed: int) -> tuple[Storm, ...]:
    """The district's storms, as the scenario names them or as the seed draws them."""
    table = scenario.world.rain
    if table.storms is not None:
        return tuple(Storm(storm.from_s * 1000, storm.for_s * 1000, storm.depth_um) for storm in table.storms)
    days = scenario.hours // 24 + 1
    return tuple(storms(seed, _WEATHER, days, table.wet_ppm, table.median_um))


def tide(scenario: Scenario) -> River:
    table = scenario.world.tide
    waves = MIXED if table.constituents is None else [Constituent(w.name, w.period_ms, w.amplitude_mm, w.phase) for w in table.constituents]  # fmt: skip
    sea = Tide(waves, table.mean_mm, table.surge_mm, table.surge_from_s * 1000, table.surge_for_s * 1000)
    return _sampled(scenario, sea.at)


def tank(scenario: Scenario) -> River:
    """Fullest a quarter of a period after the start."""
    table = scenario.world.tank
    middle, swing = (table.high_mm + table.low_mm) // 2, (table.high_mm - table.low_mm) // 2
    period_ms = table.period_s * 1000
    return _sampled(scenario, lambda t_ms: middle + swing * sine_ppm(t_ms * TURN // period_ms) // 1_000_000)


def flood(scenario: Scenario) -> River:
    """Waves on a base, the highest of them where they meet; straight between minutes."""
    table = scenario.world.flood
    until_s = scenario.hours * 3600 + scenario.drain_s
    points = [table.base_mm] * (until_s // 60 + 2)
    for begin, rises, falls, height in table.waves:
        for i in range(begin // 60, min(len(points), (begin + rises + falls) // 60 + 2)):
            gone = i * 60 - begin
            share = (
                gone * height // max(1, rises) if gone < rises else height - (gone - rises) * height // max(1, falls)
            )
            points[i] = max(points[i], table.base_mm + share)
    return River(points, 60_000)


def _sampled(scenario: Scenario, at: Truth) -> River:
    until_ms = scenario.span_ms + scenario.drain_s * 1000
    return River([at(t) for t in range(0, until_ms + 2 * _STEP_MS, _STEP_MS)], _STEP_MS)


class Surroundings:
    """`truth("co2")` and so on; the water is None where there is none. InputError names what this world has not."""

    def __init__(
        self, scenario: Scenario, seed: int, node: str, water: River | None, vessel: dict | None = None
    ) -> None:
        world = scenario.world
        self.node = node
        self.water = water
        self.tank = tank(scenario) if water is None else water
        self._vessel = vessel or {"height_mm": world.tank.height_mm}
        self.rain = Rain(weather_rain(scenario, seed))
        self.starts_unix_ms = scenario.starts_unix_ms
        self.battery = Battery(self.starts_unix_ms)
        self.siren_on: Callable[[], int] = lambda: 0
        self._scenario = scenario
        self._seed = seed
        self._key = noise.key(seed, node, "surroundings")
        self._lid_open = tuple((begin * 1000, (begin + lasts) * 1000) for begin, lasts in world.lid_open)
        minutes = (self.starts_unix_ms // 60_000 + world.site.local_minutes) % 1440
        smoke, crowds = (
            [(begin * 1000, lasts * 1000, more) for begin, lasts, more in episodes]
            for episodes in (world.air.smoke, world.air.crowds)
        )
        air = Air(seed, node, minutes, world.air.mean_cc, world.air.range_cc, world.air.pm2_5, smoke, crowds)
        self._air = lru_cache(64)(air.at)  # a burst of chips asks about one moment
        self._sun: sunlight.Sunlight | None = None

    @property
    def sun(self) -> sunlight.Sunlight:
        """Made when a station first asks: without a recorded file it needs pvlib."""
        if self._sun is None:
            self._sun = sunlight.of(self._scenario, self._seed, weather_rain(self._scenario, self._seed))
        return self._sun

    def truth(self, key: str) -> Truth:
        name, _, number = key.partition(":")
        panel = int(number or 1)
        if name in ("panel_voltage", "panel_current", "panel_power", "module_temperature", "irradiance"):
            return self._of_sun(name, panel)
        of = getattr(self, f"_{name}", None)
        if of is None:
            raise InputError(f"the simulated world has no '{key}': leave it out of the sensor's gives")
        return of

    def level_mm(self) -> Truth:
        if self.water is None:
            raise InputError(f"station '{self.node}' measures a level: give its table a series, or series = \"tide\"")
        return self.water.at

    def rain_rate_over(self, interval_ms: int) -> Truth:
        """Tenths of a mm an hour, of what fell in the interval before."""

        def rate(t_ms: int) -> int:
            return self.rain.between_um(max(0, t_ms - interval_ms), t_ms) * 36_000 // interval_ms

        return rate

    # Sun and panels

    def _of_sun(self, name: str, panel: int) -> Truth:
        sun = self.sun
        if name == "irradiance":
            return sun.irradiance_w.at
        if name == "module_temperature":
            return sun.module_cc.at
        if panel > len(sun.powers_mw):
            raise InputError(
                f"the sun of scenario '{self._scenario.name}' has {len(sun.powers_mw)} panels, not {panel}"
            )
        power = sun.powers_mw[panel - 1].at

        def volts(t_ms: int) -> int:
            """At its maximum power point: 31 V at 25 degC and 0.1 V less for each degree; asleep 0."""
            return 31_000 - (sun.module_cc.at(t_ms) - 2500) if power(t_ms) >= _BRIGHT_MW else 0

        def amperes(t_ms: int) -> int:
            mv = volts(t_ms)
            return (power(t_ms) * 1000 + mv // 2) // mv if mv else 0

        if name == "panel_voltage":
            return volts
        if name == "panel_current":
            return amperes
        return lambda t_ms: (volts(t_ms) * amperes(t_ms) + 50_000) // 100_000

    # Water

    def _water_temperature(self, t_ms: int) -> int:
        return 1800 + 150 * self._day(t_ms) // 1_000_000

    def _depth(self, t_ms: int) -> int:
        """Of the tank."""
        return self.tank.at(t_ms)

    def _fill(self, t_ms: int) -> int:
        """Tenths of a per cent, of the tank in the station's description or else the world's own, which stands upright."""
        vessel = self._vessel
        full = vessel["height_mm"]
        depth = max(0, self.tank.at(t_ms) - vessel.get("bottom_mm", 0))
        if vessel.get("shape") != "lying":
            return depth * 1000 // full
        angle = 2 * acos(1 - 2 * min(depth, full) / full)
        return round((angle - sin(angle)) / (2 * pi) * 1000)

    def _conductivity(self, t_ms: int) -> int:
        """A river's, 1/10000 S/m."""
        return 320 + self._wander("conductivity", t_ms, 20)

    # Air

    def _temperature(self, t_ms: int) -> int:
        return self._air(t_ms)[0]

    def _humidity(self, t_ms: int) -> int:
        return self._air(t_ms)[1]

    def _pm2_5(self, t_ms: int) -> int:
        return self._air(t_ms)[2]

    def _pm10(self, t_ms: int) -> int:
        return self._air(t_ms)[3]

    def _pm1(self, t_ms: int) -> int:
        return self._air(t_ms)[2] * 7 // 10

    def _pm4(self, t_ms: int) -> int:
        _, _, fine, coarse, _ = self._air(t_ms)
        return (fine + coarse) // 2

    def _co2(self, t_ms: int) -> int:
        return self._air(t_ms)[4]

    def _pressure(self, t_ms: int) -> int:
        """Two tides of the air a day, and the weather."""
        return 101_000 + 120 * sine_ppm(2 * t_ms * TURN // DAY_MS) // 1_000_000 + self._wander("pressure", t_ms, 60)

    def _voc_index(self, t_ms: int) -> int:
        return max(10, 1000 + self._wander("voc", t_ms, 150))

    def _nox_index(self, t_ms: int) -> int:
        return max(10, 12 + self._wander("nox", t_ms, 3))

    def _sound_level(self, t_ms: int) -> int:
        return 520 + 60 * self._day(t_ms) // 1_000_000 + self._wander("sound", t_ms, 15)

    def _wind_speed(self, t_ms: int) -> int:
        return max(0, 320 + self._wander("wind", t_ms, 120))

    def _wind_direction(self, t_ms: int) -> int:
        return (4200 + self._wander("direction", t_ms, 400)) % 6283

    # The station itself

    def _battery(self, t_ms: int) -> int:
        return self.battery.at(t_ms)

    def _charger_voltage(self, t_ms: int) -> int:
        return self.battery.at(t_ms) + 350

    def _charger_current(self, t_ms: int) -> int:
        """Charges by day, feeds the station by night."""
        return 900 * max(self._day(t_ms), 0) // 1_000_000 - 60

    def _enclosure_temperature(self, t_ms: int) -> int:
        return self._air(t_ms)[0] + 400 + 500 * max(self._day(t_ms), 0) // 1_000_000

    def _enclosure_humidity(self, t_ms: int) -> int:
        return 4500 + self._wander("enclosure", t_ms, 100)

    def _lid(self, t_ms: int) -> int:
        """1 closed."""
        return 0 if any(begin <= t_ms < end for begin, end in self._lid_open) else 1

    def _siren_current(self, t_ms: int) -> int:
        """Now: what it drew earlier is not asked."""
        return 2400 if self.siren_on() else 0

    def _day(self, t_ms: int) -> int:
        """A sine in millionths, highest at 15 h of local solar time."""
        minutes = self._scenario.world.site.local_minutes
        return sine_ppm((self.starts_unix_ms + t_ms + (minutes - 540) * 60_000) % DAY_MS * TURN // DAY_MS)

    def _wander(self, what: str, t_ms: int, size: int) -> int:
        """About normal with standard deviation `size`, straight between points ten minutes apart."""
        key = noise.key(self._key, what)
        i, rest = divmod(t_ms, 600_000)
        low, high = (noise.bell(noise.draw(key, n)) * size // noise.BELL_SD for n in (i, i + 1))
        return low + (high - low) * rest // 600_000


def beam_mm(distance_mm: int, versine: int, assumed_cc: int | None, air_cc: int) -> int:
    """What a ranger says of a distance straight down: longer by its beam's tilt, and by what it believes of the air."""
    beam = distance_mm * 1_000_000 // (1_000_000 - versine)
    if assumed_cc is not None:
        beam = beam * sound_mm_s(assumed_cc) // sound_mm_s(air_cc)
    return beam
