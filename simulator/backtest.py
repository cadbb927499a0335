"""The station's own flags and alarms over a recorded series: which alarms, how early, how many flags of each kind.

Every row is one confirmed burst, flags are final ones (after the spike test), and the alarm sees those: this asks what
the thresholds would have done, not what the noise of the newest point does. The node's own code decides.
"""

import tomllib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from node.core import settings
from node.core.alarm import LevelAlarm, usable
from node.core.clock import WRAP
from node.core.measurements import FLAG_FAIL, FLAG_MISSING, FLAG_NOT_EVALUATED, FLAG_PASS, FLAG_SUSPECT, STATES
from node.core.quality import Quality
from simulator.errors import InputError
from simulator.series import Series, iso

FLAGS = (FLAG_PASS, FLAG_NOT_EVALUATED, FLAG_SUSPECT, FLAG_FAIL, FLAG_MISSING)
NEVER_MM = 1 << 28
LONGEST_DELAY_S = 86400
LEVELS = STATES[1:]
IN_ORDER = (
    ("sensor_low", "sensor_high"),
    ("user_low", "user_high"),
    ("spike_suspect", "spike_fail"),
    ("flat_suspect", "flat_fail"),
)


@dataclass(frozen=True)
class Thresholds:
    """What the alarms and flags go by: mm, mm/h and s. A level or a limit of NEVER_MM is off.

    `resolution` 0 takes the series' own.
    """

    alert: int = settings.ROWS[settings.LEVEL_ALERT][3]
    warning: int = settings.ROWS[settings.LEVEL_WARNING][3]
    danger: int = settings.ROWS[settings.LEVEL_DANGER][3]
    deadband: int = 50
    on_delay: int = 0
    off_delay: int = 0
    sensor_low: int = -NEVER_MM
    sensor_high: int = NEVER_MM
    user_low: int = -NEVER_MM
    user_high: int = NEVER_MM
    spike_suspect: int = 100
    spike_fail: int = 200
    rate_limit: int = 0
    flat_tolerance: int = 1
    flat_suspect: int = 21600
    flat_fail: int = 86400
    resolution: int = 0

    def checked(self, source: str) -> "Thresholds":
        """Itself; InputError says what contradicts what in `source`."""
        for (low, low_mm), (high, high_mm) in pairwise(self.levels()):
            if low_mm >= high_mm:
                order = f"{low} {low_mm / 1000:g} m and {high} {high_mm / 1000:g} m are out of order"
                raise InputError(f"{source}: {order}; levels must rise")
        for low, high in IN_ORDER:
            if getattr(self, low) > getattr(self, high):
                raise InputError(f"{source}: {low} must not be above {high}")
        return self

    def levels(self) -> list[tuple[str, int]]:
        """The levels that are on: name and mm."""
        return [(name, getattr(self, name)) for name in LEVELS if getattr(self, name) != NEVER_MM]


# The tables of a thresholds file and their keys. Lengths are in m, rates in m/h, times in s, as in the settings.
FILE_KEYS = {
    "level": ("alert", "warning", "danger", "deadband", "on_delay", "off_delay"),
    "quality": tuple(field.name for field in fields(Thresholds))[6:],
}
IN_SECONDS = ("on_delay", "off_delay", "flat_suspect", "flat_fail")
MAY_BE_NEGATIVE = ("alert", "warning", "danger", "sensor_low", "sensor_high", "user_low", "user_high")


def from_text(name: str, text: str, where: str) -> int:
    """A threshold as an integer (mm, mm/h, s); InputError names `where` it was written and what is allowed."""
    seconds = name in IN_SECONDS
    unit = "s" if seconds else "m/h" if name == "rate_limit" else "m"
    lowest = -10000 if name in MAY_BE_NEGATIVE else 0
    highest = LONGEST_DELAY_S * (1 if name.endswith("delay") else 60) if seconds else 10000
    try:
        number = Decimal(text)
        scaled = number if seconds else number * 1000
        if number.is_finite() and lowest <= number <= highest and scaled == scaled.to_integral_value():
            return int(scaled)
    except InvalidOperation:
        pass
    step = "whole seconds" if seconds else "three decimals at most"
    raise InputError(f"{where}: {name} '{text}' can't be used; allowed is {lowest} to {highest} {unit}, {step}")


def read_thresholds(path: str | Path, given: Thresholds | None = None) -> Thresholds:
    """A TOML file with tables [level] and [quality]. A level left out is off; InputError names file, key."""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"), parse_float=str)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    values: dict[str, int] = {}
    for table, entries in document.items():
        if table not in FILE_KEYS or not isinstance(entries, dict):
            raise InputError(f"{path}: no table [{table}]; there are {', '.join(f'[{name}]' for name in FILE_KEYS)}")
        for name, entry in entries.items():
            if name not in FILE_KEYS[table]:
                raise InputError(f"{path}: [{table}] has no '{name}'; there are {', '.join(FILE_KEYS[table])}")
            if isinstance(entry, bool) or not isinstance(entry, (int, str)):
                raise InputError(f"{path}: [{table}] {name} must be a number")
            values[name] = from_text(name, str(entry), str(path))
    if any(name in values for name in LEVELS):
        values = dict.fromkeys(LEVELS, NEVER_MM) | values
    return replace(given or Thresholds(), **values).checked(str(path))


