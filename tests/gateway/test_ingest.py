"""The rules of ingest, each with what went wrong elsewhere where that is its reason."""

import json

import pytest

from gateway.ingest import Ingest
from gateway.reading import Reading
from gateway.store import SqliteStore, StoreError
from gateway.telling import RESEND_AFTER_MS, RESEND_RANGES
from tests.gateway.district import LIFE, T0_S, alarm, dropped, pack, reading, settings, status, time_fix, topic

OTHER_LIFE = "00000bad"
NOW = 1_600_000_000_000


class District:
    """An ingest core on SQLite in memory, and what it said."""

    def __init__(self):
        self.store = SqliteStore(":memory:")
        self.ingest = Ingest(self.store)

    def take(self, *payloads, name="readings", node="dr01", at=NOW):
        for payload in payloads:
            self.ingest.take(topic(name, node), payload, at)
        self.ingest.flush()

    def said(self, now_ms, name):
        return [json.loads(p) for t, p, _ in self.ingest.due(now_ms) if t.endswith("/" + name)]

    def committed(self, now_ms, stream="readings"):
        mark = self.said(now_ms, "committed")[-1][stream]
        return mark["boot"], mark["seq"]

    def facts(self, node="dr01"):
        return Reading(self.store.connection()).facts("demo", node)

    def rows(self, sql):
        return self.store.rows(sql)


@pytest.fixture
def district():
    return District()


# thingsboard-gateway#2119: a resend overwrote the original time
def test_a_record_sent_again_changes_nothing_and_is_counted(district):
    district.take(reading(1, 1), at=NOW)
    before = district.rows("SELECT * FROM records")
    district.take(reading(1, 1), reading(1, 1), at=NOW + 60_000)
    assert district.rows("SELECT * FROM records") == before
    assert district.ingest.counts["duplicates"] == 2
    assert district.rows("SELECT COUNT(*) FROM quarantine") == [(0,)]
    assert before[0][6] == (T0_S + 86400 + 60) * 1000 and before[0][8] == NOW, "its own time beside the time of arrival"


def test_the_same_key_with_another_payload_is_quarantined_loudly(district):
    district.take(reading(1, 1, 1.0))
    district.take(reading(1, 1, 9.0))
    assert district.ingest.counts["conflicts"] == 1
    [(reason,)] = district.rows("SELECT reason FROM quarantine")
    assert reason.startswith("another payload is kept for life 5eed0001, boot 1, readings 1")
    assert district.rows("SELECT v FROM points_final WHERE name = 'level'") == [(1.0,)]


def test_both_payloads_of_a_key_in_one_batch_are_told_apart(district):
    district.take(reading(1, 1, 1.0), reading(1, 1, 9.0), reading(1, 1, 1.0))
    assert (district.ingest.counts["conflicts"], district.ingest.counts["duplicates"]) == (1, 1)


# thingsboard#1769, #1264: late data became "latest"
def test_a_late_reading_is_kept_and_never_becomes_the_latest(district):
    district.take(reading(1, 1), reading(1, 3, 2.0))
    district.take(reading(1, 2, 0.5), at=NOW + 1000)
    facts = district.facts()
    assert facts.points["level"]["v"] == 2.0 and facts.t_ms == (T0_S + 86400 + 180) * 1000
    assert district.rows("SELECT COUNT(*) FROM records") == [(3,)]


# thingsboard#2986: two messages within a second made two alarms
def test_two_alarm_changes_within_a_second_are_two_and_the_same_one_twice_is_one(district):
    up = alarm(1, 1, "danger", "warning", bt=T0_S + 0.1)
    down = alarm(1, 2, "warning", "danger", bt=T0_S + 0.4)
    district.take(up, up, down, up, name="event")
    assert len(Reading(district.store.connection()).events(10)) == 2
    assert district.facts().alarm == "warning"


def test_an_alarm_that_comes_late_does_not_bring_the_old_state_back(district):
    district.take(alarm(1, 2, "normal", "danger"), name="event")
    district.take(alarm(1, 1, "danger", "normal"), name="event")
    assert district.facts().alarm == "normal"


def test_an_alarm_before_the_clock_is_known_is_shown_at_once(district):
    district.take(pack(1, 1, {"n": "alarm", "vs": "danger"}, up_ms=5000), name="event")
    assert district.facts().alarm == "danger"


def test_a_restarted_station_below_its_lines_is_normal_without_saying_so(district):
    district.take(settings(), name="settings")
    district.take(alarm(1, 1, "danger"), name="event")
    district.take(reading(1, 1, 1.7))
    assert district.facts().alarm == "danger"
    district.take(reading(2, 1, 0.3, prev=(1, 1)))
    assert district.facts().alarm == "normal"


