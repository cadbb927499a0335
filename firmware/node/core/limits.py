"""Settings of stations that watch more than a level: the table of `settings` goes on here, an ordinary alarm's rows for each quantity.

A station's own data names what it watches. Defaults: PM2.5 by the US EPA's breakpoints (2024) for unhealthy for sensitive groups, unhealthy, very
unhealthy; CO2 by common indoor guidance; rain by the Malaysian words heavy (31 to 60 mm/h) and very heavy, with 100 mm/h above; tanks are ours.
"""

from node.core import settings

# key of a point, unit, decimals, alert, warning, danger, deadband, low, high
_WATCHED = (
    ("pm2_5_nowcast", "ug/m3", 1, 355, 555, 1255, 20, 0, 100000),
    ("co2", "ppm", 0, 1000, 2000, 5000, 100, 0, 40000),
    ("rain_rate", "mm/h", 1, 310, 600, 1000, 50, 0, 10000),
    ("fill", "/100", 1, 800, 900, 950, 20, 0, 1000),
)


def _rows(key, unit, decimals, alert, warning, danger, deadband, low, high):
    return (
        (key + ".alert", unit, decimals, alert, low, high),
        (key + ".warning", unit, decimals, warning, low, high),
        (key + ".danger", unit, decimals, danger, low, high),
        (key + ".deadband", unit, decimals, deadband, 0, high),
    )


def _table():
    rows = settings.ROWS
    for watched in _WATCHED:
        rows += _rows(*watched)
    return rows


ROWS = _table()
KEYS = tuple([watched[0] for watched in _WATCHED])


def first_of(key):
    """Index of the quantity's alert; ValueError names what can be watched."""
    if key not in KEYS:
        raise ValueError("no alarm on '%s'; there are %s" % (key, ", ".join(KEYS)))
    return settings.index(key + ".alert", ROWS)


def used(keys):
    """Rows of the whole table that mean something to a station that watches these."""
    found = list(range(len(settings.ROWS)))
    for key in keys:
        first = first_of(key)
        found += [first, first + 1, first + 2, first + 3]
    found.sort()
    return found
