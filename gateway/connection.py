"""One MQTT connection of the gateway: bytes to messages on the node's codec, kept up for ever.

The session is persistent (clean_session 0) and QoS is 1: the broker keeps what was not acknowledged, and nothing is acknowledged here before
`acknowledge` is called, which is after the commit.
"""

import asyncio
import contextlib
import os
import random
import ssl
import time
from collections import deque
from typing import Protocol

from node.core import mqtt
from node.core.mqtt import MalformedPacket

CONNECT_WITHIN_S = 10
BACKOFF_S = (0.5, 30.0)  # first and longest wait between two attempts; jitter takes up to half of it
STEADY_S = 10  # a connection that lived this long starts the waits anew
WINDOW = 20  # our own publishes in flight
QUEUE_LIMIT = 10_000
LARGE = 131_072  # a packet above this is not gathered: its head is taken, which is enough to refuse it, and the rest is skipped
HEAD = 81_920  # of a large packet: the longest topic and more than a payload may have

NOT_YET = "not connected yet"
REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it refuses the client id",
    3: "it is unavailable",
    4: "user or password is wrong",
    5: "this gateway is not authorized",
}

# What TLS calls it -> what it is. With TLS 1.3 a refused certificate is told only after the handshake.
REFUSED_BY_TLS = {
    reason: f"it refuses this gateway's certificate ({said})"
    for reason, said in (
        ("TLSV1_ALERT_UNKNOWN_CA", "another authority's"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "it wants one"),
        ("SSLV3_ALERT_CERTIFICATE_REVOKED", "revoked"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "out of date"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "bad"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "or none was given"),
    )
}


