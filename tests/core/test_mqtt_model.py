"""The node's MQTT client: any bytes, a model over a transport that breaks anywhere, the real MicroPython VM."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from node.core import mqtt, mqtt_broker
from node.core.client import DOWN, OPENING, UP, Client
from node.core.clock import add, diff
from tests import vm64
from tests.core.mqtt_desk import FILTERS, NOW, give
from tests.fuzz import fuzz_mqtt

CHUNKS = st.lists(st.integers(1, 40), min_size=1, max_size=8)
BROKER_PACKETS = st.one_of(
    st.builds(
        mqtt.publish,
        st.sampled_from(("c/a", "é")),
        st.binary(max_size=200),
        st.just(0),
        st.integers(0, 1),
        st.just(0),
        st.just(0),
    ),
    st.builds(
        mqtt.publish,
        st.just("c/a"),
        st.binary(max_size=9),
        st.just(1),
        st.just(0),
        st.integers(0, 1),
        st.integers(1, 9),
    ),
    st.builds(
        mqtt.publish,
        st.just("c/a"),
        st.binary(min_size=500, max_size=900),
        st.just(1),
        st.just(0),
        st.just(0),
        st.integers(1, 9),
    ),
    st.builds(mqtt.puback, st.integers(1, 5)),
    st.just(mqtt_broker.suback(1, b"\x00\x80")),
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
        self.acknowledged = set()  # tokens of the PUBACKs the broker has sent
        self.attempts = {}  # token -> connections on which the broker read it
        self.messages = []
        self.down_id = 0
        self.to_node = bytearray()
        self.to_broker = bytearray()
        self.read = bytearray()  # of a packet the broker has not yet whole
        self.linked = False
        self.connections = 0

    def on_acked(self, token):
        assert token in self.acknowledged
        assert token not in self.acked
        self.acked.append(token)

    def on_message(self, topic, payload):
        self.messages.append(int(payload))

    @rule()
    def open(self):
        if self.linked:
            return
        self.linked = True
        self.connections += 1
        self.to_node, self.to_broker, self.read = bytearray(), bytearray(), bytearray()
        self.unacked_now = []
        self.seen_now = []
        self.accepted = False
        self.node.opened(self.now)

    @precondition(lambda self: self.linked)
    @rule(chance=st.sampled_from("keep keep keep keep lose".split()))
    def lose_the_connection(self, chance):
        if chance == "lose":
            self.linked = False
            self.node.closed()

    @rule(qos=st.sampled_from((1, 0, 1, 1)), count=st.integers(1, 5))
    def publish(self, qos, count):
        for _ in range(count):
            self.publish_one(qos)

    def publish_one(self, qos):
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
            assert mqtt_broker.parse_connect(packet, 0, len(packet))[:3] == ("m", 60, 0)
            self.accepted = True
            self.to_node += mqtt_broker.connack(1 if self.connections > 1 else 0, 0)
        elif kind == mqtt.SUBSCRIBE:
            packet_id, filters = mqtt_broker.parse_subscribe(packet, 0, len(packet))
            assert filters == FILTERS
            self.to_node += mqtt_broker.suback(packet_id, b"\x01\x00")
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
        assert packet_id not in [waiting for waiting, _ in self.unacked_now]
        self.unacked_now.append((packet_id, token))

    @precondition(lambda self: self.linked and self.accepted and self.unacked_now)
    @rule(data=st.data())
    def broker_acknowledges(self, data):
        index = data.draw(st.integers(0, len(self.unacked_now) - 1))
        self.acknowledge(index)

    def acknowledge(self, index):
        packet_id, token = self.unacked_now.pop(index)
        self.acknowledged.add(token)
        self.to_node += mqtt.puback(packet_id)

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

    @precondition(lambda self: self.linked)
    @rule(publish=st.integers(0, 5), acknowledge=st.lists(st.integers(0, 4), max_size=4))
    def everything_flows(self, publish, acknowledge):
        for _ in range(publish):
            self.publish_one(1)
        self.write(10000)
        self.broker_reads(10000)
        for index in acknowledge:
            if index < len(self.unacked_now):
                self.acknowledge(index)
        self.node_reads(10000)

    @rule(ms=st.sampled_from((0, 1, 50, 300, 300, 1000, 4999, 8000)))
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
            self.lose_the_connection("lose")

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
            self.lose_the_connection("lose")
        self.open()
        for _ in range(20):
            self.everything_flows(0, ())
            while self.unacked_now:
                self.acknowledge(0)
        assert self.node.in_flight == 0
        assert sorted(self.acked) == self.published == self.first_deliveries


TestLossyTransport = LossyTransport.TestCase
TestLossyTransport.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)


VM_SCRIPT = """
from node.core import client, mqtt, mqtt_broker
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
    give(mqtt_broker.connack(0, 0))
    for number in range(3):
        print(node.publish(3, "t", b"%d" % number, 1, 0, number))
    shown()
    give(mqtt.publish("c/a", b"hello", 1, 0, 0, 300) + mqtt.puback(3) + mqtt_broker.suback(1, b"\\x80") + mqtt.PINGRESP_BYTES)
    print(node.step(5), node.step(19000), node.step(20003), node.unknown_acks, node.refused_subscriptions, node.resent)
    shown()
    node.closed()
node.opened(7)
give(b"\\x00")
"""


SOAK_SCRIPT = """
import gc
from node.core import client, mqtt, mqtt_broker
node = client.Client("dr01")
node.opened(0)
node.receive(0, mqtt_broker.connack(0, 0), 4)
payload = bytearray(190)

def messages(count):
    for _ in range(count):
        assert node.publish(0, "waspada/v1/demo/dr01/readings", payload, 1, 0)
        node.sent(len(node.out))
        node.receive(0, mqtt.puback(node._last_id), 4)
    gc.collect()
    return gc.mem_alloc()

before = messages(2500)
after = messages(2500)
print(after - before)
"""


@pytest.mark.vm
def test_five_thousand_messages_leave_a_small_heap_as_it_was():
    assert int(vm64.run(SOAK_SCRIPT, heapsize="100k")) < 100


@pytest.mark.vm
def test_micropython_runs_the_same_conversation(tmp_path):
    (tmp_path / "script.py").write_text(VM_SCRIPT)
    ours = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        env=dict(os.environ, PYTHONPATH=str(vm64.FIRMWARE)),
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout
    assert "no PUBACK" in ours
    assert "malformed: first byte" in ours
    assert vm64.run(VM_SCRIPT) == ours
