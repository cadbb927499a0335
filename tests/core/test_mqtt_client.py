"""The node's MQTT client: its rules one by one, then a model over a transport that loses connections."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from node.core import mqtt
from node.core.client import DOWN, IDLE_MS, OPENING, UP, Client
from node.core.clock import WRAP, add, diff
from tests import vm64
from tests.fuzz import fuzz_mqtt

ACCEPTED = mqtt.connack(0, 0)
NOW = WRAP - 5  # every timer below crosses the wrap of the chip's clock
FILTERS = (("c/#", 1), ("d", 0))

# clause, what comes before CONNACK, the reason given
REFUSED_CONNACKS = (
    ("3.2.2.3", mqtt.connack(0, 1), "refused: protocol level"),
    ("3.2.2.3", mqtt.connack(0, 2), "refused: client id"),
    ("3.2.2.3", mqtt.connack(0, 3), "refused: server unavailable"),
    ("3.2.2.3", mqtt.connack(0, 4), "refused: user name or password"),
    ("3.2.2.3", mqtt.connack(0, 5), "refused: not authorised"),
    ("3.2.0-1", mqtt.PINGRESP_BYTES, "malformed: not CONNACK first"),
    ("3.2.0-1", mqtt.publish("c/a", b"", 0, 0, 0, 0), "malformed: not CONNACK first"),
    ("3.2.2.3", b"\x20\x02\x00\x06", "malformed: CONNACK"),
    ("4.8.0-1", b"HTTP/1.1 400 Bad Request", "malformed: first byte"),
)

# clause, what a broker must not send to a client that is up
NOT_FROM_A_BROKER = (
    ("3.1", mqtt.connect("x", 0, 1)),
    ("3.2.0-1", ACCEPTED),
    ("3.8", mqtt.subscribe(1, FILTERS)),
    ("3.8.4-5", mqtt.suback(1, b"\x00")),
    ("3.12", mqtt.PINGREQ_BYTES),
    ("3.13.1", b"\xd0\x01\x00"),
    ("3.14", mqtt.DISCONNECT_BYTES),
    ("3.8.4-6: QoS 2 was never asked for", mqtt.publish("c/a", b"", 2, 0, 0, 1)),
    ("3.5 PUBREC", b"\x50\x02\x00\x01"),
    ("over the limit", mqtt.publish("c/a", b"z" * 2048, 0, 0, 0, 0)),
)


def packets_in(stream):
    """The packets of a byte stream that holds whole packets only."""
    at = 0
    while at < len(stream):
        length = mqtt.packet_length(stream, at, len(stream), 1 << 20)
        assert length
        yield bytes(stream[at : at + length])
        at += length


def taken(node):
    """Everything the client wants to write, as packets; it counts as written."""
    packets = list(packets_in(node.out))
    node.sent(len(node.out))
    return packets


def give(node, data, now=NOW):
    node.receive(now, data, len(data))


def node_up(now=NOW, **arguments):
    node = Client("dr01", **arguments)
    node.messages = []
    node.acked = []
    node.on_message = lambda topic, payload: node.messages.append((topic, payload))
    node.on_acked = node.acked.append
    node.opened(now)
    give(node, ACCEPTED, now)
    return node


def test_connect_opens_the_session_and_connack_brings_it_up():
    node = Client("dr01", will=("s", b"gone", 1, 1), user="u", password=b"p")
    assert (node.state, node.connected) == (DOWN, False)
    node.opened(NOW)
    assert (node.state, node.connected) == (OPENING, False)
    assert taken(node) == [mqtt.connect("dr01", 60, 0, ("s", b"gone", 1, 1), "u", b"p")]
    give(node, mqtt.connack(1, 0))
    assert (node.state, node.connected, node.want_close) == (UP, True, False)


@pytest.mark.parametrize(("clause", "answer", "reason"), REFUSED_CONNACKS)
def test_a_connection_that_is_not_accepted_says_why(clause, answer, reason):
    node = Client("dr01")
    node.opened(NOW)
    give(node, answer)
    assert (node.state, node.want_close, node.reason, bytes(node.out)) == (DOWN, True, reason, b"")


@pytest.mark.parametrize(("clause", "packet"), NOT_FROM_A_BROKER)
def test_what_a_broker_must_not_send_ends_the_connection(clause, packet):
    node = node_up(subscriptions=FILTERS)
    give(node, packet)
    assert (node.state, node.want_close) == (DOWN, True)
    assert node.reason.startswith("malformed: ")
    assert not node.messages


def test_subscriptions_are_asked_for_after_every_connack_even_with_a_session():
    node = Client("dr01", subscriptions=FILTERS)
    for packet_id in (1, 2):
        node.opened(NOW)
        give(node, mqtt.connack(packet_id - 1, 0))
        assert taken(node)[1:] == [mqtt.subscribe(packet_id, FILTERS)]
        give(node, mqtt.suback(packet_id, b"\x01\x80"))
        assert node.refused_subscriptions == 1
        node.closed()
    assert node.reason == "closed by the other side"


def test_a_subscription_may_not_ask_for_qos_2():
    with pytest.raises(ValueError):
        Client("dr01", subscriptions=(("a", 2),))


def test_a_message_is_acknowledged_after_the_callback_and_not_before():
    node = node_up()
    taken(node)
    seen = []
    node.on_message = lambda topic, payload: seen.append((topic, payload, bytes(node.out)))
    give(node, mqtt.publish("c/a", b"1", 1, 0, 0, 9) + mqtt.publish("c/b", b"2", 0, 1, 0, 0))
    assert seen == [("c/a", b"1", b""), ("c/b", b"2", mqtt.puback(9))]
    assert taken(node) == [mqtt.puback(9)]


def test_a_callback_that_raises_leaves_the_message_unacknowledged_and_ends_the_connection():
    node = node_up()
    taken(node)

    def fails(topic, payload):
        raise OSError(28)

    node.on_message = fails
    with pytest.raises(OSError):
        give(node, mqtt.publish("c/a", b"1", 1, 0, 0, 9))
    assert (node.state, node.want_close, bytes(node.out)) == (DOWN, True, b"")


def test_callbacks_may_publish():
    node = node_up(window=1)
    node.on_message = lambda topic, payload: node.publish(NOW, "reply", payload, 1, 0, "reply")
    node.on_acked = lambda token: node.publish(NOW, "more", b"", 1, 0, "more")
    taken(node)
    give(node, mqtt.publish("c/a", b"1", 1, 0, 0, 9))
    assert taken(node) == [mqtt.publish("reply", b"1", 1, 0, 0, 1), mqtt.puback(9)]
    give(node, mqtt.puback(1))
    assert taken(node) == [mqtt.publish("more", b"", 1, 0, 0, 2)]


def test_publish_says_no_when_down_or_opening_or_the_window_is_full():
    node = Client("dr01", window=2)
    assert not node.publish(NOW, "a", b"", 0, 0)
    node.opened(NOW)
    assert not node.publish(NOW, "a", b"", 0, 0)
    give(node, ACCEPTED)
    assert [node.publish(NOW, "a", b"", 1, 0) for _ in range(3)] == [True, True, False]
    assert node.publish(NOW, "a", b"", 0, 0)  # the window is of QoS 1
    give(node, mqtt.puback(2))
    assert node.publish(NOW, "a", b"", 1, 0)
    assert node.in_flight == 2


def test_publish_says_no_while_the_out_buffer_is_full():
    node = node_up(packet_limit=200)
    said_yes = 0
    while node.publish(NOW, "a", b"z" * 90, 0, 0):
        said_yes += 1
    assert said_yes == 2
    assert len(node.out) < 400
    taken(node)
    assert node.publish(NOW, "a", b"", 0, 0)


def test_publish_refuses_what_can_never_be_sent():
    node = node_up(packet_limit=100)
    before = bytes(node.out)
    for arguments in (("a", b"z" * 100, 1, 0), ("a", b"", 2, 0), ("a/#", b"", 1, 0)):
        with pytest.raises(ValueError):
            node.publish(NOW, *arguments)
    assert (bytes(node.out), node.in_flight) == (before, 0)


def test_sent_drops_what_was_written_and_no_more():
    node = node_up()
    taken(node)
    node.publish(NOW, "a", b"123", 0, 0)
    packet = bytes(node.out)
    node.sent(3)
    assert bytes(node.out) == packet[3:]
    node.publish(NOW, "b", b"", 0, 0)
    node.sent(len(packet) - 3)
    assert bytes(node.out) == mqtt.publish("b", b"", 0, 0, 0, 0)


def test_what_is_in_flight_is_sent_again_with_dup_in_order_before_anything_new():
    node = node_up()
    for token in "abcd":
        assert node.publish(NOW, "t", token.encode(), 1, 0, token)
    give(node, mqtt.puback(2))
    assert node.acked == ["b"]
    node.closed()
    assert (node.in_flight, bytes(node.out)) == (3, b"")
    node.opened(NOW)
    taken(node)
    give(node, mqtt.connack(1, 0))
    assert node.publish(NOW, "t", b"new", 1, 0, "e")
    assert [mqtt.parse_publish(packet, 0, len(packet)) for packet in taken(node)] == [
        ("t", b"a", 1, 0, 1, 1), ("t", b"c", 1, 0, 1, 3), ("t", b"d", 1, 0, 1, 4), ("t", b"new", 1, 0, 0, 5)]
    assert node.resent == 3
    for packet_id in (1, 3, 4, 5):
        give(node, mqtt.puback(packet_id))
    assert node.acked == ["b", "a", "c", "d", "e"]


def test_an_unknown_puback_is_counted_and_ignored():
    node = node_up()
    give(node, mqtt.puback(77))
    assert (node.state, node.unknown_acks, node.acked) == (UP, 1, [])


@pytest.mark.parametrize("subscriptions", [(), FILTERS])
def test_packet_identifiers_wrap_and_skip_what_is_in_flight(subscriptions):
    node = node_up(window=3, subscriptions=subscriptions)
    first = 3 if subscriptions else 2  # an unanswered SUBSCRIBE has 1, then the message that stays
    assert node.publish(NOW, "t", b"", 1, 0, "stays")
    for expected in [*range(first, 65536), first, first + 1]:
        assert node.publish(NOW, "t", b"", 1, 0, expected)
        node.sent(len(node.out))
        give(node, mqtt.puback(expected))
        assert node.acked.pop() == expected
    assert node.in_flight == 1


def test_the_clock_of_the_silence_is_the_sending_side():
    node = node_up(keepalive_s=60)
    assert node.step(NOW) == 52500
    taken(node)
    later = add(NOW, 52499)
    give(node, mqtt.publish("c/a", b"", 0, 0, 0, 0), later)  # receiving postpones nothing
    assert node.step(later) == 1
    assert taken(node) == []
    later = add(NOW, 52500)
    assert node.step(later) == 20000
    assert taken(node) == [mqtt.PINGREQ_BYTES]
    give(node, mqtt.PINGRESP_BYTES, add(later, 100))
    assert node.step(add(later, 100)) == 52400
    node.publish(add(later, 200), "a", b"", 0, 0)
    assert node.step(add(later, 200)) == 52500


def test_no_keepalive_means_no_ping():
    node = node_up(keepalive_s=0)
    assert node.step(NOW) == IDLE_MS


@pytest.mark.parametrize("missing", ["no CONNACK", "no PINGRESP", "no PUBACK", "no SUBACK"])
def test_a_reply_that_stays_away_ends_the_connection(missing):
    node = Client("dr01", subscriptions=(("a", 0),) if missing == "no SUBACK" else (), ack_timeout_ms=7000)
    since = NOW
    node.opened(since)
    if missing != "no CONNACK":
        give(node, ACCEPTED)
    if missing == "no PUBACK":
        node.publish(NOW, "a", b"", 1, 0)
    if missing == "no PINGRESP":
        since = add(NOW, node.step(NOW))
    assert node.step(since) == 7000
    assert node.step(add(since, 6999)) == 1
    assert node.step(add(since, 7000)) == IDLE_MS
    assert (node.state, node.want_close, node.reason, bytes(node.out)) == (DOWN, True, missing, b"")
    node.closed()
    assert (node.want_close, node.reason) == (False, missing)


def test_an_old_message_in_flight_gets_its_whole_time_on_a_new_connection():
    node = node_up(ack_timeout_ms=7000)
    node.publish(NOW, "a", b"", 1, 0)
    node.closed()
    later = add(NOW, 100000)
    node.opened(later)
    give(node, ACCEPTED, later)
    assert node.step(later) == 7000


def test_an_orderly_goodbye_is_the_last_packet():
    node = node_up()
    taken(node)
    node.publish(NOW, "a", b"", 1, 0)
    node.disconnect()
    assert taken(node)[-1] == mqtt.DISCONNECT_BYTES
    assert not node.publish(NOW, "a", b"", 0, 0)
    give(node, mqtt.publish("c/a", b"", 1, 0, 0, 1))
    assert (node.want_close, node.reason, bytes(node.out), node.messages) == (True, "disconnected", b"", [])
    node.closed()
    assert (node.reason, node.in_flight) == ("disconnected", 1)


def test_a_callback_may_say_goodbye_and_nothing_follows_disconnect():
    """[3.14.4-2]"""
    node = node_up()
    node.on_message = lambda topic, payload: node.disconnect()
    give(node, mqtt.publish("c/a", b"", 1, 0, 0, 1) * 2)
    assert taken(node)[-1] == mqtt.DISCONNECT_BYTES


def test_a_peer_that_sends_and_never_reads_cannot_fill_the_memory():
    node = node_up(window=1, packet_limit=64)
    for _ in range(100):
        give(node, mqtt.publish("c", b"", 1, 0, 0, 1))
    assert node.reason == "the other side sends and does not read"
    assert not node.out


def test_a_new_connection_starts_with_no_byte_of_the_old_one():
    node = node_up()
    node.publish(NOW, "a", b"", 0, 0)
    give(node, mqtt.publish("c/a", b"hello", 0, 0, 0, 0)[:5])
    node.closed()
    node.opened(NOW)
    assert taken(node) == [mqtt.connect("dr01", 60, 0)]
    give(node, ACCEPTED)
    assert node.state == UP


CHUNKS = st.lists(st.integers(1, 40), min_size=1, max_size=8)
BROKER_PACKETS = st.one_of(
    st.builds(mqtt.publish, st.sampled_from(("c/a", "é")), st.binary(max_size=200), st.just(0), st.integers(0, 1),
              st.just(0), st.just(0)),
    st.builds(mqtt.publish, st.just("c/a"), st.binary(max_size=9), st.just(1), st.just(0), st.integers(0, 1),
              st.integers(1, 9)),
    st.builds(mqtt.puback, st.integers(1, 5)),
    st.just(mqtt.suback(1, b"\x00\x80")),
    st.just(mqtt.PINGRESP_BYTES),
    st.binary(max_size=6),
)
STREAMS = st.lists(BROKER_PACKETS, max_size=12).map(b"".join)


@settings(max_examples=300)
@given(STREAMS, CHUNKS)
def test_any_bytes_in_any_chunks_end_in_the_same_state(stream, chunks):
    whole = fuzz_mqtt.run_client(stream, ())
    assert fuzz_mqtt.run_client(stream, chunks) == whole
    assert fuzz_mqtt.run_client(stream, (1,)) == whole


@given(st.binary(max_size=80), CHUNKS)
def test_any_bytes_before_connack_leave_the_client_in_a_known_state(stream, chunks):
    node = Client("dr01", subscriptions=FILTERS)
    node.opened(NOW)
    at = 0
    for size in chunks:
        give(node, stream[at : at + size])
        at += size
    assert node.state in (DOWN, OPENING, UP)
    assert node.want_close == (node.state == DOWN)


class LossyTransport(RuleBasedStateMachine):
    """A Client and a small broker; bytes arrive late, in pieces or not at all, connections break anywhere.

    The broker keeps the order of what it sees; a message counts from when it is delivered whole to it.
    """

    @initialize(window=st.integers(1, 5))
    def start(self, window):
        self.now = NOW
        self.window = window
        self.node = Client("m", window=window, subscriptions=FILTERS, packet_limit=256, ack_timeout_ms=5000)
        self.node.on_acked = self.on_acked
        self.node.on_message = self.on_message
        self.published = []  # tokens, in the order publish() said yes
        self.acked = []
        self.first_deliveries = []
        self.attempts = {}  # token -> connections on which the broker read it
        self.messages = []
        self.down_id = 0
        self.to_node = bytearray()
        self.to_broker = bytearray()
        self.read = bytearray()  # of a packet the broker has not yet whole
        self.linked = False
        self.connections = 0

    def on_acked(self, token):
        assert token in self.first_deliveries
        assert token not in self.acked
        self.acked.append(token)

    def on_message(self, topic, payload):
        self.messages.append(int(payload))

    @precondition(lambda self: not self.linked)
    @rule()
    def open(self):
        self.linked = True
        self.connections += 1
        self.to_node, self.to_broker, self.read = bytearray(), bytearray(), bytearray()
        self.unacked_now = []
        self.seen_now = []
        self.accepted = False
        self.node.opened(self.now)

    @precondition(lambda self: self.linked)
    @rule()
    def lose_the_connection(self):
        self.linked = False
        self.node.closed()

    @rule(qos=st.integers(0, 1))
    def publish(self, qos):
        token = len(self.published)
        room = self.node.in_flight < self.window
        said = self.node.publish(self.now, "up", b"%d" % token, qos, 0, token)
        if said:
            assert self.node.connected
            assert room or not qos
            if qos:
                self.published.append(token)
        else:
            assert not self.node.connected or (qos and not room) or len(self.node.out) >= 256

    @precondition(lambda self: self.linked)
    @rule(count=st.integers(1, 300))
    def write(self, count):
        part = bytes(self.node.out[:count])
        self.node.sent(len(part))
        self.to_broker += part

    @precondition(lambda self: self.linked)
    @rule(count=st.integers(1, 300))
    def broker_reads(self, count):
        self.read += self.to_broker[:count]
        del self.to_broker[:count]
        while True:
            length = mqtt.packet_length(self.read, 0, len(self.read), 1000)
            if not length:
                return
            packet = bytes(self.read[:length])
            del self.read[:length]
            self.broker_takes(packet)

    def broker_takes(self, packet):
        kind = packet[0] >> 4
        if not self.accepted:
            assert mqtt.parse_connect(packet, 0, len(packet))[:3] == ("m", 60, 0)
            self.accepted = True
            self.to_node += mqtt.connack(1 if self.connections > 1 else 0, 0)
        elif kind == mqtt.SUBSCRIBE:
            packet_id, filters = mqtt.parse_subscribe(packet, 0, len(packet))
            assert filters == FILTERS
            self.to_node += mqtt.suback(packet_id, b"\x01\x00")
        elif kind == mqtt.PUBLISH:
            _, payload, qos, _, dup, packet_id = mqtt.parse_publish(packet, 0, len(packet))
            if qos:
                self.broker_keeps(int(payload), dup, packet_id)
        elif kind == mqtt.PINGREQ:
            self.to_node += mqtt.PINGRESP_BYTES
        else:
            assert kind == mqtt.PUBACK

    def broker_keeps(self, token, dup, packet_id):
        assert token not in self.seen_now  # never twice on one connection
        assert self.seen_now == sorted(self.seen_now)
        self.seen_now.append(token)
        assert dup == (token in self.first_connection and self.first_connection[token] < self.connections)
        if token not in self.first_deliveries:
            assert self.first_deliveries == sorted(self.first_deliveries)
            self.first_deliveries.append(token)
        self.unacked_now.append(packet_id)
        assert len(set(self.unacked_now)) == len(self.unacked_now)

    @precondition(lambda self: self.linked and self.accepted and self.unacked_now)
    @rule(data=st.data())
    def broker_acknowledges(self, data):
        index = data.draw(st.integers(0, len(self.unacked_now) - 1))
        self.to_node += mqtt.puback(self.unacked_now.pop(index))

    @precondition(lambda self: self.linked and self.accepted)
    @rule()
    def broker_publishes(self):
        self.down_id += 1
        self.to_node += mqtt.publish("c/x", b"%d" % self.down_id, 1, 0, 0, self.down_id)

    @precondition(lambda self: self.linked)
    @rule(count=st.integers(1, 100))
    def node_reads(self, count):
        part = bytes(self.to_node[:count])
        del self.to_node[:count]
        give(self.node, part, self.now)
        assert not self.node.want_close

    @rule(ms=st.integers(0, 8000))
    def time_passes(self, ms):
        before = self.now
        wait = self.node.step(self.now)
        self.now = add(self.now, ms)
        state = self.node.state
        self.node.step(self.now)
        assert wait >= 1
        if ms < wait:
            assert self.node.state == state  # it never acts before it said it would
        assert diff(self.now, before) == ms
        if self.node.want_close:
            assert self.node.reason in ("no CONNACK", "no PUBACK", "no SUBACK", "no PINGRESP")
            self.lose_the_connection()

    @property
    def first_connection(self):
        return self.attempts

    @invariant()
    def every_message_is_acknowledged_or_in_flight(self):
        if not hasattr(self, "node"):
            return
        for token in self.published:
            self.attempts.setdefault(token, self.connections)
        waiting = [message.token for message in self.node._sent]
        assert waiting == sorted(waiting)
        assert sorted(self.acked + waiting) == self.published
        assert len(waiting) == self.node.in_flight <= self.window
        assert self.first_deliveries == sorted(self.first_deliveries)
        assert self.messages == sorted(self.messages)

    def teardown(self):
        """On a connection that holds, everything is delivered."""
        if not hasattr(self, "node"):
            return
        if self.linked:
            self.lose_the_connection()
        self.open()
        for _ in range(20):
            self.write(10000)
            self.broker_reads(10000)
            self.to_node += b"".join(map(mqtt.puback, self.unacked_now))
            self.unacked_now = []
            self.node_reads(10000)
        assert self.node.in_flight == 0
        assert sorted(self.acked) == self.published == self.first_deliveries


TestLossyTransport = LossyTransport.TestCase
TestLossyTransport.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)


VM_SCRIPT = """
from node.core import client, mqtt
node = client.Client("dr01", subscriptions=(("c/#", 1),), will=("s", b"gone", 1, 1))
log = []
node.on_message = lambda topic, payload: log.append((topic, payload))
node.on_acked = log.append

