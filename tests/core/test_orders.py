"""Commands and desired settings: what is good is done, whatever else is refused whole, counted, told once; and the station runs on."""

import json
import random

import pytest

from node.core import settings as S
from tests.core.fake_broker import LIFE
from tests.core.station_desk import EPOCH_MS, Desk, broken
from tests.core.test_app import DANGER_MM, MINUTE, NORMAL_MM
from tests.core.test_self_care import told

HOUR = 60 * MINUTE
NOW_S = EPOCH_MS // 1000


def online(**arguments):
    desk = Desk(**{"link": "up", **arguments})
    desk.level(NORMAL_MM)
    desk.run(2 * MINUTE + 5000)
    return desk


def command(desk, counter, do="ack", expires_in_s=60, retained=False, **members):
    now_s = NOW_S + desk.t // 1000
    message = {
        "life": LIFE,
        "id": f"c{counter}",
        "counter": counter,
        "expires": now_s + expires_in_s,
        "do": do,
        **members,
    }
    say(desk, "command", message, retained)
    return desk.broker.heard("reply")


def say(desk, name, message, retained=False):
    if retained:
        desk.broker.retained[f"waspada/v1/demo/dr01/{name}"] = (
            message if isinstance(message, bytes) else json.dumps(message).encode()
        )
        desk.broker.drop()
        desk.run(2 * MINUTE)
    else:
        desk.broker.say(name, message)
        desk.run(2000)


def refusals(desk):
    return len(desk.events("refused"))


# commands


def test_each_command_does_what_it_says_and_is_answered():
    desk = online()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    assert command(desk, 1, "ack")[-1] == {"life": LIFE, "id": "c1", "result": "done", "why": ""}
    assert desk.outputs["strobe"].on == 0
    assert desk.events("acknowledged")[-1].values["acknowledged"] == 1
    command(desk, 2, "shelve", **{"with": 600})
    assert desk.events("shelved_s")[-1].values["shelved_s"] == 600
    assert "no drill" in command(desk, 3, "drill", **{"with": 2})[-1]["why"]
    count = len(desk.broker.heard("status"))
    command(desk, 4, "status")
    assert len(desk.broker.heard("status")) == count + 1
    command(desk, 5, "reboot")
    assert desk.app.reboot_wanted


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires_in_s": -1}, "expired"),
        ({"expires_in_s": 86_500}, "more than a day ahead"),
        ({"expires_in_s": 2**36}, "more than a day ahead"),
        ({"do": "open_gate"}, "no command 'open_gate'"),
        ({"do": "shelve", "with": 86_401}, "with must be"),
        ({"do": "shelve", "with": "600"}, "with must be"),
        ({"do": "shelve", "with": True}, "with must be"),
        ({"do": "drill", "with": 4}, "with must be"),
        ({"do": "drill"}, "state 1 alert"),
    ],
)
def test_a_command_that_must_not_be_done_is_answered_with_the_reason(changes, why):
    desk = online()
    answer = command(desk, 7, **changes)[-1]
    assert (answer["result"], why in answer["why"]) == ("refused", True), answer
    assert desk.app.refused == 1
    assert refusals(desk) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"counter": "8"}, {"counter": -1}, {"counter": 1 << 31}, {"counter": 1.5}, {"counter": None}, {"id": ""}, {"id": "a b"}, {"id": 'x"'},
        {"id": 5}, {"id": "x" * 33}, {"expires": "soon"}, {"expires": 1 << 50}, {"do": None}, {"do": ["ack"]}, {"do": {}},
    ],
)  # fmt: skip
def test_a_command_of_wrong_types_does_nothing(changes):
    desk = online()
    message = {"life": LIFE, "id": "a", "counter": 8, "expires": NOW_S + 300, "do": "reboot", **changes}
    say(desk, "command", message)
    assert not desk.app.reboot_wanted
    assert desk.app.refused + desk.app.uplink.refused == 1


