"""Rain as storms, and what a tipping bucket makes of them: synthetic, from a seed. Integers: um of rain, ms."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simulator import noise

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TIP_UM = 200
_STEPS = 12  # straight pieces of a storm
# Share of a storm's rain in each twelfth of it, in 1/100: it swells fast and dies away, as convective rain does.
_SHAPE = (3, 9, 18, 20, 14, 10, 8, 6, 5, 3, 2, 2)


class Storm(NamedTuple):
    starts_ms: int
    lasts_ms: int
    depth_um: int


def storms(
    seed: int, name: str, days: int, wet_ppm: int = 200_000, median_um: int = 6_000, dry: Sequence[tuple[int, int]] = ()
) -> list[Storm]:
    """At most one storm a day, on a day in `wet_ppm` per million; none in the `dry` spells (first day, last day).

    Depth spreads by factors of two around the median, as daily rain does: one in six above four times it.
    """
    key = noise.key(seed, name, "storms")
    found = []
    for day in range(days):
        bits = [noise.draw(key, 4 * day + i) for i in range(4)]
        if any(first <= day <= last for first, last in dry) or noise.below(bits[0], 1_000_000) >= wet_ppm:
            continue
        doubling = noise.bell(bits[1]) * 2000 // noise.BELL_SD  # in 1/1000, standard deviation 2
        depth = max(TIP_UM, min(250_000, _times_two_to(median_um, doubling)))
        starts = day * DAY_MS + noise.below(bits[2], 20 * HOUR_MS)
        found.append(Storm(starts, HOUR_MS // 2 + noise.below(bits[3], 3 * HOUR_MS), depth))
    return found


def _times_two_to(value: int, milli: int) -> int:
    """`value` times 2**(milli/1000), straight between whole powers."""
    whole, part = divmod(milli, 1000)
    value = value << whole if whole >= 0 else value >> -whole
    return value + value * part // 1000


class Rain:
    """What has fallen at a place, and when the bucket tips."""

    def __init__(self, falls: Iterable[Storm]) -> None:
        self.corners: list[tuple[int, int]] = [(0, 0)]  # ms, um fallen until then: straight between
        total = 0
        for storm in sorted(falls):
            begin = max(storm.starts_ms, self.corners[-1][0])
            self._corner(begin, total)
            fallen = 0
            for i in range(_STEPS):
                fallen += _SHAPE[i]
                self._corner(begin + storm.lasts_ms * (i + 1) // _STEPS, total + storm.depth_um * fallen // 100)
            total += storm.depth_um
        self._times = [t for t, _ in self.corners]

    def _corner(self, t_ms: int, um: int) -> None:
        if t_ms > self.corners[-1][0]:
            self.corners.append((t_ms, um))

    def fallen_um(self, t_ms: int) -> int:
        """Since time 0."""
        i = bisect_right(self._times, t_ms) - 1
        t, um = self.corners[max(i, 0)]
        if i + 1 >= len(self.corners):
            return um
        later, more = self.corners[i + 1]
        return um + (more - um) * (t_ms - t) // (later - t)

    def between_um(self, from_ms: int, to_ms: int) -> int:
        return self.fallen_um(to_ms) - self.fallen_um(from_ms)

    def tips(self, tip_um: int = TIP_UM) -> list[int]:
        """When the bucket tips, in ms: each time another `tip_um` has fallen. What is left stays in it."""
        found = []
        due = tip_um
        for (t, um), (later, more) in zip(self.corners, self.corners[1:], strict=False):
            while due <= more:
                found.append(t + (later - t) * (due - um) // (more - um))
                due += tip_um
        return found
