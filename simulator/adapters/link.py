"""A TCP connection to the in-memory broker: bytes take `latency_ms` each way, and are lost when the line breaks.

The broker reads what is sent at once, but answers arrive a round trip later: what reaches it in the last `latency_ms` before a break it never sees.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from simulator.agenda import Moment

DOWN, OPENING, UP = 0, 1, 2
WINDOW_BYTES = 5760  # lwIP's send buffer on the ESP32: more is not taken at one time


class LinkPort(Protocol):
    """The port (docs/ports.md), whatever is at its other end."""

    def open(self) -> None: ...
    def state(self) -> int: ...
    def recv_into(self, buffer: bytearray | memoryview) -> int: ...
    def send(self, data: bytes | bytearray | memoryview) -> int: ...
    def close(self) -> None: ...
    def use(self, values: dict[str, str]) -> None: ...


class Connection(Protocol):
    def feed(self, data: bytes) -> None: ...

    def closed(self) -> None:
        """The station closed it."""
        ...


class Listener(Protocol):
    def connect(self, link: "Link") -> Connection | None:
        """None when nobody answers the call."""
        ...

    def hears(self, t_ms: int) -> bool:
        """Whether bytes that arrive at this time are read."""
        ...


class Link:
    def __init__(self, moment: Moment, broker: Listener, wake: Callable[[int], object], latency_ms: int) -> None:
        self._moment = moment
        self._broker = broker
        self._wake = wake
        self.latency_ms = latency_ms
        self._connection: Connection | None = None
        self._opens_ms = -1  # state is OPENING until then
        self._closes_ms = -1  # the other side's end arrives then
        self._inbound: deque[tuple[int, bytes]] = deque()
        self._arrived = bytearray()
        self._sent_ms = -1
        self._taken = 0
        self._astray = False
        self.home = ""  # the broker's host as the station's own data has it

    def use(self, values: dict[str, str]) -> None:
        """From now on it leads there (`node.core.network`); only at home is there a broker."""
        self.close()
        self._astray = values["broker.host"] != self.home

    def open(self) -> None:
        if self._opens_ms >= 0:
            return
        self._forget()
        self._opens_ms = self._moment.t + 2 * self.latency_ms
        if not self._astray and self._broker.hears(self._moment.t + self.latency_ms):
            self._connection = self._broker.connect(self)

    def state(self) -> int:
        if self._opens_ms < 0:
            return DOWN
        if self._moment.t < self._opens_ms:
            return OPENING
        if self._connection is None and self._closes_ms < 0:
            self._forget()  # refused
            return DOWN
        return UP

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        data = self._arrived
        inbound = self._inbound
        t = self._moment.t
        while inbound and inbound[0][0] <= t:
            data += inbound.popleft()[1]
        if data:
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            del data[:count]
            return count
        if 0 <= self._closes_ms <= t:
            self._forget()
            return -1
        return 0

    def send(self, data: bytes | bytearray | memoryview) -> int:
        t = self._moment.t
        if t < self._opens_ms or self._opens_ms < 0:
            return 0
        if t != self._sent_ms:
            self._sent_ms = t
            self._taken = 0
        data = bytes(data[: WINDOW_BYTES - self._taken])
        self._taken += len(data)
        if self._connection is not None and data and self._broker.hears(t + self.latency_ms):
            self._connection.feed(data)
        return len(data)

    def close(self) -> None:
        connection = self._connection
        self._forget()
        if connection is not None:
            connection.closed()

    # what the broker does

    def deliver(self, data: bytes) -> None:
        """Bytes from the broker; they come a round trip after the ones they answer were sent."""
        arrives_ms = self._moment.t + 2 * self.latency_ms
        self._inbound.append((arrives_ms, data))
        self._wake(arrives_ms)

    def drop(self, silently: bool) -> None:
        """The broker is gone, and what was under way with it; `silently`: nobody tells the station."""
        self._connection = None
        self._inbound.clear()
        if self._opens_ms >= 0:
            self._closes_ms = 1 << 42 if silently else self._moment.t + self.latency_ms
            if not silently:
                self._wake(self._closes_ms)

    def reset(self) -> None:
        """What a revived broker's TCP answers to a connection it has never seen."""
        if self._closes_ms == 1 << 42:
            self._closes_ms = self._moment.t + self.latency_ms
            self._wake(self._closes_ms)

    # what the vm runtime takes along and brings back

    def waiting(self) -> bytes:
        data = self._arrived
        inbound = self._inbound
        t = self._moment.t
        while inbound and inbound[0][0] <= t:
            data += inbound.popleft()[1]
        return bytes(data)

    def take(self, count: int) -> None:
        del self._arrived[:count]

    def ended(self) -> bool:
        return 0 <= self._closes_ms <= self._moment.t

    def _forget(self) -> None:
        self._connection = None
        self._opens_ms = -1
        self._closes_ms = -1
        self._inbound.clear()
        self._arrived.clear()
