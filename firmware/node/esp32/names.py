"""A host name's address, asked over UDP without waiting.

`getaddrinfo` keeps the whole board still for as long as the name server is silent, and a siren with it. So a name is
asked for here in steps, and a number (192.168.1.5) needs no asking at all. The last address where the right one answered is kept, on flash
too: a name server that is away, or lies, costs an attempt and not the station.
"""

import os
import socket

from node.core.clock import diff

_RETRY_MS = 3000


def open_udp(address: str, port: int):
    """A UDP socket that never waits and hears only `address`."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(numeric(address, port))
    except OSError:
        sock.close()
        raise
    return sock


def numeric(address: str, port: int):
    """What `connect` takes, from an address in numbers: this getaddrinfo asks nobody."""
    return socket.getaddrinfo(address, port)[0][-1]


def is_numeric(host: str) -> bool:
    parts = host.split(".")
    if len(parts) != 4:
        return False
    for part in parts:
        if not part.isdigit():
            return False
    return True


def question(host: str, number: bytes) -> bytes:
    """A DNS query for an A record."""
    labels = b""
    for label in host.split("."):
        labels += bytes((len(label),)) + label.encode()
    return number + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"


def answer(packet: bytes, query: bytes) -> str | None:
    """The first A record of a reply to `query`, or None."""
    if len(packet) < len(query) or packet[:2] != query[:2] or packet[2] & 0x80 == 0 or packet[3] & 0x0F:
        return None
    if packet[12 : len(query)] != query[12:]:
        return None
    left = packet[6] << 8 | packet[7]
    i = len(query)
    while left and i < len(packet):
        left -= 1
        while i < len(packet) and 0 < packet[i] < 0xC0:  # the owner's name: labels, then a zero or a pointer
            i += packet[i] + 1
        i += 2 if i < len(packet) and packet[i] else 1
        if i + 10 > len(packet):
            return None
        size = packet[i + 8] << 8 | packet[i + 9]
        data = packet[i + 10 : i + 10 + size]
        if packet[i : i + 4] == b"\x00\x01\x00\x01" and len(data) == 4:
            return "%d.%d.%d.%d" % (data[0], data[1], data[2], data[3])
        i += 10 + size
    return None


def _kept(path: str, host: str) -> str | None:
    """What `Name.keep` wrote for this host; None when it is another's, torn or not there."""
    try:
        with open(path) as file:
            words = file.read(300).split(" ")
    except (OSError, ValueError):
        return None
    # the line's end says that it is whole
    return words[1] if len(words) == 3 and words[0] == host and words[2] == "\n" and is_numeric(words[1]) else None


class Name:
    """One host. `look` until it gives an address. `path`: a file for the last good address, "" for none."""

    def __init__(self, host: str, port: int = 53, path: str = ""):
        self.host = host
        self.address = host if is_numeric(host) else _kept(path, host) if path else None
        self._good = self.address
        self._path = path
        self._port = port
        self._stale = self.address is None
        self._query = b""
        self._sock: socket.socket | None = None
        self._asked_at = 0
        self._to_keep = False

    def look(self, now_ms: int, server: str) -> str | None:
        """The address, or None for now; asks `server` when there is none or it was called stale."""
        if self._stale and server:
            try:
                self._ask(now_ms, server)
            except OSError:
                self._drop()
        return self.address

    def stale(self) -> None:
        """The address does not answer: ask again, and go on meanwhile with the last good one."""
        self._stale = not is_numeric(self.host)
        if self._good:
            self.address = self._good

    def good(self) -> None:
        """The right one answers at this address."""
        if self.address != self._good:
            self._good = self.address
            self._to_keep = True

    def keep(self) -> None:
        """Write the good address down, if it is a new one. Called when there is time for flash."""
        if self._to_keep and self._path:
            self._to_keep = False
            try:
                with open(self._path, "w") as file:
                    file.write("%s %s \n" % (self.host, self._good))
            except OSError:
                pass  # flash that fails: the name server is asked after the next boot

    def _ask(self, now_ms: int, server: str) -> None:
        if self._sock is None:
            if self._query and diff(now_ms, self._asked_at) < _RETRY_MS:
                return
            self._asked_at = now_ms
            self._query = question(self.host, os.urandom(2))
            self._sock = sock = open_udp(server, self._port)
            sock.write(self._query)
            return
        packet = self._sock.read(512)
        found = answer(packet, self._query) if packet else None
        if found:
            self.address = found
            self._stale = False
        if found or diff(now_ms, self._asked_at) >= _RETRY_MS:
            self._drop()

    def _drop(self) -> None:
        if self._sock:
            self._sock.close()
            self._sock = None
