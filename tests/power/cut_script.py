"""A station's journal, settings and alarm on real LittleFS, with the power cut at every write. Runs in the MicroPython VM.

`live` is a life of a station; its `Flash` remembers what it held before each write and with half of that write done, and what the station had
promised by then (`Owed`). `survive` boots a station from such a state, looks whether every promise holds, lets it go on, and boots it again.
"""

import os
import sys

from node import app, books
from node.core import copies, journal
from node.core import happenings as H
from node.core import measurements as M
from node.core import settings as S
from node.esp32 import storage
from simulator.runtimes.ram_flash import BLOCK, ERASED
from tests.core.journal_desk import SeqBeforeAppend, walk
from tests.power.cut_flash import BLOCKS, Flash

SEGMENT = 104  # bytes: four readings, or an event with a text
READINGS_SEGMENTS = 3
EVENT_SEGMENTS = 3  # few: the ring gives up its oldest
HEADER = 24
KINDS = ("clean", "torn", "twice", "dying", "spell")
CLEAN, TORN, TWICE, DYING, SPELL = range(5)
STATION = {
    "life": "5eed0001", "district": "demo", "node": "dr01",
    "sensors": (
        {"driver": "a02yyuw", "bus": "none", "gives": "level"},
        {"driver": "battery", "bus": "none", "gives": "battery", "ratio_milli": 5700},
    ),
}  # fmt: skip


class Broken(Exception):
    """A promise that did not hold."""


def demand(holds, what, *more):
    if not holds:
        raise Broken(what + " " + repr(more))


class Owed:
    """What a station has promised so far: [stream] of records by key (boot, seq)."""

    def __init__(self):
        self.records = [{}, {}]  # their append returned
        self.tried = [{}, {}]  # key -> all that may stand there
        self.prev = [{}, {}]  # boot -> the newest key before it
        self.settings = [(1, tuple(S.Settings({}).values))]  # one of these (revision, values)
        self.alarm = [(0, 0)]  # one of these (state, acknowledged)
        self.boot = 0  # the last that was given to a station

    def copy(self):
        other = Owed()
        other.records = [dict(of) for of in self.records]
        other.tried = [dict(of) for of in self.tried]
        other.prev = [dict(of) for of in self.prev]
        other.settings = self.settings
        other.alarm = self.alarm
        other.boot = self.boot
        return other


class Clock:
    def __init__(self, boot):
        self._now = 1528063200000 + boot * 3600000 if boot & 1 else None

    def unix_ms(self):
        if self._now:
            self._now += 60000
        return self._now


class Books(books.Books):
    """Writes down what is promised: before an append that it may be there, after it that it is."""

    def append(self, stream, moment, points, text=b""):
        if not self.logs:
            return super().append(stream, moment, points, text)
        flash = self._storage.flash
        log = self.logs[stream]
        before = flash.owed
        owed = flash.owed = before.copy()
        record = moment + (points, text)
        for ahead in (1, 2):  # 2: the record before may have got there with an error
            key = (log.boot, log.seq + ahead)
            owed.tried[stream][key] = before.tried[stream].get(key, ()) + (record,)
        if log.last - log.first + 1 >= log._limit and not flash.dead:
            passes(owed.records[stream], log._ends(log.first))  # the ring's oldest segment may go
        if points[0][0] == M.SETTINGS and points[0][2] == 0:  # what the journal tells is on flash
            owed.settings = [saved for saved in owed.settings if saved[0] >= points[1][2]]
        first = log.first
        done = super().append(stream, moment, points, text)
        owed = flash.owed = owed.copy()
        if log.first == first:
            owed.records[stream] = dict(before.records[stream])
        if done:
            owed.records[stream][(log.boot, log.seq)] = record
        return done


def passes(records, key):
    """Everything up to `key` need not be there any more."""
    for old in list(records):
        if old <= key:
            del records[old]


class Nothing:
    def set(self, on):
        pass


