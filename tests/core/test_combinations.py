"""What happens at once: resets beside acknowledgements, full flash beside defects, updates and outages beside sleep. Each was a way to fall silent or flat."""

import pytest

from node.core import journal, trial
from node.core.slots import COST
from tests import vm64
from tests.core.failing_platform import Platform
from tests.core.failing_storage import Storage
from tests.core.release_desk import Release
from tests.core.station_desk import Desk, broken
from tests.core.test_app import DANGER_MM, MINUTE, NORMAL_MM, calm
from tests.core.test_frozen import SLEEPY, Bed
from tests.core.test_orders import command, online
from tests.core.test_self_care import defect, stood
from tests.core.test_updating import NEW, OLD, District, confirmed

HOUR = 60 * MINUTE


# resets


def test_resets_do_not_renew_an_acknowledgement():
    desk = calm()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.type("ack")
    for _ in range(4):
        desk.run(4 * HOUR)
        desk.boot()
    desk.run(2 * MINUTE)
    assert desk.outputs["strobe"].on == 1


def test_an_alarm_that_can_not_be_read_at_boot_is_read_later_and_not_overwritten():
    desk = calm(settings={"level.latched": 1})
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.level(NORMAL_MM)
    desk.run(10 * MINUTE)
    read = desk.storage.read

    def fails_once(name, offset, count):
        if name == "alarm":
            desk.storage.read = read
            broken()
        return read(name, offset, count)

    desk.storage.read = fails_once
    desk.boot()
    desk.run(3 * MINUTE)
    assert desk.app.gauge.state == 3, "latched: only a person ends it"


def test_storage_that_comes_late_lowers_no_alarm_and_shelves_none():
    desk = calm()
    desk.level(700)
    desk.run(2 * MINUTE)
    desk.type("shelve 600")
    desk.run(MINUTE)
    desk.storage.always = True
    desk.boot()
    desk.level(DANGER_MM)
    desk.run(5 * MINUTE)
    assert desk.outputs["strobe"].on == 1
    desk.changes.clear()
    desk.storage.always = False
    desk.run(5 * MINUTE)
    assert desk.app.gauge.state == 3
    assert desk.switched("strobe") == []


def test_an_alarm_file_of_a_newer_firmware_is_still_an_alarm():
    desk = calm()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.storage.files["alarm"] += b" 17 4"
    desk.ranger.mm = None
    desk.boot()
    desk.run(MINUTE)
    assert desk.app.gauge.state == 3


# defects


def test_books_that_raise_at_the_first_step_stop_no_siren():
    desk = Desk(platform=Platform())
    desk.app._books.begin = defect
    desk.level(DANGER_MM)
    assert desk.run(MINUTE, until=lambda: desk.outputs["siren"].on)


def test_flash_that_can_not_count_restarts_gets_none():
    """Else a defect that stays would restart the station for ever, every few seconds."""
    desk = stood()
    desk.storage.writes_fail = True
    desk.app.gauge.decide = defect
    desk.run(10 * MINUTE)
    assert not desk.app.reboot_wanted


def test_a_message_that_does_not_fit_the_heap_is_refused_and_not_heard_for_ever():
    desk = stood()

    def full(*_):
        raise MemoryError

    desk.app.orders.message = full
    desk.broker.say("desired", b"{}")
    desk.run(MINUTE)
    assert desk.app.defects == 0
    assert desk.app.uplink.refused == 1


def test_a_bad_updates_ends_do_not_put_the_good_firmware_into_safe_mode(monkeypatch):
    desk = District(monkeypatch, Release(), platform=Platform())
    assert desk.live(30 * MINUTE, lambda: desk.slots.running == "b")
    for _ in range(3):
        fall_over_slot(desk)
    desk.slots.choose(COST)
    desk.station = dict(desk.station, reset="soft")
    desk.boot()
    assert desk.version == OLD
    assert not desk.app.safe
    desk.run(11 * MINUTE)
    assert "ends" not in desk.storage.files


def fall_over_slot(desk):
    desk.app.gauge.decide = defect
    assert desk.run(2 * MINUTE, until=lambda: desk.app.reboot_wanted)
    desk.station = dict(desk.station, reset="soft")
    desk.reset()


# updates


def test_a_station_that_samples_by_the_hour_can_be_updated(monkeypatch):
    desk = District(monkeypatch, Release(), settings={"sample.interval": 3600, "rise.limit": 0})
    assert desk.live(12 * HOUR, lambda: confirmed(desk))


class SleepyDistrict(Bed, District):
    """A station with slots that may sleep, and a gateway."""

    def doze_through(self, ms):
        """As `live`; how often it slept."""
        end = self.t + ms
        naps = 0
        while self.t < end:
            due = self.app.step(self.now)
            self._serve()
            if self.app.reboot_wanted:
                self.power.why = "soft"
                self.reset()
            elif self.app.rest(self.now):
                self.nap()
                naps += 1
            else:
                self.t += max(1, min(due, 1000, 1 if self.broker.inbound else due))
        return naps


def test_an_update_that_nobody_serves_keeps_no_station_awake(monkeypatch):
    desk = SleepyDistrict(monkeypatch, Release(), settings={**SLEEPY, "radio.interval": 3600})
    desk.run(2 * MINUTE)
    desk.gateway = False
    desk.broker.mode = "up"
    desk.broker.drop()
    naps = desk.doze_through(6 * HOUR)
    assert naps > 200
    desk.gateway = True
    desk.doze_through(6 * HOUR)
    assert desk.version == NEW


