"""The harness: every pin of the station's file is drawn once, on the part it belongs to, and as the board's JSON has it."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from hardware import copper, terminals
from hardware.bom import Bom
from hardware.compile import STATIONS, Station, shipped
from hardware.net import Net
from hardware.parts import Part, parts
from hardware.power import Day
from hardware.shape import ROOM, Source
from hardware.wiring import Harness, is_of, marked, page, wireviz
from simulator.errors import InputError
from tests.hardware import random_stations
from tests.hardware.changed import station
from waspada import cli, hardware_derived

DRAWINGS = ROOM.parent / "docs" / "sheets" / "wiring"
CIRCUITS = ROOM.parent / "docs" / "build" / "circuits.md"
MEMBERS = ("rx", "tx", "power", "sda", "scl", "pin")


def pins_of(data: object) -> Iterator[int]:
    """All pins' numbers in a board's JSON."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key in MEMBERS and type(value) is int:
                yield value
            else:
                yield from pins_of(value)


def read_back(text: str) -> dict[str, dict]:
    """The written YAML's two levels, whose values are JSON."""
    found: dict[str, dict] = {}
    part = entry = ""
    for line in text.splitlines():
        if re.match(r"\w+:$", line):
            part = line[:-1]
            found[part] = {}
        elif line.startswith("    "):
            key, value = line.strip().split(": ", 1)
            found[part][entry][key] = json.loads(value)
        elif line.startswith("  - "):
            found[part][len(found[part])] = json.loads(line[4:])
        elif line.startswith("  "):
            entry = json.loads(line.strip()[:-1])
            found[part][entry] = {}
    return found


@pytest.mark.parametrize("name", shipped())
def test_the_pins_drawn_are_those_the_board_is_given(name: str) -> None:
    one = station(name)
    drawn = [use.pin for use in Harness(one).net.uses]
    board = one.compiled("n1", "d", "0" * 8)
    given = list(pins_of({key: board[key] for key in ("pins", "lte") if key in board}))
    assert sorted(drawn) == sorted(given)
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize("name", shipped())
def test_every_pin_that_goes_somewhere_has_a_wire(name: str) -> None:
    net = Harness(station(name)).net
    wired = {pin for wire in net.wires for block, pin in (wire.source, wire.target) if block == "board"}
    nowhere = ("nothing", "the board's own modem")
    assert wired - {net.station.board.get("feed_pin", "5V"), "3V3", "GND"} == {
        f"GPIO{use.pin}" for use in net.uses if use.to not in nowhere
    }


def test_another_pin_in_the_file_is_another_pin_in_the_drawing() -> None:
    moved = wireviz(Harness(station("river_gauge", ("rx = 32", "rx = 27"))))
    assert "GPIO27" in moved and "GPIO32" not in moved


@pytest.mark.parametrize("name", shipped())
def test_no_terminal_is_fed_from_two_rails(name: str) -> None:
    net = Harness(station(name)).net
    rails: dict[tuple[str, str], str] = {}
    for wire in net.wires:
        if wire.sign == "+" and wire.target[0] not in ("12V", "5V"):
            assert rails.setdefault(wire.target, wire.source[0]) == wire.source[0]


@pytest.mark.parametrize("name", shipped())
def test_what_wireviz_reads_holds_together(name: str) -> None:
    text = wireviz(Harness(station(name)))
    made = read_back(text)
    assert set(made) == {"connectors", "cables", "connections"}
    for source, cable, target in made["connections"].values():
        ((key, cores),) = cable.items()
        assert cores == list(range(1, made["cables"][key]["wirecount"] + 1))
        assert len(made["cables"][key]["colors"]) == len(cores) == len(made["cables"][key]["wirelabels"])
        for end in (source, target):
            ((block, pins),) = end.items()
            assert len(pins) == len(cores)
            assert set(pins) <= set(made["connectors"][block]["pins"])


@pytest.mark.parametrize("name", shipped())
def test_the_drawing_in_the_pages_is_of_todays_harness(name: str) -> None:
    svg = (DRAWINGS / f"{name}.svg").read_text(encoding="utf-8")
    assert is_of(svg, wireviz(Harness(station(name)))), "draw again: make drawings"


def undrawn(text: str) -> list[str]:
    """Circuits without a section of the page, or whose section lacks a value of their table."""
    found = []
    for part in parts("circuits").values():
        section = next((each for each in text.split("\n## ") if f"`{part.id}`" in each.splitlines()[0]), "")
        values = [part[key] for key in ("top_ohm", "bottom_ohm", "pull_down_ohm") if part.get(key)]
        wanted = ["```text", *(terminals.ohms(ohm).removesuffix(" kOhm") for ohm in values)]
        found += [f"{part.id}: {each}" for each in wanted if each not in section]
    return found


