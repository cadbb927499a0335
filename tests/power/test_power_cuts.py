"""Nothing that was promised is lost to a power cut: `cut_script.py` in the real VM, the board's storage adapter on real LittleFS."""

from pathlib import Path

import pytest

from tests import vm64

pytestmark = pytest.mark.vm

HERE = Path(__file__).parent
SCRIPT = (HERE / "cut_script.py").read_text(encoding="utf-8")
NO_TWICE = 1 << 30
# What is planted, after how many cuts each the sampled kinds come (twice, flash that fails), and what finds it.
WRONG = (
    ("removed_before_renamed", 47, 9, "the alarm is neither the old nor the new"),
    ("written_in_place", 47, 9, "settings are damaged"),
    ("returns_before_it_is_on_flash", 47, 9, "lost"),
    ("header_after_record", 47, 9, "lost"),
    ("boot_number_after_the_records", 47, 9, "a boot number came twice"),
    ("leftovers_stay", 47, 9, "left over:"),
    ("told_before_saved", 47, 9, "settings are neither the old nor the new"),
    ("old_copies_removed_first", NO_TWICE, 9, "settings are neither the old nor the new"),
    ("the_first_copy_counts", NO_TWICE, 9, "settings are neither the old nor the new"),
    ("copies_never_mended", NO_TWICE, 9, "a copy of the settings was not brought up"),
    ("freed_newest_first", NO_TWICE, 9, "a gap"),
    ("seq_goes_on_after_an_error", NO_TWICE, 9, "a gap"),
)


def cuts(planted, twice_each, ill_each, timeout):
    """(what was found or "", how many cuts of each kind were survived)."""
    lines = vm64.run(
        SCRIPT,
        path=(vm64.FIRMWARE, HERE.parents[1]),
        heapsize="64m",
        timeout=timeout,
        args=(planted, str(twice_each), str(ill_each)),
    ).splitlines()
    counts = dict(line.split() for line in lines[-5:])
    return "\n".join(lines[:-5]), {kind: int(count) for kind, count in counts.items()}


def survives(twice_each, ill_each, timeout):
    found, survived = cuts("right", twice_each, ill_each, timeout)
    print("cuts survived:", survived, "in all", sum(survived.values()))
    assert not found, found
    return survived


def test_a_cut_at_any_write_costs_nothing_that_was_promised():
    """`clean` before the write, `torn` with half of it done, `twice` a second cut in the boot that follows a sample of these; `dying` flash
    answers with an error from then on, `spell` for three writes."""
    survived = survives(151, 9, 240)
    assert survived["clean"] == survived["torn"] > 200
    assert survived["twice"] > 300
    assert survived["dying"] == survived["spell"] > 20


@pytest.mark.once
def test_a_second_cut_at_any_write_after_any_cut_costs_nothing_that_was_promised():
    survived = survives(1, 1, 1800)
    assert survived["twice"] > 20000
    assert survived["dying"] == survived["spell"] > 200


@pytest.mark.parametrize(("planted", "twice_each", "ill_each", "sign"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_order_is_found_by_the_same_cuts(planted, twice_each, ill_each, sign):
    found, survived = cuts(planted, twice_each, ill_each, 120)
    assert found.startswith("broken"), survived
    assert sign in found