def test_another_lifes_command_is_nobodys():
    desk = online()
    say(desk, "command", {"life": "00000000", "id": "a", "counter": 8, "expires": NOW_S + 300, "do": "reboot"})
    assert not desk.app.reboot_wanted
    assert desk.broker.heard("reply") == []


def test_a_replayed_command_is_refused_over_reboots_too():
    desk = online()
    assert command(desk, 5)[-1]["result"] == "done"
    assert "used before" in command(desk, 5)[-1]["why"]
    assert "used before" in command(desk, 4)[-1]["why"]
    desk.boot()
    desk.run(2 * MINUTE)
    assert "used before" in command(desk, 5)[-1]["why"]
    assert command(desk, 6)[-1]["result"] == "done"


def test_a_counter_that_flash_does_not_take_is_no_licence():
    desk = online()
    replace = desk.storage.replace
    desk.storage.replace = broken
    assert "storage" in command(desk, 5)[-1]["why"]
    assert desk.events("acknowledged") == []
    desk.storage.replace = replace
    assert command(desk, 5)[-1]["result"] == "done"


def test_a_torn_counter_leaves_the_one_before():
    desk = online()
    command(desk, 5)
    desk.storage.files["counter.tmp"] = b"0"
    desk.boot()
    desk.run(2 * MINUTE)
    assert "used before" in command(desk, 5)[-1]["why"]


@pytest.mark.parametrize("content", [b"\xff", b"5", b"00000000 3", b"deadbeef 5"])
def test_with_a_damaged_counter_no_old_command_is_done_and_new_ones_are(content):
    desk = online()
    command(desk, 5, expires_in_s=86_000)
    desk.storage.replace("counter", content)
    desk.boot()
    desk.run(2 * MINUTE)
    assert "damaged" in command(desk, 5, expires_in_s=85_700)[-1]["why"], "the same message again"
    desk.run(MINUTE)
    assert command(desk, 6, expires_in_s=86_400)[-1]["result"] == "done"


def test_a_retained_command_is_refused_at_every_connection():
    desk = online()
    message = {"life": LIFE, "id": "a", "counter": 8, "expires": NOW_S + 86_000, "do": "reboot"}
    say(desk, "command", message, retained=True)
    assert not desk.app.reboot_wanted
    assert "never retained" in desk.broker.heard("reply")[-1]["why"]


def test_without_time_nothing_is_done():
    desk = online(unix=False)
    assert "time is not known" in command(desk, 5)[-1]["why"]


@pytest.mark.parametrize("lie_s", [-10 * 365 * 86400, -86400, 86400])
def test_a_clock_that_was_lied_to_replays_nothing(lie_s):
    """Whatever the time is said to be: what was done once is not done again."""
    desk = online()
    message = {"life": LIFE, "id": "a", "counter": 8, "expires": NOW_S + 3600, "do": "ack"}
    say(desk, "command", message)
    assert len(desk.events("acknowledged")) == 1
    desk.unix += lie_s * 1000
    desk.boot()
    desk.run(2 * MINUTE)
    say(desk, "command", message)
    assert len(desk.events("acknowledged")) == 1
    assert desk.broker.heard("reply")[-1]["result"] == "refused"


def test_commands_without_end_do_not_wear_the_flash():
    desk = online()
    for counter in range(1, 201):
        command(desk, counter)
    assert len(desk.events("acknowledged")) == 60
    assert "in an hour" in desk.broker.heard("reply")[-1]["why"]
    desk.run(HOUR)
    assert command(desk, 300)[-1]["result"] == "done"


# a flood


