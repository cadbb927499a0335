"""What can be had of a segment that flash has harmed, and what can be said of the rest. Loaded only where a journal meets such a segment.

Records of one boot count up by one, and each has its CRC: behind a harmed place the next record is found by trying every byte, and what lies
between is known by number. A header repeats what its neighbours know: the boot of the records, and what came before that boot.
"""

from node.core.journal import CHUNK, CRC_SIZE, HEADER_SIZE, RECORD_SIZE, get_number, seq_of

_LEAST = RECORD_SIZE + 1 + CRC_SIZE  # of a record
_LOOK = RECORD_SIZE + 5  # bytes that tell whether a record may begin here


def beyond(log, number, offset):
    """Offset of the next good record behind `offset`, 0 when there is none. What is lost in between is declared."""
    head = log.header(number)
    before = _seq_before(log, number, offset, head[3] - 1)
    own = number == log.last and log.written  # this boot's: records will follow
    size = log.written if own else log.size_of(number)
    found, seq = _next(log, number, offset, size, before)
    if found:
        log.lose(head[0], before + 1, seq - 1)
        log.damaged += 1
        return found
    last = log.seq if own else _last(log, number, head)
    if last > before:
        log.lose(head[0], before + 1, last)
        log.damaged += 1
    return size if own else 0


def _seq_before(log, number, offset, seq):
    at = HEADER_SIZE
    while at < offset:
        record = log.record(number, at)
        if record:
            seq = seq_of(record)
            at += len(record)
        else:
            at = log.beyond(number, at) or offset
    return seq


def _next(log, number, offset, size, before):
    """(offset, seq) of the next good record, or (0, 0)."""
    most = before + size // _LEAST + 1
    at = offset + 1
    while at + _LEAST <= size:
        window = log.read(number, at, CHUNK)
        for i in range(len(window) - _LEAST + 1):
            if i + _LOOK > len(window) and len(window) == CHUNK:
                break
            if _may_begin(window, i, before, most):
                record = log.record(number, at + i)
                if record and before < seq_of(record) <= most:
                    return at + i, seq_of(record)
        at += CHUNK - _LOOK + 1
    return 0, 0


def _may_begin(window, i, before, most):
    """Whether the bytes there are a record's by their milliseconds, flags and seq."""
    if (window[i + 1] | window[i + 2] << 8) >> 6 > 999 or window[i + 1] & 0x30:
        return False
    i += RECORD_SIZE
    end = i
    while window[end] > 127:
        end += 1
        if end - i > 4 or end >= len(window):
            return False
    return before < get_number(window, i)[0] <= most


def _last(log, number, head):
    """Seq of the segment's last record by what the segment after it says, 0 when nobody knows."""
    after = log.header(number + 1) if number < log.last else None
    if not after:
        return 0
    if after[0] == head[0]:
        return after[3] - 1
    return after[2] if after[1] == head[0] else 0


def header(log, number):
    """What a damaged header must have said: (boot, prev_boot, prev_seq, first_seq); None when that is not known.

    One of three things stands before it: nothing, a segment of the same boot, or one of an earlier boot. And one of three behind it: nothing,
    a segment of the same boot (its first_seq is above 1), or one of a later boot (its prev_boot is this one's).
    """
    log.damaged += 1
    if number == log.last and log.opened:  # this boot's own
        return log.boot, log.prev_boot, log.prev_seq, log.opened
    before = log.written_header(number - 1)[0] if number > log.first else None
    after = log.written_header(number + 1)[0] if number < log.last else None
    record = log.record(number, HEADER_SIZE)
    first = seq_of(record) if record else 0
    ends = log.walk(number - 1, before) if before else (0, 0)
    if after and after[3] > 1:
        boot, last = after[0], after[3] - 1
        known = after[:3]
    elif after:
        boot, last = after[1:3]
        if before:
            known = before[:3] if before[0] == boot else (boot, ends[0], ends[1])
        else:
            known = (boot, 0, 0) if first > 1 or number == 1 else None  # a boot's first record says what came before it
    else:
        boot = before[0] if before else 0
        last = first
        known = before[:3] if before and first > 1 else None  # a boot's first segment begins with seq 1
    begins = 1 if before or number == log.first else 0  # 0: a damaged segment before it may hold some of the boot
    if before and before[0] == boot:
        begins = ends[1] + 1 if ends[0] == boot else before[3]
    if first and first < begins:
        return None  # of a boot that nobody knows of
    if last and known and (before or first):
        if begins:
            log.lose(boot, begins, first - 1)
        return known[0], known[1], known[2], max(begins, first)
    if after and last and begins:
        log.lose(boot, begins, last)
    return None