def test_a_restarted_station_above_its_lines_keeps_its_alarm_until_it_speaks(district):
    district.take(settings(), name="settings")
    district.take(alarm(1, 1, "danger"), name="event")
    district.take(reading(2, 1, 1.7, prev=(1, 1)))
    assert district.facts().alarm == "danger"


# telegraf#13476: bad payloads exhausted the limit and ingest stopped
def test_bad_payloads_are_done_with_and_do_not_hold_up_the_mark(district):
    bad = reading(1, 2).replace(b'"u":"m"', b'"u":"ft"')
    district.take(reading(1, 1), bad, bad, reading(1, 3))
    assert district.committed(0) == (1, 3)
    assert district.rows("SELECT times, first_ms FROM quarantine") == [(2, NOW)]
    district.take(reading(1, 2))
    assert district.rows("SELECT COUNT(*) FROM records") == [(3,)], "a good one with that key is still welcome"


def test_a_bad_payload_in_anothers_name_covers_nothing(district):
    district.take(reading(1, 1))
    district.take(reading(1, 2, node="dr02"), reading(1, 3))
    assert district.committed(0) == (1, 1)


def test_quarantine_has_a_limit(district, monkeypatch):
    monkeypatch.setattr("gateway.store.QUARANTINE_LIMIT", 10)
    for i in range(30):
        district.take(b"bad %d" % i)
    assert district.rows("SELECT COUNT(*), MIN(payload) FROM quarantine") == [(10, b"bad 20")]
    assert district.ingest.counts["quarantined"] == 30


# paho#348: acknowledged before it was kept
def test_marks_speak_only_of_what_is_on_disk(district):
    district.take(reading(1, 1))
    assert district.committed(0) == (1, 1)
    district.ingest.take(topic("readings"), reading(1, 2), NOW)
    district.ingest.tell_all()
    assert district.committed(5000) == (1, 1)
    district.ingest.flush()
    assert district.committed(10_000) == (1, 2)


def test_a_batch_that_can_not_be_kept_waits_whole(district, monkeypatch):
    district.ingest.take(topic("readings"), reading(1, 1), NOW)

    def full(batch):
        raise StoreError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(district.store, "write", full)
        with pytest.raises(StoreError):
            district.ingest.flush()
        district.ingest.take(topic("readings"), reading(1, 2), NOW)
        with pytest.raises(StoreError):
            district.ingest.flush()
        assert district.said(0, "committed") == []
    district.ingest.flush()
    assert district.committed(0) == (1, 2)
    assert district.rows("SELECT COUNT(*) FROM records") == [(2,)]


# Marks, lives, requests


def test_committed_is_said_at_most_every_two_seconds_and_only_when_something_came(district):
    district.take(reading(1, 1))
    assert len(district.said(0, "committed")) == 1
    district.take(reading(1, 2))
    assert district.said(1999, "committed") == []
    assert district.said(2000, "committed")[0]["readings"] == {"boot": 1, "seq": 2}
    assert district.said(60_000, "committed") == []
    district.take(reading(1, 2))
    assert len(district.said(70_000, "committed")) == 1, "who sends again has not heard it"


def test_all_marks_are_said_again_after_a_restart(district):
    district.take(reading(1, 1), reading(1, 2))
    again = Ingest(district.store)
    assert [(t, r) for t, _, r in again.due(0)] == [(topic("committed"), True)]


def test_a_replaced_board_starts_at_nothing_and_a_late_record_of_the_old_one_does_not_return(district):
    district.take(reading(1, 1), reading(1, 2))
    district.take(reading(1, 1, life=OTHER_LIFE))
    district.take(reading(1, 3))
    for ingest in (district.ingest, Ingest(district.store)):
        [said] = [json.loads(p) for t, p, _ in ingest.due(0) if t.endswith("committed")]
        assert said["life"] == OTHER_LIFE and said["readings"] == {"boot": 1, "seq": 1}
    assert district.rows("SELECT COUNT(*) FROM records") == [(4,)]
    assert district.facts().life == OTHER_LIFE


def online(life):
    return status("online", life=life)


def b_has_taken_the_place_of_a(district):
    """Board a spoke, with a gap, and then board b, with a gap too; both said they are online."""
    district.take(online(LIFE), name="status")
    district.take(reading(1, 1), reading(1, 4))
    district.take(online(OTHER_LIFE), name="status")
    district.take(reading(1, 1, 0.2, life=OTHER_LIFE), reading(1, 3, 0.2, life=OTHER_LIFE))


