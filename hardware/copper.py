"""What stands before a wire and what falls over it: fuses from the parts' currents, drops from the wires' copper, the resistors that a harness names.

A fuse is the smallest of the blade kind above 1.25 times the current; the battery's is also 1.6 times the largest behind it, so that a siren's cable that is
cut through leaves the gauge alive. Both factors are our own judgement.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from hardware.compile import Station
from hardware.harness import loads
from hardware.rules_power import peaks_ua

if TYPE_CHECKING:
    from hardware.net import Net, Wire

OUTSIDE_CM = 50  # a longer wire leaves the box, in a cable
FUSES_MA = (1000, 2000, 3000, 5000, 7500, 10000, 15000, 20000)  # blade fuses
# Conductors of class 5 at 20 degrees, IEC 60228 (https://mycableengineering.com/knowledge-base/iec-60228-dc-resistance); 0.25 by its cross-section from 0.75.
MILLIOHM_M = {"0.25": 78.0, "0.75": 26.0, "1.5": 13.3, "4": 4.95}
# What a flexible core in a sheath carries (http://darshancable.com/Y_flexible.html: 0.5 mm2 4 A, 0.75 7 A, 1.5 15 A, 4 27 A); 0.25 half of 0.5.
CARRIES_MA = {"0.25": 2000, "0.75": 7000, "1.5": 15000, "4": 27000}
_OVER, _SELECTIVE = 125, 160  # percent
_HOT = 120  # percent: copper at 70 degrees against 20


def fuse_ma(ua: int, least_ma: int = 0) -> int:
    """The smallest that holds this current."""
    wanted = max(ua * _OVER // 100_000, least_ma)
    return next((each for each in FUSES_MA if each >= wanted), FUSES_MA[-1])


def charge_ua(station: Station) -> int:
    """The most that the sun puts into the battery."""
    supply = station.fittings.supply
    if "charger" not in supply or "panel" not in supply:
        return 0
    gives = supply["panel"]["peak_mw"] * station.fittings.panels * 1_000_000 // supply["battery"]["nominal_mv"]
    return int(min(gives, supply["charger"]["max_ma"] * 1000))


def main_ma(station: Station) -> int:
    """The fuse at the battery: it carries all loads at once, and the charge."""
    branches = [fuse_ma(ua) for _, ua in branches_ua(station)]
    least = max(branches) * _SELECTIVE // 100
    return fuse_ma(max(peaks_ua(station)["battery"], charge_ua(station)), least)


def branches_ua(station: Station) -> Iterator[tuple[str, int]]:
    """(what, its most): each that hangs on the battery's rail and has a fuse of its own."""
    of: dict[str, int] = {}
    for load in loads(station):
        if load.rail == "battery":
            of[load.name] = of.get(load.name, 0) + load.part["peak_ua"]
    yield "regulator", peaks_ua(station)["battery"] - sum(of.values())
    yield from of.items()
    for sensor in station.sensors:
        if sensor["driver"] == "battery":
            yield sensor["bus"], 0


def fuses(station: Station) -> dict[str, int]:
    """mA by what is behind it, the battery's first."""
    return {"battery": main_ma(station), **{name: fuse_ma(ua) for name, ua in branches_ua(station)}}


class Fuse(NamedTuple):
    """`label` is what is printed beside it, `of` the battery whose lead it is in, or what is behind it."""

    label: str
    of: str
    ma: int

    @property
    def said(self) -> str:
        return f"{self.label} {self.ma / 1000:g} A"


def batteries(station: Station) -> list[str]:
    """The blocks: one each, since each has its own fuse."""
    count = station.fittings.batteries
    return ["battery"] if count == 1 else [f"battery{number}" for number in range(1, count + 1)]


def placed(station: Station) -> list[Fuse]:
    """All of a station's fuses as they stand: one in each battery's lead, then those of the block."""
    main, *rest = fuses(station).items()
    every = [(name, main[1]) for name in batteries(station)] + rest
    return [Fuse(f"F{number}", name, ma) for number, (name, ma) in enumerate(every, 1)]


def fuse_of(station: Station, name: str) -> Fuse:
    return next(fuse for fuse in placed(station) if fuse.of == name)


def drop_mv(wire: "Wire", ua: int) -> int:
    """Of both wires, there and back, warm."""
    return round(ua / 1e6 * MILLIOHM_M[wire.square] * wire.cable_cm / 100 * 2 * _HOT / 100)


def resistors(station: Station) -> dict[str, int]:
    """How many of each value, by what it is called: all that the drawing names beside modules and dividers."""
    found: dict[str, int] = {}
    for bus, fit in station.fittings.fits.items():
        lines = 2 if station.source.values["pins"][bus]["kind"] == "i2c" else 1
        for ohm, many in ((fit.pull_up_ohm, lines), (fit.pull_down_ohm, 1), (120 if fit.terminated else 0, 1)):
            if ohm:
                name = f"{ohm / 1000:g} kOhm" if ohm >= 1000 else f"{ohm} Ohm"
                found[name] = found.get(name, 0) + many
    loops = [fitted for fitted in station.fittings.sensors if fitted.probe and fitted.probe["line"] == "loop"]
    if loops:
        found["100 Ohm 0.1 %"] = len(loops)
    return found


def shunts(station: Station) -> dict[str, int]:
    found: dict[str, int] = {}
    for sensor in station.sensors:
        if sensor["driver"] == "ina226":
            name = f"{abs(sensor['shunt_uohm']) / 1000:g} mOhm"
            found[name] = found.get(name, 0) + 1
    return found


def outside(net: "Net") -> dict[str, tuple[int, str, int]]:
    """Cables that leave the box, each by what is at its end: (cm, the thickest core's mm2, cores). A PV module's own lines are one cable."""
    found: dict[str, tuple[int, str, int]] = {}
    for wire in net.wires:
        if wire.cable_cm <= OUTSIDE_CM:
            continue
        ends = (wire.source[0], wire.target[0])
        name = next((end for end in ends if end.startswith("module_")), "")
        name = name.removesuffix("_load") if name else "panel" if "panel" in ends else ends[1]
        cm, square, cores = found.get(name, (0, "0.25", 0))
        found[name] = max(cm, wire.cable_cm), max(square, wire.square, key=float), cores + 1
    return found
