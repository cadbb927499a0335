"""Coverage-guided fuzzing of the MQTT codec and of the node's Client; needs `pip install atheris`.

    PYTHONPATH=firmware python tests/fuzz/fuzz_mqtt.py CORPUS_FOLDER -max_total_time=600

What must hold: decoders raise MalformedPacket and nothing else; what a decoder accepts, its encoder writes back to the
same packet (but for a padded remaining length); the Client ends in the same state for any chunking.
"""

import importlib
import sys

try:
    atheris = importlib.import_module("atheris")  # by name: no dependency of the project, the checks below need none
except ImportError:
    atheris = None

if atheris:
    with atheris.instrument_imports(include=["node"]):
        from node.core import client, mqtt, mqtt_broker
else:
    from node.core import client, mqtt, mqtt_broker

LIMIT = 512
CLIENT_LIMIT = 150  # small enough that a fuzzer's inputs go over it


def parse_and_encode(packet: bytes) -> bytes | None:
    """The packet decoded and encoded again; None for a type without a decoder."""
    end = len(packet)
    kind = packet[0] >> 4
    if kind == mqtt.PUBLISH:
        return mqtt.publish(*mqtt.parse_publish(packet, 0, end))
    if kind == mqtt.CONNACK:
        return mqtt_broker.connack(*mqtt.parse_connack(packet, 0, end))
    if kind == mqtt.PUBACK:
        return mqtt.puback(mqtt.parse_puback(packet, 0, end))
    if kind == mqtt.SUBACK:
        return mqtt_broker.suback(*mqtt.parse_suback(packet, 0, end))
    if kind == mqtt.CONNECT:
        return mqtt.connect(*mqtt_broker.parse_connect(packet, 0, end))
    if kind == mqtt.SUBSCRIBE:
        return mqtt.subscribe(*mqtt_broker.parse_subscribe(packet, 0, end))
    return None


def body(packet: bytes) -> bytes:
    """The packet without its remaining length, which may be padded."""
    at = 1
    while packet[at] > 127:
        at += 1
    return packet[:1] + packet[at + 1 :]


def check_codec(data: bytes):
    """Walk through data as a stream of packets, until it ends or is refused."""
    start = 0
    while start < len(data):
        try:
            length = mqtt.packet_length(data, start, len(data), LIMIT)
        except mqtt.MalformedPacket:
            return
        if not length:
            return
        assert 2 <= length <= LIMIT
        packet = data[start : start + length]
        try:
            again = parse_and_encode(packet)
        except mqtt.MalformedPacket:
            again = None
        if again is not None:
            assert body(again) == body(packet), (packet, again)
        start += length


def check_parsers(data: bytes):
    """Every decoder, whatever the type of the packet and whether it is whole."""
    for parse in (
        mqtt.parse_publish,
        mqtt.parse_connack,
        mqtt.parse_puback,
        mqtt.parse_suback,
        mqtt_broker.parse_connect,
        mqtt_broker.parse_subscribe,
    ):
        try:
            parse(data, 0, len(data))
        except mqtt.MalformedPacket:
            pass


def run_client(data: bytes, chunks) -> tuple:
    """A Client that is up, with two messages in flight, fed with data in these chunk sizes (the last one repeats)."""
    node = client.Client("f", subscriptions=(("c/#", 1), ("d", 0)), packet_limit=CLIENT_LIMIT)
    seen = []
    node.on_message = lambda topic, payload: seen.append((topic, payload))
    node.on_acked = seen.append
    node.opened(0)
    node.receive(0, mqtt_broker.connack(0, 0), 4)
    node.publish(0, "a", b"1", 1, 0, "one")
    node.publish(0, "a", b"2", 1, 0, "two")
    node.sent(len(node.out))
    at = 0
    sizes = iter(chunks)
    size = len(data) or 1
    while at < len(data):
        size = next(sizes, size)
        part = data[at : at + size]
        node.receive(0, part, len(part))
        at += size
    assert node.state in (client.DOWN, client.UP)
    assert node.want_close == (node.state == client.DOWN)
    assert 1 <= node.step(1) <= client.IDLE_MS
    return (
        node.state,
        node.reason,
        bytes(node.out),
        seen,
        node.in_flight,
        node.unknown_acks,
        node.refused_subscriptions,
        node.passed_over,
    )


def check(data: bytes):
    check_parsers(data)
    check_codec(data)
    if data:
        whole = run_client(data[1:], ())
        assert run_client(data[1:], (1,)) == whole
        assert run_client(data[1:], (data[0] % 7 + 1,)) == whole


def main():
    if atheris is None:
        sys.exit("pip install atheris")
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
