"""The parts of a station that deep sleep would take away, and one walk over them for both ways. Loaded by a station that sleeps; see `node.frozen`."""

from node.core.clock import WRAP, diff

_NONE = 1 << 50  # stands for None
_LISTS_MOST = 100

_APP = (
    "_ailing", "level_bad", "_told_state", "_told_rising", "_awaits_final", "_final", "_recovered", "defects", "refused", "_refused_at", "sensors_bad",
)  # fmt: skip
APP_TICKS = ("_reported_ms", "now_ms", "_alive_ms")
_BOOKS = ("_unix_last", "_began", "_fixed", "_doubted_at", "_kept_s", "storage_bad", "flash_errors", "_damaged")
_DUTY = ("radio_s", "failures", "told", "boot_ms", "slept_ms", "planned_ms", "refused")
_LOG = (
    "boot", "prev_boot", "prev_seq", "seq", "damaged", "last", "first", "written", "opened", "_torn",
)  # fmt: skip
_GAUGE = (
    "outliers", "spread_mm", "air_cc", "level_mm", "range_mm", "flag", "reason", "failures", "state", "rising", "_rise_acknowledged", "battery_mv",
    "battery_flag", "interval_ms",
)  # fmt: skip
GAUGE_TICKS = ("_due", "_start", "last_sample_ms")
_QUALITY = (
    "previous_final", "flat", "_newest", "_joined", "_value_1", "_value_2", "_time", "_low", "_high", "_since", "_above", "_above_since", "_below",
    "_below_since",
)  # fmt: skip
_ALARM = (
    "state", "confirming", "acknowledged", "pending", "_ack_ms", "_latch", "_since_usable_ms", "_failed", "_shelved_s", "_shelf_over_ms",
)  # fmt: skip
ALARM_TICKS = ("_last_ms", "_shelf_ms")
_RISE = (
    "state", "confirming", "rise_mm", "_first", "_count", "_slot_s", "_newest", "_newest_s", "_waiting", "_bursts", "_oldest", "_oldest_s", "_good",
    "_good_1", "_good_1_s", "_good_2",
)  # fmt: skip
_SURVEY = ("state", "interval_ms", "battery_mv", "uptime_s", "round_s")
SURVEY_TICKS = ("last_sample_ms", "_start")
_SENSOR = ("reason", "failures", "told_bad")
_WATCH = ("value", "flag")
_AIR = ("_hour", "_sum", "_count", "_weight")
_RELAY = ("_ran_s", "_told")
_BUCKET = ("_count", "_rest_nm", "_marks")
_CARE = ("_season", "_day")
_FOULING = (
    "state", "spread_mm", "usual_mm", "crept_mm", "_near_since", "_blocked", "_wide_days", "_scattered", "_drifted", "_day", "_lowest", "_spreads",
    "_bursts", "_first_days",
)  # fmt: skip
_UPLINK = ("_noise", "_attempt", "_was_of_use", "refused", "_status_after_ms", "_backlog")
UPLINK_TICKS = ("_retry_at", "_urgent_at", "_hold_until", "_status_ms", "_paid_until")
_PAIRS = ("_acked_key", "mark")


class Giving:
    """Writes the parts' numbers into `buffer` from `at` on, in groups of 7 bits, the lowest first; a number's sign is its lowest bit. IndexError: full."""

    def __init__(self, now, buffer, at):
        """`now`: the tick from which ages count, since ticks begin anew with a boot."""
        self.at = at
        self.count = 0
        self._buffer = buffer
        self._now = now

    def one(self, value):
        number = -2 * value - 1 if value < 0 else 2 * value
        while number > 127:
            self._buffer[self.at] = number & 127 | 128
            self.at += 1
            number >>= 7
        self._buffer[self.at] = number
        self.at += 1
        self.count += 1
        return value

    def ints(self, part, names):
        for name in names:
            value = getattr(part, name)
            self.one(_NONE if value is None else int(value))

    def ticks(self, part, names):
        """As ages. Those below 0 stand for something else, and are odd."""
        for name in names:
            value = getattr(part, name)
            self.one(2 * value + 1 if value < 0 else 2 * diff(self._now, value))

    def each(self, values):
        for value in values:
            self.one(int(value))

    def lists(self, found):
        self.one(len(found))
        for one in found:
            self.each(one)
        return found


