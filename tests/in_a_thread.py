"""What runs in a thread while a test's block does, and a socket that is served in one."""

import contextlib
import socket
import threading


class InAThread:
    """Use as a context: `_run` runs until `_stop` is set, then `_close`. What went wrong in the thread is raised at the block's end."""

    def __init__(self):
        self._stop = threading.Event()
        self._problems = []
        self._thread = threading.Thread(target=self._watched)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._close()
        if self._problems:
            raise self._problems[0]

    def _watched(self):
        try:
            self._run()
        except Exception as error:
            self._problems.append(error)

    def _close(self):
        pass


class Served(InAThread):
    """A port of this machine whose connections are served one after the other, by `_serve`. `port` is what pyserial opens."""

    scheme = "socket"

    def __init__(self):
        super().__init__()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.01)
        self.port = f"{self.scheme}://127.0.0.1:{self._server.getsockname()[1]}"

    def _run(self):
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError, ConnectionError):
                connection, _ = self._server.accept()
                with connection:
                    self._serve(connection)

    def _close(self):
        self._server.close()
