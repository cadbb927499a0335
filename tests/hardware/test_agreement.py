"""The checker, the compiler and the firmware never disagree: what the checker passes compiles and runs, what the compiler refuses the checker refuses."""

import json
import re
import tomllib
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware import compile as compile_module
from hardware.boards import boards, chips, read_board
from hardware.check import check, passes
from hardware.compile import STATIONS, Station
from hardware.parts import KINDS, parts
from hardware.shape import Source
from node.app import App
from simulator.errors import InputError
from tests.hardware import bad_files, datasheet_pins, random_stations, wired
from tests.hardware.null_ports import ports, turn
from tests.hardware.test_compile import JUNK, TABLES, WHERE, places, written

IDS = [name for group in KINDS for name in parts(group)]

# Those that the compiler holds to as well.
COMPILED = {
    "pin-absent", "flash-pin", "psram-pin", "strapping-pin", "console-pin", "board-pin", "lan-pins", "modem-pin", "input-only-pin",
    "adc2-with-wifi", "adc-pin", "uart-count", "i2c-count", "psram", "i2c-address", "sensor-claims",
}  # fmt: skip


def judged(text):
    """(what the checker says: passes, refused or unusable; the rules; the compiled station, None where it is refused)"""
    try:
        found = check(Source(STATIONS / "drawn.toml", text))
        said = "passes" if passes(found) else "refused"
        names = {finding.rule.name for finding in found if finding.rule.severity == "error"}
    except InputError as error:
        said, names, sentence = "unusable", set(), str(error)
    if said == "unusable":
        assert "drawn.toml" in sentence
        assert "\n" not in sentence
    try:
        compiled = Station(Source(STATIONS / "drawn.toml", text)).compiled(*WHERE)
    except InputError:
        compiled = None
    return said, names, compiled


def written_pins(values, board):
    """The pins that a file names, and those that its board has for network or modem: read from the TOML, past the compiler."""
    members = ("rx", "tx", "power", "sda", "scl", "pin")
    found = [row[member] for row in values["pins"].values() for member in members if member in row]
    if values.get("access") == "lan":
        lan = values.get("lan", board.get("lan"))
        found += [
            *datasheet_pins.RMII,
            *[lan[member] for member in ("mdc", "mdio", "power", "ref_clk") if member in lan],
        ]
    if values.get("access") == "lte":
        own = datasheet_pins.MODEM.get(values["board"], {"low": []})
        found += [*own["low"], *[own[member] for member in ("supply",) if member in own]]
    return found


def hold_to_the_data_sheets(station, text):
    """What the firmware takes of the pins is what the file says, each once, and nothing that a data sheet forbids."""
    values = tomllib.loads(text)
    board = read_board(values["board"])
    with wired.board():
        claims = wired.claims(station)
    assert sorted(pin for rows in claims.values() for pin in dict(rows)) == sorted(written_pins(values, board))
    assert not list(datasheet_pins.faults(board, values["board"], claims))
    if station["settings"].get("power.profile"):
        counted = {row["pin"] for row in station["pins"].values() if row["kind"] == "pulses"}
        assert counted <= datasheet_pins.WAKES[board["chip"]]


def agree(text):
    said, names, compiled = judged(text)
    if compiled is None:
        assert said != "passes"
    if said == "passes":
        hold_to_the_data_sheets(compiled, text)
        turn(App(json.loads(json.dumps(compiled)), ports(compiled)), 10)
    elif said == "refused":
        assert bool(names & COMPILED) == (compiled is None), names
    return said, names


def test_checker_compiler_and_firmware_agree_on_random_stations():
    seen = Counter()

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def drawn(data):
        text = random_stations.text(data)
        said, names = agree(text)
        seen[said] += 1
        if said == "passes":
            seen[tomllib.loads(text).get("access", "wifi")] += 1
        seen.update(names)

    drawn()
    assert seen["passes"] > 20, seen
    assert seen["refused"] > 20, seen
    assert seen["lan"] > 2 and seen["lte"] > 2, seen


MOVED = {"adc1": "adc", "glitch": "siren", "input_only": "siren"}  # onto the lost pin, where it is not the ranger's rx


def lost(monkeypatch, board, row, pin):
    """The tables with a mistake: this pin is missing in that row of the chip, or of what the board has for itself."""
    chip = chips()[read_board(board)["chip"]]
    if row == "modules":
        module = read_board(board)["module"]
        monkeypatch.setitem(
            chip, "modules", {**chip["modules"], module: [p for p in chip["modules"][module] if p != pin]}
        )
    elif row == "taken":
        real = compile_module.read_board

        def mistaken(name):
            found = real(name)
            taken = {key: what for key, what in found["taken"].items() if key != pin}
            return {**found, "taken": taken}

        monkeypatch.setattr(compile_module, "read_board", mistaken)
    elif row == "adc1":  # one too many
        monkeypatch.setitem(chip, "adc1", [*chip["adc1"], pin])
        monkeypatch.setitem(chip, "adc2", [p for p in chip["adc2"] if p != pin])
    else:
        monkeypatch.setitem(chip, row, [p for p in chip[row] if p != pin])


