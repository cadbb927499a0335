"""Every point and setting as SenML: the JSON says the integers back, names and units are the standards' own."""

import json
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import journal, senml
from node.core import measurements as M
from node.core import quantities as Q
from node.core import settings as S
from tests import vm64
from tests.wire_cases import Memory

BASE = "waspada:demo:dr01:"
LIFE = "5eed0001"
T = 1528063200

# RFC 8428 section 4.5.1: a name begins with a letter or digit and goes on with these.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
# IANA "SenML Units" (RFC 8428 section 12.1) and "Secondary Units" (RFC 8798 section 5): those that we may come to use.
UNITS = (
    "m",
    "s",
    "V",
    "A",
    "W",
    "Cel",
    "%RH",
    "%",
    "m/s",
    "lx",
    "W/m2",
    "Pa",
    "J",
    "S/m",
    "rad",
    "dB",
    "/",
    "deg",
    "count",
    "dBW",
    "NTU",
)
SECONDARY = (
    "ms",
    "min",
    "h",
    "mV",
    "mA",
    "kWh",
    "Wh",
    "Ah",
    "hPa",
    "cm",
    "mm",
    "/100",
    "km",
    "km/h",
    "mm/h",
    "m/h",
    "ug/m3",
    "ppm",
    "dBm",
)
POSITION = dict.fromkeys((*UNITS, *SECONDARY))

POINTS = [pytest.param(i, id=row[0]) for i, row in enumerate(Q.POINTS)]
SETTINGS = [pytest.param(i, id=row[0]) for i, row in enumerate(S.ROWS)]
# From RFC 9100: version 10 plus 2 to the power of the feature "secondary units", 4.
VERSION = 10 + 2**4


def record_of(points, flags=journal.DATED, seconds=T, ms=500, seq=5):
    log = journal.Log(Memory(), "event", 3, 4096, 4)
    log.seq = seq - 1
    log.append(flags, seconds, ms, points)
    return journal.Cursor(log).peek()[3]


def pack_of(points, **when):
    text = senml.encode(BASE, LIFE, 3, 2, 911, record_of(points, **when))
    assert text.isascii()
    assert " " not in text
    return json.loads(text, parse_float=str, parse_int=str)


def integer(text, decimals):
    value = Fraction(text) * 10**decimals
    assert value.denominator == 1
    return int(value)


