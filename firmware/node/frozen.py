"""What a station keeps through deep sleep, in the chip's RTC memory: a wake is no new boot. Loaded by a station that sleeps.

One walk over the station's parts serves both ways, so that nothing is taken back in another order than it was given out. What is not here is made
again by the new App: settings (read from flash as at every boot, since flash rules; their values are here too, for flash that can't be read), drivers and
their counters, the connection, what was typed. What does not fit any RTC memory keeps a station awake instead: see `node.duty`.
"""

import binascii
import struct

from node.core import journal
from node.core import settings as S
from node.core.clock import WRAP
from node.parts import Giving, Taking, walk
from node.version import VERSION

MOST = 1900  # bytes
DAMAGED = 1
FOREIGN = 2
_LAYOUT = 4  # another number for every change of what the walk takes
_HEAD = "<2sBHHI"  # mark, layout, bytes that follow, how many of the numbers every such station has, CRC-32 of all but itself
HEAD_SIZE = 11
_MARK = b"WF"


def _identity(app):
    """A CRC of what makes a station another one: whose state it is, of which firmware, and of which parts."""
    sensors = [row["driver"] for row in app._station["sensors"]]
    return binascii.crc32(("%s %s %r" % (app.life, VERSION, sensors)).encode()) & 0xFFFFFFFF


def freeze(app):
    """The station's state; b"" when it has not got what can be kept, or it is too long: then it stays awake."""
    if not app.uplink or not app.duty:
        return b""
    client = app.uplink.client
    if client.in_flight or client.out:  # what the broker has not acknowledged goes again
        for i in (0, 1):
            app.uplink._move[i] = 2
    unix_ms = app._ports.clock.unix_ms()
    data = bytearray(MOST)
    giving = Giving(app._ports.clock.ticks_ms(), data, HEAD_SIZE)
    try:
        giving.one(_identity(app))
        giving.one(app.settings.revision)
        giving.each(app.settings.values)
        before = giving.count
        walk(app, giving)
        fixed = giving.count - before
        for log in app.logs:
            giving.lists(log.given_up)
        giving.lists(app.uplink._asked)
        giving.one(-1 if unix_ms is None else unix_ms)
    except IndexError:
        return b""
    struct.pack_into(_HEAD, data, 0, _MARK, _LAYOUT, giving.at - HEAD_SIZE, fixed, 0)
    struct.pack_into("<I", data, HEAD_SIZE - 4, _crc(data, giving.at))
    return bytes(memoryview(data)[: giving.at])


def _crc(data, size):
    view = memoryview(data)
    return binascii.crc32(view[HEAD_SIZE:size], binascii.crc32(view[: HEAD_SIZE - 4])) & 0xFFFFFFFF


def _is_whole(data):
    if len(data) < HEAD_SIZE:
        return False
    mark, layout, size, _, crc = struct.unpack(_HEAD, data[:HEAD_SIZE])
    return mark == _MARK and layout == _LAYOUT and len(data) == HEAD_SIZE + size and _crc(data, len(data)) == crc


def thaw(app, data):
    """Take the state of a new App from `data`. False: it can't be used, which the books will tell, and the App is as it was."""
    app._books.memory_bad = DAMAGED
    if not _is_whole(data):
        return False
    app._books.memory_bad = FOREIGN
    slept = app._power.slept_ms()
    now = (app._ports.clock.ticks_ms() - slept) % WRAP
    taking = Taking(now, data, HEAD_SIZE)
    try:
        if taking.one() != _identity(app) or not _take_settings(app, taking):
            return False
    except IndexError:
        return False
    app._books.logs = journal.open_logs(app.storage, 0, found=True)
    app.configure()
    app.connect()
    own = bytearray(MOST)
    made = Giving(now, own, 0)
    walk(app, made)
    try:
        if made.count != struct.unpack(_HEAD, data[:HEAD_SIZE])[3]:
            raise ValueError("another station's")
        walk(app, taking)
        for log in app.logs:
            log.given_up = taking.lists(log.given_up, 3)
        app.uplink._asked = taking.lists(app.uplink._asked, 4)
        unix_ms = taking.one()
    except (ValueError, IndexError, TypeError, OverflowError):
        walk(app, Taking(now, own, 0))
        app._books.logs = app.uplink = None
        return False
    app._books.memory_bad = 0
    app.duty.woke(slept)
    _take_clock(app, unix_ms, slept)
    _settle(app)
    return True


def _take_settings(app, taking):
    """Flash rules; what can't be read now is as it was."""
    settings = app.settings
    revision = taking.one()
    values = [0] * len(settings.values)
    taking.each(values)
    try:
        S.load(app.storage, settings)
    except OSError:
        settings.revision = revision
        settings.values = values
    return settings.revision == revision and list(settings.values) == values


def _take_clock(app, unix_ms, slept):
    clock = app._ports.clock
    books = app._books
    if books._kept_s and hasattr(clock, "floor"):
        clock.floor(books._kept_s)
    if unix_ms >= 0 and hasattr(clock, "carry"):
        clock.carry(unix_ms + slept, app.duty.loose_ms())


def _settle(app):
    """What follows from what was taken back."""
    gauge, care = app.gauge, app._care
    if care and care._season >= 0:  # not by configure: what is pending goes on
        row = gauge._season = care._seasons[care._season]
        for i in range(3):
            gauge._limits[i] = gauge.alarm._limits[i] = row[2 + i]
    for cursor in app.uplink._next:
        cursor._head = True if cursor._offset else None
    app.find_network()
