"""The station's soiling and wear rates against rdtools, run once (`tests/golden/make_rdtools.py`): rates, not ratios."""

import json
from pathlib import Path

import pytest

from node.core.diagnosis import CLEAN, DETERIORATED, DIRTY, RAIN_CLEANS_UM, UNKNOWN, History
from tests.golden.pv_series import SOILING_PPM_DAY, WEAR_PPM_YEAR, soiling_series, wear_series

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/rdtools.json").read_text(encoding="utf-8"))


def play(output, rain, each_day=lambda day, history: None):
    """The history of one panel without neighbours; `each_day` sees it in the evening."""
    history = History()
    for day, (bp, um) in enumerate(zip(output, rain, strict=True)):
        if history.base_bp:
            share = bp * 10000 // history.base_bp
            history.add(share, share, day, um >= RAIN_CLEANS_UM)
        else:
            history.learn(bp, day)
        history.judge(day)
        each_day(day, history)
    return history


def test_soiling_rates_are_those_of_rdtools_spell_by_spell():
    rates, words = [], []

    def each_day(day, history):
        rates.append(history.soiling_ppm_day())
        words.append(history.word)

    play(*soiling_series(), each_day)
    worst = 0
    spells = GOLDEN["soiling_srr"]["spells"][1:-1]  # in the first the station learns, in the last it rains once more
    for spell in spells:
        ours, theirs = rates[spell["to_day"]], spell["ppm_day"]
        worst = max(worst, abs(ours - theirs) / theirs)
        assert words[spell["to_day"]] == DIRTY
    print(f"soiling rate: {worst:.0%} at most from rdtools {GOLDEN['made_with']['rdtools']} over {len(spells)} spells")
    assert worst <= 0.15
    assert set(words) == {UNKNOWN, CLEAN, DIRTY}
    assert all(min(SOILING_PPM_DAY) * 0.9 < spell["ppm_day"] < max(SOILING_PPM_DAY) * 1.1 for spell in spells)


def test_wear_is_that_of_rdtools_year_on_year():
    told = []
    history = play(*wear_series(), lambda day, history: told.append(history.word))
    theirs = -GOLDEN["degradation_year_on_year"]["percent_year"]
    ours = history.wear_ppm_year() / 1e4
    print(f"wear: {ours:.2f} % a year, rdtools says {theirs:.2f}, the truth is {WEAR_PPM_YEAR / 1e4:.2f}")
    assert ours == pytest.approx(theirs, abs=0.3)
    assert told[-1] == DETERIORATED
    assert DIRTY not in told
