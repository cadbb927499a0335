"""Coverage-guided fuzzing of what a gateway tells a node, `committed` and `resend`; needs `pip install atheris`.

    PYTHONPATH=firmware:. python tests/fuzz/fuzz_orders.py CORPUS_FOLDER -max_total_time=600

Every line of the input is one message; its first byte chooses `committed` or `resend`. What must hold: nothing raises, nothing turns in circles, the list of
requests stays short, a mark never passes what was written, only what is marked is freed, and the next record goes out as ever.
"""

import json

from tests.core.failing_storage import Storage
from tests.core.fake_broker import Broker
from tests.fuzz.start import fuzz, instrumented

with instrumented("node"):
    from node.core import journal
    from node.core import measurements as M
    from node.core.settings import Settings
    from node.uplink import Uplink

STATION = {"node": "dr01", "district": "demo", "life": "5eed0001", "seed": 7}
POINTS = {journal.READINGS: ((M.LEVEL, 2, 1254), (M.BATTERY, 1, 12610)), journal.EVENT: ((M.BOOT, 0, 0),)}
START = (1 << 30) - 3000
WRITTEN = (30, 5)  # readings, events
ASKED_MOST = 8


class Node:
    def __init__(self):
        self.logs = journal.open_logs(Storage(), 2, 400, 10, 10)
        self.broker = Broker()
        self.declared = 0
        self.uplink = Uplink(STATION, self.logs, self.broker, Settings({}), lambda: '"bt":1', self.declare)
        self.t = 0
        for stream, count in zip((journal.READINGS, journal.EVENT), WRITTEN, strict=True):
            for _ in range(count):
                self.write(stream)

    def write(self, stream: int) -> None:
        self.logs[stream].append(1, 1528063200, 0, POINTS[stream])

    def declare(self, stream, boot, first, last):
        assert 0 < boot <= 2 and 0 < first <= last
        self.declared += 1
        return True

    def run(self, ms: int) -> None:
        end = self.t + ms
        idle = 0
        while True:
            due = self.uplink.step((START + self.t) % (1 << 30))
            idle = 0 if due else idle + 1
            assert idle < 5, "it turns in circles"
            if self.broker.inbound:
                due = min(due, 1)
            if self.t + due > end:
                self.t = end
                return
            self.t += due


def check(data: bytes):
    node = Node()
    node.run(8000)
    broker, uplink = node.broker, node.uplink
    for line in data.split(b"\n")[:8]:
        if line:
            broker.say("resend" if line[0] & 1 else "committed", line[1:])
            node.run(10)
            assert len(uplink._asked) <= ASKED_MOST
    node.run(130_000)
    for stream, written in enumerate(WRITTEN):
        assert uplink.mark[stream] <= (2, written)
    broker.published.clear()
    node.write(journal.READINGS)
    node.run(10_000)
    assert (2, WRITTEN[0] + 1) in broker.keys("readings"), "the next record stays away"


def _order(kind: bytes, **members) -> bytes:
    return kind + json.dumps({"life": STATION["life"], **members}, separators=(",", ":")).encode()


def _mark(boot: int, seq: int) -> dict:
    return {"boot": boot, "seq": seq}


SEEDS = (
    _order(b"\x00", readings=_mark(2, 10), event=_mark(2, 5)),
    _order(b"\x00", readings=_mark(1, 99), event=_mark(0, 0)),
    _order(b"\x00", readings=_mark(2, 31), event=_mark(9, 5)),
    _order(b"\x01", stream="readings", boot=2, **{"from": 3, "to": 9}),
    _order(b"\x01", stream="event", boot=1, **{"from": 1, "to": 2147483647}),
    b"\n".join(_order(b"\x01", stream="readings", boot=2, **{"from": i, "to": 30}) for i in range(1, 9)),
    b"\x00" + b"[" * 200,
)

if __name__ == "__main__":
    fuzz(check, SEEDS)
