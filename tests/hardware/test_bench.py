"""What a multimeter must show, and the order of the work round it: each row from the station's own parts, each trap of the bench out of the pages."""

import re
from pathlib import Path

import pytest

from hardware import bench, copper, harness
from hardware.bom import Bom
from hardware.compile import Station, shipped
from hardware.net import Net, Wire, colours
from hardware.parts import parts
from hardware.power import budget
from hardware.rules_power import peaks_ua
from hardware.shape import ROOM
from node import duty
from tests.hardware.build_pages import PAGES
from tests.hardware.changed import station
from waspada.station import load

README = ROOM / "README.md"


def rows(one: Station, *words: str) -> list[str]:
    return [row for row in bench.meter_rows(one) if all(word in row for word in words)]


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def joined(text: str) -> str:
    return " ".join(text.split())


def step(number: int) -> str:
    """A step of the first station, as one line."""
    found = re.search(rf"^## {number}\. .*?(?=^## )", page("first_station"), re.S | re.M)
    assert found
    return joined(found[0])


# The 5 V: OUT within what the board takes, also of a converter that nobody can set.


@pytest.mark.parametrize("name", shipped())
def test_a_regulator_that_fits_its_row_feeds_the_board(name: str) -> None:
    one = load(name)
    least, most = one.board["supply_mv"]
    to, low, high = bench.five_mv(one)
    assert least <= low < to < high <= most and least <= to * 99 // 100 and to * 101 // 100 <= most
    assert len(rows(one, "regulator alone", f"{low / 1000:.2f} to {high / 1000:.2f} V")) == 1


def test_a_fixed_converter_of_four_percent_serves_the_river_gauge_and_not_the_modem() -> None:
    assert bench.five_mv(load("river_gauge")) == (5000, 4800, 5200)
    assert bench.five_mv(load("river_gauge_lte"))[1] == 5000
    assert "4.80 to 5.20 V serve" in step(3)
    to = bench.five_mv(load("river_gauge_lte"))[0]
    assert f"{to / 1000:.2f} V" in joined(page("first_station"))


def test_the_row_names_the_terminal_that_the_board_has_and_the_wire_ends_there() -> None:
    for name, pin in (("river_gauge", "5V"), ("river_gauge_lte", "VBUS")):
        assert rows(load(name), f"board's socket: {pin} to GND")
        assert {wire.target[1] for wire in Net(load(name)).wires if wire.target[0] == "board" and wire.sign == "+"} == {
            pin
        }


# Resistors and contacts that somebody forgets.


@pytest.mark.parametrize("name", shipped())
def test_each_resistor_to_3v3_has_its_row(name: str) -> None:
    one = load(name)
    wanted = {bus for bus, fit in one.fittings.fits.items() if fit.pull_up_ohm}
    assert {bus for bus in wanted if rows(one, f"({bus}) to ", "board out")} == wanted
    contacts = {sensor["bus"] for sensor, fitted in zip(one.sensors, one.fittings.sensors, strict=True)
                if fitted.part and fitted.part["line"] == "contact"}  # fmt: skip
    assert all(rows(one, f"{bus}: a to b") for bus in contacts)


def test_a_pull_up_that_the_file_has_not_is_not_asked_for() -> None:
    assert rows(load("rain_gauge"), "GPIO27 (rain) to 3V3", "100 kOhm, 5 %")
    assert not rows(station("rain_gauge", ("pull_up_ohm = 100000\n", "")), "GPIO27 (rain) to")


def test_a_carrier_without_its_resistor_passes_and_a_siren_without_one_does_not() -> None:
    one = load("river_gauge")
    (sensor,), (siren,) = rows(one, "(uart1) to GND"), rows(one, "(siren) to GND")
    assert "9.1 kOhm" in sensor and "to 10.0 where the switch's carrier has none" in sensor
    assert "5.0 kOhm" in siren and "10.0" not in siren and "10.0 at siren or strobe means" in step(7)


