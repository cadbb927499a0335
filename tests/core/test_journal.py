"""The journal against a list: any order of appends, frees, reads, reboots, cuts and storage that fails.

`Machine` keeps what the journal owes: every record that was appended, until it was freed, given up, or cut off with the newest file.
"""

import errno
import random
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from node.core import journal
from node.core import measurements as M
from tests import vm64
from tests.core import failing_storage
from tests.core.failing_storage import Storage
from tests.core.journal_desk import RECORD, SEGMENT, SeqBeforeAppend, a_log, everything, keys_of, walk

LIMIT = 4  # segments
POINTS = st.lists(
    st.tuples(st.integers(0, 0x3000), st.integers(0, 255), st.integers(-(2**31), 2**31 - 1)), min_size=1, max_size=5
).map(tuple)
WHEN = st.tuples(st.integers(0, 1), st.integers(0, 2**32 - 1), st.integers(0, 999))
TEXT = st.one_of(st.just(b""), st.just(b""), st.binary(min_size=1, max_size=40), st.binary(min_size=300, max_size=300))


class Machine(RuleBasedStateMachine):
    log_class = journal.Log

    @initialize()
    def boot_first(self):
        self.storage = Storage()
        self.boot = 0
        self.owed = {}  # key -> (flags, seconds, ms, points, text), in order of keys
        self.unsure = {}  # appended with an error: there whole, or not at all
        self.kept = (0, 0)  # committed, as the gateway knows
        self.kept_now = (0, 0)  # as this boot was told
        self.before = (0, 0)  # the newest key of earlier boots
        self.prev = {}  # boot -> the newest key before it
        self.used = set()
        self.reboot()

    # what the station does

    @rule(
        when=WHEN,
        points=POINTS,
        text=TEXT,
        trouble=st.sampled_from(("", "", "", "", "before", "torn", "after")),
        at=st.integers(0, 99),
    )
    def append(self, when, points, text, trouble, at):
        if trouble:
            self.storage.trouble = (trouble, "append" if at % 2 else "", at)
        record = (when[0], when[1], when[2], points, text)
        number = self.log.seq
        try:
            seq = self.log.append(*record)
        except OSError:
            self.storage.trouble = None
            self.owe_unsure((self.boot, self.log.seq + 1), record)
        else:
            self.storage.trouble = None
            assert seq == self.log.seq > number
            self.settle_unsure((self.boot, seq))
            assert (self.boot, seq) not in self.used, "a seq came twice"
            self.used.add((self.boot, seq))
            self.owed[(self.boot, seq)] = record
        self.take_given_up()

    def owe_unsure(self, key, record):
        """An append failed; the one before that failed, if it got there, has used that seq by now."""
        records = self.unsure.get(key, [])
        self.settle_unsure(key)
        self.unsure[key] = [*records, record]

    def settle_unsure(self, key):
        """What failed under a seq that has been passed got there after all."""
        passed = {other: records for other, records in self.unsure.items() if other < key}
        for other, record in self.found(passed):
            self.owed[other] = record
            del self.unsure[other]
        assert not [other for other in passed if other in self.unsure], "a seq was passed over"
        self.unsure.pop(key, None)

    def take_given_up(self):
        for boot, first, last in self.log.given_up:
            assert first <= last
            for seq in range(first, last + 1):
                key = (boot, seq)
                assert key > self.kept_now, "declared lost, and it was committed"
                if (
                    key > self.kept
                ):  # what was committed in an earlier boot may be declared: only the gateway still knows
                    assert key in self.owed, "declared lost, and it never was, or twice"
                    del self.owed[key]
        self.log.given_up.clear()

    @precondition(lambda self: self.owed)
    @rule(data=st.data())
    def free(self, data):
        boot, seq = data.draw(st.sampled_from(sorted(self.owed)))
        self.log.free(boot, seq)
        self.kept = self.kept_now = max(self.kept, (boot, seq))
        self.owed = {key: record for key, record in self.owed.items() if key > self.kept}

    @rule(trouble=st.sampled_from(("before", "after")), at=st.integers(0, 5))
    def free_again_with_trouble(self, trouble, at):
        self.kept_now = self.kept
        self.storage.trouble = (trouble, "", at)
        try:
            self.log.free(*self.kept)
        except OSError:
            pass
        self.storage.trouble = None

    @rule(data=st.data())
    def seek(self, data):
        if not self.owed:
            return
        key = data.draw(st.sampled_from(sorted(self.owed)))
        cursor = journal.Cursor(self.log)
        cursor.seek(*key)
        at = cursor.peek()
        assert (at[0], journal.seq_of(at[3])) == key

    @rule(count=st.integers(1, 4))
    def read_on(self, count):
        """A cursor that lives through everything reads in order and skips nothing that is there."""
        for _ in range(count):
            at = self.cursor.peek()
            if not at:
                missed = [key for key in self.owed if key > self.seen]
                assert not missed
                return
            key = (at[0], journal.seq_of(at[3]))
            assert key > self.seen
            assert not [other for other in self.owed if self.seen < other < key]
            self.seen = key
            self.cursor.advance(at[3])

    # what happens to it

    @rule()
    def reboot(self):
        if self.boot:
            self.before = self.newest()
        self.boot += 1
        self.prev[self.boot] = self.before
        self.storage.trouble = None
        self.log = self.log_class(self.storage, "readings", self.boot, SEGMENT, LIMIT)
        assert (self.log.prev_boot, self.log.prev_seq) == self.before
        self.owed.update(self.found(self.unsure))
        self.unsure.clear()
        self.kept_now = (0, 0)
        self.cursor = journal.Cursor(self.log)
        self.seen = (0, 0)

    def newest(self):
        """By the file, not by the log: a record that failed may be there."""
        keys = sorted(self.used)
        if self.unsure:
            keys += [key for key, _ in self.found(self.unsure)]
        return max(keys, default=(0, 0))

    def found(self, unsure):
        """Which of the records that failed are there: (key, record)."""
        log = journal.Log(Storage(self.storage.files), "readings", 0, SEGMENT, LIMIT)
        there = {(boot, record[0]): record[1] for boot, record in everything(log)}
        for key in unsure:
            if key in there:
                assert there[key] in unsure[key]
                self.used.add(key)
                yield key, there[key]

    @precondition(lambda self: self.log.last)
    @rule(share=st.integers(0, 1000))
    def cut_newest_file_and_reboot(self, share):
        """Power went, and flash with it: the newest file ends anywhere. What it held is lost; nothing else is."""
        name = sorted(self.storage.files)[-1]
        data = self.storage.files[name]
        whole = {(boot, record[0]) for boot, record in everything(self.copy())}
        self.storage.files[name] = data[: len(data) * share // 1000]
        rest = {(boot, record[0]) for boot, record in everything(self.copy())}
        for key in whole - rest:
            self.owed.pop(key, None)
            self.unsure.pop(key, None)
            self.used.discard(key)
        assert rest <= whole
        log = self.copy()
        known = (log.prev_boot, log.prev_seq)
        assert known <= max([*self.used, *self.unsure], default=(0, 0))
        self.used = {key for key in self.used if key <= known}
        self.reboot()

    def copy(self):
        return journal.Log(Storage(self.storage.files), "readings", 0, SEGMENT, LIMIT)

    # what holds at any time

    @invariant()
    def what_is_owed_is_there(self):
        if not hasattr(self, "log"):
            return
        records = list(everything(self.log))
        keys = [(boot, record[0]) for boot, record in records]
        assert keys == sorted(set(keys))
        there = {key: record[1] for key, (_, record) in zip(keys, records, strict=True)}
        for key, record in self.owed.items():
            assert there.get(key) == record
        for key, record in there.items():
            assert key <= self.kept or key in self.owed or record in self.unsure.get(key, ())
        for at in walk(self.log):
            if journal.seq_of(at[3]) == 1:
                assert (at[1], at[2]) == self.prev[at[0]]

    @invariant()
    def ring_is_bounded(self):
        if hasattr(self, "log"):
            assert len(self.storage.files) <= LIMIT + 1


TestJournalAgainstAList = Machine.TestCase
TestJournalAgainstAList.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


# Planted faults: each must be found by the same machine.


class OverATornTail(journal.Log):
    def append(self, flags, seconds, ms, points, text=b""):
        size = self.written
        try:
            return super().append(flags, seconds, ms, points, text)
        except OSError:
            self.written, self._torn = size, 0
            raise


class HeaderAfterRecord(journal.Log):
    def __init__(self, storage, *rest):
        super().__init__(storage, *rest)
        self._storage = self
        self._real, self._held = storage, b""

    def __getattr__(self, name):
        return getattr(self.__dict__["_real"], name)

    def read(self, which, *rest):
        return super().read(which, *rest) if isinstance(which, int) else self._real.read(which, *rest)

    def append(self, *record):
        if len(record) > 2:
            return super().append(*record)
        name, data = record
        if len(data) == 24:
            self._held = data
            return None
        self._real.append(name, data)
        held, self._held = self._held, b""
        return held and self._real.append(name, held)


class FreesOneMore(journal.Log):
    def free(self, boot, seq):
        super().free(boot, seq + 1)


class GivesUpInSilence(journal.Log):
    def _give_up_oldest(self):
        self._drop_first()


class MergesWhatIsGivenUp(journal.Log):
    def _give_up_oldest(self):
        super()._give_up_oldest()
        if self.given_up:
            self.given_up[-1][1] = 1


@pytest.mark.parametrize(
    "wrong",
    [SeqBeforeAppend, OverATornTail, HeaderAfterRecord, FreesOneMore, GivesUpInSilence, MergesWhatIsGivenUp],
)
def test_a_planted_fault_is_found_by_the_same_machine(wrong):
    class Planted(Machine):
        log_class = wrong

    search = settings(max_examples=1000, stateful_step_count=40, deadline=None, database=None, derandomize=True,
                      phases=(Phase.generate,), report_multiple_bugs=False)  # fmt: skip
    with pytest.raises((AssertionError, IndexError, ExceptionGroup)):
        run_state_machine_as_test(Planted, settings=search)


# Cases by hand


def test_newest_file_cut_at_every_byte_keeps_every_whole_record():
    storage = Storage()
    a_log(4, storage)
    name = sorted(storage.files)[-1]
    whole = storage.files[name]
    for cut in range(len(whole) + 1):
        cut_storage = Storage(storage.files)
        cut_storage.files[name] = whole[:cut]
        log = a_log(0, cut_storage, boot=2)
        left = keys_of(log)
        assert left == [(1, seq + 1) for seq in range(len(left))]
        assert (log.prev_boot, log.prev_seq) == left[-1]
        assert len(left) == 3 + (cut - 24) // 20 if cut >= 24 else len(left) == 3
        log.append(*RECORD)
        assert keys_of(log) == [*left, (2, 1)]


def test_a_record_that_holds_too_much_is_refused_in_words():
    log = a_log(1)
    with pytest.raises(ValueError, match="33 points and 0 bytes of text: a record holds up to 32 and 300"):
        log.append(0, 0, 0, ((M.LEVEL, 2, 1),) * 33)
    with pytest.raises(ValueError, match="1 points and 301"):
        log.append(0, 0, 0, ((M.LEVEL, 2, 1),), b"x" * 301)
    with pytest.raises(ValueError, match="point 0 can't hold 2147483648"):
        log.append(0, 0, 0, ((M.LEVEL, 2, 1 << 31),))
    log.append(*RECORD)
    assert keys_of(log) == [(1, 1), (1, 2)]


def test_the_longest_record_comes_back_whole():
    log = a_log(0, segment=8188)
    points = ((0xFFFF, 255, -(2**31)),) * 32
    log.seq = 2**32 - 2
    log.append(journal.DATED, 2**32 - 1, 999, points)
    assert list(everything(log)) == [(1, (2**32 - 1, (journal.DATED, 2**32 - 1, 999, points, b"")))]
    log = a_log(0, segment=8188)
    log.append(0, 0, 0, points[:13], b"x" * 300)
    assert list(everything(log)) == [(1, (1, (0, 0, 0, points[:13], b"x" * 300)))]
    with pytest.raises(ValueError, match="512"):
        log.append(0, 0, 0, points, b"x" * 300)


class TearsRecords(Storage):
    """Headers arrive, records do not."""

    def append(self, name, data):
        super().append(name, data if len(data) == 24 else data[:11])
        if len(data) != 24:
            raise OSError(errno.EIO, "injected")


def test_appends_that_fail_for_hours_cost_no_record():
    storage = TearsRecords()
    storage.files = dict(a_log(9, limit=4)._storage.files)
    log = journal.Log(storage, "readings", 2, SEGMENT, 4)
    for _ in range(100):
        with pytest.raises(OSError, match="injected"):
            log.append(*RECORD)
    storage.append = lambda name, data: Storage.append(storage, name, data)
    log.append(*RECORD)
    assert log.given_up == []
    assert keys_of(log) == [*[(1, seq + 1) for seq in range(9)], (2, 1)]


def test_a_header_that_got_there_with_an_error_is_not_passed_by():
    """Found by the machine: a short record then went before it, and freeing one record dropped the other."""
    storage = Storage()
    log = journal.Log(storage, "readings", 1, SEGMENT, LIMIT)
    long = (*RECORD[:3], ((M.NEW_SETTING, 2, -(1 << 30)),) * 5)
    log.append(*long)
    storage.trouble = ("after", "append", 0)
    with pytest.raises(OSError, match="injected"):
        log.append(*long)
    log.append(*RECORD[:3], ((M.LEVEL, 2, 1),))
    log.free(1, 1)
    assert keys_of(log) == [(1, 2)]
    log = a_log(0, storage, boot=2)
    assert (log.prev_boot, log.prev_seq) == (1, 2)


def test_files_that_are_not_segments_are_left_alone():
    storage = Storage(
        {"readings-": b"x", "readings-0001.tmp": b"x", "readings-old": b"x", "boot": b"7", "event-00000001": b""}
    )
    log = a_log(5, storage)
    assert keys_of(log) == [(1, seq) for seq in (1, 2, 3, 4, 5)]
    assert log.damaged == 0


def test_a_file_that_went_missing_does_not_stop_the_ring():
    storage = Storage()
    log = a_log(9, storage, limit=4)
    del storage.files[sorted(storage.files)[0]]
    for _ in range(12):
        log.append(*RECORD)
    assert keys_of(log)[-1] == (1, 21)
    assert len(storage.files) <= 4


def test_a_seek_into_a_full_journal_reads_little():
    """On flash each read is slow, and the siren waits for it: 140 segments of 270 records."""
    log = a_log(3000, segment=8192, limit=140)
    for boot in range(2, 40):
        log = a_log(300, log._storage, boot, 8192, 140)
    storage = log._storage
    for key in ((1, 1), (1, 2999), (20, 150), (39, 300), (40, 1)):
        cursor = journal.Cursor(log)
        storage.calls = 0
        cursor.seek(*key)
        assert storage.calls < 40


@given(st.integers(0, 2**32))
def test_log_tells_nothing_of_another_stream(seed):
    """Both streams share one storage, and the order of names is the port's own."""
    draw = random.Random(seed)
    storage = Storage()
    storage.names = lambda: sorted(storage.files, key=lambda name: draw.random())
    owed = ([], [])
    for boot in range(1, 4):
        logs = journal.open_logs(storage, boot, SEGMENT, 50, 50)
        for _ in range(draw.randrange(12)):
            stream = draw.randrange(2)
            owed[stream].append((boot, logs[stream].append(*RECORD)))
    assert [keys_of(log) for log in logs] == list(owed)


SCRIPT = """
from tests_storage import Storage
from node.core import journal
import binascii
storage = Storage()
x = 7
for boot in range(1, 9):
    log = journal.Log(storage, "event", boot, 150, 5)
    print(boot, log.prev_boot, log.prev_seq)
    for _ in range(x % 9):
        x = (x * 1103 + 12345) & 0xFFFF
        storage.trouble = ("before", "torn", "after")[x % 3], "append", x % 8
        try:
            log.append(x & 1, 1528063200 + x, x % 1000, ((x & 15, x & 255, x * 30000), (x % 4000, 0, -x)), b"text"[x % 5 :])
        except OSError:
            print("failed")
    storage.trouble = None
    if x % 3 == 0:
        log.free(boot, 2)
    cursor = journal.Cursor(log)
    cursor.seek(boot - 1, 3)
    while cursor.peek():
        at = cursor.peek()
        print(at[:3], journal.points_of(at[3]), journal.text_of(at[3]))
        cursor.advance(at[3])
    print(log.given_up, [(name, binascii.crc32(storage.files[name])) for name in sorted(storage.files)])
"""


def test_micropython_keeps_the_same_bytes(tmp_path, capsys):
    source = Path(failing_storage.__file__).read_text()
    (tmp_path / "tests_storage.py").write_text(source)
    exec(SCRIPT.replace("tests_storage", "tests.core.failing_storage"), {})  # noqa: S102
    assert vm64.run(SCRIPT, path=(vm64.FIRMWARE, tmp_path)) == capsys.readouterr().out
