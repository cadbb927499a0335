"""`waspada hardware check` as a person meets it: every file is judged, all that is wrong is said at once, and what can't be judged says what to do."""

import json
import re

import pytest

from hardware.boards import boards
from hardware.check import Unusable, check, passes
from hardware.fittings import FIT, OF_A_KIND, THROUGH
from hardware.pins import PIN_KINDS
from hardware.rule import rules
from hardware.shape import MOST_BYTES, Source
from tests.hardware import bad_files
from tests.hardware.weak_parts import weak_parts  # noqa: F401
from waspada.cli import main

RIVER = bad_files.shipped("river_gauge")
TWO_PINS = (
    RIVER.replace("rx = 32", "rx = 6")
    .replace("pin = 26", "pin = 5")
    .replace("ratio_milli = 5700", "ratio_milli = 6600")
)
UNKNOWN = 'part = "a02yyuw"', 'part = "hcsr04"'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "good.toml").write_text(RIVER, encoding="utf-8")
    (tmp_path / "broken.toml").write_text(bad_files.text("boot-glitch"), encoding="utf-8")
    (tmp_path / "unknown.toml").write_text(RIVER.replace(*UNKNOWN), encoding="utf-8")
    return tmp_path


def run(capsys, *words):
    code = main(["hardware", "check", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_file_that_can_not_be_judged_keeps_no_other_from_it(folder, capsys):
    names = [folder / f"{name}.toml" for name in ("unknown", "good", "missing", "broken", "good")]
    code, out, err = run(capsys, *names)
    assert code == 2
    assert "5 files: 2 pass, 1 do not, 2 can't be judged" in out
    assert "[boot-glitch]" in out
    assert err.count("\n") == 2
    assert "no sensor 'hcsr04'" in err and "missing.toml" in err


def test_broken_rules_alone_are_exit_1_and_none_is_exit_0(folder, capsys):
    assert run(capsys, folder / "good.toml", folder / "broken.toml")[0] == 1
    assert run(capsys, folder / "good.toml", "river_gauge")[0] == 0


def test_the_answer_as_json_has_every_file_also_beside_an_unusable_one(folder, capsys):
    code, out, _ = run(capsys, folder / "unknown.toml", folder / "broken.toml", folder / "good.toml", "--json")
    answer = json.loads(out.splitlines()[-1])
    assert code == 2
    assert [row["passes"] for row in answer["stations"]] == [False, False, True]
    assert answer["stations"][0]["error"] == answer["error"]
    assert "error" not in answer["stations"][1]
    assert answer["stations"][1]["findings"][0]["rule"] == "boot-glitch"


def test_all_that_a_file_breaks_is_told_at_once(tmp_path):
    found = check(Source(tmp_path / "two.toml", TWO_PINS))
    assert [(finding.rule.name, finding.key) for finding in found if not passes([finding])] == [
        ("flash-pin", "pins.uart1.rx"), ("strapping-pin", "pins.strobe.pin"), ("divider-ratio", "sensors[2].ratio_milli")]  # fmt: skip


def test_what_else_is_wrong_is_told_beside_what_makes_a_file_unusable(tmp_path, capsys):
    with pytest.raises(Unusable) as refused:
        check(Source(tmp_path / "both.toml", TWO_PINS.replace(*UNKNOWN)))
    assert [finding.rule.name for finding in refused.value.found] == ["flash-pin", "strapping-pin"]
    path = tmp_path / "both.toml"
    path.write_text(TWO_PINS.replace(*UNKNOWN), encoding="utf-8")
    code, out, err = run(capsys, path)
    assert (code, out.count("[flash-pin]"), err.count("hcsr04")) == (2, 1, 1)


def test_a_refused_pin_names_those_that_the_file_leaves_open(tmp_path):
    said = check(Source(tmp_path / "two.toml", TWO_PINS))[0].found
    named = {int(word.strip(",")) for word in said.split("it can be ")[1].split(":")[0].split()}
    assert {13, 18, 32} <= named
    assert not named & {4, 33, 34, 25}, "the file gives these to others"


# What is written into a file: what the sentence says
FILES = [
    (b"", "'about' is missing"), (b"about = ", "is not TOML"), (RIVER.encode("utf-16"), "is not text in UTF-8; save it as such"),
    (b"a" * (MOST_BYTES + 1), "is larger than 1000000 bytes"), (b"[" * 5000, "is not TOML"), (b"\x00\xff", "is not text in UTF-8"),
    (b'about = "x"\n"a\\u001b[2J\\n" = 1\n', "unknown key 'a\\x1b[2J\\n'"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "says"), FILES)
def test_a_file_that_is_no_station_is_one_sentence_with_its_name(data, says, tmp_path, capsys):
    path = tmp_path / "odd.toml"
    path.write_bytes(data)
    code, _, err = run(capsys, path)
    assert (code, err.count("\n")) == (2, 1)
    assert says in err and str(path) in err


def test_a_name_that_is_no_file_says_what_it_is_and_what_may_be_meant(tmp_path, capsys):
    assert "is a folder; give the station's file in it" in run(capsys, tmp_path)[2]
    assert "no station is named: '' is empty; give a file" in run(capsys, "")[2]
    assert "did you mean river_gauge?" in run(capsys, "river_guage")[2]
    assert run(capsys, "a\nb.toml")[2].count("\n") == 1


def test_a_file_of_a_windows_editor_is_read(tmp_path, capsys):
    path = tmp_path / "gauge.toml"
    path.write_bytes(b"\xef\xbb\xbf" + RIVER.replace("\n", "\r\n").encode())
    assert run(capsys, path)[0] == 0


# What nobody would solder, or what would be soldered and never driven: (station, old, new, what the sentence says)
SOLDERED = [
    ("river_gauge", "[fit.siren]\n", "[fit.siren]\npull_up_ohm = 1000\n", "fit.siren: 'pull_up_ohm' is of no use on a bus or output of kind output; allowed"),
    ("river_gauge", "[fit.siren]\n", '[fit.siren]\nthrough = ["divider_1k_2k"]\n', "fit.siren: 'through' is of no use"),
    ("river_gauge", "[fit.uart1]\n", '[fit.uart1]\npart = "siren_12w"\n', "fit.uart1: 'part' is of no use on a bus or output of kind uart"),
    ("river_gauge", "[fit.adc1]\n", "[fit.adc1]\npull_up_ohm = 1000\n", "fit.adc1: 'pull_up_ohm' is of no use"),
    ("weather_pole", "[fit.i2c0]\n", '[fit.i2c0]\nthrough = ["divider_1k_2k"]\n', "fit.i2c0: 'through' is of no use"),
    ("rain_gauge", "[fit.rain]\n", "[fit.rain]\npull_down_ohm = 1000\n", "fit.rain: 'pull_down_ohm' is of no use"),
    ("river_gauge", '"divider_470k_100k"', '"shifter_bss138"', "shifter_bss138 is a shifter; on a line of kind adc allowed are divider"),
    ("river_gauge", '"divider_1k_2k"', '"divider_1k_2k", "shifter_bss138"', "2 circuits in one line; allowed is one"),
    ("river_gauge", "power = 4\n", "", "fit.uart1 names a switch that nothing drives: give pins.uart1 a 'power'"),
    ("river_gauge", 'charger = "charger_mppt_4a"\n', "", "supply names a panel and no 'charger'"),
    ("storage_tank", 'part = "ads1115_module"\nrail = "3V3"\nprobe = "transmitter_4_20"\nprobe_rail', 'part = "transmitter_4_20"\nrail',
     "transmitter_4_20 has a line of kind loop, and i2c0 is i2c; its part is what answers on that bus"),
    ("river_gauge", 'gives = "level"', 'gives = "level"\nmeasures = "depth"', "a02yyuw measures a range, not a depth"),
    ("rain_gauge", 'part = "tipping_bucket_02mm"', 'part = "tipping_bucket_02mm"\nrail = "battery"', "a contact is fed by nothing"),
    ("pv_monitor", 'probe = "reference_cell_85mv"\n', "", "lacks 'probe', what its converter reads"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "says"), SOLDERED)
def test_what_nobody_would_solder_is_refused(name, old, new, says, tmp_path, capsys):
    text = bad_files.shipped(name)
    assert old in text
    path = tmp_path / "odd.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    code, _, err = run(capsys, path)
    assert (code, err.count("\n")) == (2, 1)
    assert says in err
    assert "odd.toml, line " in err


def test_every_kind_of_pins_says_what_may_be_fitted_to_it():
    assert set(OF_A_KIND) == set(PIN_KINDS)
    assert {key for keys in OF_A_KIND.values() for key in keys} == set(FIT)
    assert {kind for kind, keys in OF_A_KIND.items() if "through" in keys} == set(THROUGH)


LAN = '[lan]\nmdc = 23\nmdio = 18\nphy_type = "lan8720"\nphy_addr = 1\n[site]'
# A PHY beside a board: (what of LAN is changed, the rule)
PHYS = [
    ("mdc = 23", "mdc = 6", "flash-pin"), ("mdc = 23", "mdc = 35", "input-only-pin"), ("mdc = 23", "mdc = 18", "lan-pins"),
    ("mdc = 23", "mdc = 21", "lan-pins"),
    ("phy_addr = 1", "phy_addr = 1\npower = 12", "strapping-pin"), ("phy_addr = 1", "phy_addr = 1\nref_clk = 16", "psram-pin"), ("", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "rule"), PHYS)
def test_a_phys_own_pins_are_held_to_the_chip_too(old, new, rule, tmp_path):
    text = RIVER.replace("board =", 'access = "lan"\nboard =', 1).replace("[site]", LAN.replace(old, new, 1), 1)
    text = (
        text.replace("pin = 25", "pin = 14")
        .replace("pin = 26", "pin = 13")
        .replace("rx = 32", "rx = 36")
        .replace("pin = 14", "pin = 32")
    )
    text = text.replace("batteries = 2", "batteries = 4")
    found = check(Source(tmp_path / "lan.toml", text))
    assert {finding.rule.name for finding in found if not passes([finding])} == ({rule} if rule else set())


# Rules with a limit: what of the bad file is changed by the least that lets it pass. (1 mm, 1 ms, 1 s, 1 mV, one degree, a tenth of one)
JUST_RIGHT = {
    "level-reach": ('"4.471 m"', '"4.470 m"'), "sensor-claims": ("blanking_mm = 499", "blanking_mm = 500"),
    "care-blanking": ("blanking_mm = 29", "blanking_mm = 30"), "contact-length": ("cable_cm = 27401", "cable_cm = 27400"),
    "onewire-length": ("cable_cm = 2942", "cable_cm = 2941"), "frost": ("coldest_c = -1", "coldest_c = 0"),
    "charger-voltage": ('"panel_high"', '"panel_just"'), "charger-alone": ('charger = "', 'panel = "panel_20w"\ncharger = "'),
    "low-water": ('"4.501 m"', '"4.500 m"'),
    "level-burst": ("warm_up_ms = 1701", "warm_up_ms = 1700"),
    "warm-up": ("warm_up_ms = 1499", "warm_up_ms = 1500"), "rise-window": ('"451 s"', '"450 s"'), "beam-clear": ("clear_mm = 100", "clear_mm = 105"),
    "beam-tilt": ("tilt = 61", "tilt = 60"), "silent-siren": ('"siren.from" = "4"', '"siren.from" = "3"'), "battery-low": ('"11 V"', '"11.001 V"'),
    "cold-charge": ("coldest_c = -1", "coldest_c = 0"), "rs485-length": ("cable_cm = 10001", "cable_cm = 10000"),
    "loop-voltage": ("shunt_mohm = 250000", "shunt_mohm = 100000"), "switch-side": ("mosfet_low_side", "high_side_12v"),
    "watchdog-off": ("watchdog_s = 0", "watchdog_s = 60"),
    "output-load": ('part = "strobe_2w"', 'part = "valve_12v"'), "cable-drop": ("cable_cm = 2200", "cable_cm = 300"),
}  # fmt: skip


@pytest.mark.usefixtures("weak_parts")
@pytest.mark.parametrize("rule", list(JUST_RIGHT))
def test_a_limit_is_where_its_rule_says(rule, tmp_path):
    bad, good = JUST_RIGHT[rule]
    text = bad_files.text(rule)
    assert bad in text
    assert [finding.sentence() for finding in check(Source(tmp_path / "good.toml", text.replace(bad, good, 1)))] == []


# Which side of its load a switch cuts: a siren's and a valve's minus, a sensor's plus.
SIDES = [
    ("river_gauge", "siren", "mosfet_low_side", "high_side_12v", "high_side_12v cuts the plus of siren on 25"),
    ("storage_tank", "strobe", "mosfet_low_side", "high_side_12v", "high_side_12v cuts the plus of strobe on "),
    ("radar_gauge", "uart1", "high_side_12v", "mosfet_low_side", "mosfet_low_side cuts the ground of what is on uart1"),
]


@pytest.mark.parametrize(("name", "of", "right", "wrong", "says"), SIDES)
def test_a_switch_that_cuts_the_other_side_than_its_wires_say_is_refused(name, of, right, wrong, says, tmp_path):
    text = bad_files.shipped(name)
    before, after = text.split(f"[fit.{of}]\n")
    assert f'switch = "{right}"' in after
    told = check(Source(tmp_path / "s.toml", f"{before}[fit.{of}]\n{after.replace(right, wrong, 1)}"))
    assert [(finding.rule.name, finding.key) for finding in told] == [("switch-side", f"fit.{of}.switch")]
    assert not passes(told) and says in told[0].sentence() and right in told[0].sentence()
    assert check(Source(tmp_path / "s.toml", text)) == []


def test_what_freezes_is_said_of_the_sensor_that_stands_there(tmp_path):
    said = {}
    for name in ("river_gauge", "rain_gauge"):
        text = re.sub("coldest_c = -?[0-9]+", "coldest_c = -1", bad_files.shipped(name))
        (said[name],) = [
            each.sentence() for each in check(Source(tmp_path / "s.toml", text)) if each.rule.name == "frost"
        ]
    assert "ice or snow on its face" in said["river_gauge"] and "bucket" not in said["river_gauge"]
    assert "ice fills the bucket" in said["rain_gauge"] and "radar" not in said["rain_gauge"]


# A table without its part: what there is instead.
UNNAMED = [
    ('[mount]\npart = "bridge_arm"\n', "[mount]\n", "mount lacks 'part'; allowed is a part's name, of hardware/parts/mounts.toml bridge_arm, "),
    ('battery = "lfp_6ah"\n', "", "supply lacks 'battery'; allowed is a part's name, of hardware/parts/supplies.toml lfp_6ah, lfp_20ah, "),
    ('regulator = "buck_5v_2a"\n', "", "supply lacks 'regulator'; allowed is a part's name, of hardware/parts/supplies.toml buck_5v_2a, "),
    ('part = "siren_12w"\n', "part = 12\n", "fit.siren.part is 12; allowed is a part's name, of hardware/parts/outputs.toml siren_12w, "),
    ('switch = "mosfet_low_side"\n', "switch = 1\n", "allowed is a part's name, of hardware/parts/circuits.toml load_switch_5v, "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), UNNAMED)
def test_where_a_part_is_missing_those_that_there_are_are_named(old, new, says, tmp_path, capsys):
    assert old in RIVER
    path = tmp_path / "mine.toml"
    path.write_text(RIVER.replace(old, new, 1), encoding="utf-8")
    code, _, err = run(capsys, path)
    assert (code, err.count("\n")) == (2, 1)
    assert says in err and "mine.toml, line " in err


@pytest.mark.parametrize(("ohm", "found"), [(100, True), (999, True), (1000, False)])
@pytest.mark.parametrize("name", ["rain", "lid"])
def test_a_contact_is_pulled_up_by_a_thousand_ohm_or_more(name, ohm, found, tmp_path):
    text = bad_files.shipped("rain_gauge").replace("pull_up_ohm = 100000\n", "", 1)
    text = text.replace(f"[fit.{name}]\n", f"[fit.{name}]\npull_up_ohm = {ohm}\n", 1)
    told = check(Source(tmp_path / "rain.toml", text))
    assert [finding.rule.name for finding in told] == ["contact-pull-up"] * found
    assert not found or f"{3300 / ohm:.0f} mA flow for as long as it is closed" in told[0].sentence()


# A danger line of a MB7383 at 7.5 m: what is said of its reach, and which rule finds it. It is blind for 500 mm, so 7 m is the highest level.
REACHES = [
    ("", '"7.000 m"', []), ("", '"7.001 m"', ["level-reach"]), ("range_mm = 9999\n", '"7.001 m"', ["level-reach"]),
    ("blanking_mm = 300\n", '"7.100 m"', ["sensor-claims"]), ("blanking_mm = 501\n", '"7.000 m"', ["level-reach"]),
    ("range_mm = 9998\nblanking_mm = 500\n", '"7.000 m"', []),
]  # fmt: skip


@pytest.mark.parametrize(("claims", "danger", "rules_found"), REACHES)
def test_a_ranger_sees_what_its_part_sees_whatever_its_row_says(claims, danger, rules_found, tmp_path):
    text = bad_files.shipped("river_gauge_maxbotix").replace("range_mm = 9999\nblanking_mm = 500\n", claims)
    text = text.replace('"9.000 m"', '"7.500 m"').replace('"4.000 m"', danger)
    assert [finding.rule.name for finding in check(Source(tmp_path / "high.toml", text))] == rules_found


def test_what_to_do_about_a_line_out_of_reach_is_that_lines_own(tmp_path):
    text = bad_files.shipped("river_gauge_maxbotix").replace('"9.000 m"', '"7.500 m"')
    (high,) = check(Source(tmp_path / "high.toml", text.replace('"4.000 m"', '"7.001 m"')))
    assert high.remedy == "hang the sensor higher (sensor.height), or set the line lower"
    near = text.replace("range_mm = 9999\nblanking_mm = 500", "range_mm = 5000").replace('"2.000 m"', '"2.500 m"')
    (low,) = [found for found in check(Source(tmp_path / "low.toml", near)) if found.rule.name == "level-reach"]
    assert low.remedy.startswith("range_mm = 9999, which mb7383 sees to, hang the sensor lower")


def test_a_battery_on_a_bare_pin_is_told_what_it_does_to_the_pin(tmp_path):
    text = RIVER.replace('[fit.adc1]\nthrough = ["divider_470k_100k"]\n', "[fit.adc1]\n")
    (found,) = check(Source(tmp_path / "bare.toml", text))
    assert found.rule.name == "divider-ratio"
    assert "13800 mV on a pin that takes 3600 kill the chip" in found.sentence()
    assert 'Do: through = ["divider_470k_100k"] in [fit.adc1]' in found.sentence()


def test_a_level_by_its_seasons_is_held_to_what_the_sensor_tells_too(tmp_path):
    text = bad_files.shipped("tide_gauge").replace('danger = "3.000 m"', 'danger = "5.600 m"')
    (found,) = check(Source(tmp_path / "tide.toml", text))
    assert found.rule.name == "level-reach"
    assert "danger 5.6 m is above 5.502 m" in found.found


def test_every_board_is_offered_where_one_without_psram_is_too_small(tmp_path):
    (found, *_) = check(Source(tmp_path / "air.toml", bad_files.text("psram")))
    assert all(name in found.found for name in boards() if name != "esp32_devkitc_v4")


def test_a_rule_is_told_by_the_name_that_the_check_gives(folder, capsys):
    assert "Where from: waspada hardware rules boot-glitch\n" in run(capsys, folder / "broken.toml")[1]
    assert main(["hardware", "rules", "boot-glitch"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("boot-glitch (error): ") and said.count("\n") == 1 and "Source: " in said
    assert main(["hardware", "rules", "boot-glich"]) == 2
    assert "no rule 'boot-glich'; there are pin-absent, " in capsys.readouterr().err


@pytest.mark.usefixtures("weak_parts")
@pytest.mark.parametrize("rule", list(rules()))
def test_a_bad_file_is_a_shipped_one_with_no_more_changed_than_breaks_its_rule(rule, tmp_path):
    for number in range(len(bad_files.BAD[rule][1])):
        try:
            found = {
                finding.rule.name
                for finding in check(Source(tmp_path / "less.toml", bad_files.text(rule, without=number)))
            }
        except Unusable:
            continue
        assert found != {rule}, bad_files.BAD[rule][1][number]
