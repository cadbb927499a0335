"""ESP32 and ESP32-S3 apart: one file, only its board exchanged, and each rule that knows the chip says something else. What both do alike stands last."""

import pytest

from hardware import boards, fittings
from hardware.boards import chips, read_board
from hardware.check import check
from hardware.parts import Part, parts
from hardware.shape import Source
from simulator.errors import InputError
from tests.hardware import bad_files

CHIPS = {"esp32": "esp32_wrover_devkitc", "esp32s3": "esp32_s3_devkitc_psram"}
RIVER = ("river_gauge", [])
ASLEEP = ("rain_gauge", [bad_files.SLEEPS])
# (station, what of its pins is another, where to, the rules that an ESP32 breaks by it, those of an S3)
APART = [
    (RIVER, "siren", 15, {"strapping-pin"}, set()),
    (RIVER, "siren", 3, {"console-pin"}, {"strapping-pin"}),
    (RIVER, "siren", 43, {"pin-absent"}, {"console-pin"}),
    (RIVER, "siren", 6, {"flash-pin"}, set()),
    (RIVER, "siren", 27, set(), {"flash-pin"}),
    (RIVER, "siren", 16, {"psram-pin"}, set()),
    (RIVER, "siren", 36, {"input-only-pin"}, {"psram-pin"}),
    (RIVER, "siren", 22, set(), {"pin-absent"}),
    (RIVER, "siren", 47, {"pin-absent"}, set()),
    (RIVER, "siren", 14, {"boot-glitch"}, set()),
    (RIVER, "siren", 21, set(), {"boot-glitch"}),
    (RIVER, "siren", 18, set(), {"boot-glitch"}),
    (RIVER, "adc1", 14, {"adc2-with-wifi"}, {"adc2-with-wifi"}),
    (RIVER, "adc1", 18, {"adc-pin"}, {"adc2-with-wifi"}),
    (RIVER, "adc1", 21, {"adc-pin"}, {"adc-pin"}),
    (RIVER, "adc1", 13, {"adc2-with-wifi"}, {"adc2-with-wifi"}),
    (RIVER, "adc1", 8, {"flash-pin"}, set()),
    (RIVER, "adc1", 2, {"strapping-pin"}, set()),
    (ASLEEP, "rain", 18, {"wake-pin"}, set()),
    (ASLEEP, "rain", 21, {"wake-pin"}, set()),
    (ASLEEP, "rain", 42, {"pin-absent"}, {"wake-pin"}),
    (ASLEEP, "rain", 14, set(), set()),
]  # fmt: skip
# A chip's key, and the rule that reads it
RULES = {
    "strapping": "strapping-pin", "input_only": "input-only-pin", "adc1": "adc-pin", "adc2": "adc2-with-wifi", "flash": "flash-pin",
    "console": "console-pin", "wake": "wake-pin", "glitch": "boot-glitch", "pins": "pin-absent", "modules": "psram-pin",
    "weak": "output-driver", "adc_mv": "adc-range",
}  # fmt: skip


def text_of(station, name, pin, chip):
    shipped, changes = station
    text = bad_files.shipped(shipped)
    for old, new in changes:
        text = text.replace(old, new, 1)
    at = text.index(f"[pins.{name}]")
    begin = text.index("pin = ", at)
    text = text[:begin] + f"pin = {pin}" + text[text.index("\n", begin) :]
    return text.replace('board = "esp32_wrover_devkitc"', f'board = "{CHIPS[chip]}"')


def rules_at(text, key, tmp_path):
    found = check(Source(tmp_path / "bad.toml", text))
    return {finding.rule.name for finding in found if finding.key == key}


@pytest.mark.parametrize("row", APART, ids=lambda row: f"{row[1]}-{row[2]}")
def test_a_file_is_judged_by_its_own_chip(row, tmp_path):
    station, name, pin, *expected = row
    for chip, rules in zip(CHIPS, expected, strict=True):
        assert rules_at(text_of(station, name, pin, chip), f"pins.{name}.pin", tmp_path) == rules, chip


