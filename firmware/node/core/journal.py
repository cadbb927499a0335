"""What the station has seen, kept until the gateway says it has it: two append-only streams of records in segment files.

Segment `<stream>-<number>`, numbers consecutive: a header (`_HEADER`) and records, little-endian. A record (docs/journal.md) is `_RECORD`, its
seq, its points, perhaps a text, and a CRC-32 over all of that; numbers are written in groups of 7 bits, the lowest first. A boot starts a new
segment, so a tail torn by a power cut is never written over. What is freed or given up goes by whole segments, and the newest is always there,
so the last record of an earlier boot is known. What flash has harmed is passed over and declared (`salvage`, loaded when that happens).
"""

import binascii
import struct

from node.core.measurements import STREAMS

READINGS = 0
EVENT = 1

_MAGIC = 0x314A4157  # "WAJ1"
_HEADER = "<IIIIII"  # magic, boot, prev_boot, prev_seq, first_seq, crc
HEADER_SIZE = 24
_RECORD = "<BHI"  # size of what follows up to the CRC (low byte), high bits | flags << 2 | milliseconds << 6, seconds
RECORD_SIZE = 7
CRC_SIZE = 4
_MOST_POINTS = 32
_MOST_TEXT = 300
_POINTS_SIZE = 5 + _MOST_POINTS * 9  # seq and points at their longest
CHUNK = 512  # read at once, and no record is longer: on flash each operation is slow, and a seek walks a whole segment
_FULL = "%d points and %d bytes of text: a record holds up to 32 and 300, and is up to 512 bytes long"
_MET_MOST = 16  # harmed places remembered

DATED = 1  # flag: the time is since 1970, else since the boot
TEXT = 2  # flag: a text follows the points, and belongs to the last of them


def _crc(data):
    return binascii.crc32(data) & 0xFFFFFFFF


def _put(buffer, at, number):
    """Write a number from 0 on; returns where it ends."""
    while number > 127:
        buffer[at] = number & 127 | 128
        number >>= 7
        at += 1
    buffer[at] = number
    return at + 1


def get_number(record, at):
    """(number, where it ends)."""
    number = record[at] & 127
    shift = 7
    while record[at] > 127:
        at += 1
        number |= (record[at] & 127) << shift
        shift += 7
    return number, at + 1


