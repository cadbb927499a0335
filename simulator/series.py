"""A recorded series of levels from CSV: whole seconds of UTC, whole mm by decimal arithmetic, gaps kept as gaps."""

import csv
import re
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

from simulator.errors import InputError

# mm in one unit; the international foot is 304.8 mm exactly
UNITS = {
    "ft": Decimal("304.8"),
    "m": Decimal(1000),
    "cm": Decimal(10),
    "mm": Decimal(1),
    "in": Decimal("25.4"),
}
NO_READING = ("", "na", "n/a", "nan", "null", "none")
HIGHEST_MM = 10_000_000  # beyond 10 km it is no level: a wrong unit or column
HEADER_WITHIN = 20  # loggers write a line or two before the column names
GAP_FACTOR = 1.5  # a reading is missing when the next comes later than this many usual intervals
BREAK_S = 7 * 86400  # a longer pause parts two recordings: nothing was expected in it
MOST_MISSING = 5_000_000

_DATE = re.compile(r"\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)


class Series:
    """Points of one station: `times_s` rising, `values_mm` with None where there was no reading.

    `start_s` is the UTC second (since 1970) at which `times_s` is 0: 0 as read, the window's begin after `window`.
    `resolution_mm` is the step in which the source was published, rounded up to whole mm.
    """

    def __init__(
        self, times_s: Sequence[int], values_mm: Sequence[int | None], resolution_mm: int = 1, start_s: int = 0
    ) -> None:
        if len(times_s) != len(values_mm):
            raise ValueError(f"{len(times_s)} times for {len(values_mm)} values")
        self.times_s = list(times_s)
        self.values_mm = list(values_mm)
        self.resolution_mm = resolution_mm
        self.start_s = start_s
        known = [(t, v) for t, v in zip(self.times_s, self.values_mm, strict=True) if v is not None]
        if not known:
            raise ValueError("a series needs at least one reading")
        self._known_ms = [t * 1000 for t, _ in known]
        self._known_mm = [v for _, v in known]

    def at(self, t_ms: int) -> int:
        """Level in mm at `t_ms` of the series' own time: straight between readings and across gaps, constant beyond."""
        after = bisect_right(self._known_ms, t_ms)
        if after == 0:
            return self._known_mm[0]
        if after == len(self._known_ms):
            return self._known_mm[-1]
        begin, low = self._known_ms[after - 1], self._known_mm[after - 1]
        rise, span = self._known_mm[after] - low, self._known_ms[after] - begin
        return low + (2 * rise * (t_ms - begin) + span) // (2 * span)

    def window(self, hours: int, rise_within_s: int = 3600) -> "Series":
        """The `hours` around the largest rise within an hour, a third of them before it; time starts at 0 in it."""
        middle_s = self._largest_rise_at(rise_within_s)
        first, last = self.times_s[0], self.times_s[-1]
        begin = max(first, min(middle_s - hours * 1200, last - hours * 3600))
        end = begin + hours * 3600
        picked = [i for i, t in enumerate(self.times_s) if begin <= t <= end]
        return Series(
            [self.times_s[i] - begin for i in picked],
            [self.values_mm[i] for i in picked],
            self.resolution_mm,
            self.start_s + begin,
        )

    def _largest_rise_at(self, within_s: int) -> int:
        """When the largest rise within `within_s` seconds began."""
        lowest: deque[int] = deque()  # indices, values rising: the lowest of the last `within_s` seconds comes first
        largest, begins = -1, 0
        for i, (t_ms, mm) in enumerate(zip(self._known_ms, self._known_mm, strict=True)):
            while lowest and self._known_mm[lowest[-1]] >= mm:
                lowest.pop()
            lowest.append(i)
            while self._known_ms[lowest[0]] < t_ms - within_s * 1000:
                lowest.popleft()
            if mm - self._known_mm[lowest[0]] > largest:
                largest, begins = mm - self._known_mm[lowest[0]], lowest[0]
        return self._known_ms[begins] // 1000

    def interval_s(self) -> int:
        """The usual time between two rows: the median, 0 for a single row."""
        steps = sorted(b - a for a, b in pairwise(self.times_s))
        return steps[len(steps) // 2] if steps else 0

    def expected(self) -> list["Series"]:
        """The recordings in it, each with a None row for every reading that was expected and did not come.

        A row counts as late beyond 1.5 usual intervals; what is missing then is the pause in usual intervals, rounded,
        less one. A pause of more than 7 days parts two recordings. A recording without a reading is left out.
        """
        usual = self.interval_s()
        parts: list[tuple[list[int], list[int | None]]] = [([], [])]
        made = 0
        for t, value in zip(self.times_s, self.values_mm, strict=True):
            times, values = parts[-1]
            if times:
                pause = t - times[-1]
                if pause > max(BREAK_S, 2 * usual):
                    times, values = [], []
                    parts.append((times, values))
                elif pause > GAP_FACTOR * usual:
                    begin, holes = times[-1], (2 * pause + usual) // (2 * usual) - 1
                    made += holes
                    if made > MOST_MISSING:
                        raise InputError(
                            f"more than {MOST_MISSING} readings are missing at one every {usual} s; cut the series"
                        )
                    times += [begin + k * pause // (holes + 1) for k in range(1, holes + 1)]
                    values += [None] * holes
            times.append(t)
            values.append(value)
        return [
            Series(times, values, self.resolution_mm, self.start_s)
            for times, values in parts
            if any(value is not None for value in values)
        ]


def read(path: str | Path, time: str, value: str, unit: str, kind: str = "stage", sensor_height_mm: int = 0) -> Series:
    """The series in a CSV file, its columns by name. InputError names file, line, column and what is allowed.

    `kind` "range" is a distance down to the water: the level is `sensor_height_mm` less it.
    """
    if unit not in UNITS:
        raise InputError(f"unit '{unit}' is not known; allowed are {', '.join(UNITS)}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            time_at, value_at = _header(path, rows, time, value)
            times, numbers = _rows(path, rows, (time, time_at), (value, value_at), unit)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as CSV in UTF-8") from None
    known = [number for number in numbers if number is not None]
    if not known:
        raise InputError(f"{path}: column '{value}' holds no reading; a series needs at least one number")
    per = UNITS[unit]
    values = [None if number is None else to_mm(number * per) for number in numbers]
    if kind == "range":
        values = [None if mm is None else sensor_height_mm - mm for mm in values]
    return Series(times, values, int((_resolution(known) * per).to_integral_value(ROUND_CEILING)) or 1)


def to_mm(mm: Decimal) -> int:
    """Whole mm, halves away from zero."""
    return int(mm.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def iso(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _header(path: str | Path, rows: Iterable[list[str]], time: str, value: str) -> tuple[int, int]:
    """Where the two columns stand: in the first of 20 lines that names both."""
    first: list[str] = []
    reader = iter(rows)
    try:
        for count, row in enumerate(reader):
            names = [name.strip() for name in row]
            if time in names and value in names:
                for name in (time, value):
                    if names.count(name) > 1:
                        raise InputError(f"{path}: {names.count(name)} columns '{name}'; a name must stand for one")
                return names.index(time), names.index(value)
            if len(names) > len(first):
                first = names
            if count + 1 == HEADER_WITHIN:
                break
    except csv.Error as error:
        raise InputError(f"{path}: not CSV: {error}") from None
    if not first:
        raise InputError(f"{path}: empty; it must begin with a line of column names")
    absent = " and ".join(f"'{name}'" for name in (time, value) if name not in first)
    raise InputError(f"{path}: no column {absent}; there are {', '.join(repr(name) for name in first if name)}")


def _rows(
    path: str | Path, rows: Iterable[list[str]], time: tuple[str, int], value: tuple[str, int], unit: str
) -> tuple[list[int], list[Decimal | None]]:
    """`time`, `value`: name and place of the columns."""
    times: list[int] = []
    numbers: list[Decimal | None] = []
    line = getattr(rows, "line_num", 0)
    try:
        for row in rows:
            line = getattr(rows, "line_num", line + 1)
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(time[1], value[1]):
                raise InputError(f"{path}, line {line}: {len(row)} columns; '{time[0]}' and '{value[0]}' must be there")
            t = _time(row[time[1]].strip(), f"{path}, line {line}, column '{time[0]}'")
            if times and t <= times[-1]:
                late = f"{iso(t)} does not come after {iso(times[-1])}; times must rise"
                raise InputError(f"{path}, line {line}, column '{time[0]}': {late}")
            times.append(t)
            numbers.append(_number(row[value[1]].strip(), f"{path}, line {line}, column '{value[0]}'", unit))
    except csv.Error as error:
        raise InputError(f"{path}, line {line + 1}: not CSV: {error}") from None
    if not times:
        raise InputError(f"{path}: no rows below the column names; a series needs at least one")
    return times, numbers


def _time(text: str, where: str) -> int:
    if _DATE.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text.replace("/", "-").replace(" Z", "Z"))
        except ValueError:
            pass
        else:
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)
    raise InputError(f"{where}: '{text}' is no time; allowed is UTC as 2018-06-01T04:00:00Z or 2018-06-01 04:00")


def _number(text: str, where: str, unit: str) -> Decimal | None:
    if text.lower() in NO_READING:
        return None
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{where}: '{text}' is no number; allowed is {unit} like 1.25, or nothing for no reading")
    number = Decimal(text)
    if abs(number * UNITS[unit]) > HIGHEST_MM:
        allowed = f"allowed is up to {HIGHEST_MM // 1000} m either way; is the unit right?"
        raise InputError(f"{where}: {text} {unit} is no level; {allowed}")
    return number


def _resolution(numbers: Sequence[Decimal]) -> Decimal:
    """The step of the source, in its own unit: what makes a still river look flat.

    It is the coarser of two: the smallest difference between two published values, and the coarsest of 1, 2 and 5 times
    a power of ten of which 99 in 100 values are multiples (so that a few values from elsewhere hide neither). With fewer
    than three different values it is the last decimal written.
    """
    written = Decimal(1).scaleb(min(int(number.as_tuple().exponent) for number in numbers))
    counts = Counter(numbers)
    values = sorted(counts)
    if len(values) < 3:
        return written
    step = written
    for power in range(1, 8):
        for factor in (2, 5, 10):
            wider = written.scaleb(power - 1) * factor
            if 100 * sum(n for number, n in counts.items() if number % wider == 0) >= 99 * len(numbers):
                step = max(step, wider)
    return max(step, min(b - a for a, b in pairwise(values)))
