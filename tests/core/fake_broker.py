"""A link and the broker behind it, in the test's hands: it says what it heard, and says what it is told to say."""

import json

from node.core import mqtt, mqtt_broker

ROOT = "waspada/v1/demo/dr01/"
LIFE = "5eed0001"


class Broker:
    """The port `link`, answered at once. `published`: (topic, payload, retain, dup) as they came whole."""

    def __init__(self):
        self.mode = "up"  # or "never" opens, "refuses", "silent": takes bytes and says nothing
        self.takes = 1 << 20  # bytes taken at one send, in all of a step
        self.gives = 1 << 20  # bytes given at one recv
        self.acks = True
        self.retained = {}
        self.published = []
        self.opened = 0
        self.will = None
        self._state = 0
        self._heard = bytearray()
        self.inbound = bytearray()
        self._last_id = 0
        self.pings = 0
        self.left = 0  # in order, without a last will
        self.used = []  # where the station was told to connect to
        self.host = None  # the only one that answers, None: any

    def use(self, values):
        self.close()
        self.used.append(dict(values))

    # the port

    def open(self):
        self.opened += 1
        self._state = {"up": 2, "silent": 2, "never": 1, "refuses": 0}[self.mode]
        if self.host and (self.used[-1]["broker.host"] if self.used else "") != self.host:
            self._state = 0
        self._heard.clear()
        self.inbound.clear()

    def state(self):
        return self._state

    def recv_into(self, buffer):
        if self._state != 2:
            return -1
        count = min(len(buffer), len(self.inbound), self.gives)
        buffer[:count] = self.inbound[:count]
        del self.inbound[:count]
        return count

    def send(self, data):
        if self._state != 2:
            return 0
        count = min(len(data), self.takes)
        self._heard += data[:count]
        if self.mode == "up":
            self._listen()
        return count

    def close(self):
        self._state = 0
        self.inbound.clear()

    # the test's

    def drop(self):
        """The connection is gone, and what was under way with it."""
        self.close()

    def say(self, topic, payload, qos=1):
        """A message to the node. Text and bytes as they are, anything else as JSON."""
        if not isinstance(payload, (bytes, str)):
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        self._last_id = self._last_id % 65535 + 1
        self.inbound += mqtt.publish(ROOT + topic, payload, qos, 0, 0, self._last_id if qos else 0)

    def committed(self, readings=(0, 0), event=(0, 0), life=LIFE):
        self.say("committed", marks(readings, event, life))

    def heard(self, name):
        """Payloads of a topic, as JSON."""
        return [json.loads(payload) for topic, payload, _, _ in self.published if topic == ROOT + name]

    def keys(self, name):
        return [(pack[0]["boot"], pack[0]["seq"]) for pack in self.heard(name)]

    def topics(self):
        return [topic.rsplit("/", 1)[1] for topic, _, _, _ in self.published]

    def _listen(self):
        while True:
            length = mqtt.packet_length(self._heard, 0, len(self._heard), 1 << 16)
            if not length:
                return
            packet = bytes(self._heard[:length])
            del self._heard[:length]
            kind = packet[0] >> 4
            if kind == mqtt.CONNECT:
                self.will = mqtt_broker.parse_connect(packet, 0, length)[3]
                self.inbound += mqtt_broker.connack(0, 0)
            elif kind == mqtt.SUBSCRIBE:
                packet_id, filters = mqtt_broker.parse_subscribe(packet, 0, length)
                self.inbound += mqtt_broker.suback(packet_id, b"\x01" * len(filters))
                for topic, _ in filters:
                    if topic in self.retained:
                        self.inbound += mqtt.publish(topic, self.retained[topic], 1, 1, 0, 9999)
            elif kind == mqtt.PUBLISH:
                topic, payload, qos, retain, dup, packet_id = mqtt.parse_publish(packet, 0, length)
                assert qos == 1
                self.published.append((topic, bytes(payload), retain, dup))
                if self.acks:
                    self.inbound += mqtt.puback(packet_id)
            elif kind == mqtt.PINGREQ:
                self.pings += 1
                self.inbound += mqtt.PINGRESP_BYTES
            elif kind == mqtt.DISCONNECT:
                self.left += 1
            else:
                assert kind == mqtt.PUBACK, kind


def marks(readings=(0, 0), event=(0, 0), life=LIFE):
    return {
        "life": life,
        "readings": {"boot": readings[0], "seq": readings[1]},
        "event": {"boot": event[0], "seq": event[1]},
    }
