"""Rules of what hangs on an output, a converter or a battery: the wrong load, the wrong side switched, a loop's voltage, frost."""

from collections.abc import Iterator

from hardware import copper
from hardware.compile import Station
from hardware.harness import battery_mv, loads, on_bus, outputs, rail_mv, setting
from hardware.net import Wire, square_mm2
from hardware.parts import parts
from hardware.rule import Finding, finding

_LOADS = {
    "siren": ("siren", "lamp"),
    "strobe": ("strobe", "lamp"),
    "led": ("lamp",),
}  # what the firmware switches by itself
_RELAYS = ("valve", "lamp")
_FAILED_UA = 22_000  # a transmitter's fault, by NAMUR NE 43 above 21 mA
_COUNTED_MOHM = 100_000  # a shunt of that is in a transmitter's supply_mv
_INPUT_OVER_MV = 300
_FROST_C = 0
_BUCKET = (
    "a tipping bucket",
    "ice fills the bucket, and its melting counts as rain on a dry day",
    "a heated bucket; leave it where nobody relies on it in frost, and say so in the warning plan",
)
_RANGER = (
    "an ultrasonic ranger",
    "ice or snow on its face, and ice on the river, are echoes that are no level",
    "a radar; leave it where nobody relies on it in frost, and say so in the warning plan",
)
_FREEZES = {"tipping_bucket": _BUCKET, "a02yyuw": _RANGER, "maxbotix": _RANGER}  # what it is, why, what to do
_LITHIUM = ("lifepo4", "li-ion")


def output_load(station: Station) -> Iterator[Finding]:
    for name, pin, fit in outputs(station):
        kinds = _LOADS.get(name, _RELAYS)
        if fit.part and fit.part.kind not in kinds:
            said = f"{name} on {pin} switches {fit.part.id}, a {fit.part.kind}; it can be a {' or a '.join(kinds)}"
            yield finding(station.source, "output-load", ("fit", name, "part"), said, (pin,))


def switch_side(station: Station) -> Iterator[Finding]:
    for name, row in station.pins.items():
        fit = station.fittings.fit(name)
        if "power" in row and fit.switch and fit.switch["side"] == "low" and on_bus(station, name):
            said = f"{fit.switch.id} cuts the ground of what is on {name}"
            yield finding(station.source, "switch-side", ("fit", name, "switch"), said, (row["power"],))
    for name, pin, fit in outputs(station):
        if fit.switch and fit.switch["side"] == "high":
            lows = ", ".join(part.id for part in parts("circuits").values() if part.get("side") == "low")
            said = f"{fit.switch.id} cuts the plus of {name} on {pin}"
            why = "an output is wired with its switch in the load's minus: the pin to GATE, the load from OUT+ to OUT-, which this one has not"
            advice = f"a switch in its minus: {lows}"
            yield finding(
                station.source, "switch-side", ("fit", name, "switch"), said, (pin,), reason=why, advice=advice
            )


def loop_voltage(station: Station) -> Iterator[Finding]:
    for i, (sensor, fitted) in enumerate(zip(station.sensors, station.fittings.sensors, strict=True)):
        if "shunt_mohm" not in sensor or not fitted.part or not fitted.rail:
            continue
        most = rail_mv(station, fitted.rail)[1] + _INPUT_OVER_MV
        falls = _FAILED_UA * sensor["shunt_mohm"] // 1_000_000
        trail = ("sensors", i, "shunt_mohm")
        if falls > most:
            said = f"a fault's 22 mA make {falls} mV over the shunt, and {fitted.part.id} on {fitted.rail} takes {most}"
            yield finding(station.source, "loop-voltage", trail, said)
        if fitted.probe and fitted.probe_rail:
            beyond = _FAILED_UA * max(0, sensor["shunt_mohm"] - _COUNTED_MOHM) // 1_000_000
            left = rail_mv(station, fitted.probe_rail)[0] - beyond
            if left < fitted.probe["supply_mv"][0]:
                least = fitted.probe["supply_mv"][0]
                said = f"{fitted.probe.id} on {fitted.probe_rail} keeps {left} mV beside a shunt larger than 100 Ohm, and takes {least} with one of 100"
                yield finding(station.source, "loop-voltage", trail, said)


def cable_drop(station: Station) -> Iterator[Finding]:
    """At the end of each load's cable, with the battery empty and the load's most."""
    for load in loads(station):
        cm = station.fittings.fit(load.name).cable_cm
        least, ua = load.part["supply_mv"][0], load.part["peak_ua"]
        rail = rail_mv(station, load.rail)[0]
        if load.part.kind == "rs485" or rail < least:
            continue
        square = square_mm2(ua)
        left = rail - copper.drop_mv(Wire(("", ""), ("", ""), "+", cm, square), ua)
        if left < least:
            said = f"{load.part.id} at the end of {cm / 100:g} m of {square} mm2 gets {left} mV at {ua // 1000} mA, and takes {least}"
            yield finding(station.source, "cable-drop", ("fit", load.name, "cable_cm"), said)


def battery_low(station: Station) -> Iterator[Finding]:
    empty, full = battery_mv(station)
    low = setting(station, "battery.low")
    if not empty < low < full:
        said = f"battery.low is {low} mV, and the battery lives from {empty} to {full}"
        yield finding(station.source, "battery-low", ("settings", "battery.low"), said)


def cold_charge(station: Station) -> Iterator[Finding]:
    supply, coldest = station.fittings.supply, station.fittings.coldest_c
    battery = supply["battery"]
    if "charger" in supply and coldest is not None and coldest < _FROST_C and battery["chemistry"] in _LITHIUM:
        if not battery.get("cold_cut_off"):
            said = f"{battery.id} would be charged at {coldest} degrees"
            yield finding(station.source, "cold-charge", ("supply", "battery"), said)


def frost(station: Station) -> Iterator[Finding]:
    coldest = station.fittings.coldest_c
    for i, sensor in enumerate(station.sensors):
        if coldest is not None and coldest < _FROST_C and sensor["driver"] in _FREEZES:
            what, why, advice = _FREEZES[sensor["driver"]]
            said = f"sensors[{i + 1}], {what}, stands in {coldest} degrees"
            yield finding(station.source, "frost", ("sensors", i), said, reason=why, advice=advice)


def modem_current(station: Station) -> Iterator[Finding]:
    if station.access.get("access") == "lte" and "modem" not in station.board:
        said = f"{station.board['name']} has no modem, and no table here says what the one beside it takes"
        yield finding(station.source, "modem-current", ("access",), said)


ALL = (output_load, switch_side, loop_voltage, cable_drop, battery_low, cold_charge, frost, modem_current)
