"""A real TCP connection for a simulated station: the demo's stations talk to a real broker with it. Never waits."""

import errno
import select
import socket

DOWN, OPENING, UP = 0, 1, 2


class SocketLink:
    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._state = DOWN

    def open(self) -> None:
        if self._socket is not None:
            return
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex(self._address)
        self._state = OPENING if code in (0, errno.EINPROGRESS, errno.EWOULDBLOCK) else DOWN
        if self._state == DOWN:
            self.close()

    def state(self) -> int:
        if self._state == OPENING and self._socket is not None:
            writable = select.select([], [self._socket], [], 0)[1]
            if writable:
                if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    self.close()
                else:
                    self._state = UP
        return self._state

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        if self._socket is None:
            return -1
        try:
            return self._socket.recv_into(buffer) or -1
        except BlockingIOError:
            return 0
        except OSError:
            return -1

    def send(self, data: bytes | bytearray | memoryview) -> int:
        if self._socket is None:
            return 0
        try:
            return self._socket.send(data)
        except OSError:  # would block, or broken: recv_into tells which
            return 0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._state = DOWN

    def fileno(self) -> int:
        """For select; -1 while there is no socket."""
        return -1 if self._socket is None else self._socket.fileno()
