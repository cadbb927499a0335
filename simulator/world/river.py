"""The truth of a river at one station: a recorded series, scaled and lagged; and the battery's day. Integers, no noise.

A scaled or lagged copy of a record is synthetic: it is not that river, and is labelled so wherever a person sees it.
"""

from collections.abc import Sequence
from typing import Protocol


class Levels(Protocol):
    """What a series must answer (simulator.series.Series does)."""

    def at(self, t_ms: int) -> int | None: ...


class Water(Protocol):
    """What a ranger looks down at."""

    def at(self, t_ms: int) -> int: ...


class River:
    """Level above gauge datum in mm, straight between points `step_ms` apart."""

    def __init__(self, points_mm: Sequence[int], step_ms: int, starts_ms: int = 0) -> None:
        self.points_mm = points_mm
        self.step_ms = step_ms
        self.starts_ms = starts_ms

    @classmethod
    def replay(
        cls, levels: Levels, *, from_ms: int, span_ms: int, step_ms: int, scale_milli: int, lag_ms: int
    ) -> "River":
        """`levels` from `from_ms` of its own time on, `lag_ms` later and scaled; a gap keeps the last level before it.

        The points themselves move with the lag, so every copy has the very corners of the record.
        """
        points = []
        last = 0
        before = (lag_ms + step_ms - 1) // step_ms
        for i in range(-before, span_ms // step_ms + 2):
            mm = levels.at(from_ms + i * step_ms)
            last = last if mm is None else mm * scale_milli // 1000
            points.append(last)
        return cls(points, step_ms, lag_ms - before * step_ms)

    def at(self, t_ms: int) -> int:
        t = t_ms - self.starts_ms
        i = t // self.step_ms
        points = self.points_mm
        if i < 0:
            return points[0]
        if i >= len(points) - 1:
            return points[-1]
        low = points[i]
        return low + (points[i + 1] - low) * (t - i * self.step_ms) // self.step_ms

    def corner_after(self, t_ms: int) -> int:
        """When the next point comes; the truth is straight until then."""
        return t_ms + self.step_ms - (t_ms - self.starts_ms) % self.step_ms


class Battery:
    """A lead-acid day in mV: 12.0 V before sunrise, up to 13.8 V from 12 to 15 h, straight between."""

    CORNERS = ((0, 12_400), (6, 12_000), (12, 13_800), (15, 13_800), (19, 12_800), (24, 12_400))  # hour, mV

    def __init__(self, starts_unix_ms: int, offset_mv: int = 0) -> None:
        self.starts_unix_ms = starts_unix_ms
        self.offset_mv = offset_mv

    def at(self, t_ms: int) -> int:
        ms = (self.starts_unix_ms + t_ms) % 86_400_000
        hour = ms // 3_600_000
        for i in range(1, len(self.CORNERS)):
            to, high = self.CORNERS[i]
            if hour < to:
                begin, low = self.CORNERS[i - 1]
                span = (to - begin) * 3_600_000
                return self.offset_mv + low + (high - low) * (ms - begin * 3_600_000) // span
        return self.offset_mv + self.CORNERS[-1][1]