def test_every_circuit_has_its_drawing_with_its_values() -> None:
    text = CIRCUITS.read_text(encoding="utf-8")
    assert undrawn(text) == []
    assert undrawn(text.replace("`load_switch_5v`", "``")) and undrawn(text.replace("470", "330"))


def test_a_stale_drawing_is_found() -> None:
    old = wireviz(Harness(station("river_gauge", ("rx = 32", "rx = 27"))))
    assert not is_of(marked("<svg/>", old), wireviz(Harness(station("river_gauge"))))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("river_gauge", "| 33 | uart1.tx | nothing | left open: the sensor speaks by itself |"),
        ("river_gauge", "| 32 | uart1.rx | uart1_a02yyuw | level divider, 1 kOhm over 2 kOhm |"),
        ("radar_gauge", "120 Ohm at the cable's far end"),
        ("pv_monitor", "shunt 5 mOhm in the line of the panel current 2"),
        ("weather_pole", "address 0x76, by its jumpers"),
        ("weather_pole", "| BK | 5V: GND | i2c0_sen55_69: SEL |"),
        ("weather_pole", "Pull SEL to ground before power"),
        ("radar_gauge", "Not an AO3401"),
        ("river_gauge", "| RD | 12V: F4 | siren_switch: V+ | 0.75 mm2 | 0.2 m | F4 2 A |"),
        ("river_gauge", "| RD | siren_switch: OUT+ | siren: + | 0.75 mm2 | 3 m | behind F4 |"),
        ("river_gauge", "| RD | battery2: + | F2: in | 1.5 mm2 | 0.1 m | before F2: 10 cm at most |"),
        ("weather_pole", "| RD | charger: BAT+ | i2c1_ina226_module_40_shunt: IN | 1.5 mm2 | 0.3 m | behind F1, F2 |"),
        ("river_gauge", "| R2 | 10 kOhm | board: GPIO25 | board: GND |"),
        ("river_gauge", "| C1 | 100 nF | board: GPIO34 | board: GND |"),
        ("river_gauge", "| D1 | suppressor SMBJ15A | 12V: + | 12V: - | band to +"),
        ("river_gauge", "The diode (1N5822)"),
        ("storage_tank", "| R4 | 100 Ohm 0.1 % | i2c0_ads1115_module_48: AIN0 | i2c0_ads1115_module_48: GND |"),
    ],
)
def test_the_page_says_what_the_electrician_must_know(name: str, said: str) -> None:
    assert said in page(Harness(station(name)))


def test_whatever_station_can_be_read_is_drawn_with_its_own_pins_and_costs_energy() -> None:
    drawn = 0

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(strategies.data())
    def holds(data: strategies.DataObject) -> None:
        nonlocal drawn
        try:
            one = Station(Source(STATIONS / "drawn.toml", random_stations.text(data)))
            harness = Harness(one)
        except InputError:
            return
        drawn += 1
        given_pins = sorted(pins_of({"pins": one.source.values["pins"]}))
        assert sorted(use.pin for use in harness.net.uses) == given_pins
        assert set(read_back(wireviz(harness))) == {"connectors", "cables", "connections"}
        assert Day(one, 1).battery_mah > 0 and Bom(one).cents > 0

    holds()
    assert drawn > 30


def test_a_shunt_is_drawn_in_the_line_that_it_measures() -> None:
    wires = {(wire.source, wire.target) for wire in Harness(station("weather_pole")).net.wires}
    siren, charger = "i2c1_ina226_module_41", "i2c1_ina226_module_40"
    assert {(("12V", "F5"), (f"{siren}_shunt", "IN")), ((f"{siren}_shunt", "OUT"), ("siren_switch", "V+"))} <= wires
    assert {(("charger", "BAT+"), (f"{charger}_shunt", "IN")), ((f"{charger}_shunt", "OUT"), ("12V", "+"))} <= wires
    assert not {(("12V", "F5"), ("siren_switch", "V+")), (("charger", "BAT+"), ("12V", "+"))} & wires
    for chip in (siren, charger):
        assert {((chip, "IN+"), (f"{chip}_shunt", "IN")), ((chip, "IN-"), (f"{chip}_shunt", "OUT"))} <= wires


def test_a_shunt_that_is_turned_round_is_drawn_so() -> None:
    wires = Harness(station("weather_pole", ("shunt_uohm = 20000", "shunt_uohm = -20000"))).net.wires
    assert (("i2c1_ina226_module_41", "IN+"), ("i2c1_ina226_module_41_shunt", "OUT")) in {
        (w.source, w.target) for w in wires
    }


