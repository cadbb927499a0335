"""A whole station with panels, relay and tank, and what it asks of people and the calendar: each told once, limits moved on the right day."""

import sys
from datetime import UTC, datetime

import pytest

from node.core import journal
from node.core import measurements as M
from node.core import quantities as Q
from node.core import settings as S
from node.drivers import catalog
from tests.core.station_desk import STATION, WRAP, Desk
from tests.core.survey_desk import CALM, bus, module
from tests.core.test_derive import POINTS_MOST

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SLOW = {"sample.interval": 3600, "report.interval": 3600, "rise.limit": 0}
# Monsoon over New Year, and a spring tide of two days
SEASONS = [[1101, 228, 400, 500, 550], [701, 702, 300, 310, 320]]
OWN = (600, 1000, 1500)


@pytest.fixture(autouse=True)
def _fake_driver(monkeypatch):
    monkeypatch.setitem(catalog.OTHERS, "fake", "Fake")
    monkeypatch.setitem(sys.modules, "node.drivers.fake", module())


def on(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp() * 1000)


class Cared(Desk):
    def __init__(self, care, at=None, **arguments):
        super().__init__(station={"care": care}, settings=SLOW, unix=False, **arguments)
        self.unix = None if at is None else at
        self.boot()
        self.level(100)
        self.run(MINUTE)

    def boot(self):
        super().boot()
        self.app.step = self.app.measure  # months of connection attempts say nothing here

    def limits(self):
        return tuple(self.app.gauge.limit_mm(state) for state in (1, 2, 3))


# seasons

DATES = [
    ((2025, 10, 31, 23), OWN, 0),
    ((2025, 11, 1), (400, 500, 550), 1),
    ((2025, 12, 31, 23), (400, 500, 550), 1),
    ((2026, 1, 1), (400, 500, 550), 1),
    ((2026, 2, 28, 23), (400, 500, 550), 1),
    ((2028, 2, 29), OWN, 0),
    ((2026, 3, 1), OWN, 0),
    ((2026, 7, 1), (300, 310, 320), 2),
    ((2026, 7, 3), OWN, 0),
]


@pytest.mark.parametrize(("date", "levels", "season"), DATES)
def test_a_date_has_its_levels_from_the_boot_on(date, levels, season):
    desk = Cared({"seasons": SEASONS}, on(*date))
    assert desk.limits() == levels
    (told,) = desk.events("season")
    assert told.values["season"] == season
    assert [told.values[hex(M.NEW_SETTING + S.LEVEL_ALERT + i)] for i in range(3)] == list(levels)


def test_levels_move_when_the_day_begins_and_each_change_is_told_once():
    desk = Cared({"seasons": SEASONS}, on(2025, 10, 29, 23), ticks=WRAP - DAY)
    moved = []
    before = desk.limits()
    for _ in range(260):
        desk.unix += DAY - 2 * HOUR  # the hours around midnight
        desk.run(2 * HOUR)
        if desk.limits() != before:
            before = desk.limits()
            moved.append((datetime.fromtimestamp((desk.unix + desk.t) / 1000, UTC).strftime("%m-%d"), before))
    assert moved == [
        ("11-01", (400, 500, 550)), ("03-01", OWN), ("07-01", (300, 310, 320)), ("07-03", OWN),
    ]  # fmt: skip
    assert [event.values["season"] for event in desk.events("season")] == [0, 1, 0, 2, 0]


def test_a_season_raises_what_would_be_calm_and_the_event_names_its_level():
    desk = Cared({"seasons": SEASONS}, on(2025, 10, 31, 22))
    desk.level(450)
    desk.run(HOUR)
    assert desk.app.gauge.state == 0
    desk.run(3 * HOUR)
    assert desk.app.gauge.state == 1
    (alarm,) = desk.events("alarm")
    assert (alarm.values["alarm"], alarm.values["limit"]) == (1, 400)


def test_the_season_holds_after_a_reboot_and_a_save_on_the_console():
    desk = Cared({"seasons": SEASONS}, on(2025, 12, 31))
    desk.boot()
    desk.run(MINUTE)
    assert desk.limits() == (400, 500, 550)
    desk.type("set level.alert 0.7 m")
    desk.type("save")
    assert desk.limits() == (400, 500, 550)
    assert desk.app.settings.get(S.LEVEL_ALERT) == 700


def test_without_a_clock_the_settings_own_levels_stand_until_it_is_known():
    desk = Cared({"seasons": SEASONS})
    desk.run(5 * HOUR)
    assert desk.limits() == OWN
    assert not desk.events("season")
    desk.unix = on(2025, 12, 1)
    desk.run(2 * HOUR)
    assert desk.limits() == (400, 500, 550)


@pytest.mark.parametrize("row", [[1301, 228, 1, 2, 3], [1101, 230, 1, 2, 3], [0, 228, 1, 2, 3], [1101, 228, 3, 2, 1]])
def test_a_season_that_can_not_be_is_refused(row):
    with pytest.raises(ValueError, match="season 1"):
        Cared({"seasons": [row]})


