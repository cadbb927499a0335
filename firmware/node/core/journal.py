"""What the station has seen, kept until the gateway says it has it: two append-only streams of records in segment files.

Segment `<stream>-<number>`, numbers consecutive: a header (`_HEADER`) and records (`_RECORD`, points `_POINT`, CRC-32 over all before it),
little-endian. A boot starts a new segment, so a tail torn by a power cut is never written over. What is freed or given up goes by whole
segments, and the newest is always there, so the last record of an earlier boot is known.
"""

import binascii
import struct

from node.core.measurements import STREAMS

READINGS = 0
EVENT = 1

_MAGIC = 0x314A4157  # "WAJ1"
_HEADER = "<IIIIII"  # magic, boot, prev_boot, prev_seq, first_seq, crc
_HEADER_SIZE = 24
_RECORD = "<BBIIH"  # flags, points, seq, seconds, milliseconds
_RECORD_SIZE = 12
_POINT = "<HBi"  # id, q | q1 << 4, value (or the reason's index when q is 9)
_POINT_SIZE = 7
_CRC_SIZE = 4
_MOST_POINTS = 32
_CHUNK = 512  # read at once: on flash each operation is slow, and a seek walks a whole segment

DATED = 1  # flag: the time is since 1970, else since the boot


def _crc(data):
    return binascii.crc32(data) & 0xFFFFFFFF


class Log:
    """One stream in a ring of `segments_limit` (2 or more) segments. Positions are (segment number, offset); keys are (boot, seq)."""

    def __init__(self, storage, name, boot, segment_bytes, segments_limit):
        self._storage = storage
        self._prefix = name + "-"
        self._segment_bytes = segment_bytes
        self._limit = segments_limit
        self._buffer = bytearray(_RECORD_SIZE + _MOST_POINTS * _POINT_SIZE + _CRC_SIZE)
        self.boot = boot
        self.prev_boot = 0
        self.prev_seq = 0
        self.seq = 0  # of the newest record of this boot
        self.damaged = 0
        self.last = 0  # newest segment, 0 when there is none
        self.first = 1
        self._size = 0  # of the newest segment, 0 until this boot has one
        self._opened = 0  # first_seq of this boot's newest segment, 0 until there is one
        self._torn = 0  # offset of an append that failed: storage that works again will say what became of it
        self._kept = (0, 0)  # what `free` was told last
        self._chunk = b""
        self._chunk_number = 0
        self._chunk_at = 0
        self.given_up = []  # [boot, first_seq, last_seq] lost to the ring's bound, until declared
        self._recover()

    def _name(self, number):
        return self._prefix + "%08d" % number

    def header(self, number):
        """(boot, prev_boot, prev_seq, first_seq) of a segment, None when it is damaged or gone."""
        data = self._storage.read(self._name(number), 0, _HEADER_SIZE)
        if len(data) < _HEADER_SIZE:
            return None
        head = struct.unpack(_HEADER, data)
        if head[0] != _MAGIC or head[5] != _crc(data[: _HEADER_SIZE - 4]):
            return None
        return head[1:5]

    def _recover(self):
        size = len(self._prefix)
        found = [int(n[size:]) for n in self._storage.names() if n.startswith(self._prefix) and n[size:].isdigit()]
        found.sort()
        while found:
            head = self.header(found[-1])
            if head:
                break
            self._storage.remove(self._name(found.pop()))
            self.damaged += 1
        if not found:
            return
        self.first = found[0]
        self.last = found[-1]
        self.prev_boot, self.prev_seq = self._walk(self.last, head)

    def _walk(self, number, head):
        """Key of the last record up to the end of a segment, as its records say."""
        seq = head[3] - 1
        offset = _HEADER_SIZE
        while True:
            record = self.record(number, offset)
            if not record:
                return (head[0], seq) if seq else (head[1], head[2])
            seq = seq_of(record)
            offset += len(record)

    def record(self, number, offset):
        """The whole record there, or None at the end of what is good."""
        if number == self.last and self._size and offset >= self._size:
            return None
        record = self._cut(offset - self._chunk_at) if number == self._chunk_number else None
        if not record:
            self._chunk = self._storage.read(self._name(number), offset, _CHUNK)
            self._chunk_number = number
            self._chunk_at = offset
            record = self._cut(0)
        if not record or struct.unpack("<I", record[-_CRC_SIZE:])[0] != _crc(record[:-_CRC_SIZE]):
            return None
        return record

    def _cut(self, at):
        """The bytes of the record at `at` of the chunk, None when they are not all there."""
        chunk = self._chunk
        if at < 0 or at + _RECORD_SIZE + _CRC_SIZE > len(chunk) or chunk[at + 1] > _MOST_POINTS:
            return None
        end = at + _RECORD_SIZE + chunk[at + 1] * _POINT_SIZE + _CRC_SIZE
        return chunk[at:end] if end <= len(chunk) else None

    def append(self, flags, seconds, ms, points):
        """Keep a record: points [(id, q | q1 << 4, value)]. Returns its seq; after an OSError it is there whole or not at all."""
        if self._torn:
            if self.record(self.last, self._torn):
                self.seq += 1  # it got there after all
            self._torn = 0
        size = _RECORD_SIZE
        buffer = self._buffer
        for i, q, value in points:
            struct.pack_into(_POINT, buffer, size, i, q, value)
            size += _POINT_SIZE
        struct.pack_into(_RECORD, buffer, 0, flags, len(points), self.seq + 1, seconds, ms)
        body = bytes(memoryview(buffer)[:size])
        record = body + struct.pack("<I", _crc(body))
        if not self._size or self._size + len(record) > self._segment_bytes:
            self._new_segment()
        end = self._size
        self._size = 0  # if the append fails its tail may be torn: the next record starts a new segment
        self._torn = end
        self._storage.append(self._name(self.last), record)
        self._torn = 0
        self._size = end + len(record)
        self._chunk = record
        self._chunk_number = self.last
        self._chunk_at = end
        self.seq += 1
        return self.seq

    def _new_segment(self):
        # Whatever fails from here on: a header that got there must not be followed by a record before it.
        self._size = 0
        number = self.last
        # This boot's newest that holds nothing is made again, else storage that fails now and then would empty the ring.
        if self._opened != self.seq + 1:
            while number and number - self.first + 1 >= self._limit:
                self._give_up_oldest()
            number += 1
        head = struct.pack("<IIIII", _MAGIC, self.boot, self.prev_boot, self.prev_seq, self.seq + 1)
        name = self._name(number)
        head += struct.pack("<I", _crc(head))
        if self._storage.size(name):
            self._storage.replace(name, head)  # torn when an append failed; it may be all that knows prev_boot
        else:
            self._storage.append(name, head)
        self.last = number
        self._opened = self.seq + 1
        self._size = _HEADER_SIZE
        self._chunk_number = 0

    def _ends(self, number):
        """Key of the last record of a segment that is not the newest."""
        here = self.header(number)
        if not here:
            return (0, 0)  # nothing in it can be read
        after = self.header(number + 1)
        if not after:
            return self._walk(number, here)
        return (here[0], after[3] - 1) if after[0] == here[0] else (after[1], after[2])

    def _give_up_oldest(self):
        here = self.header(self.first)
        end = self._ends(self.first)
        self._drop_first()
        if not here or end[0] != here[0] or end <= self._kept:
            return
        first = self._kept[1] + 1 if self._kept >= (here[0], here[3]) else here[3]
        lost = self.given_up
        if lost and lost[-1][0] == here[0] and lost[-1][2] == first - 1:
            lost[-1][2] = end[1]
        elif first <= end[1]:
            lost.append([here[0], first, end[1]])

    def _drop_first(self):
        name = self._name(self.first)
        try:
            self._storage.remove(name)
        except OSError:
            if self._storage.size(name):
                raise
        self.first += 1

    def free(self, boot, seq):
        """Everything up to (boot, seq) is kept elsewhere: whole segments below it go."""
        self._kept = (boot, seq)
        while self.first < self.last and self._ends(self.first) <= (boot, seq):
            self._drop_first()