def why(error: OSError) -> str:
    """The system's own words; asyncio's repeat the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return REFUSED_BY_TLS.get(error.reason or "", f"TLS failed ({error.reason or error})")
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error.strerror or error).lower()


class Taker(Protocol):
    """Who gets the messages. `take` may raise: then the message stays unacknowledged and the connection is made anew."""

    def take(self, connection: "Connection", topic: str, payload: bytes) -> None: ...

    def arrived(self, connection: "Connection") -> None:
        """All that came in one read has been taken."""

    def opened(self, connection: "Connection") -> None: ...

    def changed(self) -> None: ...


class Connection(asyncio.Protocol):
    """Client `client_id`, subscribed to `filters`; `trouble` is a sentence while it is down, None while it is up."""

    def __init__(
        self,
        taker: Taker,
        address: tuple[str, int],
        client_id: str,
        filters: tuple[str, ...],
        keepalive_s: int = 30,
        user: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.taker = taker
        self.address = address
        self.client_id = client_id
        self.filters = filters
        self.keepalive_s = keepalive_s
        self.ping_s = keepalive_s / 2
        self.trouble: str | None = NOT_YET
        self.to_acknowledge: list[int] = []
        self._login = (user, password.encode() if password is not None else None)
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._ended: asyncio.Future[str] | None = None
        self._rest = b""
        self._skip = 0
        self._heard = False
        self._paused = False
        self._unacknowledged: dict[int, bytes] = {}
        self._queue: deque[tuple[str, bytes, bool]] = deque(maxlen=QUEUE_LIMIT)
        self._next_id = 1
        self._up = False

    # Staying connected

    async def run(self) -> None:
        """Connect, and again whenever it ends. Ends by cancellation."""
        attempt = 0
        try:
            while True:
                began = time.monotonic()
                self._told(f"the broker at {self.address[0]}:{self.address[1]} can't be used: {await self._once()}")
                attempt = 0 if time.monotonic() - began > STEADY_S else attempt + 1
                wait = min(BACKOFF_S[0] * 2 ** min(attempt, 10), BACKOFF_S[1])
                await asyncio.sleep(wait * random.uniform(0.5, 1))
        finally:
            self._goodbye()

    async def _once(self) -> str:
        """One connection from beginning to end; why it ended."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await loop.create_connection(lambda: self, *self.address, ssl=self._tls)
        except TimeoutError:
            return "it does not answer"
        except OSError as error:
            return why(error)
        alive = asyncio.create_task(self._keep_alive())
        try:
            return await self._ended
        finally:
            alive.cancel()
            if self._transport is not None:
                self._transport.abort()

    async def _keep_alive(self) -> None:
        await asyncio.sleep(CONNECT_WITHIN_S)
        if not self._up:
            self._end("it accepts connections and says nothing")
        while True:
            self._heard = False
            self._write(mqtt.PINGREQ_BYTES)
            await asyncio.sleep(self.ping_s)
            if not self._heard and not self._paused:
                self._end("it has fallen silent")

    def _told(self, trouble: str | None) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self.taker.changed()

    def _end(self, reason: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)

    def _goodbye(self) -> None:
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._write(mqtt.DISCONNECT_BYTES)
                self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest = b""
        self._skip = 0
        self._paused = False
        self._write(mqtt.connect(self.client_id, self.keepalive_s, 0, None, *self._login))

    def connection_lost(self, error: Exception | None) -> None:
        self._up = False
        self._transport = None
        self.to_acknowledge = []  # the broker sends these again; their keys are known by then
        known = why(error) if isinstance(error, ssl.SSLError) else str(error) if error else "it closed the connection"
        self._end(known)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            self._read(data)
        except MalformedPacket as error:
            self._end(f"it sent what is not MQTT 3.1.1 ({error})")
        except Exception as error:
            # Of what is in a message nothing raises; this is the database, or a fault of ours. Unacknowledged, it comes again.
            self._end(f"a message could not be taken ({error})")
        else:
            self.taker.arrived(self)

    def _read(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        buffer = self._rest + data if self._rest else data
        at = 0
        end = len(buffer)
        take = self.taker.take
        while at < end and self._ended is not None and not self._ended.done():
            length = mqtt.packet_length(buffer, at, end, mqtt.MAX_REMAINING + 5)
            if not length:
                at = self._gather(buffer, at, end)
                break
            if buffer[at] & 0xF0 == 0x30:
                topic, payload, qos, _, _, packet_id = mqtt.parse_publish(buffer, at, at + length)
                take(self, topic, payload)
                if qos:
                    self.to_acknowledge.append(packet_id)
            else:
                self._answer(buffer, at, at + length)
            at += length
        self._rest = buffer[at:]

    def _gather(self, buffer: bytes, at: int, end: int) -> int:
        """Where the part to keep begins: the packet's start, or its end when it is too large to be gathered and its head is here."""
        if end - at < HEAD or buffer[at] & 0xF0 != 0x30:
            return at
        length = shift = 0
        body = at + 1
        while True:
            length |= (buffer[body] & 127) << shift
            shift += 7
            body += 1
            if buffer[body - 1] < 128:
                break
        if body + length - at <= LARGE:
            return at
        topic_end = body + 2 + (buffer[body] << 8 | buffer[body + 1])
        packet_id = int.from_bytes(buffer[topic_end : topic_end + 2], "big") if buffer[at] & 6 else 0
        payload_at = topic_end + (2 if packet_id else 0)
        topic = buffer[body + 2 : topic_end].decode("utf-8", "replace")
        self.taker.take(self, topic, buffer[payload_at : at + HEAD])
        if packet_id:
            self.to_acknowledge.append(packet_id)
        self._skip = body + length - end
        return end

    def _answer(self, buffer: bytes, at: int, end: int) -> None:
        """Whatever is not a message."""
        kind = buffer[at] >> 4
        if kind == mqtt.CONNACK:
            _, code = mqtt.parse_connack(buffer, at, end)
            if code:
                self._end(REFUSALS[code])
            else:
                self._write(mqtt.subscribe(self._packet_id(), tuple((f, 1) for f in self.filters)))
        elif kind == mqtt.SUBACK:
            _, codes = mqtt.parse_suback(buffer, at, end)
            if 0x80 in codes:
                self._end(f"it refuses the subscription {self.filters[codes.index(0x80)]}")
            else:
                self._opened()
        elif kind == mqtt.PUBACK:
            self._unacknowledged.pop(mqtt.parse_puback(buffer, at, end), None)
            self._send_queued()
        elif kind != mqtt.PINGRESP:
            raise MalformedPacket(f"packet type {kind}")

    def _opened(self) -> None:
        self._up = True
        for packet in self._unacknowledged.values():
            self._write(bytes((packet[0] | 8,)) + packet[1:])
        self._told(None)
        self.taker.opened(self)
        self._send_queued()

    # For whoever takes the messages

    def acknowledge(self, taken: list[int], count: int) -> None:
        """The first `count` of what `to_acknowledge` was at the time are kept. Of an earlier connection's nothing can be said."""
        if count and taken is self.to_acknowledge:
            self._write(b"".join([mqtt.puback(packet_id) for packet_id in taken[:count]]))
            del taken[:count]

    def pause(self, paused: bool) -> None:
        """Read no more for now: the broker waits."""
        transport = self._transport
        if paused != self._paused and transport is not None and not transport.is_closing():
            self._paused = paused
            if paused:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """QoS 1. What doesn't fit any more pushes out the oldest; it is said again after the next connection."""
        self._queue.append((topic, payload, retain))
        self._send_queued()

    def _send_queued(self) -> None:
        while self._up and self._queue and len(self._unacknowledged) < WINDOW:
            topic, payload, retain = self._queue.popleft()
            packet_id = self._packet_id()
            packet = mqtt.publish(topic, payload, 1, retain, 0, packet_id)
            self._unacknowledged[packet_id] = packet
            self._write(packet)

    @property
    def up(self) -> bool:
        return self._up

    def _packet_id(self) -> int:
        self._next_id = self._next_id % 65535 + 1
        while self._next_id in self._unacknowledged:
            self._next_id = self._next_id % 65535 + 1
        return self._next_id

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