def test_ten_thousand_messages_delay_no_sample_and_fill_no_journal():
    desk = online()
    rng = random.Random(11)
    names = ("command", "desired", "committed", "resend", "update", "part", "nothing")
    stale = json.dumps({"life": LIFE, "id": "f", "counter": 1, "expires": 1, "do": "ack"}).encode()
    poison = json.dumps({"life": LIFE, "revision": 9, "values": {"level.danger": "99"}}).encode()
    nothing = [b"", b"{}", b"[[[[[[[[", b"null", b'{"life":"5eed0001"}', bytes(range(256)) * 12]
    messages = [*nothing, stale, poison]
    before = len(desk.records())
    samples = desk.app._books.logs[0].seq
    desk.level(DANGER_MM)
    crossed = desk.t
    siren_ms = None
    for _ in range(100):
        for _ in range(100):
            desk.broker.say(rng.choice(names), rng.choice(messages), qos=rng.choice((0, 1)))
        desk.run(1200)
        if siren_ms is None and desk.outputs["siren"].on:
            siren_ms = desk.t - crossed
    assert siren_ms is not None and siren_ms <= MINUTE + 3000
    assert desk.app._books.logs[0].seq - samples >= 5, "a minute of one a minute, a minute of one in 15 s"
    assert len(desk.records()) - before < 60
    assert len(desk.app.uplink._asked) <= 8
    desk.app.uplink.tell_status()
    desk.run(MINUTE)
    assert told(desk)["refused"] > 5000


# desired


def desired(desk, revision, values, retained=False):
    say(desk, "desired", {"life": LIFE, "revision": revision, "values": values}, retained)


def test_desired_settings_are_saved_as_a_technicians_are():
    desk = online()
    desired(desk, 7, {"level.danger": "1.2", "level.warning": "0.9"})
    assert (desk.app.settings.get(S.LEVEL_DANGER), desk.app.settings.revision) == (1200, 7)
    assert desk.events("settings")[-1].values["settings"] == 1
    assert desk.broker.heard("settings")[-1]["revision"] == 7
    desk.boot()
    assert desk.app.settings.get(S.LEVEL_DANGER) == 1200


POISON = {
    "above the sensor's reach": (2, {"level.danger": "20"}),
    "out of order": (2, {"level.alert": "1.4"}),
    "a number in place of text": (2, {"level.danger": 1.2}),
    "NaN": (2, {"level.danger": "nan"}),
    "infinity": (2, {"level.danger": "1e999"}),
    "nothing": (2, {"level.danger": None}),
    "nested": (2, {"level.danger": {"a": [[[[1]]]]}}),
    "a list": (2, ["level.danger"]),
    "text": (2, "level.danger"),
    "unknown key": (2, {"level.danger": "1.2", "level.dangr": "1.2"}),
    "one of many is wrong": (2, {"level.danger": "1.2", "siren.from": "9"}),
    "revision beyond 31 bits": (2**31, {"level.danger": "1.2"}),
    "revision that leaves no room": (2**31 - 1, {"level.danger": "1.2"}),
    "revision as text": ("2", {"level.danger": "1.2"}),
    "revision true": (True, {"level.danger": "1.2"}),
}


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_retained_setting_is_refused_whole_told_once_and_nothing_changes(name):
    desk = online()
    before = list(desk.app.settings.values)
    revision, values = POISON[name]
    desired(desk, revision, values, retained=True)
    for _ in range(5):
        desk.run(20 * MINUTE)
        desk.broker.drop()
    desk.boot()
    desk.run(20 * MINUTE)
    assert (list(desk.app.settings.values), desk.app.settings.revision) == (before, 1)
    assert refusals(desk) == 1
    assert desk.app.refused >= 1
    desk.level(DANGER_MM)
    assert desk.run(MINUTE + 3000, until=lambda: desk.outputs["siren"].on)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 2000,
        b'{"life":"5eed0001","revision":2,"values":{"level.danger":NaN}}',
        b'{"life":"5eed0001"}',
        b"1",
        b"x" * 2_000_000,
    ],
)
def test_what_is_no_message_at_all_is_counted(payload):
    desk = online()
    say(desk, "desired", payload)
    desk.run(MINUTE)
    assert desk.app.settings.revision == 1
    assert desk.app.refused + desk.app.uplink.refused + desk.app.uplink.client.passed_over == 1


def test_what_a_technician_is_typing_survives_a_gateways_change():
    desk = online()
    desk.type("set level.alert 0.5")
    desired(desk, 7, {"level.danger": "1.2"})
    assert "revision 8" in desk.type("save")
    assert desk.app.settings.values[:3] == [500, 1000, 1200]
