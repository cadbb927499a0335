"""What the books do with a clock that doubts: tell it, now and then, and keep a time that the gateway vouched for."""

from node.books import Books
from node.core import happenings, journal
from node.core import measurements as M
from tests.core.station_desk import Storage

EPOCH_S = 1528063200
DAY_S = 86400


class DoubtingClock:
    def __init__(self, unix_ms=EPOCH_S * 1000):
        self.unix = unix_ms
        self.count = 0
        self.doubted_s = 0
        self.source = 0
        self.vouched = False
        self.floors = []

    def unix_ms(self):
        return self.unix

    def doubts(self):
        return self.count

    def floor(self, unix_s):
        self.floors.append(unix_s)


def opened(clock, storage):
    books = Books(storage, clock, "power")
    assert books.open()
    books.uptime.advance(0)
    return books


def events(books):
    """The points of every event of this boot."""
    cursor = journal.Cursor(books.logs[journal.EVENT])
    found = []
    while at := cursor.peek():
        found.append(journal.points_of(at[3])[4])
        cursor.advance(at[3])
    return found


def test_a_doubted_time_is_told_with_the_seconds_it_was_off_and_again_after_six_hours():
    clock = DoubtingClock()
    books = opened(clock, Storage())
    books.begin()
    now = 0
    for _ in range(13):  # a doubt and a record each hour
        now += 3600_000
        clock.count += 1
        clock.doubted_s = -31_536_000
        clock.unix += 3600_000
        books.uptime.advance(now)
        books.begin()
    told = [points for points in events(books) if points[0][0] == happenings.TIME_DOUBTED]
    assert told == [[(happenings.TIME_DOUBTED, 0, -31_536_000)]] * 3


def test_a_record_comes_before_any_time_is_known_and_who_gave_it_is_told():
    clock = DoubtingClock(None)
    clock.count = 1
    books = opened(clock, Storage())
    clock.count = 2
    assert books.begin()[0] == 0
    clock.unix = EPOCH_S * 1000
    clock.source = 1
    assert books.begin()[0] == journal.DATED
    assert [points[0][0] for points in events(books)] == [M.BOOT, happenings.TIME_DOUBTED, M.TIME_FIX]
    assert events(books)[-1][0] == (M.TIME_FIX, 0, 1)


def test_only_a_vouched_time_is_kept_once_a_day_and_is_the_next_boots_floor():
    storage = Storage()
    clock = DoubtingClock()
    books = opened(clock, storage)
    books.begin()
    assert storage.read("clock", 0, 12) == b""
    clock.vouched = True
    for _ in range(5):
        books.begin()
        clock.unix += 6 * 3600_000
    assert storage.read("clock", 0, 12) == b"%d" % (EPOCH_S + DAY_S)
    after = DoubtingClock(None)
    opened(after, storage)
    assert (clock.floors, after.floors) == ([], [EPOCH_S + DAY_S])


def test_a_kept_time_that_is_no_number_is_no_floor():
    storage = Storage()
    storage.replace("clock", b"\xff\x00nonsense")
    clock = DoubtingClock()
    books = opened(clock, storage)
    assert clock.floors == []
    clock.vouched = True
    books.begin()
    assert storage.read("clock", 0, 12) == b"%d" % EPOCH_S