def test_a_trial_of_another_network_has_its_ten_minutes_on_a_station_that_sleeps():
    desk = Bed(settings=SLEEPY, link="up")
    desk.level(300)
    desk.run(10 * MINUTE)
    desk.app.orders.stage_network("broker.host", "10.0.0.9")
    desk.app.orders.keep_network()
    desk.broker.mode = "never"
    desk.live(2 * MINUTE)
    desk.broker.mode = "up"  # the new one took a while
    desk.broker.close()
    desk.live(5 * MINUTE)
    assert desk.app.networking().left_s() == 0
    assert desk.app.networking().values["broker.host"] == "10.0.0.9"


def test_a_trials_time_holds_its_samples():
    assert trial.SAMPLES * 3600 * 1000 < 1 << 29


# journals of another layout


@pytest.mark.parametrize("stream", ["readings", "event"])
def test_segments_of_another_layout_are_passed_over_and_the_boots_go_on(stream):
    desk = calm()
    boot = desk.app.logs[0].boot
    for name in list(desk.storage.files):
        if name.startswith(stream):
            data = bytearray(desk.storage.files[name])
            data[:4] = b"WAJ9"
            desk.storage.files[name] = bytes(data)
    desk.boot()
    desk.run(5 * MINUTE)
    assert desk.app.logs[0].boot == boot + 1
    assert len(desk.records(0)) >= 4


def test_a_journal_that_is_harmed_all_over_is_looked_through_in_small_steps():
    storage = Storage()
    log = journal.Log(storage, "readings", 1, 1024, 40)
    for i in range(1500):
        log.append(1, 1_600_000_000 + i, 0, [(0, 1, i)])
    for number in range(log.first, log.last + 1):
        name = log._name(number)
        head = storage.files[name][: journal.HEADER_SIZE]
        storage.files[name] = head + bytes(len(storage.files[name]) - journal.HEADER_SIZE)
    again = journal.Log(storage, "readings", 2, 1024, 40)
    again.append(1, 1_700_000_000, 0, [(0, 1, 7)])
    cursor = journal.Cursor(again, 4)
    looks = 0
    before = again.damaged
    while not (at := cursor.peek()):
        assert cursor.more
        assert again.damaged - before <= 5
        before = again.damaged
        looks += 1
    assert (at[0], journal.seq_of(at[3])) == (2, 1)
    assert looks >= 5
    assert [lost[0] for lost in again.given_up] == [1], "what is gone is declared"


def test_what_a_gateway_asks_of_a_harmed_journal_is_sent_or_declared_and_all_else_arrives():
    desk = calm(minutes=180)
    for name in list(desk.storage.files):
        if name.startswith("readings"):
            data = desk.storage.files[name]
            desk.storage.files[name] = data[:300] + bytes(200) + data[500:]
    desk.broker.mode = "up"
    desk.boot()
    desk.run(30 * MINUTE)
    sent = set(desk.broker.keys("readings"))
    kept = {(record.boot, record.seq) for record in desk.records(0)}
    assert kept <= sent


def test_a_damaged_counter_locks_nobody_out_for_longer_than_a_day_however_often_the_station_boots():
    desk = online()
    desk.storage.files["counter"] = b"00000000 77"
    results = []
    for hour in range(26):
        desk.boot()
        desk.run(2 * MINUTE)
        results.append(command(desk, 100 + hour, "status", expires_in_s=1800)[-1]["result"])
        desk.run(58 * MINUTE)
    assert set(results[:23]) == {"refused"}
    assert results[-1] == "done"


CRASHED = r"""
from node.faults import Faults
class Anything: pass
app, books, ports = Anything(), Anything(), Anything()
files = {"crash": b"caf\xc3", "ends": b""}
class Storage:
    def read(self, name, offset, count): return files.get(name, b"")
    def size(self, name): return len(files.get(name, b""))
    def replace(self, name, data): files[name] = data
    def remove(self, name): del files[name]
app.storage = Storage()
said = []
books.tell = lambda text, *_: said.append(text) or True
books.uptime = Anything()
books.uptime.seconds = 1
faults = Faults(app, books, ports)
faults.begin("soft")
faults.step(0)
print(said, sorted(files))
"""


@pytest.mark.vm
def test_a_crash_that_was_cut_off_within_a_letter_is_told_on_the_board_too():
    assert vm64.run(CRASHED) == "['caf?'] ['ends']\n"


def test_a_reset_on_a_full_flash_does_not_keep_the_station_off_the_network_for_ever():
    desk = calm(minutes=10)
    for _ in range(300):
        desk.app._books.append(0, (1, 1_600_000_000, 0), [(0, 1, 5)] * 20)
    size = sum(map(len, desk.storage.files.values()))
    replace, append = desk.storage.replace, desk.storage.append

    def bounded(write):
        def call(name, data):
            if sum(map(len, desk.storage.files.values())) + len(data) > size:
                raise OSError(28, "full")
            write(name, data)

        return call

    desk.storage.replace, desk.storage.append = bounded(replace), bounded(append)
    desk.broker.mode = "up"
    desk.boot()
    desk.run(5 * MINUTE)
    assert desk.broker.keys("readings")
    assert desk.events("dropped"), "what it cost is declared"
