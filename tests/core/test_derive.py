"""What a round amounts to: averages of air, a tank's fill, a relay that is off on any doubt, panels by the day."""

import inspect
import math

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from node import derive
from node.core import air, client, hydrology, journal, senml
from node.core import measurements as M
from node.core import quantities as Q
from node.core import settings as S
from node.core.diagnosis import UNKNOWN
from node.core.measurements import INSTANCE, MISSING
from node.derive_panels import Panels
from tests.core.failing_storage import Storage
from tests.core.station_desk import EPOCH_MS, name_of
from tests.core.survey_desk import Turned, bus, survey

HOUR = 3600
DAY = 86400
MINUTE = 60_000
POINTS_MOST = 20  # of a record; test_care sees a station keep to it
MIDNIGHT = EPOCH_MS // 1000 // DAY * DAY


class Round:
    """What a derived thing sees of a survey."""

    def __init__(self):
        self.uptime_s = self.round_s = 0
        self.interval_ms = 60_000
        self.values = {}  # point -> value, or (flag, value)

    def value(self, point):
        flag, value = self.flagged(point)
        return value if flag == M.FLAG_PASS else MISSING

    def flagged(self, point):
        found = self.values.get(point, MISSING)
        return found if isinstance(found, tuple) else (M.FLAG_MISSING if found == MISSING else M.FLAG_PASS, found)

    def points(self):
        return [(i, *self.flagged(i)) for i in self.values]

    def after(self, one, gone_s, dated=True):
        """A round so much later."""
        self.uptime_s += gone_s
        self.round_s = self.uptime_s
        one.update(self, journal.DATED if dated else 0, (MIDNIGHT if dated else 0) + self.uptime_s)


# averages


def hourly(means, one, interval_s=60):
    """Rounds with these hourly means (None: the sensor fails), and the first round of the hour after."""
    seen = Round()
    seen.interval_ms = interval_s * 1000
    seen.uptime_s = -interval_s
    for mean in [*means, 0]:
        seen.values = {Q.PM2_5: MISSING if mean is None else mean}
        for _ in range(HOUR // interval_s if mean is not means else 1):
            seen.after(one, interval_s)
            if seen.uptime_s == len(means) * HOUR:
                return dict(one.points())
    raise AssertionError


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 9999)), min_size=1, max_size=14), st.sampled_from([15, 60, 180, 600])
)
@effort(max_examples=60, deadline=None)
def test_the_nowcast_is_that_of_the_hours_whatever_the_interval(means, interval_s):
    expected = air.Air(1)
    for hour, mean in enumerate([*means, MISSING]):
        expected.add(MISSING if mean is None else mean, hour)
    assert hourly(means, derive.NowCast(), interval_s) == {Q.PM2_5_NOWCAST: expected.nowcast()}


# rounds of the hour that were had; whether it counts (three quarters)
SHARES = [(60, True), (46, True), (44, False), (0, False)]


@pytest.mark.parametrize(("had", "counts"), SHARES)
def test_an_hour_counts_with_three_quarters_of_it(had, counts):
    seen, one = Round(), derive.Mean(Q.CO2, 1, Q.CO2_8H)
    for minute in range(61):
        seen.values = {Q.CO2: 800 if minute < had else MISSING}
        seen.after(one, 60 if minute else 0)
    assert (one.points()[0][1] == 800) is counts


def test_an_interval_that_changes_within_the_hour_loses_none():
    """Alarm, then a low battery: 15 s, 60 s and 180 s in one hour."""
    seen, one = Round(), derive.Mean(Q.CO2, 1, Q.CO2_8H)
    seen.values = {Q.CO2: 800}
    seen.after(one, 0)
    for interval_s, count in ((15, 80), (60, 20), (180, 7)):
        seen.interval_ms = interval_s * 1000
        for _ in range(count):
            seen.after(one, interval_s)
    assert one.points() == ((Q.CO2_8H, 800),)


def test_a_boot_within_the_hour_makes_no_hour_of_its_rest():
    seen, one = Round(), derive.Mean(Q.CO2, 1, Q.CO2_8H)
    seen.values = {Q.CO2: 800}
    for minute in range(30, 61):
        seen.uptime_s = minute * 60 - 60
        seen.after(one, 60)
    assert one.points() == ((Q.CO2_8H, MISSING),)


# a tank


class Level:
    def __init__(self, mm, flag=M.FLAG_PASS):
        self.level_mm, self.flag = mm, flag


