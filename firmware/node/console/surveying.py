"""The level as it is measured: `level`, and `calibrate` against a staff. A sample comes sooner while somebody watches a calm river."""

from node.console.session import ANY_KEY
from node.console.state import level_text, state_word
from node.core import fixed, units
from node.core import settings as S
from node.core.clock import diff
from node.core.measurements import FLAG_FAIL, FLAG_MISSING, REASONS

_SOONER_MS = 5000
_BURSTS = 5
_FEWEST_S = 60  # so long is waited for them
_SPREAD_MM = 20
_STAFF = ("the staff's reading", "m", 3, 0, -10000, 30000)
_SAMPLES_MOST = 100000
_FILE = "calibrated"  # the day, since 1970
_DAY_S = 86400


def _gauge(console):
    if not console.app.gauge:
        raise ValueError(console.word("no level"))
    return console.app.gauge


def _sooner(app, every_ms):
    """A sample now, if nothing speaks against it: the grid of the others stays."""
    gauge = app.gauge
    if gauge.sampling or gauge.confirming or gauge.state or gauge.rising or gauge.failures:
        return
    if diff(app.now_ms, gauge.last_sample_ms) >= every_ms:
        gauge._due = app.now_ms


def answer_level(console, typed):
    gauge = _gauge(console)
    if len(typed) > 2 or (len(typed) == 2 and not (typed[1].isdigit() and 0 < int(typed[1]) < _SAMPLES_MOST)):
        console.usage("level")
    left = int(typed[1]) if len(typed) == 2 else -1
    console.endless = ANY_KEY
    if not console.machine:
        yield _line(console, gauge)
        yield console.word("any key")
    seen = gauge.last_sample_ms
    while left:
        if gauge.sampling or gauge.last_sample_ms == seen:
            _sooner(console.app, _SOONER_MS)
            yield None
            continue
        seen = gauge.last_sample_ms
        left -= 1
        yield _line(console, gauge)


def _line(console, gauge):
    if console.machine:
        if gauge.flag == FLAG_MISSING:
            return "level none %s q 9" % REASONS[gauge.reason]
        return "level %s m q %d" % (fixed.text(gauge.level_mm, 3), gauge.flag)
    state = state_word(console, gauge.state)
    return "%s (q %d), %s" % (level_text(gauge), gauge.flag, state)


def answer_calibrate(console, typed):
    if not 2 <= len(typed) <= 3:
        console.usage("calibrate")
    gauge = _gauge(console)
    app, settings = console.app, console.settings
    staff = units.parse(_STAFF, typed[1], typed[2] if len(typed) == 3 else None)
    console.endless = ANY_KEY
    yield console.word("measuring") % _BURSTS
    seen = gauge.last_sample_ms
    until_s = console.uptime_s() + _FEWEST_S
    heights: list = []
    while len(heights) < _BURSTS:
        if console.uptime_s() > until_s:
            raise ValueError(console.word("no burst"))
        if gauge.sampling or gauge.last_sample_ms == seen:
            _sooner(app, 0)
            yield None
            continue
        seen = gauge.last_sample_ms
        if gauge.flag < FLAG_FAIL or (gauge.flag == FLAG_FAIL and gauge.quality.flat):
            heights.append(settings.get(S.SENSOR_HEIGHT) + staff - gauge.level_mm)
            console.use()
            yield _line(console, gauge)
    console.endless = 0
    heights.sort()
    spread = heights[-1] - heights[0]
    if spread > _SPREAD_MM:
        yield "%s: %s" % (console.word("warning"), console.word("water moves") % spread)
    row = settings.rows[S.SENSOR_HEIGHT]
    height = S.within(row, heights[_BURSTS // 2])
    was = settings.get(S.SENSOR_HEIGHT)
    settings.staged.pop(S.SENSOR_HEIGHT, None)
    if height == was:
        yield console.word("height is right") % S.shown(row, was)
        yield calibrated(console)
        return
    settings.staged[S.SENSOR_HEIGHT] = height
    console.proposed_height = height
    yield console.word("set") % (row[0], S.shown(row, height), S.shown(row, was))


def calibrated(console):
    """Keep the day; what a person is told."""
    app = console.app
    flags, seconds, _ = app._books.moment()
    if not flags:
        return console.word("day unknown")
    try:
        app.storage.replace(_FILE, b"%d" % (seconds // _DAY_S))
    except OSError:
        return console.word("day not kept")
    if app._care:
        app._care._day = -1  # looked at with the next sample
    return console.word("day kept")
