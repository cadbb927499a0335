"""What a station keeps over deep sleep: everything that decides, sounds or is told, to the last attribute; and what becomes of memory that is no use."""

import itertools
import random
from array import array
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from node import frozen, parts
from node.core import clock, journal
from node.core.network import CONFIRMED, Network
from simulator.chips.modem import ModemChip
from tests.core.station_desk import Desk
from tests.core.test_modem import Line

SLEEPY = {"power.profile": 1, "report.interval": 300, "sample.interval": 60, "rise.limit": 0}
# What the new App makes again by itself, or what is of no use after a sleep.
MADE_AGAIN = {
    "App": {"_link", "storage", "_ports", "_station", "_console", "_typed", "_people", "_decided", "_led", "_lit", "_power", "_faults", "_drill",
            "_networking", "drill", "update", "safe", "reboot_wanted"},
    "Books": {"_storage", "_clock", "_reset", "_doubts", "memory_bad"},
    "Duty": {"_seen", "_moved_ms", "_cable_ms", "_heard", "phase", "boot_ms", "slept_ms", "planned_ms"},
    "Uplink": {"_link", "_input", "client", "_gaps", "_now", "_opened_at", "_took_ms", "_hurry", "_told", "_online", "_replies", "_settings", "_asking",
               "answered"},
    "Gauge": {"_ranger", "_burst", "sampling", "_deadline", "_no_echo_seen", "_bad_seen", "others"},
    "Log": {"_storage", "_buffer", "_chunk", "_chunk_number", "_chunk_at", "_met", "_mended"},
    "Cursor": {"_head"},
    "Sounder": {"_siren", "_strobe", "_since"},
    "Settings": {"staged"},
    "Uptime": set(),
}  # fmt: skip


class Power:
    """The port: memory that a test may harm. `since` is when it was kept."""

    def __init__(self, desk):
        self._desk = desk
        self.why = "power"
        self.kept = b""
        self._since = 0

    def cause(self):
        return self.why

    def memory(self):
        return self.kept

    def keep(self, data):
        self.kept = data
        self._since = self._desk.t

    def slept_ms(self):
        return self._desk.t - self._since


class Bed(Desk):
    """A desk whose station may sleep. Its ticks begin anew with every boot."""

    def boot(self):
        self.power = getattr(self, "power", None) or Power(self)
        super().boot()

    def _ports(self, **ports):
        ports["clock"].ticks_ms = lambda: self.now
        return SimpleNamespace(power=self.power, **ports)

    def nap(self, ms=None):
        """Freeze, sleep, wake; the app that went to sleep."""
        before = self.app
        rest = self.app.rest(self.now) if ms is None else ms
        assert rest, "it stays awake"
        self.power.keep(self.app.freeze())
        assert self.power.kept
        self.t += rest + 1000
        self._ticks = random.Random(self.t).randrange(1 << 30) - self.t
        self.power.why = "sleep"
        self.boot()
        return before

    def live(self, ms):
        """As `run`, but asleep whenever that is due."""
        end = self.t + ms
        slept = 0
        while self.t < end:
            self.run(1, until=lambda: True)
            if self.app.rest(self.now):
                self.nap()
                slept += 1
            else:
                due = self.app.step(self.now)
                self.t += max(1, min(due, end - self.t, 1 if self.broker.inbound else due))
        return slept


def bed(link="never", **more):
    made = Bed(settings={**SLEEPY, **more}, link=link)
    made.level(300)
    return made


