"""Defects of our own, planted: sampling and siren go on, it is told with its traceback, and too many end in safe mode and not in a loop."""

import pytest

from node.core import journal, senml
from node.core.journal import EVENT, READINGS
from node.core.measurements import RESETS
from tests.core.failing_platform import Platform
from tests.core.station_desk import Desk
from tests.core.test_app import DANGER_MM, MINUTE, NORMAL_MM

HOUR = 60 * MINUTE


def stood(**arguments):
    desk = Desk(**{"platform": Platform(), "link": "up", **arguments})
    desk.level(NORMAL_MM)
    desk.run(3 * MINUTE + 5000)
    return desk


def defect(*_, **__):
    raise TypeError("planted")


def texts(desk, kind):
    """The texts of these events, as they go out."""
    cursor = journal.Cursor(desk.app.logs[EVENT])
    found = []
    while at := cursor.peek():
        pack = senml.encode("b:", "5eed0001", at[0], at[1], at[2], at[3])
        if f'"n":"{kind}"' in pack:
            found.append(pack.split('"vs":"', 1)[1].split('"')[0])
        cursor.advance(at[3])
    return found


def samples(desk):
    return len(desk.records(READINGS))


def end(desk, reset="soft"):
    """The outer loop does what the app wants; the next boot."""
    desk.station = dict(desk.station, reset=reset)
    desk.boot()


def fall_over(desk, reset="soft"):
    """A boot that is ended by five defects in a row."""
    desk.app.gauge.decide = defect
    assert desk.run(2 * MINUTE, until=lambda: desk.app.reboot_wanted)
    end(desk, reset)


# one defect


def test_a_defect_in_talking_is_told_and_the_link_made_anew():
    desk = stood()
    before = samples(desk)
    desk.app.uplink.step = defect
    desk.run(5 * MINUTE)
    assert samples(desk) - before == 5
    assert texts(desk, "crash") == ["Traceback (most recent call last):\\nTypeError: planted"]
    assert desk.broker.heard("event")[-1][0]["n"] == "crash", "what was remade talks again"
    assert not desk.app.reboot_wanted


def test_a_defect_in_talking_does_not_hold_the_siren():
    desk = stood()
    desk.app.talk = defect
    desk.level(DANGER_MM)
    assert desk.run(MINUTE + 3000, until=lambda: desk.outputs["siren"].on)


def test_a_defect_in_measuring_costs_its_step():
    desk = stood()
    decide = desk.app.gauge.decide

    def once(*arguments):
        desk.app.gauge.decide = decide
        defect()

    desk.app.gauge.decide = once
    desk.level(DANGER_MM)
    assert desk.run(MINUTE + 5000, until=lambda: desk.outputs["siren"].on)
    assert len(texts(desk, "crash")) == 1
    assert not desk.app.reboot_wanted


def test_a_defect_without_end_in_talking_is_told_every_ten_minutes_at_most():
    desk = stood()
    desk.app.safe = True  # else it would ask for a restart
    desk.app.talk = defect
    before = samples(desk)
    desk.run(2 * HOUR)
    assert samples(desk) - before >= 119
    assert 2 <= len(texts(desk, "crash")) <= 13


def test_without_a_platform_no_defect_hides():
    desk = stood(platform=None)
    desk.app.talk = defect
    with pytest.raises(AttributeError):
        desk.run(MINUTE)


# five in a row


def test_measuring_that_always_raises_asks_for_a_restart_and_feeds_no_watchdog():
    desk = stood()
    alive = desk.app.alive_ms
    desk.app.gauge.decide = defect
    assert desk.run(2 * MINUTE, until=lambda: desk.app.reboot_wanted)
    desk.run(10 * MINUTE)
    assert desk.app.alive_ms == alive, "bursts go on, but nothing was decided: the outer loop lets the watchdog starve"
    end(desk)
    desk.run(MINUTE)
    assert [text[:29] for text in texts(desk, "crash")][-1] == "the station restarts: Traceba"
    assert "crash" not in desk.storage.files


