"""every_sensor, point by point: what is published agrees with the truth, is missing exactly while a fault says so, and every fault is told once.

The tolerances are the makers' figures (hardware/drivers.toml says which), in the points' integers: so much and so many per cent of the truth. Where a
transmitter only has a certificate, a step of its register.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from node.core.quantities import POINTS
from node.drivers import catalog
from simulator import fleet, scenario
from simulator.furnish import gives
from simulator.run import simulate
from simulator.surroundings import Surroundings
from simulator.tables import SPAN_KINDS
from simulator.troubles import rows_of
from tests.sim import told

ROWS = {row[0]: row for row in POINTS}
# (driver, quantity): (so much, per cent of the truth)
ACCURACY = {
    ("a02yyuw", "level"): (12, 0),  # 10 mm, and the firmware's own 2
    ("maxbotix", "level"): (10, 0),  # 1 % of the range is the maker's bound; this chip's noise is 1 mm
    ("modbus", "level"): (3, 0),
    ("current_loop", "level"): (8, 0),  # 0.15 % of 4.096 V over 100 Ohm: 6 uA of 16 mA for 5 m, and a rounding
    ("bme280", "temperature"): (100, 0),
    ("bme280", "humidity"): (300, 0),
    ("bme280", "pressure"): (100, 0),
    ("sht4x", "enclosure_temperature"): (20, 0),
    ("sht4x", "enclosure_humidity"): (180, 0),
    ("scd4x", "co2"): (50, 5),
    ("sen5x", "pm1"): (50, 5),
    ("sen5x", "pm2_5"): (50, 5),
    ("sen5x", "pm4"): (250, 25),
    ("sen5x", "pm10"): (250, 25),
    ("sen5x", "voc_index"): (10, 0),
    ("sen5x", "nox_index"): (10, 0),
    ("pms5003", "pm1"): (100, 10),
    ("pms5003", "pm2_5"): (100, 10),
    ("pms5003", "pm10"): (100, 10),
    ("sps30", "pm1"): (100, 10),
    ("sps30", "pm2_5"): (100, 10),
    ("sps30", "pm4"): (250, 25),
    ("sps30", "pm10"): (250, 25),
    ("ds18b20", "module_temperature"): (50, 0),
    ("ds18b20", "water_temperature"): (50, 0),
    ("ina226", "panel_voltage"): (2, 0.1),
    ("ina226", "panel_current"): (2, 0.1),
    ("ina226", "panel_power"): (2, 0.2),
    ("ina226", "charger_voltage"): (2, 0.1),
    ("ina226", "charger_current"): (2, 0.1),
    ("ina226", "siren_current"): (2, 0.1),
    ("reference_cell", "irradiance"): (6, 2.5),  # 0.15 % of 256 mV, and 0.05 % a degree
    ("ads1115", "depth"): (20, 0),  # 0.15 % of 4.096 V
    ("ads1115", "fill"): (4, 0),
    ("tipping_bucket", "rain_rate"): (48, 0),  # two tips in five minutes
    ("switch", "lid"): (0, 0),
    ("battery", "battery"): (0, 3),
    ("modbus", "conductivity"): (1, 0),
    ("modbus", "water_temperature"): (1, 0),
    ("modbus", "wind_speed"): (1, 0),
    ("modbus", "wind_direction"): (9, 0),  # half a degree
    ("modbus", "sound_level"): (1, 0),
    ("modbus", "panel_voltage"): (5, 0),
    ("modbus", "panel_current"): (1, 0),
    ("modbus", "panel_power"): (1, 0),
}
ROUND_MS = 45_000  # a round takes as long as its slowest sensor; a dust sensor's fan needs 33 s
SETTLED_ROUNDS = 3  # after a boot or a fault: started again, warmed up, measured
WARM = ("scd4x", "sen5x", "pms5003", "sps30")


class Lived:
    """A run of the scenario and what is true of it."""

    def __init__(self, chosen: scenario.Scenario) -> None:
        self.scenario = chosen
        self.lines: list[bytes] = []
        data: list[bytes] = []
        self.report = simulate(chosen, write=data.append)
        self.lines = b"".join(data).splitlines()
        self.records = list(told.records(self.lines, chosen))
        self.places = {place.node: place for place in fleet.places(chosen, chosen.seed)}

    def of(self, node: str, stream: str = "readings") -> list[told.Record]:
        return [record for record in self.records if record.node == node and record.stream == stream]

    def boots(self, node: str) -> list[int]:
        found = [self.places[node].boots_ms]
        return found + [reset.at_s * 1000 for reset in self.scenario.resets if reset.node == node]

    def around(self, node: str) -> Surroundings:
        place = self.places[node]
        return Surroundings(self.scenario, self.scenario.seed, node, place.river, place.compiled.get("tank"))

    def truth(self, node: str, around: Surroundings, key: str) -> Callable[[int], int]:
        if key == "level":
            return around.level_mm()
        if key == "siren_current":
            siren = told.switched(self.lines, node, "siren")
            return lambda t_ms: 2400 if on_at(siren, t_ms) else 0
        return around.truth(key)

    def interval_ms(self, node: str) -> int:
        return self.places[node].compiled["settings"].get("sample.interval", 60) * 1000

    def spans(self, node: str, row) -> list[tuple[int, int]]:
        """When this sensor can't answer."""
        found = []
        for span in self.scenario.spans:
            if span.node == node and row.driver not in ("battery", "tipping_bucket") and span.what != "storage":
                if span.bus == row.config["bus"] if span.what == "bus_low" else span.sensor == row.number:
                    found.append(span.ms)
        return found