class Cursor:
    """Reads a log from its oldest record on."""

    def __init__(self, log):
        self._log = log
        self._number = 0
        self._offset = 0  # 0: the segment is yet to be opened
        self._head = None

    def peek(self):
        """(boot, prev_boot, prev_seq, record) at the cursor, None when all has been read."""
        log = self._log
        while log.last:
            if self._number < log.first:
                self._number = log.first
                self._offset = 0
            if not self._offset:
                self._head = log.header(self._number)
                self._offset = _HEADER_SIZE
            if self._head:
                record = log.record(self._number, self._offset)
                if record:
                    return self._head[0], self._head[1], self._head[2], record
            if self._number >= log.last:
                if not self._head:
                    self._offset = 0
                return None
            self._number += 1
            self._offset = 0
        return None

    def advance(self, record):
        """Past the record that `peek` returned."""
        self._offset += len(record)

    def seek(self, boot, seq):
        """To the first record at or after (boot, seq) that is still there."""
        log = self._log
        low = log.first
        high = log.last
        while low < high:
            middle = (low + high + 1) >> 1
            head = log.header(middle)
            if head and (head[0], head[3]) <= (boot, seq):
                low = middle
            else:
                high = middle - 1
        self._number = low
        self._offset = 0
        while True:
            at = self.peek()
            if not at or (at[0], seq_of(at[3])) >= (boot, seq):
                return
            self.advance(at[3])


def seq_of(record):
    return struct.unpack(_RECORD, record[:_RECORD_SIZE])[2]


def open_logs(storage, boot, segment_bytes=8192, readings_segments=140, event_segments=20):
    """Both streams, `[READINGS]` and `[EVENT]`: 1.1 MB of readings (26 days of a river gauge at one minute) and 160 KB of events."""
    return [
        Log(storage, STREAMS[READINGS], boot, segment_bytes, readings_segments),
        Log(storage, STREAMS[EVENT], boot, segment_bytes, event_segments),
    ]


def points_of(record):
    """(flags, seq, seconds, ms, [(id, q | q1 << 4, value)]) of a record."""
    flags, count, seq, seconds, ms = struct.unpack(_RECORD, record[:_RECORD_SIZE])
    points = []
    at = _RECORD_SIZE
    for _ in range(count):
        points.append(struct.unpack(_POINT, record[at : at + _POINT_SIZE]))
        at += _POINT_SIZE
    return flags, seq, seconds, ms, points
