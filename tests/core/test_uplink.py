"""What the node publishes, and what it makes of what it is told: a broker in the test's hands."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import backoff, journal
from node.core import measurements as M
from node.core.client import UP
from node.core.settings import Settings
from node.uplink import Uplink
from tests.core.failing_storage import Storage
from tests.core.fake_broker import LIFE, ROOT, Broker, marks
from tests.core.station_desk import STATION, WRAP, Desk

POINTS = {journal.READINGS: ((M.LEVEL, 2, 1254), (M.BATTERY, 1, 12610)), journal.EVENT: ((M.BOOT, 0, 0),)}
READINGS, EVENT = journal.READINGS, journal.EVENT


class Node:
    """An Uplink, its journal, and time."""

    def __init__(self, readings=0, events=0, storage=None, boot=1, broker=None, segment=400):
        self.storage = storage or Storage()
        self.logs = journal.open_logs(self.storage, boot, segment, 10, 10)
        self.broker = broker or Broker()
        self.settings = Settings({})
        self.declared = []
        self.uplink = Uplink(STATION, self.logs, self.broker, self.settings, lambda: '"bt":1', self.declare)
        self.t = 0
        self.write(READINGS, readings)
        self.write(EVENT, events)

    def declare(self, stream, boot, first, last):
        self.declared.append((stream, boot, first, last))
        return True

    def write(self, stream, count):
        for _ in range(count):
            self.logs[stream].append(1, 1528063200, 0, POINTS[stream])

    def run(self, ms, ticks=WRAP - 3000):
        end = self.t + ms
        idle = 0
        while True:
            due = self.uplink.step((ticks + self.t) % WRAP)
            idle = 0 if due else idle + 1
            assert idle < 5
            if self.broker.inbound:
                due = min(due, 1)
            if self.t + due > end:
                self.t = end
                return self
            self.t += due

    def settle(self):
        """Past the hold, everything acknowledged, the list of what was published begins anew."""
        self.run(20000)
        self.broker.published.clear()
        return self


def seqs(first, last, boot=1):
    return [(boot, seq) for seq in range(first, last + 1)]


# What is said, in which order


def test_online_and_settings_come_first_then_events_then_readings():
    node = Node(3, 2).run(20000)
    assert node.broker.topics() == ["status", "settings", "event", "event", "readings", "readings", "readings"]
    assert [retain for _, _, retain, _ in node.broker.published] == [1, 1, 0, 0, 0, 0, 0]
    state = node.broker.heard("status")[0]
    assert (state[0]["vs"], state[0]["boot"], state[0]["life"]) == ("online", 1, LIFE)
    assert node.broker.heard("settings")[0]["revision"] == 1


def test_will_says_unreachable_and_is_retained():
    node = Node().run(100)
    topic, payload, qos, retain = node.broker.will
    assert (topic, qos, retain) == (ROOT + "status", 1, 1)
    assert json.loads(payload)[0]["vs"] == "unreachable"


def test_a_new_event_passes_the_readings_that_wait():
    node = Node(100).settle()
    node.broker.acks = False
    node.write(READINGS, 30)
    node.run(100)
    node.write(EVENT, 1)
    node.broker.published.clear()
    node.broker.acks = True
    node.broker.drop()
    node.run(16000)
    topics = [topic for topic in node.broker.topics() if topic in ("event", "readings")]
    assert topics.index("event") <= 8, "only what was already in flight comes before it"


def test_window_bounds_what_is_in_flight():
    node = Node(100)
    node.broker.acks = False
    node.run(15000)
    assert len(node.broker.published) == 8
    assert node.uplink.client.in_flight == 8


def test_changed_settings_are_told_on_the_same_connection():
    node = Node().settle()
    node.settings.staged = {0: 650}
    node.settings.apply()
    node.run(40000)
    assert [message["revision"] for message in node.broker.heard("settings")] == [2]


def test_backlog_goes_out_whole_and_in_order_after_an_outage():
    node = Node(5, 1).settle()
    node.broker.mode = "refuses"
    node.broker.drop()
    node.run(600000)
    node.write(READINGS, 60)
    node.write(EVENT, 3)
    node.broker.mode = "up"
    node.run(130000)
    assert node.broker.keys("readings") == seqs(6, 65)
    assert node.broker.keys("event") == seqs(2, 4)
    assert node.broker.topics()[:5] == ["status", "settings", "event", "event", "event"]


@pytest.mark.parametrize("takes", [1, 7, 100])
@pytest.mark.parametrize("gives", [1, 3])
def test_half_sent_and_half_received_packets_are_finished(takes, gives):
    node = Node(10, 2)
    node.broker.takes, node.broker.gives = takes, gives
    node.run(200000)
    assert node.broker.keys("readings") == seqs(1, 10)
    assert node.broker.keys("event") == seqs(1, 2)


def test_a_line_that_breaks_in_the_middle_of_packets_loses_nothing():
    node = Node(20, 3)
    for takes in range(1, 400, 7):
        node.broker.takes = takes
        node.run(500)
        node.broker.drop()
        node.run(1500)
    node.broker.takes = 1 << 20
    node.run(300000)
    assert sorted(set(node.broker.keys("readings"))) == seqs(1, 20)
    assert sorted(set(node.broker.keys("event"))) == seqs(1, 3)


# committed


def test_a_retained_committed_spares_the_backlog_that_is_kept():
    node = Node(30, 4)
    node.broker.retained[ROOT + "committed"] = json.dumps(marks((1, 28), (1, 4))).encode()
    node.run(2000)
    assert node.broker.keys("readings") == seqs(29, 30)
    assert node.broker.keys("event") == []


def test_without_a_retained_committed_the_backlog_waits_five_seconds_and_no_longer():
    node = Node(3)
    node.run(4900)
    assert node.broker.keys("readings") == []
    node.run(400)
    assert node.broker.keys("readings") == seqs(1, 3)


def test_the_wait_begins_again_when_the_line_breaks_and_a_week_passes():
    node = Node(3)
    node.run(2000)
    node.broker.mode = "refuses"
    node.broker.drop()
    for _ in range(70):
        node.run(8640000)
    node.broker.mode = "up"
    node.run(130000)
    assert node.broker.keys("readings") == seqs(1, 3)


def test_committed_frees_whole_segments_below_it():
    node = Node(60).settle()
    before = len(node.storage.files)
    node.broker.committed((1, 40))
    node.run(100)
    assert len(node.storage.files) < before
    cursor = journal.Cursor(node.logs[READINGS])
    assert 1 < journal.seq_of(cursor.peek()[3]) <= 41


def test_a_mark_that_rises_does_not_end_a_rewind_that_waits():
    # Chaos, seed 18: a station that fell asleep with messages under way went on behind them.
    node = Node(60).settle()
    node.broker.committed((1, 20))
    node.run(100)
    node.uplink._move = [2, 2]
    node.broker.committed((1, 40))
    node.run(60000)
    assert node.broker.keys("readings") == seqs(41, 60)


@pytest.mark.parametrize("mark", [(1, 61), (2, 1), (2147483647, 2147483647)])
def test_committed_beyond_what_was_written_is_ignored(mark):
    node = Node(60).settle()
    node.broker.committed(mark)
    node.run(100)
    node.write(READINGS, 1)
    node.run(31000)
    assert node.uplink.mark[READINGS] == (0, 0)
    assert node.broker.keys("readings") == [(1, 61)]


def test_another_life_is_ignored():
    node = Node(10).settle()
    node.broker.committed((1, 5), life="5eed0002")
    node.broker.say("resend", {"life": "5eed0002", "stream": "readings", "boot": 1, "from": 1, "to": 3})
    node.run(1000)
    assert node.uplink.mark == [(0, 0), (0, 0)]
    assert node.broker.published == []
    assert node.uplink.refused == 0


def test_a_gateway_that_lost_its_database_gets_again_what_is_still_here():
    node = Node(10).settle()
    node.broker.committed((1, 8))
    node.run(100)
    before = len(node.broker.keys("readings"))
    node.broker.committed((1, 3))
    node.run(1000)
    assert node.uplink.mark[READINGS] == (1, 3)
    assert node.broker.keys("readings")[before:] == seqs(4, 10)


def test_what_was_freed_and_is_asked_for_by_a_new_database_is_declared_dropped():
    node = Node(80).settle()
    node.broker.committed((1, 80))
    node.run(1000)
    node.broker.committed((0, 0))
    node.run(60000)
    ask(node, 1, 80)
    node.run(60000)
    dropped = [d for d in node.declared if d[0] == READINGS]
    first_here = node.logs[READINGS].header(node.logs[READINGS].first)[3]
    assert first_here > 1
    assert dropped == [(READINGS, 1, 1, first_here - 1)]


def test_records_of_earlier_boots_go_first_and_the_mark_crosses_boots():
    storage = Storage()
    Node(5, storage=storage)
    Node(4, storage=storage, boot=2)
    node = Node(3, storage=storage, boot=3)
    node.run(20000)
    assert node.broker.keys("readings") == [*seqs(1, 5), *seqs(1, 4, 2), *seqs(1, 3, 3)]
    firsts = [pack[0] for pack in node.broker.heard("readings") if pack[0]["seq"] == 1]
    assert [(first["prev_boot"], first["prev_seq"]) for first in firsts] == [(0, 0), (1, 5), (2, 4)]
    node.broker.committed((2, 4))
    node.run(100)
    assert node.uplink.mark[READINGS] == (2, 4)


# what a broker lost


def committed_for(node, seconds, readings, event=(0, 0), every=5):
    for _ in range(0, seconds, every):
        node.broker.committed(readings, event)
        node.run(every * 1000)


def test_what_a_broker_lost_is_sent_again_after_a_minute_without_progress():
    node = Node(10).settle()
    committed_for(node, 55, (1, 7))
    assert node.broker.keys("readings") == []
    committed_for(node, 15, (1, 7))
    assert node.broker.keys("readings") == seqs(8, 10)


def test_sending_again_becomes_rarer():
    node = Node(10).settle()
    committed_for(node, 600, (1, 7))
    assert node.broker.keys("readings").count((1, 8)) == 3  # after 60, 60 + 120, 60 + 120 + 240 s


def test_a_lost_event_is_sent_again_though_readings_make_progress():
    node = Node(0, 5).settle()
    for _ in range(20):
        node.write(READINGS, 1)
        node.run(3000)
        node.broker.committed((1, node.logs[READINGS].seq), (1, 4))
        node.run(2000)
    assert node.broker.keys("event") == [(1, 5)]


def test_no_committed_no_sending_again():
    node = Node(10).settle()
    node.run(7200000)
    assert node.broker.keys("readings") == []


# resend


def ask(node, first, last, boot=1, stream="readings"):
    node.broker.say("resend", {"life": LIFE, "stream": stream, "boot": boot, "from": first, "to": last})
    node.run(3000)


def test_a_gap_is_sent_again():
    node = Node(50).settle()
    ask(node, 12, 30)
    assert node.broker.keys("readings") == seqs(12, 30)
    assert node.declared == []


def test_what_is_gone_is_declared_once_and_the_rest_sent():
    node = Node(60).settle()
    node.logs[READINGS].free(1, 30)
    oldest = journal.seq_of(journal.Cursor(node.logs[READINGS]).peek()[3])
    assert oldest > 10
    ask(node, 5, oldest + 2)
    assert node.declared == [(READINGS, 1, 5, oldest - 1)]
    assert node.broker.keys("readings") == seqs(oldest, oldest + 2)


def test_a_whole_range_that_is_gone_is_declared_once():
    node = Node(60).settle()
    node.logs[READINGS].free(1, 60)
    ask(node, 2, 4)
    ask(node, 6, 6)
    assert node.declared == [(READINGS, 1, 2, 4), (READINGS, 1, 6, 6)]
    assert node.broker.published == []


def test_what_was_committed_is_neither_sent_nor_declared():
    node = Node(60).settle()
    node.broker.committed((1, 40))
    ask(node, 1, 45)
    ask(node, 3, 9)
    assert node.declared == []
    assert node.broker.keys("readings") == seqs(41, 45)


def test_a_missing_hole_between_records_is_declared():
    node = Node(60).settle()
    name = sorted(node.storage.files)[2]
    data = bytearray(node.storage.files[name])
    data[26] ^= 1
    node.storage.files[name] = bytes(data)
    ask(node, 1, 60)
    (declared,) = node.declared
    assert sorted([*node.broker.keys("readings"), *seqs(declared[2], declared[3])]) == seqs(1, 60)


def test_a_request_is_answered_across_a_lost_connection():
    node = Node(100).settle()
    node.broker.acks = False
    ask(node, 1, 60)
    assert len(node.broker.published) == 8
    node.broker.acks = True
    node.broker.drop()
    node.run(75000)
    assert sorted(set(node.broker.keys("readings"))) == seqs(1, 60)


@pytest.mark.parametrize("trouble_at", range(12))
def test_storage_that_fails_meanwhile_declares_nothing_that_is_there(trouble_at):
    storage = Storage()
    Node(40, storage=storage)
    node = Node(40, storage=storage, boot=2).settle()
    node.broker.say("resend", {"life": LIFE, "stream": "readings", "boot": 2, "from": 5, "to": 30})
    storage.trouble = ("before", "", 7 * trouble_at)
    for _ in range(4):
        try:
            node.run(2000)
        except OSError:
            pass
    assert node.declared == []
    assert sorted(set(node.broker.keys("readings"))) == seqs(5, 30, 2)


@pytest.mark.parametrize(("first", "last", "boot"), [(0, 5, 1), (7, 3, 1), (61, 70, 1), (1, 5, 2), (1, 5, 0)])
def test_a_request_for_what_never_was_is_left_alone(first, last, boot):
    node = Node(60).settle()
    ask(node, first, last, boot)
    assert node.broker.published == []
    assert node.declared == []


def test_requests_are_bounded():
    node = Node(60).settle()
    node.broker.acks = False
    for i in range(50):
        ask(node, 1 + i, 9 + i)
    assert len(node.uplink._asked) <= 8


# anything from outside

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([LIFE, "readings", "event"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["life", "readings", "event", "boot", "seq", "stream", "from", "to"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)
NUMBER = st.integers(-1, 12) | st.sampled_from([2**31 - 1, 2**31, 2**64, -(2**40), 1.5, 1e308, True, None, "3", [1]])
SHAPED = st.fixed_dictionaries({"life": st.just(LIFE), "readings": st.fixed_dictionaries({"boot": NUMBER, "seq": NUMBER}),
    "event": st.fixed_dictionaries({"boot": NUMBER, "seq": NUMBER})}) | st.fixed_dictionaries({"life": st.just(LIFE),
    "stream": st.sampled_from(["readings", "event", "status", 0, None]), "boot": NUMBER, "from": NUMBER, "to": NUMBER})  # fmt: skip
PAYLOAD = (
    (JSON | SHAPED).map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=40)
    | st.sampled_from([b"[" * 1900, b'{"life":' * 240, b"1e999", b"NaN", b"\xff\xfe[\x00", b"\xef\xbb\xbf{}"])
)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["committed", "resend", "else"]), PAYLOAD), max_size=6))
def test_no_message_stops_the_node(messages):
    desk = Desk(link="up")
    desk.run(8000)
    uplink = desk.app.uplink
    for topic, payload in messages:
        desk.broker.say(topic, payload)
        desk.run(200)
    for stream in (READINGS, EVENT):
        assert uplink.mark[stream] <= (desk.app.logs[stream].boot, desk.app.logs[stream].seq)
    desk.broker.published.clear()
    desk.run(65000)
    assert "readings" in desk.broker.topics()
    assert uplink.client.state == UP
    assert desk.broker.opened == 1


GARBAGE = (b"", b"{", b"[]", b"7", b'"x"', b"null", b"{}", b'{"life":"5eed0001"}',
           b'{"life":"5eed0001","readings":{"boot":1,"seq":2}}', b"[" * 1900,
           b'{"life":"5eed0001","readings":{"boot":1.0,"seq":2},"event":{"boot":1,"seq":1}}',
           b'{"life":"5eed0001","readings":{"boot":-1,"seq":2},"event":{"boot":1,"seq":1}}',
           b'{"life":"5eed0001","readings":[1,2],"event":{"boot":1,"seq":1}}')  # fmt: skip


@pytest.mark.parametrize("payload", GARBAGE)
def test_what_can_not_be_used_is_counted_and_changes_nothing(payload):
    node = Node(10, 10).settle()
    node.broker.say("committed", payload)
    node.broker.say("resend", payload)
    node.run(1000)
    assert node.uplink.refused in (1, 2), "another life is no error, all else is"
    assert node.uplink.mark == [(0, 0), (0, 0)]
    assert node.broker.published == []


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_no_bytes_from_the_line_stop_the_node(pieces):
    desk = Desk(link="up")
    desk.run(6000)
    for piece in pieces:
        if desk.broker.state():
            desk.broker.inbound += piece
        desk.run(1500)
    desk.broker.published.clear()
    desk.run(300000)
    assert "readings" in desk.broker.topics()


# lines that are no good


@pytest.mark.parametrize("mode", ["refuses", "never", "silent"])
def test_a_line_that_is_no_good_is_tried_again_ever_more_rarely(mode):
    node = Node(3)
    node.broker.mode = mode
    times = []
    opened = node.broker.open
    node.broker.open = lambda: (times.append(node.t), opened())
    node.run(3600000)
    waits = [later - earlier for earlier, later in pairwise(times)]
    attempt_ms = {"refuses": 40, "never": 60300, "silent": 20100}[mode]
    for attempt, wait in enumerate(waits):
        most = min(1000 << min(attempt, 7), backoff.MOST_MS)
        assert most // 2 <= wait <= most + attempt_ms
    assert len(waits) > 20
    node.broker.mode = "up"
    node.run(150000)
    assert node.broker.keys("readings") == seqs(1, 3)


def test_a_broker_that_lets_in_and_throws_out_is_not_hammered():
    node = Node(3)
    node.broker.acks = False
    for _ in range(100):
        node.run(3000)
        node.broker.drop()
    assert node.broker.opened < 20


@given(st.integers(0, 200), st.integers(0, 65535))
def test_backoff_stays_within_its_bounds(attempt, noise):
    whole = min(backoff.FIRST_MS * 2**attempt, backoff.MOST_MS)
    assert whole // 2 <= backoff.delay_ms(attempt, noise) <= whole


@given(st.integers(0, 65535))
def test_a_return_takes_up_to_a_minute_and_a_quarter_of_that_with_an_event(noise):
    assert 0 <= backoff.return_ms(noise) < 60000
    node = Node(1).settle()
    node.uplink._noise = noise
    opened = node.broker.opened
    node.broker.drop()
    node.run(20)
    assert node.uplink._retry_in((WRAP - 3000 + node.t) % WRAP) < 60000
    node.write(EVENT, 1)
    node.run(15020)
    assert node.broker.opened == opened + 1


def test_a_backlog_is_paced_and_its_events_are_not():
    node = Node(300, 20, segment=4000).run(5100)
    assert node.broker.topics().count("event") == 20
    went = [node.broker.topics().count("readings")]
    for _ in range(28):
        node.run(1000)
        went.append(node.broker.topics().count("readings"))
    assert went[0] == 64
    assert all(later - earlier in (7, 8, 9) for earlier, later in pairwise(went))
    node.write(EVENT, 1)
    node.run(100)
    assert node.broker.topics()[-2:].count("event") == 1
    node.run(3000)
    assert node.broker.keys("readings") == seqs(1, 300)


def test_readings_that_come_one_by_one_are_never_held_up():
    node = Node().settle()
    for count in range(1, 40):
        node.write(READINGS, 1)
        node.run(1)
        assert len(node.broker.keys("readings")) == count
        node.run(1 << 29 if count == 8 else 130)


def test_a_quiet_line_is_kept_alive():
    node = Node().settle()
    node.run(600000)
    assert 4 <= node.broker.pings <= 8  # 150 s of keepalive, a ping at 131 s
    assert node.broker.opened == 1


def test_a_record_beyond_the_packet_limit_is_declared_and_keeps_nobody_waiting():
    node = Node(1)
    node.logs[READINGS].append(1, 1528063200, 0, ((M.NEW_SETTING + 18, 0x11, -2147483647),) * 32)
    node.write(READINGS, 2)
    node.run(20000)
    assert node.broker.keys("readings") == [(1, 1), (1, 3), (1, 4)]
    assert node.declared == [(READINGS, 1, 2, 2)]
