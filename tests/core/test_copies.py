"""Settings in two copies: whatever becomes of one, what was saved is still there; and what becomes of both is told."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import copies
from node.core import measurements as M
from node.core import settings as S
from tests import vm64
from tests.core import failing_storage
from tests.core.failing_storage import Storage

OWN = {"sensor.height": 4000}


def saved(*dangers, storage=None):
    """Storage after saves of these danger levels, the first as revision 2."""
    storage = storage or Storage()
    settings = S.Settings(OWN)
    S.load(storage, settings)
    for danger in dangers:
        settings.staged = {S.LEVEL_DANGER: danger}
        assert copies.save(storage, settings, settings.proposed(), settings.revision + 1)
        settings.apply()
    return storage


def found(storage, settings=None):
    """(how, danger, revision) after a boot."""
    settings = settings or S.Settings(OWN)
    how = S.load(storage, settings)
    return how, settings.get(S.LEVEL_DANGER), settings.revision


def mended(storage):
    """What is told, and how it is found at the next boot."""
    settings = S.Settings(OWN)
    told = []

    def tell(*points):
        told.append(points)
        return True

    assert copies.attend(storage, settings, S.load(storage, settings), tell) == S.SOUND
    return told, found(storage)


def test_both_copies_hold_what_was_saved():
    storage = saved(1700, 1800)
    assert storage.files["settings.0"] == storage.files["settings.1"]
    assert found(storage) == (S.SOUND, 1800, 3)
    assert found(Storage()) == (S.SOUND, 1500, 1)


@given(st.sampled_from(S.COPIES), st.integers(0, 2000), st.sampled_from([b"", b"\xff", b"}", b'"revision":9999']))
def test_one_damaged_copy_costs_nothing_and_is_told_once(name, at, junk):
    storage = saved(1700)
    data = storage.files[name]
    at %= len(data)
    harmed = data[:at] + junk + data[at + 1 :]
    if harmed in (b"", data):
        return
    storage.files[name] = harmed
    assert found(storage) == (S.DAMAGED, 1700, 2)
    assert mended(storage) == ([((M.STORAGE, 0, 0),)], (S.SOUND, 1700, 2))
    assert storage.files[copies.ASIDE] == harmed


@pytest.mark.parametrize("name", S.COPIES)
def test_the_newer_copy_counts_and_the_older_is_brought_up_in_silence(name):
    old, storage = saved(1700), saved(1700, 1800)
    for older in (old.files[name], b""):
        storage.files[name] = older
        assert found(storage) == (S.LAGGING, 1800, 3)
    assert mended(storage) == ([], (S.SOUND, 1800, 3))


@pytest.mark.parametrize("name", S.COPIES)
def test_an_older_copy_is_better_than_defaults(name):
    old, storage = saved(1700), saved(1700, 1800)
    storage.files[name] = b"junk"
    storage.files[S.COPIES[1 - S.COPIES.index(name)]] = old.files[name]
    assert found(storage) == (S.DAMAGED, 1700, 2)


def test_both_damaged_run_the_stations_own_above_the_revision_that_was():
    storage = saved(1700, 1800, 1900)
    for name in S.COPIES:
        storage.files[name] = b"\0" + storage.files[name][1:]
    assert found(storage) == (S.LOST, 1500, 5)
    assert mended(storage) == ([((M.SETTINGS, 0, 2), (M.REVISION, 0, 5))], (S.SOUND, 1500, 5))
    storage.files = dict.fromkeys(S.COPIES, b"\xff" * 300)
    assert found(storage) == (S.LOST, 1500, 1)
    storage.files = {"settings.1": b'"revision":' + b"9" * 50}
    assert found(storage)[2] < 1 << 30


def test_what_this_firmware_does_not_allow_is_set_aside_and_told():
    """A whole image whose values an older firmware allowed."""
    settings = S.Settings({})
    bad = copies.encode(settings, [99999999, *settings.values[1:]], 7)
    storage = Storage(dict.fromkeys(S.COPIES, bad))
    assert found(storage) == (S.LOST, 1500, 8)
    assert mended(storage)[1] == (S.SOUND, 1500, 8)
    assert storage.files[copies.ASIDE] == bad


@pytest.mark.parametrize(("kind", "first", "danger"), [("before", 0, 1700), ("after", 0, 1800)])
def test_a_save_whose_first_write_fails_is_none_unless_it_got_there(kind, first, danger):
    storage = saved(1700)
    settings = S.Settings(OWN)
    S.load(storage, settings)
    settings.staged = {S.LEVEL_DANGER: 1800}
    storage.trouble = (kind, "replace", first)
    try:
        assert copies.save(storage, settings, settings.proposed(), 3)
    except OSError:
        assert kind == "before"
    assert found(storage)[1] == danger


def test_a_save_whose_second_write_fails_counts_and_the_next_one_keeps_a_whole_copy():
    storage = saved(1700)
    settings = S.Settings(OWN)
    S.load(storage, settings)
    for danger in (1800, 1900, 2000):
        settings.staged = {S.LEVEL_DANGER: danger}
        write = storage.replace
        written = []

        def once(name, data, write=write, written=written):
            if written:
                raise OSError(5, "injected")
            written.append(name)
            write(name, data)

        storage.replace = once
        assert copies.save(storage, settings, settings.proposed(), settings.revision + 1) is False
        del storage.replace
        settings.apply()
        assert found(storage)[1:] == (danger, settings.revision)


def test_a_key_of_a_newer_firmware_outlives_a_rollback():
    storage = saved(1700)
    settings = S.Settings(OWN)
    S.load(storage, settings)
    settings.newer = {"zebra.count": 3, "apes.some": -7}
    copies.save(storage, settings, settings.values, 3)
    rolled_back = saved(1800, storage=storage)
    assert found(rolled_back) == (S.SOUND, 1800, 4)
    values = json.loads(rolled_back.files["settings.0"][9:])["values"]
    assert (values["zebra.count"], values["apes.some"]) == (3, -7)
    newer = S.Settings(OWN, (*S.ROWS, ("zebra.count", None, 0, 1, 0, 9, "")))
    assert found(rolled_back, newer) == (S.SOUND, 1800, 4)
    assert newer.values[-1] == 3
    assert list(newer.newer) == ["apes.some"]


SCRIPT = """
from tests_storage import Storage
from node.core import copies
from node.core import settings as S
storage = Storage()
settings = S.Settings({})
settings.newer = {"zebra.count": 3, "apes.some": -7}
for revision in range(2, 5):
    copies.save(storage, settings, settings.values, revision)
whole = dict(storage.files)
for a in (whole["settings.0"], b"", b"junk", whole["settings.0"][:-9], b"0" + whole["settings.0"]):
    for b in (whole["settings.1"], b"", b"junk", whole["settings.1"][:-9]):
        storage.files = {"settings.0": a, "settings.1": b}
        again = S.Settings({})
        how = S.load(storage, again)
        print(how, again.revision, again.values, copies.attend(storage, again, how, print))
        print(sorted(storage.files.items()))
"""


def test_micropython_judges_and_mends_alike(tmp_path, capsys):
    (tmp_path / "tests_storage.py").write_text(Path(failing_storage.__file__).read_text())
    said = SCRIPT.replace("print)", "lambda *points: print(points) or True)")
    exec(said.replace("tests_storage", "tests.core.failing_storage"), {})  # noqa: S102
    assert vm64.run(said, path=(vm64.FIRMWARE, tmp_path)) == capsys.readouterr().out
