"""An in-memory MQTT 3.1.1 broker: sessions that outlive connections, retained messages, QoS 0 and 1, last wills, outages.

It has no sockets and no clock of its own. What stations publish goes to the trace, to the gateway and to whoever subscribed. Not here, because no scenario
needs it: QoS 2, limits on what it queues, keepalive timeouts, and re-sending on a connection that stays open.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from node.core import mqtt, mqtt_broker
from simulator.adapters.link import Link
from simulator.agenda import NEVER, Moment

_PACKET_LIMIT = 65_536
_IDENTIFIERS = 65_535


@dataclass(frozen=True, slots=True)
class Outage:
    """The broker is away from `from_ms` to `to_ms`.

    `silent`: connections just stop, nobody is told; `forgets`: sessions, retained messages and what the gateway had not read are gone.
    """

    from_ms: int
    to_ms: int
    silent: bool = False
    forgets: bool = False


@dataclass(slots=True)
class Session:
    """What is kept of a client between connections: (topic, payload, retain) of what it has not acknowledged."""

    filters: dict[str, int] = field(default_factory=dict)
    unacknowledged: dict[int, tuple[str, bytes, int]] = field(default_factory=dict)
    waiting: list[tuple[str, bytes, int]] = field(default_factory=list)
    last_id: int = 0
    seat: "Seat | None" = None

    def next_id(self) -> int:
        while True:
            self.last_id = self.last_id % _IDENTIFIERS + 1
            if self.last_id not in self.unacknowledged:
                return self.last_id


class Seat:
    """One connection of a station: bytes in, packets out."""

    __slots__ = ("_broker", "_rest", "link", "node", "client_id", "session", "clean", "will", "left")

    def __init__(self, broker: "Broker", link: Link, node: str) -> None:
        self._broker = broker
        self._rest = b""
        self.link = link
        self.node = node
        self.client_id = ""
        self.session: Session | None = None
        self.clean = 1
        self.will: tuple[str, bytes, int, int] | None = None
        self.left = False

    def feed(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        start = 0
        end = len(data)
        try:
            while start < end:
                length = mqtt.packet_length(data, start, end, _PACKET_LIMIT)
                if not length:
                    break
                self._packet(data, start, start + length)
                start += length
        except mqtt.MalformedPacket:
            self._broker.leave(self, gracefully=False)
            if self.link.carries(self):
                self.link.drop(False)
            return
        self._rest = data[start:] if start < end else b""

    def closed(self) -> None:
        self._broker.leave(self, gracefully=False)

    def say(self, data: bytes) -> None:
        """To the station, while this connection stands: the line may carry another by now."""
        if self.link.carries(self):
            self.link.deliver(data)

    def _packet(self, data: bytes, start: int, end: int) -> None:
        kind = data[start] >> 4
        broker = self._broker
        session = self.session
        if kind == mqtt.CONNECT and session is None:
            broker.enter(self, mqtt_broker.parse_connect(data, start, end))
        elif session is None:
            raise mqtt.MalformedPacket("CONNECT comes first")
        elif kind == mqtt.PUBLISH:
            topic, payload, qos, retain, _, packet_id = mqtt.parse_publish(data, start, end)
            if qos > 1:
                raise mqtt.MalformedPacket("QoS 2 is not served")
            broker.published(self.node, topic, payload, qos, retain)
            if qos:
                self.say(mqtt.puback(packet_id))
        elif kind == mqtt.PUBACK:
            session.unacknowledged.pop(mqtt.parse_puback(data, start, end), None)
        elif kind == mqtt.SUBSCRIBE:
            packet_id, filters = mqtt_broker.parse_subscribe(data, start, end)
            broker.subscribe(self, session, packet_id, filters)
        elif kind == mqtt.PINGREQ:
            self.say(mqtt.PINGRESP_BYTES)
        elif kind == mqtt.DISCONNECT:
            broker.leave(self, gracefully=True)
        else:
            raise mqtt.MalformedPacket("not a packet for a broker")


class Broker:
    def __init__(
        self,
        moment: Moment,
        traced: Callable[[str, str, int, int, bytes], object],
        received: Callable[[str, bytes, int], object],
        outages: tuple[Outage, ...] = (),
    ) -> None:
        """`traced(node, topic, qos, retain, payload)` hears every publish of a station, `received(topic, payload, t_ms)` is the gateway."""
        self._moment = moment
        self._traced = traced
        self._received = received
        self._outages = sorted(outages, key=lambda outage: outage.from_ms)
        self._next_break_ms = self._outages[0].from_ms if self._outages else NEVER
        self._sessions: dict[str, Session] = {}
        self._seats: dict[Link, Seat] = {}
        self._abandoned: list[Link] = []  # links that were not told that the broker went
        self._retained: dict[str, bytes] = {}
        self._exact: dict[str, list[Session]] = {}
        self._patterns: list[tuple[list[str], Session]] = []
        self._nodes: dict[Link, str] = {}
        self.away = False
        self.forget = lambda: None  # the intake's part of an outage that forgets
        self.repeats: Callable[[str], bool] = lambda node: False  # whether a message to this node goes out twice
        self.published_count = 0
        self.connects_in: dict[int, int] = {}  # second -> CONNECTs

    def introduce(self, link: Link, node: str) -> None:
        """Whose link that is: the certificate, so to speak."""
        self._nodes[link] = node

    def retained(self) -> list[tuple[str, bytes]]:
        return sorted(self._retained.items())

    def waiting(self) -> dict[str, int]:
        """Messages kept for each client: under way, or until it is there again."""
        return {name: len(one.waiting) + len(one.unacknowledged) for name, one in self._sessions.items()}

    # the line

    def hears(self, t_ms: int) -> bool:
        return t_ms < self._next_break_ms and not self.away

    def connect(self, link: Link) -> Seat:
        seat = Seat(self, link, self._nodes[link])
        self._seats[link] = seat
        return seat

    def run(self, t_ms: int) -> int:
        """The agenda's call: an outage begins or ends. Returns when the next one does."""
        if not self._outages:
            return NEVER
        outage = self._outages[0]
        if not self.away:
            if t_ms < outage.from_ms:
                return outage.from_ms
            self._break(outage)
            return outage.to_ms
        self._outages.pop(0)
        self.away = False
        self._next_break_ms = self._outages[0].from_ms if self._outages else NEVER
        for link in self._abandoned:
            link.reset()
        self._abandoned.clear()
        return self._next_break_ms

    def _break(self, outage: Outage) -> None:
        self.away = True
        for link, seat in list(self._seats.items()):
            seat.left = True
            link.drop(outage.silent)
            if outage.silent:
                self._abandoned.append(link)
        self._seats.clear()
        for session in self._sessions.values():
            session.seat = None
        if outage.forgets:
            self._sessions.clear()
            self._retained.clear()
            self._exact.clear()
            self._patterns.clear()
            self.forget()

    # clients

    def enter(self, seat: Seat, packet: tuple) -> None:
        seat.client_id, _, seat.clean, seat.will, _, _ = packet
        second = self._moment.t // 1000
        self.connects_in[second] = self.connects_in.get(second, 0) + 1
        session = self._sessions.get(seat.client_id)
        if session is not None and session.seat is not None:  # [3.1.4-2] a second connection takes over
            other = session.seat
            self.leave(other, gracefully=False)
            if other.link.carries(other):
                other.link.drop(False)
        if session is not None and seat.clean:
            self._end(seat.client_id)
            session = None
        present = session is not None
        if session is None:
            session = self._sessions[seat.client_id] = Session()
        seat.session = session
        session.seat = seat
        seat.say(mqtt_broker.connack(1 if present else 0, 0))
        for packet_id, (topic, payload, retain) in session.unacknowledged.items():
            seat.say(mqtt.publish(topic, payload, 1, retain, 1, packet_id))
        waiting, session.waiting = session.waiting, []
        for topic, payload, retain in waiting:
            self._send(session, topic, payload, 1, retain)

    def leave(self, seat: Seat, gracefully: bool) -> None:
        if seat.left:
            return
        seat.left = True
        if self._seats.get(seat.link) is seat:
            del self._seats[seat.link]
        session, seat.session = seat.session, None
        if session is None:
            return
        session.seat = None
        if seat.clean:
            self._end(seat.client_id)
        if seat.will and not gracefully:
            topic, payload, qos, retain = seat.will
            self.publish(topic, payload, qos, retain)

    def _end(self, client_id: str) -> None:
        session = self._sessions.pop(client_id)
        for listeners in self._exact.values():
            if session in listeners:
                listeners.remove(session)
        self._patterns = [entry for entry in self._patterns if entry[1] is not session]

    def subscribe(self, seat: Seat, session: Session, packet_id: int, filters: tuple) -> None:
        for topic_filter, qos in filters:
            if topic_filter not in session.filters:
                if "+" in topic_filter or "#" in topic_filter:
                    self._patterns.append((topic_filter.split("/"), session))
                else:
                    self._exact.setdefault(topic_filter, []).append(session)
            session.filters[topic_filter] = min(qos, 1)
        seat.say(mqtt_broker.suback(packet_id, bytes([min(qos, 1) for _, qos in filters])))
        for topic_filter, qos in filters:
            levels = topic_filter.split("/")
            if "+" not in levels and "#" not in levels:
                if topic_filter in self._retained:
                    self._send(session, topic_filter, self._retained[topic_filter], qos, 1)
                continue
            for topic in sorted(self._retained):
                if matches(levels, topic.split("/")):
                    self._send(session, topic, self._retained[topic], qos, 1)

    # messages

    def published(self, node: str, topic: str, payload: bytes, qos: int, retain: int) -> None:
        """A station published."""
        self._traced(node, topic, qos, retain, payload)
        self.published_count += 1
        self.publish(topic, payload, qos, retain)

    def publish(self, topic: str, payload: bytes, qos: int, retain: int) -> None:
        self._received(topic, payload, self._moment.t)
        self.route(topic, payload, qos, retain)

    def route(self, topic: str, payload: bytes, qos: int, retain: int) -> None:
        """To whoever subscribed; kept when it is to be retained (an empty payload ends that)."""
        if retain:
            if payload:
                self._retained[topic] = payload
            else:
                self._retained.pop(topic, None)
        for session in self._exact.get(topic, ()):
            self._send(session, topic, payload, min(qos, session.filters[topic]), 0)
        if self._patterns:
            levels = topic.split("/")
            for pattern, session in self._patterns:
                if matches(pattern, levels):
                    self._send(session, topic, payload, min(qos, session.filters["/".join(pattern)]), 0)

    def _send(self, session: Session, topic: str, payload: bytes, qos: int, retain: int) -> None:
        seat = session.seat
        if not qos:
            if seat is not None:
                seat.say(mqtt.publish(topic, payload, 0, retain, 0, 0))
            return
        if seat is None:
            session.waiting.append((topic, payload, retain))
            return
        packet_id = session.next_id()
        session.unacknowledged[packet_id] = (topic, payload, retain)
        seat.say(mqtt.publish(topic, payload, 1, retain, 0, packet_id))
        if self.repeats(seat.node):
            seat.say(mqtt.publish(topic, payload, 1, retain, 1, packet_id))


def matches(pattern: list[str], levels: list[str]) -> bool:
    """MQTT 4.7: + is one level, # the rest; neither reaches into topics that begin with $."""
    if levels[0].startswith("$") and pattern[0] in ("+", "#"):
        return False
    for i, want in enumerate(pattern):
        if want == "#":
            return True
        if i >= len(levels) or want not in ("+", levels[i]):
            return False
    return len(pattern) == len(levels)
