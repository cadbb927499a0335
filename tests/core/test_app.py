"""The whole station on the desk: water to siren, failures, time, storage, settings; its clock wraps where it hurts."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import measurements as M
from node.core.journal import EVENT, READINGS
from node.core.sounder import PATTERNS
from tests.core.station_desk import EPOCH_MS, STATION, WRAP, Desk, broken

NORMAL_MM = 100  # well below alert at 600
DANGER_MM = 1600
MINUTE = 60_000
# Ticks at which a test begins, so that the wrap falls in the wait, in a burst, in its confirmation, in the siren's duty.
TICKS = [0, WRAP - 60_000, WRAP - 60_300, WRAP - 60_750, WRAP - 61_000, WRAP - 61_500, WRAP - 62_500, WRAP - 90_000]


def calm(minutes=3, **arguments):
    desk = Desk(**arguments)
    desk.level(NORMAL_MM)
    desk.run(minutes * MINUTE + 5000)  # no burst is under way
    assert desk.outputs["siren"].on == 0
    desk.changes.clear()
    return desk


def sampled_at(desk):
    """Runs on until a burst begins; the water may then move."""
    before = desk.app.last_sample_ms
    desk.run(10 * MINUTE, until=lambda: desk.app.last_sample_ms != before)
    return desk.t


# water to siren


@pytest.mark.parametrize("ticks", TICKS)
def test_siren_sounds_within_two_seconds_of_the_burst_that_sees_the_crossing(ticks):
    desk = Desk(ticks=ticks)
    desk.level(NORMAL_MM)
    desk.run(59_000)
    desk.level(DANGER_MM)
    begun = sampled_at(desk)
    assert desk.run(5000, until=lambda: desk.outputs["siren"].on)
    assert desk.t - begun <= 2000 + 800, "two bursts and the pause between them"
    seen = begun + 800
    assert desk.t - seen < 2000
    assert desk.app.gauge.state == 3
    (alarm,) = desk.events("alarm")
    assert (alarm.values["alarm"], alarm.values["alarm_from"], alarm.values["limit"]) == (3, 0, 1500)
    assert alarm.values["level"] == DANGER_MM


@pytest.mark.parametrize("mode", ["refuses", "never", "silent"])
def test_a_network_that_hangs_does_not_hold_the_siren(mode):
    desk = calm(link=mode)
    desk.level(DANGER_MM)
    assert desk.run(MINUTE + 3000, until=lambda: desk.outputs["siren"].on)


def test_one_high_burst_raises_nothing():
    desk = calm()
    begun = sampled_at(desk)
    desk.ranger.mm = lambda t: 4500 - (DANGER_MM if t < begun + 900 else NORMAL_MM)
    desk.run(5 * MINUTE)
    assert desk.changes == []
    assert desk.events("alarm") == []


@pytest.mark.parametrize("ticks", [0, WRAP - 200_000, WRAP - 260_000, WRAP - 500_000])
def test_danger_keeps_its_duty_and_wakes_for_every_change(ticks):
    desk = Desk(ticks=ticks)
    desk.level(DANGER_MM)
    desk.run(20 * MINUTE)
    siren = desk.switched("siren")
    on_ms, off_ms = PATTERNS[3]
    assert [on for _, on in siren[:7]] == [1, 0, 1, 0, 1, 0, 1]
    for (begun, on), (ended, _) in pairwise(siren):
        assert 0 <= ended - begun - (on_ms if on else off_ms) < 100
    assert desk.switched("strobe")[0][1] == 1
    assert len(desk.switched("strobe")) == 1


@pytest.mark.parametrize("siren_from", [1, 2, 3, 4])
@pytest.mark.parametrize("level", [700, 1100, 1600])
def test_a_silent_state_flashes_and_lets_the_loop_rest(siren_from, level):
    desk = Desk(settings={"siren.from": siren_from}, link="refuses")
    desk.level(level)
    desk.run(3 * MINUTE)
    desk.steps = 0
    desk.run(30 * MINUTE)
    assert desk.outputs["strobe"].on == 1
    state = desk.app.gauge.state
    assert bool(desk.switched("siren")) == (state >= siren_from)
    assert desk.steps < 30 * 4 * 14, "samples, siren edges and link attempts; nothing else wakes it"


def test_level_clears_below_deadband_after_its_delay():
    desk = calm()
    desk.level(700)
    desk.run(2 * MINUTE)
    desk.level(560)  # within the deadband of 50
    desk.run(10 * MINUTE)
    assert desk.app.gauge.state == 1
    desk.level(540)
    desk.run(MINUTE)
    assert desk.app.gauge.state == 1
    desk.run(3 * MINUTE)
    assert desk.app.gauge.state == 0
    assert [event.values["alarm"] for event in desk.events("alarm")] == [1, 0]
    assert desk.outputs["strobe"].on == 0


# no reading


@pytest.mark.parametrize(("fault", "reason"), [(None, "no_answer"), ("bad", "bad_checksum"), (0, "out_of_range")])
@pytest.mark.parametrize("level", [NORMAL_MM, 700])
def test_failed_readings_raise_nothing_clear_nothing_and_are_reported_once(fault, reason, level):
    desk = Desk()
    desk.level(level)
    desk.run(5 * MINUTE)
    state = desk.app.gauge.state
    desk.ranger.mm = fault
    desk.run(60 * MINUTE)
    assert desk.app.gauge.state == state
    (event,) = desk.events("sensor")
    assert (event.values["sensor"], event.values["sensor_of"]) == (0, 0)
    assert M.REASONS[event.values["reason"]] == reason
    newest = desk.records(READINGS)[-1]
    assert (newest.q["level"] & 15, M.REASONS[newest.values["level"]]) == (9, reason)
    desk.level(level)
    desk.run(5 * MINUTE)
    assert [event.values["sensor"] for event in desk.events("sensor")] == [0, 1]
    assert desk.app.gauge.state == state


def test_a_sensor_that_dies_during_a_confirmation_is_not_asked_for_ever():
    desk = calm(link="refuses")
    desk.level(NORMAL_MM + 320)  # a rise, not yet a level
    sampled_at(desk)
    desk.run(900)
    desk.ranger.mm = None
    desk.run(2 * MINUTE)
    desk.steps = 0
    desk.run(10 * MINUTE)
    assert desk.steps < 10 * 30


def test_an_alarm_that_changes_without_a_reading_can_be_told():
    """Latched, the water gone, the sensor silent, then acknowledged: the state falls although nothing was read."""
    desk = Desk(settings={"level.latched": 1, "level.off_delay": 0}, link="up")
    desk.level(700)
    desk.run(2 * MINUTE)
    desk.level(NORMAL_MM)
    desk.run(2 * MINUTE)
    assert desk.app.gauge.state == 1
    desk.ranger.mm = None
    desk.run(MINUTE)
    desk.type("ack")
    desk.run(5 * MINUTE)
    assert desk.app.gauge.state == 0
    assert [event.values["alarm"] for event in desk.events("alarm")] == [1, 0]
    assert [pack[0]["vs"] for pack in desk.broker.heard("event") if pack[0]["n"] == "alarm"] == ["alert", "normal"]


# time


def test_time_is_fixed_once_and_dates_what_came_before():
    desk = Desk(unix=False)
    desk.level(NORMAL_MM)
    desk.run(5 * MINUTE + 123)
    assert {record.dated for record in desk.records()} == {0}
    desk.unix = EPOCH_MS - desk.t
    desk.run(10 * MINUTE)
    (fix,) = desk.events("time_fix")
    up_at_epoch = EPOCH_MS - desk.unix
    assert fix.ms - EPOCH_MS == fix.values["up_ms"] - up_at_epoch
    desk.boot()
    desk.run(MINUTE)
    assert len(desk.events("time_fix")) == 2


def test_time_is_fixed_after_a_month_without_it():
    desk = Desk(unix=False, settings={"sample.interval": 3600, "report.interval": 3600}, link="refuses")
    desk.level(NORMAL_MM)
    desk.run(31 * 24 * 60 * MINUTE)
    desk.unix = EPOCH_MS - desk.t
    desk.run(120 * MINUTE)
    (fix,) = desk.events("time_fix")
    assert fix.ms - fix.values["up_ms"] == EPOCH_MS - (31 * 24 * 60 * MINUTE)


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 10_000_000), max_size=4),
    st.integers(-59_000, 0),
    st.lists(st.integers(0, 10_000_000), max_size=4),
)
def test_small_corrections_never_turn_wall_time_back_within_a_stream(before, back, after):
    jumps = [*before, back, *after]
    desk = Desk()
    desk.ranger.mm = lambda t: 4500 - (700 if t // 300_000 % 2 else NORMAL_MM)
    for jump in jumps:
        desk.unix += jump
        desk.run(4 * MINUTE)
    for stream in (READINGS, EVENT):
        times = [record.ms for record in desk.records(stream) if record.dated]
        assert times == sorted(times)


def test_a_time_that_was_wrong_by_years_is_let_go():
    desk = calm()
    right = desk.unix
    desk.unix = 4_000_000_000_000
    desk.run(3 * MINUTE)
    desk.unix = right
    desk.run(3 * MINUTE)
    assert abs(desk.records(READINGS)[-1].ms - (right + desk.t)) <= MINUTE


# storage


@pytest.mark.parametrize("when", ["from the start", "later", "writes only"])
def test_storage_that_fails_never_holds_the_siren(when):
    desk = Desk.__new__(Desk)
    storage = None
    if when == "from the start":
        storage = Desk().storage.__class__()
        storage.always = True
    desk.__init__(storage=storage)
    desk.level(NORMAL_MM)
    desk.run(3 * MINUTE)
    if when == "later":
        desk.storage.always = True
    if when == "writes only":
        desk.storage.writes_fail = True
    desk.level(DANGER_MM)
    begun = sampled_at(desk)
    assert desk.run(5000, until=lambda: desk.outputs["siren"].on)
    assert desk.t - begun < 2800
    desk.run(10 * MINUTE)
    desk.storage.always = desk.storage.writes_fail = False
    desk.run(3 * MINUTE)
    assert [event.values["storage"] for event in desk.events("storage")] == [0]
    assert [event.values["alarm"] for event in desk.events("alarm")] == [3], "told as soon as it can be kept"
    assert len(desk.events("boot")) == 1
    assert desk.records(READINGS)[-1].values["level"] == DANGER_MM


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["before", "torn", "after"]), st.sampled_from(["", "append"]),
                          st.integers(0, 60)), max_size=12), st.booleans())  # fmt: skip
def test_storage_that_fails_now_and_then_loses_no_alarm(troubles, online):
    desk = Desk(link="up" if online else "never")
    desk.level(NORMAL_MM)
    desk.run(2 * MINUTE)
    desk.level(1100)
    for trouble in troubles:
        desk.storage.trouble = trouble
        desk.run(40_000)
    desk.storage.trouble = None
    desk.run(4 * MINUTE)
    events = desk.events("alarm")
    assert events
    assert all(event.values["alarm"] == 2 for event in events)
    assert len(events) <= 2, "twice when the first was kept after all"
    for stream in (READINGS, EVENT):
        keys = [(record.boot, record.seq) for record in desk.records(stream)]
        assert keys == sorted(set(keys))
    assert desk.outputs["strobe"].on == 1


@pytest.mark.parametrize("content", [b"", b"0", b"x", b"-5", b"\xff\xff", b"9999999999999"])
def test_a_boot_number_is_never_used_again(content):
    desk = Desk()
    desk.run(2 * MINUTE)
    for _ in range(3):
        desk.boot()
        desk.run(2 * MINUTE)
    desk.storage.files["boot"] = content
    used = {record.boot for record in desk.records()}
    desk.boot()
    desk.run(2 * MINUTE)
    assert desk.app.logs[0].boot > max(used)


def test_damaged_settings_are_reported_and_the_stations_own_run():
    desk = Desk()
    desk.type("set level.danger 1.7")
    assert "saved" in desk.type("save")
    desk.boot()
    assert desk.app.settings.get(2) == 1700
    desk.storage.files["settings.0"] = b"junk"
    desk.boot()
    desk.run(MINUTE)
    assert desk.app.settings.get(2) == 1700, "the other copy"
    assert desk.storage.files["settings.0"] == desk.storage.files["settings.1"]
    assert len(desk.events("storage")) == 1
    for name in ("settings.0", "settings.1"):
        desk.storage.files[name] = b"junk" + desk.storage.files[name][9:]
    for _ in range(3):
        desk.boot()
        desk.run(MINUTE)
        assert desk.app.settings.get(2) == 1500
    lost = [event.values for event in desk.events("settings") if event.values["settings"] == 2]
    assert lost == [{"settings": 2, "revision": 3}], "told once, above the revision that was lost"


def test_a_save_that_storage_refuses_changes_nothing():
    desk = calm()
    desk.type("set level.alert 0.05")
    desk.storage.replace = broken
    assert "not saved" in desk.type("save")
    desk.run(3 * MINUTE)
    assert desk.app.gauge.state == 0
    assert desk.app.settings.revision == 1


# rise, acknowledged, shelved, shadow


def rising(desk):
    desk.ranger.mm = lambda t: 4400 - max(0, min(450, (t - begun) // 1000))
    begun = desk.t


def test_a_fast_rise_below_every_level_sounds_and_is_told():
    desk = calm(minutes=20)
    rising(desk)
    desk.run(8 * MINUTE)
    assert desk.app.gauge.rising == 1
    assert desk.app.gauge.state == 0
    assert desk.outputs["strobe"].on == 1
    assert desk.switched("siren")
    (event,) = desk.events("rise_alarm")
    assert event.values["rise_alarm"] == 1
    desk.run(60 * MINUTE)
    assert [event.values["rise_alarm"] for event in desk.events("rise_alarm")] == [1, 0]
    assert desk.outputs["strobe"].on == 0


def test_rise_can_be_acknowledged_and_shadowed():
    desk = calm(minutes=20)
    rising(desk)
    desk.run(8 * MINUTE)
    desk.type("ack")
    assert desk.outputs["strobe"].on == 0
    shadow = calm(minutes=20, settings={"alarm.shadow": 1})
    rising(shadow)
    shadow.run(8 * MINUTE)
    assert shadow.app.gauge.rising == 1
    assert shadow.changes == []


def test_acknowledged_is_silent_until_it_rises():
    desk = calm()
    desk.level(700)
    desk.run(2 * MINUTE)
    assert "acknowledged" in desk.type("ack")
    assert desk.outputs["strobe"].on == desk.outputs["siren"].on == 0
    assert len(desk.events("acknowledged")) == 1
    desk.changes.clear()
    desk.run(30 * MINUTE)
    assert desk.changes == []
    desk.level(1100)
    desk.run(MINUTE)
    assert desk.outputs["strobe"].on == 1


@pytest.mark.parametrize("ticks", [0, WRAP - 4 * MINUTE])
def test_shelved_lasts_as_long_as_was_said_from_when_it_was_said(ticks):
    desk = calm(ticks=ticks, settings={"sample.interval": 3600})
    desk.run(40 * MINUTE)
    desk.type("shelve 30")
    typed = desk.t
    desk.level(DANGER_MM)
    desk.type("set report.interval 61")
    desk.type("save")  # a sample now
    desk.run(MINUTE)
    assert desk.app.gauge.state == 3
    assert desk.changes == []
    desk.run(60 * MINUTE, until=lambda: desk.outputs["strobe"].on)
    assert 30 * MINUTE - 2500 <= desk.t - typed <= 31 * MINUTE
    assert desk.events("shelved_s")[0].values["shelved_s"] == 1800


def test_shelving_is_ended_by_zero():
    desk = calm()
    desk.type("shelve 1440")
    desk.level(DANGER_MM)
    desk.run(3 * MINUTE)
    assert desk.changes == []
    desk.type("shelve 0")
    assert desk.outputs["strobe"].on == 1


def test_shadow_decides_and_reports_and_sounds_nothing():
    desk = calm(settings={"alarm.shadow": 1})
    desk.level(DANGER_MM)
    desk.run(30 * MINUTE)
    assert desk.changes == []
    assert [event.values["alarm"] for event in desk.events("alarm")] == [3]


# settings


def test_a_lower_line_raises_at_once():
    desk = calm(settings={"sample.interval": 3600})
    desk.type("set level.alert 0.05")
    desk.type("save")
    desk.run(5000)
    assert desk.app.gauge.state == 1
    event = desk.events("settings")[0]
    assert event.values["revision"] == 2
    assert list(event.values.values())[2:] == [600, 50]


def test_a_shorter_interval_does_not_wait_for_the_old_one():
    desk = calm(settings={"sample.interval": 3600})
    desk.type("set sample.interval 10")
    desk.type("save")
    before = len(desk.records(READINGS))
    desk.type("set report.interval 10")
    desk.type("save")
    desk.run(2 * MINUTE)
    assert len(desk.records(READINGS)) - before >= 11


def test_another_height_is_no_flood_and_no_suspect_level():
    desk = calm(minutes=20, settings={"rise.limit": 200})
    desk.type("set sensor.height 4.9")
    desk.type("save")
    desk.run(30 * MINUTE)
    assert desk.app.gauge.level_mm == NORMAL_MM + 400
    assert desk.events("rise_alarm") == []
    assert {record.q["level"] & 15 for record in desk.records(READINGS)} <= {1, 2}


# sampling and reporting


def test_interval_follows_the_state():
    desk = calm()
    assert desk.app.interval_ms == 60_000
    desk.level(700)
    desk.run(2 * MINUTE)
    assert desk.app.interval_ms == 15_000
    before = len(desk.records(READINGS))
    desk.run(10 * MINUTE)
    assert 39 <= len(desk.records(READINGS)) - before <= 41


def test_reports_are_thinned_in_normal_only():
    desk = calm(minutes=1, settings={"sample.interval": 10, "report.interval": 60})
    before = len(desk.records(READINGS))
    desk.run(60 * MINUTE)
    assert 59 <= len(desk.records(READINGS)) - before <= 61
    desk.level(700)
    desk.run(2 * MINUTE)
    before = len(desk.records(READINGS))
    desk.run(15 * MINUTE)
    assert 89 <= len(desk.records(READINGS)) - before <= 91  # an alarm never samples less often than calm does


@pytest.mark.parametrize("report", [10, 60])
@pytest.mark.parametrize("trouble", [False, True])
def test_q1_is_the_final_flag_of_the_record_before(report, trouble):
    """Spikes on single bursts: their point is 3 or 4 at last, whether or not the next sample was reported."""
    desk = Desk(settings={"sample.interval": 10, "report.interval": report, "level.alert": 3000, "level.warning": 3100,
                          "level.danger": 3200, "rise.limit": 0})  # fmt: skip
    final = {}  # time -> final flag, as Quality says one sample later
    gauge = desk.app.gauge
    decide = gauge.decide
    newest = [None]

    def spy(*args):
        decide(*args)
        if newest[0] is not None:
            final[newest[0]] = gauge.quality.previous_final
        newest[0] = EPOCH_MS + desk.t

    gauge.decide = spy
    for i in range(400):
        desk.ranger.mm = None if i % 37 == 36 else 4400 - i - (400 if i % 13 == 5 else 0) - (150 if i % 11 == 3 else 0)
        if trouble and i % 29 == 28:
            desk.storage.trouble = ("before", "append", 0)
        desk.run(10_000)
    records = desk.records(READINGS)
    checked = set()
    for before, after in pairwise(records):
        assert after.q["level"] >> 4 == final[before.ms]
        checked.add(after.q["level"] >> 4)
    assert checked >= {1, 3, 4, 9}
    assert records[0].q["level"] >> 4 == 0


def test_a_reset_is_told_by_name():
    desk = calm()
    assert desk.events("boot")[0].values["boot"] == 3
    desk.station = dict(STATION, reset="something new")
    desk.boot()
    desk.run(MINUTE)
    assert desk.events("boot")[-1].values["boot"] == 4


@pytest.mark.parametrize(
    ("sensors", "error"),
    [
        ([], "driver battery"),
        (STATION["sensors"][:1], "driver battery"),
        (STATION["sensors"][1:], "besides its battery"),
        ([{"driver": "hx711", "bus": "adc1"}, *STATION["sensors"]], "no driver 'hx711'; there are ads1115, bme280"),
    ],
)
def test_a_station_that_can_not_run_says_why(sensors, error):
    desk = Desk()
    desk.station = dict(STATION, sensors=sensors)
    with pytest.raises(ValueError, match=error):
        desk.boot()


def test_measure_needs_no_talk_and_the_link_may_have_its_own_time():
    desk = calm()
    app = desk.app
    for i in range(1200):
        app.measure((desk.now + 500 * i) % WRAP)
        app.talk((7 * 10**8 + i) % WRAP)
        desk.t += 0
    assert app._books.uptime.seconds == desk.t // 1000 + 599


def test_what_the_ring_gave_up_is_declared_exactly():
    desk = Desk(settings={"sample.interval": 5, "report.interval": 5, "level.alert": 3000, "level.warning": 3100,
                          "level.danger": 3200})  # fmt: skip
    for log in desk.app.logs:
        log._segment_bytes, log._limit = 200, 4
    desk.app.logs[EVENT]._limit = 100
    desk.level(NORMAL_MM)
    desk.run(30 * MINUTE)
    left = [record.seq for record in desk.records(READINGS)]
    declared = [
        (event.values["first_seq"], event.values["last_seq"])
        for event in desk.events("dropped")
        if not event.values["dropped"]
    ]
    assert declared[0][0] == 1
    assert all(after[0] == before[1] + 1 for before, after in pairwise(declared))
    assert declared[-1][1] + 1 >= left[0] - 6
    assert left == list(range(left[0], left[-1] + 1))