# calibration


def test_a_calibration_is_told_soon_and_due_once_each():
    today = on(2026, 1, 1) // DAY
    desk = Cared({"calibrate_every_days": 365, "calibrated_day": today - 330}, on(2026, 1, 1))
    desk.run(60 * DAY)
    told = [(event.values["calibration"], event.ms // DAY - today) for event in desk.events("calibration")]
    assert told == [(1, 5), (2, 35)]


def test_a_sensor_that_was_never_calibrated_is_due():
    desk = Cared({"calibrate_every_days": 365}, on(2026, 1, 1))
    assert [event.values["calibration"] for event in desk.events("calibration")] == [2]


# fouling


def test_a_web_before_the_sensor_is_told_once_and_so_is_its_end():
    desk = Cared({"blanking_mm": 30}, on(2026, 1, 1))
    desk.ranger.mm = 45
    desk.run(10 * HOUR)
    assert [event.values["fouling"] for event in desk.events("fouling")] == [3]
    desk.level(100)
    desk.run(3 * HOUR)
    assert [event.values["fouling"] for event in desk.events("fouling")] == [3, 0]


@pytest.mark.parametrize("clock_after_days", [0, 3, 9])
def test_what_creeps_up_is_told_whenever_the_clock_came(clock_after_days):
    desk = Cared({"blanking_mm": 30}, None if clock_after_days else on(2026, 1, 1))
    desk.ranger.mm = lambda t: 4400 - t * 6 // DAY  # 6 mm a day
    for day in range(25):
        if day == clock_after_days:
            desk.unix = on(2026, 1, 1)
        desk.run(DAY)
    assert [event.values["fouling"] for event in desk.events("fouling")] == [1]


def test_what_storage_refused_is_told_later():
    desk = Cared({"blanking_mm": 30}, on(2026, 1, 1))
    desk.storage.writes_fail = True
    desk.ranger.mm = 45
    desk.run(5 * HOUR)
    desk.storage.writes_fail = False
    desk.run(2 * HOUR)
    assert [event.values["fouling"] for event in desk.events("fouling")] == [3]


# a station with a relay, a tank, panels


def pumped(fill, **arguments):
    relay = {"output": "valve", "of": "fill", "on_below": 300, "off_above": 500, "max_on_s": 3600}
    sensors = [{"driver": "fake", "bus": "tank", "gives": ["fill"]}, CALM]
    return Desk(
        station={"sensors": sensors, "settings": {}, "relay": relay},
        buses={"tank": fill},
        outputs=("valve",),
        **arguments,
    )


@pytest.mark.parametrize("ticks", [0, WRAP - 90_000])
def test_a_valve_fills_a_tank_and_its_switching_is_told(ticks):
    fill = bus(200)
    desk = pumped(fill, ticks=ticks)
    desk.run(2 * MINUTE)
    assert desk.outputs["valve"].on == 1
    fill.values = [520]
    desk.run(2 * MINUTE)
    assert desk.outputs["valve"].on == 0
    assert [event.values["relay"] for event in desk.events("relay")] == [1, 0]


def test_a_valve_is_off_at_boot_before_anything_is_read():
    desk = pumped(bus(200))
    desk.run(2 * MINUTE)
    valve = desk.outputs["valve"]
    kept = dict(desk.outputs)
    desk.boot()
    assert desk.outputs["valve"].on == 0
    assert valve.on == 1, "the board that lost its power is another object here"
    # the same outputs under a new app: it is the app that switches it off
    desk.outputs = kept
    from types import SimpleNamespace

    from node.app import App

    ports = SimpleNamespace(
        clock=SimpleNamespace(unix_ms=lambda: None), buses={"tank": bus(200), "adc1": SimpleNamespace(read_uv=lambda: 2210000)},
        outputs=kept, storage=desk.storage, link=desk.broker, console=desk.console,
    )  # fmt: skip
    App(desk.station, ports)
    assert valve.on == 0


def test_a_valve_is_off_after_its_time_to_the_second():
    desk = pumped(bus(200))
    desk.run(90 * MINUTE)
    (began, _), (ended, _) = desk.switched("valve")
    assert 3600_000 <= ended - began <= 3600_000 + MINUTE


@pytest.mark.parametrize("answers", [[-1], [OSError], [ValueError], [-4]])
def test_a_sensor_that_fails_shuts_the_valve(answers):
    fill = bus(200)
    desk = pumped(fill)
    desk.run(2 * MINUTE)
    fill.answers = answers
    desk.run(MINUTE)
    assert desk.outputs["valve"].on == 0


def test_switching_that_storage_refused_is_told_later():
    fill = bus(200)
    desk = pumped(fill)
    desk.run(1000)
    desk.storage.writes_fail = True
    fill.values = [520]
    desk.run(2 * MINUTE)
    desk.storage.writes_fail = False
    desk.run(MINUTE)
    assert [event.values["relay"] for event in desk.events("relay")] == [1, 0]


def test_a_tank_beside_a_level_tells_its_fill_and_alarms():
    desk = Desk(
        station={"tank": {"height_mm": 2000}, "watch": ["fill"]},
        settings={"level.alert": 5000, "level.warning": 6000, "level.danger": 7000},
    )
    desk.level(1900)
    desk.run(3 * MINUTE)
    readings = [record.values for record in desk.records(journal.READINGS)]
    assert {"fill": 950} in readings
    assert desk.events("alarm")[0].values["fill"] == 950
    assert desk.app.survey.state == 3
    desk.ranger.mm = None
    desk.run(3 * MINUTE)
    assert [record.q["fill"] for record in desk.records(journal.READINGS) if "fill" in record.values][
        -1
    ] == M.FLAG_MISSING


def test_eight_panels_are_told_in_records_of_twenty_points():
    keys = [
        f"panel_{what}:{i}" if i > 1 else f"panel_{what}"
        for i in range(1, 9)
        for what in ("voltage", "current", "power")
    ]
    field, light = bus(30000), bus(800, 2500)
    sensors = [
        {"driver": "fake", "bus": "light", "gives": ["irradiance", "module_temperature"]},
        {"driver": "fake", "bus": "field", "gives": keys}, CALM,
    ]  # fmt: skip
    desk = Desk(
        station={"sensors": sensors, "settings": {}, "panels": {"peak_w": [330] * 8}},
        buses={"field": field, "light": light},
    )
    desk.unix = on(2026, 1, 1, 23, 50)
    desk.run(15 * MINUTE)
    found = desk.records(journal.READINGS)
    assert max(len(record.values) for record in found) == POINTS_MOST
    for name in [*keys, "irradiance", "battery", "panel_energy:8", "diagnosis:8", "performance_ratio:3"]:
        assert any(name in record.values for record in found), name
    daily = [record for record in found if "diagnosis" in record.values]
    assert len(daily) == 1
    assert datetime.fromtimestamp(daily[0].ms / 1000, UTC).day == 2
    assert Q.POINTS[Q.DIAGNOSIS][5][daily[0].values["diagnosis"]] == "unknown"


def test_air_temperature_corrects_a_ranger_that_assumes_one():
    sensors = [
        {**STATION["sensors"][0], "assumes_cc": 2000},
        CALM,
        {"driver": "fake", "bus": "air", "gives": ["temperature"]},
    ]
    air = bus(4000)
    desk = Desk(station={"sensors": sensors}, buses={"air": air})
    desk.level(1000)
    desk.run(3 * MINUTE)
    # 3500 mm at 20 degC; sound goes 3.5 % faster at 40
    assert desk.app.gauge.level_mm == pytest.approx(4500 - 3500 * (331.3 + 24.24) / (331.3 + 12.12), abs=1)
    corrected = desk.app.gauge.level_mm
    air.answers = [OSError]
    desk.run(10 * MINUTE)
    assert desk.app.gauge.level_mm == corrected


def test_a_date_that_only_a_time_server_says_raises_no_level_until_the_gateway_agrees():
    desk = Cared({"seasons": [[601, 831, 2000, 2500, 3000], [1201, 1231, 400, 500, 550]]}, on(2026, 5, 31, 23))
    clock = desk.app._books._clock
    clock.vouched, clock.doubted_s, clock.source, clock.doubts = False, 0, 0, lambda: 0
    desk.app._books._judges = True
    desk.run(3 * HOUR)
    assert desk.limits() == OWN, "a lie about the month silences nothing"
    clock.vouched = True
    desk.run(2 * HOUR)
    assert desk.limits() == (2000, 2500, 3000)
    clock.vouched = False
    desk.unix += 200 * DAY
    desk.run(2 * HOUR)
    assert desk.limits() == (400, 500, 550), "an earlier siren needs nobody's word"
    desk.unix += 30 * DAY
    desk.run(2 * HOUR)
    assert desk.limits() == (400, 500, 550)
    clock.vouched = True
    desk.run(2 * HOUR)
    assert desk.limits() == OWN


def test_a_reset_during_an_outage_leaves_a_season_as_it_was():
    desk = Cared({"seasons": [[601, 831, 2000, 2500, 3000]]}, on(2026, 6, 10))
    desk.app._books._judges = True
    clock = desk.app._books._clock
    clock.vouched, clock.doubted_s, clock.source, clock.doubts = False, 0, 0, lambda: 0
    desk.app._books._kept_s = on(2026, 6, 8) // 1000
    desk.app._care._day = -1
    desk.app._care._gauge.use_season(None)
    desk.app._care._season = -2
    desk.run(2 * HOUR)
    assert desk.limits() == (2000, 2500, 3000)