def shown():
    print(node.state, node.reason, node.in_flight, "".join(["%02x" % one for one in node.out]), log)
    node.sent(len(node.out))

def give(data):
    for at in range(0, len(data), 3):
        part = bytearray(data[at:at + 3])
        node.receive(5, part, len(part))
    shown()

for _ in range(2):
    node.opened((1 << 30) - 10)
    shown()
    give(mqtt.connack(0, 0))
    for number in range(3):
        print(node.publish(3, "t", b"%d" % number, 1, 0, number))
    shown()
    give(mqtt.publish("c/a", b"hello", 1, 0, 0, 300) + mqtt.puback(3) + mqtt.suback(1, b"\\x80") + mqtt.PINGRESP_BYTES)
    print(node.step(5), node.step(19000), node.step(20003), node.unknown_acks, node.refused_subscriptions, node.resent)
    shown()
    node.closed()
node.opened(7)
give(b"\\x00")
"""


@pytest.mark.vm
def test_micropython_runs_the_same_conversation(tmp_path):
    (tmp_path / "script.py").write_text(VM_SCRIPT)
    ours = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], env=dict(os.environ, PYTHONPATH=str(vm64.FIRMWARE)),
        capture_output=True, check=True, text=True, timeout=60,
    ).stdout
    assert "no PUBACK" in ours
    assert "malformed: first byte" in ours
    assert vm64.run(VM_SCRIPT) == ours