def final_flags(series: Series, thresholds: Thresholds, raw_of: Callable[[int], int] = lambda mm: mm) -> Iterator[int]:
    """The final flag of every row of one recording (`Series.expected`); `raw_of`: what the sensor said at a level."""
    limit = thresholds
    quality = Quality(
        limit.sensor_low,
        limit.sensor_high,
        limit.user_low,
        limit.user_high,
        limit.spike_suspect,
        limit.spike_fail,
        limit.rate_limit,
        limit.flat_tolerance,
        limit.flat_suspect,
        limit.flat_fail,
        limit.resolution or series.resolution_mm,
    )
    begin = series.times_s[0]
    for t, mm in zip(series.times_s, series.values_mm, strict=True):
        if mm is None:
            quality.missing(t - begin)
        else:
            quality.update(mm, raw_of(mm), t - begin)
        if quality.previous_final:
            yield quality.previous_final
    quality.missing(series.times_s[-1] - begin)  # nothing follows the last row
    yield quality.previous_final


class _Alarms:
    """Events of one recording, and the alarms they amount to: one per level from raise to clear."""

    def __init__(self, thresholds: Thresholds) -> None:
        limit = thresholds
        levels = array("i", (limit.alert, limit.warning, limit.danger))
        self.alarm = LevelAlarm(levels, limit.deadband, limit.on_delay, limit.off_delay, confirm=1)
        self.state = 0
        self.events: list[dict[str, Any]] = []
        self.alarms: list[dict[str, Any]] = []
        self._raised: list[int] = []  # one for each level up to the state: unix second of the raise
        self._peaks: list[tuple[int, int]] = []  # and the highest level since: mm, unix second
        self._open: list[dict[str, Any]] = []

    def burst(self, t: int, since_begin_s: int, mm: int, flag: int) -> None:
        state = self.alarm.update(mm, flag, since_begin_s * 1000 % WRAP)
        if state != self.state:
            self.events.append({"t": iso(t), "from": STATES[self.state], "to": STATES[state], "level_m": mm / 1000})
            while len(self._open) > state:
                self._close(iso(t))
            for level in range(len(self._open), state):
                self._open.append({"level": STATES[level + 1], "t_raised": iso(t)})
                self._raised.append(t)
                self._peaks.append((mm, t))
                self.alarms.append(self._open[-1])
            self.state = state
        if usable(flag):
            self._peaks = [(mm, t) if mm > peak[0] else peak for peak in self._peaks]

    def _close(self, cleared: str | None) -> None:
        peak_mm, peak_t = self._peaks.pop()
        lead_s = peak_t - self._raised.pop()
        self._open.pop().update({"t_cleared": cleared, "peak_m": peak_mm / 1000, "lead_s": lead_s})

    def finish(self) -> None:
        """The recording ends; what is still raised has no clearing time."""
        while self._open:
            self._close(None)


def backtest(
    series: Series,
    thresholds: Thresholds,
    raw_of: Callable[[int], int] = lambda mm: mm,
    on_row: Callable[[int, int | None, int], None] = lambda t, mm, flag: None,
) -> dict[str, Any]:
    """The results by their published keys (DESIGN.md); `on_row(unix second, mm or None, final flag)` sees every row.

    `readings` counts every reading that was expected, so the flags add up to it; `measured` those that are there. Each
    recording (`Series.expected`) starts with a fresh station; `breaks` counts the pauses between them.
    """
    counts = dict.fromkeys(FLAGS, 0)
    events: list[dict[str, Any]] = []
    alarms: list[dict[str, Any]] = []
    recordings = series.expected()
    for part in recordings:
        judged = _Alarms(thresholds)
        begin = part.times_s[0]
        for t, mm, flag in zip(part.times_s, part.values_mm, final_flags(part, thresholds, raw_of), strict=True):
            counts[flag] += 1
            judged.burst(part.start_s + t, t - begin, mm or 0, flag)
            on_row(part.start_s + t, mm, flag)
        judged.finish()
        events += judged.events
        alarms += judged.alarms
    readings = sum(counts.values())
    return {
        "readings": readings,
        "flags": {str(flag): n for flag, n in counts.items()},
        "events": events,
        "alarms": alarms,
        "measured": readings - counts[FLAG_MISSING],
        "breaks": len(recordings) - 1,
        "interval_s": series.interval_s(),
        "resolution_m": (thresholds.resolution or series.resolution_mm) / 1000,
        "levels_m": {name: mm / 1000 for name, mm in thresholds.levels()},
    }
