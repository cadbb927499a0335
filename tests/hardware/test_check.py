"""`waspada hardware check`: what is shipped passes, one bad file for each rule fails with that rule's name, and what can't be judged is one sentence."""

import json

import pytest

from hardware.boards import boards
from hardware.check import check, check_file, passes
from hardware.compile import Station, shipped
from hardware.rule import rules
from hardware.shape import Source
from simulator.errors import InputError
from tests.hardware import bad_files
from tests.hardware.weak_parts import weak_parts  # noqa: F401
from waspada.cli import main

RIVER = bad_files.shipped("river_gauge")


def found_in(text, tmp_path):
    return check(Source(tmp_path / "bad.toml", text))


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_station_breaks_no_rule(name):
    assert [finding.sentence() for finding in check_file(name)] == []


def test_every_rule_has_its_bad_file():
    assert set(bad_files.BAD) == set(rules())


@pytest.mark.usefixtures("weak_parts")
@pytest.mark.parametrize("rule", list(bad_files.BAD))
def test_a_bad_file_fails_with_its_rules_name(rule, tmp_path):
    found = found_in(bad_files.text(rule), tmp_path)
    assert {finding.rule.name for finding in found} == {rule}, [finding.sentence() for finding in found]
    assert passes(found) == (rules()[rule].severity == "warning")
    for finding in found:
        assert finding.line, finding.sentence()
        assert finding.sentence().startswith(f"{tmp_path / 'bad.toml'}, line ")
        assert finding.remedy in finding.sentence() and finding.why in finding.sentence()
        assert finding.remedy == (finding.advice or rules()[rule].remedy)


@pytest.mark.parametrize("rule", list(rules()))
def test_a_rule_says_what_why_what_to_do_and_where_from(rule):
    row = rules()[rule]
    assert all((row.what, row.why, row.remedy, row.source))
    assert row.severity in ("error", "warning")


# The same pins on the other chip: (board, pin, what it is there)
PINS = [
    ("esp32_wrover_devkitc", 15, "strapping-pin"), ("esp32_s3_devkitc_psram", 15, ""),
    ("esp32_wrover_devkitc", 3, "console-pin"), ("esp32_s3_devkitc_psram", 3, "strapping-pin"),
    ("esp32_devkitc_v4", 16, ""), ("esp32_wrover_devkitc", 16, "psram-pin"), ("esp32_s3_devkitc_psram", 16, ""),
    ("esp32_wrover_devkitc", 6, "flash-pin"), ("esp32_s3_devkitc_psram", 6, ""),
    ("esp32_wrover_devkitc", 36, "input-only-pin"), ("esp32_s3_devkitc_psram", 36, "psram-pin"),
    ("esp32_wrover_devkitc", 45, "pin-absent"), ("esp32_s3_devkitc_psram", 45, "strapping-pin"),
    ("esp32_wrover_devkitc", 14, "boot-glitch"), ("esp32_s3_devkitc_psram", 14, ""),
    ("esp32_wrover_devkitc", 21, ""), ("esp32_s3_devkitc_psram", 21, "boot-glitch"),
    ("esp32_wrover_devkitc", 43, "pin-absent"), ("esp32_s3_devkitc_psram", 43, "console-pin"),
    ("esp32_s3_devkitc_psram", 20, "console-pin"), ("esp32_s3_devkitc_psram", 30, "flash-pin"),
    ("esp32_s3_devkitc_psram", 38, "board-pin"), ("olimex_esp32_poe_iso_wrover", 23, "board-pin"),
    ("olimex_esp32_poe_iso_wrover", 14, "board-pin"), ("lilygo_t_a7670", 27, "modem-pin"),
]  # fmt: skip
# A river gauge's other pins on each board: rx, tx, power, adc, strobe
OTHERS = {
    "esp32_devkitc_v4": (32, 33, 4, 34, 26), "esp32_wrover_devkitc": (32, 33, 4, 34, 26), "esp32_s3_devkitc_psram": (8, 9, 10, 4, 11),
    "olimex_esp32_poe_iso_wrover": (36, 13, None, 33, 32), "lilygo_t_a7670": (39, 19, 18, 34, 21),
}  # fmt: skip


def river_on(board, siren):
    rx, tx, power, adc, strobe = OTHERS[board]
    text = RIVER.replace('"esp32_wrover_devkitc"', f'"{board}"').replace("rx = 32\ntx = 33", f"rx = {rx}\ntx = {tx}")
    text = text.replace("power = 4", f"power = {power}").replace("pin = 34", f"pin = {adc}")
    if board == "lilygo_t_a7670":
        text = text.replace("buck_5v_2a", "buck_5v_4a")  # its modem's bursts
    if not power:
        text = text.replace("power = None\n", "").replace('switch = "load_switch_5v"\npull_down_ohm = 10000\n', "")
    return text.replace("pin = 26", f"pin = {strobe}").replace("pin = 25", f"pin = {siren}")


