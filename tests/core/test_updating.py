"""An update of a whole station: offered, fetched, tried, confirmed or given up, with the network, the water and the power in the test's hands."""

import contextlib
import itertools
import json
from types import SimpleNamespace

import pytest

from node import updating
from node.core import happenings, trial
from node.core import settings as S
from node.core.slots import CHANCES, COST, COST_POWER, State
from tests.core import release_desk
from tests.core.failing_storage import Storage
from tests.core.release_desk import Release
from tests.core.station_desk import STATION, Desk

OLD, NEW = "0.1.0", "0.2.0"
WORDS = happenings.POINTS[happenings.UPDATE - happenings.FIRST][5]
HALF_HOUR_MS = trial.LONGEST_MS
MINUTE_MS = 60000


class Slots:
    """The port, in memory."""

    def __init__(self, data):
        self.data = data
        self.running = "a"
        self.busy = False
        self.stores = {"a": Storage(), "b": Storage()}
        old = {"node.pack": b"old"}
        self.stores["a"].files = {**old, "manifest": release_desk.manifest(old, OLD)}
        self.modulus = release_desk.modulus()

    def state(self):
        return State(self.data)

    def storage(self, slot):
        return self.stores[slot]

    def key(self, name):
        return self.modulus if name == release_desk.KEY else b""

    def version(self):
        return json.loads(self.stores[self.running].files["manifest"])["version"]

    def choose(self, cost):
        """What boot.py does."""
        state = self.state()
        self.running = state.choose(cost, lambda slot: "manifest" in self.stores[slot].files, lambda slot: "feed")
        self.busy = state.mode != "-" or state.news != "-"


class District(Desk):
    """A station with slots, and a gateway that keeps what comes and answers what is wanted, while `gateway` is True."""

    def __init__(self, monkeypatch, release=None, **more):
        self._patch = monkeypatch
        self.release = release
        self.gateway = True
        self.reaches = None  # the versions that can reach it, None for any
        self.wants = 0
        self.kept = {"readings": (0, 0), "event": (0, 0)}
        self._seen = 0
        storage = Storage()
        self.slots = Slots(storage)
        self.version = OLD
        super().__init__(storage=storage, link="up", slots=self.slots, **more)
        self.offer()

    def offer(self, release=None):
        self.release = release or self.release
        if self.release:
            self.broker.retained["waspada/v1/demo/dr01/update"] = self.release.offer

    def boot(self):
        """With the version of the slot that runs."""
        self.version = self.slots.version()
        self._patch.setattr(updating, "VERSION", self.version)
        super().boot()

    def reset(self, cost=COST):
        self.slots.choose(cost)
        self.boot()

    def live(self, ms, until=lambda: False):
        """Runs for so long; restarts when the station wants it. True as soon as `until`."""
        end = self.t + ms
        while self.t < end:
            if self.run(end - self.t, lambda: self._serve() or self.app.reboot_wanted or until()):
                if until():
                    return True
                if self.app.reboot_wanted:
                    self.reset()
        return until()

    def _serve(self):
        here = self.gateway and (self.reaches is None or self.version in self.reaches)
        news, self._seen = self.broker.published[self._seen :], len(self.broker.published)
        for topic, payload, _, _ in news:
            name = topic.rsplit("/", 1)[1]
            if name == "want" and here:
                self.wants += 1
                want = json.loads(payload)
                assert want["life"] == STATION["life"]
                self.broker.say("part", self.release.part(want["file"], want["offset"], want["count"]))
            if name in self.kept and here:
                pack = json.loads(payload)[0]
                self.kept[name] = max(self.kept[name], (pack["boot"], pack["seq"]))
        if news and here:
            self.broker.committed(self.kept["readings"], self.kept["event"])
        return False

    def told(self):
        """(word, text) of the update events in the journal."""
        found = []
        for topic, payload, _, dup in self.broker.published:
            if topic.endswith("/event") and not dup:
                pack = json.loads(payload)
                if pack[0]["n"] == "update":
                    key = (pack[0]["boot"], pack[0]["seq"], pack[0]["vs"], pack[1]["vs"])
                    if key not in found:
                        found.append(key)
        return [key[2:] for key in found]


@pytest.fixture
def district(monkeypatch):
    return lambda release=None, **more: District(monkeypatch, release, **more)


def confirmed(desk):
    state = desk.slots.state()
    return state.mode == "-" and state.good == desk.slots.running == "b"


def test_an_update_is_fetched_tried_and_confirmed(district):
    desk = district(Release())
    assert desk.live(30 * MINUTE_MS, lambda: confirmed(desk) and len(desk.told()) == 4)
    assert desk.told() == [("offered", NEW), ("fetched", NEW), ("trying", NEW), ("confirmed", NEW)]
    assert desk.version == NEW
    assert desk.slots.state().news == "-"
    wants = desk.wants
    desk.broker.drop()
    desk.live(30 * MINUTE_MS)  # the offer is heard again
    assert desk.wants == wants
    assert len(desk.told()) == 4


