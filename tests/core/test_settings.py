"""The settings table, what may be typed, and what a saved image is worth after it was damaged."""

import binascii
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import copies, fixed
from node.core import settings as S
from tests import vm64

NAMED = [name for name in vars(S) if name in {row[0].replace(".", "_").upper() for row in S.ROWS}]
LEVELS = (S.LEVEL_ALERT, S.LEVEL_WARNING, S.LEVEL_DANGER)
# (index, what is typed, unit, value)
TYPED = (
    (S.LEVEL_DANGER, "1.2", None, 1200), (S.LEVEL_DANGER, "1.2", "m", 1200), (S.LEVEL_DANGER, "-10", "m", -10000),
    (S.LEVEL_ON_DELAY, "3600", "s", 3600), (S.SIREN_FROM, "4", None, 4),
)  # fmt: skip
# (index, what is typed, unit, words of the refusal: each says what is allowed)
REFUSED = (
    (S.LEVEL_DANGER, "30.001", None, "-10 m to 30 m"), (S.LEVEL_DANGER, "-10.001", None, "-10 m to 30 m"),
    (S.LEVEL_DANGER, "1.2", "cm", "in m, not cm"), (S.LEVEL_DANGER, "high", None, "-10 m to 30 m"),
    (S.LEVEL_DANGER, "1.2345", None, "3 decimals"), (S.LEVEL_ON_DELAY, "-1", "s", "0 s to 3600 s"),
    (S.LEVEL_ON_DELAY, "0.5", None, "0 s to 3600 s"), (S.LEVEL_LATCHED, "2", None, "0 to 1"),
    (S.SIREN_FROM, "0", None, "1 to 4"), (S.SIREN_FROM, "1", "m", "whole numbers"),
)  # fmt: skip


def changed():
    """Settings that differ from the defaults, and their image."""
    settings = S.Settings({"sensor.height": 4000})
    settings.staged = {S.LEVEL_DANGER: 1700, S.SIREN_FROM: 2}
    settings.apply()
    return settings, copies.encode(settings, settings.values, settings.revision)


def image_of(body):
    return b"%08x " % binascii.crc32(body) + body


def test_every_row_is_sane():
    for row in S.ROWS:
        key, unit, decimals, default, low, high = row
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", key), row
        assert unit in (None, "m", "s", "V", "A"), row
        assert decimals in range(7), row
        assert low <= default <= high, row
        assert low < high, row
        assert -(2**30) <= low <= high < 2**30, "small ints on a chip, 32 bits in the journal"
    assert len({row[0] for row in S.ROWS}) == len(S.ROWS)
    assert S.conflict([row[3] for row in S.ROWS]) is None


def test_constants_name_their_rows():
    assert len(NAMED) == len(S.ROWS)
    for name in NAMED:
        assert S.ROWS[getattr(S, name)][0].replace(".", "_").upper() == name


def test_table_of_a_station_in_the_field_is_never_reordered():
    """Indices are ids in journals out there: rows are added at the end. Add new keys to this list, change nothing."""
    keys = (
        "level.alert level.warning level.danger level.deadband level.on_delay level.off_delay level.latched rise.limit "
        "rise.window alarm.shadow siren.from sensor.height sample.interval sample.alarm_interval report.interval"
    ).split()
    assert [row[0] for row in S.ROWS[: len(keys)]] == keys


@pytest.mark.parametrize(("i", "word", "unit", "value"), TYPED)
def test_what_is_allowed_is_taken(i, word, unit, value):
    assert S.validate(S.ROWS[i], word, unit) == value


@pytest.mark.parametrize(("i", "word", "unit", "allowed"), REFUSED)
def test_a_refusal_says_what_is_allowed(i, word, unit, allowed):
    with pytest.raises(ValueError) as refusal:
        S.validate(S.ROWS[i], word, unit)
    assert allowed in str(refusal.value)


@pytest.mark.parametrize("i", range(len(S.ROWS)))
def test_bounds_of_every_row_are_inclusive(i):
    _, _, decimals, _, low, high = S.ROWS[i]
    assert S.validate(S.ROWS[i], fixed.text(low, decimals)) == low
    assert S.validate(S.ROWS[i], fixed.text(high, decimals)) == high
    for value in (low - 1, high + 1, True, 1.0, "1", None):
        with pytest.raises(ValueError):
            S.within(S.ROWS[i], value)


