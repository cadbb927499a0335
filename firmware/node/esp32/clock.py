"""Milliseconds since boot, and the wall time: an SNTP server is asked without waiting, `node.core.timekeeper` decides what to believe.

The one place that knows of other epochs: NTP counts seconds from 1900, the chip's `time` from 2000 (a PC's from 1970).
"""

import os
import socket
import time

from machine import RTC

from node.core.clock import WRAP, add, diff
from node.core.timekeeper import AGAIN_MS, Timekeeper
from node.esp32.names import Name, open_udp

SECONDS_1900_TO_1970 = 2208988800
SECONDS_1970_TO_2000 = 946684800
_ANSWER_WITHIN_MS = 2000


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
    """Read: `doubted_s`, `source`, `vouched` as the keeper of the time says. TLS judges certificates by the chip's own time, which is set here."""

    def __init__(self, host: str = "pool.ntp.org", port: int = 123, commissioned: int = 0):
        """`commissioned`: when, in seconds since 1970; until the time is known, certificates are judged as of then."""
        self._name = Name(host)
        self._port = port
        self._sock: socket.socket | None = None
        self._nonce = b""
        self._asked_at = 0
        self._due_at = self.ticks_ms()
        self._keeper = Timekeeper(commissioned)
        self._set_chip()

    def ticks_ms(self) -> int:
        return time.ticks_ms() & (WRAP - 1)

    def unix_ms(self) -> int | None:
        return self._keeper.unix_ms(self.ticks_ms())

    @property
    def doubted_s(self) -> int:
        return self._keeper.doubted_s

    @property
    def source(self) -> int:
        return self._keeper.source

    @property
    def vouched(self) -> bool:
        return self._keeper.vouched

    @property
    def loose(self) -> bool:
        return self._keeper.loose

    def doubts(self) -> int:
        return self._keeper.doubts

    def hint(self, unix_s: int) -> None:
        self._keeper.hint(self.ticks_ms(), unix_s)
        self._set_chip()

    def floor(self, unix_s: int) -> None:
        self._keeper.floor(unix_s)
        self._set_chip()

    def carry(self, unix_ms: int, loose_ms: int = 0) -> None:
        """The time as it is after a sleep, by a clock that went on and may be off by so much."""
        self._keeper.carry(self.ticks_ms(), unix_ms, loose_ms)
        self._set_chip()

    def certificate_refused(self) -> None:
        """A TLS handshake failed by a certificate: the chip's time may be what is wrong with it."""
        self._keeper.certificate_refused(self.ticks_ms())
        self._set_chip()

    def poll(self, now_ms: int, name_server: str) -> None:
        """Called by the loop while there is a network; takes the next small step."""
        if 0 < diff(self._due_at, now_ms) <= AGAIN_MS:  # beyond that the ticks wrapped while there was no network
            return
        try:
            if self._sock is None:
                self._ask(now_ms, name_server)
            else:
                self._hear(self._sock)
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

    def _hear(self, sock) -> None:
        packet = sock.read(128)
        now = self.ticks_ms()
        gone = diff(now, self._asked_at)
        found = unix_ms_of(packet, self._nonce) if packet else None
        if found is not None:
            doubts = self._keeper.doubts
            self._due_at = add(now, self._keeper.answer(now, found + gone // 2))
            self._drop()
            if self._keeper.doubts != doubts:
                self._name.stale()  # a pool's name leads to another server then
            self._set_chip()
        elif packet and len(packet) >= 48 and packet[24:32] == self._nonce and not packet[1]:
            self._fail(True)
        elif not 0 <= gone < _ANSWER_WITHIN_MS:
            self._fail()

    def _set_chip(self) -> None:
        unix_s = self._keeper.tls_unix_s(self.ticks_ms())
        if not unix_s:
            return
        since = SECONDS_1970_TO_2000 if time.gmtime(0)[0] == 2000 else 0
        year, month, day, hour, minute, second, weekday, _ = time.gmtime(unix_s - since)[:8]
        RTC().datetime((year, month, day, weekday, hour, minute, second, 0))

    def _fail(self, sent_away: bool = False) -> None:
        """`sent_away`: by a kiss of death."""
        self._drop()
        self._name.stale()
        self._due_at = add(self.ticks_ms(), self._keeper.unanswered(sent_away))

    def _drop(self) -> None:
        if self._sock:
            self._sock.close()
            self._sock = None
