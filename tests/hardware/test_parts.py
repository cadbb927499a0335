"""The parts' tables: complete, reasoned, and refused where a figure is missing."""

import json
import re
import tomllib

import pytest

from hardware.boards import boards, read_board
from hardware.compile import STATIONS, Station, shipped
from hardware.drivers import DRIVERS
from hardware.harness import cold_mv
from hardware.part import COMMON
from hardware.parts import KINDS, NEEDED, PARTS, Part, parts, read_parts
from hardware.rules_lines import logic_level
from hardware.rules_pins import output_pull_down
from hardware.rules_power import peaks_ua
from hardware.shape import ROOM, Source, read
from simulator.errors import InputError
from waspada.cli import main

OPTIONAL = {"about", "assumed", "kind", "cold_cut_off", "ties", "capacitor_nf"}
TABLES = {group: tomllib.loads((PARTS / f"{group}.toml").read_text(encoding="utf-8")) for group in KINDS}
OF_ONE = {
    ("radar_kwl801b", key) for key in ("beam_deg", "blanking_mm", "range_mm")
}  # a transmitter's driver can't tell that it is a ranger's
FIGURES = [
    (group, name, key)
    for group, rows in TABLES.items()
    for name, row in rows.items()
    for key in row
    if key not in OPTIONAL and (name, key) not in OF_ONE
]


def written(rows):
    """Tables as TOML."""
    text = ""
    for name, row in rows.items():
        inner = {key: value for key, value in row.items() if key != "assumed"}
        text += f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in inner.items())
        text += f"[{name}.assumed]\n" + "".join(
            f"{key} = {json.dumps(why)}\n" for key, why in row.get("assumed", {}).items()
        )
    return text


@pytest.mark.parametrize("group", list(KINDS))
def test_a_file_of_parts_is_whole(group):
    assert list(parts(group)) == list(TABLES[group])