def test_a_full_battery_leaves_the_range_of_one_converter_and_not_of_the_other(tmp_path):
    """14.6 V without a charger's end are 2.56 V behind 5.7: past 2450 mV, short of 2900."""
    name, changes = bad_files.BAD["adc-range"]
    for chip, pin, rules in (("esp32", 34, {"adc-range"}), ("esp32s3", 5, set())):
        text = text_of((name, changes), "adc1", pin, chip)
        found = check(Source(tmp_path / "bad.toml", text))
        assert {finding.rule.name for finding in found} & {"adc-range"} == rules, chip


def test_a_bare_lamp_of_15_ma_is_too_much_for_two_pins_of_one_chip(tmp_path, monkeypatch):
    figures = {**parts("outputs")["lamp_only"].figures, "supply_mv": [3000, 3600], "awake_ua": 15000, "peak_ua": 15000}
    lamp = Part("lamp_15ma", "lamp", figures)
    monkeypatch.setattr(
        fittings, "parts", lambda group: {**parts(group), **({"lamp_15ma": lamp} if group == "outputs" else {})}
    )
    bare = (
        bad_files.SIREN_FIT.replace('switch = "mosfet_low_side"\n', "")
        .replace("siren_12w", "lamp_15ma")
        .replace('"battery"', '"3V3"')
    )
    for board, pin, rules in (
        ("esp32_devkitc_v4", 17, set()), ("esp32_s3_devkitc_psram", 17, {"output-driver"}), ("esp32_s3_devkitc_psram", 16, set()),
    ):  # fmt: skip
        text = text_of(("river_gauge", [(bad_files.SIREN_FIT, bare)]), "siren", pin, "esp32").replace(
            "esp32_wrover_devkitc", board
        )
        found = check(Source(tmp_path / "bad.toml", text))
        assert {finding.rule.name for finding in found} & {"output-driver"} == rules, (board, pin)


def test_ethernet_is_the_esp32s_alone(tmp_path):
    text = bad_files.shipped("river_gauge").replace("board =", 'access = "lan"\nboard =', 1)
    with pytest.raises(InputError, match="has no Ethernet: of these chips only the esp32 has"):
        check(Source(tmp_path / "s.toml", text.replace("esp32_wrover_devkitc", "esp32_s3_devkitc_psram")))


def test_every_key_in_which_the_chips_differ_is_tried_here():
    esp32, s3 = (chips()[chip] for chip in CHIPS)
    assert set(esp32) == set(s3)
    tried = {rule for *_, first, second in APART for rule in first ^ second} | {"output-driver", "adc-range"}
    for key in set(esp32) - {"sources", "held"}:
        if esp32[key] != s3[key]:
            assert RULES[key] in tried, key
    assert set(RULES) == {key for key in esp32 if esp32[key] != s3[key]} - {"sources", "held"}


def test_every_figure_of_a_chip_has_its_source():
    for name, chip in chips().items():
        of_another = {"sources", "takes_high_mv", "pins"}  # high_mv's; and all that the others speak of
        assert set(chip["sources"]) | of_another == set(chip), name
        assert not [key for key, said in chip["sources"].items() if "from memory" in said], name


def test_whatever_pin_can_drive_a_siren_keeps_it_off_in_deep_sleep():
    """So no rule has to ask: a chip whose outputs can't all be held needs one (hardware/rules_pins.py)."""
    for name, chip in chips().items():
        assert set(chip["held"]) == set(chip["pins"]) - set(chip["input_only"]), name
        assert set(chip["wake"]) <= set(chip["pins"]), name
        assert set(chip["glitch"]) <= set(chip["pins"]), name


def test_a_board_that_pulls_a_pin_up_by_no_number_is_refused(tmp_path, monkeypatch):
    whole = (boards.BOARDS / "olimex_esp32_poe_iso_wrover.toml").read_text(encoding="utf-8")
    for wrong in ("x = 2200", "13 = 0", '13 = "2k2"', "77 = 2200"):
        with pytest.raises(InputError, match=r"pull_ups is .* allowed is a table from a pin's number to the Ohm"):
            boards._board(Source(tmp_path / "b.toml", whole.replace("13 = 2200", wrong)))
    read = boards._board(Source(tmp_path / "b.toml", whole))
    assert read["pull_ups"] == {13: 2200, 36: 10000} and read["pull_ups_of_some"] == {33: 2200}
    assert read_board("esp32_devkitc_v4")["pull_ups"] == {}