@given(st.tuples(*[st.integers(-3, 3)] * 3))
def test_levels_must_rise(levels):
    values = [row[3] for row in S.ROWS]
    for i, level in zip(LEVELS, levels, strict=True):
        values[i] = level
    rises = levels[0] < levels[1] < levels[2]
    assert (S.conflict(values) is None) == rises
    settings = S.Settings({})
    before = list(settings.values)
    settings.staged = {i: values[i] for i in LEVELS}
    if rises:
        settings.apply()
        assert settings.values == values
        return
    with pytest.raises(ValueError):
        settings.apply()
    assert settings.values == before
    assert settings.revision == 1


@pytest.mark.parametrize(
    ("given_values", "error", "word"),
    [
        ({"level.alert": 1100}, ValueError, "must rise"),
        ({"level.alert": 40000}, ValueError, "30 m"),
        ({"level.alert": "600"}, ValueError, "30 m"),
        ({"level.alarm": 600}, KeyError, "level.alert"),
    ],
)
def test_a_station_with_impossible_defaults_is_refused(given_values, error, word):
    with pytest.raises(error) as refusal:
        S.Settings(given_values)
    assert word in str(refusal.value)


def test_what_was_saved_comes_back_whole():
    settings, image = changed()
    again = S.Settings({"sensor.height": 4000})
    assert again.recover(image)
    assert again.values == settings.values
    assert again.revision == settings.revision == 2
    assert S.Settings({}).recover(b""), "nothing saved is nothing lost"


def test_any_damaged_byte_leaves_the_old_settings():
    _, image = changed()
    for at in range(len(image)):
        for value in {image[at] ^ (1 << bit) for bit in range(8)} | {0, 255} - {image[at]}:
            damaged = image[:at] + bytes((value,)) + image[at + 1 :]
            assert_refused(damaged)


def test_any_cut_and_any_tail_leaves_the_old_settings():
    _, image = changed()
    for at in range(1, len(image)):
        assert_refused(image[:at])
        assert_refused(image[at:])
    assert_refused(image + b" ")
    assert_refused(image + image)


# Images with a right checksum whose content this firmware can't use
BODIES = (
    b"", b"[]", b"null", b"7", b"{}", b'{"values":{}}', b'{"revision":"x","values":{}}', b'{"revision":2.5,"values":{}}',
    b'{"revision":2,"values":7}', b'{"revision":2,"values":{"level.alert":600.5}}',
    b'{"revision":2,"values":{"level.warning":700,"level.alert":99999}}',
    b'{"revision":2,"values":{"level.warning":9000}}', b'{"revision":2,"values":{"level.alert":null}}', b"\xff\xfe{",
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_nothing_is_half_applied(body):
    assert_refused(image_of(body))


@given(st.binary(max_size=60))
def test_any_bytes_leave_the_old_settings(body):
    assert_refused(image_of(body))
    if body:
        assert_refused(body)


def assert_refused(image):
    settings = S.Settings({"level.alert": 500})
    before = list(settings.values)
    assert settings.recover(image) is False
    assert settings.values == before
    assert settings.revision == 1


def test_a_key_of_a_newer_firmware_does_not_cost_the_others():
    settings, image = changed()
    body = json.loads(image[9:])
    body["values"]["zebra.count"] = 3
    again = S.Settings({"sensor.height": 4000})
    assert again.recover(image_of(json.dumps(body).encode()))
    assert again.values == settings.values


def test_a_setting_that_was_not_saved_yet_has_its_default():
    again = S.Settings({"level.alert": 500})
    assert again.recover(image_of(b'{"revision":9,"values":{"level.danger":1800}}'))
    assert (again.get(S.LEVEL_ALERT), again.get(S.LEVEL_DANGER), again.revision) == (500, 1800, 9)


def test_retained_message_holds_every_setting_in_the_tables_order():
    settings, _ = changed()
    message = json.loads(settings.json("5eed0001"), parse_float=str, parse_int=str)
    assert list(message["values"]) == [row[0] for row in S.ROWS]
    for i, row in enumerate(S.ROWS):
        assert fixed.parse(message["values"][row[0]], row[2]) == settings.values[i]


def test_micropython_writes_and_recovers_the_same_image():
    settings, image = changed()
    script = f"""
from node.core import copies
from node.core import settings as S
settings = S.Settings({{"sensor.height": 4000}})
image = {image!r}
print(settings.recover(image), settings.revision, copies.encode(settings, settings.values, settings.revision) == image)
bad = S.Settings({{}})
lost = 0
for at in range(len(image)):
    lost += bad.recover(image[:at] + bytes([image[at] ^ 1]) + image[at + 1:])
for body in {BODIES!r}:
    import binascii
    lost += bad.recover(b"%08x " % binascii.crc32(body) + body)
print(lost, bad.values == [row[3] for row in S.ROWS])
print(settings.json("5eed0001"))
"""
    assert vm64.run(script).splitlines() == ["True 2 True", "0 True", settings.json("5eed0001")]