def numbers(one, made_again=None, path="", found=None, seen=None):
    """Every number, text and truth within an object, by its path; ticks as ages."""
    made_again = MADE_AGAIN if made_again is None else made_again
    found = {} if found is None else found
    seen = set() if seen is None else seen
    if isinstance(one, int | str | bytes | bytearray | type(None)):
        found[path] = int(one) if isinstance(one, bool) else one
    elif isinstance(one, list | tuple | array):
        for i, each in enumerate(one):
            numbers(each, made_again, f"{path}[{i}]", found, seen)
    elif isinstance(one, dict):
        found[path] = sorted(map(str, one))
    elif hasattr(one, "__dict__") and type(one).__module__.startswith("node.") and id(one) not in seen:
        seen.add(id(one))
        for name, value in vars(one).items():
            if name not in made_again.get(type(one).__name__, ()) and not callable(value):
                numbers(value, made_again, f"{path}.{name}", found, seen)
    return found


TICKS = {
    *parts.APP_TICKS,
    *parts.GAUGE_TICKS,
    *parts.ALARM_TICKS,
    *parts.SURVEY_TICKS,
    *parts.UPLINK_TICKS,
    "_last",
    "_again_at",
    "_read_at",
}


def is_tick(path):
    return path.rsplit(".", 1)[-1].split("[")[0] in TICKS


def differences(before, at, after, then):
    """Paths whose value is another; ticks by their age, `at` and `then` being the ticks of going to sleep as each counts."""
    old, new = numbers(before), numbers(after)
    found = []
    for path in sorted(set(old) | set(new)):
        a, b = old.get(path, "absent"), new.get(path, "absent")
        if is_tick(path) and isinstance(a, int) and isinstance(b, int) and a >= 0 and b >= 0:
            a, b = clock.diff(at, a), clock.diff(then, b)
        if a != b:
            found.append((path, a, b))
    return found


def slept(desk, ms=30_000):
    at = desk.now
    before = desk.nap(ms)
    return differences(before, at, desk.app, (desk.now - ms - 1000) % clock.WRAP)


def test_a_calm_gauge_wakes_as_it_went_to_sleep_to_the_last_attribute():
    desk = bed(link="up")
    desk.run(700_000)
    assert slept(desk) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.integers(30_000, 200_000)), min_size=1, max_size=6))
def test_whatever_the_water_did_nothing_is_forgotten(waters):
    desk = bed(**{"level.on_delay": 300, "rise.limit": 200, "rise.window": 900})
    for level, ms in waters:
        desk.level(level)
        desk.run(ms)
    while desk.app.gauge.sampling:
        desk.run(100)
    assume(not desk.app.duty.alarmed)  # then it does not sleep
    assert slept(desk) == []


def test_an_alarm_that_is_pending_acknowledged_or_shelved_goes_on():
    desk = bed(**{"level.on_delay": 600})
    desk.run(400_000)
    desk.level(700)
    desk.run(100_000)
    desk.app.orders.shelve(1800)
    assert desk.app.gauge.alarm.pending
    held = list(desk.app.gauge.alarm._held_ms)
    assert held[0] > 30_000
    assert slept(desk) == []
    assert 1700 < desk.app.gauge.alarm.shelved_s(desk.now) < 1800
    assert list(desk.app.gauge.alarm._held_ms) == held


def test_the_boot_goes_on_with_its_number_and_its_records():
    desk = bed()
    desk.run(700_000)
    boots, seq = desk.app.logs[0].boot, desk.app.logs[journal.READINGS].seq
    desk.nap(30_000)
    desk.run(700_000)
    records = desk.records(journal.READINGS)
    assert desk.app.logs[0].boot == boots
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert len(records) > seq
    assert len(desk.events("boot")) == 1


def test_a_wake_walks_through_no_flash():
    desk = bed()
    desk.run(700_000)
    reads = []
    read = desk.storage.read
    desk.storage.read = lambda name, offset, count: reads.append(name) or read(name, offset, count)
    desk.nap(30_000)
    assert [name for name in reads if name.startswith(("readings", "event", "boot"))] == []


def test_most_of_a_calm_day_is_slept():
    desk = bed(link="up", **{"sample.interval": 300, "radio.interval": 3600})
    desk.run(1)
    naps = desk.live(4 * 3600_000)
    assert naps > 40
    assert [record.values["level"] for record in desk.records(journal.READINGS)] == [300] * 48


