"""The node's ratios and the world's panels against pvlib: power, cell temperature, Kimber's soiling."""

import pytest

pvlib = pytest.importorskip("pvlib", reason="needs the extra pv: pip install 'waspada[pv]'")
np = pytest.importorskip("numpy", reason="comes with pvlib")
pd = pytest.importorskip("pandas", reason="comes with pvlib")

from node.core.diagnosis import RAIN_CLEANS_UM  # noqa: E402
from node.core.measurements import MISSING  # noqa: E402
from node.core.panel import Panel, Sun  # noqa: E402
from simulator import noise  # noqa: E402
from simulator.world.panels import CELL_ABOVE_MODULE_C, Fate, soiling  # noqa: E402
from simulator.world.sun import KASHIWA, clear_sky, noise_field  # noqa: E402
from tests.core.test_panel import GAMMA_PPM, PEAK_MW, SUN_BEFORE_CLOCK_MIN, recorded  # noqa: E402


def test_corrected_ratio_of_the_recorded_day_is_energy_over_pvlibs():
    """PR at 25 degC is the measured energy over that of PVWatts at the recorded light and module temperature."""
    rows = list(recorded())
    light = np.array([max(row[1], 0) for row in rows], float)
    module_c = np.array([row[2] for row in rows]) / 100
    expected = pvlib.pvsystem.pvwatts_dc(light, module_c, PEAK_MW / 1000, GAMMA_PPM / 1e6)
    for string in range(2):
        sun, panel = Sun(GAMMA_PPM), Panel(round(PEAK_MW))
        for minute, irradiance, cc, powers in rows:
            known = sun.sample(irradiance, cc, minute * 60, minute + SUN_BEFORE_CLOCK_MIN)
            panel.sample(powers[string] if known else MISSING, sun)
        measured = np.array([row[3][string] for row in rows]) / 1000
        ratio = (measured[1:] + measured[:-1]).sum() / (expected[1:] + expected[:-1]).sum()
        print(f"string {string + 1}: {panel.performance_ratio_25()} per mille, pvlib {1000 * ratio:.1f}")
        assert panel.performance_ratio_25() == pytest.approx(1000 * ratio, abs=1.5)


def test_noon_output_is_power_over_pvlibs_at_any_temperature():
    for module_c in (-10, 25, 70):
        power = pvlib.pvsystem.pvwatts_dc(900, module_c, 300.0, -0.0037) * 0.93
        sun, panel = Sun(-3700), Panel(300_000)
        for i in range(0, 240, 5):
            sun.sample(900, module_c * 100, i * 60, 600 + i)
            panel.sample(round(1000 * power), sun)
        assert panel.noon_bp() == pytest.approx(9300, abs=2)


def test_cells_are_warmer_than_their_module_as_pvlib_has_it():
    for watts in (0, 400, 1000):
        assert (
            pvlib.temperature.sapm_cell_from_module(20, watts, CELL_ABOVE_MODULE_C)
            == 20 + CELL_ABOVE_MODULE_C * watts / 1000
        )


def test_dirt_grows_and_washes_off_as_kimbers_model_without_its_grace():
    days = 365
    rain_um = [8_000 if noise.below(noise.draw(noise.key(1, "kimber"), day), 30) == 0 else 0 for day in range(days)]
    index = pd.date_range("2025-01-01", periods=days, freq="D")
    theirs = pvlib.soiling.kimber(
        pd.Series([um / 1000 for um in rain_um], index=index),
        cleaning_threshold=RAIN_CLEANS_UM / 1000,
        soiling_loss_rate=0.0015,
        grace_period=0,
        max_soiling=0.3,
        rain_accum_period=1,
    ).to_numpy()
    ours = np.array(soiling(Fate(), rain_um, days, 0.0015))
    assert sum(um > 0 for um in rain_um) >= 6
    assert np.abs(ours - theirs).max() <= 0.0015 + 1e-9  # a day's dirt: it counts the washed day's own as clean


def test_noise_by_the_array_is_the_noise_itself():
    key = noise.key(5, "a", "b")
    field = noise_field(key, (10, 20)).reshape(-1)
    assert [round(value * noise.BELL_SD) for value in field] == [noise.bell(noise.draw(key, n)) for n in range(200)]


def test_noon_is_when_the_sun_is_highest_all_year():
    sky = clear_sky(KASHIWA, step_s=900)
    for day in range(0, 365, 30):
        whole = sky.beam[day] + sky.diffuse[day]
        weighted = (whole * sky.minute[day]).sum() / whole.sum()
        assert abs(weighted - 720) <= 6
        assert 700 < whole.max() < 1150
