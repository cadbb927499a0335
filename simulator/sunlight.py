"""The light of a scenario and what its panels make of it: read from a recorded file, or made by pvlib (extra `pv`) and then written down.

`python -m simulator.sunlight every_sensor` writes what the scenario's `[world.sun] file` names, so that every clone can run it without pvlib.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from simulator import scenario as scenarios
from simulator.errors import InputError
from simulator.scenario import Scenario
from simulator.world.rain import DAY_MS, Storm
from simulator.world.river import River

RECORDED = Path(__file__).parent / "recorded"
_STEP_S = 900
_YEAR = 2025  # its sun stands for every year's
_LEADING = ("irradiance_w", "module_cc")


class Sunlight(NamedTuple):
    """Series over the scenario's time, straight between points: W/m2, 0.01 degC, mW of each panel."""

    irradiance_w: River
    module_cc: River
    powers_mw: tuple[River, ...]


def of(scenario: Scenario, seed: int, falls: Sequence[Storm]) -> Sunlight:
    """The recorded file if the scenario names one, else pvlib's."""
    if not scenario.world.sun.file:
        return _series(scenario, made(scenario, seed, falls))
    return _series(scenario, _read(scenario))


def _series(scenario: Scenario, rows: list[list[int]]) -> Sunlight:
    starts_ms = -(_solar_ms(scenario) % DAY_MS)
    columns = [River(list(column), _STEP_S * 1000, starts_ms) for column in zip(*rows, strict=True)]
    return Sunlight(columns[0], columns[1], tuple(columns[2:]))


def _solar_ms(scenario: Scenario) -> int:
    return scenario.starts_unix_ms + scenario.world.site.local_minutes * 60_000


def _read(scenario: Scenario) -> list[list[int]]:
    name = scenario.world.sun.file
    path = next((p for p in (Path(scenario.folder) / name, RECORDED / name) if p.is_file()), None)
    if path is None:
        raise InputError(
            f"no file '{name}' of the sun in {scenario.folder} or {RECORDED}; leave it out and pvlib makes one"
        )
    lines = [line for line in path.read_text(encoding="ascii").splitlines() if line and line[0] != "#"]
    if tuple(lines[0].split(",")[:2]) != _LEADING:
        raise InputError(f"{path} does not begin with the columns {', '.join(_LEADING)}")
    rows = [[int(word) for word in line.split(",")] for line in lines[1:]]
    wanted = (scenario.hours // 24 + 2) * 86_400 // _STEP_S
    if len(rows) < wanted:
        raise InputError(
            f"{path} holds {len(rows)} rows, the scenario needs {wanted}: write it again (see simulator/sunlight.py)"
        )
    return rows


def made(scenario: Scenario, seed: int, falls: Sequence[Storm]) -> list[list[int]]:
    """Rows of irradiance, module temperature and each panel's power, from the solar midnight before the start."""
    from simulator.world import panels, sun

    site = scenario.world.site
    solar = datetime.fromtimestamp(_solar_ms(scenario) // 1000, UTC)
    first = min(solar.timetuple().tm_yday, 365) - 1
    days = scenario.hours // 24 + 2
    place = sun.Place(
        site.latitude, site.longitude, site.altitude_m, site.tilt, site.azimuth, site.mean_c, site.swing_c
    )
    whole = sun.clear_sky(place, _YEAR, 365, _STEP_S)
    chosen = [(first + day) % 365 for day in range(days)]
    sky = whole._replace(
        beam=whole.beam[chosen], diffuse=whole.diffuse[chosen], minute=whole.minute[chosen], air_c=whole.air_c[chosen]
    )
    fates = [
        panels.Fate(tuple(p.dust), tuple(p.washed), p.wear_year, p.fault_day, p.shade, p.rain_cleans)
        for p in scenario.world.sun.panels
    ] or [panels.Fate()]
    shift_ms = _solar_ms(scenario) % DAY_MS  # storms count from the start, days from midnight
    moved = [storm._replace(starts_ms=storm.starts_ms + shift_ms) for storm in falls]
    moved = [storm for storm in moved if storm.starts_ms < days * DAY_MS]
    year = panels.year(seed, scenario.name, sky, fates, moved, scenario.world.sun.peak_mw)
    columns = [year.irradiance, year.module_cc, *year.power_mw]
    return [[int(value) for value in row] for row in zip(*(column.ravel() for column in columns), strict=True)]


def main(arguments: list[str] | None = None) -> int:
    from simulator.surroundings import weather_rain
    from simulator.world.sun import packages

    parser = argparse.ArgumentParser(prog="python -m simulator.sunlight", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenario", help="a shipped scenario or a TOML file with a [world.sun] file")
    try:
        scenario = scenarios.load(parser.parse_args(arguments).scenario)
        if not scenario.world.sun.file:
            raise InputError("the scenario names no [world.sun] file to write")
        rows = made(scenario, scenario.seed, weather_rain(scenario, scenario.seed))
        version = packages()[2].__version__
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    names = [*_LEADING, *(f"panel{i + 1}_mw" for i in range(len(rows[0]) - 2))]
    site = scenario.world.site
    text = [
        f"# Light and panels of the scenario {scenario.name}, synthetic: pvlib {version} (Ineichen, Faiman, PVWatts), clouds from seed {scenario.seed}.",
        f"# {_STEP_S} s apart from the solar midnight before the start, latitude {site.latitude:g}, longitude {site.longitude:g}. By simulator/sunlight.py.",
        ",".join(names),
        *(",".join(map(str, row)) for row in rows),
    ]
    path = RECORDED / scenario.world.sun.file
    path.write_text("\n".join(text) + "\n", encoding="ascii")
    print(f"{path}: {len(rows)} rows, {len(names) - 2} panels, pvlib {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
