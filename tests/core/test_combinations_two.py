"""What happens at once, continued: flash that fails in one call or is full, settings of another firmware, defects in what is derived, commands over resets."""

import sys

import pytest

from node import derive
from node.drivers import catalog
from tests.core.failing_platform import Platform
from tests.core.station_desk import Desk, broken
from tests.core.survey_desk import CALM, bus, module
from tests.core.test_app import DANGER_MM, MINUTE, NORMAL_MM, calm
from tests.core.test_orders import command, online

HOUR = 60 * MINUTE


# an alarm over a reset


def test_an_alarm_that_can_not_be_looked_for_at_boot_is_looked_for_again():
    desk = calm(settings={"level.latched": 1})
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.level(NORMAL_MM)
    desk.run(10 * MINUTE)
    size = desk.storage.size
    left = [2]  # the stat of the boot, and one more

    def fails_first(name):
        if name == "alarm" and left[0]:
            left[0] -= 1
            broken()
        return size(name)

    desk.storage.size = fails_first
    desk.boot()
    desk.run(3 * MINUTE)
    assert desk.app.gauge.state == 3, "latched: only a person ends it"


# defects in what is derived


@pytest.fixture
def _fake_driver(monkeypatch):
    monkeypatch.setitem(catalog.OTHERS, "fake", "Fake")
    monkeypatch.setitem(sys.modules, "node.drivers.fake", module())


def _defect(*_):
    raise IndexError("a defect of ours")


@pytest.mark.usefixtures("_fake_driver")
@pytest.mark.parametrize("method", ["update", "points", "changes"])
def test_a_defect_in_what_is_derived_stops_no_watch_and_restarts_nothing(monkeypatch, method):
    monkeypatch.setattr(derive.Mean, method, _defect)
    air = bus(420)
    desk = Desk(
        station={
            "sensors": [{"driver": "fake", "bus": "co2", "gives": ["co2"]}, CALM],
            "settings": {},
            "watch": ["co2"],
        },
        buses={"co2": air},
        platform=Platform(),
    )
    desk.run(10 * MINUTE)
    air.values = [30000]
    desk.run(10 * MINUTE)
    assert desk.app.survey.state == 3
    assert desk.outputs["strobe"].on == 1
    assert not desk.app.reboot_wanted
    assert desk.app.defects >= 10
    assert len(desk.events("crash")) >= 1, "told, and not with every round"


@pytest.mark.usefixtures("_fake_driver")
@pytest.mark.parametrize("method", ["update", "guard", "points"])
def test_a_defect_in_a_relay_leaves_it_off(monkeypatch, method):
    relay = {"output": "valve", "of": "fill", "on_below": 300, "off_above": 500, "max_on_s": 3600}
    sensors = [{"driver": "fake", "bus": "tank", "gives": ["fill"]}, CALM]
    desk = Desk(
        station={"sensors": sensors, "settings": {}, "relay": relay},
        buses={"tank": bus(200)},
        outputs=("valve",),
        platform=Platform(),
    )
    desk.run(2 * MINUTE)
    assert desk.outputs["valve"].on == 1
    monkeypatch.setattr(derive.Relay, method, _defect)
    desk.run(5 * MINUTE)
    assert desk.outputs["valve"].on == 0
    assert not desk.app.reboot_wanted


# commands over resets


def _rebooted(desk, counter):
    answer = command(desk, counter, "reboot")[-1]
    if desk.app.reboot_wanted:
        desk.boot()
        desk.run(2 * MINUTE + 5000)
    return answer


def test_no_row_of_reboots_by_command_keeps_a_station_from_its_work():
    desk = online()
    answers = [_rebooted(desk, counter)["result"] for counter in range(1, 7)]
    assert answers == ["done"] * 3 + ["refused"] * 3
    desk.type("reboot")
    assert desk.app.reboot_wanted, "whoever stands there may"
    desk.boot()
    desk.run(25 * HOUR)
    assert _rebooted(desk, 20)["result"] == "done"


@pytest.mark.parametrize("damage", [b"", b"junk", b"00000000 1 2 3", bytes(30)])
def test_a_damaged_count_of_reboots_stops_none_and_counts_from_there(damage):
    desk = online()
    desk.storage.files["reboots"] = damage
    assert [_rebooted(desk, counter)["result"] for counter in range(1, 5)] == ["done"] * 3 + ["refused"]


def test_a_reboot_that_can_not_be_counted_is_refused():
    desk = online()
    replace = desk.storage.replace
    desk.storage.replace = lambda name, data: broken() if name == "reboots" else replace(name, data)
    assert _rebooted(desk, 1)["result"] == "refused"
