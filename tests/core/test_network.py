"""Network and broker are changed by confirm-or-revert: ten minutes without the broker, and what worked before is back."""

import subprocess
import sys

import pytest
from hypothesis import settings as how
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from node.core import twice
from node.core.network import CONFIRMED, KEYS, NONE, REVERTED, STEM, TRIAL, TRIAL_S, Network, told
from tests import vm64
from tests.core.failing_storage import Storage
from tests.core.station_desk import Desk

MINUTE = 60_000
STATION = {"wifi": {"ssid": "pump house", "key": "drips and drops"}, "broker": {"host": "old", "port": 8883}}


@pytest.fixture
def desk():
    desk = Desk(station=STATION, link="up")
    desk.broker.retained["committed"] = b""
    desk.run(2 * MINUTE)
    return desk


def words(desk):
    return [("trial", "confirmed", "reverted")[event.values["network"]] for event in desk.events("network")]


def change(desk, *lines):
    said = "".join(desk.type("set " + line) for line in lines)
    return said + desk.type("save")


def test_a_change_that_finds_its_broker_is_confirmed_and_outlives_resets(desk):
    desk.broker.host = "new"
    said = change(desk, "broker.host new", "broker.port 1883")
    assert "on trial: broker.host old -> new, broker.port 8883 -> 1883; without the broker" in said
    desk.run(2 * MINUTE)
    assert words(desk) == ["trial", "confirmed"]
    desk.boot()
    desk.run(20 * MINUTE)
    assert desk.broker.used[-1]["broker.host"] == "new"
    assert words(desk) == ["trial", "confirmed"]


def test_ten_minutes_without_the_broker_bring_the_old_one_back_and_say_so(desk):
    desk.broker.host = "old"
    change(desk, "broker.host typo")
    desk.run(9 * MINUTE)
    assert words(desk) == ["trial"]
    desk.run(2 * MINUTE)
    assert words(desk) == ["trial", "reverted"]
    assert desk.broker.used[-1]["broker.host"] == "old"
    desk.run(3 * MINUTE)
    assert desk.app.uplink.answered, "the old broker is talked to again"


def test_a_reset_in_mid_trial_gives_it_its_time_again_and_a_second_one_ends_it(desk):
    desk.broker.host = "old"
    change(desk, "broker.host typo")
    desk.boot()
    desk.run(9 * MINUTE)
    assert desk.broker.used[-1]["broker.host"] == "typo"
    desk.boot()
    desk.run(MINUTE)
    assert desk.broker.used[-1]["broker.host"] == "old"
    assert words(desk) == ["trial", "reverted"]


def test_a_second_change_on_trial_still_returns_to_what_worked(desk):
    desk.broker.host = "old"
    change(desk, "broker.host typo")
    change(desk, "broker.host worse")
    desk.run(11 * MINUTE)
    assert desk.broker.used[-1]["broker.host"] == "old"


def test_no_event_and_no_answer_tells_the_key(desk):
    desk.broker.host = "new"
    said = change(desk, "wifi.key open sesame", "broker.host new")
    assert "sesame" not in said
    assert "wifi.key ***********, not live" in said
    assert "wifi.key changed, broker.host old -> new" in said
    desk.run(2 * MINUTE)
    assert b"sesame" not in b"".join(data for name, data in desk.storage.files.items() if name.startswith("event"))


def test_storage_that_fails_leaves_the_network_as_it_was(desk):
    desk.type("set broker.host new")
    desk.storage.writes_fail = True
    assert "not saved" in desk.type("save")
    assert not desk.broker.used
    desk.storage.writes_fail = False
    assert "on trial" in desk.type("save"), "what was typed is still there"