@pytest.mark.parametrize(("group", "name", "key"), FIGURES)
def test_a_missing_figure_is_refused_with_file_key_and_what_is_allowed(group, name, key, tmp_path):
    row = dict(TABLES[group][name])
    del row[key]
    row["assumed"] = {each: why for each, why in row.get("assumed", {}).items() if each != key}
    with pytest.raises(InputError) as refused:
        read_parts(Source(tmp_path / f"{group}.toml", written({name: row})), group)
    sentence = str(refused.value)
    assert sentence.startswith(str(tmp_path / f"{group}.toml"))
    assert f"'{key}'" in sentence
    assert re.search(r"allowed|data sheet", sentence), sentence


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("asleep_ua = 5000", "asleep_ua = 5.0", "a02yyuw.asleep_ua is 5.0; allowed are whole numbers from 0"),
        ("asleep_ua = 5000", "asleep_ma = 5", "unknown key 'asleep_ma' in a02yyuw; allowed are name, about, datasheet"),
        (
            "supply_mv = [3300, 5000]",
            "supply_mv = [5000, 3300]",
            "a02yyuw.supply_mv is [5000, 3300]; allowed are two numbers, the lower first",
        ),
        ('drivers = ["a02yyuw"]', 'drivers = ["a02"]', "a02yyuw.drivers is ['a02']; allowed is a list of drivers"),
        ('priced = "2026-11"', 'priced = "lately"', "a02yyuw.priced is 'lately'; allowed is the year and month"),
        ('sources = ["DFRobot SEN0311", ', "sources = [", "allowed is a list of two texts or more"),
        ('peak_ua = "the page gives', 'peak_ua = ""  # "the page gives', "a02yyuw.assumed is"),
        (
            'peak_ua = "the page gives',
            'peak_mv = "the page gives',
            "a02yyuw.assumed names 'peak_mv', which a02yyuw does not say",
        ),
        ('line = "ttl"', 'line = "ttl"\nkind = "panel"', "a02yyuw: no kind 'panel'; there are sensor"),
    ],
)
def test_a_wrong_figure_is_refused_with_its_line(old, new, says, tmp_path):
    text = (PARTS / "sensors.toml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(InputError) as refused:
        read_parts(Source(tmp_path / "sensors.toml", text.replace(old, new, 1)), "sensors")
    assert says in str(refused.value)
    assert "sensors.toml, line " in str(refused.value)


def test_every_driver_but_the_battery_has_a_part_and_each_part_a_bus_that_fits():
    read_by = {driver for part in parts("sensors").values() for driver in part["drivers"]}
    assert read_by == set(DRIVERS) - {"battery"}
    kinds = {
        "ttl": {"uart"},
        "rs485": {"uart"},
        "i2c": {"i2c"},
        "onewire": {"onewire"},
        "contact": {"pulses", "switch"},
    }
    for part in parts("sensors").values():
        if part["line"] in kinds:
            assert {DRIVERS[driver].bus for driver in part["drivers"]} <= kinds[part["line"]], part.id
        assert part["asleep_ua"] <= part["awake_ua"] <= part["peak_ua"], part.id
    assert set(NEEDED) == {"ttl", "i2c", "rs485", "onewire"}


def test_an_i2c_part_has_its_drivers_own_address():
    for part in parts("sensors").values():
        if part["line"] == "i2c":
            assert {DRIVERS[driver].address for driver in part["drivers"]} <= set(part["addresses"]), part.id


def test_every_circuit_supply_and_mount_is_used_by_a_station_or_by_a_rules_example():
    texts = "".join((STATIONS / f"{name}.toml").read_text(encoding="utf-8") for name in shipped())
    texts += (ROOM.parent / "tests" / "hardware" / "bad_files.py").read_text(encoding="utf-8")
    spare = {
        "shifter_bss138", "sps30", "manhole_frame", "pv_pole",  # to build others from
    }  # fmt: skip
    for group in KINDS:
        unused = [name for name in parts(group) if f'"{name}"' not in texts and name not in texts]
        assert set(unused) <= spare, f"{group}: {unused}"


def test_every_board_says_its_figures_with_reasons():
    for name in boards():
        board = read_board(name)
        assert set(COMMON) - OPTIONAL <= set(board), name
        assert set(board["assumed"]) <= set(board), name
        assert board["asleep_ua"] < board["awake_ua"] < board["peak_ua"], name


def test_a_cold_module_has_more_volts():
    module = parts("supplies")["module_60cell"]
    assert cold_mv(module, 25) == 39_800
    assert cold_mv(module, -10) == 39_800 + 39_800 * 28 * 35 // 10_000
    assert cold_mv(module, 40) == 39_800, "in the heat a cold morning still is what counts"


def test_a_river_gauges_peaks_are_the_sum_of_its_parts():
    peaks = peaks_ua(Station(read(STATIONS, "river_gauge", "station")))
    assert peaks["3V3"] == 500_000, "the chip alone"
    assert peaks["5V"] == 500_000 + 75_000, "and the ranger"
    assert peaks["battery"] == 1_500_000 + 400_000 + 575_000 * 5000 * 100 // 85 // 11_000


# What a data sheet says of a MOSFET, the siren's pull-down, the rule that finds it: AOD4184A modules, the chosen part with and without enough to ground.
@pytest.mark.parametrize(
    ("figures", "down_ohm", "rule"),
    [
        ({"on_at_mv": 4500}, 10_000, "logic-level"),
        ({"pull_down_ohm": 0}, 47_000, "output-pull-down"),
        ({"pull_down_ohm": 0}, 10_000, ""),
        ({}, 10_000, ""),
    ],
)
def test_a_sirens_gate_that_a_pin_cant_open_or_a_boot_half_opens_is_found(figures, down_ohm, rule, monkeypatch):
    real = parts("circuits")
    gate = Part("mosfet_low_side", "switch", {**real["mosfet_low_side"].figures, **figures})
    weak = {**real, gate.id: gate}
    monkeypatch.setattr("hardware.fittings.parts", lambda group: weak if group == "circuits" else parts(group))
    source = read(STATIONS, "river_gauge", "station")
    source.values["fit"]["siren"]["pull_down_ohm"] = down_ohm
    station = Station(source)
    found = {finding.rule.name for each in (logic_level, output_pull_down) for finding in each(station)}
    assert found == ({rule} if rule else set())


@pytest.fixture
def other_parts(tmp_path, monkeypatch):
    """A folder that parts are read from instead; empty."""
    monkeypatch.setattr("hardware.parts.PARTS", tmp_path)
    parts.cache_clear()
    yield tmp_path
    parts.cache_clear()


def test_a_part_without_its_figure_ends_the_command_with_2(other_parts, capsys):
    for group in KINDS:
        text = (PARTS / f"{group}.toml").read_text(encoding="utf-8")
        (other_parts / f"{group}.toml").write_text(text.replace("awake_ua = 8000\n", ""), encoding="utf-8")
    assert main(["hardware", "check", "river_gauge"]) == 2
    sentence = capsys.readouterr().err
    assert f"{other_parts / 'sensors.toml'}, line " in sentence
    assert "a02yyuw lacks 'awake_ua'; allowed are whole numbers from 0" in sentence


def test_parts_that_are_gone_are_named_by_their_path(other_parts, capsys):
    assert main(["hardware", "check", "river_gauge"]) == 2
    assert f"no list of parts '{other_parts / 'sensors.toml'}'" in capsys.readouterr().err


def test_an_estimate_is_what_to_write_where_no_data_sheet_has_the_figure(tmp_path):
    row = {key: value for key, value in TABLES["sensors"]["mb7383"].items() if key != "beam_deg"}
    with pytest.raises(InputError, match="where no data sheet has it, estimate it and name the reason in"):
        read_parts(Source(tmp_path / "sensors.toml", written({"mb7383": {**row, "assumed": {}}})), "sensors")


@pytest.mark.parametrize("name", ["no_such", "part", "/etc/hostname"])
def test_a_file_that_is_none_is_one_sentence(name, capsys):
    assert main(["hardware", "check", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1