def test_each_pv_module_has_its_own_shunt_and_one_common_minus() -> None:
    wires = Harness(station("pv_monitor")).net.wires
    assert [wire.square for wire in wires if wire.target[0].endswith("_load")] == ["4"] * 8
    assert sum(wire.source == ("5V", "GND") and wire.target[0].startswith("module_") for wire in wires) == 8


def test_outputs_have_their_switch_and_its_resistor() -> None:
    net = Harness(station("river_gauge")).net
    assert ("board", "GPIO25") in [wire.source for wire in net.wires if wire.target == ("siren_switch", "GATE")]
    assert (
        "R2 10 kOhm: board: GPIO25 to board: GND" in net.blocks["board"].notes and not net.blocks["siren_switch"].notes
    )


@pytest.mark.parametrize("name", shipped())
def test_the_word_in_is_the_pins_terminal_of_no_switch(name: str) -> None:
    """GATE or ON is what a pin drives; IN is a supply or a line."""
    net = Net(station(name))
    ends = {wire.target for wire in net.wires if wire.source[0] == "board" and wire.source[1].startswith("GPIO")}
    driven = {pin for block, pin in ends if block.endswith("_switch")}
    assert "GATE" in driven and driven <= {"GATE", "ON"}
    assert not [wire for wire in net.wires if wire.target[1] == "GATE" and not wire.source[1].startswith("GPIO")]


def missing(text: str, net: Net) -> list[str]:
    """Terminals of the switches that their drawing lacks."""
    found = []
    for block in net.blocks.values():
        if block.name.endswith("_switch"):
            drawn = text.partition(f"## `{block.kind}`")[2].split("```")[1]
            found += [f"{block.name}: {pin}" for pin in block.pins if pin not in re.findall(r"[\w+-]+", drawn)]
    return found


def test_every_terminal_of_a_switch_stands_in_its_drawing() -> None:
    text = CIRCUITS.read_text(encoding="utf-8")
    assert [said for name in shipped() for said in missing(text, Net(station(name)))] == []
    old = missing(text.replace("GATE", "IN"), Net(station("river_gauge")))
    assert old == ["siren_switch: GATE", "strobe_switch: GATE"]


def test_screens_and_minus_go_to_the_earth_bolt_each_from_a_terminal_that_takes_its_wire() -> None:
    for name in shipped():
        bom = Bom(station(name))
        rows = {part.label: part for part in bom.net.small}
        screened = any(float(square) < 1.5 for _, square, _ in copper.outside(bom.net).values())
        assert ("S1" in rows) == ("E2" in rows) == screened
        if not screened:
            continue
        assert rows["S1"].target == rows["E2"].source == terminals.SCREENS
        assert {rows[label].target for label in ("E1", "E2")} == {"earth bolt"}
        square = {label: float(rows[label].what.split()[2]) for label in ("E1", "E2")}
        sold = {row.part: row.figures["name"] for row in bom.rows}
        assert f"{square['E1']:g} mm2" in sold["earth_terminal"] and f"{square['E2']:g} mm2" in sold["terminals"]


def unfused(net: Net) -> list[str]:
    """Plus wires of the battery's rail that no fuse is in, and batteries that meet it otherwise than through their own."""
    fuses = {fuse.label: fuse for fuse in copper.placed(net.station)}
    found = [
        f"{wire.source} to {wire.target}"
        for wire in net.wires
        if wire.source[0] == "12V" and wire.sign == "+" and wire.source[1] not in fuses
    ]
    for name in copper.batteries(net.station):
        leads = [wire.target for wire in net.wires if wire.source == (name, "+")]
        if leads != [(copper.fuse_of(net.station, name).label, "in")]:
            found.append(f"{name} to {leads}")
    return found


@pytest.mark.parametrize("name", shipped())
def test_no_red_wire_begins_at_battery_or_rail_without_its_fuse(name: str) -> None:
    assert unfused(Net(station(name))) == []


def test_a_wire_without_its_fuse_is_found() -> None:
    for source, target in ((("12V", "F4"), ("12V", "+")), (("battery1", "+"), ("battery1", "+"))):
        net = Net(station("river_gauge"))
        net.wires = [replace(wire, source=target, target=("12V", "+") if source[0] != "12V" else wire.target)
                     if wire.source == source else wire for wire in net.wires]  # fmt: skip
        assert unfused(net), source


