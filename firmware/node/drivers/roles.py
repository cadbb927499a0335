"""Which points a sensor's values are: one driver serves several roles, its row in station.json says which."""

from node.core.measurements import MISSING
from node.core.quantities import POINTS


def row(key: str) -> tuple:
    """The point's row in the table of measurements."""
    name = key.split(":")[0]  # module_temperature:2 is the second of its kind
    for point in POINTS:
        if point[0] == name:
            return point
    raise ValueError("no point '%s'" % key)


def keys(config: dict, usual: tuple) -> tuple:
    """`usual`, or the sensor's own "gives": a key for each value in the same unit and decimals, null for a value nobody wants."""
    given = config.get("gives")
    if given is None:
        return usual
    if isinstance(given, str):
        given = (given,)
    if len(given) != len(usual):
        raise ValueError("gives: %d keys for the %d values %s" % (len(given), len(usual), ", ".join(usual)))
    for i in range(len(usual)):
        if given[i] is not None and row(given[i])[1:3] != row(usual[i])[1:3]:
            raise ValueError("gives: %s is not in the unit and decimals of %s" % (given[i], usual[i]))
    return tuple(given)


def within(value: int, low: int, high: int) -> int:
    """The value, or MISSING when the chip cannot have measured it."""
    return value if low <= value <= high else MISSING
