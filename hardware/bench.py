"""What a multimeter must show before a station leaves the bench, from its file: resistances in the dark, then voltages, then currents."""

from collections.abc import Iterator

from hardware import copper, harness
from hardware.compile import Station
from hardware.fittings import Fitting
from hardware.harness import battery_mv, cold_mv, keys_of, setting
from hardware.net import BATTERY, Net
from hardware.parts import Part
from hardware.power import PROFILES, budget
from hardware.rules_power import peaks_ua
from hardware.wiring import rows_of

METER_OHM = 10_000_000  # a usual multimeter's own
HOT_C = 33  # a panel's cells at noon above the 25 degrees of its label: our own judgement
FIXED_PERCENT = 4  # of a converter without a trimmer, as Pololu says of its own (docs/build/first_station.md)
AWAKE_S = 300  # a station that is to sleep stays awake so long after a boot (node.duty)
SUN_PERCENT = 75  # of its label's open circuit, which a hot panel in thin sun still has: our own judgement
BURST_UA = 1_500_000  # from here on 10 Ohm prove nothing of a converter, and a larger load must
BURST_OHM = 2.7
TRIMMED_MA = 5000  # a CN3722's most; a larger charger has a menu in place of trimmers, and wants its battery to begin
AS_SOLD_MA = 2000  # such a module as it is sold
# Charger's mA: the resistor at its BAT, and the supply's limit. It draws well over the 9.5 % at which such a charger ends, so that its voltage stands still.
CHARGER_LOADS = {AS_SOLD_MA: (47, 5, 500), 4000: (22, 10, 800)}
BY_HAND = (
    "3.0 to 3.3 V (two AA cells, fresh alkaline)"  # in a pin's place: more would be kinder to a switch than the chip is
)
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
    yield from _alone(net)
    yield from _dark(net)
    fed = f"{nominal / 1000:.1f} V at the rail, board out"
    least, most = station.board["supply_mv"]
    socket = f"board's socket: {feed_pin(station)} to GND"
    yield fed, socket, f"what the regulator had alone, 0.05 V (the board takes {least / 1000:g} to {most / 1000:g})"
    if peaks_ua(station)["5V"] > BURST_UA:
        held = f"{fed}, {BURST_OHM} Ohm 10 W at the board's socket for some seconds, supply limited to 1.5 A"
        yield held, socket, f"{least / 1000:.1f} V or more, as in the modem's bursts"
    for name in copper.batteries(station)[1:]:
        label = copper.fuse_of(station, name).label
        yield fed, f"{name}'s two free wires, red to black", f"0.0 V: {label} is out until the battery is there"
    for name, fit in station.fittings.fits.items():
        for divider in fit.has("divider"):
            if station.source.values["pins"][name]["kind"] == "adc":
                shows = divided_mv(nominal, divider["top_ohm"], divider["bottom_ohm"]) / 1000
                yield fed, f"{name}_divider: OUT to GND", f"{shows:.2f} V, 2 % (a meter of 10 MOhm)"
    for name, fit in station.fittings.fits.items():
        if fit.part and fit.switch:
            yield fed, f"{name}: + to -", f"0.0 V, and nothing sounds, shines or opens{_against_ground(fit, nominal)}"
        elif fit.switch and _rail(station, name, fit) != "3V3":
            yield fed, f"{name}: V+ to GND of its sensor", "0.0 V: switched off while nobody asks"
    yield f"{low / 1000:.1f} V, then {high / 1000:.1f} V at the rail, board out", socket, "the same, 0.05 V"
    yield from _on(net, fed)
    yield from _by_the_chip(net)
    yield from _sources(station)
    yield "board in, running", f"meter for current in the lead of {BATTERY}", _mean(station)


def _rail(station: Station, bus: str, fit: Fitting) -> str:
    """What a switch has at its input: an output's own rail, or that of the sensors behind it."""
    on_bus = harness.on_bus(station, bus)
    return (fit.rail if fit.part else next((each.rail for _, each in on_bus), "")) or ""


