"""The in-memory broker as MQTT 3.1.1 asks, and its outages, over the in-memory link."""

import pytest

from node.core import mqtt, mqtt_broker
from simulator.adapters.link import DOWN, OPENING, UP, WINDOW_BYTES, Link
from simulator.agenda import Moment
from simulator.broker import Broker, Outage, matches

LATENCY_MS = 20
ROOT = "waspada/v1/demo/dr01/"
MATCHES = [  # MQTT 3.1.1, 4.7.1 and 4.7.2
    ("a/b", "a/b", True),
    ("a/+", "a/b", True),
    ("a/+", "a/b/c", False),
    ("a/#", "a", True),
    ("a/#", "a/b/c", True),
    ("+/+", "/finance", True),
    ("+", "/finance", False),
    ("#", "$SYS/x", False),
    ("+/x", "$SYS/x", False),
    ("$SYS/#", "$SYS/x", True),
]


class World:
    def __init__(self, *outages: Outage) -> None:
        self.moment = Moment()
        self.traced: list = []
        self.gateway: list = []
        self.woken: list[int] = []
        self.broker = Broker(
            self.moment, lambda *line: self.traced.append(line), lambda *told: self.gateway.append(told), outages
        )

    def link(self, node: str = "dr01") -> Link:
        link = Link(self.moment, self.broker, self.woken.append, LATENCY_MS)
        self.broker.introduce(link, node)
        return link

    def connected(self, node: str = "dr01", clean: int = 0, will=None) -> Link:
        link = self.link(node)
        link.open()
        self.moment.t += 2 * LATENCY_MS
        link.send(mqtt.connect(node, 60, clean, will))
        assert self.heard(link)[0] == 0x20
        return link

    def heard(self, link: Link) -> bytes:
        self.moment.t += 2 * LATENCY_MS
        buffer = bytearray(4096)
        count = link.recv_into(buffer)
        return bytes(buffer[:count]) if count > 0 else b""


def test_filters_match_as_the_standard_says():
    for pattern, topic, expected in MATCHES:
        if not (pattern.startswith("+/+") and topic == "/finance"):
            assert matches(pattern.split("/"), topic.split("/")) is expected, (pattern, topic)
    assert matches(["+", "+"], ["", "finance"])


def test_publish_reaches_gateway_and_trace_and_is_acknowledged():
    world = World()
    link = world.connected()
    link.send(mqtt.publish(ROOT + "readings", b"[1]", 1, 0, 0, 77))
    assert world.gateway == [(ROOT + "readings", b"[1]", world.moment.t)]
    assert world.traced == [("dr01", ROOT + "readings", 1, 0, b"[1]")]
    assert world.heard(link) == mqtt.puback(77)


def test_bytes_may_come_one_at_a_time():
    world = World()
    link = world.connected()
    for byte in mqtt.publish(ROOT + "event", b"x" * 200, 1, 0, 0, 1) + mqtt.publish(ROOT + "event", b"y", 1, 0, 0, 2):
        link.send(bytes((byte,)))
    assert [payload for _, payload, _ in world.gateway] == [b"x" * 200, b"y"]
    assert world.heard(link) == mqtt.puback(1) + mqtt.puback(2)


def test_answer_takes_a_round_trip_and_wakes_the_station():
    world = World()
    link = world.connected()
    link.send(mqtt.publish(ROOT + "event", b"y", 1, 0, 0, 2))
    assert world.woken[-1] == world.moment.t + 2 * LATENCY_MS
    world.moment.t += 2 * LATENCY_MS - 1
    assert link.recv_into(bytearray(8)) == 0


def test_session_keeps_subscription_and_messages_while_its_client_is_away():
    world = World()
    link = world.connected()
    link.send(mqtt.subscribe(1, ((ROOT + "resend", 1),)))
    assert world.heard(link) == mqtt_broker.suback(1, b"\x01")
    link.close()
    world.broker.route(ROOT + "resend", b"gap", 1, 0)
    link.open()
    world.moment.t += 2 * LATENCY_MS
    link.send(mqtt.connect("dr01", 60, 0))
    assert world.heard(link) == mqtt_broker.connack(1, 0) + mqtt.publish(ROOT + "resend", b"gap", 1, 0, 0, 1)
    link.close()  # without a PUBACK
    link.open()
    world.moment.t += 2 * LATENCY_MS
    link.send(mqtt.connect("dr01", 60, 0))
    assert world.heard(link) == mqtt_broker.connack(1, 0) + mqtt.publish(ROOT + "resend", b"gap", 1, 0, 1, 1)


