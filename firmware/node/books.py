"""The station's books: records with their time, into the journal. What could not be kept is not called told."""

from node.core import journal, senml
from node.core import measurements as M
from node.core.clock import Uptime

_BOOT_FILE = "boot"
_CLOCK_FILE = "clock"  # the newest time that the gateway vouched for, seconds since 1970
_DAY_S = 86400
_FULL = 28  # ENOSPC, which this errno has no name for
_DOUBT_EVERY_S = 21600  # a server that goes on lying is told of so often
_WRONG_MS = 60000  # a correction back by more than this says that the time before was wrong: it is not held on to
_TEXT_MOST = 300
_DECLARED_AT_ONCE = 8  # room for what is told of a loss may be a loss again
_FIX_MOST_S = 2000000  # a point's value is 32 bits: uptimes beyond are dated from here


def _count_boot(storage, logs):
    """Give this boot its number, above any that storage knows of: with one used before, keys would come twice."""
    boot = 0
    try:
        boot = int(storage.read(_BOOT_FILE, 0, 12) or b"0")
    except ValueError:
        pass
    if not 0 <= boot < 1 << 31:
        boot = 0
    boot = max(boot, logs[0].prev_boot, logs[1].prev_boot) + 1
    storage.replace(_BOOT_FILE, b"%d" % boot)
    for log in logs:
        log.boot = boot


