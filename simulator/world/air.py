"""The air's day at one place, in integers: temperature and humidity against each other, PM with two rush hours and now and
then smoke, CO2 that gathers at night. Synthetic; the shapes are textbook, the numbers ours.

Temperature in 0.01 degC, humidity in 0.01 %RH, PM2.5 and PM10 in 0.1 ug/m3, CO2 in ppm: the integers of the points.
"""

from collections.abc import Sequence

from simulator import noise
from simulator.world.waves import TURN, sine_ppm

_MINUTE_MS = 60_000
_DAY_MIN = 1440
_STEP_MIN = 10  # noise is straight between points this far apart
# Traffic by the hour, in 1/100 of the daily range.
_TRAFFIC = (8, 5, 4, 4, 8, 25, 60, 100, 90, 55, 40, 38, 42, 40, 40, 45, 60, 92, 98, 75, 50, 35, 22, 14)


class Air:
    """`at(t_ms)` gives a tuple of five; `starts_minute` is the local minute of the day at time 0."""

    def __init__(
        self,
        seed: int,
        name: str,
        starts_minute: int = 0,
        mean_cc: int = 2750,
        range_cc: int = 800,
        pm2_5: int = 120,
        smoke: Sequence[tuple[int, int, int]] = (),
        crowds: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        """`smoke`: (from ms, for ms, how much more at its height in 0.1 ug/m3); `crowds` the same in ppm of CO2."""
        self._keys = [noise.key(seed, name, what) for what in ("temperature", "humidity", "pm", "co2")]
        self._starts_minute = starts_minute
        self._mean_cc = mean_cc
        self._range_cc = range_cc
        self._pm2_5 = pm2_5
        self._smoke = tuple(smoke)
        self._crowds = tuple(crowds)

    def at(self, t_ms: int) -> tuple[int, int, int, int, int]:
        minute = (self._starts_minute + t_ms // _MINUTE_MS) % _DAY_MIN
        # warmest at 15:00
        wave = sine_ppm((minute - 540) * TURN // _DAY_MIN)
        temperature = self._mean_cc + self._range_cc * wave // 2_000_000 + self._wander(0, t_ms, 60)
        humidity = 7200 - 1800 * wave // 1_000_000 + self._wander(1, t_ms, 150)
        traffic = _between(_TRAFFIC, minute)
        pm2_5 = self._pm2_5 * (60 + traffic) // 100 + self._wander(2, t_ms, self._pm2_5 // 10)
        pm2_5 = max(pm2_5 + _swell(self._smoke, t_ms), 0)
        pm10 = pm2_5 * 16 // 10 + max(self._wander(2, t_ms, 20), 0)
        night = max(-wave, 0)
        co2 = 420 + 60 * night // 1_000_000 + traffic // 3 + self._wander(3, t_ms, 4) + _swell(self._crowds, t_ms)
        return temperature, max(0, min(10_000, humidity)), pm2_5, pm10, co2

    def _wander(self, which: int, t_ms: int, size: int) -> int:
        """About normal with standard deviation `size`, straight between points."""
        step_ms = _STEP_MIN * _MINUTE_MS
        i, rest = divmod(t_ms, step_ms)
        low, high = (noise.bell(noise.draw(self._keys[which], n)) * size // noise.BELL_SD for n in (i, i + 1))
        return low + (high - low) * rest // step_ms


def _swell(episodes: Sequence[tuple[int, int, int]], t_ms: int) -> int:
    """What the episodes add: each half a wave."""
    total = 0
    for begin, lasts, peak in episodes:
        if begin <= t_ms < begin + lasts:
            total += peak * sine_ppm((t_ms - begin) * TURN // (2 * lasts)) // 1_000_000
    return total


def _between(by_hour: tuple[int, ...], minute: int) -> int:
    hour, rest = divmod(minute, 60)
    low, high = by_hour[hour], by_hour[(hour + 1) % 24]
    return low + (high - low) * rest // 60
