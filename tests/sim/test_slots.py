"""Slots in memory choose as a board's do."""

from node.core import slots
from simulator.adapters.slots import Slots
from simulator.adapters.storage import Storage
from simulator.agenda import Moment
from tests.core import release_desk


def store(version=None):
    made = Storage(Moment(), lambda *_: None)
    if version:
        files = {"node.pack": version.encode() * 100}
        for name, data in {**files, "manifest": release_desk.manifest(files, version)}.items():
            made.replace(name, data)
    return made


def test_a_trial_in_memory_ends_as_on_a_board():
    port = Slots(store(), {"a": store("0.1.0"), "b": store("0.2.0")}, {"city1": b"n"})
    assert (port.boot(slots.COST), port.busy) == ("a", False)
    port.state().begin()
    assert [port.boot(slots.COST) for _ in range(4)] == ["b", "b", "b", "a"]
    assert port.busy
    assert port.state().news == "rolled_back"
    assert (port.key("city1"), port.key("city2")) == (b"n", b"")


def test_a_slot_in_memory_that_is_harmed_does_not_run():
    port = Slots(store(), {"a": store("0.1.0"), "b": store()}, {})
    assert not port.sound("b")
    port.storage("a").files["node.pack"][3] ^= 1
    assert port.boot(slots.COST) == ""
