"""How often a station samples, and that its samples keep to one grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import schedule
from node.core.clock import WRAP, add, diff
from node.core.settings import Settings

# state, battery in mV (0: not known), seconds; the table's defaults: 60 s, 15 s in alarm, low below 11.5 V
CASES = (
    (0, 12600, 60),
    (0, 11500, 60),
    (0, 11499, 180),
    (0, 0, 60),
    (1, 12600, 15),
    (3, 10000, 15),
)


@pytest.mark.parametrize(("state", "battery_mv", "seconds"), CASES)
def test_the_interval_follows_alarm_and_battery(state, battery_mv, seconds):
    assert schedule.interval_ms(Settings({}), state, battery_mv) == seconds * 1000


def test_saving_a_battery_never_waits_for_more_than_an_hour():
    settings = Settings({"sample.interval": 3600})
    assert schedule.interval_ms(settings, 0, 9000) == 3600000


@given(st.integers(0, WRAP - 1), st.integers(5000, 3600000), st.integers(0, 10_000_000))
def test_the_next_start_is_ahead_and_on_the_grid_unless_it_was_missed(start, every, late):
    now = add(start, late)
    following = schedule.next_start(start, every, now)
    assert 0 < diff(following, now) <= every
    if late < every:
        assert diff(following, start) == every
