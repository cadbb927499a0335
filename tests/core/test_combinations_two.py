"""What happens at once, continued: flash that fails in one call or is full, settings of another firmware, defects in what is derived, commands over resets."""

import errno
import sys

import pytest

from node import derive
from node.core import copies, journal
from node.core import measurements as M
from node.core import settings as S
from node.drivers import catalog
from tests import vm64
from tests.core.failing_platform import Platform
from tests.core.failing_storage import Storage
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


# settings of another firmware


def _of_wider_ranges(**changes):
    """Storage with settings that a firmware of wider ranges saved twice, as revision 7."""
    settings = S.Settings({})
    values = list(settings.values)
    for i, value in changes.items():
        values[getattr(S, i)] = value
    settings.newer = {"zebra.count": 3}
    return Storage(dict.fromkeys(S.COPIES, copies.encode(settings, values, 7)))


def _loaded(storage, own=None):
    settings = S.Settings(own or {"sensor.height": 4000})
    how = S.load(storage, settings)
    told = []
    assert copies.attend(storage, settings, how, lambda *points: told.append(points) or True) == S.SOUND
    again = S.Settings(own or {"sensor.height": 4000})
    assert S.load(storage, again) == S.SOUND
    assert (again.values, again.revision, again.newer) == (settings.values, settings.revision, settings.newer)
    return settings, told


def test_settings_that_are_allowed_outlive_those_that_are_not():
    storage = _of_wider_ranges(LEVEL_DANGER=1800, SENSOR_HEIGHT=5000, SAMPLE_INTERVAL=7200, SIREN_FROM=2)
    settings, told = _loaded(storage)
    assert [settings.get(i) for i in (S.LEVEL_DANGER, S.SENSOR_HEIGHT, S.SAMPLE_INTERVAL, S.SIREN_FROM)] == [
        1800,
        5000,
        60,
        2,
    ]
    assert (settings.revision, settings.newer) == (8, {"zebra.count": 3})
    assert told == [((M.SETTINGS, 0, 2), (M.REVISION, 0, 8), (M.NEW_SETTING + S.SAMPLE_INTERVAL, 0, 60))]
    assert copies.ASIDE in storage.files


@pytest.mark.parametrize("wrong", [{"LEVEL_DANGER": 40_000}, {"LEVEL_ALERT": 1700}, {"LEVEL_WARNING": -20_000}])
def test_levels_fall_back_as_three(wrong):
    settings, told = _loaded(
        _of_wider_ranges(
            **{"LEVEL_ALERT": 700, "LEVEL_WARNING": 1200, "LEVEL_DANGER": 1600, "LEVEL_DEADBAND": 70, **wrong}
        )
    )
    assert settings.values[:4] == [600, 1000, 1500, 70]
    assert [i - M.NEW_SETTING for i, _, _ in told[0][2:]] == [0, 1, 2]


def test_of_two_copies_that_are_not_allowed_the_newer_counts():
    storage = _of_wider_ranges(SAMPLE_INTERVAL=7200, SIREN_FROM=2)
    settings = S.Settings({})
    settings.values[S.SAMPLE_INTERVAL] = 7200
    settings.values[S.SIREN_FROM] = 3
    storage.files["settings.1"] = copies.encode(settings, settings.values, 9)
    settings, _ = _loaded(storage)
    assert (settings.get(S.SIREN_FROM), settings.revision) == (3, 10)


WIDER = """
import binascii
from node.core import copies
from node.core import settings as S
body = b'{"revision":7,"values":{"level.alert":700,"level.warning":1200,"level.danger":99999,"siren.from":2,"zebra":1}}'
image = b"%08x " % (binascii.crc32(body) & 0xFFFFFFFF) + body
settings = S.Settings({})
print(copies.judge([image, image], settings), settings.values, settings.revision, settings.fallen, settings.newer)
body = b'[]'
image = b"%08x " % (binascii.crc32(body) & 0xFFFFFFFF) + body
settings = S.Settings({})
print(copies.judge([image, b""], settings), settings.values, settings.revision, settings.fallen, settings.newer)
"""


@pytest.mark.vm
def test_the_board_takes_what_is_allowed_too(capsys):
    exec(WIDER, {})  # noqa: S102
    assert vm64.run(WIDER) == capsys.readouterr().out


# full flash