class Taking:
    """Takes them back. IndexError: there are no more."""

    def __init__(self, now, buffer, at):
        self.at = at
        self._buffer = buffer
        self._now = now

    def one(self, value=0):
        number = shift = 0
        more = 128
        while more:
            byte = self._buffer[self.at]
            self.at += 1
            number |= (byte & 127) << shift
            shift += 7
            more = byte & 128
        return -(number >> 1) - 1 if number & 1 else number >> 1

    def ints(self, part, names):
        for name in names:
            value = self.one()
            setattr(part, name, None if value == _NONE else value)

    def ticks(self, part, names):
        for name in names:
            value = self.one()
            setattr(part, name, (value - 1) // 2 if value & 1 else (self._now - value // 2) % WRAP)

    def each(self, values):
        for i in range(len(values)):
            values[i] = self.one()

    def lists(self, found, size=0):
        count = self.one()
        if not 0 <= count <= _LISTS_MOST:
            raise ValueError("a length of %d" % count)
        return [[self.one() for _ in range(size)] for _ in range(count)]


def walk(app, v):
    """Every number that each station of this kind has."""
    books = app._books
    v.ints(app, _APP)
    v.ticks(app, APP_TICKS)
    v.ints(books, _BOOKS)
    v.ints(books.uptime, ("seconds", "ms"))
    v.ticks(books.uptime, ("_last",))
    v.ints(app.duty, _DUTY)
    for log in books.logs:
        v.ints(log, _LOG)
        log._kept = (v.one(log._kept[0]), v.one(log._kept[1]))
    _walk_uplink(app.uplink, v)
    if app.gauge:
        _walk_gauge(app.gauge, v)
    if app._care:
        _walk_care(app._care, v)
    if app.survey:
        _walk_survey(app.survey, v)
        if app._rounds.hearing:
            v.ints(app._rounds.hearing, ("_silent", "_told"))
    _walk_lasting(app, v)
    watches = app.survey.watches if app.survey else []
    app._told_by = _named(watches, v.one(_number(watches, app._told_by)))


def _number(found, one):
    for i in range(len(found)):
        if found[i] is one:
            return i
    return -1


def _named(found, i):
    return found[i] if i >= 0 else None


def _walk_lasting(app, v):
    """What storage knows of the alarms, so that it is not written again at every wake."""
    kept = app._lasting and app._lasting._kept
    kept = [v.one(number) for number in (kept or (-1, 0, 0, 0))]
    if kept[0] >= 0:
        if not app._lasting:
            from node.lasting import Lasting

            app._lasting = Lasting(app, app._alarms, app._books)
        app._lasting._kept = tuple(kept)
    else:
        app._lasting = None


def _walk_uplink(uplink, v):
    v.ints(uplink, _UPLINK)
    v.ticks(uplink, UPLINK_TICKS)
    v.ints(uplink.client, ("_last_id",))
    for name in _PAIRS:
        pairs = getattr(uplink, name)
        for i in range(2):
            pairs[i] = (v.one(pairs[i][0]), v.one(pairs[i][1]))
    v.each(uplink._through)
    v.each(uplink._again_ms)
    v.each(uplink._move)
    _walk_ticks(uplink._again_at, v)
    for cursor in uplink._next:
        v.ints(cursor, ("_number", "_offset"))


def _walk_alarm(alarm, v):
    v.ints(alarm, _ALARM)
    v.ticks(alarm, ALARM_TICKS)
    v.each(alarm._active)
    v.each(alarm._bursts)
    v.each(alarm._held_ms)


def _walk_gauge(gauge, v):
    v.ints(gauge, _GAUGE)
    v.ticks(gauge, GAUGE_TICKS)
    v.ints(gauge.quality, _QUALITY)
    _walk_alarm(gauge.alarm, v)
    v.ints(gauge.rise, _RISE)
    v.each(gauge.rise._times)
    v.each(gauge.rise._values)


def _walk_care(care, v):
    v.ints(care, _CARE)
    if care._calibration:
        v.ints(care._calibration, ("state", "left_days"))
    if care._fouling:
        v.ints(care._fouling, _FOULING)
        v.each(care._fouling._first)
        v.each(care._fouling._lows)


def _walk_survey(survey, v):
    v.ints(survey, _SURVEY)
    v.ticks(survey, SURVEY_TICKS)
    survey.cause = _named(survey.watches, v.one(_number(survey.watches, survey.cause)))
    for sensor in survey.sensors:
        v.ints(sensor, _SENSOR)
        if hasattr(sensor.driver, "_rest_nm"):
            v.ints(sensor.driver, _BUCKET)
            v.ticks(sensor.driver, ("_read_at",))
            v.each(sensor.driver._marks_um)
            _walk_ticks(sensor.driver._marks_at, v)
    for watch in survey.watches:
        v.ints(watch, _WATCH)
        _walk_alarm(watch.alarm, v)
    for one in survey._derived:
        if hasattr(one, "_air"):
            v.ints(one, ("_value", "_before_s"))
            v.ints(one._air, _AIR)
            v.each(one._air._hourly)
    if survey._relay:
        v.ints(survey._relay, _RELAY)


def _walk_ticks(ticks, v):
    for i in range(len(ticks)):
        mark = _Mark(ticks[i])
        v.ticks(mark, ("at",))
        ticks[i] = mark.at


class _Mark:
    def __init__(self, at):
        self.at = at
