"""Any order, any repetition, any loss: the database ends the same, and the mark never passes a hole."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import marks
from gateway.ingest import Ingest
from gateway.store import SqliteStore
from tests.gateway.district import T0_S, dropped, pack, reading, time_fix, topic

STREAMS = ("readings", "event")


def history(boots):
    """Every record a node made, per stream in its order: (boot, seq, payload). `boots`: (readings, events, fixed) of each boot, 0 readings is allowed."""
    made = ([], [])
    last = [(0, 0), (0, 0)]
    for boot, (readings, events, fixed) in enumerate(boots, 1):
        for seq in range(1, readings + 1):
            q1 = None if seq == 1 else (1, 3, 4)[(boot + seq) % 3]
            payload = reading(boot, seq, 1 + seq / 1000, q1=q1, up_ms=seq * 1000, prev=last[0])
            made[0].append((boot, seq, payload))
        for seq in range(1, events + 1):
            if fixed and seq == 1:
                payload = time_fix(boot, 1, T0_S + boot * 1000, 500, prev=last[1])
            else:
                payload = pack(boot, seq, {"n": "boot", "vs": "power"}, up_ms=seq, prev=last[1])
            made[1].append((boot, seq, payload))
        last = [(boot, count) if count else before for count, before in zip((readings, events), last, strict=True)]
    return made


def expected_mark(made, have):
    """The model: walk the node's own order until something is missing."""
    mark = (0, 0)
    for boot, seq, _ in made:
        if (boot, seq) not in have:
            break
        mark = (boot, seq)
    return mark


def expected_rows(boots, made, have):
    """(stream, boot, seq, t_ms, level's final flag) of all that arrived."""
    rows = []
    for stream in (0, 1):
        for boot, seq, _ in made[stream]:
            if (boot, seq) not in have[stream]:
                continue
            fixed = boots[boot - 1][2] and boots[boot - 1][1] and (boot, 1) in have[1]
            began = (T0_S + boot * 1000) * 1000 - 500
            is_fix = stream == 1 and seq == 1 and boots[boot - 1][2]
            up_ms = 500 if is_fix else seq * 1000 if stream == 0 else seq
            q = None
            if stream == 0:
                q = (1, 3, 4)[(boot + seq + 1) % 3] if (boot, seq + 1) in have[0] else 2
            rows.append((stream, boot, seq, began + up_ms if fixed else None, q))
    return rows


def check(boots, arrivals, commits):
    """Feed `arrivals` (stream, index), commit after those in `commits`, compare with the model at every commit."""
    made = history(boots)
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    have = (set(), set())
    for i, (stream, index) in enumerate(arrivals):
        boot, seq, payload = made[stream][index % len(made[stream])]
        ingest.take(topic(STREAMS[stream]), payload, i)
        have[stream].add((boot, seq))
        if i in commits or i == len(arrivals) - 1:
            ingest.flush()
            for other in (ingest, Ingest(store)) if i == len(arrivals) - 1 else (ingest,):
                other.tell_all()
                [said] = [json.loads(p) for t, p, _ in other.due(0) if t.endswith("committed")]
                for number, name in enumerate(STREAMS):
                    told = (said[name]["boot"], said[name]["seq"])
                    assert told == expected_mark(made[number], have[number]), name
    rows = store.rows(
        "SELECT r.stream, r.boot, r.seq, r.t_ms, f.q FROM records r LEFT JOIN points_final f ON f.name = 'level' "
        "AND f.stream = r.stream AND f.boot = r.boot AND f.seq = r.seq ORDER BY 1, 2, 3"
    )
    assert rows == expected_rows(boots, made, have)
    assert ingest.counts["records"] == len(rows)
    assert ingest.counts["duplicates"] == len(arrivals) - len(rows)
    assert ingest.counts["quarantined"] == 0


def test_marks_and_rows_equal_the_model_for_a_plain_history():
    boots = [(5, 2, True), (0, 1, False), (3, 0, False), (4, 3, True)]
    check(boots, [(0, i) for i in range(12)] + [(1, i) for i in range(6)], {3, 9})


@st.composite
def stories(draw):
    boots = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.booleans()), min_size=1, max_size=5))
    made = history(boots)
    indexes = [(stream, i) for stream in (0, 1) for i in range(len(made[stream]))]
    if not indexes:
        boots[0] = (1, 0, False)
        indexes = [(0, 0)]
    missing = draw(st.sets(st.sampled_from(indexes), max_size=len(indexes) - 1))
    arriving = [i for i in indexes if i not in missing]
    again = draw(st.lists(st.sampled_from(arriving), max_size=8))
    arrivals = draw(st.permutations(arriving + again))
    return boots, arrivals, draw(st.sets(st.integers(0, len(arrivals))))


