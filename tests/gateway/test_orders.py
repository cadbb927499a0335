"""Settings and commands from the gateway, on the real station's core: carried out once, answered, and the loser of a conflict is told."""

import json
from pathlib import Path

import pytest

from gateway.desk import Order
from gateway.orders import COUNTS_FROM_S, GRACE_MS
from tests.core.station_desk import LIFE
from tests.gateway.district import topic
from tests.gateway.station import NOW_MS, District


@pytest.fixture
def district(tmp_path):
    made = District(tmp_path)
    made.carry(20_000)
    assert made.agrees
    yield made
    made.store.close()


def want(district, who="amina", **levels):
    return district.orders.desire(district.node, {"level." + k: v for k, v in levels.items()}, who, district.now_ms)


def test_settings_that_are_wanted_are_run_confirmed_and_audited(district):
    order = want(district, danger="1.8", warning="1.2 m")
    assert district.value("level.danger") == 1500, "not before it is on disk and said"
    district.carry()
    assert (order.state, order.number) == ("confirmed", 2) and district.agrees
    assert (district.value("level.danger"), district.value("level.warning"), district.runs.revision) == (1800, 1200, 2)
    assert [row[:6] for row in district.audit()] == [
        ("amina", "wanted", "level.danger", "1.5 m", "1.8 m", 2),
        ("amina", "wanted", "level.warning", "1 m", "1.2 m", 2),
        ("amina", "confirmed", None, None, None, 2),
        ("amina", "changed", "level.warning", "1 m", "1.2 m", 2),
        ("amina", "changed", "level.danger", "1.5 m", "1.8 m", 2),
    ]
    district.carry()
    assert json.loads(district.station.broker.retained["waspada/v1/demo/dr01/desired"])["revision"] == 0


# what is typed, words of the sentence
UNUSABLE = (
    ({"level.danger": "31"}, "level.danger must be -10 m to 30 m"),
    ({"level.danger": "high"}, "'high' is not a number"),
    ({"level.danger": "1.5555"}, "finer than 3 decimals"),
    ({"level.danger": "2 ft"}, "level.danger is in m, not ft"),
    ({"level.danger": "0.9"}, "levels out of order"),
    ({"co2.alert": "900"}, "dr01 has no setting 'co2.alert'; there are level.alert"),
    ({"nothing": "1"}, "dr01 has no setting 'nothing'"),
    ({"level.danger": "1.5"}, "nothing to change"),
    ({}, "nothing to change"),
)


@pytest.mark.parametrize(("words", "sentence"), UNUSABLE, ids=range(len(UNUSABLE)))
def test_what_the_table_does_not_allow_is_never_sent(district, words, sentence):
    with pytest.raises(ValueError, match=sentence):
        district.orders.desire(district.node, words, "amina", district.now_ms)
    district.carry()
    assert district.said == [] and district.audit() == [] and district.agrees


def test_what_only_the_station_knows_is_refused_in_its_own_words(district):
    order = want(district, danger="9")
    district.carry()
    assert order.state == "refused"
    assert order.why == "level.danger is above what the sensor can tell from its height, 4.47 m"
    assert district.agrees and district.runs.revision == 1
    again = want(district, danger="2")
    district.carry()
    assert (again.state, again.number) == ("confirmed", 3)


def test_a_refusal_that_was_not_told_at_once_is_told_later(district):
    want(district, danger="9")
    district.carry()
    order = want(district, danger="8.5")
    district.carry()
    assert order.state == "waiting", "the station tells of refusals every ten minutes"
    district.settle(24)
    assert order.state == "refused" and district.agrees


