"""Debounce of a counted contact: against a count that knows no wrap, and without allocating."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.clock import WRAP
from node.core.tips import Tips, since
from tests import vm32, vm64

# times of edges, tips counted with a debounce of 100 ms
CASES = [
    ((), 0),
    ((0,), 1),
    ((0, 1, 5, 99), 1),
    ((0, 100), 2),
    ((0, 99, 100, 199, 200), 3),  # the debounce runs from the last accepted edge, not from the last bounce
    ((WRAP - 50, WRAP - 1, WRAP + 49), 1),
    ((WRAP - 50, WRAP + 50), 2),
    ((0, 8 * 86_400_000), 2),  # half a wrap and more: the difference looks negative
    ((5, 5 + WRAP + 200), 2),
]


@pytest.mark.parametrize(("times", "count"), CASES)
def test_edges_within_the_debounce_are_one_tip(times, count):
    tips = Tips(100)
    for t in times:
        tips.edge(t % WRAP)
    assert tips.count == count


@given(
    st.integers(0, WRAP - 1),
    st.lists(st.one_of(st.integers(0, 300), st.integers(0, 3_600_000), st.integers(0, WRAP // 2 - 1)), max_size=40),
    st.integers(1, 250),
)
def test_count_is_that_of_a_clock_that_never_wraps(start, gaps, debounce_ms):
    tips = Tips(debounce_ms)
    t = start
    accepted = None
    count = 0
    for gap in gaps:
        t += gap
        tips.edge(t % WRAP)
        if accepted is None or t - accepted >= debounce_ms:
            accepted = t
            count += 1
        # Beyond one wrap since the last accepted edge nothing can be said; no gap here comes near.
        assert tips.count == count


@given(st.lists(st.tuples(st.integers(100, 100_000), st.lists(st.integers(0, 99), max_size=6)), max_size=30))
def test_any_bounce_is_the_same_as_none(tips):
    clean, bouncing = Tips(100), Tips(100)
    t = 0
    for gap, bounces in tips:
        t += gap
        clean.edge(t % WRAP)
        for after in [0, *sorted(bounces)]:
            bouncing.edge((t + after) % WRAP)
    assert bouncing.count == clean.count == len(tips)


def test_count_wraps_with_the_small_ints():
    tips = Tips(100)
    tips.count = WRAP - 1
    tips.edge(7)
    assert tips.count == 0


@given(st.integers(0, WRAP - 1), st.integers(0, WRAP - 1))
def test_since_counts_over_a_wrap(before, gone):
    assert since((before + gone) % WRAP, before) == gone


SCRIPT = """
import micropython
from node.core.tips import Tips
tips = Tips(100)
tips.count = (1 << 30) - 4
TOP = (1 << 30) - 1
def run(edge):
    error = None
    micropython.heap_lock()
    try:
        for before in range(900, 0, -30):
            edge(TOP - before)
        for at in range(0, 900, 30):
            edge(at)
    except Exception as e:
        error = e
    finally:
        micropython.heap_unlock()
    print(error, tips.count)
run(tips.edge)
"""
EXPECTED = "None 11\n"
MODULES = ("node/__init__.py", "node/core/__init__.py", "node/core/clock.py", "node/core/tips.py")


def test_an_edge_allocates_nothing_at_the_wrap_of_time_and_count():
    tips = Tips(100)
    tips.count = WRAP - 4
    for at in [*range(WRAP - 901, WRAP - 1, 30), *range(0, 900, 30)]:
        tips.edge(at)
    assert f"None {tips.count}\n" == EXPECTED
    assert vm64.run(SCRIPT) == EXPECTED
    files = vm32.firmware_files()
    assert vm32.run(SCRIPT, {name: files[name] for name in MODULES}) == EXPECTED