def test_a_sample_is_never_late_for_an_update(district):
    desk = district(Release())
    desk.live(30 * MINUTE_MS, lambda: confirmed(desk))
    begun = [pack[0]["bt"] for pack in desk.broker.heard("readings")]
    assert len(begun) == 4  # one of the old firmware, three of the new
    assert max(later - sooner for sooner, later in itertools.pairwise(begun)) <= 62


def test_wrong_signatures_are_told_once_and_counted(district):
    desk = district(Release(number=1))
    desk.live(5 * MINUTE_MS)
    for _ in range(3):
        desk.broker.drop()
        desk.live(10 * MINUTE_MS)
    assert desk.told() == [("refused", f"{NEW}: the signature is wrong")]
    assert desk.wants == 0
    assert set(desk.slots.stores["b"].files) == set()


def test_what_is_no_offer_is_told_and_counted(district):
    desk = district()
    desk.broker.retained["waspada/v1/demo/dr01/update"] = b'{"version":"new"}'
    desk.live(5 * MINUTE_MS)
    assert desk.told() == [("refused", "an offer: a version is text like 0.2.0")]
    assert desk.app.uplink.refused == 1


def test_a_part_without_an_offer_is_only_counted(district):
    desk = district()
    desk.live(MINUTE_MS)
    desk.broker.say("part", b'{"version":"0.2.0","file":"manifest","offset":0}\nx')
    desk.live(MINUTE_MS)
    assert desk.app.uplink.refused == 1
    assert desk.told() == []


def test_a_board_without_slots_says_so(district, monkeypatch):
    desk = district(Release())
    desk._slots = None
    monkeypatch.setattr(desk.slots, "version", lambda: OLD)
    desk.boot()
    desk.live(5 * MINUTE_MS)
    assert desk.told() == [("refused", f"{NEW}: this board has no slots: waspada flash gives it some")]


@pytest.mark.parametrize("at", range(0, 12))
def test_a_reset_at_any_message_of_a_fetch_is_gone_on_from(district, at):
    desk = district(Release())
    desk.live(30 * MINUTE_MS, lambda: desk.wants > at or confirmed(desk))
    desk.reset(COST_POWER)
    assert desk.slots.running in ("a", "b")
    assert desk.live(40 * MINUTE_MS, lambda: confirmed(desk))
    assert desk.wants <= 4 + 3  # the release is four parts


def test_no_trial_begins_while_anything_is_alarmed(district):
    desk = district(Release())
    desk.level(1200)
    desk.live(60 * MINUTE_MS)
    assert desk.told() == [("offered", NEW), ("fetched", NEW)]
    assert desk.version == OLD
    desk.level(100)
    assert desk.live(60 * MINUTE_MS, lambda: confirmed(desk))


def test_an_outage_during_the_trial_neither_strands_nor_condemns_it(district):
    """Seventy-two hours without a gateway, from the trial's first second on."""
    desk = district(Release())
    assert desk.live(30 * MINUTE_MS, lambda: desk.slots.running == "b")
    desk.gateway = False
    desk.live(72 * 3600 * 1000)
    assert desk.version == OLD, "the old firmware runs while nothing can be shown"
    assert desk.slots.state().mode == "w"
    assert desk.slots.state().chances == CHANCES - 1
    desk.gateway = True
    assert desk.live(120 * MINUTE_MS, lambda: confirmed(desk))
    desk.live(MINUTE_MS)
    assert desk.version == NEW
    assert [word for word, _ in desk.told()] == ["offered", "fetched", "trying", "rolled_back", "trying", "confirmed"]


def test_firmware_that_never_reaches_the_gateway_is_given_up_after_three_trials(district):
    """The old one reaches it each time: then it is the new one's own fault."""
    desk = district(Release())
    desk.reaches = {OLD}
    assert desk.live(6 * 3600 * 1000, lambda: desk.slots.state().failed != "-")
    state = desk.slots.state()
    assert (state.good, state.mode) == ("a", "-")
    desk.live(60 * MINUTE_MS)
    assert desk.version == OLD
    assert [word for word, _ in desk.told()].count("trying") == CHANCES
    assert desk.told()[-1] == ("rolled_back", f"{NEW}: it did not prove itself; {OLD} runs")
    wants = desk.wants
    desk.broker.drop()
    desk.live(60 * MINUTE_MS)
    assert desk.wants == wants, "what failed is not fetched again"
    desk.reaches = None
    desk.offer(Release("0.2.1"))  # another one is
    desk.broker.drop()
    assert desk.live(60 * MINUTE_MS, lambda: confirmed(desk))
    assert desk.version == "0.2.1"