@pytest.fixture(scope="module")
def week() -> Lived:
    return Lived(scenario.load("every_sensor"))


@pytest.fixture(scope="module")
def day() -> Lived:
    return Lived(msgspec.structs.replace(scenario.load("every_sensor"), hours=24, outages=[], resets=[]))


def sensors() -> list[tuple[str, int]]:
    chosen = scenario.load("every_sensor")
    return [
        (place.node, i) for place in fleet.places(chosen, chosen.seed) for i, _ in enumerate(place.compiled["sensors"])
    ]


def keys_of(row) -> list[str]:
    if row.driver == "battery":
        return ["battery"]
    if row.config.get("gives") == "level":
        return ["level"]
    return [key for key in gives(row.config) if key]


def integer(point: dict, key: str) -> int:
    row = ROWS[key.partition(":")[0]]
    if "vs" in point:
        return row[5].index(point["vs"])
    return int(Decimal(str(point["v"])).scaleb(row[2]))


def test_every_driver_of_the_catalog_is_in_it(week):
    drivers = {row["driver"] for place in week.places.values() for row in place.compiled["sensors"]}
    assert drivers == {*catalog.LEVEL, *catalog.OTHERS, "battery"}


def test_every_shipped_station_and_every_kind_of_fault_is_in_it(week):
    from hardware.compile import shipped

    named = {table.station for table in week.scenario.stations}
    assert set(shipped()) <= named
    assert {span.what for span in week.scenario.spans} == set(SPAN_KINDS)
    assert week.scenario.hours == 168
    assert len(week.scenario.outages) >= 1


def test_nothing_is_lost_and_every_alarm_is_right(week):
    report = week.report
    assert (report["lost"], report["duplicates_stored"]) == (0, 0)
    assert (report["false_alarms"], report["missed_alarms"]) == (0, 0)
    watched = report["kpi"]["watched"]
    assert set(watched) == {"level", "co2", "pm2_5_nowcast", "rain_rate", "fill"}
    for key, row in watched.items():
        assert row["answered"] >= 2, key


