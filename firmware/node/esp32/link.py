"""The way to the broker: Wi-Fi, then a TCP connection. Every call looks, takes a step and returns."""

import errno
import select
import socket

import network

from node.core.clock import diff
from node.esp32.names import Name, numeric

DOWN = 0
OPENING = 1
UP = 2
_OPEN_WITHIN_MS = 20_000
_IN_PROGRESS = (errno.EINPROGRESS, 119)  # 119 is what the ESP32 says


class Link:
    def __init__(self, clock, wifi: dict, broker: dict):
        self._clock = clock
        self._wifi = wifi
        self._name = Name(broker.get("host", ""))
        self._port = broker.get("port", 1883)
        self._wlan = network.WLAN(network.STA_IF)
        self._joining = False
        self._state = DOWN
        self._opened_at = 0
        self._sock: socket.socket | None = None
        self._poll = select.poll()

    def join(self) -> bool:
        """True when there is a network. The chip itself joins again after a loss, for ever: it is asked once."""
        if not self._joining and self._wifi.get("ssid"):
            self._joining = True
            try:
                self._wlan.active(True)
                self._wlan.connect(self._wifi["ssid"], self._wifi.get("key", ""))
            except OSError:
                self._joining = False  # the radio was busy: ask once more
        return self._wlan.isconnected()

    def name_server(self) -> str:
        return self._wlan.ifconfig()[3]

    def open(self) -> None:
        if self._state == DOWN and self._name.host:
            self._state = OPENING
            self._opened_at = self._clock.ticks_ms()

    def state(self) -> int:
        if self._state == OPENING:
            try:
                self._step()
            except OSError:
                self._fail()
        return self._state

    def readable(self) -> bool:
        if self._state == UP:
            for _, event in self._poll.ipoll(0):
                return bool(event & ~select.POLLOUT)
        return False

    def recv_into(self, buffer) -> int:
        sock = self._sock
        if self._state != UP or sock is None:
            return -1
        try:
            count = sock.readinto(buffer)
        except OSError:
            count = 0
        if count is None:
            return 0
        if not count:
            self._fail()
            return -1
        return count

    def send(self, data) -> int:
        sock = self._sock
        if self._state != UP or sock is None:
            return 0
        try:
            return sock.write(data) or 0
        except OSError:
            self._fail()
            return 0

    def close(self) -> None:
        self._state = DOWN
        if self._sock:
            self._poll.unregister(self._sock)
            self._sock.close()
            self._sock = None

    def _step(self) -> None:
        """One of four things is so: no network yet, no address yet, not connected yet, or it took too long."""
        now = self._clock.ticks_ms()
        if diff(now, self._opened_at) > _OPEN_WITHIN_MS:
            self._fail()
        elif self._sock is not None:
            for _, event in self._poll.ipoll(0):
                if event & (select.POLLERR | select.POLLHUP):
                    self._fail()
                elif event & select.POLLOUT:
                    # The ESP32 says so even for a closed port; there the first send or recv fails, and closes the link.
                    self._state = UP
                    self._poll.modify(self._sock, select.POLLIN)
                return
        elif self.join():
            address = self._name.look(now, self.name_server())
            if address:
                self._connect(address)

    def _connect(self, address: str) -> None:
        self._sock = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._poll.register(sock, select.POLLOUT)
        sock.setblocking(False)  # for good: on the ESP32 setblocking(True) would also cancel a timeout
        try:
            sock.connect(numeric(address, self._port))
        except OSError as e:
            if e.errno not in _IN_PROGRESS:
                raise

    def _fail(self) -> None:
        self._name.stale()
        self.close()
