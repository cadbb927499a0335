"""Coverage-guided fuzzing of what the gateway takes in: SenML, status, settings, and what it makes of them; needs `pip install atheris`.

    PYTHONPATH=firmware:. python tests/fuzz/fuzz_ingest.py CORPUS_FOLDER -max_total_time=600 -max_len=4096

Every line of the input is one message; its first byte chooses the topic. What must hold: nothing but Refused leaves the decoders; `take` and `flush`
never raise; every message is kept, a duplicate, or quarantined; what the gateway says is JSON a node can read; taken again, nothing new is kept;
and a gateway that starts on the same database says the same.
"""

import json

from tests.fuzz.start import fuzz, instrumented

with instrumented("node", "gateway"):
    from gateway import wire
    from gateway.ingest import Ingest
    from gateway.store import SqliteStore

ROOT = "waspada/v1/demo/"
TOPICS = (
    *(ROOT + "dr01/" + name for name in wire.NAMES),
    *(ROOT + "dr02/" + name for name in wire.NAMES),
    "waspada/v1/else/dr01/readings",
    ROOT + "dr01/committed",
    ROOT + "DR01/readings",
    "",
)
BASE_NAME = "waspada:demo:dr01:"


def check_decoders(payload: bytes):
    for decode in (wire.decode_pack, wire.decode_settings, lambda data: wire.decode_status(data, BASE_NAME)):
        try:
            decode(payload)
        except wire.Refused:
            pass
    wire.key_of(payload, BASE_NAME)


def check(data: bytes):
    messages = [(TOPICS[line[0] % len(TOPICS)], line[1:]) for line in data.split(b"\n")[:12] if line]
    store = SqliteStore(":memory:")
    try:
        ingest = Ingest(store)
        for i, (topic, payload) in enumerate(messages):
            check_decoders(payload)
            ingest.take(topic, payload, 1528063200000 + i)
        ingest.flush()
        counts = dict(ingest.counts)
        for now_ms in (0, 2000, 70_000):
            for topic, payload, _ in ingest.due(now_ms):
                heard = json.loads(payload)
                assert len(heard["life"]) == 8 and topic.endswith(("/committed", "/resend"))
        for topic, payload in messages:
            ingest.take(topic, payload, 1528063300000)
        ingest.flush()
        assert ingest.counts["records"] == counts["records"], "the same messages are kept twice"
        again = Ingest(store)
        for gateway in (ingest, again):
            gateway.tell_all()
        assert sorted(m for m in again.due(10**6) if m[2]) == sorted(m for m in ingest.due(10**6) if m[2])
    finally:
        store.close()


_HEAD = (
    b'[{"bn":"waspada:demo:dr01:","bt":1528063200.5,"life":"5eed0001","boot":%d,"seq":%d,"prev_boot":%d,"prev_seq":%d,'
)
_LEVEL = b'"n":"level","u":"m","v":1.254,"q":2},{"n":"battery","u":"V","v":12.61,"q":1}]'
SEEDS = (
    b"\x00" + _HEAD % (1, 1, 0, 0) + _LEVEL + b"\n\x00" + _HEAD % (1, 4, 0, 0) + _LEVEL,
    b"\x00" + _HEAD % (2, 1, 1, 7) + b'"n":"level","vs":"no_answer","q":9,"q1":1},{"n":"battery","u":"V","v":12.61,"q":1}]',
    b"\x01" + _HEAD % (1, 1, 0, 0) + b'"n":"boot","vs":"power"}]\n\x01' + _HEAD % (1, 2, 0, 0)
    + b'"n":"time_fix","vs":"sntp"},{"n":"up_ms","v":2040}]',
    b"\x01" + _HEAD % (3, 1, 2, 5) + b'"n":"dropped","vs":"readings"},{"n":"of_boot","v":2},{"n":"first_seq","v":120},{"n":"last_seq","v":180}]',
    b"\x01" + _HEAD % (1, 7, 0, 0) + b'"bver":26,"n":"alarm","vs":"danger"},{"n":"rise","u":"m/h","v":1.32}]',
    b'\x02[{"bn":"waspada:demo:dr01:","life":"5eed0001","n":"state","vs":"unreachable"}]',
    b'\x02[{"bn":"waspada:demo:dr01:","bt":1528063200,"life":"5eed0001","boot":3,"n":"state","vs":"online"},{"n":"version","vs":"0.1.0"}]',
    b'\x03{"life":"5eed0001","revision":2,"values":{"level.alert":0.6,"level.warning":1,"level.danger":1.2}}',
    b'\x00[{"bn":"waspada:demo:dr01:","up_ms":1040,"life":"5eed0001","boot":3,"seq":1,"prev_boot":2,"prev_seq":911,' + _LEVEL,
    b"\x00" + _HEAD % (1, 5, 0, 0) + b'"n":"level","u":"m","v":1e308,"q":2}]',
    b"\x01" + _HEAD % (1, 3, 0, 0) + b'"n":"time_fix","vs":"sntp"},{"n":"up_ms","v":1e300}]',
)  # fmt: skip

if __name__ == "__main__":
    fuzz(check, SEEDS)