def test_firmware_that_gets_no_reading_is_not_confirmed(district):
    desk = district(Release())
    assert desk.live(30 * MINUTE_MS, lambda: desk.slots.running == "b")
    desk.ranger.mm = None
    desk.live(HALF_HOUR_MS + 5 * MINUTE_MS)
    assert desk.version == OLD
    assert desk.slots.state().mode == "w"


def test_a_sensor_that_was_dead_before_starts_no_trial(district):
    desk = district(Release())
    desk.ranger.mm = None
    desk.live(3 * 3600 * 1000)
    assert [word for word, _ in desk.told()] == ["offered", "fetched"]
    assert desk.version == OLD


def test_an_alarm_that_does_not_work_is_not_confirmed(district, monkeypatch):
    desk = district(Release())
    assert desk.live(30 * MINUTE_MS, lambda: desk.slots.running == "b")
    monkeypatch.setattr(trial.LevelAlarm, "acknowledge", lambda self: 3)
    monkeypatch.setattr(trial.Sounder, "sound", lambda *_: None)
    desk.live(HALF_HOUR_MS + 5 * MINUTE_MS)
    assert desk.version == OLD


def test_an_offer_that_is_withdrawn_is_let_go(district):
    desk = district(Release())
    desk.gateway = False
    desk.live(5 * MINUTE_MS)
    desk.broker.retained.clear()
    desk.broker.say("update", b"")
    desk.gateway = True
    desk.live(30 * MINUTE_MS)
    assert desk.version == OLD
    assert desk.told() == [("offered", NEW)]


def test_storage_that_fails_in_the_middle_is_tried_again(district):
    desk = district(Release())
    desk.slots.stores["b"].trouble = ("torn", "append", 4)
    assert desk.live(60 * MINUTE_MS, lambda: confirmed(desk))


def test_storage_that_always_fails_leaves_the_old_firmware_and_says_so(district):
    desk = district(Release())
    desk.slots.stores["b"].writes_fail = True
    desk.live(60 * MINUTE_MS)
    assert desk.version == OLD
    assert desk.told() == [("offered", NEW), ("refused", f"{NEW}: storage fails")]
    assert len(desk.records(0)) > 50


def test_a_trial_ends_though_every_talk_raises(district):
    """A defect in the new firmware's link: what it raises passes, the trial's end comes all the same."""
    desk = district(Release())
    assert desk.live(30 * MINUTE_MS, lambda: desk.slots.running == "b")

    def fail(*_):
        raise TypeError("a defect")

    for _ in range(3 + CHANCES):
        if desk.version == OLD:
            break
        desk.app._ports.platform = SimpleNamespace(traceback=str)
        end = desk.t + 2 * HALF_HOUR_MS
        while not desk.app.reboot_wanted:
            assert desk.t < end, "it never ends"
            if desk.app.uplink:
                desk.app.uplink.step = fail
            with contextlib.suppress(TypeError):
                desk.app.step(desk.now)
            desk.t += 1000
        desk.reset()
    assert desk.version == OLD


# settings that the self-test must get right
STATIONS = (
    {},
    {S.LEVEL_OFF_DELAY: 0},
    {S.LEVEL_ON_DELAY: 3600, S.LEVEL_OFF_DELAY: 3600},
    {S.LEVEL_LATCHED: 1},
    {S.LEVEL_LATCHED: 1, S.LEVEL_OFF_DELAY: 0},
    {S.LEVEL_ALERT: -9000, S.LEVEL_WARNING: -8999, S.LEVEL_DANGER: -8998, S.LEVEL_DEADBAND: 2000},
    *({S.SIREN_FROM: state} for state in (1, 2, 3, 4)),
)


@pytest.mark.parametrize("changes", STATIONS)
def test_a_sound_alarm_passes_its_self_test_with_any_settings(changes):
    values = [row[3] for row in S.ROWS]
    for i, value in changes.items():
        values[i] = value
    assert trial.self_test(values) is None


def test_an_alarm_that_never_raises_or_never_clears_fails_its_self_test(monkeypatch):
    values = [row[3] for row in S.ROWS]
    for stuck in (0, 3):
        with monkeypatch.context() as patch:
            patch.setattr(trial.LevelAlarm, "update", lambda self, *_, stuck=stuck: stuck)
            assert "the alarm's state is" in trial.self_test(values)
    with monkeypatch.context() as patch:
        patch.setattr(trial.LevelAlarm, "sounding", lambda self, now_ms: 0)
        assert "do not follow" in trial.self_test(values)


def test_readings_go_on_through_an_update(district):
    desk = district(Release())
    desk.live(30 * MINUTE_MS, lambda: confirmed(desk))
    keys = desk.broker.keys("readings")
    assert {boot for boot, _ in keys} == {1, 2}
    assert [seq for boot, seq in keys if boot == 1] == list(range(1, 1 + sum(boot == 1 for boot, _ in keys)))
