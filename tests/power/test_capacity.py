"""What fits on a stock 4 MB board, and how long its flash lasts: real LittleFS of 512 blocks in the real VM, filled by the journal itself."""

import pytest

from simulator import journal_figures

pytestmark = pytest.mark.vm


@pytest.fixture(scope="module")
def full() -> dict:
    found = journal_figures.capacity()
    print(found)
    return found


def test_a_river_gauges_thirty_days_fit_beside_all_else(full):
    assert full["river_days"] > journal_figures.RIVER_DAYS
    assert full["event_bytes"] >= 160_000
    assert full["slack_bytes"] > journal_figures.SLACK_BYTES


def test_thirty_days_fit_although_a_boot_begins_a_segment(full):
    """One reset a day: the day's last segment is not full."""
    records = (full["segment"] - journal_figures.HEADER_BYTES) // 24  # 22 is usual
    a_day = -(-1440 // records)
    assert (full["segments"] - 1) // a_day >= journal_figures.RIVER_DAYS


def test_the_largest_station_holds_an_outage_of_three_days(full):
    assert full["largest_hours"] > 1.1 * journal_figures.LARGEST_HOURS


def test_a_segment_is_two_blocks_to_the_byte(full):
    """The second block of a file begins with a pointer to the first."""
    assert full["segment"] == 8188
    assert (full["two_blocks"], full["three_blocks"]) == (2, 3)
    assert 8188 - 40 < full["longest"] <= 8188


def test_the_longest_slots_an_update_may_have_fit_too():
    assert journal_figures.measured("fill", 208 * 1024)["free_blocks"] * 4096 > journal_figures.SLACK_BYTES


def test_two_days_of_wear_are_spread():
    """A month, and the years, are measured by hand: `-m once`."""
    found = journal_figures.measured("month", 2, "online")
    assert found["erases"] < 2 * 1440 * 1.2
    assert found["worst"] < found["erases"] / 50


@pytest.mark.once
def test_flash_outlives_the_station():
    found = journal_figures.wear()
    print(found)
    assert found["online"]["years"] > 20
    assert found["full"]["years"] > 10
