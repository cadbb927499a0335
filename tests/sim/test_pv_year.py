"""A year of eight panels: all told apart, none invented. All fifty seeds: `python -m simulator.pv_year --seeds 50`."""

import pytest

pytest.importorskip("pvlib", reason="needs the extra pv: pip install 'waspada[pv]'")

from node.core.diagnosis import CLEAN, DIRTY, FAULTY, SHADED, UNKNOWN, Field
from simulator import pv_year
from simulator.world.panels import year
from simulator.world.rain import storms
from simulator.world.sun import KASHIWA, clear_sky

SEEDS = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def sky():
    return clear_sky(KASHIWA)


@pytest.mark.parametrize("seed", SEEDS)
def test_eight_panels_of_a_year_are_told_apart_and_nothing_is_invented(sky, seed):
    result = pv_year.run(seed, sky)
    assert result["wrong"] == []
    assert result["invented"] == {}
    assert len(result["told"]) == 12


def told(sky, seed, gauge=True, dust=0.0):
    """The words of a year with no rain gauge, or with dust on every panel in both dry spells."""
    fates, spells, cases = pv_year.fates_of(seed)
    if dust:
        fates = [fate._replace(dust=tuple((*spell, dust) for spell in spells)) for fate in fates]
    made = year(seed, "pv_year", sky, fates, storms(seed, "pv_year", 365, dry=spells), pv_year.PEAK_MW)
    if not gauge:
        made = made._replace(rain_um=[0] * 365)
    return pv_year.diagnose(made, Field([pv_year.PEAK_MW] * 8)), made, spells


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_dust_on_all_panels_is_dirt_on_all_and_hides_no_fault(sky, seed):
    words, _, spells = told(sky, seed, dust=0.0015)
    for panel in (0, 1, 5, 6, 7):
        assert [words[panel][last] for _, last in spells] == [DIRTY, DIRTY]
        assert set(words[panel]) <= {CLEAN, DIRTY, UNKNOWN}
    assert (words[3][-1], words[4][-1]) == (FAULTY, SHADED)


def test_without_a_rain_gauge_wear_stays_in_doubt_and_nothing_is_invented(sky):
    words, made, _ = told(sky, 1, gauge=False)
    assert words[2][-1] == UNKNOWN
    assert (words[3][-1], words[4][-1]) == (FAULTY, SHADED)
    for panel in range(8):
        assert set(words[panel]) <= {*made.truth[panel], CLEAN, UNKNOWN}


def test_a_year_is_integers_and_the_same_for_the_same_seed(sky):
    (_, one, _), (_, two, _) = told(sky, 3), told(sky, 3)
    assert one.power_mw.dtype.kind == one.irradiance.dtype.kind == one.module_cc.dtype.kind == "i"
    assert (one.power_mw == two.power_mw).all()
    assert one.rain_um == two.rain_um


def test_the_table_counts_every_case_once(sky):
    results = [pv_year.run(seed, sky) for seed in (1, 2)]
    lines = pv_year.table(results).splitlines()
    assert sum(int(word) for line in lines[1:] for word in line[21:].split() if word != ".") == 24
    assert [line[:21].strip() for line in lines[1:]] == list(pv_year.ROWS)