class Log:
    """One stream in a ring of `segments_limit` (2 or more) segments. Positions are (segment number, offset); keys are (boot, seq)."""

    def __init__(self, storage, name, boot, segment_bytes, segments_limit, found=False):
        """`found`: somebody who remembers sets what is here; else storage is looked through."""
        self._storage = storage
        self._prefix = name + "-"
        self._segment_bytes = segment_bytes
        self._limit = segments_limit
        self._buffer = bytearray(RECORD_SIZE + _POINTS_SIZE)
        self.boot = boot
        self.prev_boot = 0
        self.prev_seq = 0
        self.seq = 0  # of the newest record of this boot
        self.damaged = 0  # places where flash did not give back what it was given
        self._met: dict = {}  # (segment, offset) of such a place -> where it goes on, 0: nowhere
        self._mended: dict = {}  # segment with a damaged header -> what it must have said, or None
        self.last = 0  # newest segment, 0 when there is none
        self.first = 1
        self.written = 0  # bytes of the newest segment, 0 until this boot has one
        self.opened = 0  # first_seq of this boot's newest segment, 0 until there is one
        self._torn = 0  # offset of an append that failed: storage that works again will say what became of it
        self._kept = (0, 0)  # what `free` was told last
        self._chunk = b""
        self._chunk_number = 0
        self._chunk_at = 0
        self.given_up = []  # [boot, first_seq, last_seq] lost to the ring's bound, until declared
        if not found:
            self._recover()

    def _name(self, number):
        return self._prefix + "%08d" % number

    def read(self, number, offset, count):
        return self._storage.read(self._name(number), offset, count)

    def size_of(self, number):
        return self._storage.size(self._name(number))

    def header(self, number):
        """(boot, prev_boot, prev_seq, first_seq) of a segment, None when it is gone, or damaged beyond what its neighbours tell."""
        head, harmed = self.written_header(number)
        if harmed:
            if number not in self._mended:
                from node.core import salvage

                self._mended[number] = None
                self._mended[number] = salvage.header(self, number)
            head = self._mended[number]
        return head

    def written_header(self, number):
        """(the header as it stands or None, whether it is there and damaged)."""
        data = self.read(number, 0, HEADER_SIZE)
        if len(data) < HEADER_SIZE:
            return None, False
        head = struct.unpack(_HEADER, data)
        if head[0] != _MAGIC or head[5] != _crc(data[: HEADER_SIZE - 4]):
            return None, True
        return head[1:5], False

    def _recover(self):
        size = len(self._prefix)
        found = [int(n[size:]) for n in self._storage.names() if n.startswith(self._prefix) and n[size:].isdigit()]
        found.sort()
        if found:
            self.first = found[0]
            self.last = found[-1]
        while found:
            number = found.pop()
            head = self.header(number)
            if head:
                self.prev_boot, self.prev_seq = self.walk(number, head)
                return
            if number == self.last and self._storage.size(self._name(number)) <= HEADER_SIZE:  # nothing is in it
                self._storage.remove(self._name(number))
                self.last = found[-1] if found else 0
        if not self.last:  # else none can be read: they go with the ring, as its oldest
            self.first = 1

    def walk(self, number, head):
        """Key of the last record up to the end of a segment, as its records say."""
        seq = head[3] - 1
        offset = HEADER_SIZE
        while True:
            record = self.record(number, offset)
            if record:
                seq = seq_of(record)
                offset += len(record)
            else:
                offset = self.beyond(number, offset)
                if not offset:
                    return (head[0], seq) if seq else (head[1], head[2])

    def record(self, number, offset):
        """The whole record there, or None at the end of what is good."""
        if number == self.last and self.written and offset >= self.written:
            return None
        record = self._cut(offset - self._chunk_at) if number == self._chunk_number else None
        if not record:
            self._chunk = self.read(number, offset, CHUNK)
            self._chunk_number = number
            self._chunk_at = offset
            record = self._cut(0)
        if not record or struct.unpack("<I", record[-CRC_SIZE:])[0] != _crc(record[:-CRC_SIZE]):
            return None
        return record

    def _cut(self, at):
        """The bytes of the record at `at` of the chunk, None when they are not all there."""
        chunk = self._chunk
        if at < 0 or at + RECORD_SIZE + CRC_SIZE >= len(chunk):
            return None
        end = at + RECORD_SIZE + (chunk[at] | (chunk[at + 1] & 3) << 8) + CRC_SIZE
        return chunk[at:end] if end <= len(chunk) else None

    def beyond(self, number, offset):
        """Where the segment goes on behind an offset at which there is no record; 0: nowhere, as at every segment's end."""
        if number == self.last and self.written and offset >= self.written:
            return 0
        if self._chunk_number == number and self._chunk_at == offset and not self._chunk:
            return 0
        place = number, offset
        if place not in self._met:
            from node.core import salvage

            if len(self._met) >= _MET_MOST:
                self._met.clear()
            self._met[place] = salvage.beyond(self, number, offset)
        return self._met[place]

    def append(self, flags, seconds, ms, points, text=b""):
        """Keep a record: points [(id, q | q1 << 4, value)]. Returns its seq; after an OSError it is there whole or not at all.

        `text` belongs to the last point. ValueError: what no record can hold.
        """
        if len(points) > _MOST_POINTS or len(text) > _MOST_TEXT:
            raise ValueError(_FULL % (len(points), len(text)))
        if self._torn:
            if self.record(self.last, self._torn):
                self.seq += 1  # it got there after all
            self._torn = 0
        buffer = self._buffer
        size = _put(buffer, RECORD_SIZE, self.seq + 1)
        for i, q, value in points:
            if not -0x80000000 <= value < 0x80000000 or not 0 <= i < 0x10000:
                raise ValueError("point %d can't hold %d" % (i, value))
            size = _put(buffer, size, i << 1 | (value < 0))
            buffer[size] = q
            size = _put(buffer, size + 1, -value if value < 0 else value)
        if text:
            flags |= TEXT
            text += struct.pack("<H", len(text))
        follows = size - RECORD_SIZE + len(text)
        if size + len(text) + CRC_SIZE > CHUNK:
            raise ValueError(_FULL % (len(points), len(text)))
        struct.pack_into(_RECORD, buffer, 0, follows & 255, follows >> 8 | flags << 2 | ms << 6, seconds)
        body = bytes(memoryview(buffer)[:size]) + text
        record = body + struct.pack("<I", _crc(body))
        if not self.written or self.written + len(record) > self._segment_bytes:
            self._new_segment()
        end = self.written
        self.written = 0  # if the append fails its tail may be torn: the next record starts a new segment
        self._torn = end
        self._storage.append(self._name(self.last), record)
        self._torn = 0
        self.written = end + len(record)
        self._chunk = record
        self._chunk_number = self.last
        self._chunk_at = end
        self.seq += 1
        return self.seq

    def _new_segment(self):
        # Whatever fails from here on: a header that got there must not be followed by a record before it.
        self.written = 0
        number = self.last
        # This boot's newest that holds nothing is made again, else storage that fails now and then would empty the ring.
        if self.opened != self.seq + 1:
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
        self.opened = self.seq + 1
        self.written = HEADER_SIZE
        self._chunk_number = 0

    def _ends(self, number):
        """Key of the last record of a segment that is not the newest."""
        here = self.header(number)
        if not here:
            return (0, 0)  # nothing in it can be read
        after = self.header(number + 1)
        if not after:
            return self.walk(number, here)
        return (here[0], after[3] - 1) if after[0] == here[0] else (after[1], after[2])

    def _give_up_oldest(self):
        here = self.header(self.first)
        end = self._ends(self.first)
        self._drop_first()
        if here and end[0] == here[0]:
            self.lose(here[0], here[3], end[1])

    def lose(self, boot, first, last):
        """To be declared: these are gone. What was kept elsewhere is not among them."""
        if (boot, last) <= self._kept:
            return
        if self._kept >= (boot, first):
            first = self._kept[1] + 1
        if first > last:
            return
        lost = self.given_up
        if lost and lost[-1][0] == boot and lost[-1][2] == first - 1:
            lost[-1][2] = last
        else:
            lost.append([boot, first, last])

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
    """Reads a log from its oldest record on, and through so many harmed places at once: a whole journal of them takes a minute."""

    def __init__(self, log, harmed_most=1 << 20):
        self._log = log
        self._harmed_most = harmed_most
        self._number = 0
        self._offset = 0  # 0: the segment is yet to be opened
        self._head = None
        self.more = False  # `peek` has found nothing so far, and has not seen all

    def peek(self):
        """(boot, prev_boot, prev_seq, record) at the cursor; None when all has been read, or for now (`more`)."""
        log = self._log
        harmed = log.damaged + self._harmed_most
        self.more = False
        while log.last:
            if self._number < log.first:
                self._number = log.first
                self._offset = 0
            if not self._offset or self._head is True:  # True: the place is remembered, its segment is yet to be opened
                self._head = log.header(self._number)
                self._offset = self._offset or HEADER_SIZE
            if self._head:
                record = log.record(self._number, self._offset)
                if record:
                    return self._head[0], self._head[1], self._head[2], record
                offset = log.beyond(self._number, self._offset)
                if offset:
                    self._offset = offset
                    continue
            if self._number >= log.last:
                if not self._head:
                    self._offset = 0
                return None
            self._number += 1
            self._offset = 0
            if log.damaged >= harmed:
                self.more = True
                return None
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
    return get_number(record, RECORD_SIZE)[0]