TANKS = [
    ({"height_mm": 2000}, 1000, 500),
    ({"height_mm": 2000}, -5, 0),
    ({"height_mm": 2000}, 2100, 1050),
    ({"height_mm": 2000, "bottom_mm": 500}, 1500, 500),
    ({"height_mm": 2000, "shape": "lying"}, 1000, 500),
    ({"height_mm": 2000, "shape": "lying", "bottom_mm": -100}, 1900, 1000),
]


@pytest.mark.parametrize(("row", "level", "fill"), TANKS)
def test_a_tank_is_as_full_as_its_level_says(row, level, fill):
    tank = derive.Tank(row, Level(level))
    tank.update(Round(), 0, 0)
    assert tank.points() == ((Q.FILL, fill),)


@pytest.mark.parametrize("flag", [M.FLAG_FAIL, M.FLAG_MISSING])
def test_a_level_that_failed_fills_no_tank(flag):
    level = Level(1000)
    tank = derive.Tank({"height_mm": 2000}, level)
    tank.update(Round(), 0, 0)
    level.flag = flag
    tank.update(Round(), 0, 0)
    assert tank.points() == ((Q.FILL, MISSING),)


def test_a_shape_there_is_not_is_refused():
    with pytest.raises(ValueError, match="box or lying"):
        derive.Tank({"height_mm": 2000, "shape": "ball"}, Level(0))


def test_a_lying_tank_is_right_to_a_tenth_of_a_per_cent():
    for depth in range(0, 2001, 7):
        share = (
            math.acos(1 - depth / 1000) / math.pi
            - (1 - depth / 1000) * math.sqrt(max(0, 2 * depth / 1000 - (depth / 1000) ** 2)) / math.pi
        )
        assert abs(hydrology.fill(depth, 2000, hydrology.LYING) - share * 1000) <= 1


# a relay

RELAY = {"output": "valve", "of": "fill", "on_below": 300, "off_above": 500, "max_on_s": 3600}


class Valve:
    def __init__(self, on=1):
        self.on = on
        self.set_to = []

    def set(self, on):
        self.on = on
        self.set_to.append(on)


def relay(**row):
    valve, seen = Valve(), Round()
    one = derive.Relay({**RELAY, **row}, valve, Q.FILL)
    return one, valve, seen


def say(one, seen, value, gone_s=60):
    seen.values = {Q.FILL: value}
    seen.uptime_s += gone_s
    one.guard(seen)
    seen.round_s = seen.uptime_s
    one.update(seen, 0, 0)


def test_whoever_makes_a_relay_switches_it_off_first():
    valve = Valve(on=1)
    derive.Relay(RELAY, valve, Q.FILL)
    assert valve.set_to == [0]
    derive.Relay(RELAY, valve, Q.FILL)
    assert valve.set_to == [0, 0]


# values in turn, and whether it is on after each
COURSES = [
    [(299, 1), (300, 1), (499, 1), (500, 0), (499, 0), (300, 0), (299, 1)],
    [(400, 0), (300, 0), (299, 1)],
    [(100, 1), (MISSING, 0), (400, 0), (100, 1)],
    [(100, 1), ((M.FLAG_FAIL, 100), 0), (100, 1)],
    [((M.FLAG_FAIL, 100), 0), ((M.FLAG_MISSING, 1), 0), ((M.FLAG_MISSING, 100), 0)],
    [((3, 100), 1), ((2, 100), 1)],
]


@pytest.mark.parametrize("course", COURSES)
def test_a_relay_follows_its_value_with_hysteresis_and_never_a_failed_one(course):
    one, valve, seen = relay()
    for value, on in course:
        say(one, seen, value)
        assert valve.on == on, (value, on)
        assert one.points() == ((Q.RELAY, on),)


def test_a_relay_is_on_for_so_long_and_then_waits_until_the_value_was_reached():
    one, valve, seen = relay()
    say(one, seen, 100)
    seen.uptime_s += 3599 - 3400
    seen.round_s = seen.uptime_s
    one.guard(seen)
    assert valve.on == 1
    for _ in range(200):
        say(one, seen, 100)
    assert valve.on == 0
    say(one, seen, 500)
    say(one, seen, 100)
    assert valve.on == 1


