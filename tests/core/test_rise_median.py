"""`RiseAlarm(median_of=3)`: points enter the window as medians of three."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.alarm import RiseAlarm
from tests import vm32, vm64

NEWEST, FAILED = 2, 4


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400)), min_size=1, max_size=150), st.integers(300, 3600))
def test_rise_is_over_the_lowest_median_of_the_window_exact_to_one_slot(steps, window_s):
    made = RiseAlarm(200, window_s, 50, median_of=3)
    seen = []
    t = 0
    for step_s, value in steps:
        t += step_s
        made.update(value, NEWEST, t)
        # A point before the newest is in once the one after it is finally good, which takes one more.
        medians = [seen[0]] if len(seen) > 0 else []
        medians += [(seen[i][0], sorted(v for _, v in seen[i - 1 : i + 2])[1]) for i in range(1, len(seen) - 1)]
        seen.append((t, value))
        slot_s = window_s // 31 + 1
        full = value - min([value, *(v for at, v in medians if at >= t - window_s)])
        less_a_slot = value - min([value, *(v for at, v in medians if at >= t - window_s + slot_s)])
        assert less_a_slot <= made.rise_mm <= full


@given(st.lists(st.integers(0, 30), min_size=20, max_size=200))
def test_a_level_that_only_rises_alarms_at_the_same_burst(steps):
    """As long as the window reaches beyond the two newest points, which are not in it yet."""
    plain, median = RiseAlarm(200, 900, 50), RiseAlarm(200, 900, 50, median_of=3)
    level = 0
    for i, step in enumerate(steps):
        level += step
        assert plain.update(level, NEWEST, i * 60) == median.update(level, NEWEST, i * 60)


def test_one_deep_echo_is_no_base_even_if_its_flag_is_good():
    values = (500, 500, 280, 500, 500, 500)
    plain, median = RiseAlarm(200, 900, 50), RiseAlarm(200, 900, 50, median_of=3)
    assert [plain.update(v, NEWEST, 60 * i) for i, v in enumerate(values)] == [0, 0, 0, 0, 1, 1]
    assert [median.update(v, NEWEST, 60 * i) for i, v in enumerate(values)] == [0] * 6


def test_failed_points_are_no_neighbours():
    made = RiseAlarm(200, 900, 50, median_of=3)
    for i, (value, flag, before) in enumerate([(500, 2, 0), (90, 4, 1), (500, 2, 4), (500, 2, 1), (699, 2, 1)]):
        made.update(value, flag, 60 * i, before)
    assert made.rise_mm == 199


def test_one_burst_decides_where_each_is_confirmed_already():
    made = RiseAlarm(200, 900, 50, confirm=1)
    assert [made.update(v, NEWEST, 60 * i) for i, v in enumerate((500, 700))] == [0, 1]
    assert not made.confirming


SAME_WITHOUT_ALLOCATION = """
import micropython
from array import array
from node.core.alarm import RiseAlarm
seen = array("i", (0 for _ in range(3000)))
def run():
    rise = RiseAlarm(200, 900, 50, 2, 3)
    micropython.heap_lock()
    try:
        state = 7
        for i in range(3000):
            state = (state * 1103 + 12345) % 65536
            flag = (1, 2, 3, 2, 4, 9, 2, 1)[state // 256 % 8]
            rise.update(400 + (i % 300) * 5 + state % 90, flag, i * 20, 4 if i % 50 == 0 else 1)
            seen[i] = 10 * rise.rise_mm + rise.state
    finally:
        micropython.heap_unlock()
run()
print(list(seen))
"""


@pytest.mark.vm
def test_medians_are_the_same_on_both_interpreters_and_allocate_nothing(capsys):
    class Lock:
        heap_lock = heap_unlock = staticmethod(lambda: None)

    here = {"micropython": Lock}
    exec(SAME_WITHOUT_ALLOCATION.replace("import micropython\n", ""), here)  # noqa: S102
    printed = capsys.readouterr().out
    assert vm64.run(SAME_WITHOUT_ALLOCATION) == printed
    assert vm32.run(SAME_WITHOUT_ALLOCATION, vm32.firmware_files()) == printed
