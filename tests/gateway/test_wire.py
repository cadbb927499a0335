"""What the gateway accepts, and in what words it refuses. The page docs/wire.md is the source of what must be accepted."""

import json
import re
from pathlib import Path

import pytest

from gateway.bench import river
from gateway.ingest import Ingest
from gateway.store import SqliteStore
from tests.gateway.district import T0_S, pack, reading, settings, status, topic

WIRE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
EXAMPLES = re.findall(r"```json\n(.*?)\n```", WIRE, re.S)

LEVEL = {"n": "level", "u": "m", "v": 1.25, "q": 2}

# (what is wrong, topic, payload, words of the reason)
REFUSED = (
    ("another root", "waspada/v2/demo/dr01/readings", reading(1, 1), "the topic is not waspada/v1/"),
    ("a name in capitals", "waspada/v1/demo/DR01/readings", reading(1, 1), "the topic is not"),
    ("a gateway's own topic", topic("committed"), b"{}", "the topic is not"),
    ("a line break at the end", topic("readings") + "\n", reading(1, 1), "the topic is not"),
    ("a name too long", topic("readings", "a" * 33), reading(1, 1), "the topic is not"),
    ("no JSON", topic("readings"), b"hello", "the payload is not a record"),
    ("nothing", topic("readings"), b"", "the payload is not a record"),
    ("no UTF-8", topic("readings"), b'[{"bn":"\xff"}]', "the payload is not a record"),
    ("an empty pack", topic("readings"), b"[]", "the pack is empty"),
    ("an object", topic("readings"), b"{}", "Expected `array`"),
    ("nested without end", topic("readings"), b"[" * 8000, "the payload is not a record"),
    ("too large", topic("readings"), b" " * 9000, "longer than 8192 bytes"),
    ("infinite", topic("readings"), reading(1, 1).replace(b"1.25", b"1e999"), "the payload is not a record"),
    ("not a number", topic("readings"), reading(1, 1).replace(b"1.25", b"NaN"), "the payload is not a record"),
    ("a number as text", topic("readings"), reading(1, 1).replace(b"1.25", b'"1.25"'), "at `$[0].v`"),
    ("boot 0", topic("readings"), pack(0, 2, LEVEL), "at `$[0].boot`"),
    ("seq too large", topic("readings"), pack(1, 2**31, LEVEL, bt=T0_S), "at `$[0].seq`"),
    ("no life", topic("readings"), pack(1, 2, LEVEL, life="x"), "life is 'x', not 8 hex digits"),
    ("life in capitals", topic("readings"), pack(1, 2, LEVEL, life="5EED0001"), "not 8 hex digits"),
    ("another node's name", topic("readings", "dr02"), reading(1, 1), "bn is 'waspada:demo:dr01:'"),
    ("a time before 2000", topic("readings"), pack(1, 2, LEVEL, bt=1), "at `$[0].bt`"),
    ("bt and up_ms", topic("readings"), reading(1, 2).replace(b'"life"', b'"up_ms":4,"life"'), "either bt or up_ms"),
    ("seq 1 without its past", topic("readings"), reading(1, 1).replace(b"prev_boot", b"other"), "needs prev_boot"),
    ("a past that is not before", topic("readings"), reading(2, 1, prev=(2, 4)), "no record before boot 2"),
    ("half a past", topic("readings"), reading(2, 1, prev=(1, 0)), "no record before boot 2"),
    ("another unit", topic("readings"), reading(1, 2).replace(b'"u":"m"', b'"u":"cm"'), "level is in m, not in cm"),
    ("no unit", topic("readings"), reading(1, 2).replace(b'"u":"m",', b""), "level is in m, not without a unit"),
    ("too many decimals", topic("readings"), reading(1, 2, 1.23456), "more decimals"),
    ("no value", topic("readings"), pack(1, 2, {"n": "level", "u": "m", "q": 2}), "neither v nor vs"),
    ("two values", topic("readings"), pack(1, 2, LEVEL | {"vs": "x"}), "both v and vs"),
    ("an unknown flag", topic("readings"), reading(1, 2, q=7), "at `$[0].q`"),
    ("no flag", topic("readings"), pack(1, 2, {"n": "level", "u": "m", "v": 1}), "level needs q"),
    ("missing, with a value", topic("readings"), reading(1, 2, 1.0, q=9), "9 exactly when there is no v"),
    ("a time of its own", topic("readings"), pack(1, 2, LEVEL, LEVEL | {"t": 5}), "at `$[1].t`"),
    ("a second base", topic("readings"), pack(1, 2, LEVEL, LEVEL | {"bn": "x"}), "only the first entry"),
    ("a label to be understood", topic("readings"), pack(1, 2, LEVEL | {"odd_": 1}), "a label ends with _"),
    ("dropped of nothing", topic("event"), pack(1, 2, {"n": "dropped", "vs": "status"}), "dropped names 'status'"),
    ("a fix without uptime", topic("event"), pack(1, 2, {"n": "time_fix", "vs": "sntp"}), "time_fix needs"),
    ("a status of no state", topic("status"), status("asleep"), "a status needs n state"),
    ("settings as a list", topic("settings"), b"[]", "not a node's settings"),
    ("settings with words", topic("settings"), settings().replace(b"1.5", b'"high"'), "at `$.values"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "payload", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_wrong_is_quarantined_with_a_reason(name, payload, words):
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    ingest.take(name, payload, 1000)
    ingest.flush()
    rows = store.rows("SELECT topic, reason, times, size, payload FROM quarantine")
    assert len(rows) == 1 and words in rows[0][1]
    assert rows[0][2:] == (1, len(payload), payload[:4096])
    assert ingest.counts["quarantined"] == 1
    assert store.rows("SELECT COUNT(*) FROM records") == [(0,)]


def test_every_example_of_the_wire_page_is_taken():
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    names = re.findall(r"Topic `([^`]+)`", WIRE)
    by_name = {name.rsplit("/", 1)[1]: name for name in names}
    taken = []
    for example in EXAMPLES:
        said = json.loads(example)
        if isinstance(said, list):
            first = said[0]["n"]
            kind = "status" if first == "state" else "readings" if first == "level" else "event"
        elif "result" in said:
            kind = "reply"
        elif said.get("values", {}).get("level.alert"):
            kind = "settings"
        else:
            continue
        ingest.take(by_name[kind], example.encode(), 1528063300000)
        taken.append(kind)
    ingest.flush()
    assert store.rows("SELECT reason FROM quarantine") == []
    assert store.rows("SELECT COUNT(*) FROM records") == [(taken.count("readings") + taken.count("event"),)]
    assert set(taken) == {"readings", "event", "status", "settings", "reply"} and taken.count("event") >= 4
    assert store.rows("SELECT state FROM status") == [("sleeping",)]
    assert store.rows("SELECT revision FROM settings_seen") == [(2,)]


def test_what_the_gateway_says_is_the_wire_pages_example():
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    for seq in range(1, 119):
        if seq < 101 or seq > 117:
            ingest.take(topic("readings"), reading(1, seq), 1000)
    for seq in range(1, 8):
        ingest.take(topic("event"), pack(1, seq, {"n": "boot", "vs": "power"}), 1000)
    ingest.flush(0)
    said = {name: payload.decode() for name, payload, _ in ingest.due(3000)}
    assert said[topic("resend")] in EXAMPLES
    for seq in range(101, 118):
        ingest.take(topic("readings"), reading(1, seq), 4000)
    said = {name: payload.decode() for name, payload, _ in ingest.flush(1528063205_999)}
    assert said == {topic("committed"): next(e for e in EXAMPLES if e.startswith('{"life"') and '"event"' in e)}


def test_a_newer_stations_words_are_kept():
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    ingest.take(topic("readings"), pack(1, 1, {"n": "salinity", "u": "S/m", "v": 0.41, "q": 2, "new": [1]}), 1000)
    ingest.flush()
    assert store.rows("SELECT name, unit, v FROM points_final") == [("salinity", "S/m", 0.41)]


def test_a_point_without_number_keeps_its_name_and_unit():
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    ingest.take(topic("readings"), reading(1, 1, None), 1000)
    ingest.take(topic("readings"), reading(1, 2, 1.5), 1000)
    ingest.flush()
    again = Ingest(store)
    again.take(topic("readings"), reading(1, 3, None), 1000)
    again.flush()
    rows = store.rows("SELECT unit, v, vs, q FROM points_final WHERE name = 'level' ORDER BY seq")
    assert rows == [("m", None, "no_answer", 9), ("m", 1.5, None, 2), ("m", None, "no_answer", 9)]


def test_the_benchs_payload_is_what_the_firmware_says():
    """Flags and names of the pack in docs/wire.md, whose examples are the firmware's own; only numbers differ."""
    said = EXAMPLES[0].strip()
    [payload] = [payload for _, payload in river(13, "5eed0001") if b'"seq":2,' in payload]

    def shape(text):
        return re.sub(r'("(?:bt|seq|v)"):[0-9.]+', r"\1:0", text)

    assert shape(payload.decode()) == shape(said)