def spoken_to(ingest, since=0):
    """Which lives hear `committed` and requests for gaps in the minutes from `since` on."""
    said = [
        (t.rsplit("/")[-1], json.loads(p)["life"])
        for at in range(since, since + 100_000, 500)
        for t, p, _ in ingest.due(at)
    ]
    return {name: {life for what, life in said if what == name} for name in ("committed", "resend")}


def only(life):
    return {"committed": {life}, "resend": {life}}


def test_the_old_board_put_back_is_the_current_one_for_the_page_committed_and_requests(district):
    b_has_taken_the_place_of_a(district)
    assert spoken_to(district.ingest) == only(OTHER_LIFE)
    assert (district.facts().life, district.facts().alarm) == (OTHER_LIFE, "normal")
    district.take(online(LIFE), name="status")
    district.take(reading(1, 5, 1.6))
    district.take(alarm(1, 1, "danger", level=1.6), name="event")
    facts = district.facts()
    assert (facts.life, facts.alarm, facts.points["level"]["v"]) == (LIFE, "danger", 1.6)
    assert spoken_to(district.ingest, 100_000) == only(LIFE)
    district.take(reading(1, 2), reading(1, 3))
    assert district.committed(300_000) == (1, 5)


@pytest.mark.parametrize("back", [True, False], ids=["a is back", "b is there"])
def test_who_is_current_is_known_after_a_restart_at_any_moment(tmp_path, back):
    path = str(tmp_path / "kept.db")

    def restarted(*said):
        """A gateway that takes what was said, keeps it and is gone; the next one on the same file."""
        store = SqliteStore(path)
        ingest = Ingest(store)
        for name, payload in said:
            ingest.take(topic(name), payload, NOW)
        ingest.flush()
        store.close()

    restarted(("status", online(LIFE)), ("readings", reading(1, 1)), ("readings", reading(1, 4)))
    restarted(("status", online(OTHER_LIFE)))
    restarted(*(("readings", reading(1, seq, 0.2, life=OTHER_LIFE)) for seq in (1, 3)))
    if back:
        restarted(("status", online(LIFE)))
    restarted(("readings", reading(1, 6)), ("readings", reading(1, 5, 0.2, life=OTHER_LIFE)))
    restarted(("status", status("unreachable", life=LIFE if back else OTHER_LIFE, bt=None)))
    store = SqliteStore(path)
    current = LIFE if back else OTHER_LIFE
    assert Reading(store.connection()).facts("demo", "dr01").life == current
    ingest = Ingest(store)
    ingest.take(topic("status"), online(current), NOW)
    ingest.flush()
    assert spoken_to(ingest) == only(current)
    store.close()


def test_a_commit_that_failed_keeps_who_is_current_for_the_next_one(district, monkeypatch):
    b_has_taken_the_place_of_a(district)

    def full(batch):
        raise StoreError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(district.store, "write", full)
        with pytest.raises(StoreError):
            district.take(online(LIFE), name="status")
    district.ingest.flush()
    assert district.facts().life == LIFE
    assert spoken_to(Ingest(district.store)) == only(LIFE)


@pytest.mark.parametrize("first_seen", [True, False], ids=["of a life never seen", "of b"])
def test_a_late_record_or_a_duplicate_of_another_life_does_not_make_it_current(district, first_seen):
    b_has_taken_the_place_of_a(district)
    district.take(online(LIFE), name="status")
    late = "0000cafe" if first_seen else OTHER_LIFE
    district.take(*2 * [reading(1, 1, 0.2, life=late)], reading(1, 9, 0.2, life=late))
    district.take(*2 * [alarm(1, 1, "alert", life=late)], name="event")
    assert district.facts().life == LIFE
    assert spoken_to(district.ingest) == only(LIFE)
    assert district.rows(f"SELECT COUNT(*) > 0 FROM points_final WHERE life = '{late}'") == [(1,)], "kept all the same"


@pytest.mark.parametrize("told", [True, False], ids=["with a status", "without any status"])
@pytest.mark.parametrize("name", ["readings", "event", "status"])
def test_a_refused_message_with_another_life_neither_makes_nor_changes_a_life(district, told, name):
    if told:
        district.take(online(LIFE), name="status")
    district.take(reading(1, 1, 1.6), reading(1, 3, 1.6))
    wrong = pack(1, 1, {"n": "level", "u": "furlong", "v": 1.0}, life=OTHER_LIFE)
    district.take(wrong, name=name)
    assert district.ingest.counts["quarantined"] == 1
    assert district.rows("SELECT life FROM lives") == [(LIFE,)]
    assert district.facts().life == LIFE
    assert spoken_to(district.ingest) == only(LIFE) == spoken_to(Ingest(district.store))