def rows_of(board):
    """(row, pin) of all that a mistake can be made with on this board."""
    chip = chips()[board["chip"]]
    for row in ("strapping", "flash", "console", "input_only", "glitch", "modules", "taken", "adc1"):
        held = {"modules": chip["modules"][board["module"]], "taken": board["taken"], "adc1": chip["adc2"]}.get(
            row
        ) or chip.get(row, ())
        yield from (
            (row, pin)
            for pin in held
            if pin in board["header"] and not (pin in board["pins"] and len(board["pins"]) < 6)
        )


def river_on(name, **moved):
    """The river gauge on a board's own free pins, but for those of `moved`."""
    board = read_board(name)
    quiet = [
        pin for pin in board["pins"] if pin not in board["input_only"] and pin not in chips()[board["chip"]]["glitch"]
    ]
    quiet = [pin for pin in quiet if pin not in board.get("modem", {}).values() and pin not in moved.values()]
    ups = {**board["pull_ups"], **board["pull_ups_of_some"]}
    left = [pin for pin in board["pins"] if pin not in (*moved.values(), *board.get("modem", {}).values())]
    adc = next(pin for pin in reversed(board["adc"]) if pin in left and pin not in board["pull_ups"])
    siren, strobe = [pin for pin in quiet if pin != adc and pin not in ups][:2]
    left = [pin for pin in left if pin not in (adc, siren, strobe)]
    rx = next(pin for pin in reversed(left))
    tx = next(pin for pin in left if pin != rx and pin not in board["input_only"])
    text = bad_files.shipped("river_gauge").replace("esp32_wrover_devkitc", name).replace("buck_5v_2a", "buck_5v_4a")
    text = text.replace("power = 4\n", "").replace('switch = "load_switch_5v"\npull_down_ohm = 10000\n', "", 1)
    for old, new in (("rx = 32", f"rx = {moved.get('rx', rx)}"), ("tx = 33", f"tx = {tx}"), ("pin = 34", f"pin = {moved.get('adc', adc)}"),
                     ("pin = 25", f"pin = {moved.get('siren', siren)}"), ("pin = 26", f"pin = {strobe}")):  # fmt: skip
        assert old in text
        text = text.replace(f"{old}\n", f"{new} \n", 1)
    return text


def test_a_table_that_loses_a_pin_is_found_on_every_board(monkeypatch):
    found, passed = Counter(), []
    for name, row, pin in [(each, *mistake) for each in boards() for mistake in rows_of(read_board(each))]:
        assert agree(river_on(name))[0] == "passes"
        text = river_on(name, **{MOVED.get(row, "rx"): pin})
        assert agree(text)[0] != "passes"
        with monkeypatch.context() as one:
            lost(one, name, row, pin)
            try:
                said, names = agree(text)
            except AssertionError:
                found[row] += 1
                continue
        if said == "passes":
            passed.append((name, row, pin))
        else:  # another row has it too
            assert names
    assert not passed
    assert set(found) == {"strapping", "flash", "console", "input_only", "glitch", "modules", "taken", "adc1"}, found


@pytest.mark.parametrize("fault", ["another pin", "a pin less", "a pin twice"])
def test_a_compiler_that_writes_other_pins_than_the_file_is_found(fault, monkeypatch):
    real = Station.as_data

    def mistaken(self):
        data = json.loads(json.dumps(real(self)))
        pins = data["pins"]
        if fault == "a pin less":
            del pins["uart1"]["power"]
        else:
            pins["strobe"]["pin"] = pins["siren"]["pin"] if fault == "a pin twice" else 27
        return data

    monkeypatch.setattr(Station, "as_data", mistaken)
    with pytest.raises(AssertionError):
        agree(bad_files.shipped("river_gauge"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_checker_compiler_and_firmware_agree_wherever_a_shipped_stations_pins_are_moved(data):
    text = data.draw(st.sampled_from([bad_files.shipped(name) for name, _ in bad_files.BAD.values()]))
    lines = text.splitlines()
    places = [k for k, line in enumerate(lines) if line.split(" = ")[0] in ("pin", "rx", "tx", "power", "sda", "scl")]
    for k in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique=True)):
        lines[k] = f"{lines[k].split(' = ')[0]} = {data.draw(st.integers(-1, 49))}"
    agree("\n".join(lines) + "\n")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_station_with_a_line_left_out_is_judged_the_same_by_all(data):
    text = data.draw(st.sampled_from([bad_files.shipped(name) for name, _ in bad_files.BAD.values()]))
    lines = text.splitlines()
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    agree("\n".join(lines))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_station_is_judged_the_same_by_all(data):
    values = json.loads(json.dumps(data.draw(st.sampled_from(TABLES))))
    for _ in range(data.draw(st.integers(1, 2))):
        trail = data.draw(st.sampled_from([trail for trail in places(values) if trail]))
        holder = values
        for step in trail[:-1]:
            holder = holder[step]
        if data.draw(st.booleans()):
            holder[trail[-1]] = data.draw(st.one_of(JUNK, st.sampled_from(IDS)))
        else:
            del holder[trail[-1]]
    text = "\n".join(f"{json.dumps(key)} = {written(value)}" for key, value in values.items())
    agree(re.sub(r"\b(NaN|Infinity)\b", "nan", text) + "\n")
