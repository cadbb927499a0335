"""A journal that flash has harmed: what can be had is had, what is lost is declared, nothing is invented."""

import random
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from node.core import journal
from tests import vm64
from tests.core import failing_storage
from tests.core.failing_storage import Storage
from tests.core.journal_desk import RECORD, SEGMENT, a_log, damage, everything, keys_of


@pytest.mark.parametrize("at", [0, 5, 20, 23])
def test_a_damaged_header_costs_nothing_that_its_neighbours_know(at):
    storage = Storage()
    log = a_log(9, storage)
    damage(storage, 1, at)
    log.free(1, 1)
    assert keys_of(log) == [(1, seq + 1) for seq in range(9)]
    assert (log.damaged, log.given_up) == (1, [])
    log.free(1, 7)
    assert keys_of(log) == [(1, seq) for seq in (7, 8, 9)]


def test_a_damaged_record_costs_itself_only_and_is_declared_once():
    storage = Storage()
    log = a_log(9, storage)
    damage(storage, 1, 24 + 20 + 12)
    for _ in range(3):
        assert keys_of(log) == [(1, seq) for seq in (1, 2, 3, 4, 6, 7, 8, 9)]
    cursor = journal.Cursor(log)
    cursor.seek(1, 5)
    assert journal.seq_of(cursor.peek()[3]) == 6
    assert (log.damaged, log.given_up) == (1, [[1, 5, 5]])


LIVES = st.lists(st.lists(st.integers(0, 60), min_size=0, max_size=9), min_size=1, max_size=5)


DAMAGE = st.tuples(LIVES, st.integers(0, 99), st.integers(0, 99999), st.booleans())


@given(DAMAGE)
@settings(max_examples=400, deadline=None)
def test_one_damaged_byte_costs_one_record_at_most_and_that_one_is_declared(case):
    """Whatever the byte was: of a header, a size, a value, a text. Of an earlier boot's very end only that boot knew."""
    one_damaged_byte(journal.Log, *case)


class StopsAtDamage(journal.Log):
    def beyond(self, number, offset):
        return 0


class PassesDamageInSilence(journal.Log):
    def lose(self, boot, first, last):
        pass


class BelievesAnyCrc(journal.Log):
    def record(self, number, offset):
        record = super().record(number, offset)
        return record or self._cut(offset - self._chunk_at)


class TakesHeadersAsTheyStand(journal.Log):
    def header(self, number):
        return self.written_header(number)[0]


@pytest.mark.parametrize("wrong", [StopsAtDamage, PassesDamageInSilence, BelievesAnyCrc, TakesHeadersAsTheyStand])
def test_a_journal_that_is_wrong_about_damage_is_found(wrong):
    @given(DAMAGE)
    @settings(max_examples=2000, deadline=None, database=None, derandomize=True, phases=(Phase.generate,),
              report_multiple_bugs=False)  # fmt: skip
    def search(case):
        one_damaged_byte(wrong, *case)

    with pytest.raises((AssertionError, ExceptionGroup)):
        search()


def one_damaged_byte(log_class, lives, which, at, reboots):
    storage = Storage()
    for boot, texts in enumerate(lives, 1):
        log = log_class(storage, "readings", boot, SEGMENT, 50)
        for length in texts:
            log.append(*RECORD, b"\xff" * length)
    before = dict(everything_by_key(log))
    names = sorted(storage.files)
    if not names:
        return
    which %= len(names)
    damage(storage, which, at % len(storage.files[names[which]]))
    if reboots:
        log = log_class(storage, "readings", len(lives) + 1, SEGMENT, 50)
        log.append(*RECORD)
        after = dict(everything_by_key(log))
        after.pop((len(lives) + 1, 1))
        own = False
    else:
        log._chunk_number = 0
        after = dict(everything_by_key(log))
        own = lives[-1]
    unknown = [key for key in before if which == len(names) - 1 and not own]
    assert after.items() <= before.items(), "invented or harmed"
    lost = before.keys() - after.keys()
    declared = {(boot, seq) for boot, first, last in log.given_up for seq in range(first, last + 1)}
    assert not declared & after.keys()
    assert declared <= before.keys()
    assert lost - set(unknown) <= declared
    assert len(lost) <= 1 or lost <= set(unknown)
    assert log.damaged or not lost - set(unknown)


def everything_by_key(log):
    return [((boot, record[0]), record[1]) for boot, record in everything(log)]


@given(LIVES, st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_whole_blocks_of_junk_invent_nothing_and_end(lives, seed):
    """Erased, zeroed or random stretches anywhere: the journal opens, reads to its end, and goes on."""
    draw = random.Random(seed)
    storage = Storage()
    for boot, texts in enumerate(lives, 1):
        log = a_log(0, storage, boot)
        for length in texts:
            log.append(*RECORD, b"\xff" * length)
    before = dict(everything_by_key(log))
    for name in storage.files:
        data = bytearray(storage.files[name])
        begin = draw.randrange(len(data))
        end = draw.randrange(begin, len(data)) + 1
        data[begin:end] = draw.choice((b"\xff" * (end - begin), bytes(end - begin), draw.randbytes(end - begin)))
        storage.files[name] = bytes(data)
    log = a_log(2, storage, len(lives) + 1)
    after = dict(everything_by_key(log))
    assert [after.pop((len(lives) + 1, seq)) for seq in (1, 2)]
    assert after.items() <= before.items(), "invented or harmed"
    for boot, first, last in log.given_up:
        assert 0 < first <= last
        assert not [key for key in after if (boot, first) <= key <= (boot, last)]


SCRIPT = """
from tests_storage import Storage
from node.core import journal
x = 7
for turn in range(60):
    storage = Storage()
    for boot in (1, 2, 3):
        log = journal.Log(storage, "event", boot, 90, 50)
        for _ in range(5):
            x = (x * 1103 + 12345) & 0xFFFF
            log.append(x & 1, 1528063200 + x, x % 1000, ((x & 15, x & 255, x * 30000), (x % 4000, 0, -x)), b"text"[x % 5 :])
    names = sorted(storage.files)
    name = names[x % len(names)]
    data = bytearray(storage.files[name])
    data[turn * 7 % len(data)] ^= 1 << x % 8
    storage.files[name] = bytes(data)
    log = journal.Log(storage, "event", 4, 90, 50)
    log.append(*(1, 2, 3, ((0, 0, 1),)))
    cursor = journal.Cursor(log)
    keys = []
    while cursor.peek():
        at = cursor.peek()
        keys.append((at[0], journal.seq_of(at[3])))
        cursor.advance(at[3])
    print(turn, log.damaged, log.given_up, keys)
"""


def test_micropython_saves_the_same_records(tmp_path, capsys):
    (tmp_path / "tests_storage.py").write_text(Path(failing_storage.__file__).read_text())
    exec(SCRIPT.replace("tests_storage", "tests.core.failing_storage"), {})  # noqa: S102
    assert vm64.run(SCRIPT, path=(vm64.FIRMWARE, tmp_path)) == capsys.readouterr().out