@pytest.mark.parametrize(("node", "index"), sensors())
def test_published_points_agree_with_the_truth_within_the_chip_s_own_error(week, node, index):
    row = rows_of(week.places[node].compiled)[index]
    around = week.around(node)
    readings = week.of(node)
    for key in keys_of(row):
        name = key.partition(":")[0]
        if name == "rain":
            continue  # by its sum, below
        if name != "rain_rate":
            truths = [week.truth(node, around, key)]
        else:  # over five minutes or two intervals, as reads come
            truths = [around.rain_rate_over(over_s * 1000) for over_s in range(270, 601, 30)]
        so_much, per_cent = ACCURACY[row.driver, name]
        compared = 0
        mine = [record for record in readings if key in record.points]
        for record, after in pairwise(mine):
            point = record.points[key]
            if point["q"] not in (1, 2) or after.finals.get(key, 1) in (3, 4):
                continue
            if "assumes_cc" in row.config and record.t_ms < week.boots(node)[0] + ROUND_MS:
                continue  # no round has told it the air's temperature yet
            times = [*range(max(0, record.t_ms - ROUND_MS), record.t_ms, 3000), record.t_ms]
            seen = [truth(t) for truth in truths for t in times]
            room = so_much + max(map(abs, seen)) * per_cent / 100
            value = integer(point, key)
            assert min(seen) - room <= value <= max(seen) + room, (key, record.t_ms, value, min(seen), max(seen))
            compared += 1
        assert compared > 0.9 * len(mine) > 900, (key, compared, len(mine))


def on_at(changes: list[tuple[int, int]], t_ms: int) -> int:
    on = 0
    for at, now in changes:
        if at > t_ms:
            break
        on = now
    return on


@pytest.mark.parametrize("node", ["rain1", "pole1"])
def test_rain_adds_up_to_what_fell_to_a_tip(week, node):
    mine = [record for record in week.of(node) if "rain" in record.points]
    total = sum(integer(record.points["rain"], "rain") for record in mine)
    fell = week.around(node).rain.between_um(week.places[node].boots_ms, mine[-1].t_ms)
    assert abs(total - fell) <= 200
    assert fell > 100_000


@pytest.mark.parametrize(("node", "index"), sensors())
def test_points_are_missing_exactly_while_a_fault_says_so(week, node, index):
    row = rows_of(week.places[node].compiled)[index]
    spans = week.spans(node, row)
    settle_ms = SETTLED_ROUNDS * week.interval_ms(node) + ROUND_MS
    starts = week.boots(node) + [end for _, end in spans]
    silent = Counter()
    for record in week.of(node):
        t = record.t_ms
        for key in keys_of(row):
            if key not in record.points:
                continue
            missing = record.points[key]["q"] == 9
            if any(begin + ROUND_MS < t < end for begin, end in spans):
                assert missing, (key, t)
                silent[key] += 1
            elif not any(begin <= t <= begin + ROUND_MS for begin, _ in spans):
                settling = any(start <= t < start + settle_ms for start in starts)
                assert not missing or (settling and (spans or row.driver in WARM)), (key, t, record.points[key])
    if spans:
        assert min(silent.values()) >= 10


def test_each_fault_is_told_once_and_each_recovery_once(week):
    events = Counter()
    for record in week.records:
        if record.stream == "event" and "sensor" in record.points:
            number = record.points.get("sensor_number", {}).get("v")
            assert (number is None) == ("sensor_of" in record.points)
            events[record.node, number, record.points["sensor"]["vs"]] += 1
    meant = Counter()
    for node, place in week.places.items():
        for row in rows_of(place.compiled):
            for _ in week.spans(node, row):
                meant[node, row.number, "fault"] += 1
                meant[node, row.number, "ok"] += 1
    assert events == meant


def test_a_fault_moves_no_other_sensor_s_sampling(day):
    clean = Lived(msgspec.structs.replace(day.scenario, spans=[]))
    compared = 0
    for node, place in day.places.items():
        if any(span.node == node and span.what == "storage" for span in day.scenario.spans):
            continue
        for row in rows_of(place.compiled):
            if day.spans(node, row):
                continue
            key = keys_of(row)[0]
            with_faults, without = ([one for one in run.of(node) if key in one.points] for run in (day, clean))
            assert len(with_faults) == len(without), (node, key)
            for one, other in zip(with_faults, without, strict=True):
                # A record is made when its round ends: a sensor that fails early or late moves that, not when the others are asked.
                assert abs(one.t_ms - other.t_ms) <= ROUND_MS
                assert (one.points[key]["q"] == 9) == (other.points[key]["q"] == 9), (node, key, one.t_ms)
                compared += 1
    assert compared > 10_000