@pytest.mark.parametrize(("board", "pin", "rule"), PINS)
def test_a_pin_is_what_its_chip_and_board_make_it(board, pin, rule, tmp_path):
    found = [finding for finding in found_in(river_on(board, pin), tmp_path) if finding.rule.name != "psram-tls"]
    assert [finding.rule.name for finding in found] == ([rule] if rule else [])
    if rule:
        assert found[0].pins == (pin,)
        assert found[0].key == "pins.siren.pin"


def test_a_board_with_ethernet_knows_its_own_wiring(tmp_path):
    free = {"esp32_devkitc_v4": 25, "esp32_wrover_devkitc": 25, "esp32_s3_devkitc_psram": 41, "lilygo_t_a7670": 22}
    for board in free:
        assert passes(found_in(river_on(board, free[board]), tmp_path)), board
    assert {*free, "olimex_esp32_poe_iso_wrover"} <= set(boards())
    text = by_lan(4)
    assert [finding.sentence() for finding in found_in(text, tmp_path)] == []
    lan = Station(Source(tmp_path / "s.toml", text)).compiled("a", "d", "00000000")["lan"]
    assert (lan["mdc"], lan["mdio"], lan["power"], lan["ref_clk"]) == (23, 18, 12, 0)
    other = text + '\n[lan]\nmdc = 23\nmdio = 18\nphy_type = "lan8720"\nphy_addr = 1\n'
    assert [finding.rule.name for finding in found_in(other, tmp_path)] == ["lan-pins"]


def by_lan(siren):
    """Of the PoE board's five free pins two can be outputs: none is left for the sensor's switch."""
    text = river_on("olimex_esp32_poe_iso_wrover", siren).replace("board =", 'access = "lan"\nboard =', 1)
    return (
        text.replace("panel_20w", "panel_100w")
        .replace("charger_mppt_4a", "charger_mppt_10a")
        .replace("lfp_6ah", "lfp_20ah")
    )


@pytest.mark.parametrize(("pin", "tx", "ohm"), [(13, 4, 2200), (33, 13, 2200)])
def test_no_siren_hangs_on_a_pin_that_its_board_pulls_up(pin, tx, ohm, tmp_path):
    text = by_lan(pin).replace("tx = 13", f"tx = {tx}").replace("pin = 33\n", f"pin = {33 if pin == 13 else 32}\n", 1)
    text = text.replace("pin = 32\n\n[[sensors", "pin = 4\n\n[[sensors") if pin == 33 else text
    found = found_in(text, tmp_path)
    assert [(finding.rule.name, finding.pins) for finding in found] == [("output-pull-down", (pin,))]
    assert f"against the {ohm} Ohm with which the board pulls it up" in found[0].sentence()


def test_a_battery_divider_is_on_no_pin_that_its_board_pulls_up(tmp_path):
    text = by_lan(4).replace("rx = 36", "rx = 33").replace("pin = 33\n", "pin = 36\n", 1)
    found = found_in(text, tmp_path)
    assert [(finding.rule.name, finding.key) for finding in found] == [("board-pin", "pins.adc1.pin")]


def test_a_boards_modem_is_on_the_boards_pins_and_its_supply_is_switched(tmp_path):
    by_lte = river_on("lilygo_t_a7670", 22).replace("board =", 'access = "lte"\nboard =', 1)
    modem = '\n[pins.uart2]\nkind = "uart"\nrx = 27\ntx = 26\nbaud = 115200\npower = 4\n\n[lte]\nuart = "uart2"\n'
    assert found_in(by_lte + modem, tmp_path) == []
    lte = Station(Source(tmp_path / "s.toml", by_lte + modem)).compiled("a", "d", "00000000")["lte"]
    assert (lte["supply"], lte["low"], lte["power"]) == (12, [5, 25], 4)
    turned = modem.replace("rx = 27\ntx = 26", "rx = 26\ntx = 27")
    assert {finding.rule.name for finding in found_in(by_lte + turned, tmp_path)} == {"modem-pin"}