# Switched on by hand, before the board is risked.


@pytest.mark.parametrize("name", shipped())
def test_each_switch_is_proved_on_as_well_as_off(name: str) -> None:
    one = load(name)
    for bus, fit in one.fittings.fits.items():
        if fit.switch and (fit.part or any(each.rail != "3V3" for _, each in harness.on_bus(one, bus))):
            (on, *_) = rows(one, bench.BY_HAND, f" {bus}: ")
            pins = one.source.values["pins"][bus]
            assert f"GPIO{pins.get('power', pins.get('pin'))} to GND" in on and "over " in on
        elif fit.switch:
            assert not rows(one, bench.BY_HAND, f" {bus}: "), "without the board its 3.3 V are not there"


def test_the_cells_are_no_more_than_the_chip_and_enough_for_every_switch() -> None:
    least, most = (float(each) * 1000 for each in re.findall(r"\d\.\d", bench.BY_HAND))
    assert most <= harness.CHIP_MV
    assert all(part["on_at_mv"] < least for part in parts("circuits").values() if part.kind == "switch")


def test_a_rangers_line_at_rest_is_measured_before_and_behind_its_divider() -> None:
    one = load("river_gauge")
    assert rows(one, "uart1_divider: IN to GND", "4.5 V or more at rest")
    assert rows(one, "uart1_divider: OUT to GND", "3.0 to 3.5 V at rest")
    about = parts("sensors")["a02yyuw"]["about"]
    assert "4.5 V or more at rest" in about and "3.0 to 3.5 V" in about


def test_a_line_that_rests_too_low_has_its_two_causes_in_the_row() -> None:
    net = Net(load("river_gauge"))
    pairs = list(dict.fromkeys((wire.source[0], wire.target[0]) for wire in net.wires))
    number = pairs.index(("uart1_divider", "uart1_a02yyuw")) + 1
    (row,) = rows(net.station, "uart1_divider: IN to GND")
    assert f"lift W{number} and" in row and "About 5 V: a weak pull-up" in row and "About 3.3 V: no divider" in row


@pytest.mark.parametrize("name", shipped())
def test_what_the_boards_own_rail_feeds_is_proved_with_the_board_in(name: str) -> None:
    one = load(name)
    for bus, fit in one.fittings.fits.items():
        if fit.switch and not fit.part:
            own = all(each.rail == "3V3" for _, each in harness.on_bus(one, bus))
            assert bool(rows(one, "board in, `level 5` running", f"{bus}: V+", "3.2 to 3.4 V")) == own
            assert bool(rows(one, "board out", f"{bus}: V+", "0.0 V")) != own, "without the board 0.0 V prove nothing"


# A switched minus: 12 V stand on it while it is off.


@pytest.mark.parametrize("name", shipped())
def test_a_core_that_touches_earth_is_found_before_it_sounds_for_ever(name: str) -> None:
    one = load(name)
    for bus, fit in one.fittings.fits.items():
        if fit.part and fit.switch:
            outside = fit.cable_cm > copper.OUTSIDE_CM
            assert len(rows(one, f"{bus}: -, red on it, to its bracket", "fuse blown")) == outside
            (off,) = rows(one, f"| {bus}: + to - |", "board out |")
            assert "0.0 V" in off and "Against GND both have about 12.8 V" in off


def test_a_line_whose_current_is_watched_passes_with_its_chip_on_it() -> None:
    one = load("weather_pole")
    assert rows(one, "siren: -, red on it", "over 0.5 MOhm") and rows(one, "strobe: -, red on it", "over 1 MOhm")


# Which way round, and what is fed when.


