"""A year of sun on a tilted panel at one place, from pvlib's clear sky, once per scenario; then integers.

Needs the extra `pv` (pvlib, which brings numpy and pandas). Clouds are ours, from the seed, one kind of sky a day.
"""

from importlib import import_module
from typing import Any, NamedTuple

from simulator import noise
from simulator.errors import InputError, install_advice

LINKE_TURBIDITY = 3.5  # a hazy lowland; pvlib's own table would need one more package
WIND_M_S = 2.0


class Place(NamedTuple):
    """`tilt` and `azimuth` (180: south) of the panels in degrees; `mean_c` and `swing_c` are the year's air temperature."""

    latitude: float
    longitude: float
    altitude_m: float
    tilt: float
    azimuth: float
    mean_c: float
    swing_c: float


KASHIWA = Place(35.89, 139.95, 20, 30, 180, 15.5, 11)  # Kashiwa-no-Ha, Japan


class Sky(NamedTuple):
    """Clear-sky light on the panels, one row of `per_day` steps a day; W/m2 as floats, minutes of the solar day as ints."""

    step_s: int
    per_day: int
    beam: Any
    diffuse: Any
    minute: Any
    air_c: Any


def packages() -> tuple[Any, Any, Any]:
    """numpy, pandas, pvlib; InputError says how to get them. Asked for by name, because only a few need them."""
    try:
        numpy, pandas, pvlib = (import_module(name) for name in ("numpy", "pandas", "pvlib"))
    except ImportError as error:
        raise InputError(f"sun and panels need the extra pv: {install_advice('pv')} ({error})") from None
    return numpy, pandas, pvlib


def clear_sky(place: Place, year: int = 2025, days: int = 365, step_s: int = 900) -> Sky:
    """From 1 January, in solar time to a quarter of an hour: the place's own longitude says when noon is."""
    np, pd, pvlib = packages()
    per_day = 86400 // step_s
    noon_utc_s = round((12 - place.longitude / 15) * 3600)
    begin = pd.Timestamp(f"{year}-01-01", tz="UTC") + pd.Timedelta(seconds=noon_utc_s - 43200)
    times = pd.date_range(begin, periods=days * per_day, freq=f"{step_s}s")
    where = pvlib.location.Location(place.latitude, place.longitude, altitude=place.altitude_m)
    at = where.get_solarposition(times)
    light = where.get_clearsky(times, model="ineichen", solar_position=at, linke_turbidity=LINKE_TURBIDITY)
    on_panel = pvlib.irradiance.get_total_irradiance(
        place.tilt, place.azimuth, at["apparent_zenith"], at["azimuth"], light["dni"], light["ghi"], light["dhi"]
    )
    second = np.arange(days * per_day) * step_s % 86400
    day = np.arange(days * per_day) // per_day
    equation = pvlib.solarposition.equation_of_time_spencer71(times.strftime("%j").astype(int).to_numpy())
    air_c = (
        place.mean_c
        - place.swing_c * np.cos(2 * np.pi * (day - 28) / 365)
        - 4 * np.cos(2 * np.pi * (second - 10800) / 86400)
    )
    shape = (days, per_day)
    return Sky(
        step_s,
        per_day,
        np.nan_to_num(on_panel["poa_direct"].to_numpy()).clip(0).reshape(shape),
        np.nan_to_num(on_panel["poa_diffuse"].to_numpy()).clip(0).reshape(shape),
        np.round(second / 60 + equation).astype(int).reshape(shape) % 1440,
        air_c.reshape(shape),
    )


def noise_field(key: int, shape: tuple[int, ...]) -> Any:
    """`noise.bell(noise.draw(key, n)) / BELL_SD` for n = 0, 1, ... as an array: the very numbers, many at once."""
    np, _, _ = packages()
    count = 1
    for size in shape:
        count *= size
    n = np.arange(count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(key) + n * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    total = sum((z >> np.uint64(8 * i)) & np.uint64(255) for i in range(4))
    return ((total.astype(np.int64) - 510) / noise.BELL_SD).reshape(shape)


def clouds(seed: int, name: str, sky: Sky, wet: set[int]) -> tuple[Any, Any]:
    """What share of the beam and of the diffuse light comes through, per step.

    Half of the dry days are clear, a third broken (the beam comes and goes), the others overcast; wet days are overcast.
    """
    np, _, _ = packages()
    days = sky.beam.shape[0]
    key = noise.key(seed, name, "sky")
    wander = noise_field(noise.key(seed, name, "clouds"), sky.beam.shape)
    beam = np.ones(sky.beam.shape)
    diffuse = np.ones(sky.beam.shape)
    for day in range(days):
        kind = noise.below(noise.draw(key, day), 100)
        if day in wet or kind >= 85:
            beam[day] = 0.03
            diffuse[day] = 0.8 + 0.2 * wander[day].clip(-2, 2)
        elif kind >= 50:
            beam[day] = (0.6 + 0.4 * wander[day]).clip(0, 1)
            diffuse[day] = 1.4 - 0.3 * beam[day]
        else:
            beam[day] = 1 - 0.01 * abs(wander[day])
    return beam, diffuse.clip(0.2, 2)
