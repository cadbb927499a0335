"""Rules of what feeds a station and what it measures voltages with."""

from collections.abc import Iterator

from hardware import power
from hardware.boards import chips
from hardware.compile import Station
from hardware.harness import battery_mv, cold_mv, keys_of, loads, on_bus, outputs, rail_mv
from hardware.parts import Part
from hardware.rule import Finding, finding
from hardware.shape import Trail

_SHUNT_UV = 81_920
_STRONG_SUN = 125  # percent of a short circuit at standard conditions: clouds' edges
_RATIO_OFF = 100  # a hundredth
_DAY_MAH = 1.0
_MODULE_OVER = 105  # percent of its data sheet's voltage that a module may have


def supply_voltage(station: Station) -> Iterator[Finding]:
    source, supply = station.source, station.fittings.supply
    rows: list[tuple[Trail, str, tuple[int, int], tuple[int, int]]] = [
        (("supply", "regulator"), supply["regulator"].id, battery_mv(station), tuple(supply["regulator"]["input_mv"])),
        (("board",), station.source.values["board"], rail_mv(station, "5V"), tuple(station.board["supply_mv"])),
    ]
    for load in loads(station):
        rows.append(
            (load.trail, f"{load.part.id} on {load.rail}", rail_mv(station, load.rail), tuple(load.part["supply_mv"]))
        )
    for name, rail, switch in _switched(station):
        rows.append(
            (("fit", name, "switch"), f"{switch.id} on {rail}", rail_mv(station, rail), tuple(switch["supply_mv"]))
        )
    for trail, what, (low, high), (least, most) in rows:
        if low < least or high > most:
            said = f"{what} gets {low} to {high} mV and takes {least} to {most}"
            yield finding(source, "supply-voltage", trail, said)


def _switched(station: Station) -> Iterator[tuple[str, str, Part]]:
    """(name, rail, switch) of what is switched."""
    for name, _, fit in outputs(station):
        if fit.switch and fit.rail:
            yield name, fit.rail, fit.switch
    for name, row in station.pins.items():
        switch = station.fittings.fit(name).switch
        if "power" in row and switch:
            for rail in sorted({fitted.rail for _, fitted in on_bus(station, name) if fitted.rail}):
                yield name, rail, switch


def peaks_ua(station: Station) -> dict[str, int]:
    """The most that each rail is asked for at once: the board's 3.3 V regulator is a linear one on the 5 V, those come from the battery."""
    found = {
        "3V3": station.board["rail_peak_ua"],
        "5V": station.board["peak_ua"] - station.board["rail_peak_ua"],
        "battery": 0,
    }
    for load in loads(station):
        found[load.rail] += load.part["peak_ua"]
    supply = station.fittings.supply
    found["5V"] += found["3V3"]
    watts = found["5V"] * supply["regulator"]["output_mv"] * 100 // supply["regulator"]["efficiency_percent"]
    found["battery"] += watts // supply["battery"]["empty_mv"]
    return found


def supply_current(station: Station) -> Iterator[Finding]:
    peaks, supply = peaks_ua(station), station.fittings.supply
    battery = supply["battery"]["max_ma"] * station.fittings.batteries
    rows: tuple[tuple[str, str, Trail, str, int], ...] = (
        ("supply-current", "3V3", ("board",), "the board's regulator", station.board["rail_ma"]),
        ("supply-current", "5V", ("supply", "regulator"), supply["regulator"].id, supply["regulator"]["max_ma"]),
        ("battery-current", "battery", ("supply", "battery"), supply["battery"].id, battery),
    )
    for rule, rail, trail, giver, most in rows:
        if peaks[rail] > most * 1000:
            yield finding(
                station.source,
                rule,
                trail,
                f"{giver} gives {most} mA, and {rail} may be asked for {peaks[rail] // 1000}",
            )


def charger(station: Station) -> Iterator[Finding]:
    source, supply = station.source, station.fittings.supply
    if "charger" not in supply:
        return
    made, coldest = supply["charger"], station.fittings.coldest_c
    if "panel" not in supply:
        said = f"supply names {made.id} and no panel that feeds it"
        yield finding(source, "charger-alone", ("supply", "charger"), said)
    if made["output_mv"] > supply["battery"]["full_mv"]:
        said = f"{made.id} ends at {made['output_mv']} mV, {supply['battery'].id} is full at {supply['battery']['full_mv']}"
        yield finding(source, "charger-voltage", ("supply", "charger"), said)
    if "panel" not in supply or coldest is None:
        return
    cold = cold_mv(supply["panel"], coldest)
    most = cold * _MODULE_OVER // 100
    if most > made["input_max_mv"]:
        said = f"{supply['panel'].id} has {cold} mV at {coldest} degrees, {most} with 5 % for the module; {made.id} takes {made['input_max_mv']}"
        yield finding(source, "charger-voltage", ("supply", "charger"), said)
    gives = supply["panel"]["peak_mw"] * station.fittings.panels * 1000 // supply["battery"]["nominal_mv"]
    if gives > made["max_ma"]:
        said = f"{station.fittings.panels} of {supply['panel'].id} could charge with {gives} mA, {made.id} passes {made['max_ma']}"
        yield finding(source, "charger-current", ("supply", "charger"), said)


