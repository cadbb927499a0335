"""Encodes every example of docs/wire.md from its values. Runs on both interpreters and prints a pack per line, in the page's order."""

from node.core import journal, senml
from node.core import measurements as M
from node.core import settings as S

BASE = "waspada:demo:dr01:"
LIFE = "5eed0001"
DATED = journal.DATED
T = 1528063200


class Memory:
    """A storage port that holds files in a dict."""

    def __init__(self):
        self.files = {}

    def names(self):
        return list(self.files)

    def read(self, name, offset, count):
        return self.files.get(name, b"")[offset : offset + count]

    def size(self, name):
        return len(self.files.get(name, b""))

    def append(self, name, data):
        self.files[name] = self.files.get(name, b"") + data

    def replace(self, name, data):
        self.files[name] = data

    def remove(self, name):
        del self.files[name]


# (boot, prev_boot, prev_seq, seq, flags, seconds, ms, points)
RECORDS = (
    (1, 0, 0, 118, DATED, T, 500, ((M.LEVEL, 0x12, 1254), (M.BATTERY, 1, 12610))),
    (3, 2, 911, 1, 0, 1, 40, ((M.LEVEL, 2, 310), (M.BATTERY, 1, 12600))),
    (1, 0, 0, 119, DATED, T + 60, 500, ((M.LEVEL, 0x19, M.NO_ANSWER), (M.BATTERY, 1, 12610))),
    (1, 0, 0, 7, DATED, T + 2, 540,
     ((M.ALARM, 0, 3), (M.ALARM_FROM, 0, 2), (M.LEVEL, 2, 1512), (M.LIMIT, 0, 1500), (M.RISE, 0, 1320))),
    (3, 2, 911, 2, DATED, T, 0, ((M.TIME_FIX, 0, 0), (M.UP_MS, 0, 2040))),
    (3, 2, 911, 3, DATED, T, 0,
     ((M.SETTINGS, 0, 0), (M.REVISION, 0, 2), (M.OLD_SETTING + S.LEVEL_DANGER, 0, 1500), (M.NEW_SETTING + S.LEVEL_DANGER, 0, 1200))),
    (3, 2, 911, 4, DATED, T, 0, ((M.DROPPED, 0, 0), (M.OF_BOOT, 0, 2), (M.FIRST_SEQ, 0, 120), (M.LAST_SEQ, 0, 180))),
)  # fmt: skip


def packs():
    """Every record as its pack, by way of a journal on storage; then the retained messages."""
    for boot, prev_boot, prev_seq, seq, flags, seconds, ms, points in RECORDS:
        log = journal.Log(Memory(), "readings", boot, 4096, 4)
        log.prev_boot, log.prev_seq = prev_boot, prev_seq
        log.seq = seq - 1
        log.append(flags, seconds, ms, points)
        at = journal.Cursor(log).peek()
        yield senml.encode(BASE, LIFE, at[0], at[1], at[2], at[3])
    yield senml.status(BASE, LIFE, senml.moment(DATED, T, 0), 3, "online", "0.1.0")
    yield senml.status(BASE, LIFE, None, 0, "unreachable", "")
    wake = ',{"n":"wake","v":1528066800}'
    yield senml.status(BASE, LIFE, senml.moment(DATED, T, 0), 3, "sleeping", "0.1.0", wake)


def main():
    for pack in packs():
        print(pack)


if __name__ == "__main__":
    main()