@pytest.mark.parametrize("i", POINTS)
def test_every_point_decodes_to_the_same_integer(i):
    key, unit, decimals, low, high, words = Q.POINTS[i]
    assert low < high
    for value in {low, high, low + (high - low) // 3, max(low, 1)}:
        point = pack_of(((i, 0, value),))[0]
        assert point["n"] == key
        assert point.get("u") == unit
        if words:
            assert point["vs"] == words[value]
            assert high == len(words) - 1
            assert low == 0
        else:
            assert integer(point["v"], decimals) == value


@pytest.mark.parametrize("i", SETTINGS)
def test_every_setting_decodes_to_the_same_integer_old_and_new(i):
    key, unit, decimals, _, low, high = S.ROWS[i]
    old, new = pack_of(((M.OLD_SETTING + i, 0, low), (M.NEW_SETTING + i, 0, high)))
    assert (old["n"], new["n"]) == ("old:" + key, "new:" + key)
    assert old.get("u") == new.get("u") == unit
    assert integer(old["v"], decimals) == low
    assert integer(new["v"], decimals) == high


def test_names_keep_to_the_grammar():
    for row in Q.POINTS:
        assert NAME.fullmatch(BASE + row[0])
    for row in S.ROWS:
        assert NAME.fullmatch(BASE + "old:" + row[0])
    assert len({row[0] for row in Q.POINTS}) == len(Q.POINTS)
    for words in (*[row[5] for row in Q.POINTS if row[5]], M.REASONS):
        assert all(re.fullmatch(r"[a-z0-9_]+", word) for word in words)


def test_units_are_registered():
    for row in (*Q.POINTS, *S.ROWS):
        assert row[1] is None or row[1] in POSITION, row
        if row in Q.POINTS:
            assert (row[1] in M.SECONDARY_UNITS) == (row[1] in SECONDARY), row


@given(st.lists(st.integers(0, len(Q.POINTS) - 1), min_size=1, max_size=6))
def test_version_is_there_exactly_with_a_secondary_unit(ids):
    pack = pack_of([(i, 0, 0) for i in ids])
    assert ("bver" in pack[0]) == any(point.get("u") in SECONDARY for point in pack)
    assert pack[0].get("bver", str(VERSION)) == str(VERSION)


def test_a_setting_in_seconds_needs_no_version():
    assert "bver" not in pack_of(((M.OLD_SETTING + S.RISE_WINDOW, 0, 900),))[0]


@pytest.mark.parametrize("reason", range(len(M.REASONS)))
def test_a_missing_point_says_why_and_has_no_value(reason):
    point = pack_of(((M.LEVEL, 0x19, reason),))[0]
    assert (point["vs"], point["q"], point["q1"]) == (M.REASONS[reason], "9", "1")
    assert not {"v", "u"} & set(point)


@given(st.integers(0, 2**32 - 1), st.integers(0, 999))
def test_time_is_exact(seconds, ms):
    dated = pack_of(((M.LEVEL, 2, 1),), seconds=seconds, ms=ms)[0]
    assert integer(dated["bt"], 3) == seconds * 1000 + ms
    assert "up_ms" not in dated
    undated = pack_of(((M.LEVEL, 2, 1),), flags=0, seconds=seconds, ms=ms)[0]
    assert integer(undated["up_ms"], 0) == seconds * 1000 + ms
    assert "bt" not in undated


def test_first_record_of_a_boot_names_the_one_before():
    assert {"prev_boot", "prev_seq"} <= set(pack_of(((M.LEVEL, 2, 1),), seq=1)[0])
    assert not {"prev_boot", "prev_seq"} & set(pack_of(((M.LEVEL, 2, 1),), seq=2)[0])


# Records that this firmware did not write: a newer one did, and was rolled back.
FOREIGN = ((len(Q.POINTS), 1, 7), (0xFFF, 0, -3), (M.OLD_SETTING + len(S.ROWS), 0, 5), (M.NEW_SETTING + 99, 0, 5),
           (M.ALARM, 0, 4), (M.ALARM, 0, -1), (M.LEVEL, 9, 1234), (M.LEVEL, 9, -1))  # fmt: skip


@pytest.mark.parametrize("point", FOREIGN)
def test_a_record_of_another_firmware_stops_nobody(point):
    first = pack_of((point, (M.BATTERY, 1, 12600)))[0]
    assert NAME.fullmatch(first["n"])
    assert ("v" in first) != ("vs" in first)


@given(st.integers(0, 0x3FFF), st.integers(0, 255), st.integers(-(2**31), 2**31 - 1))
def test_any_point_is_valid_json(i, q, value):
    assert NAME.fullmatch(pack_of(((i, q, value),))[0]["n"])


def test_the_longest_record_fits_the_nodes_packets():
    """Names as long as the wire allows; the station's own largest record is a change of one setting, or an alarm."""
    base = f"waspada:{'d' * 32}:{'n' * 32}:"
    longest = max(range(len(S.ROWS)), key=lambda i: len(S.ROWS[i][0]))
    alarm = [(M.ALARM, 0, 3), (M.ALARM_FROM, 0, 2), (M.LEVEL, 2, -9999), (M.LIMIT, 0, -9999), (M.RISE, 0, -2147483647)]
    change = [(M.SETTINGS, 0, 1), (M.REVISION, 0, 2147483647), (M.OLD_SETTING + longest, 0, -9999),
              (M.NEW_SETTING + longest, 0, -9999)]  # fmt: skip
    for points in (alarm, change):
        record = record_of(points, seq=1)
        payload = senml.encode(base, "ffffffff", 2**32 - 1, 2**32 - 1, 2**32 - 1, record)
        assert len(payload) + len("waspada/v1/readings") + 66 + 9 < 1024
    settings = S.Settings({})
    settings.values = [row[4] - 1 for row in S.ROWS]
    assert len(settings.json("ffffffff")) < 1500, "the retained settings grow with the table: packets end at 2048"


def test_micropython_writes_the_same_bytes():
    points = [((i, 2, row[4]),) for i, row in enumerate(Q.POINTS)]
    points += [((M.OLD_SETTING + i, 0, row[4]), (M.NEW_SETTING + i, 0, row[5])) for i, row in enumerate(S.ROWS)]
    points += [(point,) for point in FOREIGN]
    records = [record_of(each) for each in points]
    script = f"""
from node.core import senml
for record in {records!r}:
    print(senml.encode({BASE!r}, {LIFE!r}, 3, 2, 911, record))
"""
    assert vm64.run(script).splitlines() == [senml.encode(BASE, LIFE, 3, 2, 911, record) for record in records]