@given(stories())
@example(([(2, 0, False), (2, 0, False)], [(0, 2), (0, 3), (0, 0), (0, 1)], {1}))
def test_any_order_repetition_and_loss_ends_as_the_model(story):
    check(*story)


class BlindMark(marks.Mark):
    """A planted fault: any boot whose first record is there continues the mark."""

    def _next_boot(self):
        return min(self.prev, default=0)


class HastyMark(marks.Mark):
    """A planted fault: the mark jumps to what came last."""

    def add(self, boot, first, last, prev=None):
        super().add(boot, first, last, prev)
        self.boot, self.seq = max((self.boot, self.seq), (boot, last))


@pytest.mark.parametrize("planted", [BlindMark, HastyMark])
def test_a_planted_fault_is_noticed_by_the_model(monkeypatch, planted):
    monkeypatch.setattr("gateway.ingest.Mark", planted)
    monkeypatch.setattr("gateway.district.Mark", planted)
    with pytest.raises(AssertionError):
        check([(3, 0, False), (2, 0, False)], [(0, 0), (0, 3), (0, 4)], {0, 1})


@given(st.data())
def test_what_a_node_dropped_is_passed_and_what_it_still_has_is_not(data):
    """The node drops oldest first and says so; what it still holds is never passed before it came."""
    boots = data.draw(st.lists(st.tuples(st.integers(1, 5), st.just(0), st.just(False)), min_size=1, max_size=4))
    made = history(boots)[0]
    lost = data.draw(st.integers(0, len(made)))
    received_before = data.draw(st.sets(st.integers(0, lost - 1))) if lost else set()
    declared = {}
    for boot, seq, _ in made[:lost]:
        first, last = declared.get(boot, (seq, seq))
        declared[boot] = (min(first, seq), max(last, seq))
    messages = [("readings", made[i][2], {made[i][:2]}) for i in (*received_before, *range(lost, len(made)))]
    for number, (boot, (first, last)) in enumerate(sorted(declared.items()), 1):
        payload = dropped(len(boots), number, "readings", boot, first, last, prev=(0, 0))
        messages.append(("event", payload, {(boot, seq) for seq in range(first, last + 1)}))
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    held = {key[:2] for key in made[lost:]}
    for at, (name, payload, covered) in enumerate(data.draw(st.permutations(messages))):
        ingest.take(topic(name), payload, at)
        ingest.flush()
        held -= covered
        ingest.tell_all()
        [said] = [json.loads(p) for t, p, _ in ingest.due(0) if t.endswith("committed")]
        mark = (said["readings"]["boot"], said["readings"]["seq"])
        assert not [key for key in held if key <= mark]
    assert mark == made[-1][:2]
    assert store.rows("SELECT COUNT(*) FROM quarantine") == [(0,)]


@given(st.text(max_size=60), st.binary(max_size=200))
def test_no_topic_and_no_payload_breaks_ingest(name, payload):
    count_what_becomes_of(name, payload)


@given(st.sampled_from(("readings", "event", "status", "settings")), st.data())
def test_no_json_breaks_ingest(name, data):
    keys = st.sampled_from(
        [
            "bn",
            "bt",
            "up_ms",
            "life",
            "boot",
            "seq",
            "prev_boot",
            "prev_seq",
            "n",
            "u",
            "v",
            "vs",
            "q",
            "q1",
            "values",
            "t",
        ]
    )
    leaf = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.sampled_from(["waspada:demo:dr01:", "5eed0001", "level", "m"])
    )
    tree = st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=9), max_leaves=12
    )
    count_what_becomes_of(topic(name), json.dumps(data.draw(tree)).encode())


@given(st.sampled_from((b"1", b"dr01", b'"', b"level", b",", b"[", b"}")), st.binary(max_size=6), st.integers(0, 5))
def test_a_damaged_record_is_quarantined_or_taken_and_never_breaks_ingest(old, new, count):
    count_what_becomes_of(topic("readings"), reading(1, 1).replace(old, new, count))


def count_what_becomes_of(name, payload):
    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    ingest.take(name, payload, 1)
    ingest.take(topic("readings", "dr09"), reading(1, 1, node="dr09"), 1)
    ingest.flush(0)
    if payload:
        kept = (
            ingest.counts["records"]
            - 1
            + len(store.rows("SELECT * FROM status"))
            + len(store.rows("SELECT * FROM settings_seen"))
        )
        assert kept + ingest.counts["quarantined"] == 1
    assert len(store.rows("SELECT * FROM quarantine")) == ingest.counts["quarantined"]
    assert store.rows("SELECT COUNT(*) FROM points_final WHERE node = 'dr09'") == [(2,)]
