"""An update and the power: `update_cut_script.py` in the real VM, the board's storage adapter on real LittleFS.

At every boot a whole slot runs, what is not proved is on trial only, the good slot is untouched, and every event names the right versions.
In the end the new firmware runs if it proves itself, and the old one if it does not.
"""

from pathlib import Path

import pytest

from tests import vm64
from tests.core import release_desk

pytestmark = pytest.mark.vm

HERE = Path(__file__).parent
SCRIPT = (HERE / "update_cut_script.py").read_text(encoding="utf-8")
NO_TWICE = 1 << 30
# What is planted, whether the new firmware proves itself, and what finds it.
WRONG = (
    ("good_before_it_is_proved", "crashes", "unproved firmware is the good one"),
    ("counted_after_it_ran", "crashes", "a boot loop"),
    ("removed_before_it_is_written", "proves", "unproved firmware is the good one"),
    ("tried_before_it_is_whole", "proves", "a slot that is not whole runs"),
    ("fills_the_slot_that_runs", "proves", "the good slot was changed"),
)


def cuts(tmp_path, wrong, outcome, twice_each, timeout):
    """(what was found or "", how many cuts of each kind were survived)."""
    old = {"node.pack": b"old" * 700}
    oldest = {"node.pack": b"oldest" * 300}
    release = release_desk.Release(files={"node.pack": bytes(range(256)) * 9, "notes": b"new" * 200})
    told = {
        "modulus": release_desk.modulus(),
        "offer": release.offer,
        "files": {**release.files, "manifest": release.manifest},
        "old": {**old, "manifest": release_desk.manifest(old, "0.1.0")},
        "oldest": {**oldest, "manifest": release_desk.manifest(oldest, "0.0.9")},
    }
    file = tmp_path / "release"
    file.write_text(repr(told))
    lines = vm64.run(
        SCRIPT,
        path=(vm64.FIRMWARE, HERE.parents[1]),
        heapsize="64m",
        timeout=timeout,
        args=(str(file), wrong, outcome, str(twice_each)),
    ).splitlines()
    counts = dict(line.split() for line in lines[-3:])
    return "\n".join(lines[:-3]), {kind: int(count) for kind, count in counts.items()}


def survives(tmp_path, outcome, twice_each, timeout):
    found, survived = cuts(tmp_path, "", outcome, twice_each, timeout)
    print("cuts survived:", survived, "in all", sum(survived.values()))
    assert not found, found
    return survived


@pytest.mark.parametrize("outcome", ["proves", "crashes"])
def test_a_cut_at_any_write_of_an_update_leaves_a_good_slot(tmp_path, outcome):
    survived = survives(tmp_path, outcome, 41, 240)
    assert survived["clean"] == survived["torn"] > 60
    assert survived["twice"] > 100


@pytest.mark.once
@pytest.mark.parametrize("outcome", ["proves", "crashes"])
def test_a_second_cut_at_any_write_after_any_cut_of_an_update_leaves_a_good_slot(tmp_path, outcome):
    assert survives(tmp_path, outcome, 1, 3000)["twice"] > 5000


@pytest.mark.parametrize(("wrong", "outcome", "sign"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_order_of_an_update_is_found_by_the_same_cuts(tmp_path, wrong, outcome, sign):
    found, survived = cuts(tmp_path, wrong, outcome, NO_TWICE, 240)
    assert found.startswith("broken"), survived
    assert sign in found
