"""Rules of the lines between board and sensors: levels, I2C, RS485."""

from collections.abc import Iterator

from hardware.boards import chips
from hardware.compile import Station
from hardware.drivers import DRIVERS
from hardware.fittings import Fitting
from hardware.harness import CHIP_MV, on_bus, outputs, rail_mv
from hardware.parts import Part
from hardware.rule import Finding, finding
from hardware.shape import Trail

_SINK_UA = 3000
_RISE_NS = {True: 1000, False: 300}  # up to 100 kHz, above
_RISE = 0.8473  # of RC, from 0.3 to 0.7 of the supply
_MOST_PF = 400
_CHIP_PF = 10
_PF_A_CM = 1
_UNIT_LOADS_MILLI = 32_000
_SHORT_CM = 1000
_LONG_CM = {True: 100_000, False: 10_000}  # up to 19200 baud, above
_SLOW_BAUD = 19_200
_KHZ = 100
_GATE_MV = CHIP_MV * 8 // 10  # a pin's 1 under load


def logic_level(station: Station) -> Iterator[Finding]:
    for name, row in station.pins.items():
        fit = station.fittings.fit(name)
        pins = tuple(row[member] for member in ("rx", "tx", "sda", "scl", "pin") if member in row)
        for i, fitted in on_bus(station, name):
            part = fitted.part
            if part and part["line"] in ("ttl", "i2c", "onewire"):
                yield from _levels(station, fit, part, fitted.rail or "3V3", ("sensors", i, "rail"), pins)
        if row["kind"] in ("i2c", "onewire", "pulses", "switch") and fit.rail and not fit.has("shifter"):
            yield from _high(
                station,
                rail_mv(station, fit.rail)[1],
                f"{name} is pulled up to {fit.rail}",
                ("fit", name, "rail"),
                pins,
            )
        if fit.switch and fit.switch["on_at_mv"] > _GATE_MV:
            said = f"{fit.switch.id} wants {fit.switch['on_at_mv']} mV at {name}, and a pin gives {_GATE_MV}"
            yield finding(station.source, "logic-level", ("fit", name, "switch"), said, pins)


def _levels(
    station: Station, fit: Fitting, part: Part, rail: str, trail: Trail, pins: tuple[int, ...]
) -> Iterator[Finding]:
    """A part's own 1 as the chip gets it, and the chip's as the part does."""
    high = part["high_mv"] or rail_mv(station, rail)[1]
    sent = CHIP_MV
    if fit.has("shifter"):
        high, sent = min(high, CHIP_MV), max(high, CHIP_MV)
    for divider in fit.has("divider"):
        high = high * divider["bottom_ohm"] // (divider["top_ohm"] + divider["bottom_ohm"])
    if part["line"] == "ttl" or part.get("pull_up_ohm"):
        yield from _high(station, high, f"{part.id} on {rail} sends {high} mV", trail, pins)
    if part["line"] == "ttl" and high < chips()[station.board["chip"]]["takes_high_mv"]:
        said = f"{part.id} on {rail} reaches the pin with {high} mV, and the chip reads a 1 from {chips()[station.board['chip']]['takes_high_mv']}"
        yield finding(station.source, "logic-level", trail, said, pins)
    if sent < part["takes_high_mv"]:
        said = f"{part.id} takes a 1 from {part['takes_high_mv']} mV, and gets {sent}"
        yield finding(station.source, "logic-level", trail, said, pins)


def _high(station: Station, high: int, said: str, trail: Trail, pins: tuple[int, ...]) -> Iterator[Finding]:
    most = chips()[station.board["chip"]]["high_mv"]
    if high > most:
        text = f"{said}; {station.board['chip']} takes {most} mV at most on {', '.join(map(str, pins))}"
        yield finding(station.source, "logic-level", trail, text, pins)


def i2c(station: Station) -> Iterator[Finding]:
    for name, row in station.pins.items():
        if row["kind"] == "i2c":
            yield from _i2c_bus(station, name, (row["sda"], row["scl"]), row.get("khz", _KHZ))