def ina226(station: Station) -> Iterator[Finding]:
    for i, sensor in enumerate(station.sensors):
        part = station.fittings.sensors[i].part
        if sensor["driver"] == "ina226" and part:
            yield from _ina226(station, i, part)


def _ina226(station: Station, i: int, part: Part) -> Iterator[Finding]:
    source, fittings, keys = station.source, station.fittings, keys_of(station, i)
    coldest = fittings.coldest_c if fittings.coldest_c is not None else 25
    most = part.get("bus_max_mv", 0)
    panel = any(key.startswith("panel_") for key in keys)
    watched = fittings.module if panel else fittings.supply.get("panel")
    volts, what = battery_mv(station)[1], "the battery"
    if watched and (panel or any(key.startswith("charger_") for key in keys)):
        volts, what = max(volts, cold_mv(watched, coldest)), f"{watched.id} at {coldest} degrees"
    if volts > most:
        said = f"sensors[{i + 1}] sees {volts} mV of {what}, and takes {most}"
        yield finding(source, "ina226-voltage", ("sensors", i), said)
    elif panel and volts * fittings.in_series > most:
        whole = volts * fittings.in_series
        said = f"sensors[{i + 1}] watches one of {fittings.in_series} modules in series: {whole} mV against its ground, and takes {most}"
        yield finding(source, "ina226-common-mode", ("array", "in_series"), said)
    amps = _shunt_ma(station, keys, watched if panel or "charger_current" in keys else None)
    if amps * abs(station.sensors[i]["shunt_uohm"]) // 1000 > _SHUNT_UV:
        uv = amps * abs(station.sensors[i]["shunt_uohm"]) // 1000
        said = f"sensors[{i + 1}]: {amps} mA over {station.sensors[i]['shunt_uohm']} uOhm are {uv} uV"
        yield finding(source, "ina226-shunt", ("sensors", i, "shunt_uohm"), said)


def _shunt_ma(station: Station, keys: list[str], watched: Part | None) -> int:
    if any(key.startswith("siren_current") for key in keys):
        siren = station.fittings.fit("siren").part
        return int(siren["peak_ua"] // 1000) if siren else 0
    if watched is None:
        return 0
    if watched is station.fittings.module:
        return int(watched["isc_ma"]) * _STRONG_SUN // 100
    made = station.fittings.supply.get("charger")
    return int(made["max_ma"]) if made else 0


def battery_divider(station: Station) -> Iterator[Finding]:
    source, supply = station.source, station.fittings.supply
    chip = chips()[station.board["chip"]]
    for i, sensor in enumerate(station.sensors):
        if sensor["driver"] != "battery":
            continue
        name, ratio = sensor["bus"], sensor["ratio_milli"]
        pins = (station.pins[name]["pin"],)
        low, high = (mv * 1000 // ratio for mv in battery_mv(station))
        if low < chip["adc_mv"][0] or high > chip["adc_mv"][1]:
            said = f"{name} gets {low} to {high} mV, and {station.board['chip']} tells {chip['adc_mv'][0]} to {chip['adc_mv'][1]} apart"
            yield finding(source, "adc-range", ("sensors", i, "ratio_milli"), said, pins)
        dividers = station.fittings.fit(name).has("divider")
        if not dividers:
            yield finding(
                source,
                "divider-ratio",
                ("fit", name),
                f"{name} has no divider between its pin and the battery",
                pins,
                reason=f"the battery's {battery_mv(station)[1]} mV on a pin that takes {chip['high_mv']} kill the chip",
                advice=f'through = ["divider_470k_100k"] in [fit.{name}], and its ratio_milli',
            )
            continue
        whole = dividers[0]["top_ohm"] + dividers[0]["bottom_ohm"]
        is_milli = whole * 1000 // dividers[0]["bottom_ohm"]
        if abs(is_milli - ratio) * _RATIO_OFF > ratio:
            said = f"{dividers[0].id} divides by {is_milli / 1000:g}, ratio_milli says {ratio / 1000:g}"
            yield finding(source, "divider-ratio", ("sensors", i, "ratio_milli"), said, pins)
        mah = supply["battery"]["nominal_mv"] / whole * 24
        if mah > _DAY_MAH:
            yield finding(
                source, "battery-divider", ("fit", name, "through"), f"{dividers[0].id} takes {mah:.1f} mAh a day", pins
            )


def autonomy(station: Station) -> Iterator[Finding]:
    """As the settings stand, and with the siren's reserve kept back."""
    found = power.budget(station)
    row = power.in_force(found)
    if not row["battery_suffices"]:
        said = (
            f"{found['has_mah']} mAh last {row['autonomy_days']:g} days {row['profile']} at {row['mah_day']:g} mAh a day, "
            f"{found['siren_reserve_mah']} mAh kept for {found['siren_h']:g} h of siren; wanted are {found['days_wanted']} days: "
            f"{row['battery_needed_mah']} mAh, {row['battery']}"
        )
        yield finding(station.source, "autonomy", ("supply", "battery"), said)


ALL = (supply_voltage, supply_current, charger, ina226, battery_divider, autonomy)