# Memory that is of no use


def harmed(data):
    flipped = bytearray(data)
    flipped[20] ^= 4
    return {
        "empty": b"", "cut": data[:-3], "one bit": bytes(flipped), "longer": data + b"x", "foreign": b"waspada:repl",
        "noise": random.Random(1).randbytes(400), "half a head": data[:5],
    }  # fmt: skip


@pytest.mark.parametrize("harm", sorted(harmed(bytes(30))))
def test_harmed_memory_is_a_cold_boot_told_once(harm):
    desk = bed()
    desk.run(700_000)
    data = desk.app.freeze()
    desk.power.keep(harmed(data)[harm])
    desk.power.why = "sleep"
    boot = desk.app.logs[0].boot
    desk.boot()
    desk.run(200_000)
    assert desk.app.logs[0].boot == boot + 1
    assert [event.values["rtc_memory"] for event in desk.events("rtc_memory")] == [frozen.DAMAGED - 1]
    assert desk.app.gauge.level_mm == 300


def test_another_stations_memory_is_not_believed():
    other = Bed(settings=SLEEPY, station={"life": "0000aaaa"})
    other.run(700_000)
    desk = bed()
    desk.run(700_000)
    desk.power.keep(other.app.freeze())
    desk.power.why = "sleep"
    desk.boot()
    desk.run(100_000)
    assert [event.values["rtc_memory"] for event in desk.events("rtc_memory")] == [frozen.FOREIGN - 1]


def test_settings_that_flash_has_otherwise_win():
    desk = bed()
    desk.run(700_000)
    data = desk.app.freeze()
    desk.app.settings.staged = {0: 650}
    desk.app.orders.keep(desk.app.settings)
    desk.power.keep(data)
    desk.power.why = "sleep"
    desk.boot()
    assert desk.app.settings.get(0) == 650
    assert desk.app._books.memory_bad == frozen.FOREIGN


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bytes_leave_a_station_that_runs(data):
    desk = bed()
    desk.run(1)
    desk.power.keep(data.draw(st.binary(max_size=300)))
    desk.power.why = "sleep"
    desk.boot()
    desk.run(2000)
    assert desk.app.gauge.level_mm == 300


def test_a_right_checksum_over_wrong_numbers_leaves_the_app_as_it_was():
    desk = bed()
    desk.run(700_000)
    data = bytearray(desk.app.freeze())
    body = data[frozen.HEAD_SIZE : -40]
    data = data[: frozen.HEAD_SIZE] + body
    data[3:5] = len(body).to_bytes(2, "little")
    data[7:11] = frozen._crc(data, len(data)).to_bytes(4, "little")
    desk.power.keep(bytes(data))
    desk.power.why = "sleep"
    desk.boot()
    assert desk.app._books.memory_bad == frozen.FOREIGN
    desk.run(70_000)
    assert desk.app.gauge.level_mm == 300


def test_a_watchdog_reset_believes_no_memory():
    desk = bed()
    desk.run(700_000)
    desk.power.keep(desk.app.freeze())
    desk.power.why = "watchdog"
    boot = desk.app.logs[0].boot
    desk.boot()
    assert desk.app.logs[0].boot == boot + 1


# What keeps it awake


def test_it_stays_awake_while_anything_is_alarmed_typed_or_going_on():
    desk = bed()
    assert desk.app.rest(desk.now) == 0  # five minutes for whoever has just switched it on
    desk.live(900_000)
    desk.run(120_000, until=lambda: desk.app.rest(desk.now) > 0)
    desk.type("show")
    assert desk.app.rest(desk.now) == 0
    desk.level(1200)
    desk.run(400_000)
    assert desk.app.gauge.state == 2
    assert desk.app.rest(desk.now) == 0


