# mypy: ignore-errors
# It runs in the real MicroPython VM only, whose modules CPython's types do not know.
"""The file system of a stock 4 MB board, filled and worn by a journal: real LittleFS on blocks in memory that count their erases.

`fill(slot_bytes)`: everything a board keeps, both rings full, one slot written anew. `month(days, full)`: records at one a minute.
"""

import gc
import json
import os
import sys

from ram_flash import ERASED, Flash

from node.core import journal
from node.esp32 import storage

gc.threshold(1 << 20)
BLOCKS = 512
EARLIER = 20000  # seq of a boot two weeks old: it takes its longest usual form
READING = ((0, 2, 1254), (1, 1, 12610))
CROSSING = ((2, 0, 1), (3, 0, 0), (0, 2, 1254), (4, 0, 1200), (5, 0, 1320))
# Beside journal and slots, about as long as they get.
SMALL = {
    "settings.0": 1100, "settings.1": 1100, "settings.bad": 1100, "network.0": 300, "network.1": 300, "alarm": 8, "boot": 4, "clock": 10,
    "counter": 4, "crash": 1500, "slot.0": 40, "slot.1": 40,
}  # fmt: skip
ROOT = {
    "boot.py": 1200,
    "main.py": 4000,
    "slots.mpy": 2500,
    "pack.mpy": 1500,
    "station.json": 2500,
    "station.json.1": 2500,
    "description.mpy": 900,
    "ca.der": 1500,
    "cert.der": 1500,
    "key.der": 2400,
}


class Whole:
    """The storage, but a segment is written at once when the next begins."""

    def __init__(self, real):
        self._real = real
        self._name = ""
        self._data = bytearray()

    def append(self, name, data):
        if name != self._name:
            self.flush()
        self._name = name
        self._data += data

    def flush(self):
        if self._name:
            self._real.replace(self._name, self._data)
        self._name = ""
        self._data = bytearray()

    def __getattr__(self, name):
        return getattr(self._real, name)


def erased():
    return Flash(bytearray(ERASED * BLOCKS))


def free_blocks():
    return os.statvfs("/flash")[3]


def furnish(flash, slot_bytes):
    """An empty flash becomes a board's: its storage."""
    os.VfsLfs2.mkfs(flash)
    os.mount(os.VfsLfs2(flash), "/flash")
    os.chdir("/flash")
    kept = storage.Storage("data")
    for name, size in SMALL.items():
        kept.replace(name, bytes(size))
    for name, size in ROOT.items():
        with open(name, "wb") as file:
            file.write(bytes(size))
    for slot in ("a", "b"):
        write_slot(slot, slot_bytes)
    return kept


def write_slot(slot, size):
    """By parts, as an update arrives."""
    folder = storage.Storage(slot)
    for name in folder.names():
        folder.remove(name)
    folder.replace("manifest", bytes(600))
    for _ in range(size // 1024):
        folder.append("node.pack", bytes(1024))


def logs_of(kept, boot):
    logs = journal.open_logs(kept, boot)
    logs[0].seq = EARLIER if boot == 1 else 0
    return logs


def turn(logs, spare):
    """Both rings until they have given up a segment."""
    for log, points in ((logs[0], READING), (logs[1], CROSSING)):
        count = 0
        while not log.given_up or count < spare:
            log.append(1, 1528063200, 500, points)
            count += 1


def fill(slot_bytes):
    kept = furnish(erased(), slot_bytes)
    whole = Whole(kept)
    turn(logs_of(whole, 1), 0)
    whole.flush()
    logs = logs_of(kept, 2)
    empty = free_blocks()
    for log in logs:
        for _ in range(800):  # over the ends of segments
            log.append(1, 1528063200, 500, READING if log is logs[0] else CROSSING)
    write_slot("b", slot_bytes)
    held = 0
    cursor = journal.Cursor(logs[0])
    at = cursor.peek()
    while at and at[0] == 1:
        held += 1
        cursor.advance(at[3])
        at = cursor.peek()
    sizes = [kept.size(name) for name in kept.names() if name.startswith("readings")]
    return {
        "free_blocks": min(empty, free_blocks()), "files": len(kept.names()), "readings_bytes": sum(sizes), "longest": max(sizes),
        "segment": logs[0]._segment_bytes, "segments": logs[0]._limit, "event_bytes": logs[1]._segment_bytes * logs[1]._limit, "held": held,
        "record": len(at[3]) if at else 0,
    }  # fmt: skip


def blocks_of(size):
    """Blocks that a file of this size takes."""
    flash = erased()
    os.VfsLfs2.mkfs(flash)
    os.mount(os.VfsLfs2(flash), "/flash")
    os.chdir("/flash")
    before = free_blocks()
    with open("file", "wb") as file:
        file.write(bytes(size))
    after = free_blocks()
    os.chdir("/")
    os.umount("/flash")
    return before - after


def month(days, full):
    """Erases of each block in so many days: one reading a minute, 20 events a day. `full`: rings that give up, else all is committed hourly."""
    flash = erased()
    kept = furnish(flash, 140 * 1024)
    if full:
        whole = Whole(kept)
        turn(logs_of(whole, 1), 0)
        whole.flush()
    logs = logs_of(kept, 2)
    flash.erases = [0] * BLOCKS
    for minute in range(days * 1440):
        logs[0].append(1, 1528063200 + 60 * minute, 500, READING)
        if minute % 72 == 0:
            logs[1].append(1, 1528063200 + 60 * minute, 500, CROSSING)
        if not full and minute % 60 == 0:
            for log in logs:
                log.free(2, log.seq)
    return {"days": days, "erases": sum(flash.erases), "worst": max(flash.erases), "free_blocks": free_blocks()}


if sys.argv[1] == "fill":
    answer = fill(int(sys.argv[2]))
    os.chdir("/")
    os.umount("/flash")
    answer["two_blocks"] = blocks_of(8188)
    answer["three_blocks"] = blocks_of(8192)
else:
    answer = month(int(sys.argv[2]), sys.argv[3] == "full")
print(json.dumps(answer))