def test_sampling_and_siren_go_on_through_a_trial(desk):
    desk.broker.host = "old"
    change(desk, "broker.host typo")
    desk.level(1600)
    assert desk.run(70_000, until=lambda: desk.outputs["siren"].on)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("broker.port 0", "1 to 65535"),
        ("broker.port 65536", "1 to 65535"),
        ("broker.port 1e3", "1 to 65535"),
        ("broker.host -", "can't be empty"),
        ("wifi.key short", "8 to 63 characters"),
        ("wifi.ssid " + "x" * 33, "at most 32"),
        ('broker.host a"b', "plain ASCII"),
        ("wifi.colour red", "there are wifi.ssid, wifi.key, broker.host, broker.port"),
    ],
)
def test_what_is_not_allowed_is_refused_with_what_is(desk, typed, why):
    assert "refused: " in (said := desk.type("set " + typed))
    assert why in said
    assert "nothing to save" in desk.type("save")


def test_a_damaged_copy_is_mended_from_the_other():
    storage = Storage()
    twice.save(storage, STEM, 3, b"new")
    for name in (STEM + ".0", STEM + ".1"):
        storage.files[name] = b"\0" + bytes(storage.files[name])[1:]
        assert twice.load(storage, STEM) == (3, b"new", 1)
        assert twice.load(storage, STEM) == (3, b"new", 0)


def test_two_damaged_copies_leave_the_stations_own_network():
    storage = Storage()
    network = Network(STATION)
    network.change(storage, {"broker.host": "new"}, 0)
    for name in (STEM + ".0", STEM + ".1"):
        storage.files[name] = b"00000000 1 {}"
    again = Network(STATION)
    assert again.load(storage) == 2
    assert again.values["broker.host"] == "old"


class Trials(RuleBasedStateMachine):
    """Changes, resets, answers and failing storage in any order: what is in force is always what worked, or on trial for a bounded time."""

    @initialize()
    def begin(self):
        self.storage = Storage()
        self.t = 0
        self.works = dict(Network(STATION).values)
        self.on_trial_since = None
        self.boot()

    def boot(self):
        self.network = Network(STATION)
        self.network.load(self.storage)
        word = self.network.booted(self.storage, self.t)
        if word == TRIAL:
            self.on_trial_since = self.t
        elif word == REVERTED:
            self.on_trial_since = None

    @rule(host=st.sampled_from(["a", "b", "c"]))
    def change(self, host):
        try:
            self.network.change(self.storage, {"broker.host": host}, self.t)
        except ValueError:
            assert self.network.values["broker.host"] == host
        except OSError:
            assert self.storage.writes_fail
        else:
            self.on_trial_since = self.t

    @rule(seconds=st.integers(0, 900), answered=st.booleans())
    def step(self, seconds, answered):
        self.t += seconds
        tried = self.network.values
        word = self.network.step(self.storage, self.t, answered)
        if word == CONFIRMED:
            self.works = tried
        if word in (CONFIRMED, REVERTED):
            self.on_trial_since = None
        assert word in (NONE, CONFIRMED, REVERTED)

    @rule()
    def reset(self):
        if not self.storage.writes_fail:
            self.boot()

    @rule(failing=st.booleans())
    def storage_fails(self, failing):
        self.storage.writes_fail = failing

    @invariant()
    def what_works_is_never_forgotten(self):
        if self.network.before is None:
            assert self.network.values == self.works
        else:
            assert self.network.before == self.works
            assert self.on_trial_since is not None


TestTrials = Trials.TestCase
TestTrials.settings = how(max_examples=150, stateful_step_count=40, deadline=None)

SCRIPT = """
from node.core.network import Network, told
class Flash:
    files = {}
    def read(self, name, offset, count): return self.files.get(name, b"")[offset:offset + count]
    def replace(self, name, data): self.files[name] = bytes(data)
flash = Flash()
one = Network({"broker": {"host": "old", "port": 8883}})
one.change(flash, {"broker.host": "new", "wifi.key": "drips and drops"}, 5)
print(flash.files["network.0"] == flash.files["network.1"], flash.files["network.0"].decode())
two = Network({})
print(two.load(flash), told(two.values, two.before), two.booted(flash, 5), two.step(flash, 604, False), two.step(flash, 605, False))
"""


def test_both_interpreters_keep_the_same_bytes():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert vm64.run(SCRIPT) == done.stdout


def test_every_key_is_told_or_hidden():
    before = dict.fromkeys(KEYS, "1")
    assert told(dict.fromkeys(KEYS, "2"), before).count(",") == len(KEYS) - 1
    assert TRIAL_S == 600


