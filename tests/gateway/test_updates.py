"""Parts of releases: the bytes asked for, nothing else of the disk, whatever a want says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.updates import OFFER, Release, ReleaseError, Updates
from tests.core import release_desk

TOPIC = "waspada/v1/demo/dr01/want"


def put(folder, version="0.2.0", name=None):
    """A release on disk."""
    made = release_desk.Release(version)
    there = folder / (name or version)
    there.mkdir(parents=True)
    for file, data in {**made.files, "manifest": made.manifest, OFFER: made.offer}.items():
        (there / file).write_bytes(data)
    return made


def want(file="manifest", offset=0, count=1024, version="0.2.0", **more):
    return json.dumps(
        {"life": "5eed0001", "version": version, "file": file, "offset": offset, "count": count, **more}
    ).encode()


def test_a_want_is_answered_with_its_bytes(tmp_path):
    made = put(tmp_path)
    updates = Updates(tmp_path)
    topic, part = updates.answer(TOPIC, want("node.pack", 1024, 1024))
    assert topic == "waspada/v1/demo/dr01/part"
    head, _, data = part.partition(b"\n")
    assert json.loads(head) == {"version": "0.2.0", "file": "node.pack", "offset": 1024}
    assert data == made.files["node.pack"][1024:2048]
    assert (
        len(updates.answer(TOPIC, want("node.pack", 2048, 1024))[1].partition(b"\n")[2])
        == len(made.files["node.pack"]) - 2048
    )
    assert updates.served == 2


UNSERVED = (
    want("offer.json"),
    want("../0.2.0/manifest"),
    want("/etc/passwd"),
    want("node.pack", 99999),
    want("node.pack", -1),
    want("node.pack", 0, 0),
    want("node.pack", 0, -5),
    want("node.pack", "0"),
    want(7),
    want(version="../0.2.0"),
    want(version="9.9.9"),
    want(version=None),
    want(more="x" * 600),
    b"",
    b"[]",
    b"{}",
    b"\xff",
    b"[" * 500,
)


@pytest.mark.parametrize("payload", UNSERVED, ids=range(len(UNSERVED)))
def test_what_is_not_in_the_release_is_not_served(tmp_path, payload):
    put(tmp_path)
    updates = Updates(tmp_path)
    assert updates.answer(TOPIC, payload) is None
    assert (updates.refused, updates.served) == (1, 0)
    assert updates.trouble.startswith(TOPIC)


@given(st.binary(max_size=300))
def test_any_bytes_as_a_want_are_counted(tmp_path_factory, payload):
    updates = Updates(tmp_path_factory.getbasetemp())
    assert updates.answer(TOPIC, payload) is None
    assert updates.refused == 1


def test_more_is_never_given_than_a_node_takes(tmp_path):
    put(tmp_path)
    part = Updates(tmp_path).answer(TOPIC, want("node.pack", 0, 1 << 40))[1]
    assert len(part.partition(b"\n")[2]) == 1024


DAMAGES = (
    (lambda folder: (folder / OFFER).unlink(), "sign the release again"),
    (lambda folder: (folder / OFFER).write_text("{}"), "sign the release again"),
    (lambda folder: (folder / "manifest").write_text("[]"), "build the release again"),
    (lambda folder: (folder / "node.pack").write_bytes(b"short"), "bytes that were signed"),
    (lambda folder: (folder / "notes.txt").unlink(), "can't be read"),
)


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_release_is_named(tmp_path, damage, sentence):
    put(tmp_path)
    damage(tmp_path / "0.2.0")
    with pytest.raises(ReleaseError, match=sentence):
        Release(tmp_path / "0.2.0")
    assert Updates(tmp_path).answer(TOPIC, want()) is None


def test_a_folder_with_another_version_in_it_is_not_served(tmp_path):
    put(tmp_path, "0.3.0", name="0.2.0")
    updates = Updates(tmp_path)
    assert updates.answer(TOPIC, want()) is None
    assert "rename the folder" in updates.trouble


def test_old_releases_leave_the_memory(tmp_path):
    updates = Updates(tmp_path)
    for number in range(1, 8):
        put(tmp_path, f"0.{number}.0")
        assert updates.answer(TOPIC, want(version=f"0.{number}.0"))
    assert updates.answer(TOPIC, want(version="0.1.0"))
    assert len(updates._releases) == 4
