"""A site's light on a tilted panel, made of twelve means, against places whose every hour pvlib has: their own beam, and Perez' model of the sky."""

from pathlib import Path

import pytest

pvlib = pytest.importorskip("pvlib", reason="needs the extra pv: pip install 'waspada[pv]'")
np = pytest.importorskip("numpy", reason="comes with pvlib")
pd = pytest.importorskip("pandas", reason="comes with pvlib")

from hardware import sites  # noqa: E402


def hourly(name: str, tilt: int) -> tuple[sites.Site, list[float]]:
    """A place of pvlib's own data, hour by hour with its measured or modelled beam: its monthly means, and a tilted panel's light by Perez' model."""
    folder = Path(pvlib.__file__).parent / "data"
    rows, about = pvlib.iotools.read_tmy3(folder / name, coerce_year=1990, map_variables=True)
    middle = rows.index - pd.Timedelta(minutes=30)
    sun = pvlib.solarposition.get_solarposition(middle, about["latitude"], about["longitude"])
    zenith, azimuth = sun["apparent_zenith"].to_numpy(), sun["azimuth"].to_numpy()
    ghi, dni, dhi = (rows[key].to_numpy() for key in ("ghi", "dni", "dhi"))
    extra = pvlib.irradiance.get_extra_radiation(middle).to_numpy()
    mass = pvlib.atmosphere.get_relative_airmass(zenith)
    panel = pvlib.irradiance.get_total_irradiance(
        tilt, 180, zenith, azimuth, dni, ghi, dhi, dni_extra=extra, airmass=mass, model="perez"
    )["poa_global"]
    on_panel = np.nan_to_num(panel)
    days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    here = [middle.month == month for month in range(1, 13)]
    flat = tuple(round(ghi[each].sum() / many) for each, many in zip(here, days, strict=True))
    site = sites.Site(name, about["latitude"], about["longitude"], int(about["altitude"]), flat, "", "", {})
    return site, [float(on_panel[each].sum() / many) for each, many in zip(here, days, strict=True)]


PLACES = ("723170TYA.CSV", "703165TY.csv")  # Greensboro, North Carolina, 36 degrees north; Sand Point, Alaska, 55


@pytest.mark.parametrize("tilt", [30, 65])
@pytest.mark.parametrize("place", PLACES)
def test_a_tilted_panels_month_is_within_a_tenth_of_an_hourly_record_by_another_model(place: str, tilt: int) -> None:
    site, true = hourly(place, tilt)
    told = sites.Light(site).wh_m2_day(tilt)
    assert all(abs(ours - theirs) < 0.1 * theirs for ours, theirs in zip(told, true, strict=True)), (told, true)
    assert abs(min(told) - min(true)) < 0.06 * min(true), "the worst month is what a panel is bought for"


def test_light_that_is_all_diffuse_is_found_by_the_hourly_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "diffuse_share", lambda *_: 1.0)
    site, true = hourly(PLACES[0], 65)
    assert min(sites.Light(site).wh_m2_day(65)) < 0.8 * min(true)