class Books:
    """`logs` is None until storage could be read: without a boot number there is no key. Storage that fails is told once it works again."""

    def __init__(self, storage, clock, reset):
        """`reset`: the cause of this boot, one of the words of the point `boot`."""
        self.logs = None
        self.uptime = Uptime()
        self._storage = storage
        self._clock = clock
        self._reset = reset
        self._unix_last = 0
        self._began = False
        self._fixed = False
        self._judges = hasattr(clock, "doubts")  # a clock that nothing can make doubtful says nothing of it
        self._doubts = clock.doubts() if self._judges else 0
        self._doubted_at = -_DOUBT_EVERY_S
        self._kept_s = 0
        self.storage_bad = False
        self.flash_errors = 0  # since the boot
        self._damaged = 0  # places in the journal, as told
        self.memory_bad = 0  # the RTC's, after a sleep (node.frozen)

    def open(self):
        """Recover the journal and give this boot its number. False when storage does not answer."""
        try:
            logs = journal.open_logs(self._storage, 0)
            try:
                _count_boot(self._storage, logs)
            except OSError as error:
                if error.errno != _FULL or logs[0].first >= logs[0].last:
                    raise
                logs[0]._give_up_oldest()  # else nothing would be sent, nothing committed, and nothing ever freed
                _count_boot(self._storage, logs)
        except OSError:
            self.fail()
            return False
        self.logs = logs
        if self._judges:
            self._recall_time()
        return True

    def _recall_time(self):
        try:
            self._kept_s = int(self._storage.read(_CLOCK_FILE, 0, 12) or b"0")
        except (OSError, ValueError):
            return
        if self._kept_s:
            self._clock.floor(self._kept_s)

    def fail(self):
        """Storage did not do what it was asked."""
        self.storage_bad = True
        self.flash_errors += 1

    def moment(self):
        """(flags, seconds, ms) for a record made now; since 1970 once the time is known, never going back."""
        unix_ms = self._clock.unix_ms()
        if unix_ms is None:
            return 0, self.uptime.seconds, self.uptime.ms
        if unix_ms < self._unix_last and self._unix_last - unix_ms < _WRONG_MS:
            unix_ms = self._unix_last
        self._unix_last = unix_ms
        return journal.DATED, unix_ms // 1000, unix_ms % 1000

    def when(self):
        """The base time as text, for what is said outside a record."""
        flags, seconds, ms = self.moment()
        return senml.moment(flags, seconds, ms)

    def append(self, stream, moment, points, text=b""):
        """Whether the record is on flash. Full flash has room for it all the same."""
        if self.logs:
            more = (text,) if text else ()
            for again in (True, False):
                try:
                    self.logs[stream].append(moment[0], moment[1], moment[2], points, *more)
                    return True
                except OSError as error:
                    if not again or error.errno != _FULL or not self._make_room(stream):
                        break
        self.fail()
        return False

    def _make_room(self, stream):
        """The oldest readings go, to be declared; for an event, where only the newest readings are left, the oldest events."""
        for log in (self.logs or ())[: stream + 1]:
            if log.first < log.last:
                try:
                    log._give_up_oldest()
                    return True
                except OSError:
                    break
        return False

    def event(self, *points):
        return self.append(journal.EVENT, self.moment(), points)

    def tell(self, text, *points):
        """An event that ends with a text; the last of `points`, (id, q), is what it is the text of."""
        text = text.encode()[:_TEXT_MOST]
        i, q = points[-1]
        return self.append(journal.EVENT, self.moment(), points[:-1] + ((i, q, len(text)),), text)

    def declare(self, stream, boot, first_seq, last_seq):
        """These records can't be sent any more."""
        return self.event(
            (M.DROPPED, 0, stream), (M.OF_BOOT, 0, boot), (M.FIRST_SEQ, 0, first_seq), (M.LAST_SEQ, 0, last_seq)
        )

    def begin(self):
        """What comes before every record: the boot's first event, the time once it is known. Returns the moment."""
        if not self._began:
            reset = self._reset if self._reset in M.RESETS else "unknown"
            self._began = self.event((M.BOOT, 0, M.RESETS.index(reset)))
        moment = self.moment()
        if moment[0] and not self._fixed:
            self._fix_time(moment)
        if self._judges:
            self._judge_time(moment)
        return moment

    def _judge_time(self, moment):
        """Tell of a time that was doubted, and once a day keep one that the gateway vouched for."""
        clock = self._clock
        doubts = clock.doubts()
        if doubts != self._doubts and self.uptime.seconds - self._doubted_at >= _DOUBT_EVERY_S:
            from node.core.happenings import TIME_DOUBTED

            if self.append(journal.EVENT, moment, ((TIME_DOUBTED, 0, clock.doubted_s),)):
                self._doubts = doubts
                self._doubted_at = self.uptime.seconds
        if moment[0] and clock.vouched and abs(moment[1] - self._kept_s) >= _DAY_S:
            self._kept_s = moment[1]  # whether flash takes it or not: tomorrow is another time
            try:
                self._storage.replace(_CLOCK_FILE, b"%d" % moment[1])
            except OSError:
                self.fail()

    def settle(self):
        """Declare what was lost to the ring's bound, and tell of storage that failed."""
        damaged = 0
        for stream, log in enumerate(self.logs or ()):
            damaged += log.damaged
            for _ in range(_DECLARED_AT_ONCE):
                if not log.given_up:
                    break
                lost = log.given_up.pop(0)  # first: to make room for the event, more may go
                if not self.declare(stream, lost[0], lost[1], lost[2]):
                    log.given_up.insert(0, lost)
                    return
        if damaged != self._damaged:
            self._damaged = damaged
            self.fail()
        if self.storage_bad and self.event((M.STORAGE, 0, 0)):
            self.storage_bad = False
        if self.memory_bad:
            from node.core.happenings import RTC_MEMORY

            if self.event((RTC_MEMORY, 0, self.memory_bad - 1)):
                self.memory_bad = 0

    def _fix_time(self, moment):
        back = self.uptime.seconds - _FIX_MOST_S
        if back < 0:
            back = 0
        up_ms = (self.uptime.seconds - back) * 1000 + self.uptime.ms
        dated = (moment[0], moment[1] - back, moment[2])
        by = self._clock.source if self._judges else 0
        self._fixed = self.append(journal.EVENT, dated, ((M.TIME_FIX, 0, by), (M.UP_MS, 0, up_ms)))