@pytest.mark.parametrize("name", shipped())
def test_each_source_is_measured_before_it_meets_anything(name: str) -> None:
    one = load(name)
    table = bench.meter_rows(one)
    batteries = copper.batteries(one)
    for battery in batteries:
        label = copper.fuse_of(one, battery).label
        (row,) = rows(one, f"{battery} at its wires, {label} not yet in", "+12.5 to +13.8 V")
        assert table.index(row) < table.index(rows(one, "board in, running")[0])
    free = [copper.fuse_of(one, battery).label for battery in batteries[1:]]
    assert all(len(rows(one, "free wires, red to black", f"{label} is out")) == 1 for label in free)
    assert len(rows(one, "free wires, red to black")) == len(free), "a station of one battery has none"
    (row,) = rows(one, "panel's wires free, in the sun")
    least, most = (int(each) * 1000 for each in re.findall(r"\+(\d+)", row))
    assert (
        harness.battery_mv(one)[1]
        < least
        < bench.hot_vmp_mv(one) + 1500
        < one.fittings.supply["panel"]["voc_mv"]
        < most
    )


def test_the_order_of_fuses_is_the_river_gauges() -> None:
    label = {fuse.of: fuse.label for fuse in copper.placed(load("river_gauge"))}
    other, siren = label["battery2"], label["siren"]
    assert f"but for {other}: each other battery's stays out" in step(7) and "stay taped until step 9" in step(6)
    assert f"**{label['battery1']}, {other} and the siren's {siren} out**" in step(9)
    assert f"panel off, {label['battery1']} and {other} out" in step(9)
    assert f"{label['battery1']}, {other} and {siren} out and taped" in step(10)
    site = joined(page("acceptance").split("## On the site")[1])
    assert f"the regulator's fuse out ({label['regulator']} of the river gauge)" in site
    words = (
        "siren's fuse out",
        "batteries' fuses in",
        "panel last",
        "commission;",
        "fuse in at the console's step Siren",
    )
    assert [site.index(word) for word in words] == sorted(site.index(word) for word in words)
    assert "Siren" in (ROOM.parent / "docs" / "commissioning.md").read_text(encoding="utf-8")


def test_the_cores_of_a_cable_have_the_lists_colours() -> None:
    wires = [Wire(("a", sign), ("b", sign), sign, 150, "0.75") for sign in ("+", "-", "tx")]
    red, black, first = colours(wires)
    assert f"core 1 is {red}, 2 is {black}, 3 is {first}" in page("enclosure")


# Parts alone: what can be set, and what hides in the box.


@pytest.mark.parametrize("name", shipped())
def test_a_charger_is_set_on_a_load_that_it_does_not_end_at(name: str) -> None:
    one = load(name)
    charger = one.fittings.supply["charger"]
    if charger["max_ma"] > bench.TRIMMED_MA:
        assert rows(one, "its own menu", "13.80 V") and not rows(one, "Ohm 5 W at BAT")
        return
    ohm, watt, ma = bench.charger_load(one)
    assert rows(one, f"charger alone, {ohm} Ohm {watt} W at BAT", f"limited to {ma / 1000:g} A", "13.80 V")
    module = next(most for most, row in bench.CHARGER_LOADS.items() if row[0] == ohm)
    end = charger["output_mv"]
    assert end / ohm > module * 0.095 * 1.2, "at 9.5 % of its current it ends"
    assert end * end / ohm / 1e6 < watt and end * end / ohm / 1e6 < 20 * ma / 1000 * 0.8, "resistor and supply bear it"


def test_the_charger_of_the_first_station_is_set_as_its_row_has_it() -> None:
    ohm, watt, ma = bench.charger_load(load("river_gauge"))
    assert f"{ohm} Ohm of {watt} W at BAT+" in step(3) and f"20 V, {ma / 1000:g} A at PV+" in step(3)
    ohm, watt, ma = bench.CHARGER_LOADS[4000]
    assert f"ends at 0.38 A: {ohm} Ohm of {watt} W, and {ma / 1000:g} A" in step(3)
    assert "13.75 to 13.85 V" in page("acceptance")


