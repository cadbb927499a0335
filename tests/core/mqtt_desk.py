"""The node's MQTT client on the desk: what it wants to write as packets, what it is given as bytes."""

from node.core import mqtt, mqtt_broker
from node.core.client import Client
from node.core.clock import WRAP

ACCEPTED = mqtt_broker.connack(0, 0)
NOW = WRAP - 5  # every timer below crosses the wrap of the chip's clock
FILTERS = (("c/#", 1), ("d", 0))


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