@pytest.mark.parametrize("saves", [1, 3])
def test_a_technician_who_saved_meanwhile_wins_and_the_loser_is_told_once(district, saves):
    district.away()
    district.carry()
    order = want(district, danger="2")
    district.carry()
    for step in range(saves):
        assert district.save(danger=2500 + step)
    district.settle(3)
    assert (order.state, district.value("level.danger")) == ("superseded", 2499 + saves)
    assert f"own revision {1 + saves} stands: level.danger is 2.5" in order.why and "wanted 2 m" in order.why
    assert len(district.audit("superseded")) == 1 and district.agrees
    changed = district.audit("changed")
    assert changed[0] == ("console", "changed", "level.danger", "1.5 m", "2.5 m", 2, "") and len(changed) == saves
    district.reboot()
    district.settle(2)
    assert len(district.audit("superseded")) == 1 and district.value("level.danger") == 2499 + saves


def test_a_technician_who_typed_the_same_is_no_loser(district):
    district.away()
    order = want(district, danger="2")
    district.carry()
    district.save(danger=2000)
    district.settle(3)
    assert order.state == "confirmed" and district.audit("superseded") == [] and district.agrees


def test_a_station_that_was_away_takes_what_was_wanted_when_it_returns(district):
    district.away()
    order = want(district, danger="2")
    district.carry()
    district.reboot()
    district.carry(60_000)
    assert order.state == "waiting"
    district.settle(3)
    assert order.state == "confirmed" and district.value("level.danger") == 2000


def test_a_second_wish_holds_what_the_first_still_waited_for(district):
    district.away()
    first = want(district, danger="2")
    second = want(district, "budi", warning="1.1")
    district.settle(3)
    assert (first.state, second.state) == ("replaced", "confirmed")
    assert (district.value("level.danger"), district.value("level.warning")) == (2000, 1100) and district.agrees


def test_what_was_withdrawn_is_not_taken_later(district):
    district.away()
    district.carry()
    order = want(district, danger="2")
    district.carry()
    district.orders.withdraw(district.node, "amina", district.now_ms)
    district.settle(3)
    assert order.state == "withdrawn" and district.value("level.danger") == 1500 and district.agrees
    with pytest.raises(ValueError, match="nothing to withdraw"):
        district.orders.withdraw(district.node, "amina", district.now_ms)


def test_a_new_board_is_given_what_the_one_before_ran_and_what_was_wanted_of_it(district):
    assert district.save(danger=2200)
    district.carry()
    district.away()
    district.carry()
    order = want(district, warning="1.3")
    district.carry()
    district.replace_board()
    district.settle(3)
    assert order.state == "replaced" and district.agrees
    assert (district.value("level.danger"), district.value("level.warning"), district.runs.revision) == (2200, 1300, 2)
    assert [row[0] for row in district.audit("confirmed")] == ["amina"]


def test_a_new_board_that_was_set_up_by_hand_keeps_its_own_and_that_is_told(district):
    assert district.save(danger=2200)
    district.carry()
    district.away()
    district.carry()
    order = want(district, warning="1.3")
    district.replace_board()
    district.carry()
    assert district.save(danger=2700)
    district.settle(3)
    assert order.state == "superseded" and "set up by hand" in order.why
    assert (district.value("level.danger"), district.value("level.warning")) == (2700, 1000)
    [(who, _, _, _, _, revision, detail)] = district.audit("not carried over")
    assert (who, revision) == ("amina", 2) and "level.danger 2.2 m" in detail and district.agrees


def test_what_a_dead_board_said_comes_twice_and_brings_it_back_to_nothing(district):
    assert district.save(danger=2200)
    district.carry()
    old = [(t, p) for t, p, *_ in district.station.broker.published if t.endswith(("/status", "/settings"))]
    district.away()
    district.carry()
    want(district, warning="1.3")
    district.carry()
    district.replace_board()
    district.settle(1)
    order = want(district, danger="2.6")
    district.away()
    for message in old * 2:
        district.ingest.take(*message, district.now_ms)
    district.settle(3)
    district.station.broker.drop()
    district.settle(3)
    assert order.state == "confirmed" and district.agrees and district.audit("superseded", "not carried over") == []
    assert (district.value("level.danger"), district.value("level.warning")) == (2600, 1300)


