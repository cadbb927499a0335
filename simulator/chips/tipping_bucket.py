"""A simulated tipping bucket: rain in, the edges of its reed contact out.

Tip k comes in the first millisecond by which k buckets have fallen, so the tips depend on the rain alone, whoever asks and however often.
Assumed, of the size reed contacts show: it bounces up to `bounces` times within `bounce_ms` of a tip. The faults: `double_ppm` of the tips come twice,
`double_ms` apart, as a bucket that swings back does (no debouncing finds that: the gauge then counts too much); in `clogged_ms` the funnel lets nothing
through, and what stood in it is lost.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator import noise

_MILLION = 1_000_000


class Rain(Protocol):
    def fallen_um(self, t_ms: int) -> int:
        """Thousandths of a mm since time 0, never less than before."""
        ...


class RainSeries:
    """Rain as it was recorded: (end of the interval in ms, thousandths of a mm in it), spread evenly over each interval."""

    def __init__(self, intervals: Sequence[tuple[int, int]], starts_ms: int = 0) -> None:
        self._ends = [starts_ms]
        self._sums = [0]
        for end_ms, um in intervals:
            self._ends.append(end_ms)
            self._sums.append(self._sums[-1] + um)

    def fallen_um(self, t_ms: int) -> int:
        ends, sums = self._ends, self._sums
        if t_ms >= ends[-1]:
            return sums[-1]
        i = bisect_right(ends, t_ms)
        if i == 0:
            return 0
        return sums[i - 1] + (sums[i] - sums[i - 1]) * (t_ms - ends[i - 1]) // (ends[i] - ends[i - 1])


@dataclass(frozen=True, slots=True)
class Faults:
    bounces: int = 4
    bounce_ms: int = 20
    double_ppm: int = 0
    double_ms: int = 400
    clogged_ms: tuple[tuple[int, int], ...] = ()  # from, to


class TippingBucket:
    def __init__(self, seed: int, node: str, rain: Rain, tip_nm: int, faults: Faults | None = None) -> None:
        self._rain = rain
        self._tip_nm = tip_nm
        self._faults = faults or Faults()
        self._key = noise.key(seed, node, "tips")

    def edges(self, after_ms: int, until_ms: int) -> list[int]:
        """Every closing of the contact in (after_ms, until_ms], in order."""
        longest = self._faults.double_ms + self._faults.bounce_ms
        found = []
        for number, t_ms in self.tips(after_ms - longest, until_ms):
            found += [at for at in self._closings(number, t_ms) if after_ms < at <= until_ms]
        return sorted(found)

    def tips(self, after_ms: int, until_ms: int) -> list[tuple[int, int]]:
        """(number, time) of the tips in (after_ms, until_ms]."""
        first = self._caught_nm(after_ms) // self._tip_nm + 1
        last = self._caught_nm(until_ms) // self._tip_nm
        found = []
        for number in range(first, last + 1):
            after_ms = self._first_with(number * self._tip_nm, after_ms, until_ms)
            found.append((number, after_ms))
        return found

    def _closings(self, number: int, t_ms: int) -> list[int]:
        faults = self._faults
        times = [t_ms]
        if faults.double_ppm and noise.below(noise.draw(self._key, -number), _MILLION) < faults.double_ppm:
            times.append(t_ms + faults.double_ms)
        closings = []
        for i, time_ms in enumerate(times):
            closings.append(time_ms)
            bits = noise.draw(self._key, 2 * number + i)
            for bounce in range(noise.below(bits, faults.bounces + 1)):
                closings.append(time_ms + noise.below(noise.draw(bits, bounce), faults.bounce_ms + 1))
        return closings

    def _caught_nm(self, t_ms: int) -> int:
        """What has run through the funnel by then."""
        fallen = self._rain.fallen_um
        t_ms = max(t_ms, 0)
        caught = fallen(t_ms)
        for begin, end in self._faults.clogged_ms:
            if t_ms > begin:
                caught -= fallen(min(t_ms, end)) - fallen(begin)
        return 1000 * caught

    def _first_with(self, nm: int, low_ms: int, high_ms: int) -> int:
        """The first millisecond in (low_ms, high_ms] by which so much was caught; two tips may share one."""
        if self._caught_nm(low_ms) >= nm:
            return low_ms
        while high_ms - low_ms > 1:
            middle = (low_ms + high_ms) // 2
            if self._caught_nm(middle) >= nm:
                high_ms = middle
            else:
                low_ms = middle
        return high_ms