def test_the_suppressor_is_tested_alone_since_the_chargers_diode_hides_it() -> None:
    one = load("river_gauge")
    label = next(part.label for part in Net(one).small if part.what.startswith("suppressor"))
    assert rows(one, f"{label}, the suppressor, alone", "0.4 to 0.8 V, then nothing")
    assert rows(one, "diode test, red on -", "0.1 to 0.8 V") and "alone first, diode test both ways" in step(5)


def test_a_modems_bursts_are_tried_with_a_modems_current() -> None:
    one = load("river_gauge_lte")
    (row,) = rows(one, f"{bench.BURST_OHM} Ohm 10 W")
    to, watt = bench.five_mv(one)[0] / 1000, bench.five_mv(one)[0] ** 2 / bench.BURST_OHM / 1e6
    assert "5.0 V or more" in row and watt < 10 and watt < 12.8 * 1.5 * 0.8, "resistor and supply bear it"
    assert f"({to / bench.BURST_OHM:.1f} A)" in page("first_station").split("## By LTE")[1]
    assert not rows(load("river_gauge"), f"{bench.BURST_OHM} Ohm")
    assert step(2).index("its aerials on before") < step(2).index("waspada flash")


def test_a_rain_gauge_is_tipped_by_hand() -> None:
    tip_nm = next(sensor["tip_nm"] for sensor in load("rain_gauge").sensors if sensor["driver"] == "tipping_bucket")
    assert f"ten tips by hand are {tip_nm * 10 / 1e6:.3f} mm more of `rain`" in joined(page("acceptance"))


# Current: awake is not asleep.


def test_a_sleeping_stations_current_is_taken_once_it_sleeps() -> None:
    sleeper = station("rain_gauge", ("[settings]", '[settings]\n"power.profile" = "1"\n"radio.interval" = "7200 s"'))
    (row,) = rows(sleeper, "board in, running")
    awake, asleep = (each["mah_day"] / 24 for each in budget(sleeper)["profiles"])
    assert asleep * 1.5 < awake, "else ten minutes after a boot would do"
    assert f"{asleep:.1f} mA on the mean of 120 minutes" in row and "from the sixth minute" in row
    assert f"first {bench.AWAKE_S // 60} minutes" in row and f"{awake:.0f} mA" in row
    (always,) = rows(load("rain_gauge"), "board in, running")
    assert "ten minutes" in always and "sixth" not in always


def test_a_station_stays_awake_after_a_boot_as_long_as_the_firmware_has_it() -> None:
    assert re.search(rf"^_AWAKE_S = {bench.AWAKE_S}\b", Path(duty.__file__).read_text(encoding="utf-8"), re.M)


def test_a_station_that_never_sleeps_is_measured_as_one_that_is_always_on() -> None:
    (row,) = rows(station("pv_monitor", ("[settings]", '[settings]\n"power.profile" = "1"')), "board in, running")
    assert "ten minutes" in row


def test_the_pages_say_how_a_station_is_made_to_sleep() -> None:
    said = joined(page("README"))
    assert '"power.profile" = "1" # 0: always on; 1: asleep between two samples' in said
    assert "`login PIN`, `set power.profile 1`, `save`, `reboot`" in said
    assert f"awake for {['no', 'one', 'two', 'three', 'four', 'five'][bench.AWAKE_S // 60]} minutes after each boot" in joined(page("acceptance"))  # fmt: skip


# The order of the work.


def test_the_siren_has_no_fuse_while_the_ranger_sees_the_bench() -> None:
    said = step(8)
    assert said.index("siren's fuse out") < said.index("Board into the carrier")
    one = load("river_gauge")
    nearer = harness.setting(one, "sensor.height") - harness.setting(one, "level.danger")
    assert f"({nearer / 1000:.1f} m here) is danger" in said
    lines = page("acceptance").splitlines()
    (resets,) = (line for line in lines if line.startswith("4. **Ten"))
    assert "fuse in, ears protected" in resets and "level sensor's red wire pulled" in resets
    at = {word: next(i for i, line in enumerate(lines) if word in line)
          for word in ("Then the siren's fuse out", "tells", "The siren's fuse in, **ears protected")}  # fmt: skip
    assert sorted(at.values()) == list(at.values()), "resets, then the board before the ranger, then the alarm"


