"""Integers in fixed units, to and from text: round trips, what is refused, and the same on MicroPython."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core import fixed
from tests import vm64

# (value, decimals, text), by hand
SHOWN = (
    (1254, 3, "1.254"), (12600, 3, "12.6"), (1000, 3, "1"), (0, 3, "0"), (-1500, 3, "-1.5"), (-1, 3, "-0.001"),
    (-1000, 3, "-1"), (5, 0, "5"), (-7, 0, "-7"), (1, 6, "0.000001"), (2147483647, 3, "2147483.647"),
    (-2147483647, 6, "-2147.483647"), (10, 1, "1"), (90, 2, "0.9"),
)  # fmt: skip
# (text, decimals, value): what people type beyond the shortest form
READ = (
    ("1.2540", 3, 1254), (".5", 3, 500), ("5.", 3, 5000), ("+0.31", 3, 310), ("-0", 3, 0), ("007", 0, 7),
    ("1.000", 0, 1), ("-.001", 3, -1),
)  # fmt: skip
# (text, decimals, a word of the reason)
REFUSED = (
    ("", 3, "number"), (".", 3, "number"), ("-", 3, "number"), ("1e3", 3, "number"), ("0x10", 0, "number"),
    ("1,5", 3, "number"), ("1.2.3", 3, "number"), ("--1", 0, "number"), ("1_0", 0, "number"), (" 1", 0, "number"),
    ("nan", 3, "number"), ("\u0663", 0, "number"), ("\u00b2", 0, "number"), ("1.5-", 3, "number"),
    ("1234567890123", 0, "number"), ("1.2345", 3, "finer"), ("0.5", 0, "finer"),
)  # fmt: skip
DECIMALS = st.integers(0, 6)


@pytest.mark.parametrize(("value", "decimals", "text"), SHOWN)
def test_value_is_shown_as_its_shortest_number_and_read_back(value, decimals, text):
    assert fixed.text(value, decimals) == text
    assert fixed.parse(text, decimals) == value


@pytest.mark.parametrize(("text", "decimals", "value"), READ)
def test_what_people_type_is_understood(text, decimals, value):
    assert fixed.parse(text, decimals) == value


@pytest.mark.parametrize(("text", "decimals", "word"), REFUSED)
def test_what_is_no_number_is_refused_with_a_reason(text, decimals, word):
    with pytest.raises(ValueError, match=word):
        fixed.parse(text, decimals)


@given(st.integers(-(2**31), 2**31), DECIMALS)
def test_any_value_survives_its_text(value, decimals):
    text = fixed.text(value, decimals)
    assert Fraction(text) == Fraction(value, 10**decimals)
    assert "e" not in text.lower()
    assert "." not in text or text[-1] not in "0."
    assert fixed.parse(text, decimals) == value


@given(st.text(alphabet="0123456789+-.eE_ x\u0663", max_size=15), DECIMALS)
def test_any_text_is_exact_or_refused(text, decimals):
    try:
        value = fixed.parse(text, decimals)
    except ValueError:
        return
    assert Fraction(value, 10**decimals) == Fraction(text if text.strip("+-.") else "x")


def test_micropython_says_the_same():
    values = [row[:2] for row in SHOWN]
    texts = [row[:2] for row in (*READ, *REFUSED) if row[0].isascii()]
    script = f"""
from node.core import fixed
for value, decimals in {values!r}:
    print(fixed.text(value, decimals))
for text, decimals in {texts!r}:
    try:
        print(fixed.parse(text, decimals))
    except ValueError as problem:
        print(problem)
"""
    expected = [row[2] for row in SHOWN]
    for text, decimals in texts:
        try:
            expected.append(str(fixed.parse(text, decimals)))
        except ValueError as problem:
            expected.append(str(problem))
    assert vm64.run(script).splitlines() == expected