def test_a_network_that_has_failed_is_not_confirmed_by_what_its_broker_said_before_a_sleep():
    desk = Bed(settings=SLEEPY, station={"broker": {"host": "old", "port": 8883}}, link="up")
    desk.level(300)
    desk.broker.host = "old"
    desk.run(60_000)
    desk.type("set broker.host typo")
    assert "on trial" in desk.type("save")
    desk.storage.writes_fail = True
    desk.run(700_000)
    assert desk.broker.used[-1]["broker.host"] == "old", "it came back, and flash does not know"
    assert desk.live(2 * 3600_000), "it sleeps"
    assert desk.run(3600_000, until=lambda: desk.app.uplink.answered)
    desk.storage.writes_fail = False
    desk.broker.used.clear()
    assert desk.live(3 * 3600_000)
    assert [values["broker.host"] for values in desk.broker.used[:2]] == ["typo", "old"], "tried again, with its time"
    assert CONFIRMED not in [event.values["network"] for event in desk.events("network")]
    kept = Network(desk.station)
    kept.load(desk.storage)
    assert (kept.values["broker.host"], kept.before) == ("old", None)


def test_a_broker_that_is_away_is_tried_for_half_a_minute_and_later_and_later():
    desk = bed(link="never", **{"radio.interval": 3600})
    desk.run(1)
    tried = []
    opened = desk.broker.open
    desk.broker.open = lambda: tried.append(desk.t) or opened()
    desk.live(24 * 3600_000)
    gaps = [later - sooner for sooner, later in itertools.pairwise(tried) if later - sooner > 60_000]
    assert 3600_000 < gaps[0] < 1.3 * 3600_000 < gaps[1] < gaps[-1]
    assert 4 * 3600_000 <= gaps[-1] < 5.1 * 3600_000
    assert len(tried) < 4 * (len(gaps) + 1)


@pytest.mark.parametrize("fault", ["off", "hangs"])
def test_a_sleeping_stations_radio_is_on_for_long_enough_to_revive_its_modem(fault):
    desk = Bed(settings=SLEEPY, station={"access": "lte"})
    desk.level(300)
    assert desk.run(60_000, until=lambda: desk.app.radio)
    began = desk.t
    assert desk.run(600_000, until=lambda: not desk.app.radio)
    line = Line(ModemChip())
    line.chip.on, line.chip.mute = fault != "off", fault == "hangs"
    line.run(desk.t - began)
    assert line.chip.on
    assert not line.chip.mute, "each wake begins again with AT: it would hang for ever"
    assert line.modem.key == 0


def test_below_the_reserve_a_calm_station_leaves_its_radio_off():
    desk = bed(link="up", **{"battery.low": 12_000})
    desk.run(700_000)
    desk.app.gauge.battery_mv = 12_050
    assert not desk.app.duty._battery_below(300)
    desk.app.gauge.battery_mv = 11_900
    assert desk.app.duty.interval_s() == 3 * 3600
    desk.app.gauge.battery_mv = 11_650
    desk.app.duty.radio_s = 0
    assert not desk.app.duty._wanted()
    desk.app.gauge.battery_mv = 11_750
    assert desk.app.duty._wanted()


# Planted: what the walk leaves out is found

LEFT_OUT = {
    "an alarm's delay": ("_ALARM", "_since_usable_ms", "pending"),
    "the sample before": ("_QUALITY", "_value_1"),
    "what was told": ("_APP", "_told_state", "_final", "_awaits_final"),
    "what is committed": ("_UPLINK", "_noise"),
}


@pytest.mark.parametrize("what", sorted(LEFT_OUT))
def test_what_is_left_out_is_found(what, monkeypatch):
    table, *names = LEFT_OUT[what]
    desk = bed(**{"level.on_delay": 600}, link="up")
    desk.run(400_000)
    desk.level(700)
    desk.run(100_000)
    monkeypatch.setattr(parts, table, tuple(name for name in getattr(parts, table) if name not in names))
    assert slept(desk) != []
