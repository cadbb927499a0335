"""What a multimeter must show before a station leaves the bench, from its file: resistances in the dark, then voltages, then currents."""

from collections.abc import Iterator

from hardware import copper, harness
from hardware.compile import Station
from hardware.fittings import Fitting
from hardware.harness import battery_mv, setting
from hardware.net import BATTERY, Net
from hardware.parts import Part
from hardware.power import PROFILES, budget
from hardware.wiring import rows_of

METER_OHM = 10_000_000  # a usual multimeter's own
HOT_C = 33  # a panel's cells at noon above the 25 degrees of its label: our own judgement
FIXED_PERCENT = 4  # of a converter without a trimmer, as Pololu says of its own (docs/build/first_station.md)
AWAKE_S = 300  # a station that is to sleep stays awake so long after a boot (node.duty)
BY_HAND = "3.0 to 3.3 V (two AA cells)"  # in a pin's place: more would be kinder to a switch than the chip is
ON = {"siren": "it sounds: ears!", "strobe": "it flashes", "lamp": "it shines", "valve": "it opens"}
DARK = "no fuse, nothing fed"
HEAD = ["when", "where", "must show"]
Row = tuple[str, str, str]


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


def five_mv(station: Station) -> tuple[int, int, int]:
    """What the regulator is set to, and between what a fixed one may give: within what the board takes."""
    least, most = station.board["supply_mv"]
    nominal = station.fittings.supply["regulator"]["output_mv"]
    off = nominal * FIXED_PERCENT // 100
    to = nominal if least <= nominal * 99 // 100 else (least + most) // 2
    return to, max(least, nominal - off), min(most, nominal + off)


def feed_pin(station: Station) -> str:
    """Where the board takes its 5 V, by its own print."""
    return str(station.board.get("feed_pin", "5V"))


def meter_rows(station: Station) -> list[str]:
    return rows_of(HEAD, [list(row) for row in _rows(Net(station))])


def _rows(net: Net) -> Iterator[Row]:
    station = net.station
    low, high = battery_mv(station)
    nominal = station.fittings.supply["battery"]["nominal_mv"]
    yield from _alone(station)
    yield from _dark(net)
    fed = f"{nominal / 1000:.1f} V at the rail, board out"
    least, most = station.board["supply_mv"]
    socket = f"board's socket: {feed_pin(station)} to GND"
    yield fed, socket, f"what the regulator had alone, 0.05 V (the board takes {least / 1000:g} to {most / 1000:g})"
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
    yield f"{low / 1000:.1f} V, then {high / 1000:.1f} V at the rail, board out", socket, "the same, 0.05 V"
    yield from _on(net, fed)
    yield "board in, running", f"meter for current in the lead of {BATTERY}", _mean(station)


def _dark(net: Net) -> Iterator[Row]:
    station = net.station
    yield DARK, "12V: + to -, red on +", "over 1 kOhm once it has settled"
    yield (
        DARK,
        "12V: + to -, diode test, red on -",
        "0.4 to 0.8 V; where red on + shows that, the suppressor is the wrong way round",
    )
    yield DARK, "5V: 5V to GND", "over 100 Ohm"
    for pin, bus, fit in _driven(net):
        assert fit.switch
        if fit.pull_down_ohm:
            ohm = parallel(fit.pull_down_ohm, fit.switch["pull_down_ohm"])
            yield DARK, f"GPIO{pin} ({bus}) to GND, board out", f"{ohm / 1000:.1f} kOhm, 5 %{_of_its_own(fit)}"
    yield from _pulled_up(net)
    yield from _contacts(station)
    for fuse in copper.placed(station):
        yield DARK, f"{fuse.label}, fuse of {fuse.of}", f"{fuse.ma / 1000:g} A printed on it; under 1 Ohm"


def _driven(net: Net) -> Iterator[tuple[int, str, Fitting]]:
    """(pin, bus, fitting) of each that switches something."""
    for use in sorted(net.uses, key=lambda use: use.pin):
        fit = net.station.fittings.fit(use.bus)
        if use.member in ("pin", "power") and fit.switch:
            yield use.pin, use.bus, fit


def _of_its_own(fit: Fitting) -> str:
    """A high-side switch comes on a carrier, whose resistor nobody can be sure of; the one at the pin is ours."""
    assert fit.switch
    if fit.switch["side"] != "high" or "pull_down_ohm" not in fit.switch.assumed:
        return ""
    return f"; to {fit.pull_down_ohm / 1000:.1f} where the switch's carrier has none, or has it behind a resistor"


