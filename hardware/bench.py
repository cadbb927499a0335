"""What a multimeter must show before a station leaves the bench, from its file: resistances in the dark, then voltages, then currents."""

from collections.abc import Iterator

from hardware import copper
from hardware.compile import Station
from hardware.harness import battery_mv
from hardware.net import BATTERY, Net
from hardware.power import budget
from hardware.wiring import rows_of

METER_OHM = 10_000_000  # a usual multimeter's own
HOT_C = 33  # a panel's cells at noon above the 25 degrees of its label: our own judgement
HEAD = ["when", "where", "must show"]


def parallel(*ohms: float) -> float:
    found = [ohm for ohm in ohms if ohm]
    return 1 / sum(1 / ohm for ohm in found) if found else 0


def divided_mv(mv: int, top_ohm: int, bottom_ohm: int) -> int:
    """Behind a divider, with the meter on it."""
    lower = parallel(bottom_ohm, METER_OHM)
    return round(mv * lower / (top_ohm + lower))


def hot_vmp_mv(station: Station) -> int:
    panel = station.fittings.supply["panel"]
    return int(panel["vmp_mv"] * (1_000_000 + panel["voc_ppm"] * HOT_C) // 1_000_000)


def meter_rows(station: Station) -> list[str]:
    return rows_of(HEAD, [list(row) for row in _rows(Net(station))])


def _rows(net: Net) -> Iterator[tuple[str, str, str]]:
    station = net.station
    low, high = battery_mv(station)
    nominal = station.fittings.supply["battery"]["nominal_mv"]
    yield from _alone(station)
    yield from _dark(net)
    fed = f"{nominal / 1000:.1f} V at the rail, board out"
    least, most = station.board["supply_mv"]
    yield fed, "board's socket: 5V to GND", f"5.00 V (the board takes {least / 1000:g} to {most / 1000:g})"
    for name, fit in station.fittings.fits.items():
        for divider in fit.has("divider"):
            if station.source.values["pins"][name]["kind"] == "adc":
                shows = divided_mv(nominal, divider["top_ohm"], divider["bottom_ohm"]) / 1000
                yield fed, f"{name}_divider: OUT to GND", f"{shows:.2f} V, 2 % (a meter of 10 MOhm)"
    for name, fit in station.fittings.fits.items():
        if fit.part and fit.switch:
            yield fed, f"{name}: both its terminals", "0.0 V, and nothing sounds, shines or opens"
        elif fit.switch:
            yield fed, f"{name}: V+ to GND of its sensor", "0.0 V: switched off while nobody asks"
    yield (
        f"{low / 1000:.1f} V, then {high / 1000:.1f} V at the rail, board out",
        "board's socket: 5V to GND",
        "the same 5.00 V",
    )
    yield "board in, running", f"meter for current in the lead of {BATTERY}", _mean(station)


def _dark(net: Net) -> Iterator[tuple[str, str, str]]:
    station, dark = net.station, "no fuse, nothing fed"
    yield dark, "12V: + to -, red on +", "over 1 kOhm once it has settled"
    yield (
        dark,
        "12V: + to -, diode test, red on -",
        "0.4 to 0.8 V; where red on + shows that, the suppressor is the wrong way round",
    )
    yield dark, "5V: 5V to GND", "over 100 Ohm"
    for use in sorted(net.uses, key=lambda use: use.pin):
        fit = station.fittings.fit(use.bus)
        if use.member in ("pin", "power") and fit.switch and fit.pull_down_ohm:
            ohm = parallel(fit.pull_down_ohm, fit.switch["pull_down_ohm"])
            yield dark, f"GPIO{use.pin} ({use.bus}) to GND, board out", f"{ohm / 1000:.1f} kOhm, 5 %"
    for name, ma in copper.fuses(station).items():
        yield dark, f"fuse of {name}", f"{ma / 1000:g} A printed on it; under 1 Ohm"


def _alone(station: Station) -> Iterator[tuple[str, str, str]]:
    """Parts before they are built in."""
    supply = station.fittings.supply
    nominal = supply["battery"]["nominal_mv"] / 1000
    yield f"regulator alone, {nominal:.1f} V at IN", "OUT+ to OUT-", "5.00 V, 1 %, without a load and with 10 Ohm"
    if "charger" in supply and "panel" in supply:
        end = supply["charger"]["output_mv"] / 1000
        yield (
            "charger alone, 20 V at PV, no battery",
            "BAT+ to BAT-",
            f"{end:.2f} V, 0.05 V (it may flicker round that)",
        )
        yield (
            "charger with a battery, 20 V at PV limited to 0.3 A",
            "PV+ to PV-",
            f"{hot_vmp_mv(station) / 1000:.1f} V, 0.2 V",
        )
    for name, fit in station.fittings.fits.items():
        if fit.part and fit.switch:
            yield (
                f"{name} alone, at {nominal:.1f} V",
                "current, on the mean while it is on",
                f"{fit.part['awake_ua'] / 1e6:g} A at most",
            )


def _mean(station: Station) -> str:
    found = budget(station)
    row = next(each for each in found["profiles"] if each["profile"] == found["is"])
    return f"{row['mah_day'] / 24:.0f} mA on the mean of ten minutes, {found['is']}; half as much again is a fault"
