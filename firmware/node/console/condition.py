"""How the station is, one name and value a line: `status`."""

from node.console.state import level_text, state_of, state_word
from node.core import fixed, journal
from node.core import measurements as M

_LINK = ("down", "opening", "up", "up")
_SETTINGS = ("sound", "one copy lags", "one copy was damaged", "both copies were damaged: the station's own count")
_WORDS = ("begun", "heard", "silent", "not_measured")  # of the point `drill`
_DRILL = 0xC2  # node.core.happenings, which need not be loaded for it
_LOOKED_AT = 40  # newest events in which a drill is looked for


def answer_status(console, typed):
    if len(typed) != 1:
        console.usage("status")
    for name, value in _pairs(console):
        yield "%s%s %s" % (name, "" if console.machine else ":", value)


def _pairs(console):
    from node.version import VERSION

    app, books, station = console.app, console.app._books, console.app._station
    yield "node", station["node"]
    yield "district", station["district"]
    yield "life", app.life
    yield "version", VERSION
    yield "boot", "%d %s" % (app.logs[0].boot if app.logs else 0, station.get("reset", "unknown"))
    yield "uptime", "%d s" % books.uptime.seconds
    from node.console import dates

    flags, seconds, _ = books.moment()
    yield "time", dates.text(flags, seconds) if flags else "unknown"
    yield "state", state_word(console, state_of(app))
    for name, value in _measured(app):
        yield name, value
    yield "revision", app.settings.revision
    for name, value in _storage(app, books):
        yield name, value
    for name, value in _surroundings(console):
        yield name, value
    yield "drill", _drill(app)
    yield "pin", "closed" if console.guard() else "open"
    yield "user", "in" if console.user else "out"


def _measured(app):
    gauge = app.gauge
    if gauge:
        yield "level", "%s q %d" % (level_text(gauge), gauge.flag)
        yield "limits", " ".join([fixed.text(gauge.limit_mm(i), 3) for i in (1, 2, 3)]) + " m"
        yield "season", "rules" if gauge.in_season() else "none"
        yield "battery", "%s V" % fixed.text(gauge.battery_mv, 3)
        yield "acknowledged", gauge.alarm.acknowledged
        yield "shelved", "%d s" % gauge.alarm.shelved_s(app.now_ms)
        yield "siren", "out of service" if gauge.alarm.out_of_service else "shadow" if gauge.alarm.shadow else "armed"
    if app.survey:
        yield "sensors", len(app.survey.sensors)
        yield "battery_mv", app.survey.battery_mv
    yield "sensors_bad", app.sensors_bad


def _storage(app, books):
    yield "settings", _SETTINGS[app._ailing]
    try:
        if app.storage.size("settings.bad"):
            yield "settings_bad", "a damaged copy is kept as settings.bad"
    except OSError:
        pass
    yield "storage", "fault" if books.storage_bad or not app.logs else "ok"
    yield "flash_errors", books.flash_errors
    for k, log in enumerate(app.logs or ()):
        yield M.STREAMS[k], log.seq
        if log.damaged:
            yield M.STREAMS[k] + "_damaged", log.damaged


def _surroundings(console):
    app = console.app
    ports = app._ports
    if hasattr(ports.link, "state"):
        online = app.uplink and app.uplink.client.state == 2
        reason = getattr(ports.link, "reason", "")
        yield "link", ("broker" if online else _LINK[ports.link.state()]) + (", " + reason if reason else "")
    if app._networking and app._networking.left_s():
        yield "network_trial", "%d s left" % app._networking.left_s()
    slots = getattr(ports, "slots", None)
    if slots:
        yield "slot", slots.running
    platform = getattr(ports, "platform", None)
    if platform:
        yield "heap_low", platform.heap_low()
    yield "defects", app.defects
    yield "safe_mode", "on" if app.safe else "off"


def _drill(app):
    """What came of the newest one: begun, heard, silent, not_measured; none where there was none lately."""
    if not app.logs:
        return "unknown"
    log = app.logs[journal.EVENT]
    cursor = journal.Cursor(log)
    found = "none"
    if log.last:
        cursor.seek(log.boot, max(1, log.seq - _LOOKED_AT))
    while True:
        at = cursor.peek()
        if not at:
            return found
        for i, _, value in journal.points_of(at[3])[4]:
            if i == _DRILL:
                found = _WORDS[value]
        cursor.advance(at[3])