def test_a_refused_message_of_the_life_before_does_not_bring_it_back(district):
    b_has_taken_the_place_of_a(district)
    district.take(pack(1, 5, {"n": "level", "u": "furlong", "v": 1.0}))
    assert district.ingest.counts["quarantined"] == 1
    assert district.facts().life == OTHER_LIFE
    assert spoken_to(district.ingest) == only(OTHER_LIFE)


def test_a_board_whose_first_record_was_refused_is_done_with_it_once_its_life_is_known(district):
    wrong = pack(1, 1, {"n": "level", "u": "furlong", "v": 1.0})
    district.take(wrong, reading(1, 2))
    assert district.committed(0) == (0, 0)
    assert [(a["from"], a["to"]) for at in range(0, 5000, 500) for a in district.said(at, "resend")] == [(1, 1)]
    district.take(wrong)
    assert district.committed(10_000) == (1, 2)


def test_a_new_board_that_says_it_is_online_is_current_before_its_first_record(district):
    district.take(online(LIFE), name="status")
    district.take(reading(1, 1, 1.6))
    district.said(0, "committed")
    district.take(online(OTHER_LIFE), name="status")
    facts = district.facts()
    assert (facts.life, facts.points, facts.alarm) == (OTHER_LIFE, {}, None)
    assert district.said(10_000, "committed") == [], "of a board that said nothing there is nothing to commit"
    district.take(reading(1, 1, 0.2, life=OTHER_LIFE))
    assert [said["life"] for said in district.said(20_000, "committed")] == [OTHER_LIFE]


def test_a_last_will_does_not_decide_which_life_is_current(district):
    b_has_taken_the_place_of_a(district)
    district.take(status("unreachable", life=LIFE, bt=None), name="status")
    assert district.facts().life == OTHER_LIFE


def test_a_database_from_before_this_rule_begins_with_what_the_last_status_said(tmp_path):
    path = str(tmp_path / "kept.db")
    store = SqliteStore(path)
    ingest = Ingest(store)
    for payload in (reading(1, 1), reading(1, 1, life=OTHER_LIFE)):
        ingest.take(topic("readings"), payload, NOW)
    ingest.take(topic("status"), online(LIFE), NOW)
    ingest.flush()
    store.rows("DROP TABLE current")
    store.close()
    store = SqliteStore(path)
    assert Reading(store.connection()).facts("demo", "dr01").life == LIFE
    store.close()


def test_a_later_boot_waits_for_the_one_it_names(district):
    district.take(reading(1, 1), reading(1, 2), reading(3, 1, prev=(1, 4)), reading(3, 2))
    assert district.committed(0) == (1, 2)
    district.take(reading(1, 4), reading(1, 3))
    assert district.committed(5000) == (3, 2)


def test_requests_for_a_gap_come_later_and_later_and_stop_when_it_is_filled(district):
    district.take(reading(1, 1), reading(1, 5))
    asked_at = [t for t in range(0, 400_000, 500) if district.said(t, "resend")]
    waits = [b - a for a, b in zip([0, *asked_at], asked_at, strict=False)]
    assert waits[: len(RESEND_AFTER_MS)] == list(RESEND_AFTER_MS)[: len(waits)]
    district.take(*(reading(1, seq) for seq in (2, 3, 4)))
    assert [t for t in range(400_000, 2_000_000, 500) if district.said(t, "resend")] == []


def test_requests_are_few_at_a_time_and_name_the_oldest_gaps(district):
    district.take(*(reading(1, seq) for seq in range(1, 60, 3)))
    district.said(0, "resend")
    asked = district.said(2000, "resend")
    assert [(a["boot"], a["from"], a["to"]) for a in asked] == [(1, 2 + 3 * i, 3 + 3 * i) for i in range(RESEND_RANGES)]


def test_a_station_that_can_not_be_reached_is_not_asked(district):
    district.take(reading(1, 1), reading(1, 5))
    district.take(status("unreachable", bt=None), name="status")
    assert [t for t in range(0, 60_000, 500) if district.said(t, "resend")] == []
    district.take(status("online"), name="status")
    assert district.said(61_000, "resend")


