"""A board may be anybody's, and its file system say anything: what its names name stays where it belongs."""

import json

import pytest

from waspada import contents, flashing, renewing
from waspada.flashing import Found, Job


class Lying:
    """A board's file system, as far as it is asked here."""

    mounted = marked = True

    def __init__(self, station):
        self._station = json.dumps(station).encode()

    def content(self, name):
        return self._station if name.endswith(".json") else None

    def sizes(self, _folder):
        return {}


def a_job(folder):
    target = contents.on_a_bench({"district": "demo", "node": "dr01"}, None)
    return Job("port", target, contents.App({}, {}), save_first=folder)


@pytest.mark.parametrize("name", ["../../out", "/out", "..", ".profile", "a\\b", "a:b", "a\x1b[2J", ""])
def test_a_file_whose_name_is_a_path_is_not_saved(tmp_path, name):
    there = tmp_path / "one/two"
    found = Found("demo.dr01", "1a2b")
    flashing.save(a_job(there), found, [name, "settings.0"], lambda _, to: to.write_bytes(b"saved"))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["settings.0"]


@pytest.mark.parametrize("key", ["district", "node", "life"])
@pytest.mark.parametrize("value", ["../../../out", "a\x1b[2J", "A B", "", 7, None])
def test_a_station_whose_name_can_be_none_is_unclear(key, value):
    station = {"district": "demo", "node": "dr01", "life": "1a2b"}
    assert flashing.look(Lying(station)).name == "demo.dr01"
    assert flashing.look(Lying({**station, key: value})) == Found(unclear=True)


def test_what_a_running_board_says_of_itself_is_no_path_either():
    assert renewing.whose("demo dr01 1a2b") == ("demo.dr01", "1a2b")
    for line in ("../.. dr01 1a2b", "demo dr01 ../../x", "demo dr01", "", "demo dr01 1a2b more"):
        assert renewing.whose(line) == ("", "")
    assert renewing.sizes("boot=3 ../../x=4 settings.0=5 odd= =7") == {"boot": 3, "settings.0": 5}
