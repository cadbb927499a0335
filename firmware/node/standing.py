"""What `status` says of a station besides its state and version: how it came up, what of it ails. Loaded with the first connection."""

from node.core import fixed
from node.core import measurements as M


def sensors_bad(survey, level_bad):
    """How many sensors give nothing, as far as events have said so."""
    count = 1 if level_bad else 0
    if survey:
        for sensor in survey.sensors:
            count += sensor.told_bad
    return count


def members(app, ports, books, station):
    """The further entries of the pack (docs/wire.md), each with a comma in front."""
    reset = station.get("reset")
    found = _word("reset", reset if reset in M.RESETS else "unknown")
    found += _number("up_s", books.uptime.seconds)
    platform = getattr(ports, "platform", None)
    if platform:
        found += _number("heap_low", platform.heap_low())
    found += _number("flash_errors", books.flash_errors)
    found += _number("sensors_bad", app.sensors_bad)
    slots = getattr(ports, "slots", None)
    if slots:
        found += _word("slot", slots.running)
    reason = getattr(ports.link, "reason", "")
    if reason:
        found += _word("lost", reason)
    found += _number("refused", app.refused + app.uplink.refused + app.uplink.client.passed_over)
    if app.safe:
        found += _number("safe", 1)
    return found


def _word(name, word):
    return ',{"n":"%s","vs":%s}' % (name, fixed.quoted(word))


def _number(name, value):
    return ',{"n":"%s","v":%d}' % (name, value)
