"""The checker, the compiler and the firmware never disagree: what the checker passes compiles and runs, what the compiler refuses the checker refuses."""

import json
import re
import tomllib
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware import check as check_module
from hardware import rules_pins
from hardware.boards import chips, read_board
from hardware.check import check, passes
from hardware.compile import STATIONS, Station
from hardware.parts import KINDS, parts
from hardware.shape import Source
from node.app import App
from simulator.errors import InputError
from tests.hardware import bad_files, random_stations
from tests.hardware.null_ports import ports, turn
from tests.hardware.test_compile import JUNK, TABLES, WHERE, places, written

IDS = [name for group in KINDS for name in parts(group)]

# Those that the compiler holds to as well.
COMPILED = {
    "pin-absent", "flash-pin", "psram-pin", "strapping-pin", "console-pin", "board-pin", "lan-pins", "modem-pin", "input-only-pin",
    "adc2-with-wifi", "adc-pin", "uart-count", "i2c-count", "psram", "i2c-address",
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


def pins_of(station):
    """(pin, what it is used for) of a compiled station."""
    members = {"rx": "input", "tx": "output", "power": "output", "sda": "output", "scl": "output", "pin": "output"}
    for row in station["pins"].values():
        for member, use in members.items():
            if member in row:
                yield row[member], "adc" if row["kind"] == "adc" else use


def hold_to_the_chip(station, board):
    """By sets, not by the checker's own function."""
    chip = chips()[board["chip"]]
    used = [pin for pin, _ in pins_of(station)]
    assert len(set(used)) == len(used)
    never = {*chip["strapping"], *chip["flash"], *chip["console"], *chip["modules"][board["module"]], *board["taken"]}
    assert not never & set(used)
    assert set(used) <= set(board["header"])
    for pin, use in pins_of(station):
        assert use != "output" or pin not in chip["input_only"]
        assert use != "adc" or pin in chip["adc1"]
    for name in ("siren", "strobe"):
        assert station["pins"][name]["pin"] not in chip["glitch"]
    if station["settings"].get("power.profile"):
        assert {row["pin"] for row in station["pins"].values() if row["kind"] == "pulses"} <= set(chip["wake"])


def agree(text):
    said, names, compiled = judged(text)
    if compiled is None:
        assert said != "passes"
    if said == "passes":
        board = read_board(tomllib.loads(text)["board"])
        hold_to_the_chip(compiled, board)
        turn(App(json.loads(json.dumps(compiled)), ports(compiled)), 10)
    elif said == "refused":
        assert bool(names & COMPILED) == (compiled is None), names
    return said, names


def test_checker_compiler_and_firmware_agree_on_random_stations():
    seen = Counter()

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.data())
    def drawn(data):
        said, names = agree(random_stations.text(data))
        seen[said] += 1
        seen.update(names)

    drawn()
    assert seen["passes"] > 20, seen
    assert seen["refused"] > 20, seen


@pytest.mark.parametrize(
    ("place", "rule"),
    [
        ("hardware.pins.why_not", "strapping-pin"),
        ("hardware.pins.why_not", "psram-pin"),
        ("hardware.check.ALL", "boot-glitch"),
    ],
)
def test_a_rule_that_is_lost_is_found(place, rule, monkeypatch):
    kept = [each for each in check_module.ALL if each is not rules_pins.boot_glitch]
    monkeypatch.setattr(place, (lambda *_: ("", "")) if place.endswith("why_not") else kept)
    with pytest.raises(AssertionError):
        agree(bad_files.text(rule))


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