def test_talking_that_always_raises_asks_for_a_restart_and_keeps_sampling():
    desk = stood()
    before = samples(desk)
    desk.app.talk = defect
    assert desk.run(20 * MINUTE, until=lambda: desk.app.reboot_wanted)
    desk.run(10 * MINUTE)
    assert samples(desk) - before >= 10


@pytest.mark.parametrize("reset", RESETS)
def test_a_boot_that_lasts_ten_minutes_begins_the_count_anew(reset):
    desk = stood()
    for _ in range(5):
        fall_over(desk, reset)
        desk.run(11 * MINUTE)
        assert not desk.app.safe
    assert "ends" not in desk.storage.files


# safe mode


def in_safe_mode():
    desk = stood()
    for _ in range(3):
        fall_over(desk)
    assert desk.app.safe
    return desk


def test_three_short_boots_end_in_safe_mode_which_samples_sounds_and_says_so():
    desk = in_safe_mode()
    desk.run(2 * MINUTE)
    assert desk.events("safe_mode")[-1].values["safe_mode"] == 1
    assert {"n": "safe", "v": 1} in desk.broker.heard("status")[-1]
    desk.level(DANGER_MM)
    assert desk.run(MINUTE + 3000, until=lambda: desk.outputs["siren"].on)
    assert "danger" in desk.type("show")


def test_a_watchdogs_resets_count_as_defects_do():
    desk = stood()
    for _ in range(3):
        end(desk, "watchdog")
        desk.run(5 * MINUTE)
    assert desk.app.safe


def test_resets_of_other_causes_are_no_defects():
    desk = stood()
    for reset in ("power", "hard", "soft", "unknown") * 2:
        end(desk, reset)
        desk.run(MINUTE)
        assert not desk.app.safe


def test_in_safe_mode_a_defect_restarts_nothing():
    desk = in_safe_mode()
    desk.run(MINUTE)
    desk.app.gauge.decide = defect
    desk.run(10 * MINUTE)
    assert not desk.app.reboot_wanted


def test_in_safe_mode_the_backlog_stays_where_it_is_and_goes_out_later():
    desk = stood(link="never")
    for _ in range(3):
        fall_over(desk)
    desk.broker.mode = "up"
    desk.run(5 * MINUTE)
    boots = {boot for boot, _ in desk.broker.keys("readings")}
    assert boots == {4}
    desk.broker.say("resend", {"life": "5eed0001", "stream": "readings", "boot": 1, "from": 1, "to": 2})
    desk.run(MINUTE)
    assert {boot for boot, _ in desk.broker.keys("readings")} == {4}
    end(desk, "power")
    desk.run(5 * MINUTE)
    assert not desk.app.safe
    assert {boot for boot, _ in desk.broker.keys("readings")} >= {1, 4, 5}


def test_a_power_cycle_ends_safe_mode():
    desk = in_safe_mode()
    desk.run(MINUTE)
    end(desk, "power")
    desk.run(MINUTE)
    assert not desk.app.safe
    assert desk.events("safe_mode")[-1].values["safe_mode"] == 0


def test_a_day_ends_safe_mode_but_not_in_the_middle_of_an_alarm():
    desk = in_safe_mode()
    desk.level(DANGER_MM)
    desk.run(25 * HOUR)
    assert not desk.app.reboot_wanted
    desk.level(NORMAL_MM)
    assert desk.run(HOUR, until=lambda: desk.app.reboot_wanted)
    end(desk)
    assert not desk.app.safe


def test_a_technician_ends_safe_mode():
    desk = in_safe_mode()
    desk.run(MINUTE)
    assert "starting again" in desk.type("reboot")
    assert desk.app.reboot_wanted
    end(desk)
    assert not desk.app.safe