def test_a_failing_sensor_does_not_start_its_time_anew():
    one, valve, seen = relay()
    on_s = 0
    for k in range(1000):
        before = valve.on
        say(one, seen, MISSING if k % 10 == 9 else 100)
        on_s += 60 * before
    assert on_s <= 3600 + 60


@pytest.mark.parametrize("interval_s", [5, 60, 3600])
def test_a_relay_goes_off_when_rounds_stay_away(interval_s):
    one, valve, seen = relay(max_on_s=86400)
    seen.interval_ms = interval_s * 1000
    say(one, seen, 100)
    seen.uptime_s += 3 * interval_s + 60
    one.guard(seen)
    assert valve.on == 1
    seen.uptime_s += 1
    one.guard(seen)
    assert valve.on == 0


def test_its_changes_are_told_once_each():
    one, _, seen = relay()
    assert one.changes() == ()
    say(one, seen, 100)
    assert one.changes() == (((Q.RELAY, 0, 1),),)
    assert one.changes() == ()
    say(one, seen, MISSING)
    assert one.changes() == (((Q.RELAY, 0, 0),),)


VALUES = st.one_of(st.integers(0, 700), st.just(MISSING), st.tuples(st.sampled_from([4, 9]), st.integers(0, 200)))


@given(st.lists(st.tuples(VALUES, st.integers(1, 400)), max_size=80))
def test_a_relay_behaves_as_a_simple_model(course):
    """Off unless a good value asked for it, time is left, and rounds come."""
    one, valve, seen = relay(max_on_s=1000)
    on, spent = 0, 0
    for value, gone_s in course:
        if on:
            left = 1000 - spent
            spent += gone_s
            if gone_s >= left or gone_s > 3 * 60 + 60:
                on = 0
        good = value if isinstance(value, int) and value != MISSING else None
        if good is None:
            on = 0
        elif good >= 500:
            on, spent = 0, 0
        elif good < 300 and spent < 1000:
            on = 1
        say(one, seen, value, gone_s)
        assert valve.on == on
        assert not (valve.on and good is None)


@pytest.mark.parametrize(
    "row", [{"on_below": 500}, {"on_below": 600}, {"max_on_s": 0}, {"max_on_s": 86401}, {"max_on_s": -1}]
)
def test_a_relay_that_could_stay_on_is_refused(row):
    with pytest.raises(ValueError, match="relay"):
        relay(**row)


def test_a_relay_over_a_survey_is_off_within_the_step_after_its_sensor_fails():
    valve, fill = Valve(), bus(100)
    others = survey((fill, "i2c0", ("fill",)))
    one = derive.Relay(RELAY, valve, Q.FILL)
    others = type(others)(others.sensors, [one], [], S.Settings({}), one)
    turned = Turned(others)
    turned.run(3 * MINUTE)
    assert valve.on == 1
    assert turned.rounds[-1][1][-1] == (Q.RELAY, M.FLAG_PASS, 1)
    fill.answers = [OSError]
    turned.run(MINUTE)
    assert valve.on == 0
    fill.answers = [0]
    turned.run(MINUTE)
    fill.answers = [1000]  # it never ends: its round does
    turned.run(3 * MINUTE)
    assert valve.on == 0


# panels


def sun(t_s):
    """W/m2 of a clear day at the equator."""
    return max(0, round(1000 * math.sin((t_s % DAY / DAY - 0.25) * 2 * math.pi)))


def panels(count=8, **row):
    return Panels({"peak_w": [330] * count, **row}), Round()


