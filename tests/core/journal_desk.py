"""What the journal's tests share: a log of small segments, and all that can be read of it."""

from node.core import journal
from node.core import measurements as M
from tests.core.failing_storage import Storage

SEGMENT = 90  # bytes: three small records or one large one


RECORD = (journal.DATED, 1528063200, 0, ((M.LEVEL, 2, 1254), (M.BATTERY, 1, 12610)))


def a_log(count, storage=None, boot=1, segment=SEGMENT, limit=50):
    log = journal.Log(storage or Storage(), "readings", boot, segment, limit)
    for _ in range(count):
        log.append(*RECORD)
    return log


def keys_of(log):
    return [(boot, record[0]) for boot, record in everything(log)]


def walk(log):
    cursor = journal.Cursor(log)
    while True:
        at = cursor.peek()
        if not at:
            return
        yield at
        cursor.advance(at[3])


def everything(log):
    """(boot, (seq, (flags, seconds, ms, points, text))) of all that can be read."""
    for at in walk(log):
        flags, seq, seconds, ms, points = journal.points_of(at[3])
        text = journal.text_of(at[3])
        assert bool(flags & journal.TEXT) == bool(text)
        yield at[0], (seq, (flags & journal.DATED, seconds, ms, tuple(points), text))


def damage(storage, which, at):
    """Flip a bit of a byte of one of the files."""
    name = sorted(storage.files)[which]
    data = bytearray(storage.files[name])
    data[at] ^= 4
    storage.files[name] = bytes(data)


class SeqBeforeAppend(journal.Log):
    """Wrong on purpose: a record that could not be written has used up its number."""

    def append(self, flags, seconds, ms, points, text=b""):
        number = self.seq
        try:
            return super().append(flags, seconds, ms, points, text)
        except OSError:
            self.seq = number + 1
            raise
