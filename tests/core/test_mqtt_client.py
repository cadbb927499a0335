"""The node's MQTT client: its rules one by one; `test_mqtt_model.py` holds them together."""

import pytest

from node.core import mqtt, mqtt_broker
from node.core.client import DOWN, IDLE_MS, OPENING, UP, Client
from node.core.clock import add
from tests.core.mqtt_desk import ACCEPTED, FILTERS, NOW, give, node_up, taken

# clause, what comes before CONNACK, the reason given
REFUSED_CONNACKS = (
    ("3.2.2.3", mqtt_broker.connack(0, 1), "refused: protocol level"),
    ("3.2.2.3", mqtt_broker.connack(0, 2), "refused: client id"),
    ("3.2.2.3", mqtt_broker.connack(0, 3), "refused: server unavailable"),
    ("3.2.2.3", mqtt_broker.connack(0, 4), "refused: user name or password"),
    ("3.2.2.3", mqtt_broker.connack(0, 5), "refused: not authorised"),
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
    ("3.8.4-5", mqtt_broker.suback(1, b"\x00")),
    ("3.12", mqtt.PINGREQ_BYTES),
    ("3.13.1", b"\xd0\x01\x00"),
    ("3.14", mqtt.DISCONNECT_BYTES),
    ("3.8.4-6: QoS 2 was never asked for", mqtt.publish("c/a", b"", 2, 0, 0, 1)),
    ("3.5 PUBREC", b"\x50\x02\x00\x01"),
    ("over the limit and not PUBLISH", b"\x90\x80\x10"),
    ("over the limit, QoS 2", mqtt.publish("c/a", b"z" * 2048, 2, 0, 0, 1)),
    ("over the limit with its topic alone", mqtt.publish("c" * 2048, b"", 1, 0, 0, 1)),
    ("3.3: over the limit, topic longer than the packet", b"\x32\x80\x10\x10\x00" + b"z" * 2046),
    ("2.3.1-1: over the limit, identifier 0", b"\x32\x80\x10\x00\x01a\x00\x00"),
)


def test_connect_opens_the_session_and_connack_brings_it_up():
    node = Client("dr01", will=("s", b"gone", 1, 1), user="u", password=b"p")
    assert (node.state, node.connected) == (DOWN, False)
    node.opened(NOW)
    assert (node.state, node.connected) == (OPENING, False)
    assert taken(node) == [mqtt.connect("dr01", 60, 0, ("s", b"gone", 1, 1), "u", b"p")]
    give(node, mqtt_broker.connack(1, 0))
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
        give(node, mqtt_broker.connack(packet_id - 1, 0))
        assert taken(node)[1:] == [mqtt.subscribe(packet_id, FILTERS)]
        give(node, mqtt_broker.suback(packet_id, b"\x01\x80"))
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
    give(node, mqtt_broker.connack(1, 0))
    assert node.publish(NOW, "t", b"new", 1, 0, "e")
    assert [mqtt.parse_publish(packet, 0, len(packet)) for packet in taken(node)] == [
        ("t", b"a", 1, 0, 1, 1),
        ("t", b"c", 1, 0, 1, 3),
        ("t", b"d", 1, 0, 1, 4),
        ("t", b"new", 1, 0, 0, 5),
    ]
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


@pytest.mark.parametrize("chunk", [1, 7, 64, 100000])
def test_a_message_over_the_limit_is_acknowledged_and_passed_over(chunk):
    node = node_up(packet_limit=64)
    taken(node)
    long = mqtt.publish("c/a", b"z" * 5000, 1, 0, 0, 9) + mqtt.publish("c/a", b"z" * 60, 0, 1, 0, 0)
    stream = mqtt.publish("c/a", b"before", 0, 0, 0, 0) + long + mqtt.publish("c/a", b"after", 1, 0, 0, 10)
    for at in range(0, len(stream), chunk):
        give(node, stream[at : at + chunk])
    assert (node.state, node.passed_over) == (UP, 2)
    assert node.messages == [("c/a", b"before"), ("c/a", b"after")]
    assert taken(node) == [mqtt.puback(9), mqtt.puback(10)]


def test_a_connection_lost_within_a_message_over_the_limit_forgets_its_rest():
    node = node_up(packet_limit=64)
    give(node, mqtt.publish("c/a", b"z" * 5000, 1, 0, 0, 9)[:1000])
    node.closed()
    node.opened(NOW)
    give(node, ACCEPTED)
    assert node.state == UP


def test_a_new_connection_starts_with_no_byte_of_the_old_one():
    node = node_up()
    node.publish(NOW, "a", b"", 0, 0)
    give(node, mqtt.publish("c/a", b"hello", 0, 0, 0, 0)[:5])
    node.closed()
    node.opened(NOW)
    assert taken(node) == [mqtt.connect("dr01", 60, 0)]
    give(node, ACCEPTED)
    assert node.state == UP
