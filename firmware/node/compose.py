"""A station is data: the sensors it names make it a river gauge, a rain gauge, an air station, or all of them. Needed once a boot."""

from node.core import settings as S
from node.drivers import catalog
from node.drivers.battery import Battery
from node.gauge import Gauge


def settings(station):
    """Its settings: further rows only where it watches more than a level."""
    given = station.get("settings", {})
    if not station.get("watch"):
        return S.Settings(given)
    from node.core import limits

    return S.Settings(given, limits.ROWS, limits.used(station["watch"]))


def _mount(row):
    """A ranger that hangs at an angle, or that air temperature fools, needs more than a subtraction."""
    if not row.get("tilt") and row.get("assumes_cc") is None:
        return None
    from node.core.hydrology import Mount

    return Mount(0, row.get("tilt", 0), row.get("assumes_cc"))


def compose(station, ports, values, sounder, safe=False):
    """(gauge, care, survey, the battery that no gauge reads); None for what there is not. ValueError: a station that can't be run.

    `safe`: only what an alarm needs, so neither panels nor a relay, which is off, nor other sensors beside a level where none of them is watched.
    """
    ranger = battery = gauge = care = survey = None
    others = []
    for row in station["sensors"]:
        bus = ports.buses[row["bus"]]
        if row["driver"] == "battery":
            battery = Battery(bus, row["ratio_milli"])
        elif row.get("gives") == "level":
            ranger = catalog.make(catalog.LEVEL, row["driver"], bus, row)
            mount = _mount(row)
            depth = row.get("measures") == "depth" or row["driver"] == "current_loop"
        else:
            others.append((catalog.make(catalog.OTHERS, row["driver"], bus, row), row["bus"]))
    if not battery:
        raise ValueError("a station needs a sensor with driver battery")
    if ranger:
        median_of = station.get("rise_median_of", 1)
        gauge = Gauge(ranger, battery, values, sounder, mount, depth, median_of)
        battery = None
        if station.get("care"):
            from node.care import Care

            care = Care(station["care"], gauge)
    if safe:
        if station.get("relay"):
            ports.outputs[station["relay"]["output"]].set(0)
        station = dict(station, panels=None, relay=None)
        if gauge and not station.get("watch") and not mount:  # a mount's correction may need the air's temperature
            return gauge, care, survey, battery
    if others or station.get("tank"):
        from node import rounds

        survey = rounds.compose(station, others, values, gauge, ports.outputs)
    if not ranger and not others:
        raise ValueError("a station needs a sensor besides its battery")
    return gauge, care, survey, battery
