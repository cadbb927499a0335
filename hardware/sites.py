"""Sites: how much light falls there, month by month, from a published table; and on a tilted panel, by pvlib's clear sky and geometry (extra `pv`).

A mean day of a month is a clear day scaled to the month's mean. How much of it is diffuse is said by the correlation of Erbs, Klein and Duffie (1982) for a
month's means, not by theirs for hours: an hour of a mean day is no hour that was, and a low winter sun would lose half of its beam. Beam and the sky's
light go onto the panel by Hay and Davies. A test holds that to the hourly records of two places and another model: within a tenth in every month.
"""

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from hardware.shape import ROOM, meant, read, table
from simulator.errors import InputError, install_advice

SITES = ROOM / "sites"
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")  # fmt: skip
NEAR_KM = 60
LINKE_TURBIDITY = 3.5  # a hazy lowland; it shapes the day, the month's table says how much
_YEAR = 2025
_STEP_S = 1800
_LOW_SUN = 0.05  # the sine of 3 degrees: below, what stands around takes the beam
_DARK, _DARKEST = 0.3, 0.15  # clearness of a month
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SPECS: Mapping[str, Mapping[str, Any]] = {
    "name": {"text": ".{1,60}", "required": True, "about": "a place's name"},
    "latitude_e2": {"low": -9000, "high": 9000, "required": True},
    "longitude_e2": {"low": -18000, "high": 18000, "required": True},
    "altitude_m": {"low": -400, "high": 5000, "required": True},
    "wh_m2_day": {"low": 0, "high": 10_000, "count": 12, "required": True},
    "source": {"text": "https?://[!-~]+", "required": True, "about": "a link"},
    "where": {"text": ".{1,200}", "required": True, "about": "the table, by its title"},
    "assumed": {"is": lambda value: isinstance(value, dict), "about": "a table from a key to the reason"},
}


class Site(NamedTuple):
    name: str
    latitude: float
    longitude: float
    altitude_m: int
    wh_m2_day: tuple[int, ...]
    source: str
    where: str
    assumed: Mapping[str, str]


def shipped_sites() -> list[str]:
    return sorted(path.stem for path in SITES.glob("*.toml"))


def read_site(name: str | Path) -> Site:
    source = read(SITES, name, "site")
    row = table(source, source.values, _SPECS)
    return Site(row["name"], row["latitude_e2"] / 100, row["longitude_e2"] / 100, row["altitude_m"], tuple(row["wh_m2_day"]),
                row["source"], row["where"], row.get("assumed", {}))  # fmt: skip


def site_at(text: str) -> Site:
    """`LAT,LON` near a shipped table, or a table's own name or file."""
    if not text:
        raise InputError(
            f"--site is empty; write LAT,LON in degrees, as 1.55,110.35, or one of {', '.join(shipped_sites())}"
        )
    if text.endswith(".toml") or text in shipped_sites():
        return read_site(text)
    latitude, longitude = _degrees(text)
    sites = [read_site(name) for name in shipped_sites()]
    away = [(_km(latitude, longitude, site.latitude, site.longitude), site) for site in sites]
    km, site = min(away, key=lambda pair: pair[0])
    if km > NEAR_KM:
        turned = min(_km(longitude, latitude, site.latitude, site.longitude) for site in sites)
        hint = " (the latitude comes first: are the two swapped?)" if turned <= NEAR_KM else ""
        raise InputError(
            f"no table of irradiation within {NEAR_KM} km of {text}{hint}: the nearest is {site.name}, {km:.0f} km away; write one as "
            f"hardware/sites/{shipped_sites()[0]}.toml, from PVGIS or NASA POWER, and give --site FILE.toml"
        )
    return site


def _degrees(text: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(word) for word in text.split(","))
    except ValueError:
        raise InputError(
            f"--site is {text!r:.40}; write LAT,LON in degrees, as 1.55,110.35 or --site=-6.2,106.8, or one of "
            f"{', '.join(shipped_sites())}{meant(text, shipped_sites())}"
        ) from None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise InputError(
            f"--site is {text!r:.40}; allowed are latitudes of -90 to 90, first, and longitudes of -180 to 180"
        )
    return latitude, longitude


def _km(*degrees: float) -> float:
    a, b, c, d = (math.radians(each) for each in degrees)
    cosine = math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(b - d)
    return 6371 * math.acos(max(-1.0, min(1.0, cosine)))


