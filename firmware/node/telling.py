"""Events of alarms and of the level's sensor. Loaded with the first of them: a calm river gauge has none to tell."""

from node.core import measurements as M

FAULT_AFTER = 3  # bursts in a row without a reading before the sensor is called faulty


def changes(app, books, level):
    """What the gauge has to tell; a change counts as told once it is in the journal."""
    gauge = app.gauge
    state(app, books, level)
    rise = (M.RISE, 0, gauge.rise.rate_mm_h())
    if gauge.rising != app._told_rising and books.event((M.RISE_ALARM, 0, gauge.rising), level, rise):
        app._told_rising = gauge.rising
    if gauge.failures >= FAULT_AFTER and not app.level_bad:
        app.level_bad = books.event((M.SENSOR, 0, 0), (M.SENSOR_OF, 0, 0), (M.REASON, 0, gauge.reason))
        app.tell_soon()
    elif app.level_bad and not gauge.failures:
        app.level_bad = not books.event((M.SENSOR, 0, 1), (M.SENSOR_OF, 0, 0))
        app.tell_soon()


def state(app, books, level):
    """One state for the whole station: the highest of its alarms, told with the quantity that made it, or that has fallen.

    `level` is its point, None when it is not known just now: then the gauge's next record tells what the level did.
    """
    gauge, rounds, old = app.gauge, app._rounds, app._told_state
    new = gauge.state if gauge else 0
    maker = None
    if rounds:
        new, maker = rounds.highest(new)
    if new == old:
        app._told_by = maker
        return
    watch = app._told_by if new < old else maker
    crossed = (new if new > old else old) - 1
    if watch:
        about = rounds.crossing(watch, crossed)
    elif level:
        about = (level, (M.LIMIT, 0, gauge.limit_mm(crossed + 1)), (M.RISE, 0, gauge.rise.rate_mm_h()))
    else:
        return
    if books.event((M.ALARM, 0, new), (M.ALARM_FROM, 0, old), *about):
        app._told_state = new
        app._told_by = maker
