"""A TCP connection to the in-memory broker: bytes take `latency_ms` each way, and are lost when the line breaks.

The broker reads what is sent at once, but answers arrive a round trip later: what reaches it in the last `latency_ms` before a break it never sees.
With `tls` a handshake of one round trip comes before the first byte. What goes wrong with the line is a function of time (`Troubles`).
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from simulator.agenda import Moment

DOWN, OPENING, UP, READY = 0, 1, 2, 3
WINDOW_BYTES = 5760  # lwIP's send buffer on the ESP32: more is not taken at one time
_NEVER = 1 << 42

Trouble = tuple[int, int, str, int]  # from, until (virtual ms), what (simulator.fault_tables.LINK_FAULTS), number


class LinkPort(Protocol):
    """The port (docs/ports.md), whatever is at its other end."""

    reason: str

    def open(self) -> None: ...
    def state(self) -> int: ...
    def secure(self) -> None: ...
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
    def __init__(
        self,
        moment: Moment,
        broker: Listener,
        wake: Callable[[int], object],
        latency_ms: int,
        *,
        tls: bool = False,
        troubles: Sequence[Trouble] = (),
        refused: Callable[[], object] = lambda: None,
    ) -> None:
        """`refused` is told when a certificate was (the clock may be to blame)."""
        self._moment = moment
        self._broker = broker
        self._wake = wake
        self.latency_ms = latency_ms
        self._tls = tls
        self._troubles = tuple(troubles)
        self._refused_certificate = refused
        self.reason = ""
        self._connection: Connection | None = None
        self._answered = False  # somebody took the call
        self._opened_ms = -1
        self._opens_ms = -1  # state is OPENING until then
        self._closes_ms = -1  # the other side's end arrives then
        self._secured_ms = -1  # the handshake is done then
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
        self._forget("timeout")
        t = self._opened_ms = self._moment.t
        self._opens_ms = t + 2 * self.latency_ms
        if self._troubles:
            if self._trouble("half_open") is not None:
                self._opens_ms = _NEVER  # nobody answers
                return
            if self._trouble("no_network") is not None:
                self.reason = "no network"
                return
        if not self._astray and self._broker.hears(t + self.latency_ms):
            self._answered = True
            if not self._tls:
                self._connection = self._broker.connect(self)

    def state(self) -> int:
        if self._opens_ms < 0:
            return DOWN
        if self._troubles:
            self._break_if_half_open()
        if self._moment.t < self._opens_ms:
            return OPENING
        if not self._answered:
            self._forget(self.reason if self.reason == "no network" else "refused")
            return DOWN
        if self._tls and not 0 <= self._secured_ms <= self._moment.t:
            return READY
        return UP

    def secure(self) -> None:
        """A step of the handshake: the first says hello, one after the answer finishes it."""
        t = self._moment.t
        if self.state() != READY:
            return
        if self._closes_ms == _NEVER:  # nobody is there any more
            return
        if 0 <= self._closes_ms <= t:
            self._forget("closed")
            return
        for what in ("certificate", "tls"):
            if self._trouble(what) is not None:
                if what == "certificate":
                    self._refused_certificate()
                self._forget(what)
                return
        if self._secured_ms < 0 and self._broker.hears(t + self.latency_ms):
            self._secured_ms = t + 2 * self.latency_ms
            self._connection = self._broker.connect(self)
            self._wake(self._secured_ms)

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
            self._forget("closed")
            return -1
        return 0

    def send(self, data: bytes | bytearray | memoryview) -> int:
        t = self._moment.t
        if t < self._opens_ms or self._opens_ms < 0 or (self._tls and not 0 <= self._secured_ms <= t):
            return 0
        data = bytes(data[: self.room()])
        self._taken += len(data)
        if self._connection is not None and data and self._broker.hears(t + self.latency_ms):
            self._connection.feed(data)
        return len(data)

    def room(self) -> int:
        """How many bytes are still taken in this millisecond."""
        t = self._moment.t
        if t != self._sent_ms:
            self._sent_ms = t
            self._taken = 0
        few = self._trouble("trickle") if self._troubles else None
        return max(0, (WINDOW_BYTES if few is None else few) - self._taken)

    def close(self) -> None:
        connection = self._connection
        if self._opens_ms >= 0:
            self._forget("timeout" if self._moment.t < self._opens_ms else self.reason)
        if connection is not None:
            connection.closed()

    # what the broker does

    def carries(self, connection: Connection) -> bool:
        """Whether this is the connection that stands now."""
        return self._connection is connection

    def deliver(self, data: bytes) -> None:
        """Bytes from the broker; they come a round trip after the ones they answer were sent."""
        arrives_ms = self._moment.t + 2 * self.latency_ms
        if self._troubles:
            self._break_if_half_open()
            if self._connection is None and self._closes_ms == _NEVER:
                return
            arrives_ms += self._trouble("late") or 0
            if self._inbound:
                arrives_ms = max(arrives_ms, self._inbound[-1][0])  # a stream keeps its order
        self._inbound.append((arrives_ms, data))
        self._wake(arrives_ms)

    def drop(self, silently: bool) -> None:
        """The broker is gone, and what was under way with it; `silently`: nobody tells the station."""
        self._connection = None
        self._inbound.clear()
        if self._opens_ms >= 0:
            self._closes_ms = _NEVER if silently else self._moment.t + self.latency_ms
            if not silently:
                self._wake(self._closes_ms)

    def reset(self) -> None:
        """What a revived broker's TCP answers to a connection it has never seen."""
        if self._closes_ms == _NEVER:
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

    def _trouble(self, what: str) -> int | None:
        t = self._moment.t
        return next((number for begin, end, name, number in self._troubles if name == what and begin <= t < end), None)

    def _break_if_half_open(self) -> None:
        """What stood when such a span began is dead, and says so only after it."""
        t = self._moment.t
        for begin, end, what, _ in self._troubles:
            if what == "half_open" and self._opened_ms < begin <= t and self._opens_ms < _NEVER:
                if self._closes_ms < 0:
                    self._connection = None
                    self._inbound.clear()
                    self._closes_ms = _NEVER
                if t >= end and self._closes_ms == _NEVER and self._connection is None:
                    self._closes_ms = end + self.latency_ms

    def _forget(self, reason: str) -> None:
        self.reason = reason
        self._connection = None
        self._answered = False
        self._opened_ms = -1
        self._opens_ms = -1
        self._closes_ms = -1
        self._secured_ms = -1
        self._inbound.clear()
        self._arrived.clear()
