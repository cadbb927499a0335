"""The level as it is measured, drawn in a terminal: a curve in braille dots, blocks or letters, the levels as lines, the state as the colour."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import Layout, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from simulator.errors import InputError
from waspada.consoles.port import GoneError
from waspada.consoles.station import LeftError, Station

BRAILLE, BLOCKS, LETTERS = "braille", "blocks", "letters"
STATES = ("normal", "alert", "warning", "danger")
STYLE = Style.from_dict({
    "normal": "ansigreen", "alert": "ansiyellow", "warning": "ansibrightred", "danger": "ansired bold", "axis": "ansibrightblack",
    "head.normal": "bg:ansigreen ansiblack", "head.alert": "bg:ansiyellow ansiblack",
    "head.warning": "bg:ansibrightred ansiblack", "head.danger": "bg:ansired ansiwhite bold",
})  # fmt: skip
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of a braille cell: its two columns from the top
_BLOCKS = " ▁▂▃▄▅▆▇█"
_LABEL = 9  # columns for the scale
_KEPT = 4000


@dataclass
class Seen:
    """What the chart knows. A level is in millimetres, None where the sample gave none."""

    station: str = ""
    state: str = "normal"
    limits: tuple[int, ...] = ()
    levels: deque[int | None] = field(default_factory=lambda: deque(maxlen=_KEPT))
    last: str = ""  # the newest line as the station said it
    status: Mapping[str, str] = field(default_factory=dict)
    ended: str = ""


def kind_for(encoding: str, platform: str, environment: Mapping[str, str]) -> str:
    """What this terminal can show. The old Windows console has blocks in its fonts, and no braille."""
    for kind, letters in ((BRAILLE, "⣿─"), (BLOCKS, "█─")):
        try:
            letters.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            continue
        if kind == BLOCKS or platform != "win32" or "WT_SESSION" in environment:
            return kind
    return LETTERS


def millimetres(text: str) -> int | None:
    try:
        return round(float(text) * 1000)
    except ValueError:
        return None


def read_sample(seen: Seen, line: str, status: Mapping[str, str]) -> None:
    """`level 1.254 m q 1`, and what `status` says behind it."""
    words = line.split()
    seen.last = line
    seen.levels.append(millimetres(words[1]) if len(words) > 1 and words[0] == "level" else None)
    seen.status = status
    seen.station = f"{status.get('district', '')}/{status.get('node', '')}"
    seen.state = status.get("state", "normal")
    found = [millimetres(word) for word in status.get("limits", "").split()[:3]]
    seen.limits = tuple(level for level in found if level is not None)


def span(seen: Seen) -> tuple[int, int]:
    """What the scale reaches over: the levels that were measured, and the lines near enough to matter."""
    levels = [level for level in seen.levels if level is not None]
    if not levels:
        levels = list(seen.limits) or [0, 1000]
    low, high = min(levels), max(levels)
    if seen.limits:
        above = [limit for limit in seen.limits if limit >= high]
        high = max([high, *seen.limits]) if not above or max(seen.limits) - low < 6 * max(high - low, 500) else above[0]
    room = max((high - low) // 10, 25)
    return low - room, high + room


def draw(seen: Seen, width: int, height: int, kind: str) -> list[list[tuple[str, str]]]:
    """Lines of (style, text): a head, the curve, a foot."""
    width, height = max(width, 24), max(height, 5)
    columns, rows = width - _LABEL, height - 2
    cells = [[" "] * columns for _ in range(rows)]
    styles = [["normal"] * columns for _ in range(rows)]
    low, high = span(seen)
    labels = {0: high, rows - 1: low}
    lines = dict(zip(STATES[1:], seen.limits, strict=False))
    for state, limit in lines.items():
        row = (high - limit) * rows // (high - low)
        if 0 <= row < rows:
            labels[row] = limit
            for x in range(columns):
                cells[row][x], styles[row][x] = ("-" if kind == LETTERS else "─"), state
    _curve(seen, cells, styles, low, high, kind)
    shown = [_head(seen, width)]
    named = {limit: state for state, limit in lines.items()}
    for y in range(rows):
        label = f"{labels[y] / 1000:7.3f} " if y in labels else " " * (_LABEL - 1)
        bar = "|" if kind == LETTERS else "│"
        shown.append(
            [
                (f"class:{named.get(labels.get(y, -99999), 'axis')}", label),
                ("class:axis", bar),
                *_runs(cells[y], styles[y]),
            ]
        )
    shown.append([("class:axis", _foot(seen)[:width].ljust(width))])
    return shown


def _curve(seen: Seen, cells: list[list[str]], styles: list[list[str]], low: int, high: int, kind: str) -> None:
    columns, rows = len(cells[0]), len(cells)
    across, down = (2, 4) if kind == BRAILLE else (1, 8 if kind == BLOCKS else 1)
    levels = list(seen.levels)[-columns * across :]
    before: int | None = None
    for x, level in enumerate(levels):
        if level is None:
            before = None
            continue
        y = min(max((high - level) * rows * down // (high - low), 0), rows * down - 1)
        state = _state_at(seen, level)
        if kind == BRAILLE:
            # from where the sample before stood: a flood that rises fast is no row of lonely dots
            for dot in range(min(y, y if before is None else before), max(y, y if before is None else before) + 1):
                _dot(cells, styles, x, dot, state)
            before = y
        else:
            row = y // down
            cells[row][x] = "*" if kind == LETTERS else _BLOCKS[8 - y % down]
            styles[row][x] = state
            for under in range(row + 1, rows) if kind == BLOCKS else ():
                cells[under][x], styles[under][x] = "█", state


def _dot(cells: list[list[str]], styles: list[list[str]], x: int, y: int, state: str) -> None:
    cell = cells[y // 4][x // 2]
    bits = ord(cell) - 0x2800 if 0x2800 <= ord(cell) <= 0x28FF else 0
    cells[y // 4][x // 2] = chr(0x2800 + (bits | _DOTS[x % 2][y % 4]))
    styles[y // 4][x // 2] = state


def _state_at(seen: Seen, level: int) -> str:
    return STATES[sum(1 for limit in seen.limits if level >= limit)] if len(seen.limits) == 3 else seen.state


def _runs(cells: Sequence[str], styles: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for cell, style in zip(cells, styles, strict=True):
        if found and found[-1][0] == f"class:{style}":
            found[-1] = (found[-1][0], found[-1][1] + cell)
        else:
            found.append((f"class:{style}", cell))
    return found


def _head(seen: Seen, width: int) -> list[tuple[str, str]]:
    text = f" {seen.station}  {seen.state.upper()}  {seen.last.removeprefix('level ')} "
    style = seen.state if seen.state in STATES else "normal"
    return [(f"class:head.{style}", text[:width].ljust(width))]


def _foot(seen: Seen) -> str:
    if seen.ended:
        return f" q leaves   {seen.ended}"
    told = [
        f"{len(seen.levels)} samples",
        *(f"{name} {seen.status[name]}" for name in ("battery", "siren", "link") if name in seen.status),
    ]
    return f" q leaves   {'   '.join(told)}"


def follow(station: Station, seen: Seen, samples: int | None, shown: Callable[[], object]) -> None:
    """Takes samples until it is over, the cable goes or so many have come."""
    taken = 0
    while samples is None or taken < samples:
        answer = station.ask("level 1")
        if not answer.good or not answer.lines:
            raise InputError(f"{station.name}: {answer.why}; a chart needs a station with a level")
        read_sample(seen, answer.lines[-1], station.status())
        taken += 1
        shown()


def by_chart(station: Station, samples: int | None, input: Input | None = None, output: Output | None = None) -> Seen:
    """The live chart, until a key or so many samples. Returns what was seen; GoneError when the cable goes."""
    seen = Seen()
    kind = kind_for(getattr(sys.stdout, "encoding", None) or "ascii", sys.platform, os.environ)
    problems: list[Exception] = []
    keys = KeyBindings()

    @keys.add("q")
    @keys.add("c-c")
    @keys.add("escape")
    def leave(event: KeyPressEvent) -> None:
        station.over.set()
        event.app.exit()

    def text() -> StyleAndTextTuples:
        size = app.output.get_size()
        found: StyleAndTextTuples = []
        for line in draw(seen, size.columns - 1, size.rows, kind):
            found += [*line, ("", "\n")]
        return found[:-1]

    app: Application[None] = Application(
        Layout(Window(FormattedTextControl(text))),
        key_bindings=keys,
        style=STYLE,
        full_screen=True,
        input=input,
        output=output,
    )

    def run() -> None:
        try:
            follow(station, seen, samples, app.invalidate)
        except LeftError:
            return
        except (GoneError, InputError) as error:
            problems.append(error)
        if app.loop:
            app.loop.call_soon_threadsafe(lambda: None if app.is_done else app.exit())

    thread = threading.Thread(target=run, daemon=True)
    app.run(pre_run=thread.start)
    station.over.set()
    thread.join()
    station.over.clear()
    if problems:
        raise problems[0]
    station.stop()
    return seen