class Station(app.App):
    """The app's own boot, bookkeeping and settings; its sensors are never asked."""

    storage_class = storage.Storage
    log_class = journal.Log

    def __init__(self, flash):
        app.Books = Books
        journal.open_logs = self._small_logs
        self.flash = flash
        ports = Nothing()
        ports.storage = self.storage_class("data")
        ports.storage.flash = flash
        ports.clock = Clock(flash.owed.boot)
        ports.link = ports.console = None
        ports.buses = {"none": None}
        ports.outputs = {"siren": Nothing(), "strobe": Nothing()}
        super().__init__(STATION, ports)

    def _open(self):
        super()._open()
        if self.logs:
            flash = self.flash
            owed = flash.owed = flash.owed.copy()
            demand(self.logs[0].boot > owed.boot, "a boot number came twice", self.logs[0].boot)
            owed.boot = self.logs[0].boot
            for stream in (0, 1):
                owed.prev[stream][owed.boot] = (self.logs[stream].prev_boot, self.logs[stream].prev_seq)

    def _small_logs(self, store, boot):
        return [
            self.log_class(store, "readings", boot, SEGMENT, READINGS_SEGMENTS),
            self.log_class(store, "event", boot, SEGMENT, EVENT_SEGMENTS),
        ]

    def reading(self, number):
        moment = self.begin()
        self._books.append(journal.READINGS, moment, ((M.LEVEL, 2, number), (M.BATTERY, 1, 12610)))
        if number % 5 == 2:
            text = b"%d: in node/app.py, " % number * 5
            self._books.append(journal.EVENT, moment, ((H.CRASH, 0, len(text)),), text)
        self._books.settle()

    def alarmed(self, state, acknowledged):
        owed = self.flash.owed = self.flash.owed.copy()
        owed.alarm = owed.alarm + [(state, acknowledged)]
        self.gauge.alarm.resume(state, acknowledged)
        self._keep_alarm(0)
        if self._lasting._kept and self._lasting._kept[0] == state << 2 | acknowledged:
            owed = self.flash.owed = self.flash.owed.copy()
            owed.alarm = [(state, acknowledged)]

    def keep(self, settings):
        new = (settings.revision + 1, tuple(settings.proposed()))
        owed = self.flash.owed = self.flash.owed.copy()
        owed.settings = owed.settings + [new]
        try:
            self.orders.keep(settings)
        except OSError:
            return
        owed = self.flash.owed = self.flash.owed.copy()
        owed.settings = [new]

    def change(self, alert):
        self.settings.staged = {S.LEVEL_ALERT: alert}
        self.keep(self.settings)

    def committed(self, stream, seq):
        if not self.logs:
            return
        log = self.logs[stream]
        owed = self.flash.owed = self.flash.owed.copy()
        passes(owed.records[stream], (log.boot, seq))
        try:
            log.free(log.boot, seq)
        except OSError:
            self._books.storage_bad = True


class Mounted:
    """The device as the board's working directory."""

    def __init__(self, flash):
        self._flash = flash

    def __enter__(self):
        os.mount(os.VfsLfs2(self._flash), "/flash")
        os.chdir("/flash")

    def __exit__(self, *_):
        os.chdir("/")
        os.umount("/flash")