def test_retained_message_comes_with_the_subscription_until_it_is_emptied():
    world = World()
    world.broker.route(ROOT + "committed", b"{}", 1, 1)
    for pattern in (ROOT + "committed", "waspada/v1/+/dr01/#"):
        link = world.connected(clean=1)
        link.send(mqtt.subscribe(1, ((pattern, 0),)))
        assert world.heard(link) == mqtt_broker.suback(1, b"\x00") + mqtt.publish(ROOT + "committed", b"{}", 0, 1, 0, 0)
        link.close()
    world.broker.route(ROOT + "committed", b"", 1, 1)
    link = world.connected(clean=1)
    link.send(mqtt.subscribe(1, ((ROOT + "committed", 0),)))
    assert world.heard(link) == mqtt_broker.suback(1, b"\x00")


@pytest.mark.parametrize(("goodbye", "told"), [(b"", 1), (mqtt.DISCONNECT_BYTES, 0)])
def test_last_will_is_published_unless_the_client_said_goodbye(goodbye, told):
    world = World()
    link = world.connected(will=(ROOT + "status", b"gone", 1, 1))
    link.send(goodbye)
    link.close()
    assert [payload for _, payload, _ in world.gateway] == [b"gone"] * told
    assert world.traced == []


@pytest.mark.parametrize("bad", [b"\xf0\x00", b"\x36\x02\x00\x00", mqtt.connect("dr01", 60, 0), b"\x20\x02\x00\x00"])
def test_what_is_not_allowed_ends_the_connection(bad):
    world = World()
    link = world.connected()
    link.send(bad)
    world.moment.t += 2 * LATENCY_MS
    assert link.recv_into(bytearray(8)) == -1
    assert link.state() == DOWN


def test_packet_before_connect_ends_the_connection():
    world = World()
    link = world.link()
    link.open()
    world.moment.t += 2 * LATENCY_MS
    link.send(mqtt.PINGREQ_BYTES)
    world.moment.t += 2 * LATENCY_MS
    assert link.recv_into(bytearray(8)) == -1


def test_outage_closes_connections_refuses_new_ones_and_ends():
    world = World(Outage(1000, 5000))
    link = world.connected()
    world.moment.t = 1000
    assert world.broker.run(1000) == 5000
    world.moment.t += LATENCY_MS
    assert link.recv_into(bytearray(8)) == -1
    link.open()
    assert link.state() == OPENING
    world.moment.t += 2 * LATENCY_MS
    assert link.state() == DOWN
    world.moment.t = 5000
    world.broker.run(5000)
    link.open()
    world.moment.t += 2 * LATENCY_MS
    assert link.state() == UP
    link.send(mqtt.connect("dr01", 60, 0))
    assert world.heard(link) == mqtt_broker.connack(1, 0)


def test_bytes_on_their_way_when_the_outage_begins_are_lost():
    world = World(Outage(1000, 5000))
    link = world.connected()
    world.moment.t = 1000 - LATENCY_MS
    link.send(mqtt.publish(ROOT + "event", b"late", 1, 0, 0, 1))
    assert world.gateway == []
    world.moment.t = 1000 - 3 * LATENCY_MS
    link.send(mqtt.publish(ROOT + "event", b"in time", 1, 0, 0, 1))
    assert len(world.gateway) == 1
    world.moment.t = 1000
    world.broker.run(1000)
    world.moment.t = 1000 + LATENCY_MS
    assert link.recv_into(bytearray(8)) in (0, -1)  # the PUBACK died on its way


def test_silent_outage_tells_nobody_until_the_broker_is_back():
    world = World(Outage(1000, 5000, silent=True))
    link = world.connected()
    world.moment.t = 1000
    world.broker.run(1000)
    world.moment.t = 4000
    assert link.state() == UP
    assert link.send(b"abc") == 3
    assert link.recv_into(bytearray(8)) == 0
    world.moment.t = 5000
    world.broker.run(5000)
    world.moment.t += LATENCY_MS
    assert link.recv_into(bytearray(8)) == -1


def test_outage_that_forgets_has_no_session_and_nothing_retained():
    world = World(Outage(1000, 5000, forgets=True))
    link = world.connected()
    world.broker.route(ROOT + "committed", b"{}", 1, 1)
    forgotten = []
    world.broker.forget = lambda: forgotten.append(1)
    world.broker.run(1000)
    world.moment.t = 5000
    world.broker.run(5000)
    assert forgotten == [1]
    link.close()
    link.open()
    world.moment.t += 2 * LATENCY_MS
    link.send(mqtt.connect("dr01", 60, 0) + mqtt.subscribe(1, ((ROOT + "committed", 1),)))
    assert world.heard(link) == mqtt_broker.connack(0, 0) + mqtt_broker.suback(1, b"\x01")


def test_link_takes_no_more_than_its_window_at_one_time():
    world = World()
    link = world.connected()
    assert link.send(bytes(WINDOW_BYTES - 10)) == WINDOW_BYTES - 10
    assert link.send(bytes(100)) == 10
    assert link.send(b"x") == 0
