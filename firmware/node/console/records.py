"""The journal's newest records in words: `log`."""

from node.console import dates, session
from node.core import fixed, journal, senml
from node.core import measurements as M

_COUNT = 10
_MOST = 500


def answer_log(console, typed):
    count = _COUNT
    stream = journal.EVENT
    for word in typed[1:]:
        if word.isdigit() and 0 < int(word) <= _MOST:
            count = int(word)
        elif word == "readings":
            stream = journal.READINGS
        else:
            console.usage("log")
    logs = console.app.logs
    if not logs:
        raise OSError("no journal")
    console.endless = session.A_BYTE_THAT_FORGETS
    log = logs[stream]
    cursor = journal.Cursor(log)
    if log.seq >= count:
        cursor.seek(log.boot, log.seq - count + 1)
    elif log.last:
        cursor.seek(log.prev_boot, max(1, log.prev_seq + log.seq - count + 1))
    none = True
    while count:
        at = cursor.peek()
        if not at:
            break
        cursor.advance(at[3])
        count -= 1
        none = False
        yield told(at[0], at[3])
    if none:
        yield console.word("no record")


def told(boot, record):
    """`2018-06-03 22:04:05 3/17 alarm warning, level 1.254 m`: when, boot and number, what."""
    flags, seq, seconds, _, points = journal.points_of(record)
    parts = [_point(i, q, value, journal.text_of(record)) for i, q, value in points]
    return "%s %d/%d %s" % (dates.text(flags, seconds), boot, seq, ", ".join(parts))


def _point(i, q, value, text):
    quality = q & 15
    words = None
    if i >= M.OLD_SETTING:
        row = senml._setting(i & 0xFFF)
    else:
        row = senml.row_of(i)
        words = row[5] if row else None
    if not row:
        return "unknown:%d %d" % (i, value)
    name = row[0]
    if i >= M.OLD_SETTING:
        name = ("new " if i >= M.NEW_SETTING else "old ") + name
    elif i >= M.INSTANCE:
        name += ":%d" % ((i >> 8) + 1)
    if quality == M.FLAG_MISSING:
        words = M.REASONS
    if words == "text":
        return "%s '%s'" % (name, "".join([chr(byte) if 32 <= byte < 127 else "?" for byte in text]))
    if words:
        value = words[value] if 0 <= value < len(words) else "unknown"
    else:
        value = fixed.text(value, row[2]) + (" " + row[1] if row[1] else "")
    return "%s %s" % (name, value) + (" (q %d)" % quality if quality > M.FLAG_PASS else "")