def _packages() -> tuple[Any, Any, Any]:
    try:
        numpy, pandas, pvlib = (import_module(name) for name in ("numpy", "pandas", "pvlib"))
    except ImportError as error:
        raise InputError(f"light on a tilted panel needs the extra pv: {install_advice('pv')} ({error})") from None
    return numpy, pandas, pvlib


def sunset_angle(latitude: float, day: int) -> float:
    """How far the sun turns from noon to its setting, in degrees: 0 in polar night, 180 in polar day. The declination is Cooper's."""
    declination = math.radians(23.45) * math.sin(2 * math.pi * (284 + day) / 365)
    cosine = -math.tan(math.radians(max(-89.9, min(89.9, latitude)))) * math.tan(declination)
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def diffuse_share(clearness: float, sunset: float) -> float:
    """Of a month's mean light; `clearness` is that light over what would fall without any air. The correlation holds from 0.3 to 0.8; a darker month is
    taken (by us) as ever more diffuse, all of it at 0.15: a northern December must not be promised a beam that nobody measured."""
    k = max(_DARK, min(0.8, clearness))
    if sunset <= 81.4:
        share = 1.391 - 3.560 * k + 4.189 * k**2 - 2.137 * k**3
    else:
        share = 1.311 - 3.022 * k + 3.427 * k**2 - 1.821 * k**3
    return share + (1 - share) * max(0.0, min(1.0, (_DARK - clearness) / (_DARK - _DARKEST)))


class Light:
    """A site's light on panels, by tilt. They face the equator."""

    def __init__(self, site: Site) -> None:
        np, pd, pvlib = self._tools = _packages()
        self.azimuth = 180 if site.latitude >= 0 else 0
        begin = pd.Timestamp(f"{_YEAR}-01-01", tz="UTC") + pd.Timedelta(hours=-site.longitude / 15)  # solar days
        times = pd.date_range(begin, periods=365 * 86_400 // _STEP_S, freq=f"{_STEP_S}s")
        place = pvlib.location.Location(site.latitude, site.longitude, altitude=site.altitude_m)
        self._at = place.get_solarposition(times)
        clear = place.get_clearsky(times, model="ineichen", solar_position=self._at, linke_turbidity=LINKE_TURBIDITY)
        self._month = np.repeat(np.arange(12), [days * 86_400 // _STEP_S for days in _DAYS])
        ghi = clear["ghi"].to_numpy()
        sums = [ghi[self._month == month].sum() * _STEP_S / 3600 / _DAYS[month] for month in range(12)]
        share = np.array([wh / total if total else 0 for wh, total in zip(site.wh_m2_day, sums, strict=True)])
        self._ghi = pd.Series(ghi * share[self._month], index=times)
        self._extra = pvlib.irradiance.get_extra_radiation(times)
        cosine = np.cos(np.radians(self._at["apparent_zenith"].to_numpy())).clip(0)
        above = self._extra.to_numpy() * cosine  # what would fall there without any air
        diffuse = np.zeros(len(times))
        for month in range(12):
            here = self._month == month
            if site.wh_m2_day[month] and above[here].any():
                clearness = self._ghi[here].sum() / above[here].sum()
                share = diffuse_share(clearness, sunset_angle(site.latitude, 30 * month + 15))
                diffuse[here] = above[here] * clearness * share
        self._dhi = np.minimum(diffuse, self._ghi)
        self._dni = (self._ghi - self._dhi) / np.maximum(cosine, _LOW_SUN) * (cosine > _LOW_SUN)

    def wh_m2_day(self, tilt: int) -> list[float]:
        """A mean day of each month on a panel of this tilt."""
        np, _, pvlib = self._tools
        on_panel = pvlib.irradiance.get_total_irradiance(
            tilt, self.azimuth, self._at["apparent_zenith"], self._at["azimuth"], self._dni, self._ghi, self._dhi,
            dni_extra=self._extra, model="haydavies",
        )  # fmt: skip
        light = np.nan_to_num(on_panel["poa_global"].to_numpy()).clip(0)
        return [float(light[self._month == month].sum() * _STEP_S / 3600 / _DAYS[month]) for month in range(12)]

    def best_tilt(self, tilts: Sequence[int] = tuple(range(10, 85, 5))) -> int:
        """The tilt whose worst month is best; never below 10 degrees, where rain no longer washes the glass."""
        return max(tilts, key=lambda tilt: min(self.wh_m2_day(tilt)))