@pytest.mark.parametrize("content", [b"", b"x", b"-1", b"99999999", b"\xff\xfe"])
def test_a_damaged_count_stops_no_boot(content):
    desk = stood()
    desk.storage.replace("ends", content)
    desk.storage.replace("crash", b"\xff" * 400)
    end(desk)
    desk.run(2 * MINUTE)
    assert samples(desk) >= 4
    assert "crash" not in desk.storage.files


# status


def told(desk):
    return {entry["n"]: entry.get("v", entry.get("vs")) for entry in desk.broker.heard("status")[-1]}


def test_status_says_how_the_station_is_at_connect_and_every_six_hours():
    desk = stood()
    first = told(desk)
    assert (first["reset"], first["heap_low"], first["flash_errors"], first["sensors_bad"], first["refused"]) == (
        "soft",
        90000,
        0,
        0,
        0,
    )
    assert all(retain for topic, _, retain, _ in desk.broker.published if topic.endswith("/status"))
    desk.run(13 * HOUR)
    assert len(desk.broker.heard("status")) == 3
    assert 43_000 <= told(desk)["up_s"] <= 47_000


def test_a_sensor_that_fails_is_in_status_soon_and_one_that_comes_and_goes_does_not_chatter():
    desk = stood()
    desk.ranger.mm = None
    desk.run(20 * MINUTE)
    assert told(desk)["sensors_bad"] == 1
    count = len(desk.broker.heard("status"))
    desk.ranger.mm = lambda t: None if t // (4 * MINUTE) % 2 else 4400
    desk.run(2 * HOUR)
    assert len(desk.broker.heard("status")) - count <= 13


def test_flash_errors_and_unusable_messages_are_counted():
    desk = stood()
    desk.storage.trouble = ("before", "append", 0)
    desk.run(MINUTE)
    desk.broker.say("command", b"[" * 300)
    desk.broker.say("command", b"x" * 3000)
    desk.run(MINUTE)
    desk.app.uplink.tell_status()
    desk.run(MINUTE)
    assert told(desk)["flash_errors"] >= 1
    assert told(desk)["refused"] == 2


# what a reset must not undo


def test_shelving_outlives_a_reset_and_still_ends():
    desk = stood()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.type("shelve 60")
    desk.run(15 * MINUTE)
    end(desk)
    desk.changes.clear()
    desk.run(25 * MINUTE)
    assert desk.outputs["strobe"].on == 0
    desk.run(35 * MINUTE)
    assert desk.outputs["strobe"].on == 1


def test_a_fast_rise_outlives_a_reset_and_ends_with_its_window():
    desk = stood(settings={"level.alert": 2000, "level.warning": 2500, "level.danger": 3000})
    desk.level(NORMAL_MM + 350)
    desk.run(2 * MINUTE)
    assert desk.outputs["strobe"].on == 1
    end(desk)
    desk.run(2 * MINUTE)
    assert desk.app.gauge.rising == 1
    assert desk.outputs["strobe"].on == 1
    desk.run(20 * MINUTE)
    assert desk.app.gauge.rising == 0


def test_an_acknowledged_rise_stays_silent_over_a_reset():
    desk = stood(settings={"level.alert": 2000, "level.warning": 2500, "level.danger": 3000})
    desk.level(NORMAL_MM + 350)
    desk.run(2 * MINUTE)
    desk.type("ack")
    desk.run(MINUTE)
    end(desk)
    desk.run(2 * MINUTE)
    assert (desk.app.gauge.rising, desk.outputs["strobe"].on) == (1, 0)


@pytest.mark.parametrize(
    "content", [b"1 0", b"1 12 0", b"9 9 9 9 9", b"1 0 -5 7 99999", b"1 0 99999999 1 0", b"\xff", b"1 16 0 0 0"]
)
def test_a_damaged_alarm_file_is_as_if_nothing_were_alarmed(content):
    desk = stood()
    desk.storage.replace("alarm", content)
    end(desk)
    desk.run(3 * MINUTE)
    assert (desk.app.gauge.state, desk.outputs["strobe"].on) == (0, 0)
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    assert desk.outputs["strobe"].on == 1
