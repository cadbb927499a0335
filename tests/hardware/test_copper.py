"""Fuses, wires and what falls over them: each wire outlives its fuse, each load has its volts with an empty battery, and a cut siren leaves the gauge alive."""

import re
from collections.abc import Iterator

import pytest

from hardware import copper, terminals
from hardware.compile import shipped
from hardware.harness import battery_mv, rail_mv
from hardware.net import BATTERY, BOARD, FIVE, Net, Wire
from hardware.parts import Part, parts
from hardware.shape import ROOM
from tests.hardware.changed import station
from waspada.station import load

LOADS = {**parts("sensors"), **parts("outputs")}


def too_thin(net: Net) -> list[str]:
    """Wires of the battery's rail that would burn before the fuse does that they are behind."""
    fuses = {fuse.label: fuse.ma for fuse in copper.placed(net.station)}
    found = []
    for wire in net.wires:
        labels = re.findall(r"F\d+", terminals.fuse_of(net, wire))
        if wire.source[0] == BATTERY and wire.sign == "+":
            assert labels, f"{wire.target} has no fuse"
        most = max((fuses[label] for label in labels), default=0)
        if copper.CARRIES_MA[wire.square] < most:
            found.append(f"{wire.source} to {wire.target}: {wire.square} mm2 behind {most} mA")
    return found


def starved(net: Net) -> Iterator[str]:
    """Loads that get less than they take, with the battery empty and their cable warm."""
    for wire in net.wires:
        part = LOADS.get(net.blocks[wire.target[0]].kind)
        if wire.sign != "+" or not part or wire.target[0].endswith("_shunt"):
            continue
        low = rail_mv(net.station, rail_of(net, part))[0]
        gets = low - copper.drop_mv(wire, part["peak_ua"])
        if gets < part["supply_mv"][0]:
            yield f"{wire.target[0]} gets {gets} mV and takes {part['supply_mv'][0]}"


def rail_of(net: Net, part: Part) -> str:
    for fitted in net.station.fittings.sensors:
        for each, rail in ((fitted.part, fitted.rail), (fitted.probe, fitted.probe_rail)):
            if each is part and rail:
                return rail
    return next(fit.rail or "battery" for fit in net.station.fittings.fits.values() if fit.part is part)


@pytest.mark.parametrize("name", shipped())
def test_a_fuse_blows_before_its_wire_burns(name: str) -> None:
    assert too_thin(Net(load(name))) == []


@pytest.mark.parametrize("name", shipped())
def test_every_load_has_its_volts_at_the_end_of_its_cable(name: str) -> None:
    assert list(starved(Net(load(name)))) == []


def test_a_siren_at_the_end_of_too_long_a_cable_is_found() -> None:
    far = Net(
        station("river_gauge", ("pull_down_ohm = 10000\ncable_cm = 300", "pull_down_ohm = 10000\ncable_cm = 1500"))
    )
    assert [said.split()[0] for said in starved(far)] == ["siren"]


def test_a_wire_that_is_thinner_than_its_fuse_is_found() -> None:
    net = Net(load("river_gauge"))
    net.wires = [
        Wire(w.source, w.target, w.sign, w.cable_cm, "0.25" if w.target == ("12V", "+") else w.square)
        for w in net.wires
    ]
    assert too_thin(net)


@pytest.mark.parametrize("name", shipped())
def test_the_batterys_fuse_outlives_each_fuse_behind_it_and_carries_the_sun(name: str) -> None:
    one = load(name)
    main, *rest = copper.fuses(one).values()
    assert main >= 1.6 * max(rest)
    assert main * 1000 >= 1.25 * copper.charge_ua(one)
    assert main <= one.fittings.supply["battery"]["max_ma"] * one.fittings.batteries, "else the protection opens first"


def test_more_sun_is_a_larger_fuse() -> None:
    plain = station("radar_gauge")
    more = station("radar_gauge", ('"panel_50w"', '"panel_100w"'), ('"charger_mppt_4a"', '"charger_mppt_10a"'))
    assert (copper.main_ma(plain), copper.main_ma(more)) == (5000, 10000)


def test_a_fuse_is_the_next_above_a_quarter_more() -> None:
    assert [copper.fuse_ma(ua) for ua in (0, 800_000, 801_000, 1_500_000, 4_000_000, 4_001_000)] == [
        1000,
        1000,
        2000,
        2000,
        5000,
        7500,
    ]


def test_the_drop_is_that_of_both_wires() -> None:
    # 1.5 A over 3 m there and 3 back of 26 mOhm/m, a fifth more when warm
    assert copper.drop_mv(Wire(("a", "+"), ("b", "+"), "+", 300, "0.75"), 1_500_000) == 281


@pytest.mark.parametrize("name", shipped())
def test_four_cores_are_enough_for_each_cable_outside(name: str) -> None:
    for cable, (_, square, cores) in copper.outside(Net(load(name))).items():
        assert cores <= (4 if square != "1.5" else 2), cable


def test_the_suppressor_lets_through_less_than_what_stands_behind_it_takes() -> None:
    clamp_mv, stand_off_mv = 24_400, 15_000  # of 15AT3G, as hardware/sundries.toml names it
    said = (ROOM / "sundries.toml").read_text(encoding="utf-8")
    assert "16.7 to 18.5 V, 24.4 V" in said
    for name in shipped():
        one = load(name)
        supply = one.fittings.supply
        assert battery_mv(one)[1] < supply["battery"]["full_mv"] < stand_off_mv
        assert clamp_mv < min(supply["regulator"]["input_mv"][1], supply["charger"]["input_max_mv"])


def test_the_drawing_says_which_fuse_is_where() -> None:
    net = Net(station("river_gauge_maxbotix"))
    main = [fuse for fuse in copper.placed(net.station) if fuse.of.startswith("battery")]
    said = [
        f"F{number} {what}"
        for number, what in enumerate(("regulator 1 A", "siren 2 A", "strobe 1 A", "adc1 1 A"), len(main) + 1)
    ]
    rail = net.blocks[BATTERY]
    assert [f"{pin} {label}" for pin, label in zip(rail.pins, rail.labels, strict=True)] == [
        "+ common plus",
        *said,
        "- minus",
    ]
    assert {BOARD, FIVE, *(fuse.label for fuse in main)} <= set(net.blocks)
