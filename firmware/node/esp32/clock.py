"""Milliseconds since boot, and the wall time that an SNTP server gives, asked for without waiting.

The one place that knows of other epochs: NTP counts seconds from 1900, the chip's `time` from 2000 (a PC's from 1970).
"""

import os
import socket
import time

from machine import RTC

from node.core.clock import WRAP, add, diff
from node.esp32.names import Name, open_udp

SECONDS_1900_TO_1970 = 2208988800
SECONDS_1970_TO_2000 = 946684800
_ANSWER_WITHIN_MS = 2000
_RETRY_MS = 15_000
_RETRY_MOST_MS = 960_000
_AGAIN_MS = 6 * 3600_000  # a crystal of 20 ppm is 0.4 s off by then
_HOLD_MS = 60_000  # so far a correction backwards is waited out; more than that was a wrong time before


def unix_ms_of(packet: bytes, nonce: bytes) -> int | None:
    """The time of sending in an SNTP reply to our `nonce`; None when it is no such thing or the server has no time."""
    if len(packet) < 48 or packet[24:32] != nonce:
        return None
    mode = packet[0] & 7
    leap = packet[0] >> 6
    if mode != 4 or leap == 3 or not 1 <= packet[1] <= 15:
        return None
    seconds = int.from_bytes(packet[40:44], "big")
    if seconds < 1 << 31:  # the era that begins in 2036
        seconds += 1 << 32
    fraction = packet[44] << 8 | packet[45]
    return (seconds - SECONDS_1900_TO_1970) * 1000 + (fraction * 1000 >> 16)


class Clock:
    def __init__(self, host: str = "pool.ntp.org", port: int = 123):
        self._name = Name(host)
        self._port = port
        self._sock: socket.socket | None = None
        self._nonce = b""
        self._asked_at = 0
        self._due_at = self.ticks_ms()
        self._retry_ms = _RETRY_MS
        self._known = False
        self._unix_ms = 0  # at self._at
        self._at = 0
        self._told_ms = 0

    def ticks_ms(self) -> int:
        return time.ticks_ms() & (WRAP - 1)

    def unix_ms(self) -> int | None:
        if not self._known:
            return None
        now = self._unix_ms + diff(self.ticks_ms(), self._at)
        if self._told_ms - _HOLD_MS < now < self._told_ms:
            return self._told_ms
        self._told_ms = now
        return now

    def poll(self, now_ms: int, name_server: str) -> None:
        """Called by the loop while there is a network; takes the next small step."""
        if self._known and diff(now_ms, self._at) > 3600_000:  # before the ticks wrap around what we know
            self._unix_ms += diff(now_ms, self._at)
            self._at = now_ms
        if diff(now_ms, self._due_at) < 0:
            return
        try:
            if self._sock is None:
                self._ask(now_ms, name_server)
            elif not self._hear(self._sock) and diff(self.ticks_ms(), self._asked_at) >= _ANSWER_WITHIN_MS:
                self._fail()
        except OSError:
            self._fail()

    def _ask(self, now_ms: int, name_server: str) -> None:
        address = self._name.look(now_ms, name_server)
        if address is None:
            return
        self._sock = sock = open_udp(address, self._port)
        self._nonce = os.urandom(8)
        self._asked_at = self.ticks_ms()
        sock.write(b"\x23" + bytes(39) + self._nonce)  # version 4, client

    def _hear(self, sock) -> bool:
        packet = sock.read(128)
        found = unix_ms_of(packet, self._nonce) if packet else None
        if found is None:
            return False
        self._at = self.ticks_ms()
        self._unix_ms = found + diff(self._at, self._asked_at) // 2
        self._known = True
        self._retry_ms = _RETRY_MS
        self._due_at = add(self._at, _AGAIN_MS)
        self._drop()
        self._set_chip()
        return True

    def _set_chip(self) -> None:
        """The chip's own time, by which TLS judges certificates."""
        since = SECONDS_1970_TO_2000 if time.gmtime(0)[0] == 2000 else 0
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(self._unix_ms // 1000 - since)[:8]
        RTC().datetime((year, month, day, weekday, hour, minute, second, 0))

    def _fail(self) -> None:
        self._drop()
        self._name.stale()
        self._due_at = add(self.ticks_ms(), self._retry_ms)
        self._retry_ms = min(self._retry_ms * 2, _RETRY_MOST_MS)

    def _drop(self) -> None:
        if self._sock:
            self._sock.close()
            self._sock = None