# Unusable: (what is replaced, by what, what the sentence says)
UNUSABLE = [
    ('part = "a02yyuw"', 'part = "hcsr04"', "no sensor 'hcsr04'; hardware/parts/sensors.toml has a02yyuw, mb7383"),
    ('part = "a02yyuw"\n', "", "sensors[1] lacks 'part': for a02yyuw there is a02yyuw"),
    ('part = "a02yyuw"', 'part = "sen55"', "sen55 is read by sen5x, not by a02yyuw; for a02yyuw there is a02yyuw"),
    ('part = "a02yyuw"\nrail = "5V"', 'part = "a02yyuw"', "sensors[1] lacks 'rail', which feeds a02yyuw: allowed are battery, 5V, 3V3"),
    ('rail = "5V"', 'rail = "9V"', "sensors[1].rail is '9V'; allowed are battery, 5V, 3V3"),
    ('part = "siren_12w"', 'part = "siren_99w"', "no output 'siren_99w'"),
    ('part = "siren_12w"\n', "", "fit.siren lacks 'part': of hardware/parts/outputs.toml siren_12w, strobe_2w"),
    ('part = "siren_12w"', 'part = "siren_12v"', "; did you mean siren_12w?"),
    ("[fit.strobe]", "[fit.strob]", "; did you mean strobe?"),
    ('driver = "a02yyuw"', 'driver = "a02yyum"', "; did you mean a02yyuw?"),
    ('bus = "uart1"', 'bus = "uart2"', "; did you mean uart1?"),
    ('[mount]\npart = "bridge_arm"', "", "the file lacks [mount]; it has part, of parts/mounts.toml bridge_arm, "),
    ("cable_cm = 150", "cable_m = 150", "; did you mean cable_cm?"),
    ('switch = "mosfet_low_side"', 'switch = "divider_1k_2k"', "no switch 'divider_1k_2k'; hardware/parts/circuits.toml has load_switch_5v"),
    ("[fit.siren]", "[fit.syren]", "fit.syren is on no pin: [pins] has uart1, adc1, siren, strobe"),
    ("[site]\ncoldest_c = 20", "", "the file lacks [site]; it has coldest_c"),
    ("coldest_c = 20", "coldest = 20", "unknown key 'coldest' in site; allowed are coldest_c"),
    ('part = "bridge_arm"', 'part = "balloon"', "no mount 'balloon'"),
    ('battery = "lfp_6ah"', 'battery = "panel_20w"', "no battery 'panel_20w'; hardware/parts/supplies.toml has lfp_6ah, lfp_20ah"),
    ('switch = "load_switch_5v"\n', "", "fit.uart1 lacks 'switch', which pins.uart1.power drives: of hardware/parts/circuits.toml load_switch_5v, "),
    ("pin = 26", "pin = 25", "pin 25 is used twice, by siren already"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), UNUSABLE)
def test_what_can_not_be_judged_is_one_sentence_and_exit_2(old, new, says, tmp_path, capsys):
    assert old in RIVER
    path = tmp_path / "gauge.toml"
    path.write_text(RIVER.replace(old, new, 1), encoding="utf-8")
    assert main(["hardware", "check", str(path)]) == 2
    sentence = capsys.readouterr().err
    assert says in sentence
    assert str(path) in sentence
    assert sentence.count("\n") == 1


def test_a_pv_monitor_says_what_it_watches(tmp_path):
    text = bad_files.shipped("pv_monitor").replace('[array]\nmodule = "module_48cell"\nin_series = 1', "")
    with pytest.raises(InputError, match=r"the file lacks \[array\]"):
        found_in(text.replace("# each on the common negative", ""), tmp_path)


def test_the_command_names_rule_pin_and_remedy(tmp_path, capsys):
    path = tmp_path / "gauge.toml"
    path.write_text(bad_files.text("boot-glitch"), encoding="utf-8")
    assert main(["hardware", "check", "river_gauge", str(path)]) == 1
    out = capsys.readouterr().out
    assert "river_gauge: passes, 0 findings" in out
    assert "error [boot-glitch] siren is on 14, which esp32 drives or pulls up at boot: " in out
    assert main(["hardware", "check", "--json", "river_gauge", str(path)]) == 1
    stations = json.loads(capsys.readouterr().out)["stations"]
    assert [station["passes"] for station in stations] == [True, False]
    assert stations[1]["findings"][0]["rule"] == "boot-glitch"
    assert stations[1]["findings"][0]["pins"] == [14]
    assert main(["hardware", "check", "river_gauge"]) == 0


def test_the_rules_are_told_with_their_sources(capsys):
    assert main(["hardware", "rules", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["rules"]
    assert [row["name"] for row in told] == list(rules())
    assert main(["hardware", "rules"]) == 0
    assert "Source: UM10204" in capsys.readouterr().out
