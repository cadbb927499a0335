"""Alarms on what is not a level: one state for the whole station, its events name the quantity and the limit."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from node.core import journal, limits, senml
from node.core import measurements as M
from node.core import settings as S
from node.drivers import catalog
from node.survey import Watch, point_id
from tests import vm64
from tests.core.station_desk import STATION, WRAP, Desk
from tests.core.survey_desk import CALM, bus, module

MINUTE = 60_000
CO2 = limits.first_of("co2")
RAIN = limits.first_of("rain_rate")


@pytest.fixture(autouse=True)
def _fake_driver(monkeypatch):
    monkeypatch.setitem(catalog.OTHERS, "fake", "Fake")
    monkeypatch.setitem(sys.modules, "node.drivers.fake", module())


class Watched(Desk):
    """CO2 and rain, each on its own bus; with a level or without."""

    def __init__(self, level=False, **arguments):
        self.co2, self.rain = bus(420), bus(0)
        others = [
            {"driver": "fake", "bus": "co2", "gives": ["co2"]},
            {"driver": "fake", "bus": "rain", "gives": ["rain_rate"]},
        ]
        sensors = [*STATION["sensors"], *others] if level else [*others, CALM]
        super().__init__(
            station={
                "sensors": sensors,
                "settings": STATION["settings"] if level else {},
                "watch": ["co2", "rain_rate"],
            },
            buses={"co2": self.co2, "rain": self.rain},
            **arguments,
        )
        self.level(100)
        self.run(2 * MINUTE + 10_000)

    def alarms(self):
        """(to, from, what made it, its value, its limit's id) of each event."""
        found = []
        for event in self.events("alarm"):
            rest = {key: value for key, value in event.values.items() if key not in ("alarm", "alarm_from", "rise")}
            (what, value), (_, limit) = list(rest.items())[:2]
            named = next((int(key, 16) - M.NEW_SETTING for key in rest if key.startswith("0x")), "limit")
            found.append((event.values["alarm"], event.values["alarm_from"], what, value, named, limit))
        return found


# co2 in ppm: alert 1000, warning 2000, danger 5000, deadband 100
@pytest.mark.parametrize("ticks", [0, WRAP - 130_000, WRAP - 190_000])
@pytest.mark.parametrize(("value", "state"), [(1000, 1), (1999, 1), (2000, 2), (4999, 2), (5000, 3), (40000, 3)])
def test_a_quantity_raises_its_state_and_clears_it_below_its_deadband(value, state, ticks):
    desk = Watched(ticks=ticks)
    limit = limits.ROWS[CO2 + state - 1][3]
    desk.co2.values = [value]
    desk.run(3 * MINUTE)
    assert desk.app.survey.state == state
    assert desk.outputs["strobe"].on == 1
    desk.co2.values = [limits.ROWS[CO2][3] - 100]  # within the deadband of the alert
    desk.run(10 * MINUTE)
    assert desk.app.survey.state == 1
    desk.co2.values = [420]
    desk.run(5 * MINUTE)
    assert desk.app.survey.state == 0
    assert desk.outputs["strobe"].on == 0
    raised, *_, cleared = desk.alarms()
    assert raised == (state, 0, "co2", value, S.id_of(CO2) + state - 1, limit)
    assert cleared == (0, 1, "co2", 420, S.id_of(CO2), 1000)


@pytest.mark.parametrize("value", [999, 0, 40001, M.MISSING])
def test_what_is_below_the_line_or_can_not_be_true_raises_nothing(value):
    desk = Watched()
    desk.co2.values = [value]
    desk.run(20 * MINUTE)
    assert not desk.events("alarm")
    assert not desk.switched("siren")


@pytest.mark.parametrize("fault", [-1, -4, OSError, ValueError])
def test_an_alarm_outlives_the_failure_of_its_sensor(fault):
    desk = Watched()
    desk.co2.values = [2500]
    desk.run(3 * MINUTE)
    desk.co2.answers = [fault]
    desk.run(30 * MINUTE)
    assert desk.app.survey.state == 2
    assert len(desk.events("alarm")) == 1


def test_one_high_round_raises_nothing():
    desk = Watched()
    desk.co2.values = [9000]
    desk.run(MINUTE)
    desk.co2.values = [420]
    desk.run(10 * MINUTE)
    assert not desk.events("alarm")


def test_an_alarm_makes_rounds_as_often_as_its_setting_says():
    desk = Watched()
    desk.co2.values = [2500]
    desk.run(3 * MINUTE)
    before = len(desk.records(journal.READINGS))
    desk.run(10 * MINUTE)
    assert len(desk.records(journal.READINGS)) - before == 40


def test_acknowledged_is_silent_until_a_higher_state():
    desk = Watched()
    desk.co2.values = [1500]
    desk.run(3 * MINUTE)
    assert desk.switched("siren")
    desk.type("ack")
    desk.changes.clear()
    desk.run(10 * MINUTE)
    assert (desk.outputs["siren"].on, desk.outputs["strobe"].on, desk.switched("siren")) == (0, 0, [])
    desk.co2.values = [2500]
    desk.run(2 * MINUTE)
    assert desk.switched("siren")


def test_shelved_is_silent_for_so_long_and_sounds_again():
    desk = Watched()
    desk.co2.values = [5500]
    desk.run(3 * MINUTE)
    assert "shelved" in desk.type("shelve 10")
    desk.run(1000)
    assert desk.outputs["strobe"].on == 0
    desk.run(9 * MINUTE)
    assert desk.outputs["strobe"].on == 0
    desk.run(2 * MINUTE)
    assert desk.outputs["strobe"].on == 1
    assert desk.events("shelved_s")[0].values == {"shelved_s": 600}


def test_a_shadow_decides_and_tells_but_sounds_nothing():
    desk = Watched(settings={"alarm.shadow": 1})
    desk.co2.values = [5500]
    desk.run(10 * MINUTE)
    assert desk.alarms()[0][0] == 3
    assert not desk.switched("siren")
    assert not desk.switched("strobe")


def test_a_latched_alarm_stays_until_it_is_acknowledged():
    desk = Watched(settings={"level.latched": 1})
    desk.co2.values = [2500]
    desk.run(3 * MINUTE)
    desk.co2.values = [420]
    desk.run(30 * MINUTE)
    assert desk.app.survey.state == 2
    desk.type("ack")
    desk.run(2 * MINUTE)
    assert desk.app.survey.state == 0
    assert desk.alarms()[-1] == (0, 2, "co2", 420, S.id_of(CO2) + 1, 2000)


def test_on_delay_holds_an_alarm_back():
    desk = Watched(settings={"level.on_delay": 600})
    desk.co2.values = [2500]
    desk.run(9 * MINUTE)
    assert not desk.events("alarm")
    desk.run(4 * MINUTE)
    assert desk.app.survey.state == 2


@pytest.mark.parametrize("siren_from", [1, 2, 3, 4])
def test_the_siren_keeps_to_its_setting(siren_from):
    desk = Watched(settings={"siren.from": siren_from})
    desk.co2.values = [2500]
    desk.run(5 * MINUTE)
    assert bool(desk.switched("siren")) == (siren_from <= 2)
    assert desk.outputs["strobe"].on == 1


# settings


def test_limits_saved_on_the_console_move_the_alarm_and_outlive_a_reboot():
    desk = Watched()
    desk.co2.values = [900]
    desk.run(3 * MINUTE)
    assert not desk.events("alarm")
    assert "not live until save" in desk.type("set co2.alert 800 ppm")
    assert "saved, revision 2" in desk.type("save")
    desk.run(3 * MINUTE)
    assert desk.alarms() == [(1, 0, "co2", 900, S.id_of(CO2), 800)]
    (told,) = desk.events("settings")
    assert told.values[hex(M.OLD_SETTING + S.id_of(CO2))] == 1000
    assert told.values[hex(M.NEW_SETTING + S.id_of(CO2))] == 800
    desk.boot()
    desk.run(3 * MINUTE)
    assert desk.app.survey.state == 1


def test_limits_out_of_order_are_not_saved():
    desk = Watched()
    desk.type("set co2.alert 3000")
    assert "must rise" in desk.type("save")
    assert desk.app.settings.revision == 1


def test_only_a_station_that_watches_has_the_further_rows():
    assert Watched().app.settings.rows is limits.ROWS
    assert Desk().app.settings.rows is S.ROWS
    assert limits.ROWS[: len(S.ROWS)] == S.ROWS
    with pytest.raises(KeyError):
        Desk(settings={"co2.alert": 900})


def test_a_file_of_a_station_that_watched_is_read_by_one_that_does_not():
    desk = Watched()
    desk.type("set siren.from 3")
    desk.type("save")
    plain = Desk(storage=desk.storage)
    assert plain.app.settings.get(S.SIREN_FROM) == 3
    assert plain.app.settings.revision == 2


def test_every_watched_quantity_has_a_point_and_limits_within_it():
    for key in limits.KEYS:
        first = limits.first_of(key)
        _, unit, decimals, low, high, words = senml.row_of(point_id(key))
        assert words is None
        for row in limits.ROWS[first : first + 4]:
            assert row[0].split(".")[0] == key
            assert (row[1], row[2]) == (unit, decimals)
            assert row[5] <= high
            assert row[4] >= low


def test_retained_settings_fit_a_packet():
    rows = limits.ROWS
    widest = S.Settings({}, rows)
    widest.values = [max(row[4], row[5], key=lambda value: len(str(value))) for row in rows]
    assert len(widest.json("5eed0001")) < 1900


# one state for the whole station


def both():
    desk = Watched(level=True)
    assert desk.app.gauge
    return desk


def settle(desk, co2=420, rain=0, level=100, minutes=5):
    desk.co2.values, desk.rain.values = [co2], [rain]
    desk.level(level)
    desk.run(minutes * MINUTE)
    return [alarm[:3] for alarm in desk.alarms()]


# what is set in turn; what is told in all
CAUSES = [
    ([{"co2": 2500}, {}], [(2, 0, "co2"), (0, 2, "co2")]),
    ([{"rain": 400}, {}], [(1, 0, "rain_rate"), (0, 1, "rain_rate")]),
    ([{"level": 700}, {}], [(1, 0, "level"), (0, 1, "level")]),
    # another one takes over at the same state: nothing to tell until it goes, and then it is named
    ([{"co2": 1500}, {"co2": 1500, "rain": 400}, {"rain": 400}, {}], [(1, 0, "co2"), (0, 1, "rain_rate")]),
    ([{"co2": 1500}, {"co2": 1500, "level": 700}, {"level": 700}, {}], [(1, 0, "co2"), (0, 1, "level")]),
    ([{"level": 700}, {"co2": 1500, "level": 700}, {"co2": 1500}, {}], [(1, 0, "level"), (0, 1, "co2")]),
    # a higher one on top, and down again
    ([{"level": 700}, {"level": 700, "co2": 5500}, {"level": 700}, {}], [(1, 0, "level"), (3, 1, "co2"), (1, 3, "co2"), (0, 1, "level")]),
    ([{"co2": 1500}, {"co2": 1500, "level": 1600}, {"co2": 1500}, {}], [(1, 0, "co2"), (3, 1, "level"), (1, 3, "level"), (0, 1, "co2")]),
    # a lower one below: nothing
    ([{"level": 1600}, {"level": 1600, "rain": 400}, {"level": 1600}, {}], [(3, 0, "level"), (0, 3, "level")]),
]  # fmt: skip


@pytest.mark.parametrize(("turns", "told"), CAUSES)
def test_the_station_has_one_state_told_with_what_made_it(turns, told):
    desk = Watched(level=True, settings={"rise.limit": 0})
    for turn in turns:
        found = settle(desk, **turn)
    assert found == told


@pytest.mark.parametrize(("turns", "told"), [case for case in CAUSES if not any("level" in turn for turn in case[0])])
def test_so_it_is_without_a_level(turns, told):
    desk = Watched()
    for turn in turns:
        found = settle(desk, **turn)
    assert found == told


TURN = st.tuples(
    st.sampled_from([420, 1500, 2500, 5500]),
    st.sampled_from([0, 400, 700, 1100]),
    st.sampled_from([100, 700, 1100, 1600]),
)


@given(st.lists(TURN, max_size=5))
@effort(max_examples=30, deadline=None)
def test_events_of_the_state_are_a_chain_that_ends_in_the_highest(turns):
    desk = Watched(level=True, settings={"rise.limit": 0})
    for co2, rain, level in turns:
        settle(desk, co2, rain, level)
    state = 0
    for to, before, what, *_ in desk.alarms():
        assert before == state != to
        assert what in ("co2", "rain_rate", "level")
        state = to
    assert state == max(desk.app.gauge.state, desk.app.survey.state)


def test_an_alarm_beside_a_level_is_told_when_its_round_ends_and_sounds_through_the_gauges_siren():
    desk = Watched(level=True, settings={"sample.interval": 600})
    desk.co2.values = [5500]
    desk.run(21 * MINUTE, until=lambda: desk.app.survey.state)
    desk.run(1000)
    assert desk.alarms()[0][:3] == (3, 0, "co2")
    assert desk.outputs["siren"].on == 1
    assert desk.type("show").count("danger, level 0.1 m") == 1


def test_the_level_still_raises_its_own_sound_over_a_lesser_one():
    desk = both()
    settle(desk, co2=1500, level=1600)
    assert desk.app.gauge.state == 3
    begun = next(t for t, on in reversed(desk.switched("siren")) if on)
    ended = [t for t, on in desk.switched("siren") if not on and t > begun]
    assert not ended or ended[0] - begun == 60_000


def test_acknowledging_silences_both():
    desk = both()
    settle(desk, co2=1500, level=700)
    desk.type("ack")
    desk.run(1000)
    assert desk.outputs["strobe"].on == 0
    settle(desk, co2=1500, level=700, minutes=20)
    assert desk.outputs["strobe"].on == 0


def test_an_alarm_that_storage_refused_is_told_when_it_works_again():
    desk = Watched()
    desk.storage.writes_fail = True
    desk.co2.values = [2500]
    desk.run(5 * MINUTE)
    desk.storage.writes_fail = False
    desk.run(MINUTE)
    assert [alarm[:3] for alarm in desk.alarms()] == [(2, 0, "co2")]


# what goes on the wire

PRINTED = """
from node.core import journal, limits, senml
from node.core import measurements as M
from node.core import settings as S
from node.core.clock import WRAP
from node.core.settings import Settings
from node.survey import Watch, point_id

class Flash:
    def __init__(self): self.files = {}
    def names(self): return list(self.files)
    def size(self, name): return len(self.files.get(name, b""))
    def read(self, name, offset, count): return self.files.get(name, b"")[offset:offset + count]
    def append(self, name, data): self.files[name] = self.files.get(name, b"") + data
    def replace(self, name, data): self.files[name] = data

settings = Settings({}, limits.ROWS)
log = journal.Log(Flash(), "event", 1, 8192, 4)
for key in limits.KEYS:
    watch = Watch(point_id(key), limits.first_of(key))
    watch.configure(settings.get)
    now = WRAP - 30000
    old = 0
    for step in range(60):
        value = limits.ROWS[watch.first + 2][3] * (step if step < 30 else 60 - step) // 25
        state = watch.alarm.update(value, 1, now)
        if state != old:
            crossed = max(state, old) - 1
            limit = watch.first + crossed
            points = [(M.ALARM, 0, state), (M.ALARM_FROM, 0, old), (watch.point, 1, value)]
            i = S.id_of(limit)
            points += [(M.NEW_SETTING + i, 0, settings.get(limit)), (M.OLD_SETTING + i, 0, 1)]
            log.append(1, 1755000000 + step, 0, points)
            old = state
        now = (now + 60000) % WRAP
cursor = journal.Cursor(log)
while True:
    at = cursor.peek()
    if not at: break
    print(senml.encode("waspada:demo:dr01:", "5eed0001", at[0], at[1], at[2], at[3]))
    cursor.advance(at[3])
"""


def test_events_of_other_quantities_are_the_same_bytes_on_both_interpreters():
    environment = {"PYTHONPATH": str(vm64.FIRMWARE)}
    done = subprocess.run(
        [sys.executable, "-c", PRINTED], capture_output=True, text=True, env=environment, check=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 6 * len(limits.KEYS)
    assert '{"n":"co2","u":"ppm","v":' in done.stdout
    assert '{"n":"new:co2.danger","u":"ppm","v":5000}' in done.stdout
    assert vm64.run(PRINTED) == done.stdout


def test_a_watch_is_an_ordinary_alarm():
    watch = Watch(point_id("fill"), limits.first_of("fill"))
    watch.configure(S.Settings({}, limits.ROWS).get)
    assert [watch.alarm.update(value, 1, now) for value, now in ((900, 0), (900, 60_000), (None, 120_000))[:2]] == [
        0,
        2,
    ]
    assert watch.alarm.update(0, M.FLAG_MISSING, 120_000) == 2
