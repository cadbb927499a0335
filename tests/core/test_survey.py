"""The other sensors' rounds: whatever one of them answers costs its own points only, and nothing is waited for longer than said."""

import sys

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from node.core import measurements as M
from node.core import quantities as Q
from node.core import settings as S
from node.core.clock import WRAP
from node.core.journal import READINGS
from node.core.measurements import MISSING
from node.drivers import catalog
from node.survey import Sensor, point_id
from tests.core.station_desk import Desk
from tests.core.survey_desk import CALM, Fake, Turned, bus, module, survey

NOT_FITTED, NO_ANSWER, BAD_CHECKSUM, OUT_OF_RANGE, WARMING_UP = range(len(M.REASONS))
MINUTE = 60_000
DEADLINE_MS = 40_000
TICKS = [0, WRAP - 1, WRAP - 500, WRAP - MINUTE, WRAP - MINUTE - 700, WRAP - 3 * MINUTE]

# what start returns, what the looks return in turn; the reason that the points then tell; whether it counts as a failure
FAILING = [
    (0, [-NO_ANSWER], NO_ANSWER, True),
    (0, [-BAD_CHECKSUM], BAD_CHECKSUM, True),
    (10, [5, 5, -OUT_OF_RANGE], OUT_OF_RANGE, True),
    (0, [-WARMING_UP], WARMING_UP, False),
    (0, [OSError], NO_ANSWER, True),
    (OSError, [0], NO_ANSWER, True),
    (0, [5, OSError], NO_ANSWER, True),
    # not allowed, and yet the station goes on
    (0, [-len(M.REASONS)], NO_ANSWER, True),
    (0, [-99], NO_ANSWER, True),
    (0, [None], NO_ANSWER, True),
    (0, ["0"], NO_ANSWER, True),
    (None, [0], NO_ANSWER, True),
    (-1, [0], NO_ANSWER, True),
    (0, [ValueError], NO_ANSWER, True),
    (0, [IndexError], NO_ANSWER, True),
    (0, [ZeroDivisionError], NO_ANSWER, True),
    (0, [MemoryError], NO_ANSWER, True),
    (KeyError, [0], NO_ANSWER, True),
    # for ever
    (0, [1], NO_ANSWER, True),
    (0, [DEADLINE_MS + 1], NO_ANSWER, True),
    (0, [WRAP // 2], NO_ANSWER, True),
    (DEADLINE_MS + 1, [0], NO_ANSWER, True),
    (3600_000, [0], NO_ANSWER, True),
    (WRAP - 1, [0], NO_ANSWER, True),
]


@pytest.mark.parametrize(("wait", "answers", "reason", "counts"), FAILING)
@pytest.mark.parametrize("ticks", [0, WRAP - 20_000])
def test_a_sensor_that_fails_costs_its_own_points_only(wait, answers, reason, counts, ticks):
    bad = bus(555, answers=answers, wait=wait)
    turned = Turned(
        survey(
            (bus(2500), "i2c0", ("temperature",)),
            (bad, "i2c1", ("co2", "humidity")),
            (bus(777, wait=200), "i2c2", ("pressure",)),
        ),
        ticks,
    )
    turned.run(MINUTE - 1)
    ((_, points),) = turned.rounds
    assert points == [
        (Q.TEMPERATURE, M.FLAG_PASS, 2500),
        (Q.CO2, M.FLAG_MISSING, reason),
        (Q.HUMIDITY, M.FLAG_MISSING, reason),
        (Q.PRESSURE, M.FLAG_FAIL, 777),
    ]
    assert turned.survey.sensors[1].failures == counts
    bad.wait, bad.answers = 0, [0]
    turned.run(2 * MINUTE)
    assert turned.rounds[-1][1][1] == (Q.CO2, M.FLAG_PASS, 555), "it comes back by itself"
    assert turned.survey.sensors[1].failures == 0


def test_a_value_that_is_missing_alone_says_so_and_the_sensor_is_well():
    turned = Turned(survey((bus(2500, MISSING), "i2c0", ("temperature", "humidity"))))
    ((_, points),) = turned.run(1000)
    assert points == [(Q.TEMPERATURE, M.FLAG_PASS, 2500), (Q.HUMIDITY, M.FLAG_MISSING, OUT_OF_RANGE)]
    assert turned.survey.sensors[0].failures == 0


def test_what_a_driver_leaves_out_is_not_last_rounds_value():
    class Lazy(Fake):
        def read_into(self, values):
            if len(self.bus.asked) < 2:
                return super().read_into(values)
            self.bus.asked.append("look")
            return 0

    turned = Turned(survey((bus(2500), "i2c0", ("temperature",))))
    turned.survey.sensors[0].driver = Lazy(bus(2500), {"gives": ("temperature",)})
    first, second = turned.run(MINUTE + 1000)
    assert first[1] == [(Q.TEMPERATURE, M.FLAG_PASS, 2500)]
    assert second[1] == [(Q.TEMPERATURE, M.FLAG_MISSING, OUT_OF_RANGE)]


@pytest.mark.parametrize("value", [-4501, 13001, 2**31 - 1, -(2**31) + 1])
def test_a_value_beyond_the_table_is_told_and_flagged_and_used_for_nothing(value):
    turned = Turned(survey((bus(value), "i2c0", ("temperature",))))
    ((_, points),) = turned.run(1000)
    assert points == [(Q.TEMPERATURE, M.FLAG_FAIL, value)]
    assert turned.survey.value(Q.TEMPERATURE) == MISSING
    assert turned.survey.air_cc() is None


def test_a_value_that_is_left_out_is_no_point():
    turned = Turned(survey((bus(415), "i2c0", (None, "co2", None))))
    assert turned.run(1000)[0][1] == [(Q.CO2, M.FLAG_PASS, 415)]


@pytest.mark.parametrize(("wait", "looks"), [(0, 1), (40_000, 1), (39_999, 2), (100, 7)])
def test_a_wait_within_the_deadline_is_granted(wait, looks):
    turned = Turned(survey((bus(415, answers=[1] * (looks - 1) + [0], wait=wait), "i2c0", ("co2",))))
    ((t, points),) = turned.run(MINUTE - 1)
    assert points == [(Q.CO2, M.FLAG_PASS, 415)]
    assert t == wait + looks - 1


@pytest.mark.parametrize("ticks", TICKS)
def test_who_waits_for_ever_ends_at_the_deadline_and_holds_nobody(ticks):
    quick = bus(2500)
    turned = Turned(survey((bus(1, answers=[50]), "uart1", ("co2",)), (quick, "i2c0", ("temperature",))), ticks)
    ((t, _),) = turned.run(MINUTE - 1)
    assert DEADLINE_MS - 50 <= t <= DEADLINE_MS + 50
    assert quick.asked == ["start", "look"]


def test_sensors_of_one_bus_take_turns_and_others_need_not_wait():
    order = []

    class Told(Fake):
        def start(self):
            order.append(("start", self.GIVES[0]))
            return super().start()

        def read_into(self, values):
            answer = super().read_into(values)
            order.append(("look" if answer else "end", self.GIVES[0]))
            return answer

    rows = [("co2", "uart1", [100, 0]), ("pressure", "i2c0", [10, 0]), ("temperature", "uart1", [0])]
    sensors = [Sensor(Told(bus(1, answers=answers), {"gives": (key,)}), name) for key, name, answers in rows]
    turned = Turned(survey())
    turned.survey.sensors = sensors
    turned.run(1000)
    mine = [what for what, key in order if key in ("co2", "temperature")]
    assert mine == ["start", "look", "end", "start", "end"]
    assert order.index(("end", "pressure")) < order.index(("end", "co2"))


def test_a_bus_whose_every_sensor_hangs_ends_one_after_the_other_and_looks_alive_throughout():
    turned = Turned(survey(*[(bus(1, answers=[1000]), "uart1", (key,)) for key in ("co2", "pm1", "pressure")]))
    oldest = 0
    for _ in range(3 * DEADLINE_MS // 1000):
        turned.run(0)
        oldest = max(oldest, turned.t - turned.survey.last_sample_ms)
    assert oldest <= 1000, "the watchdog is fed by attempts"
    turned.run(3000)
    assert len(turned.rounds) == 1


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(-5, 5000), st.just(OSError), st.just(ValueError)),
            st.lists(st.one_of(st.integers(-6, 30_000), st.just(OSError), st.just(IndexError)), min_size=1, max_size=4),
            st.sampled_from(["uart1", "i2c0", "i2c1"]),
        ),
        max_size=6,
    ),
    st.sampled_from(TICKS),
)
@effort(max_examples=150, deadline=None)
def test_whatever_all_the_others_do_a_good_sensor_is_read_in_every_round(others, ticks):
    good = bus(2500, wait=30)
    rows = [(good, "onewire1", ("temperature",))]
    rows += [(bus(415, answers=answers, wait=wait), name, ("co2",)) for wait, answers, name in others]
    turned = Turned(survey(*rows), ticks)
    turned.run(30 * MINUTE)
    assert len(turned.rounds) >= 30 * MINUTE // (len(others) * (DEADLINE_MS + 30_000) + 2 * MINUTE)
    for _, points in turned.rounds:
        assert points[0] == (Q.TEMPERATURE, M.FLAG_PASS, 2500)
        for i, q, value in points[1:]:
            assert i == Q.CO2
            assert (q, value) == (M.FLAG_PASS, 415) or (q == M.FLAG_MISSING and 0 <= value < len(M.REASONS))
    assert good.asked == ["start", "look"] * (len(good.asked) // 2) + ["start"] * (len(good.asked) % 2)


# the grid


@pytest.mark.parametrize("ticks", TICKS)
@pytest.mark.parametrize("took", [0, 700, 31_000])
def test_rounds_keep_to_one_grid_across_the_wrap(ticks, took):
    turned = Turned(survey((bus(415, wait=took), "i2c0", ("co2",))), ticks)
    turned.run(10 * MINUTE)
    assert turned.begun == [k * MINUTE for k in range(11)]


def test_rounds_that_take_longer_than_the_interval_follow_each_other_without_a_pile():
    settings = S.Settings({"sample.interval": 5})
    turned = Turned(survey((bus(415, wait=12_000), "i2c0", ("co2",)), settings=settings))
    turned.run(5 * MINUTE)
    assert turned.begun == list(range(0, 5 * MINUTE + 1, 12_000))


def test_a_shorter_interval_is_taken_at_once():
    settings = S.Settings({"sample.interval": 3600})
    turned = Turned(survey((bus(415), "i2c0", ("co2",)), settings=settings))
    turned.run(10_000)
    settings.staged = {S.SAMPLE_INTERVAL: 20}
    settings.apply()
    turned.survey.configure()
    turned.t = 10_000
    turned.run(31_000)
    assert turned.begun == [0, 20_000, 40_000]


def test_a_low_battery_makes_rounds_rarer():
    turned = Turned(survey((bus(415), "i2c0", ("co2",))))
    turned.survey.battery_mv = 11_000
    turned.run(10 * MINUTE)
    assert turned.begun == [0, 180_000, 360_000, 540_000]


def test_a_survey_of_nothing_rests():
    turned = Turned(survey())
    turned.run(10 * MINUTE)
    assert len(turned.rounds) == 11


# names

NAMES = [("co2", Q.CO2), ("panel_power:1", Q.PANEL_POWER), ("panel_power:16", Q.PANEL_POWER + 15 * M.INSTANCE)]
NO_NAMES = ["", "co3", "co2:0", "co2:-1", "co2:x", "co2:17", "co2:99"]


@pytest.mark.parametrize(("key", "i"), NAMES)
def test_a_points_name_is_its_id(key, i):
    assert point_id(key) == i


@pytest.mark.parametrize("key", NO_NAMES)
def test_what_is_no_points_name_is_refused(key):
    with pytest.raises(ValueError, match=r"no point|invalid literal|1 to 16 of a kind"):
        point_id(key)


# a whole station


@pytest.fixture(autouse=True)
def _fake_driver(monkeypatch):
    monkeypatch.setitem(catalog.OTHERS, "fake", "Fake")
    monkeypatch.setitem(sys.modules, "node.drivers.fake", module())


def station(*rows, **more):
    """Without a level; rows are (bus, keys given)."""
    buses = {f"bus{n}": each for n, (each, _) in enumerate(rows)}
    sensors = [{"driver": "fake", "bus": f"bus{n}", "gives": keys} for n, (_, keys) in enumerate(rows)]
    desk = Desk(station={"sensors": [*sensors, CALM], "settings": {}, **more}, buses=buses)
    desk.run(MINUTE - 1)
    return desk


@pytest.mark.parametrize(
    ("wait", "answers", "reason"),
    [(0, [-BAD_CHECKSUM], BAD_CHECKSUM), (0, [ValueError], NO_ANSWER), (OSError, [0], NO_ANSWER)],
)
def test_a_fault_is_told_once_after_three_rounds_and_its_end_once(wait, answers, reason):
    bad = bus(415)
    desk = station((bus(2500), ["temperature"]), (bad, ["co2"]))
    bad.wait, bad.answers = wait, answers
    desk.run(2 * MINUTE)
    assert not desk.events("sensor")
    desk.run(30 * MINUTE)
    (fault,) = desk.events("sensor")
    assert fault.values == {"sensor": 0, "sensor_number": 1, "reason": reason}
    bad.wait, bad.answers = 0, [0]
    desk.run(10 * MINUTE)
    assert [event.values["sensor"] for event in desk.events("sensor")] == [0, 1]
    assert desk.events("sensor")[1].values == {"sensor": 1, "sensor_number": 1}
    assert {record.q["temperature"] for record in desk.records(READINGS)} == {M.FLAG_PASS}


def test_two_failures_or_a_warm_up_are_no_fault():
    warming, faint = bus(1, answers=[-WARMING_UP]), bus(1, answers=[-1, -1, 0] * 20)
    desk = station((warming, ["co2"]), (faint, ["pressure"]))
    desk.run(40 * MINUTE)
    assert not desk.events("sensor")


def test_a_fault_stays_told_while_the_sensor_warms_up():
    sensor = bus(1, answers=[-1, -1, -1, -WARMING_UP, -WARMING_UP, 0])
    desk = station((sensor, ["co2"]))
    desk.run(10 * MINUTE)
    assert [event.values["sensor"] for event in desk.events("sensor")] == [0, 1]


def test_a_fault_that_storage_refused_is_told_when_it_works_again():
    desk = station((bus(1, answers=[-1]), ["co2"]))
    desk.storage.writes_fail = True
    desk.run(30 * MINUTE)
    desk.storage.writes_fail = False
    desk.run(2 * MINUTE)
    assert len(desk.events("sensor")) == 1
    assert len(desk.events("storage")) == 1


def test_storage_that_can_not_be_read_is_asked_once_a_round():
    desk = Desk(
        station={"sensors": [{"driver": "fake", "bus": "b", "gives": ["co2"]}, CALM], "settings": {}},
        buses={"b": bus(415, wait=100)},
    )
    desk.storage.always = True
    desk.boot()
    desk.storage.calls = 0
    desk.run(10 * MINUTE)
    assert desk.storage.calls < 12 * 3
    desk.storage.always = False
    desk.run(2 * MINUTE)
    assert desk.records(READINGS)[-1].values["co2"] == 415


def test_a_reading_holds_every_point_and_the_battery():
    desk = station((bus(2500, 6000), ["temperature", "humidity"]))
    (record,) = desk.records(READINGS)
    assert record.values == {"temperature": 2500, "humidity": 6000, "battery": 12597}
    assert desk.type("show").count("normal, 1 sensors") == 1


UNUSABLE = [
    ({"sensors": [CALM]}, "besides its battery"),
    ({"sensors": [{"driver": "fake", "bus": "uart1", "gives": ["co2"]}]}, "needs a sensor with driver battery"),
    (
        {"tank": {"height_mm": 2000}, "sensors": [{"driver": "fake", "bus": "uart1", "gives": ["co2"]}, CALM]},
        "a tank needs",
    ),
    ({"sensors": [{"driver": "fak", "bus": "uart1", "gives": ["co2"]}, CALM]}, "no driver 'fak'"),
    ({"sensors": [{"driver": "fake", "bus": "uart1", "gives": ["co3"]}, CALM]}, "no point 'co3'"),
    ({"watch": ["pressure"], "sensors": [{"driver": "fake", "bus": "uart1", "gives": ["co2"]}, CALM]}, "no alarm on"),
]


@pytest.mark.parametrize(("more", "problem"), UNUSABLE)
def test_a_station_that_can_not_be_run_says_why(more, problem):
    with pytest.raises(ValueError, match=problem):
        Desk(station={"settings": {}, **more})


def test_the_level_beside_a_driver_with_a_defect_still_reaches_the_siren():
    broken = bus(1, answers=[ValueError])
    sensors = [
        {"driver": "a02yyuw", "bus": "uart1", "gives": "level"},
        CALM,
        {"driver": "fake", "bus": "b", "gives": ["co2"]},
    ]
    desk = Desk(station={"sensors": sensors}, buses={"b": broken})
    desk.level(100)
    desk.run(3 * MINUTE)
    desk.level(1600)
    assert desk.run(MINUTE + 3000, until=lambda: desk.outputs["siren"].on)
    assert desk.app.gauge.state == 3