def live(flash, station_class):
    """Two boots: records of both streams over several segments, some with a text, frees, settings saved, an alarm that comes and goes."""
    for boot in (0, 1):
        if flash.dead:
            return
        with Mounted(flash):
            station = station_class(flash)
            for number in range(12):
                station.reading(number)
                if number % 4 == 1:
                    station.change(500 + 10 * boot + number)
                if number % 6 == 3:
                    station.alarmed(1 + number // 6 + boot, number // 6)
                if number == 10 - 5 * boot:
                    station.committed(journal.READINGS, number - 1)


def found(log):
    """(key, prev, record) of all that can be read."""
    for at in walk(log):
        flags, seq, seconds, ms, points = journal.points_of(at[3])
        yield (at[0], seq), (at[1], at[2]), (flags & journal.DATED, seconds, ms, tuple(points), journal.text_of(at[3]))


def check(station):
    """Every promise, against what is there. What is there is promised from here on."""
    owed = station.flash.owed
    demand(station.logs, "the journal did not open")
    demand(not [name for name in os.listdir("data") if name.endswith(".tmp")], "left over:", os.listdir("data"))
    has = (station.settings.revision, tuple(station.settings.values))
    demand(station._ailing in (S.SOUND, S.LAGGING), "settings are damaged")
    demand(has in owed.settings, "settings are neither the old nor the new", has, owed.settings)
    alarm = station.gauge.alarm
    demand(
        (alarm.state, alarm.acknowledged) in owed.alarm,
        "the alarm is neither the old nor the new",
        alarm.state,
        owed.alarm,
    )
    owed = station.flash.owed = owed.copy()
    owed.settings = [has]
    owed.alarm = [(alarm.state, alarm.acknowledged)]
    for stream, log in enumerate(station.logs):
        there = {}
        last = (0, 0)
        for key, prev, record in found(log):
            demand(key > last, "out of order", key, last)
            demand(not there or key == (last[0], last[1] + 1) or key[1] == 1, "a gap", key, last)
            demand(record in owed.tried[stream].get(key, ()), "invented or harmed", key, record)
            demand(prev == owed.prev[stream][key[0]], "wrong prev", key, prev)
            there[key] = record
            last = key
        for key in owed.records[stream]:
            demand(key in there and there[key] == owed.records[stream][key], "lost", stream, key)
        if last[0] < log.boot and there:
            demand((log.prev_boot, log.prev_seq) == last, "boot does not follow", log.prev_boot, log.prev_seq, last)
        owed.records[stream] = there
        owed.tried[stream] = {key: (there[key],) for key in there}


def both_copies():
    """Whether the settings' copies are the same: none where nothing was saved."""
    copies = []
    for name in S.COPIES:
        try:
            with open("data/" + name, "rb") as file:
                copies.append(file.read())
        except OSError:
            copies.append(b"")
    return copies[0] == copies[1]


def survive(blocks, owed, station_class, cuts=None):
    """Boot, look, go on, boot, look. `cuts` is given those that this could have had."""
    flash = Flash(blocks, owed, cuts=cuts)
    with Mounted(flash):
        station = station_class(flash)
        check(station)
        station.reading(5000)
        demand(both_copies(), "a copy of the settings was not brought up")
        station.change(300)
        demand(both_copies(), "a copy of the settings was not written")
        station.alarmed(3, 0)
        station.reading(5002)
    with Mounted(flash):
        check(station_class(flash))


class Trial:
    """All cuts of a station's life. `where` is the one at hand, `tried` how many were survived, by kind."""

    def __init__(self, station_class, twice_each, ill_each):
        """`twice_each`: the boot after every so many cuts is cut at each write of its own; `ill_each`: flash fails from, or at, every so many writes."""
        self._station_class = station_class
        self._twice_each = twice_each
        self._ill_each = ill_each
        self.tried = [0] * len(KINDS)
        self.where = ()
        made = Flash([ERASED] * BLOCKS, None)
        os.VfsLfs2.mkfs(made)
        self._empty = made.blocks
        self.cuts = []
        self._flash = Flash(self._empty, Owed(), cuts=self.cuts)

    def run(self):
        live(self._flash, self._station_class)
        self.cuts.append((self._flash.blocks, self._flash.blocks, self._flash.owed))  # all written
        for number, (before, torn, owed) in enumerate(self.cuts):
            for kind, blocks in ((CLEAN, before), (TORN, torn)):
                again = None if (2 * number + kind) % self._twice_each else []
                self._survive((kind, number), blocks, owed, again)
                for second, (before2, torn2, owed2) in enumerate(again or ()):
                    self._survive((TWICE, number, kind, second, CLEAN), before2, owed2)
                    self._survive((TWICE, number, kind, second, TORN), torn2, owed2)
        for kind, count in ((DYING, -1), (SPELL, 3)):
            for number in range(1, len(self.cuts), self._ill_each):
                self.where = kind, number
                ill = Flash(self._empty, Owed(), (number, count))
                live(ill, self._station_class)
                self._survive((kind, number), ill.blocks, ill.owed)

    def _survive(self, where, blocks, owed, cuts=None):
        self.where = where
        survive(blocks, owed, self._station_class, cuts)
        self.tried[where[0]] += 1


# Wrong on purpose: each must be found.


def right():
    return Station


def removed_before_renamed():
    """As on file systems whose rename does not replace."""

    class Wrong(storage.Storage):
        def replace(self, name, data):
            path = self._folder + name
            with open(path + ".tmp", "wb") as file:
                file.write(data)
            if name in self.names():
                os.remove(path)
            os.rename(path + ".tmp", path)

    return with_storage(Wrong)


def written_in_place():
    """In two pieces; LittleFS keeps the old file until the first is flushed."""

    class Wrong(storage.Storage):
        def replace(self, name, data):
            with open(self._folder + name, "wb") as file:
                file.write(data[:9])
                file.flush()
                file.write(data[9:])

    return with_storage(Wrong)


def returns_before_it_is_on_flash():
    class Wrong(storage.Storage):
        waiting = None

        def _flush(self):
            if self.waiting:
                name, data = self.waiting
                self.waiting = None
                super().append(name, data)

        def append(self, name, data):
            self._flush()
            self.waiting = name, data

        def names(self):
            self._flush()
            return super().names()

        def size(self, name):
            self._flush()
            return super().size(name)

        def read(self, name, offset, count):
            self._flush()
            return super().read(name, offset, count)

        def replace(self, name, data):
            self._flush()
            super().replace(name, data)

    return with_storage(Wrong)


def header_after_record():
    """A segment's header comes with its second record."""

    class Wrong(storage.Storage):
        held = None

        def append(self, name, data):
            if len(data) == HEADER:
                self.held = data
            elif self.held and self.size(name):
                whole = self.held + self.read(name, 0, BLOCK) + data
                self.held = None
                self.replace(name, whole)
            else:
                super().append(name, data)

    return with_storage(Wrong)


def boot_number_after_the_records():
    """Known only by the records of the boot: one that made none is forgotten."""

    class Wrong(storage.Storage):
        def replace(self, name, data):
            if name != "boot":
                super().replace(name, data)

    return with_storage(Wrong)


def leftovers_stay():
    class Wrong(storage.Storage):
        def __init__(self, folder):
            self._folder = folder + "/"
            if folder not in os.listdir():
                os.mkdir(folder)

    return with_storage(Wrong)


def told_before_saved():
    class Wrong(Station):
        def keep(self, settings):
            self._books.event((M.SETTINGS, 0, 0), (M.REVISION, 0, settings.revision + 1))
            super().keep(settings)

    return Wrong


def freed_newest_first():
    class Wrong(journal.Log):
        def free(self, boot, seq):
            last = self.first
            while last < self.last and self._ends(last) <= (boot, seq):
                last += 1
            for number in range(last - 1, self.first - 1, -1):
                self._storage.remove(self._name(number))
            self.first = last

    return with_log(Wrong)


def seq_goes_on_after_an_error():
    return with_log(SeqBeforeAppend)


def old_copies_removed_first():
    """So that there is room."""

    def wrong(store, settings, values, revision):
        for name in S.COPIES:
            if name in store.names():
                store.remove(name)
        return save(store, settings, values, revision)

    save = copies.save
    copies.save = wrong
    return Station


def the_first_copy_counts():
    """Whichever was written last."""

    def wrong(store, settings):
        for name in S.COPIES:
            if settings.recover(store.read(name, 0, S.LENGTH_MOST)) and settings.revision > 1:
                break
        return S.LAGGING

    S.load = wrong
    return Station


def copies_never_mended():
    copies.attend = lambda *_: S.SOUND
    return Station


def with_storage(wrong):
    class Planted(Station):
        storage_class = wrong

    return Planted


def with_log(wrong):
    class Planted(Station):
        log_class = wrong

    return Planted


PLANTED = (
    right, removed_before_renamed, written_in_place, returns_before_it_is_on_flash, header_after_record,
    boot_number_after_the_records, leftovers_stay, told_before_saved, freed_newest_first, seq_goes_on_after_an_error,
    old_copies_removed_first, the_first_copy_counts, copies_never_mended,
)  # fmt: skip


def main(planted, twice_each, ill_each):
    trial = Trial(next(made for made in PLANTED if made.__name__ == planted)(), twice_each, ill_each)
    try:
        trial.run()
    except Exception as e:
        print("broken", KINDS[trial.where[0]] if trial.where else "alive", trial.where[1:], repr(e))
        if not isinstance(e, Broken):
            sys.print_exception(e, sys.stdout)
    for kind, name in enumerate(KINDS):
        print(name, trial.tried[kind])


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
