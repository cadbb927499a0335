"""A drill sounds unlike any alarm, gives way to one at once, and is proven by the siren's current; so is every alarm's siren."""

from itertools import pairwise

import pytest

from node.core.sounder import PATTERNS
from simulator.adapters.buses import I2C
from simulator.agenda import Moment
from simulator.chips.ina226 import INA226
from tests.core.station_desk import STATION, Desk
from tests.core.test_app import DANGER_MM, MINUTE, NORMAL_MM

SHUNT = 20000
BEGUN, HEARD, SILENT, NOT_MEASURED = range(4)


class Bus:
    """An INA226 in the siren's supply, on the desk's time; `broken`: the siren draws nothing."""

    def __init__(self):
        self.desk = None
        self.broken = False
        chip = INA226(lambda: self.desk.t, lambda t: 12600, self._ma, SHUNT)
        self._i2c = I2C(Moment(), {0x41: chip})
        self.write = self._i2c.write
        self.read_into = self._i2c.read_into

    def _ma(self, _):
        return 2400 if self.desk.outputs["siren"].on and not self.broken else 0


def measured(**settings):
    bus = Bus()
    row = {
        "driver": "ina226",
        "bus": "i2c0",
        "address": 0x41,
        "shunt_uohm": SHUNT,
        "gives": [None, "siren_current", None],
    }
    station = {"sensors": [*STATION["sensors"], row]}
    desk = Desk(station=station, buses={"i2c0": bus}, settings={"siren.current_low": 500, **settings})
    bus.desk = desk
    desk.bus = bus
    return calm(desk)


def calm(desk=None):
    desk = desk or Desk()
    desk.level(NORMAL_MM)
    desk.run(2 * MINUTE + 5000)
    desk.changes.clear()
    return desk


def found(desk):
    return [event.values["drill"] for event in desk.events("drill")]


@pytest.mark.parametrize("state", [1, 2, 3])
def test_a_drill_counts_its_state_in_short_blasts_without_strobe_and_ends_by_itself(state):
    desk = calm()
    assert "a drill" in desk.type(f"drill {state}")
    desk.run(MINUTE)
    siren = desk.switched("siren")
    assert len(siren) == 2 * 3 * state
    blasts = [off - on for (on, is_on), (off, _) in pairwise(siren) if is_on]
    assert all(1000 <= blast < 1100 for blast in blasts)
    assert max(blasts) < min(on_ms for on_ms, _ in PATTERNS[1:])
    assert 10_000 < siren[-1][0] - siren[0][0] <= 20_000
    assert desk.switched("strobe") == []
    assert found(desk) == [BEGUN, NOT_MEASURED]


def test_an_alarm_takes_over_at_once_and_is_told():
    desk = calm()
    desk.level(DANGER_MM)
    desk.run(55_000, until=lambda: desk.app.gauge.sampling)
    desk.type("drill 1")
    assert desk.run(5000, until=lambda: desk.app.gauge.state == 3)
    assert desk.outputs["strobe"].on == 1
    since = desk.t
    desk.run(65_000)
    siren = [(t, on) for t, on in desk.switched("siren") if t >= since]
    assert siren[0][1] == 1 or siren[0][0] - since >= 59_000, "a whole blast of danger from here on"
    assert [event.values["alarm"] for event in desk.events("alarm")] == [3]
    assert found(desk)[-1] == NOT_MEASURED


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (("set siren.from 3", "save"), "siren.from keeps the siren silent"),
        (("set alarm.shadow 1", "save"), "in shadow"),
        (("shelve 30",), "shelved"),
        (("drill 2",), "under way"),
    ],
)
def test_no_drill_where_it_would_mislead(before, why):
    desk = calm()
    for line in before:
        desk.type(line)
    assert why in desk.type("drill 2")


def test_no_drill_beside_an_alarm():
    desk = calm()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    assert "refused: no drill beside an alarm" in desk.type("drill 3")


@pytest.mark.parametrize(("broken", "word"), [(False, HEARD), (True, SILENT)])
@pytest.mark.parametrize("state", [1, 3])
def test_a_drill_is_proven_by_the_sirens_current(broken, word, state):
    desk = measured()
    desk.bus.broken = broken
    desk.type(f"drill {state}")
    desk.run(MINUTE)
    assert found(desk) == [BEGUN, word]
    current = desk.events("drill")[-1].values["siren_current"]
    assert current == 0 if broken else 2300 <= current <= 2500
    assert [event.values["siren"] for event in desk.events("siren")] == ([0] if broken else [])


def test_a_limit_of_zero_measures_nothing():
    desk = measured(**{"siren.current_low": 0})
    desk.type("drill 2")
    desk.run(MINUTE)
    assert found(desk) == [BEGUN, NOT_MEASURED]


def test_a_sensor_that_does_not_answer_says_nothing_of_the_siren():
    desk = measured()
    desk.bus.write = desk.bus.read_into = no_answer
    desk.type("drill 2")
    desk.run(MINUTE)
    assert found(desk) == [BEGUN, NOT_MEASURED]
    assert desk.events("siren") == []


def no_answer(*_):
    raise OSError(19)


@pytest.mark.parametrize("level", [700, 1100, DANGER_MM])
def test_an_alarm_whose_siren_draws_nothing_is_a_fault_told_once_and_so_is_its_end(level):
    desk = measured()
    desk.bus.broken = True
    desk.level(level)
    desk.run(30 * MINUTE)
    assert [event.values["siren"] for event in desk.events("siren")] == [0]
    desk.bus.broken = False
    desk.run(10 * MINUTE)
    assert [event.values["siren"] for event in desk.events("siren")] == [0, 1]


def test_a_siren_that_works_is_no_event():
    desk = measured()
    desk.level(DANGER_MM)
    desk.run(30 * MINUTE)
    assert desk.events("siren") == []
