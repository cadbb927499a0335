"""The real station's app on real sockets and the real clock, in a thread."""

import threading
import time

from node.core import settings as S
from simulator.adapters.socket_link import SocketLink
from tests.core.station_desk import Desk


class LiveStation(Desk):
    """Runs while the block does. A test looks at `value` and `revision`; `ask` runs something between two steps."""

    def __init__(self, port):
        super().__init__(link="never")
        self.broker = SocketLink("127.0.0.1", port)
        self._stop = threading.Event()
        self._asked = []
        self._began = time.monotonic()
        self.unix = time.time_ns() // 1_000_000
        self.boot()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def _live(self):
        while not self._stop.is_set():
            self.t = int((time.monotonic() - self._began) * 1000)
            due = self.app.step(self.now)
            while self._asked:
                self._asked.pop(0)()
            self._stop.wait(min(due, 20) / 1000)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self.broker.close()

    def ask(self, question):
        self._asked.append(question)

    def value(self, key):
        return self.app.settings.get(S.index(key))

    @property
    def revision(self):
        return self.app.settings.revision