def days(one, seen, count, every_s=300, output=lambda i, t_s: 0.9, lacks=()):
    for _ in range(int(count * DAY) // every_s):
        t_s = MIDNIGHT + seen.uptime_s + every_s
        light = sun(t_s)
        seen.values = {Q.IRRADIANCE: light, Q.MODULE_TEMPERATURE: 2500}
        for i in range(8):
            if i not in lacks:
                seen.values[Q.PANEL_POWER + i * INSTANCE] = round(3300 * light / 1000 * output(i, t_s))
        seen.after(one, every_s)


def test_energy_grows_by_the_day_and_begins_again_at_midnight():
    one, seen = panels()
    days(one, seen, 0.9)
    energy = dict(one.points())[Q.PANEL_ENERGY]
    hours = 24 / math.pi
    assert energy == pytest.approx(330 * 0.9 * hours * 10, rel=0.01)
    assert dict(one.points())[Q.PERFORMANCE_RATIO + 3 * INSTANCE] == pytest.approx(900, abs=2)
    days(one, seen, 0.15)
    assert dict(one.points())[Q.PANEL_ENERGY] == 0
    assert Q.PERFORMANCE_RATIO not in dict(one.points())


@pytest.mark.parametrize("offset_min", [0, 420, -300])
def test_the_day_ends_at_the_suns_midnight(offset_min):
    one, seen = panels(solar_offset_min=offset_min)
    told = []
    for _ in range(2 * DAY // 300):
        seen.after(one, 300)
        if Q.DIAGNOSIS in dict(one.points()):
            told.append(seen.uptime_s + offset_min * 60)
    assert [t_s // DAY * DAY for t_s in told] == told
    assert len(told) == 2


def test_a_word_is_told_once_when_it_changes():
    one, seen = panels()
    told = []
    for _ in range(20):
        days(one, seen, 1, every_s=600)
        told += one.changes()
    assert [event[0] for event in told] == [(Q.DIAGNOSIS + i * INSTANCE, 0, 0) for i in range(8)]
    assert all(event[1][0] == Q.SOILING_RATIO + i * INSTANCE for i, event in enumerate(told) if len(event) > 1)
    assert one.changes() == []


def test_without_a_clock_nothing_is_judged():
    one, seen = panels()
    for _ in range(500):
        seen.values = {Q.IRRADIANCE: 800, Q.MODULE_TEMPERATURE: 2500, Q.PANEL_POWER: 2500}
        seen.after(one, 300, dated=False)
    assert one.changes() == []
    assert {value for i, value in one.points() if i & 0xFF == Q.PANEL_ENERGY} == {0}


@pytest.mark.parametrize("lacks", [(0,), (7,), tuple(range(8))])
def test_a_panel_whose_power_is_missing_is_not_judged_and_the_others_are(lacks):
    one, seen = panels()
    days(one, seen, 16, every_s=600, lacks=lacks)
    words = {event[0][0] // INSTANCE: event[0][2] for event in one.changes()}
    assert sorted(words) == [i for i in range(8) if i not in lacks]
    assert UNKNOWN not in words.values()


def test_no_sun_or_temperature_makes_no_ratio():
    for left_out in (Q.IRRADIANCE, Q.MODULE_TEMPERATURE):
        one, seen = panels()
        for k in range(100):
            seen.values = {Q.IRRADIANCE: 800, Q.MODULE_TEMPERATURE: 2500, Q.PANEL_POWER: 2500}
            seen.values[left_out] = MISSING if k % 2 else (M.FLAG_FAIL, 3000)
            seen.after(one, 300)
        assert not any(i & 0xFF == Q.PERFORMANCE_RATIO for i, _ in one.points())


@pytest.mark.parametrize("peaks", [[], [330] * 13])
def test_panels_are_one_to_twelve(peaks):
    with pytest.raises(ValueError, match="1 to 12"):
        Panels({"peak_w": peaks})


# records


def widest(keys):
    """Points with the longest names and numbers, each with a flag."""
    found = []
    for k, key in enumerate(keys):
        row = Q.POINTS[key & 0xFF]
        value = max(row[3], row[4], -(2**31) + 1 if k % 2 else 2**31 - 1, key=lambda number: len(str(number)))
        found.append((key, 0x44, value))
    return found


def test_the_longest_record_is_below_the_nodes_packet():
    longest = sorted(range(len(Q.POINTS)), key=lambda i: -len(Q.POINTS[i][0]) - len(Q.POINTS[i][1] or ""))
    points = widest([i + 15 * INSTANCE for i in longest[:POINTS_MOST]])
    log = journal.Log(Storage(), "readings", 999_999, 8192, 4)
    log.prev_boot, log.prev_seq = 999_998, 10**9
    log.append(journal.DATED, 1_999_999_999, 999, points)
    record = journal.Cursor(log).peek()[3]
    pack = senml.encode("waspada:" + "d" * 32 + ":" + "n" * 32 + ":", "5eed0001", 999_999, 999_998, 10**9, record)
    packet = inspect.signature(client.Client).parameters["packet_limit"].default
    assert len(pack) + 100 < packet  # 100 for the topic


def test_every_point_has_a_name_of_its_own():
    names = [name_of(i + k * INSTANCE) for i in range(len(Q.POINTS)) for k in range(16)]
    assert len(set(names)) == len(names)
    assert max(i + 15 * INSTANCE for i in range(len(Q.POINTS))) < M.OLD_SETTING
