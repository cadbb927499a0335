"""Values in the unit that a technician thinks in: `250 cm` where the table says m, minutes for s. Loaded by `set`."""

from node.core import fixed
from node.core import settings as S

# unit of a row: (what may be typed, multiplied by, divided by)
UNITS = {
    "m": (("cm", 1, 100), ("mm", 1, 1000)),
    "s": (("min", 60, 1), ("h", 3600, 1)),
    "V": (("mV", 1, 1000),),
    "A": (("mA", 1, 1000),),
    "/100": (("%", 1, 1),),
}
_FINE = 6  # decimals that can be typed
_SCALE = 10**_FINE


def _factor(row, unit):
    """(multiplied by, divided by). ValueError: not a unit of this row."""
    if unit is None or unit == row[1]:
        return 1, 1
    names = [row[1]] if row[1] else []
    for name, times, over in UNITS.get(row[1], ()):
        if name == unit:
            return times, over
        names.append(name)
    raise ValueError("%s is in %s, not %s" % (row[0], " or ".join(names) or "whole numbers", unit))


def split(word):
    """`250cm` as (`250`, `cm`)."""
    at = 0
    while at < len(word) and word[at] in "+-.0123456789":
        at += 1
    return (word[:at], word[at:]) if 0 < at < len(word) else (word, None)


def parse(row, word, unit=None):
    """The row's integer for what was typed. ValueError says what is allowed."""
    if unit is None:
        word, unit = split(word)
    times, over = _factor(row, unit)
    try:
        number = fixed.parse(word, _FINE) * times * 10 ** row[2]
    except ValueError as problem:
        raise ValueError("%s; %s must be %s to %s" % (problem, row[0], S.shown(row, row[4]), S.shown(row, row[5])))
    whole = over * _SCALE
    if number % whole:
        raise ValueError("'%s' is finer than can be kept: %s" % (word, S.shown((row[0], row[1], row[2]), 1)))
    return S.within(row, number // whole)


def shown(row, value, unit=None):
    """The value in that unit; in the row's own where it would not come out even."""
    times, over = _factor(row, unit)
    number = value * over * _SCALE
    whole = times * 10 ** row[2]
    if unit is None or unit == row[1] or number % whole:
        return S.shown(row, value)
    return fixed.text(number // whole, _FINE) + " " + unit
