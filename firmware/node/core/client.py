"""The node's MQTT 3.1.1 connection: bytes in, bytes out, time is an argument, nothing waits.

Whoever owns the byte stream calls opened() when it is up, receive() with what came in, step() when it is due, writes
`out` and says so with sent(), closes the stream when `want_close` is set, and calls closed() when it is gone. In this
order: receive what is there, then step, then write; a step before reading would take a reply for missing.
Times are milliseconds of node.core.clock.
"""

from node.core import mqtt
from node.core.clock import diff

DOWN = 0
OPENING = 1  # CONNECT is queued, CONNACK awaited
UP = 2

IDLE_MS = 3600000  # step() with nothing to wait for

# [3.2.2.3] by CONNACK's code
REFUSED = ("", "protocol level", "client id", "server unavailable", "user name or password", "not authorised")


class _Sent:
    """A QoS 1 message from its first sending to its PUBACK."""

    def __init__(self, packet_id, token, packet, at_ms):
        self.packet_id = packet_id
        self.token = token
        self.packet = packet
        self.at_ms = at_ms


class Client:
    """One session (clean_session 0) over any number of connections.

    keepalive_s: 0 for none. window: QoS 1 messages in flight at most. will: (topic, payload, qos, retain) or None.
    subscriptions: ((topic filter, qos 0 or 1), ...), asked for after every CONNACK. packet_limit: bytes of the longest
    packet, either way. ack_timeout_ms: a reply that is not there by then means that the connection is lost.
    ValueError for arguments that MQTT does not allow.

    Read: `state`, `reason` (why it last went down), `out` (bytearray to be written), `want_close`; counters
    `resent` (messages sent again with DUP), `unknown_acks`, `refused_subscriptions` (of the last SUBACK), `passed_over`
    (messages to the node over packet_limit: acknowledged and dropped, else the broker sends them again for ever, and
    one retained message that is too long keeps a station from ever staying up).
    Set: `on_message(topic, payload)`, called before the PUBACK is queued; `on_acked(token)`. Either may call publish().
    If one raises, the connection is given up and the exception passed on: the broker sends that message again.
    """

    def __init__(
        self,
        client_id,
        keepalive_s=60,
        window=8,
        will=None,
        subscriptions=(),
        packet_limit=2048,
        ack_timeout_ms=20000,
        user=None,
        password=None,
    ):
        for _, qos in subscriptions:
            if qos > 1:
                raise ValueError("subscription with QoS 2")
        self._connect = mqtt.connect(client_id, keepalive_s, 0, will, user, password)
        # An eighth early: the time from queue to broker counts against the keep alive [3.1.2-23].
        self._ping_after_ms = keepalive_s * 875
        self._window = window
        self._subscriptions = subscriptions
        self._packet_limit = packet_limit
        self._ack_timeout_ms = ack_timeout_ms
        self._in = bytearray(packet_limit)
        self._held = 0  # bytes of an incomplete packet in _in
        self._skip = 0  # bytes still to come of a packet over the limit
        self._sent = []  # in the order of their first sending
        self._last_id = 0
        self._subscribe_id = 0  # 0: no SUBACK awaited
        self._waits_since = 0  # CONNECT, then SUBSCRIBE, was queued
        self._ping_waits = False
        self._queued_ms = 0  # the last packet was queued; with _ping_waits: the PINGREQ
        self._pinged_ms = 0
        self.state = DOWN
        self.reason = ""
        self.want_close = False
        self.out = bytearray()
        self.retained = 0  # whether the message that on_message is told now was retained
        self.on_message = None
        self.on_acked = None
        self.resent = 0
        self.unknown_acks = 0
        self.refused_subscriptions = 0
        self.passed_over = 0

    @property
    def connected(self) -> bool:
        return self.state == UP

    @property
    def in_flight(self) -> int:
        """QoS 1 messages sent at least once and not acknowledged."""
        return len(self._sent)

    def opened(self, now_ms: int):
        """The byte stream is up: CONNECT is queued. What an earlier stream left unread or unwritten is forgotten."""
        self._drop(OPENING)
        self.want_close = False
        self._waits_since = now_ms
        self._queue(now_ms, self._connect)

    def closed(self):
        """The byte stream is gone. Messages in flight are kept for the next one."""
        if self.state != DOWN:
            self.reason = "closed by the other side"
        self._drop(DOWN)
        self.want_close = False

    def disconnect(self):
        """Leave in order, so that the broker drops the will [3.14.4-3]: write `out`, then close. Keeps in flight."""
        if self.state == UP:
            self.out.extend(mqtt.DISCONNECT_BYTES)
        self.state = DOWN
        self.reason = "disconnected"
        self.want_close = True

    def sent(self, count: int):
        """The first `count` bytes of `out` were written."""
        self.out[:count] = b""

    def room(self) -> bool:
        """Whether `publish` would take a QoS 1 message now."""
        return self.state == UP and len(self.out) < self._packet_limit and len(self._sent) < self._window

    def publish(self, now_ms: int, topic: str, payload, qos: int, retain, token=None) -> bool:
        """Queue a message. False, and nothing done: not UP, the window is full, or `out` holds a whole packet_limit.

        token comes back in on_acked, for QoS 1. ValueError: QoS 2, or a packet over packet_limit.
        """
        if self.state != UP or len(self.out) >= self._packet_limit or (qos and len(self._sent) >= self._window):
            return False
        packet_id = self._next_id() if qos else 0
        packet = mqtt.publish(topic, payload, qos, retain, 0, packet_id)
        if qos > 1 or len(packet) > self._packet_limit:
            raise ValueError("QoS 2, or over packet_limit")
        if qos:
            self._sent.append(_Sent(packet_id, token, packet, now_ms))
        self._queue(now_ms, packet)
        return True

    def receive(self, now_ms: int, buffer, count: int):
        """The first `count` bytes of `buffer` came in; ignored while DOWN. What breaks the standard sets want_close."""
        source = memoryview(buffer)
        taken = 0
        try:
            while taken < count and self.state != DOWN:
                if self._skip:
                    room = min(count - taken, self._skip)
                    taken += room
                    self._skip -= room
                    continue
                # The room is never 0: a packet that fills _in was whole, and gone, or over the limit.
                room = min(count - taken, self._packet_limit - self._held)
                end = self._held + room
                self._in[self._held : end] = source[taken : taken + room]
                taken += room
                self._held = self._take_packets(now_ms, end)
        except mqtt.MalformedPacket as error:
            self._fail("malformed: " + str(error))
        except Exception:
            self._fail("a callback raised")
            raise

    def step(self, now_ms: int) -> int:
        """Ping, or give up on a reply that is overdue. Milliseconds until it has to be called again, 1 or more."""
        if self.state == DOWN:
            return IDLE_MS
        wait = IDLE_MS
        if self.state == OPENING or self._subscribe_id:
            wait = self._left(now_ms, self._waits_since, "no CONNACK" if self.state == OPENING else "no SUBACK")
        if self.state == UP and self._sent:
            wait = min(wait, self._left(now_ms, self._sent[0].at_ms, "no PUBACK"))
        if self.state == UP and self._ping_after_ms:
            if not self._ping_waits:
                idle_ms = diff(now_ms, self._queued_ms)
                if idle_ms < self._ping_after_ms:
                    return min(wait, self._ping_after_ms - idle_ms)
                self._queue(now_ms, mqtt.PINGREQ_BYTES)
                self._ping_waits = True
                self._pinged_ms = now_ms
            wait = min(wait, self._left(now_ms, self._pinged_ms, "no PINGRESP"))
        return wait

    def _left(self, now_ms, since_ms, reason):
        left = self._ack_timeout_ms - diff(now_ms, since_ms)
        if left > 0:
            return left
        self._fail(reason)
        return IDLE_MS

    def _drop(self, state):
        self.state = state
        self.out = bytearray()
        self._held = self._skip = 0
        self._subscribe_id = 0
        self._ping_waits = False

    def _fail(self, reason):
        self._drop(DOWN)
        self.reason = reason
        self.want_close = True

    def _queue(self, now_ms, packet):
        self.out.extend(packet)
        self._queued_ms = now_ms

    def _next_id(self):
        """The next identifier that nothing in flight uses [2.3.1-2, 2.3.1-4]."""
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id != self._subscribe_id and self._index(self._last_id) < 0:
                return self._last_id

    def _index(self, packet_id):
        for index in range(len(self._sent)):
            if self._sent[index].packet_id == packet_id:
                return index
        return -1

    def _take_packets(self, now_ms, end):
        """Take the whole packets of _in[:end]; the bytes left over move to its front, their number is returned."""
        start = 0
        while self.state != DOWN:
            try:
                length = mqtt.packet_length(self._in, start, end, self._packet_limit)
            except mqtt.PacketTooLong as error:
                if self._pass_over(now_ms, start, end, error.args[1]):
                    return 0
                length = 0
            if not length:
                if start and start < end:
                    self._in[: end - start] = self._in[start:end]
                return end - start
            self._take(now_ms, start, start + length)
            start += length
        return 0

    def _pass_over(self, now_ms, start, end, length):
        """Skip a PUBLISH over the limit; False while too little of it is there to acknowledge it."""
        packet = self._in
        if self.state != UP or packet[start] >> 4 != mqtt.PUBLISH or packet[start] & 4:
            raise mqtt.MalformedPacket("too long")
        if packet[start] & 2:
            at = start + 1
            while packet[at] > 127:
                at += 1
            if at + 3 > end:
                return False
            at += 3 + (packet[at + 1] << 8 | packet[at + 2])
            if at + 2 > start + min(length, self._packet_limit):
                raise mqtt.MalformedPacket("topic name")
            if at + 2 > end:
                return False
            packet_id = packet[at] << 8 | packet[at + 1]
            if not packet_id:
                raise mqtt.MalformedPacket("packet identifier 0")
            self._acknowledge(now_ms, packet_id)
        self.passed_over += 1
        self._skip = length - (end - start)
        return True

    def _acknowledge(self, now_ms, packet_id):
        if len(self.out) > (self._window + 2) * self._packet_limit:
            self._fail("the other side sends and does not read")
        else:
            self._queue(now_ms, mqtt.puback(packet_id))

    def _take(self, now_ms, start, end):
        kind = self._in[start] >> 4
        if self.state == OPENING:
            if kind != mqtt.CONNACK:  # [3.2.0-1]
                raise mqtt.MalformedPacket("not CONNACK first")
            self._take_connack(now_ms, mqtt.parse_connack(self._in, start, end)[1])
        elif kind == mqtt.PUBLISH:
            topic, payload, qos, retain, _, packet_id = mqtt.parse_publish(self._in, start, end)
            if qos > 1:
                raise mqtt.MalformedPacket("QoS 2")
            if self.on_message:
                self.retained = retain
                self.on_message(topic, payload)
            if qos and self.state == UP:
                self._acknowledge(now_ms, packet_id)
        elif kind == mqtt.PUBACK:
            index = self._index(mqtt.parse_puback(self._in, start, end))
            if index < 0:
                self.unknown_acks += 1
            else:
                token = self._sent.pop(index).token
                if self.on_acked:
                    self.on_acked(token)
        elif kind == mqtt.SUBACK:
            packet_id, codes = mqtt.parse_suback(self._in, start, end)
            if packet_id != self._subscribe_id:
                self.unknown_acks += 1
            elif len(codes) != len(self._subscriptions):  # [3.8.4-5]
                raise mqtt.MalformedPacket("SUBACK codes")
            else:
                self._subscribe_id = 0
                self.refused_subscriptions = codes.count(b"\x80")
        elif kind == mqtt.PINGRESP and end - start == 2:
            self._ping_waits = False
        else:
            raise mqtt.MalformedPacket("unexpected type")

    def _take_connack(self, now_ms, code):
        if code:
            self._fail("refused: " + REFUSED[code])
            return
        self.state = UP
        if self._subscriptions:
            self._subscribe_id = self._next_id()
            self._waits_since = now_ms
            self._queue(now_ms, mqtt.subscribe(self._subscribe_id, self._subscriptions))
        for message in self._sent:
            # [4.4.0-1] again with DUP and the same identifier, in their order [4.6.0-1], before any new one
            self._queue(now_ms, message.packet)
            self.out[-len(message.packet)] |= 8
            message.at_ms = now_ms
            self.resent += 1
