"""What a station watches beside its level, as the judge sees it: the truth of each quantity and how far off a right station may be.

The margin is what the best of our sensors may be off by its data sheet, in the quantity's own unit; a raise is false only beyond it, a crossing missed only
when the truth went further than it. Rain's rate is counted in tips: two of 0.2 mm in the five minutes that a rate is taken over.
"""

from collections.abc import Callable, Sequence

from simulator.surroundings import Surroundings
from simulator.world.river import River

MARGINS = {
    "level": 20,  # mm: the design's
    "rain_rate": 48,  # 0.1 mm/h
    "co2": 100,  # ppm: SCD40, 50 ppm and 5 % at the alert
    "pm2_5_nowcast": 50,  # 0.1 ug/m3: SEN5x
    "fill": 10,  # 0.1 %: a transmitter's 0.5 % of its span, and the converter's
}
RATE_MS = 300_000
_STEP_MS = 60_000
_HOUR_MS = 3_600_000
_HOURS = 12


def truth(around: Surroundings, key: str, from_ms: int, until_ms: int) -> River:
    """The quantity in its points' integers, straight between minutes."""
    of: dict[str, Callable[[], Callable[[int], int]]] = {
        "rain_rate": lambda: around.rain_rate_over(RATE_MS),
        "pm2_5_nowcast": lambda: nowcast_of(around, from_ms, until_ms),
    }
    at = of[key]() if key in of else around.truth(key)
    return River([at(t) for t in range(0, until_ms + 2 * _STEP_MS, _STEP_MS)], _STEP_MS)


def nowcast_of(around: Surroundings, from_ms: int, until_ms: int) -> Callable[[int], int]:
    """The NowCast of the truth: by the hour of the clock, 0 until two hours are whole."""
    pm2_5 = around.truth("pm2_5")
    first = (around.starts_unix_ms + from_ms + _HOUR_MS - 1) // _HOUR_MS  # the first whole hour
    begin_ms = first * _HOUR_MS - around.starts_unix_ms
    means: list[float] = []
    casts = [0]
    for hour_ms in range(begin_ms, until_ms, _HOUR_MS):
        samples = [pm2_5(t) for t in range(hour_ms, hour_ms + _HOUR_MS, _STEP_MS)]
        means.append(sum(samples) / len(samples))
        casts.append(nowcast(means[-_HOURS:]) if len(means) > 1 else 0)

    def at(t_ms: int) -> int:
        return casts[max(0, min(len(casts) - 1, (t_ms - begin_ms) // _HOUR_MS))]

    return at


def nowcast(means: Sequence[float]) -> int:
    """US EPA's weighted average of up to twelve hours, the newest last; truncated."""
    highest = max(means)
    weight = max(0.5, min(means) / highest) if highest else 1.0
    weights = [weight**ago for ago in range(len(means))]
    total = sum(w * mean for w, mean in zip(weights, reversed(means), strict=True))
    return int(total / sum(weights))