def _pulled_up(net: Net) -> Iterator[Row]:
    """A resistor that somebody forgot is else found on the site, as tips that were never counted."""
    station = net.station
    for use in sorted(net.uses, key=lambda use: use.pin):
        fit = station.fittings.fit(use.bus)
        if not fit.pull_up_ohm or use.member not in ("pin", "sda", "scl"):
            continue
        modules = {
            (each.part.id, station.sensors[i].get("address")): each.part.get("pull_up_ohm", 0)
            for i, each in harness.on_bus(station, use.bus)
            if each.part and each.part["line"] == "i2c"
        }
        ohm = parallel(fit.pull_up_ohm, *modules.values())
        percent = 20 if any(modules.values()) else 5
        yield (
            DARK,
            f"GPIO{use.pin} ({use.bus}) to {fit.rail or '3V3'}, board out",
            f"{ohm / 1000:.3g} kOhm, {percent} %",
        )


def _contacts(station: Station) -> Iterator[Row]:
    for sensor, fitted in zip(station.sensors, station.fittings.sensors, strict=True):
        if not fitted.part or fitted.part["line"] != "contact":
            continue
        shows = (
            "closed (the beeper) for a moment at each tip, open between them"
            if sensor["driver"] == "tipping_bucket"
            else f"opens and closes as its name has it: {fitted.part.name}"
        )
        yield DARK, f"{sensor['bus']}: a to b, by hand", shows


def _on(net: Net, fed: str) -> Iterator[Row]:
    """Each switch on for a moment: what never gave its load current is silent when the river comes."""
    station = net.station
    for pin, bus, fit in _driven(net):
        assert fit.switch
        on_bus = harness.on_bus(station, bus)
        rail = fit.rail if fit.part else next((each.rail for _, each in on_bus), "")
        mv = {
            "battery": station.fittings.supply["battery"]["nominal_mv"],
            "5V": station.fittings.supply["regulator"]["output_mv"],
        }.get(rail or "")
        if not mv:
            continue  # the board's 3.3 V: there is none while it is out
        held = f"{fed}, {BY_HAND} from GPIO{pin} to GND"
        over = f"over {(mv - 500) / 1000:.1f} V"
        if fit.part:
            yield held, f"{bus}: + to -", f"{over}, and {ON.get(fit.part.kind, 'it works')}"
            continue
        yield held, f"{bus}: V+ to GND of its sensor", over
        for divider in fit.has("divider"):
            yield from _speaks(held, bus, divider, mv)


def _speaks(held: str, bus: str, divider: Part, mv: int) -> Iterator[Row]:
    """A sensor's line at rest is its own high level: no page says how strong it is."""
    least, most = mv * 9 // 10, mv * 21 // 20
    behind = [
        each * divider["bottom_ohm"] / (divider["top_ohm"] + divider["bottom_ohm"]) / 1000 for each in (least, most)
    ]
    yield (
        held,
        f"{bus}_divider: IN to GND",
        f"{least / 1000:.1f} V or more at rest; less is a weak pull-up in the sensor",
    )
    yield held, f"{bus}_divider: OUT to GND", f"{behind[0]:.1f} to {behind[1]:.1f} V at rest"


def _alone(station: Station) -> Iterator[Row]:
    """Parts before they are built in."""
    supply = station.fittings.supply
    nominal = supply["battery"]["nominal_mv"] / 1000
    to, low, high = (each / 1000 for each in five_mv(station))
    yield (
        f"regulator alone, {nominal:.1f} V at IN",
        "OUT+ to OUT-",
        f"{to:.2f} V, 1 %, set by its trimmer; a fixed one {low:.2f} to {high:.2f} V. Without a load and with 10 Ohm",
    )
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
    """Awake after a boot a sleeping station takes what one that is always on takes: that says nothing of its sleep."""
    found = budget(station)
    row = next(each for each in found["profiles"] if each["profile"] == found["is"])
    awake, asleep = (each["mah_day"] / 24 for each in found["profiles"])
    if found["is"] == PROFILES[0] or row["never_sleeps"]:
        return f"{row['mah_day'] / 24:.0f} mA on the mean of ten minutes, {found['is']}; half as much again is a fault"
    minutes = max(60, setting(station, "radio.interval") // 60)
    return (
        f"{asleep:.1f} mA on the mean of {minutes} minutes with one session of the radio, from the sixth minute after the boot, {found['is']}; "
        f"half as much again is a fault. In its first {AWAKE_S // 60} minutes it does not sleep: {awake:.0f} mA"
    )