class Small(Storage):
    """Flash of so many blocks of 4 KB; a file of up to 512 bytes lies with the names."""

    def __init__(self, blocks):
        super().__init__()
        self.blocks = blocks

    def _has_room(self, name, size):
        sizes = {other: len(data) for other, data in self.files.items()}
        sizes[name] = size
        if sum(-(-size // 4096) for size in sizes.values() if size > 512) > self.blocks:
            raise OSError(errno.ENOSPC, "full")

    def append(self, name, data):
        self._has_room(name, len(self.files.get(name, b"")) + len(data))
        super().append(name, data)

    def replace(self, name, data):
        self._has_room(name, len(data))
        super().replace(name, data)


@pytest.mark.parametrize("blocks", [*range(3, 12), 25, 40])
def test_full_flash_keeps_the_newest_and_every_alarm_and_declares_the_oldest_readings(blocks):
    desk = calm(storage=Small(blocks))
    for _ in range(40):
        for _ in range(50):
            desk.app._books.append(0, (1, 1_600_000_000, 0), [(0, 1, 5)] * 20)
        desk.level(DANGER_MM)
        desk.run(2 * MINUTE)
        desk.level(NORMAL_MM)
        desk.run(6 * MINUTE)
    log = desk.app.logs[journal.READINGS]
    kept = [record.seq for record in desk.records(journal.READINGS)]
    assert kept[-1] == log.seq, "the newest is there"
    assert not desk.app._books.flash_errors
    gone = [
        (event.values["first_seq"], event.values["last_seq"])
        for event in desk.events("dropped")
        if not event.values["dropped"]
    ]
    declared = [seq for first, last in gone for seq in range(first, last + 1)]
    declared += [seq for _, first, last in log.given_up for seq in range(first, last + 1)]
    assert declared + kept == list(range(1, log.seq + 1)), "each is kept or declared, once"
    if blocks > 5:
        assert len(desk.events("alarm")) >= 80


def test_full_flash_with_nothing_that_could_go_is_told_and_the_siren_sounds():
    desk = calm(storage=Small(40))
    desk.storage.blocks = 0
    desk.level(DANGER_MM)
    assert desk.run(5 * MINUTE, until=lambda: desk.outputs["siren"].on)
    desk.run(HOUR)
    assert desk.app._books.flash_errors


# segments of another firmware


def _log(storage, boot, count, segments=40):
    log = journal.Log(storage, "readings", boot, 1024, segments)
    for i in range(count):
        log.append(1, 1_600_000_000 + i, 0, [(0, 1, i)])
    return log


def _made_foreign(storage, log, count):
    names = [log._name(number) for number in range(log.last - count + 1, log.last + 1)]
    for name in names:
        storage.files[name] = b"WAJ9" + bytes(reversed(storage.files[name][4:]))
    return {name: storage.files[name] for name in names}


@pytest.mark.parametrize("count", [1, 3])
def test_foreign_segments_at_the_end_are_set_aside_and_what_is_known_of_them_is_declared(count):
    storage = Storage()
    log = _log(storage, 1, 300)
    foreign = _made_foreign(storage, log, count)
    again = _log(storage, 2, 1)
    assert {name: storage.files[name] for name in foreign} == foreign, "kept for the firmware that reads them"
    assert again.damaged >= count
    cursor = journal.Cursor(again)
    seen = []
    while at := cursor.peek():
        seen.append((at[0], journal.seq_of(at[3])))
        cursor.advance(at[3])
    assert seen[-1] == (2, 1)
    assert len(set(seen)) == len(seen)


def test_foreign_segments_stay_within_the_rings_bound():
    storage = Storage()
    log = _log(storage, 1, 300, 6)
    _made_foreign(storage, log, 4)
    _log(storage, 2, 600, 6)
    assert len(storage.files) <= 6
    log = journal.Log(storage, "readings", 3, 1024, 6)
    assert (log.prev_boot, log.prev_seq) == (2, 600)


def test_a_ring_of_nothing_but_foreign_segments_goes_on_behind_them():
    storage = Storage()
    log = _log(storage, 1, 100)
    foreign = _made_foreign(storage, log, log.last)
    again = _log(storage, 2, 5)
    assert again.last > log.last
    assert {name: storage.files[name] for name in foreign} == foreign
    assert _log(storage, 3, 1).prev_seq == 5


def test_foreign_segments_are_told_by_a_storage_event():
    desk = calm()
    _made_foreign(desk.storage, desk.app.logs[0], 1)
    desk.boot()
    desk.run(5 * MINUTE)
    assert desk.events("storage")


def test_records_of_a_boot_that_nobody_knows_of_get_no_other_boots_keys():
    storage = Storage()
    _log(storage, 1, 300)
    log = _log(storage, 2, 10)
    name = log._name(log.last)
    storage.files[name] = b"WAJ9" + storage.files[name][4:]
    _log(storage, 3, 1)
    again = _log(storage, 4, 1)
    cursor = journal.Cursor(again)
    seen = []
    while at := cursor.peek():
        seen.append((at[0], journal.seq_of(at[3])))
        cursor.advance(at[3])
    assert seen == [*((1, seq) for seq in range(1, 301)), (3, 1), (4, 1)]