def test_two_batteries_are_two_blocks_with_a_fuse_each() -> None:
    blocks = Net(station("river_gauge")).blocks
    assert {"battery1", "battery2", "F1", "F2"} <= set(blocks) and "battery" not in blocks
    one = Net(station("river_gauge", ("batteries = 2", "batteries = 1"))).blocks
    assert {"battery", "F1"} <= set(one) and "F2" not in one


def test_a_terminal_is_tied_as_its_part_says(monkeypatch: pytest.MonkeyPatch) -> None:
    real = parts("sensors")
    for tie, source in (("SEL to GND", ("5V", "GND")), ("SEL to V+", ("5V", "5V")), ("SEL open", None)):
        part = Part("sen55", "sensor", {**real["sen55"].figures, "ties": [tie]})
        monkeypatch.setattr("hardware.net.parts", lambda _, part=part: {**real, "sen55": part})
        net = Net(station("weather_pole"))
        assert [wire.source for wire in net.wires if wire.target == ("i2c0_sen55_69", "SEL")] == (
            [source] if source else []
        )
        assert ("SEL open: no wire" in net.blocks["i2c0_sen55_69"].notes) == (source is None)


def crowded(net: Net) -> list[str]:
    """Screws of the board with more than two ends: wires, and resistors to a pin."""
    ends = Counter(pin for wire in net.wires for block, pin in (wire.source, wire.target) if block == "board")
    ends += Counter(part.source.removeprefix("board: ") for part in net.small if part.source.startswith("board: "))
    return [pin for pin, many in ends.items() if many > 2]


@pytest.mark.parametrize("name", shipped())
def test_no_screw_of_the_board_holds_more_than_two_ends(name: str) -> None:
    assert crowded(Net(station(name))) == []


def test_a_crowded_screw_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "gather", lambda net: None)
    assert set(crowded(Net(station("pv_monitor")))) == {"3V3", "GPIO21", "GPIO22"}


@pytest.mark.parametrize("name", shipped())
def test_every_block_is_drawn_once(name: str) -> None:
    harness = Harness(station(name))
    assert list(read_back(wireviz(harness))["connectors"]) == list(harness.net.blocks)


@pytest.mark.parametrize("name", shipped())
def test_what_leaves_the_box_is_as_thick_as_the_cable_that_is_bought(name: str) -> None:
    assert not [
        wire for wire in Net(station(name)).wires if wire.cable_cm > copper.OUTSIDE_CM and float(wire.square) < 0.75
    ]


def test_a_file_without_its_parts_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (STATIONS / "river_gauge.toml").read_text(encoding="utf-8")
    (tmp_path / "bare.toml").write_text(text.replace('part = "a02yyuw"\n', ""), encoding="utf-8")
    assert cli.main(["hardware", "wiring", str(tmp_path / "bare.toml")]) == 2
    said = capsys.readouterr().err
    assert "sensors[1] lacks 'part'" in said and said.count("\n") == 1


@pytest.mark.parametrize(("missing", "advice"), [("wireviz", "make drawings"), ("dot", "apt-get install graphviz")])
def test_without_the_program_the_source_is_written_and_the_sentence_says_what_is_missing(
    missing: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hardware_derived, "BESIDE", tmp_path / "nowhere")
    monkeypatch.setattr(hardware_derived.shutil, "which", lambda name: None if name == missing else f"/bin/{name}")
    assert cli.main(["hardware", "wiring", "river_gauge", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert advice in said and said.count("\n") == 1
    assert (tmp_path / "river_gauge.yml").is_file() and (tmp_path / "river_gauge.md").is_file()


def test_a_drawer_that_fails_is_told_with_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware_derived.shutil, "which", lambda name: f"/bin/{name}")
    failed = subprocess.CompletedProcess([], 1, "", "first\nno such colour\n")
    monkeypatch.setattr(hardware_derived.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(InputError, match="no such colour"):
        hardware_derived.draw(tmp_path / "x.yml")


def test_the_program_draws_svg_and_png(tmp_path: Path) -> None:
    assert cli.main(["hardware", "wiring", "rain_gauge", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "rain_gauge.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "rain_gauge.svg").read_text(encoding="utf-8")
    assert is_of(svg, (tmp_path / "rain_gauge.yml").read_text(encoding="utf-8"))
    for word in ("GPIO27", "GPIO33", "rain_tipping_bucket_02mm"):
        assert word in svg


def test_the_answer_as_json_names_pins_and_wires(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hardware", "wiring", "river_gauge", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {row["pin"] for row in answer["pins"]} == {4, 25, 26, 32, 33, 34}
    assert answer["wires"][0]["from"] == "panel: +"