def test_a_wish_made_while_another_is_being_kept_is_not_sent_before_it_is_kept_itself(district):
    want(district, danger="2")
    district.store.write(district.ingest.seal())
    want(district, "budi", danger="2.1")
    district.store.finish()
    district.ingest.kept()
    assert [m for m in district.ingest.due(district.now_ms) if m[0].endswith("/desired")] == []
    district.carry()
    assert [name for name, _ in district.said].count("desired") >= 1 and district.value("level.danger") == 2100


@pytest.mark.parametrize("danger", [99, -1e300, 1e300, 0.7])
def test_what_no_table_allows_is_not_carried_to_a_new_board(district, danger):
    values = {**json.loads(district.runs.json(LIFE))["values"], "level.danger": danger, "new.thing": 1e300}
    district.ingest.take(topic("settings"), json.dumps({"life": LIFE, "revision": 2, "values": values}).encode(), 0)
    district.away()
    order = want(district, danger="2.5", warning="1.1") if danger != 0.7 else None
    district.replace_board()
    district.settle(3)
    assert district.agrees and (order is None or order.state == "replaced")
    assert len(district.audit("not carried over")) == (order is None)


def test_an_order_survives_the_gateway_and_is_sent_only_from_disk(district):
    district.away()
    district.carry()
    lost = want(district, danger="2")
    district.restart()
    assert district.orders.desk(district.node).desired is None and lost.state == "waiting", (
        "it was never kept, nor sent"
    )
    want(district, danger="2.1")
    district.ingest.flush()
    district.restart()
    district.settle(3)
    assert district.value("level.danger") == 2100 and district.agrees and len(district.audit("confirmed")) == 1


# commands


def test_the_wire_pages_examples_are_what_is_sent_and_what_a_station_answers(district):
    examples = (Path(__file__).parents[2] / "docs" / "wire.md").read_text().split("```json\n")
    [desired] = [e.split("\n")[0] for e in examples if '"level.on_delay":"60"' in e]
    [command] = [e.split("\n")[0] for e in examples if '"expires"' in e]
    [reply] = [e.split("\n")[0] for e in examples if '"result"' in e]
    words = {"level.danger": "1.8", "level.on_delay": "60"}
    assert Order(1, district.node, LIFE, "set", 3, words, "a", 0).message()[1].decode() == desired
    told = json.loads(command)
    sent = Order(2, district.node, LIFE, "shelve", told["counter"], 600, "a", 0, told["expires"]).message()[1].decode()
    assert sent == command and told["expires"] * 1000 > district.now_ms
    district.station.broker.say("desired", desired)
    district.station.broker.say("command", command)
    district.carry()
    assert (district.value("level.danger"), district.value("level.on_delay"), district.runs.revision) == (1800, 60, 3)
    [answer] = [payload for topic, payload, *_ in district.station.broker.published if topic.endswith("/reply")]
    assert answer.decode() == reply


DONE = (("ack", 0, "acknowledged"), ("shelve", 600, "shelved_s"), ("drill", 3, "drill"), ("status", 0, None), ("reboot", 0, None))  # fmt: skip


@pytest.mark.parametrize(("do", "number", "event"), DONE)
def test_a_command_is_carried_out_once_and_answered(district, do, number, event):
    order = district.orders.command(district.node, do, number, "amina", district.now_ms)
    district.carry(6000)
    assert (order.state, order.why) == ("done", "")
    [(name, payload)] = district.said
    told = json.loads(payload)
    assert (name, told["do"], told["id"]) == ("command", do, f"{told['counter']:08x}")
    assert told["expires"] * 1000 >= district.now_ms and told["counter"] * 1000 >= NOW_MS - COUNTS_FROM_S * 1000
    assert "waspada/v1/demo/dr01/command" not in district.station.broker.retained
    assert event is None or len(district.station.events(event)) >= 1
    assert [row[:2] for row in district.audit()] == [("amina", "ordered"), ("amina", "done")]


