"""The real station's app on real sockets and the real clock, in a thread."""

import time

from node.core import settings as S
from simulator.adapters.socket_link import SocketLink
from tests.core.station_desk import Desk
from tests.in_a_thread import InAThread


class LiveStation(InAThread, Desk):
    """Runs while the block does. A test looks at `value` and `revision`; `ask` runs something between two steps."""

    def __init__(self, port):
        InAThread.__init__(self)
        Desk.__init__(self, link="never")
        self.broker = SocketLink("127.0.0.1", port)
        self._asked = []
        self._began = time.monotonic()
        self.unix = time.time_ns() // 1_000_000
        self.boot()

    def _run(self):
        while not self._stop.is_set():
            self.t = int((time.monotonic() - self._began) * 1000)
            due = self.app.step(self.now)
            while self._asked:
                self._asked.pop(0)()
            self._stop.wait(min(due, 20) / 1000)

    def _close(self):
        self.broker.close()

    def ask(self, question):
        self._asked.append(question)

    def value(self, key):
        return self.app.settings.get(S.index(key))

    @property
    def revision(self):
        return self.app.settings.revision
