"""The flash in memory keeps the contract of docs/ports.md."""

import pytest

from simulator.adapters.storage import Storage
from simulator.agenda import Moment


def flash(**options) -> tuple[Storage, Moment, list]:
    moment = Moment()
    told: list = []
    return Storage(moment, lambda name, data: told.append((name, data)), **options), moment, told


def test_appended_bytes_are_read_back_from_any_offset():
    storage, _, told = flash()
    storage.append("a-1", b"hello ")
    storage.append("a-1", bytearray(b"world"))
    assert storage.size("a-1") == 11
    assert storage.read("a-1", 6, 64) == b"world"
    assert storage.read("a-1", 11, 4) == b""
    assert told == [("a-1", b"hello "), ("a-1", b"world")]


def test_what_is_absent_is_empty_and_can_not_be_removed():
    storage, _, _ = flash()
    assert (storage.size("x"), storage.read("x", 0, 4), storage.names()) == (0, b"", [])
    with pytest.raises(OSError):
        storage.remove("x")


def test_replaced_file_is_the_new_one_whole():
    storage, _, told = flash()
    storage.replace("s", b"long old text")
    storage.replace("s", b"new")
    assert storage.read("s", 0, 99) == b"new"
    assert told == []


def test_full_flash_refuses_and_keeps_what_it_had():
    storage, _, told = flash(capacity_bytes=10)
    storage.append("a", b"12345678")
    with pytest.raises(OSError):
        storage.append("a", b"901")
    with pytest.raises(OSError):
        storage.replace("a", b"12345678901")
    assert storage.read("a", 0, 99) == b"12345678"
    assert len(told) == 1
    storage.remove("a")
    storage.append("b", b"0123456789")


def test_injected_failure_refuses_every_write_while_it_lasts():
    storage, moment, told = flash(failing_ms=((100, 200),))
    storage.append("a", b"1")
    moment.t = 100
    for write in (
        lambda: storage.append("a", b"2"),
        lambda: storage.replace("a", b"2"),
        lambda: storage.remove("a"),
    ):
        with pytest.raises(OSError):
            write()
    assert storage.read("a", 0, 9) == b"1"
    moment.t = 200
    storage.append("a", b"2")
    assert [data for _, data in told] == [b"1", b"2"]
