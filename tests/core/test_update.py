"""An offer becomes a whole slot, or is refused with its reason; the slot that runs is never touched, whatever comes."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core import update
from node.core.update import Fetch, Offer, Refused
from tests.core import release_desk
from tests.core.failing_storage import Storage
from tests.core.release_desk import Release

RUNNING = "0.1.0"


class Desk:
    """A fetch, its slot, and the gateway that answers."""

    def __init__(self, release, storage=None, running=RUNNING, modulus=None, offer=None):
        self.release = release
        self.storage = storage or Storage()
        self.wants = []
        self.prepared = 0
        self.t = 0
        modulus = release_desk.modulus() if modulus is None else modulus
        self.fetch = Fetch(Offer(offer or release.offer), self.storage, modulus, running, self._want, self._prepare)

    def _want(self, *want):
        self.wants.append(want)

    def _prepare(self):
        self.prepared += 1

    def run(self, answer=lambda want, data: [data], steps=3000, until=lambda: False):
        """Steps until done; `answer(want, part)` gives the parts that arrive for a want."""
        for _ in range(steps):
            wait = self.fetch.step(self.t)
            assert wait > 0
            if self.fetch.done or until():
                return self
            came = False
            while self.wants:
                want = self.wants.pop(0)
                for part in answer(want, self.release.part(*want)):
                    try:
                        self.fetch.part(part)
                        came = True
                    except ValueError:
                        pass
            self.t += 1 if came else wait
        raise AssertionError("it never ends")

    def refused(self, **how):
        with pytest.raises(Refused) as problem:
            self.run(**how)
        return str(problem.value)


def whole(storage, release):
    return storage.files == {**release.files, "manifest": release.manifest}


def test_a_release_is_fetched_whole_and_nothing_else_is_written():
    desk = Desk(Release()).run()
    assert whole(desk.storage, desk.release)
    assert desk.prepared == 1


def test_what_an_older_release_left_goes_first():
    storage = Storage({"node.pack": b"old", "manifest": b"{}", "gone.txt": b"x"})
    desk = Desk(Release(), storage).run()
    assert whole(storage, desk.release)


def test_a_fetch_that_is_cut_off_at_any_message_goes_on_where_the_files_end():
    release = Release()
    asked_in_all = []
    Desk(release).run(answer=lambda want, part: [asked_in_all.append(want), part][1:])
    for cut in range(len(asked_in_all)):
        storage = Storage()
        first = []
        desk = Desk(release, storage)
        desk.run(
            answer=lambda want, part, first=first: [first.append(want), part][1:],
            until=lambda first=first, cut=cut: len(first) > cut,
        )
        rest = []
        Desk(release, storage).run(answer=lambda want, part, rest=rest: [rest.append(want), part][1:])
        assert whole(storage, release)
        assert len(first) + len(rest) <= len(asked_in_all) + 2, "what was on flash was fetched again"


@pytest.mark.parametrize("which", range(6))
def test_any_message_may_be_lost_repeated_or_late(which):
    release = Release()
    count = 0
    held = []

    def answer(want, part):
        nonlocal count
        count += 1
        if count == which + 1:
            held.append(part)
            return []  # lost; it comes late, and twice
        return [*held, *held, part, part]

    assert whole(Desk(release).run(answer).storage, release)


def test_a_gateway_that_is_silent_is_asked_later_and_later():
    desk = Desk(Release())
    waits = []
    for _ in range(40):
        wait = desk.fetch.step(desk.t)
        if wait > 1:
            waits.append(wait)
        desk.t += wait
    assert waits[:4] == [5000, 10000, 20000, 40000]
    assert max(waits) == 300000
    assert len(desk.wants) == len(waits)


def test_a_signature_of_another_key_is_refused_before_anything_is_asked_for():
    storage = Storage({"node.pack": b"old", "manifest": b"{}"})
    desk = Desk(Release(number=1), storage)
    assert desk.refused() == "the signature is wrong"
    assert not desk.wants
    assert storage.files == {"node.pack": b"old", "manifest": b"{}"}


def test_a_key_that_the_node_does_not_know_is_refused():
    with pytest.raises(Refused, match="does not know the key city1"):
        Desk(Release(), modulus=b"")


def harmed(part, name):
    """A part of `name` with its last byte changed."""
    head = json.loads(part.partition(b"\n")[0])
    return part[:-1] + bytes((part[-1] ^ 1,)) if head["file"] == name else part


@pytest.mark.parametrize("name", ["manifest", "node.pack", "notes.txt"])
def test_a_file_that_is_not_what_was_signed_is_refused_after_three_times(name):
    desk = Desk(Release())
    assert desk.refused(answer=lambda want, part: [harmed(part, name)]) == f"{name} is not what was signed, 3 times"
    assert not whole(desk.storage, desk.release)


def test_a_file_that_is_harmed_once_is_fetched_again():
    release = Release()
    count = []

    def answer(want, part):
        count.append(want)
        return [harmed(part, "node.pack") if len(count) < 5 else part]

    assert whole(Desk(release).run(answer).storage, release)


def signed(change, version="0.2.0"):
    """A release whose manifest was changed before it was signed."""
    release = Release(version)
    found = json.loads(release.manifest)
    change(found)
    release.manifest = json.dumps(found).encode()
    release.offer = release_desk.offer(release.manifest, version)
    return release


def rows(*more):
    digest = hashlib.sha256(b"x").hexdigest()
    return lambda found: found.update(
        files=[["node.pack", 1, digest], *[[*row, digest][: len(row) + 1] for row in more]]
    )


# what a signed manifest says, and why the node still refuses it
UNFIT = (
    (lambda m: m.update(product="waspada-gateway"), "it is for another product than waspada-mpy6"),
    (lambda m: m.pop("product"), "the manifest has no product"),
    (lambda m: m.update(version="0.3.0"), "the manifest is of another version than the offer"),
    (lambda m: m.update(version=2), "the manifest is of another version than the offer"),
    (lambda m: m.pop("files"), "the manifest has no files"),
    (lambda m: m.update(files={}), "files is not a list"),
    (lambda m: m.update(files=[]), "the number of files must be 1 to 8"),
    (lambda m: m.update(files=[["a", 1]]), "a file is not [name, size, sha256]"),
    (rows(("../boot.py", 1)), "a file's name is not allowed"),
    (rows(("/boot.py", 1)), "a file's name is not allowed"),
    (rows(("a/b", 1)), "a file's name is not allowed"),
    (rows(("", 1)), "a file's name is not allowed"),
    (rows((".", 1)), "a file's name is not allowed"),
    (rows(("..", 1)), "a file's name is not allowed"),
    (rows(("Boot", 1)), "a file's name is not allowed"),
    (rows(("x" * 25, 1)), "a file's name is not allowed"),
    (rows((7, 1)), "a file's name is not allowed"),
    (rows(("node.pack", 1)), "the name node.pack is taken"),
    (rows(("manifest", 1)), "the name manifest is taken"),
    (rows(("a.tmp", 1)), "the name a.tmp is taken"),
    (rows(("a", 0)), "a file's size must be 1 to 212992"),
    (rows(("a", -1)), "a file's size must be 1 to 212992"),
    (rows(("a", True)), "a file's size must be 1 to 212992"),
    (rows(("a", 212993)), "a file's size must be 1 to 212992"),
    (rows(("a", 212992)), "212993 bytes are more than a slot holds, 212992"),
    (lambda m: m.update(files=[["a", 1, "0" * 64]]), "the manifest has no node.pack"),
    (lambda m: m["files"][0].__setitem__(2, "0" * 63), "a hash is 64 hex digits"),
    (lambda m: m["files"][0].__setitem__(2, "A" * 64), "a hash is 64 lower-case hex digits"),
)


@pytest.mark.parametrize(("change", "why"), UNFIT, ids=range(len(UNFIT)))
def test_a_signed_manifest_that_is_not_for_this_node_is_refused_with_the_reason(change, why):
    desk = Desk(signed(change))
    assert desk.refused() == why
    assert set(desk.storage.files) <= {"manifest"}


# version offered, version that runs, downgrade_from, whether it is taken
DIRECTIONS = (
    ("0.2.0", "0.1.0", None, True),
    ("0.10.0", "0.9.9", None, True),
    ("0.1.0", "0.2.0", None, False),
    ("0.1.9", "0.2.0", ["0.1.0"], False),
    ("0.1.0", "0.2.0", ["0.2.0"], True),
    ("0.1.0", "0.2.0", "0.2.0", False),
    ("0.1.0", "0.2.0", ["0.3.0", "0.2.0"], True),
)


@pytest.mark.parametrize(("offered", "running", "downgrade_from", "taken"), DIRECTIONS)
def test_a_downgrade_is_taken_only_when_it_is_signed_as_one(offered, running, downgrade_from, taken):
    more = {} if downgrade_from is None else {"downgrade_from": downgrade_from}
    desk = Desk(Release(offered, **more), running=running)
    if taken:
        assert whole(desk.run().storage, desk.release)
    else:
        assert desk.refused() == f"{offered} is not above {running}, and not signed as a downgrade from it"


VERSIONS = (
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "01.2.3",
    "1.2.x",
    "1.-2.3",
    " 1.2.3",
    "1.2.3\n",
    "1..3",
    "1.2.9999999",
    None,
    7,
    ["1.2.3"],
    "１.2.3",
)


@pytest.mark.parametrize("text", VERSIONS)
def test_what_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match="a version"):
        update.version_of(text)


def offers():
    good = json.loads(Release().offer)
    for name, values in {
        "version": (None, "x", 2),
        "size": (0, -1, 5000, "6", 1.5, None, True),
        "sha256": ("", "0" * 63, "G" * 64, None, 3),
        "key": (None, 5, []),
        "sig": ("", "A" * 511, "A" * 513, "!" * 512, None, "A" * 510 + "==", " " + "A" * 511),
    }.items():
        yield {key: value for key, value in good.items() if key != name}
        for value in values:
            yield {**good, name: value}


def test_an_offer_with_a_wrong_member_is_refused():
    tried = [json.dumps(offer).encode() for offer in offers()]
    for payload in [*tried, b"[]", b"1", b'"x"', b"null", b"{", b"\xff\xfe", b"[" * 3000, b"{}"]:
        with pytest.raises(ValueError):
            Offer(payload)
    assert len(tried) > 20


@given(st.binary(max_size=600))
def test_any_bytes_as_an_offer_are_refused_and_raise_nothing_else(payload):
    with pytest.raises(ValueError):
        Offer(payload)


WORDS = st.sampled_from(["0.2.0", "manifest", "node.pack", "../boot.py", "/x"])
PARTS = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda head, data: json.dumps(head).encode() + b"\n" + data,
        st.one_of(
            st.none(),
            st.integers(),
            st.dictionaries(
                st.sampled_from(["version", "file", "offset"]),
                st.one_of(
                    st.none(),
                    st.integers(-5, 3000),
                    WORDS,
                    st.lists(st.none(), max_size=1),
                ),
            ),
        ),
        st.binary(max_size=1100),
    ),
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), PARTS), max_size=30))
def test_any_bytes_as_parts_neither_harm_nor_stop_a_fetch(garbage):
    """What is let in at the right place with wrong bytes is found by its hash; nothing is written but files of the manifest."""
    release = Release()
    waiting = list(garbage)

    def answer(want, part):
        bad = [waiting.pop(0)[1] for place, _ in waiting[:1] if place == want[1] % 12 or len(waiting) > 5]
        return [*bad, part]

    desk = Desk(release)
    names = {"manifest", *release.files}
    try:
        desk.run(answer)
    except Refused as problem:
        assert "is not what was signed" in str(problem)  # noqa: PT017
    else:
        assert whole(desk.storage, release)
    assert set(desk.storage.files) <= names


@settings(deadline=None)
@given(
    st.sampled_from(["before", "torn", "after"]),
    st.sampled_from(["append", "replace", "remove", "read", "size"]),
    st.integers(0, 40),
)
def test_storage_that_fails_once_anywhere_is_gone_on_with(kind, operation, count):
    storage = Storage({"node.pack": b"old", "manifest": b"{}"})
    storage.trouble = (kind, operation, count)
    desk = Desk(Release(), storage)
    for _ in range(3):
        try:
            desk.run()
            break
        except OSError:
            continue
    assert whole(storage, desk.release)
