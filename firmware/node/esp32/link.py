"""The way to the broker: a network, a TCP connection, TLS over it. Every call looks, takes a step and returns."""

import errno
import select
import socket

from node.core.clock import diff
from node.esp32.names import Name, numeric

DOWN = 0
OPENING = 1
UP = 2
READY = 3  # TCP stands, a handshake is wanted
_OPEN_WITHIN_MS = 12_000
_SECURE_WITHIN_MS = 30_000
_SILENT_MS = 15_000  # less than what any MQTT reply is waited for
_IN_PROGRESS = (errno.EINPROGRESS, 119)  # 119 is what the ESP32 says
_NOT_CONNECTED = 128  # the ESP32, of a port where nobody listens
_UNREACHABLE = (errno.ETIMEDOUT, errno.EHOSTUNREACH)
_RECORD = 1024  # bytes written at once: less than TLS puts in one record anywhere
# Nothing on MicroPython tells that a handshake is over, but a write that was taken. So the byte that every MQTT connection begins with
# is written by `secure`, and not again by `send`.
_LEAD = b"\x10"


class Link:
    """`broker`: host, port, `tls` 1 for TLS with the certificates in `root`certs/. `access` brings the network; see access.py."""

    def __init__(self, clock, access, broker: dict, root: str = ""):
        self._clock = clock
        self._access = access
        self._root = root
        self._tls = broker.get("tls", 0)
        self._secure = None  # made at the first opening, then kept
        self._lead_to(broker.get("host", ""), broker.get("port", 0))
        self._state = DOWN
        self._since = 0  # opened, ready, up, or heard of
        self._sock: socket.socket | None = None
        self._stream: socket.socket | None = None  # what is read and written: the socket, or TLS over it
        self._led = False
        self._stuck = 0
        self._poll = select.poll()
        self.reason = ""  # why it last went down

    def use(self, values: dict) -> None:
        """From now on another network or broker: `values` as node.core.network has them."""
        self.close()
        self._lead_to(values["broker.host"], int(values["broker.port"] or 0))
        if hasattr(self._access, "use"):
            self._access.use(values["wifi.ssid"], values["wifi.key"])

    def open(self) -> None:
        """To be called when a step may take as long as parsing a key does."""
        if self._state != DOWN or not self._name.host:
            return
        self._name.keep()
        if self._tls and self._secure is None and not self._prepare():
            return
        self._access.begin(self._vain)
        self._state = OPENING
        self._since = self._clock.ticks_ms()

    def state(self) -> int:
        if self._state == OPENING:
            try:
                self._step()
            except OSError as e:
                self._fail(self._why(e))
        elif self._state == READY and diff(self._clock.ticks_ms(), self._since) > _SECURE_WITHIN_MS:
            self._fail("timeout")
        return self._state

    def secure(self) -> None:
        """A step of the handshake. It never waits for bytes, but the key arithmetic of a step can't be interrupted."""
        secure = self._secure
        if self._state != READY or secure is None:
            return
        try:
            stream = self._stream
            if stream is None:
                stream = self._stream = secure.wrap(self._sock, self._name.host)
            if not stream.write(_LEAD):
                return  # more bytes of the other side are wanted
        except (OSError, ValueError, MemoryError) as e:
            self._fail(secure.why(e, self._sock) or self._why(e))
            return
        self._led = True
        self._rise()
        self._name.keep()

    def readable(self) -> bool:
        if self._state == UP:
            for _, event in self._poll.ipoll(0):
                return bool(event & ~select.POLLOUT)
        return False

    def recv_into(self, buffer) -> int:
        stream = self._stream
        if self._state != UP or stream is None:
            return -1
        try:
            count = stream.readinto(buffer)
        except OSError as e:
            self._fail(self._why(e))
            return -1
        if count is None:
            return 0
        if not count:
            self._fail("closed")
            return -1
        self._since = self._clock.ticks_ms()
        return count

    def send(self, data) -> int:
        """What is not taken has to come again, and first: TLS may hold it as a record that is not out yet."""
        stream = self._stream
        if self._state != UP or stream is None:
            return 0
        if self._led:
            self._led = False
            return 1
        done = 0
        view = memoryview(data)
        try:
            while done < len(data):
                # A write that was not taken is repeated to the byte. TLS has its record made already and would count whatever was added as sent.
                size = self._stuck or min(len(data) - done, _RECORD)
                count = stream.write(view[done : done + size])
                if not count:
                    self._stuck = size
                    break
                self._stuck = 0
                done += count
        except OSError as e:
            self._fail(self._why(e))
        return done

    def close(self) -> None:
        """Gives it up. A connection from which nothing has come for so long is given up for that."""
        if self._state != DOWN:
            silent_ms = diff(self._clock.ticks_ms(), self._since)
            self.reason = "" if self._state == UP and silent_ms < _SILENT_MS else "timeout"
        self._drop()

    def _lead_to(self, host: str, port: int) -> None:
        self._name = Name(host, path=self._root + "broker.address")
        self._port = port or (8883 if self._tls else 1883)
        self._vain = 0  # openings in a row whose packets nobody answered

    def _prepare(self) -> bool:
        try:
            from node.esp32.secure import Secure

            self._secure = Secure(self._root + "certs/")  # type: ignore[assignment]
            return True
        except (OSError, ValueError):
            self.reason = "certificate"
        except MemoryError:
            self.reason = "tls"
        return False

    def _step(self) -> None:
        """One of four things is so: no network yet, no address yet, not connected yet, or it took too long."""
        now = self._clock.ticks_ms()
        late = diff(now, self._since) > _OPEN_WITHIN_MS
        if self._sock is not None:
            self._connecting(self._sock, late)
        elif not self._access.up():
            if late:
                self._fail(self._access.reason or "no network")
        else:
            address = self._name.look(now, self._access.name_server())
            if address:
                self._connect(address)
            elif late:
                self._fail("no address")

    def _connecting(self, sock, late: bool) -> None:
        for _, event in self._poll.ipoll(0):
            if event & (select.POLLERR | select.POLLHUP):
                sock.read(1)  # raises what happened
                self._fail("refused")
            elif event & select.POLLOUT:
                # The ESP32 says so even for a closed port; there the first send or recv fails, and closes the link.
                self._poll.unregister(sock)
                if self._tls:
                    self._state = READY
                    self._since = self._clock.ticks_ms()
                else:
                    self._stream = sock
                    self._rise()
            return
        if late:
            self._fail("timeout")

    def _rise(self) -> None:
        self._state = UP
        self._vain = 0
        self._poll.register(self._stream, select.POLLIN)
        self._name.good()

    def _connect(self, address: str) -> None:
        self._sock = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._poll.register(sock, select.POLLOUT)
        sock.setblocking(False)  # for good: on the ESP32 setblocking(True) would also cancel a timeout
        try:
            sock.connect(numeric(address, self._port))
        except OSError as e:
            if e.errno not in _IN_PROGRESS:
                raise

    def _why(self, error) -> str:
        number = error.errno
        if number == errno.ECONNREFUSED or number == _NOT_CONNECTED:
            return "refused"
        return "timeout" if number in _UNREACHABLE else "closed"

    def _fail(self, reason: str) -> None:
        self.reason = reason
        if reason == "timeout" or reason == "no address":
            self._vain += 1
        elif reason != "no network":
            self._vain = 0
        if reason == "certificate":
            self._clock.certificate_refused()  # the time by which it was judged may be a lie
        self._name.stale()
        self._drop()

    def _drop(self) -> None:
        """Both are closed: a handshake that failed has let go of its socket and would leave it open."""
        state = self._state
        self._state = DOWN
        self._led = False
        self._stuck = 0
        stream = self._stream
        sock = self._sock
        self._stream = self._sock = None
        if state == UP:
            self._poll.unregister(stream)
        elif state == OPENING and sock is not None:
            self._poll.unregister(sock)
        if stream is not None:
            stream.close()
        if sock is not None and sock is not stream:
            sock.close()