@pytest.mark.parametrize("operation", ["size", "read"])
def test_a_changed_network_that_can_not_be_read_at_boot_is_asked_for_again(desk, operation):
    desk.broker.host = "new"
    change(desk, "broker.host new")
    desk.run(2 * MINUTE)
    honest = getattr(desk.storage, operation)
    failed = []

    def sick(name, *rest):
        if name.startswith("network") and len(failed) < 3:
            failed.append(name)
            raise OSError(5)
        return honest(name, *rest)

    setattr(desk.storage, operation, sick)
    desk.broker.used.clear()
    desk.boot()
    desk.run(10 * MINUTE)
    assert failed
    assert desk.broker.used[-1]["broker.host"] == "new"
    assert desk.app.uplink.answered


def test_a_trial_whose_boots_can_not_be_counted_ends():
    storage = Storage()
    Network(STATION).change(storage, {"broker.host": "typo"}, 0)
    again = Network(STATION)
    again.load(storage)
    storage.writes_fail = True
    assert again.booted(storage, 0) == REVERTED
    assert again.values["broker.host"] == "old"


def test_a_write_that_fails_after_the_deed_is_done():
    storage = Storage()
    honest = storage.replace

    def late(name, data):
        honest(name, data)
        raise OSError(5)

    storage.replace = late
    twice.save(storage, STEM, 4, b"kept")
    assert twice.load(storage, STEM) == (4, b"kept", 0)


def sick_reads(storage, *names):
    """Reads of these files fail until the list that is returned is cleared."""
    honest, sick = storage.read, list(names)

    def read(name, *rest):
        if name in sick:
            raise OSError(5)
        return honest(name, *rest)

    storage.read = read
    return sick


@pytest.mark.parametrize("which", [0, 1])
def test_a_copy_that_can_not_be_read_is_a_damaged_one(which):
    storage = Storage()
    twice.save(storage, STEM, 4, b"kept")
    sick_reads(storage, f"{STEM}.{which}")
    assert twice.load(storage, STEM) == (4, b"kept", 1)


@pytest.mark.parametrize("other", [None, b"00000000 1 {}"])
def test_a_copy_that_can_not_be_read_beside_one_that_is_no_use_is_not_nothing(other):
    storage = Storage({STEM + ".1": other} if other else {})
    sick_reads(storage, STEM + ".0")
    with pytest.raises(OSError, match="5"):
        twice.load(storage, STEM)


def test_a_change_of_which_one_copy_was_kept_is_kept():
    storage = Storage()
    honest = storage.replace

    def full(name, data):
        if name == STEM + ".1":
            raise OSError(28)
        honest(name, data)

    storage.replace = full
    network = Network(STATION)
    network.change(storage, {"broker.host": "new"}, 0)
    again = Network(STATION)
    again.load(storage)
    assert again.values == network.values
    assert network.before["broker.host"] == again.before["broker.host"] == "old"


def test_a_change_while_the_network_in_force_is_not_known_waits_and_returns_to_what_worked(desk):
    desk.broker.host = "new"
    change(desk, "broker.host new")
    desk.run(2 * MINUTE)
    sick = sick_reads(desk.storage, STEM + ".0", STEM + ".1")
    desk.boot()
    desk.run(MINUTE // 2)
    assert "not saved" in change(desk, "broker.host typo")
    sick.clear()
    assert "broker.host new -> typo" in desk.type("save")
    desk.run(11 * MINUTE)
    assert desk.broker.used[-1]["broker.host"] == "new"
    assert desk.app.uplink.answered
    assert words(desk) == ["trial", "confirmed", "trial", "reverted"]


def test_a_network_that_can_never_be_read_is_told_once(desk):
    change(desk, "broker.port 1883")
    desk.run(2 * MINUTE)
    sick_reads(desk.storage, STEM + ".0", STEM + ".1")
    desk.boot()
    before = len(desk.events("storage"))
    desk.run(60 * MINUTE)
    assert len(desk.events("storage")) == before + 1