def _against_ground(fit: Fitting, mv: int) -> str:
    if not fit.switch or fit.switch["side"] != "low" or fit.rail != "battery":
        return ""
    return f". Against GND both have about {mv / 1000:.1f} V: it is switched in its minus"


def _by_the_chip(net: Net) -> Iterator[Row]:
    """Switched from the board's own 3.3 V: with the board out there is nothing to switch."""
    station = net.station
    for _, bus, fit in _driven(net):
        if fit.part or _rail(station, bus, fit) != "3V3":
            continue
        level = any("level" in keys_of(station, i) for i, _ in harness.on_bus(station, bus))
        asked = "`level 5` running" if level else "its sensor being asked"
        yield (
            f"board in, {asked}",
            f"{bus}: V+ to GND of its sensor",
            "3.2 to 3.4 V while it measures (a meter that keeps the maximum), 0.0 V before and after",
        )


def _sources(station: Station) -> Iterator[Row]:
    """Which way round, before a fuse or a charger finds out."""
    supply = station.fittings.supply
    least = supply["battery"]["nominal_mv"] / 1000 - 0.3
    most = battery_mv(station)[1] / 1000
    for name in copper.batteries(station):
        label = copper.fuse_of(station, name).label
        yield (
            f"{name} at its wires, {label} not yet in",
            f"{label}: in to {BATTERY}: -, red on {label}",
            f"+{least:.1f} to +{most:.1f} V; a minus: the battery is the wrong way round",
        )
    if "panel" in supply:
        voc = supply["panel"]["voc_mv"] * SUN_PERCENT // 100_000
        cold = -(-cold_mv(supply["panel"], station.fittings.coldest_c or 0) // 1000)
        yield (
            "panel's wires free, in the sun",
            "panel: + to -, red on red",
            f"+{voc} to +{cold} V; a minus: its plug or its lead is the wrong way round",
        )


def _dark(net: Net) -> Iterator[Row]:
    station = net.station
    yield DARK, "12V: + to -, red on +", "over 1 kOhm once it has settled"
    yield DARK, "12V: + to -, diode test, red on -", _across(net.station)
    yield DARK, "5V: 5V to GND", "over 100 Ohm"
    for pin, bus, fit in _driven(net):
        assert fit.switch
        if fit.pull_down_ohm:
            ohm = parallel(fit.pull_down_ohm, fit.switch["pull_down_ohm"])
            yield DARK, f"GPIO{pin} ({bus}) to GND, board out", f"{ohm / 1000:.1f} kOhm, 5 %{_of_its_own(fit)}"
    yield from _chafed(net)
    yield from _pulled_up(net)
    yield from _contacts(station)
    for fuse in copper.placed(station):
        yield DARK, f"{fuse.label}, fuse of {fuse.of}", f"{fuse.ma / 1000:g} A printed on it; under 1 Ohm"


def _across(station: Station) -> str:
    wrong = "where red on + shows that, the suppressor is the wrong way round"
    if "charger" in station.fittings.supply:
        return f"0.1 to 0.8 V (the charger's own diode may lie beside the suppressor); {wrong}"
    return f"0.4 to 0.8 V; {wrong}"


def _chafed(net: Net) -> Iterator[Row]:
    """A minus that is switched stands at the battery's plus while it is off: on earth it is on, with every fuse whole."""
    for name, fit in net.station.fittings.fits.items():
        if not fit.part or not fit.switch or fit.switch["side"] != "low" or fit.cable_cm <= copper.OUTSIDE_CM:
            continue
        feeds = [wire.source[0] for wire in net.wires if wire.target == (f"{name}_switch", "V+")]
        # INA226, SBOS547B, Electrical Characteristics: VBUS input impedance 830 kOhm
        over = "1 MOhm" if feeds == [BATTERY] else "0.5 MOhm (its current's INA226 has 0.83)"
        yield (
            DARK,
            f"{name}: -, red on it, to its bracket, then to its cable's screen",
            f"over {over}; less: its core touches earth, and it is on for ever with no fuse blown",
        )


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
        mv = {
            "battery": station.fittings.supply["battery"]["nominal_mv"],
            "5V": station.fittings.supply["regulator"]["output_mv"],
        }.get(_rail(station, bus, fit))
        if not mv:
            continue  # the board's 3.3 V: there is none while it is out
        held = f"{fed}, {BY_HAND} from GPIO{pin} to GND"
        over = f"over {(mv - 500) / 1000:.1f} V"
        if fit.part:
            yield held, f"{bus}: + to -", f"{over}, and {ON.get(fit.part.kind, 'it works')}"
            continue
        yield held, f"{bus}: V+ to GND of its sensor", over
        for divider in fit.has("divider"):
            yield from _speaks(net, held, bus, divider, mv)


def _cable(net: Net, source: tuple[str, str]) -> str:
    """The wire list's number of the cable that begins there."""
    pairs = list(dict.fromkeys((wire.source[0], wire.target[0]) for wire in net.wires))
    at = next((pairs.index((wire.source[0], wire.target[0])) for wire in net.wires if wire.source == source), None)
    return "its wire" if at is None else f"W{at + 1}"


def _speaks(net: Net, held: str, bus: str, divider: Part, mv: int) -> Iterator[Row]:
    """A sensor's line at rest is its own high level: no page says how strong it is."""
    wire = _cable(net, (f"{bus}_divider", "IN"))
    least, most = mv * 9 // 10, mv * 21 // 20
    behind = [
        each * divider["bottom_ohm"] / (divider["top_ohm"] + divider["bottom_ohm"]) / 1000 for each in (least, most)
    ]
    yield (
        held,
        f"{bus}_divider: IN to GND",
        f"{least / 1000:.1f} V or more at rest. Less: lift {wire} and measure the sensor's TX open. About {mv / 1000:.0f} V: a weak pull-up, "
        f"which wants a larger divider of the same ratio. About {harness.CHIP_MV / 1000:.1f} V: no divider, 1 kOhm in series",
    )
    yield held, f"{bus}_divider: OUT to GND", f"{behind[0]:.1f} to {behind[1]:.1f} V at rest"


def charger_load(station: Station) -> tuple[int, int, int]:
    """(Ohm, W, the supply's mA) for setting its end: by what the module must make of this panel."""
    supply = station.fittings.supply
    uw = supply["panel"]["vmp_mv"] * supply["panel"]["imp_ma"] * station.fittings.panels
    return CHARGER_LOADS[AS_SOLD_MA if uw <= AS_SOLD_MA * supply["battery"]["nominal_mv"] else 4000]


def _charger(station: Station) -> Iterator[Row]:
    charger = station.fittings.supply["charger"]
    end = f"{charger['output_mv'] / 1000:.2f} V"
    if charger["max_ma"] > TRIMMED_MA:
        yield "charger with a battery, no panel yet", "its own menu", f"end and float {end}, equalising off"
        return
    ohm, watt, ma = charger_load(station)
    yield (
        f"charger alone, {ohm} Ohm {watt} W at BAT and no battery, 20 V at PV limited to {ma / 1000:g} A",
        "BAT+ to BAT-",
        f"{end}, 0.05 V, and it stands still",
    )
    yield (
        "charger with a battery, 20 V at PV limited to 0.3 A",
        "PV+ to PV-",
        f"{hot_vmp_mv(station) / 1000:.1f} V, 0.2 V",
    )


def _alone(net: Net) -> Iterator[Row]:
    """Parts before they are built in."""
    station = net.station
    supply = station.fittings.supply
    nominal = supply["battery"]["nominal_mv"] / 1000
    to, low, high = (each / 1000 for each in five_mv(station))
    yield (
        f"regulator alone, {nominal:.1f} V at IN",
        "OUT+ to OUT-",
        f"{to:.2f} V, 1 %, set by its trimmer; a fixed one {low:.2f} to {high:.2f} V. Without a load and with 10 Ohm",
    )
    if "charger" in supply and "panel" in supply:
        yield from _charger(station)
    for part in net.small:
        if part.what.startswith("suppressor"):
            yield (
                f"{part.label}, the suppressor, alone",
                "diode test: red on the end without the band, then on the band",
                "0.4 to 0.8 V, then nothing",
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
