"""A real TCP connection for a simulated station, with TLS over it where a context is given. Never waits; the board's twin is firmware/node/esp32/link.py."""

import errno
import select
import socket
import ssl
import time
from pathlib import Path

DOWN, OPENING, UP, READY = 0, 1, 2, 3
SILENT_S = 15  # given up after so long without a byte: for that


def mutual_tls(authority: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """A station's context, TLS 1.2 or newer, of PEM files. OSError or ssl.SSLError: one of them is missing or can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(authority)
    context.load_cert_chain(certificate, key)
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE" in (getattr(error, "reason", None) or ""):
        return "certificate"
    if isinstance(error, ssl.SSLZeroReturnError | ssl.SSLEOFError):
        return "closed"
    if isinstance(error, ssl.SSLError):
        return "certificate" if "UNKNOWN_CA" in (error.reason or "") else "tls"
    if error.errno == errno.ECONNREFUSED:
        return "refused"
    return "timeout" if error.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH) else "closed"


class SocketLink:
    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None, address: str = "") -> None:
        """`address`: where `host` is, when its name is only the certificate's."""
        self._host = host
        self._address = (address or host, port)
        self._leads_to = self._address
        self.home = ""
        self._tls = tls
        self._socket: socket.socket | None = None
        self._state = DOWN
        self._heard_at = 0.0
        self.reason = ""

    def use(self, values: dict[str, str]) -> None:
        """From now on another broker (`node.core.network`); `home` is how the station's own data calls the one it began with."""
        self.close()
        self.reason = ""
        self._leads_to = self._address
        if values["broker.host"] != self.home:
            self._leads_to = (values["broker.host"], int(values["broker.port"] or 0))

    def open(self) -> None:
        if self._socket is not None:
            return
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._state = OPENING
        try:
            code = self._socket.connect_ex(self._leads_to)
        except socket.gaierror:
            self._fail("no address")
            return
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            self._fail(_why(OSError(code, "")))

    def state(self) -> int:
        if self._state == OPENING and self._socket is not None:
            writable = select.select([], [self._socket], [], 0)[1]
            if writable:
                code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    self._fail(_why(OSError(code, "")))
                else:
                    self._state = READY if self._tls else UP
                    self._heard_at = time.monotonic()
        return self._state

    def secure(self) -> None:
        if self._state != READY or self._socket is None or self._tls is None:
            return
        try:
            if not isinstance(self._socket, ssl.SSLSocket):
                self._socket = self._tls.wrap_socket(
                    self._socket, server_hostname=self._host, do_handshake_on_connect=False
                )
            self._socket.do_handshake()
            self._state = UP
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._fail(_why(error))

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        if self._state != UP or self._socket is None:
            return -1
        try:
            count = self._socket.recv_into(buffer)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            self._fail(_why(error))
            return -1
        if not count:
            self._fail("closed")
            return -1
        self._heard_at = time.monotonic()
        return count

    def send(self, data: bytes | bytearray | memoryview) -> int:
        if self._state != UP or self._socket is None or not data:
            return 0
        try:
            return self._socket.send(data)
        except OSError:  # would block, or broken: recv_into tells which
            return 0

    def close(self) -> None:
        if self._state != DOWN:
            silent = time.monotonic() - self._heard_at >= SILENT_S
            self.reason = "" if self._state == UP and not silent else "timeout"
        self._drop()

    def fileno(self) -> int:
        """For select; -1 while there is no socket."""
        return -1 if self._socket is None else self._socket.fileno()

    def _fail(self, reason: str) -> None:
        self.reason = reason
        self._drop()

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._state = DOWN
