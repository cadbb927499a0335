"""`set`: typed, checked, read back in the unit it was typed in; not live until `save`."""

from node.core import fixed, units
from node.core import settings as S


def answer_set(console, typed):
    if len(typed) < 3:
        console.usage("set")
    key = typed[1]
    if key.split(".")[0] in ("wifi", "broker"):
        yield console.app.orders.stage_network(key, " ".join(typed[2:]))
        return
    if len(typed) > 4:
        console.usage("set")
    settings = console.settings
    i = S.index(key, settings.rows)
    row = settings.rows[i]
    unit = typed[3] if len(typed) == 4 else units.split(typed[2])[1]
    value = units.parse(row, typed[2], typed[3] if len(typed) == 4 else None)
    settings.staged[i] = value
    if value == settings.values[i]:
        del settings.staged[i]
    if i == S.SENSOR_HEIGHT:
        console.proposed_height = None
    shown = units.shown(row, value, unit)
    yield console.word("set") % (key, shown, units.shown(row, settings.values[i], unit))
    for text in warnings(console, i):
        yield "%s: %s" % (console.word("warning"), text)


def warnings(console, i):
    """What may surprise whoever saves this: as long as it is only typed it is no more than that."""
    settings = console.settings
    found = []
    problem = S.conflict(settings.proposed(), settings.rows)
    if problem:
        found.append(console.translated(problem))
    gauge = console.app.gauge
    if gauge and i <= S.LEVEL_DANGER and gauge.in_season():
        limits = " ".join([fixed.text(gauge.limit_mm(k), 3) for k in (1, 2, 3)])
        found.append(console.word("season") % limits)
    if gauge and S.LEVEL_DANGER in settings.staged or S.SENSOR_HEIGHT in settings.staged:
        values = settings.proposed()
        highest = gauge.highest_mm(values[S.SENSOR_HEIGHT]) if gauge else values[S.LEVEL_DANGER]
        if values[S.LEVEL_DANGER] > highest:
            found.append(console.word("out of reach") % fixed.text(highest, 3))
    return found