def _i2c_bus(station: Station, name: str, pins: tuple[int, ...], khz: int) -> Iterator[Finding]:
    source, fit = station.source, station.fittings.fit(name)
    parts = [(i, fitted.part) for i, fitted in on_bus(station, name) if fitted.part]
    chips_there = {_address(station, i): part for i, part in parts}  # several sensors may be one converter
    for i, part in parts:
        if _address(station, i) not in part["addresses"]:
            said = f"{part.id} can't have address {_address(station, i):#x}; it has {', '.join(map(hex, part['addresses']))}"
            yield finding(source, "i2c-address", ("sensors", i, "address"), said, pins)
        if khz > part["max_khz"]:
            said = f"{name} runs at {khz} kHz, {part.id} at {part['max_khz']} at most"
            yield finding(source, "i2c-speed", ("pins", name, "khz"), said, pins)
    pf = _CHIP_PF + sum(part["pf"] for part in chips_there.values()) + fit.cable_cm * _PF_A_CM
    if pf > _MOST_PF:
        said = f"{name} has {pf} pF: {len(chips_there)} modules and {fit.cable_cm} cm"
        yield finding(source, "i2c-capacitance", ("fit", name), said, pins)
    ups = [ohm for ohm in (fit.pull_up_ohm, *(part["pull_up_ohm"] for part in chips_there.values())) if ohm]
    if not ups:
        yield finding(source, "i2c-pull-up", ("fit", name), f"{name} has no pull-up", pins)
        return
    ohm = 1 / sum(1 / each for each in ups)
    rise = _RISE * ohm * pf / 1000
    if CHIP_MV * 1000 / ohm > _SINK_UA:
        said = f"{name} is pulled up by {ohm:.0f} Ohm, of {len(ups)} pairs in parallel: {CHIP_MV / ohm:.1f} mA to sink"
        yield finding(source, "i2c-pull-up", ("fit", name), said, pins)
    elif rise > _RISE_NS[khz <= _KHZ]:
        said = (
            f"{name} rises in {rise:.0f} ns with {ohm:.0f} Ohm and {pf} pF, and {khz} kHz want {_RISE_NS[khz <= _KHZ]}"
        )
        yield finding(source, "i2c-pull-up", ("fit", name), said, pins)


def _address(station: Station, number: int) -> int:
    sensor = station.sensors[number]
    return int(sensor.get("address") or DRIVERS[sensor["driver"]].address or 0)


def rs485(station: Station) -> Iterator[Finding]:
    for name, row in station.pins.items():
        if row["kind"] != "uart":
            continue
        source, fit, pins = station.source, station.fittings.fit(name), (row["rx"], row["tx"])
        transceivers = fit.has("rs485")
        there = [fitted.part for _, fitted in on_bus(station, name) if fitted.part]
        speaking = [part for part in there if part["line"] == "rs485"]
        if bool(speaking) != bool(transceivers) and there:
            said = f"{name} has {len(transceivers)} transceivers and {len(speaking)} of {len(there)} parts on RS485"
            yield finding(source, "rs485-transceiver", ("fit", name), said, pins)
        load = sum(part["unit_milli"] for part in [*speaking, *transceivers])
        if load > _UNIT_LOADS_MILLI:
            said = f"{name} carries {load / 1000:g} unit loads"
            yield finding(source, "rs485-load", ("fit", name), said, pins)
        baud = row.get("baud", 9600)
        if speaking and fit.cable_cm > _LONG_CM[baud <= _SLOW_BAUD]:
            said = f"{name} has {fit.cable_cm / 100:g} m of cable at {baud} baud, and {_LONG_CM[baud <= _SLOW_BAUD] / 100:g} m are the most"
            yield finding(source, "rs485-length", ("fit", name, "cable_cm"), said, pins)
        ends = sum(part["terminates"] for part in transceivers) + fit.terminated
        if speaking and fit.cable_cm > _SHORT_CM and ends < 2:
            said = f"{name} has {fit.cable_cm} cm of cable and 120 Ohm at {ends} of its two ends"
            yield finding(source, "rs485-termination", ("fit", name), said, pins)


def switch_current(station: Station) -> Iterator[Finding]:
    """Of outputs, and of what a UART's power switches."""
    behind = [(name, fit, [fit.part] if fit.part else []) for name, _, fit in outputs(station)]
    for name, row in station.pins.items():
        if "power" in row:
            parts = [fitted.part for _, fitted in on_bus(station, name) if fitted.part]
            behind.append((name, station.fittings.fit(name), parts))
    for name, fit, parts in behind:
        peak = sum(part["peak_ua"] for part in parts)
        if fit.switch and peak > fit.switch["max_ma"] * 1000:
            said = f"{fit.switch.id} at {name} gives {fit.switch['max_ma']} mA, its load takes {peak // 1000}"
            yield finding(station.source, "switch-current", ("fit", name, "switch"), said)


ALL = (logic_level, i2c, rs485, switch_current)
