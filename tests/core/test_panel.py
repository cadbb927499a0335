"""Energy and performance ratio against plain floats, on made days and on the recorded one."""

import csv
from array import array
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import MISSING
from node.core.panel import Panel, Sun

SANDIA = Path(__file__).parents[1] / "data/sandia_2015.csv"
PEAK_MW = 12 * 29.9784 * 7.98597 * 1000  # its configuration: 12 modules of Vmpo 29.98 V, Impo 7.986 A
GAMMA_PPM = -3930  # 60 cells: (Bvmpo 0.12 V / Vmpo - Aimp 0.000484) per degree
SUN_BEFORE_CLOCK_MIN = 10  # Albuquerque lies 1.5 degrees west of its meridian, and 11 November's sun is 16 min early


def day_of(rows, gamma_ppm=-4000, peak_mw=300_000):
    """A Panel that saw rows of (t_s, minute, W/m2, 0.01 degC, mW)."""
    sun, panel = Sun(gamma_ppm), Panel(peak_mw)
    for t_s, minute, irradiance, cc, power in rows:
        known = sun.sample(irradiance, cc, t_s, minute)
        panel.sample(power if known else MISSING, sun)
    return panel


def steady(power_mw=240_000, irradiance=800, cc=2500, hours=10):
    return [(m * 60, 420 + m, irradiance, cc, power_mw) for m in range(hours * 60 + 1)]


def test_ten_hours_at_peak_share_of_irradiance_are_a_performance_ratio_of_one():
    panel = day_of(steady())
    assert panel.energy_mwh() == 2_400_000
    assert panel.performance_ratio() == 1000
    assert panel.performance_ratio_25() == 1000
    assert panel.noon_bp() == 10_000


def test_heat_costs_ratio_but_not_the_corrected_one():
    panel = day_of(steady(power_mw=240_000 * 9 // 10, cc=5000))
    assert panel.performance_ratio() == 900
    assert panel.performance_ratio_25() == 1000
    assert panel.noon_bp() == 10_000


def test_a_pause_or_a_missing_reading_holds_no_energy_and_no_sun():
    rows = steady(hours=10)
    missing = [(t, m, g, c, MISSING if 200 <= i < 300 else p) for i, (t, m, g, c, p) in enumerate(rows)]
    dark = [(t, m, MISSING if 200 <= i < 300 else g, c, p) for i, (t, m, g, c, p) in enumerate(rows)]
    pause = rows[:200] + rows[300:]
    for day in (missing, dark, pause):
        panel = day_of(day)
        assert panel.energy_mwh() == 240_000 * (600 - 101) // 60
        assert panel.performance_ratio() == 1000
    assert day_of([]).performance_ratio() == MISSING
    assert day_of([]).noon_bp() == MISSING


def test_noon_wants_bright_and_steady_light():
    assert day_of(steady(irradiance=400, power_mw=120_000)).noon_bp() == MISSING
    broken = [(t, m, 900 if m % 2 else 500, c, 200_000) for t, m, _, c, _ in steady()]
    assert day_of(broken).noon_bp() == MISSING


def test_a_night_offset_below_zero_takes_nothing_away():
    assert day_of(steady() + [(40_000 + i * 60, 1100, -3, 1000, 0) for i in range(60)]).energy_mwh() == 2_400_000


@given(
    st.lists(
        st.tuples(st.integers(0, 1400), st.integers(-1000, 8000), st.integers(0, 400_000)), min_size=2, max_size=80
    )
)
def test_ratios_are_the_floats(samples):
    rows = [(i * 300, 400 + i * 5, g, cc, p) for i, (g, cc, p) in enumerate(samples)]
    panel = day_of(rows)
    energy = sun = sun_25 = 0.0
    for (_, _, g0, c0, p0), (_, _, g1, c1, p1) in pairwise(rows):
        energy += (p0 + p1) / 2 * 300
        sun += (g0 + g1) / 2 * 300
        sun_25 += (g0 * (1 - 0.004 * (c0 / 100 - 25)) + g1 * (1 - 0.004 * (c1 / 100 - 25))) / 2 * 300
    assert panel.energy_mwh() == pytest.approx(energy / 3600, abs=2)
    if sun > 300_000:
        assert panel.performance_ratio() == pytest.approx(energy / 300_000 / (sun / 1000) * 1000, abs=1.1)
        assert panel.performance_ratio_25() == pytest.approx(
            energy / 300_000 / (sun_25 / 1000) * 1000, rel=2e-3, abs=1.1
        )


def recorded(reference="POAIrrad1_Avg"):
    """(minute of the clock, W/m2, 0.01 degC, [mW of string 1, of string 2]) of the recorded day."""
    with open(SANDIA, encoding="utf-8", newline="") as file:
        for minute, row in enumerate(csv.DictReader(file)):
            powers = [
                round(
                    float(row[f"Sys{n}Vdc_Avg"])
                    * (float(row[f"Sys{n}Str1Idc_Avg"]) + float(row[f"Sys{n}Str2Idc_Avg"]))
                    * 1000
                )
                for n in (1, 2)
            ]
            yield minute, round(float(row[reference])), round(float(row["ModTemp1_Avg"]) * 100), powers


def test_the_recorded_days_ratio_is_the_floats_and_one_a_healthy_roof_has():
    rows = list(recorded())
    for string in range(2):
        panel = day_of(
            [(m * 60, m + SUN_BEFORE_CLOCK_MIN, g, cc, p[string]) for m, g, cc, p in rows], GAMMA_PPM, round(PEAK_MW)
        )
        energy_wh = sum((a[3][string] + b[3][string]) / 2 for a, b in pairwise(rows)) / 60 / 1000
        sun_wh = sum((max(a[1], 0) + max(b[1], 0)) / 2 for a, b in pairwise(rows)) / 60
        ratio = energy_wh / (PEAK_MW / 1000) / (sun_wh / 1000)
        print(
            f"string {string + 1}: {energy_wh:.0f} Wh, PR {ratio:.3f}, at 25 degC {panel.performance_ratio_25() / 1000}"
        )
        assert panel.energy_mwh() / 1000 == pytest.approx(energy_wh, rel=1e-4)
        assert panel.performance_ratio() == pytest.approx(1000 * ratio, abs=1.1)
        assert 900 < panel.performance_ratio_25() < 1060


def test_a_panels_arrays_hold_what_a_day_at_one_second_brings():
    panel = Panel(300_000)
    sun = Sun()
    for t_s in range(0, 14_400):
        sun.sample(1000, 2500, t_s, 600 + t_s // 60)
        panel.sample(600_000, sun)
    assert panel.noon_bp() == 20_000
    assert all(array("i", [panel.clock_bp(i)]) for i in range(24))