def open_logs(storage, boot, segment_bytes=8188, readings_segments=151, event_segments=20, found=False):
    """Both streams, `[READINGS]` and `[EVENT]`, in two LittleFS blocks a segment: 4096 bytes of a file and 4092 (docs/journal.md)."""
    return [
        Log(storage, STREAMS[READINGS], boot, segment_bytes, readings_segments, found),
        Log(storage, STREAMS[EVENT], boot, segment_bytes, event_segments, found),
    ]


def text_of(record):
    """The text of the last point, as bytes."""
    if not record[1] >> 2 & TEXT:
        return b""
    end = len(record) - CRC_SIZE - 2
    return record[end - struct.unpack("<H", record[end : end + 2])[0] : end]


def points_of(record):
    """(flags, seq, seconds, ms, [(id, q | q1 << 4, value)]) of a record."""
    _, packed, seconds = struct.unpack(_RECORD, record[:RECORD_SIZE])
    end = len(record) - CRC_SIZE
    if packed >> 2 & TEXT:
        end -= 2 + len(text_of(record))
    seq, at = get_number(record, RECORD_SIZE)
    points = []
    while at < end:
        i, at = get_number(record, at)
        value, place = get_number(record, at + 1)
        points.append((i >> 1, record[at], -value if i & 1 else value))
        at = place
    return packed >> 2 & 15, seq, seconds, packed >> 6, points
