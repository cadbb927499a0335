"""Eight panels through a year: dirt and what washes it off, wear, a bypassed third, a shadow by the clock. Synthetic.

The light is `simulator.world.sun`'s; cell temperature and power are pvlib's (Faiman, PVWatts). Everything a station reads
comes out as integers made once per scenario, so that the host and the VM see the same.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from node.core.diagnosis import CLEAN, DETERIORATED, DIRTY, FAULTY, RAIN_CLEANS_UM, SHADED
from simulator import noise
from simulator.world.rain import DAY_MS, Storm
from simulator.world.sun import WIND_M_S, Sky, clouds, noise_field, packages

GAMMA_PDC = -0.0039  # of the modules; the station believes -0.0037
CELL_ABOVE_MODULE_C = 3.0  # at 1000 W/m2 (King et al. 2004, table 1: 3 degC on an open rack)
BYPASSED = 2 / 3  # of the power left when one of three diodes bypasses its third
SEEN_FROM = 0.04  # a loss below this is nobody's diagnosis, the truth's neither


class Fate(NamedTuple):
    """What becomes of one panel. Days are the year's, from 0; None is never."""

    dust: tuple[tuple[int, int, float], ...] = ()  # (first day, last day, share lost each day)
    washed: tuple[int, ...] = ()  # evenings on which a person washes it
    wear_year: float = 0.0
    fault_day: int | None = None
    shade: tuple[int, int, int] | None = None  # (from day, from minute, to minute) of the solar day
    rain_cleans: bool = True


class Year(NamedTuple):
    """Integers by [day][step], power by [panel][day][step]; `truth[panel][day]` is the word that is right."""

    step_s: int
    minute: Any
    irradiance: Any
    module_cc: Any
    power_mw: Any
    rain_um: list[int]
    truth: list[list[int]]
    soiling: Any  # [panel][day], the share that dirt takes
    wear: Any


def soiling(fate: Fate, rain_um: Sequence[int], days: int, background: float) -> list[float]:
    """The share lost to dirt on each day. Rain of 5 mm or a person takes all of it (Kimber's model without its grace)."""
    loss, out = 0.0, []
    for day in range(days):
        rate = background + sum(each for first, last, each in fate.dust if first <= day <= last)
        loss = min(loss + rate, 0.3)
        if fate.rain_cleans and rain_um[day] >= RAIN_CLEANS_UM:
            loss = 0.0
        out.append(loss)
        if day in fate.washed:
            loss = 0.0
    return out


def year(
    seed: int,
    name: str,
    sky: Sky,
    fates: Sequence[Fate],
    falls: Sequence[Storm],
    peak_mw: int = 300_000,
    background: float = 0.00015,
) -> Year:
    np, _, pvlib = packages()
    days = sky.beam.shape[0]
    rain_um = [0] * days
    for storm in falls:
        rain_um[storm.starts_ms // DAY_MS] += storm.depth_um
    beam_share, diffuse_share = clouds(seed, name, sky, {day for day in range(days) if rain_um[day]})
    beam, diffuse = sky.beam * beam_share, sky.diffuse * diffuse_share
    whole = beam + diffuse
    key = noise.key(seed, name, "panels")
    module_c = pvlib.temperature.faiman(whole, sky.air_c, WIND_M_S)
    powers, dirt, worn = [], [], []
    for i, fate in enumerate(fates):
        lost = np.array(soiling(fate, rain_um, days, background))
        wear = fate.wear_year * np.arange(days) / 365
        kept = (1 - lost) * (1 - wear)
        if fate.fault_day is not None:
            kept[fate.fault_day :] *= BYPASSED
        seen = whole
        if fate.shade:
            first, begin, end = fate.shade
            dark = (sky.minute >= begin) & (sky.minute < end) & (np.arange(days)[:, None] >= first)
            seen = np.where(dark, 0.25 * beam + diffuse, whole)
        cell_c = module_c + CELL_ABOVE_MODULE_C * whole / 1000
        tolerance = 1 + 0.015 * noise.bell(noise.draw(key, i)) / noise.BELL_SD
        power = pvlib.pvsystem.pvwatts_dc(seen * kept[:, None], cell_c, peak_mw * tolerance, GAMMA_PDC)
        power = power * (1 + 0.005 * noise_field(noise.key(seed, name, f"power{i}"), power.shape))
        powers.append(np.maximum(np.rint(power), 0).astype(int))
        dirt.append(lost)
        worn.append(wear)
    read = whole * (1 + 0.004 * noise_field(noise.key(seed, name, "cell"), whole.shape))
    felt = module_c + 0.5 * noise_field(noise.key(seed, name, "module"), whole.shape)
    truth = [[truth_of(fate, dirt[i][d], worn[i][d], d) for d in range(days)] for i, fate in enumerate(fates)]
    return Year(
        sky.step_s,
        sky.minute,
        np.rint(read).astype(int),
        np.rint(felt * 100).astype(int),
        np.array(powers),
        rain_um,
        truth,
        np.array(dirt),
        np.array(worn),
    )


def truth_of(fate: Fate, dirt: float, wear: float, day: int) -> int:
    """The word that is right for a panel on a day, by the order of `node.core.diagnosis`."""
    if fate.fault_day is not None and day >= fate.fault_day:
        return FAULTY
    if fate.shade and day >= fate.shade[0]:
        return SHADED
    if wear >= SEEN_FROM:
        return DETERIORATED
    return DIRTY if dirt >= SEEN_FROM else CLEAN