def test_a_counter_never_goes_back_whatever_clock_or_database_says(district):
    district.snapshot()
    first = [district.orders.command(district.node, "ack", 0, "a", district.now_ms) for _ in range(3)]
    district.carry()
    second = district.orders.command(district.node, "ack", 0, "a", district.now_ms - 86_400_000 * 365, 82_800)
    assert [o.number for o in (*first, second)] == list(range(first[0].number, first[0].number + 4))
    district.carry(60_000)
    district.restart(restore=True)
    third = district.orders.command(district.node, "ack", 0, "a", district.now_ms)
    district.carry()
    assert third.number > second.number and third.state == "done"


def test_a_command_that_nobody_hears_expires_and_is_not_carried_out_later(district):
    district.away()
    district.carry()
    order = district.orders.command(district.node, "drill", 3, "amina", district.now_ms, 60)
    district.carry()
    [payload] = district.lost
    district.carry(60_000 + GRACE_MS)
    assert order.state == "unanswered" and district.audit("unanswered")
    district.back()
    district.carry(60_000)
    district.station.broker.say("command", payload)
    district.carry()
    assert order.state == "unanswered" and district.station.events("drill") == []


def test_what_was_done_stays_done_however_often_it_is_brought(district):
    order = district.orders.command(district.node, "ack", 0, "amina", district.now_ms)
    district.carry()
    district.station.broker.say("command", district.said[0][1])
    district.mixed = lambda messages: [*messages, *reversed(messages)]
    district.carry()
    assert order.state == "done" and len(district.audit("done")) == 1
    assert len(district.station.events("acknowledged")) == 1


# command, number, expiry, words of the sentence
NO_COMMANDS = (
    ("dance", 0, 300, "there is no command 'dance'; there are ack, shelve, drill, reboot, status"),
    ("shelve", 90_000, 300, "shelve takes a whole number of 0 to 86400: seconds"),
    ("shelve", "10", 300, "shelve takes a whole number"),
    ("drill", 0, 300, "drill takes a whole number of 1 to 3"),
    ("ack", 1, 300, "ack takes no number"),
    ("ack", 0, 5, "expires in 10 to 82800 seconds"),
)


@pytest.mark.parametrize(("do", "number", "within", "sentence"), NO_COMMANDS, ids=range(len(NO_COMMANDS)))
def test_a_command_that_no_station_knows_is_not_sent(district, do, number, within, sentence):
    with pytest.raises(ValueError, match=sentence):
        district.orders.command(district.node, do, number, "amina", district.now_ms, within)
    assert not district.orders.waits


def test_only_so_many_commands_wait_at_a_time(district):
    for _ in range(8):
        district.orders.command(district.node, "ack", 0, "amina", district.now_ms)
    with pytest.raises(ValueError, match="8 commands wait for dr01"):
        district.orders.command(district.node, "ack", 0, "amina", district.now_ms)
    district.carry(6000)
    assert {o.state for o in district.orders.desk(district.node).recent} == {"done"}


def test_a_database_from_before_orders_is_opened_and_given_their_tables(district):
    for table in ("orders", "boards", "audit"):
        district.store.rows(f"DROP TABLE {table}")
    district.restart()
    order = want(district, danger="2")
    district.carry()
    assert order.state == "confirmed" and district.audit("confirmed") and district.agrees


def test_an_answer_that_is_none_is_quarantined_and_changes_nothing(district):
    order = district.orders.command(district.node, "ack", 0, "amina", district.now_ms)
    bad = (
        b"",
        b"[]",
        b'{"life":"5eed0001"}',
        b'{"life":"5eed0001","id":"x","result":"maybe","why":""}',
        b"[" * 9000,
        b"\xff",
    )
    for payload in bad:
        district.ingest.take(topic("reply"), payload, district.now_ms)
    foreign = {"life": "5eed0009", "id": order.name, "result": "done", "why": ""}
    district.ingest.take(topic("reply"), json.dumps(foreign).encode(), district.now_ms)
    assert order.state == "waiting"
    district.carry()
    assert order.state == "done"
    assert district.store.rows("SELECT COUNT(*) FROM quarantine WHERE topic LIKE '%/reply'") == [(len(bad),)]