def test_what_the_node_dropped_is_not_waited_for(district):
    district.take(reading(1, 1), reading(2, 3), reading(2, 4))
    assert district.committed(0) == (1, 1)
    district.take(dropped(2, 1, "readings", 1, 2, 9, prev=(0, 0)), dropped(2, 2, "readings", 2, 1, 2), name="event")
    assert district.committed(5000) == (2, 4)
    district.take(reading(2, 5))
    assert district.committed(10_000, "event") == (2, 2)


def test_more_gaps_than_are_remembered_lose_nothing(district):
    keys = list(range(1, 3001))
    district.take(*(reading(1, seq) for seq in keys if seq % 2 == 0))
    district.take(*(reading(1, seq) for seq in keys if seq % 2 == 0))
    assert district.rows("SELECT COUNT(*) FROM records") == [(1500,)]
    assert len(district.ingest.store.load().marks[0][4]) < 20_000
    district.take(*(reading(1, seq) for seq in keys))
    assert district.rows("SELECT COUNT(*) FROM records") == [(3000,)]
    assert district.committed(0) == (1, 3000)


# Times and flags


@pytest.mark.parametrize("fix_first", [True, False])
def test_records_from_before_the_clock_are_dated_whichever_comes_first(district, fix_first):
    early = reading(3, 1, up_ms=1040, prev=(2, 911))
    fix = time_fix(3, 1, T0_S, 2040, prev=(0, 0))
    for name, payload in (("event", fix), ("readings", early))[:: 1 if fix_first else -1]:
        district.take(payload, name=name)
    rows = district.rows("SELECT t_ms, up_ms, received_ms FROM records WHERE stream = 0")
    assert rows == [(T0_S * 1000 - 1000, 1040, NOW)]


def test_a_boot_is_dated_by_its_own_fix_only(district):
    district.take(reading(3, 1, up_ms=1040, prev=(0, 0)), reading(4, 1, up_ms=1040, prev=(3, 1)))
    district.take(time_fix(4, 1, T0_S, 2040, prev=(0, 0)), name="event")
    assert district.rows("SELECT t_ms FROM records WHERE stream = 0 ORDER BY boot") == [(None,), (T0_S * 1000 - 1000,)]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3)])
def test_the_final_flag_is_the_next_records_word_whatever_the_order(district, order):
    records = {1: reading(1, 1, 1.0), 2: reading(1, 2, 9.0, q=2, q1=1), 3: reading(1, 3, 1.0, q=2, q1=4)}
    district.take(*(records[seq] for seq in order))
    rows = district.rows("SELECT seq, q FROM points_final WHERE name = 'level' ORDER BY seq")
    assert rows == [(1, 1), (2, 4), (3, 2)]


def test_the_final_flag_does_not_cross_a_boot(district):
    district.take(reading(1, 1), reading(2, 1, q1=4, prev=(1, 1)))
    assert district.rows("SELECT q FROM points_final WHERE name = 'level' AND boot = 1") == [(2,)]


def test_other_districts_are_refused_when_one_is_configured():
    store = SqliteStore(":memory:")
    ingest = Ingest(store, "kuching")
    ingest.take(topic("readings"), reading(1, 1), NOW)
    ingest.take(topic("readings", district="kuching"), reading(1, 1, district="kuching"), NOW)
    ingest.flush()
    assert store.rows("SELECT district FROM nodes") == [("kuching",)]
    assert store.rows("SELECT reason FROM quarantine") == [("the district is demo, this gateway serves kuching",)]


def test_settings_seen_again_are_kept_once_and_a_withdrawn_one_is_no_fault(district):
    district.take(settings(), settings(), settings(danger=2.0, revision=2), b"", name="settings")
    assert district.rows("SELECT revision FROM settings_seen") == [(1,), (2,)]
    assert district.facts().limits["level"] == {"alert": 0.6, "warning": 1.0, "danger": 2.0}
    assert district.rows("SELECT COUNT(*) FROM quarantine") == [(0,)]


def test_same_node_name_in_two_districts_are_two_nodes(district):
    district.take(reading(1, 1, 1.0))
    district.ingest.take(topic("readings", district="other"), reading(1, 1, 2.0, district="other"), NOW)
    district.ingest.flush()
    assert district.rows("SELECT district, v FROM points_final WHERE name = 'level' ORDER BY 1") == [
        ("demo", 1.0),
        ("other", 2.0),
    ]
    assert LIFE in {row[2] for row in district.store.load().lives}


def test_a_missing_reading_stays_missing_whatever_the_next_one_says(district):
    district.take(reading(1, 1, None), reading(1, 2, 1.0, q1=1))
    assert district.rows("SELECT v, q FROM points_final WHERE name = 'level' AND seq = 1") == [(None, 9)]
