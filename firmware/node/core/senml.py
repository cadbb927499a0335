"""A journal record as its SenML pack (RFC 8428; docs/wire.md), printed from integers so that both interpreters write the same bytes."""

from node.core import fixed
from node.core.journal import DATED, points_of, text_of
from node.core.measurements import (
    FLAG_MISSING,
    FURTHER_SETTING,
    INSTANCE,
    NEW_SETTING,
    OLD_SETTING,
    POINTS,
    REASONS,
    SECONDARY_UNITS,
)
from node.core.settings import ROWS

HAPPENINGS = 0xC0  # ids from here on are those of node.core.happenings


def row_of(i):
    """The row of a point's id, whatever instance it is of; None for one that a newer firmware wrote before it was rolled back."""
    i &= 0xFF
    if i < len(POINTS):
        return POINTS[i]
    if i >= HAPPENINGS:
        from node.core import happenings

        i -= HAPPENINGS
        return happenings.POINTS[i] if i < len(happenings.POINTS) else None
    from node.core import quantities  # loaded by those who have them

    return quantities.POINTS[i] if i < len(quantities.POINTS) else None


def _setting(i):
    if i < FURTHER_SETTING:
        return ROWS[i] if i < len(ROWS) else None
    from node.core import limits

    i += len(ROWS) - FURTHER_SETTING
    return limits.ROWS[i] if i < len(limits.ROWS) else None


def _point(i, q, value, text):
    final = q >> 4
    q = q & 15
    quality = ',"q":%d' % q if q else ""
    if final:
        quality += ',"q1":%d' % final
    if i >= OLD_SETTING:
        row = _setting(i & 0xFFF)
    else:
        row = row_of(i)
    if not row:
        return '"n":"unknown:%d","v":%d%s}' % (i, value, quality)
    key, unit, decimals, words = row[0], row[1], row[2], row[5]
    if i >= OLD_SETTING:
        key = ("new:" if i >= NEW_SETTING else "old:") + key
        words = None
    elif i >= INSTANCE:
        key += ":%d" % ((i >> 8) + 1)
    if q == FLAG_MISSING:
        words = REASONS
    if words == "text":
        from node.core.texts import escaped

        return '"n":"%s","vs":"%s"%s}' % (key, escaped(text), quality)
    if words:
        return '"n":"%s","vs":"%s"%s}' % (key, words[value] if 0 <= value < len(words) else "unknown", quality)
    if unit:
        return '"n":"%s","u":"%s","v":%s%s}' % (key, unit, fixed.text(value, decimals), quality)
    return '"n":"%s","v":%s%s}' % (key, fixed.text(value, decimals), quality)


def moment(flags, seconds, ms):
    """The base time: `"bt":1528063200.5`, or `"up_ms":2040` while the clock is not known."""
    if not flags & DATED:
        return '"up_ms":%d' % (seconds * 1000 + ms)
    if not ms:
        return '"bt":%d' % seconds
    return '"bt":%d.%s' % (seconds, fixed.text(1000 + ms, 3)[2:])


def encode(base_name, life, boot, prev_boot, prev_seq, record):
    """The pack of a journal record. `base_name` is `waspada:<district>:<node>:`."""
    flags, seq, seconds, ms, points = points_of(record)
    version = ""
    for point in points:
        row = row_of(point[0]) if point[0] < OLD_SETTING else None
        if row and row[1] in SECONDARY_UNITS:
            version = '"bver":26,'
    pack = '[{"bn":"%s",%s%s,"life":"%s","boot":%d,"seq":%d,' % (
        base_name, version, moment(flags, seconds, ms), life, boot, seq,
    )  # fmt: skip
    if seq == 1:
        pack += '"prev_boot":%d,"prev_seq":%d,' % (prev_boot, prev_seq)
    for k in range(len(points)):
        if k:
            pack += ",{"
        point = points[k]
        pack += _point(point[0], point[1], point[2], text_of(record) if k == len(points) - 1 else b"")
    return pack + "]"


def status(base_name, life, when, boot, state, version, more=""):
    """The retained `status`. The last will says only what is true at any time: `when` None. `more`: further entries."""
    if when is None:
        return '[{"bn":"%s","life":"%s","n":"state","vs":"%s"}]' % (base_name, life, state)
    return '[{"bn":"%s",%s,"life":"%s","boot":%d,"n":"state","vs":"%s"},{"n":"version","vs":"%s"}%s]' % (
        base_name, when, life, boot, state, version, more,
    )  # fmt: skip
