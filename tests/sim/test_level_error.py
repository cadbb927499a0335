"""The firmware's own error on level: what it publishes against the median of the very ranges its ranger gave, converted in real numbers.

Both recorded rivers, and the sea under a tilted beam. Median, subtraction, angle, air and rounding are in it; the ranger's own error is not.
"""

import math

import msgspec
import pytest

from node.core.measurements import FLAG_MISSING
from node.gauge import Gauge
from simulator import fleet, scenario
from simulator.run import simulate

MOST_MM = 2


@pytest.fixture
def bursts(monkeypatch):
    """(sensor row, height, air, median, level told) of every burst that gave a level."""
    found = []
    rows: dict[int, tuple[dict, int]] = {}
    make, decide = Gauge.__init__, Gauge.decide
    stations = iter(())

    def made(gauge, *arguments, **named):
        make(gauge, *arguments, **named)
        rows[id(gauge)] = next(stations), gauge

    def decided(gauge, count, now_ms, t_s):
        ranges = sorted(gauge._burst[:count])
        air_cc = gauge.air_cc
        decide(gauge, count, now_ms, t_s)
        if gauge.flag != FLAG_MISSING:
            found.append((rows[id(gauge)][0], air_cc, ranges[count // 2], gauge.level_mm))

    def lived(chosen):
        nonlocal stations
        # Stations boot in the order of their first moment.
        places = sorted((p for p in fleet.places(chosen, chosen.seed) if p.has_level), key=lambda p: p.boots_ms)
        stations = iter(places)
        simulate(chosen)
        return found

    monkeypatch.setattr(Gauge, "__init__", made)
    monkeypatch.setattr(Gauge, "decide", decided)
    return lived


def exactly(place, air_cc, median_mm) -> float:
    row = next(row for row in place.compiled["sensors"] if row.get("gives") == "level")
    height = place.compiled["settings"]["sensor.height"]
    if row.get("measures") == "depth":
        return height + median_mm
    distance = median_mm * math.cos(math.radians(row.get("tilt", 0) / 10))
    if row.get("assumes_cc") is not None and air_cc is not None:
        distance *= (331.3 + 0.00606 * air_cc) / (331.3 + 0.00606 * row["assumes_cc"])
    return height - distance


@pytest.mark.parametrize(("name", "hours"), [("first_light", 36), ("every_sensor", 24)])
def test_firmware_adds_no_more_than_two_millimetres_to_its_ranger(bursts, name, hours, capsys):
    chosen = msgspec.structs.replace(scenario.load(name), hours=hours)
    if name == "every_sensor":
        tables = [table for table in chosen.stations if table.series]
        nodes = {node for table in tables for node in table.nodes}
        chosen = msgspec.structs.replace(
            chosen, stations=tables, spans=[span for span in chosen.spans if span.node in nodes], resets=[]
        )
    worst: dict[str, float] = {}
    found = bursts(chosen)
    for place, air_cc, median, told in found:
        error = abs(told - exactly(place, air_cc, median))
        worst[place.node] = max(worst.get(place.node, 0.0), error)
    with capsys.disabled():
        print(
            f"\n{name}: the firmware's own error on level over {len(found)} bursts is {max(worst.values()):.2f} mm at most",
            end=" ",
        )
    assert len(found) > 2500
    assert max(worst.values()) <= MOST_MM, worst
