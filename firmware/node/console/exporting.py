"""Settings and journal as lines for a program, each with its CRC-32 and to be resumed at any key: `export` (docs/console.md). No secrets."""

import binascii

from node.console import session
from node.core import fixed, journal

_KINDS = ("readings", "events")  # as their streams
_VERSION = 1
_MOST = 1 << 31


def sealed(text):
    return "%s %08x" % (text, binascii.crc32(text.encode()) & 0xFFFFFFFF)


def answer_export(console, typed):
    kind = typed[1] if len(typed) > 1 else ""
    if len(typed) == 2 and kind == "settings":
        answer = _settings(console)
    elif kind in _KINDS and len(typed) in (2, 4):
        for word in typed[2:]:
            if not (word.isdigit() and len(word) < 11 and int(word) < _MOST):
                console.usage("export")
        boot, seq = (int(typed[2]), int(typed[3])) if len(typed) == 4 else (0, 0)
        answer = _records(console, kind, boot, seq)
    else:
        console.usage("export")
    console.endless = session.A_BYTE_THAT_FORGETS
    for line in answer:
        console.use()
        yield sealed(line)


def _begin(console, kind, boot, seq):
    app = console.app
    return "begin %d %s %s %s %s %d %d" % (
        _VERSION, kind, app._station["district"], app._station["node"], app.life, boot, seq,
    )  # fmt: skip


def _settings(console):
    settings = console.settings
    boot = console.app.logs[0].boot if console.app.logs else 0
    yield _begin(console, "settings", boot, settings.revision)
    for i in settings.used:
        row = settings.rows[i]
        yield "set %s %s" % (row[0], fixed.text(settings.values[i], row[2]))
    yield "end settings %d %d" % (boot, settings.revision)


def _records(console, kind, boot, seq):
    logs = console.app.logs
    if not logs:
        raise OSError("no journal")
    log = logs[_KINDS.index(kind)]
    yield _begin(console, kind, log.boot, log.seq) if log.seq else _begin(console, kind, log.prev_boot, log.prev_seq)
    cursor = journal.Cursor(log)
    if log.last and (boot, seq) > (0, 0):
        cursor.seek(boot, seq)
    last = (0, 0)
    while True:
        at = cursor.peek()
        if not at:
            break
        record = at[3]
        cursor.advance(record)
        last = at[0], journal.seq_of(record)
        packed = binascii.b2a_base64(record).decode().strip()
        yield "%s %d %d %d %d %s" % (kind, at[0], at[1], at[2], last[1], packed)
    yield "end %s %d %d" % (kind, last[0], last[1])