def test_the_bench_supply_gives_all_loads_at_once() -> None:
    for name, said in (("river_gauge", "may want 2.2"), ("river_gauge_lte", "alarm wants 2.9 A")):
        one = load(name)
        supply = one.fittings.supply
        uw = (
            peaks_ua(one)["5V"]
            * supply["regulator"]["output_mv"]
            // 1000
            * 100
            / supply["regulator"]["efficiency_percent"]
        )
        beside = sum(each.part["peak_ua"] for each in harness.loads(one) if each.rail == "battery")
        needs = (uw * 1000 / supply["battery"]["nominal_mv"] + beside) / 1e6
        assert 2 < needs < 3 and f"{said}" in page("first_station") and f"{needs:.1f}" in said
    assert "limit 3 A" in step(8) and "12.8 V and 3 A" in joined(page("acceptance"))
    assert "current limit to 3 A" in page("first_station")


def test_usb_and_five_volts_never_meet_on_the_bench() -> None:
    bench_part = page("acceptance").split("## On the site")[0]
    assert bench_part.index("never both") < bench_part.index("1. ")
    assert "waspada flash" not in bench_part, "step 2 has flashed it"


def test_what_wants_the_battery_comes_behind_it() -> None:
    said = joined(page("acceptance").split("## On the site")[0])
    assert "9 to 12 with battery and panel, after [step 9]" in said
    assert "its lines 1 to 8. Its last four" in step(8) and "Lines 9 to 12" in step(9)
    lines = ((9, "Current"), (10, "24 h"), (11, "Water"), (12, r"\*\*Once for each type of battery"))
    assert all(re.search(rf" {number}\. {word}", said) for number, word in lines)
    assert "line 12, tries it once for each type of battery" in joined(page("enclosure"))


# By LTE, and what stands in place of a battery.


def test_lte_can_be_built_from_the_pages() -> None:
    bought = {row.part: row.figures for row in Bom(load("river_gauge_lte")).rows}
    assert "SIM card" in bought["sim"]["name"]
    said = joined(page("first_station").split("## By LTE")[1])
    assert "6.5 mm" in said and "6.5 mm" in bought["lte_aerial"]["about"] and "6.5 mm" in page("enclosure")
    assert "[lte] apn =" in said and "SIM first, aerials on, then power" in said and "**VBUS**" in said
    assert "`[lte]`" in README.read_text(encoding="utf-8")
    assert not {"sim", "lte_aerial"} & {row.part for row in Bom(load("river_gauge")).rows}
    used = {pin for row in load("river_gauge_lte").source.values["pins"].values() for pin in row.values()}
    assert {21, 22} <= used and "Without GPS" in load("river_gauge_lte").board["about"], "its GPS module drives them"


def test_no_lead_acid_of_the_same_size_stands_for_lithium() -> None:
    """Half of it is usable: 2 of 7 Ah give less than what 2 of 6 Ah must, and four do not fit the box."""
    for part in parts("supplies").values():
        for source in part["sources"] if part.kind == "battery" else ():
            assert "VRLA" not in source and ("lead-acid" not in source or "twice the capacity" in source)


def test_the_pages_begin_with_a_file_of_ones_own_and_say_what_a_site_wants() -> None:
    assert "cp hardware/stations/river_gauge.toml my_gauge.toml" in step(1)
    for text in (page("README"), page("first_station")):
        assert "pip install -e '.[pv]'" in text and "60 km" in text and "my_place.toml" in text
