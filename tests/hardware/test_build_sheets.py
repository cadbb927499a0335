"""The sheets to build by: their tables are the tools' own, and each number that is data somewhere else is that one."""

import math
import re
import tomllib

import pytest

from hardware import bench, bom, building, power
from hardware.compile import shipped
from hardware.harness import setting
from hardware.parts import parts
from hardware.shape import ROOM
from hardware.sheet import sheet
from node.core.sounder import PATTERNS
from node.drivers import a02yyuw
from tests.hardware import build_pages
from tests.hardware.build_pages import PAGES
from waspada.station import load

DOCS = ROOM.parent / "docs"


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def joined(name: str) -> str:
    """As one line: what a sentence says wherever it is broken."""
    return " ".join(page(name).split())


@pytest.mark.parametrize("name", sorted({name for name, _ in build_pages.MADE.values()}))
def test_the_tables_of_a_sheet_are_made_of_todays_data(name: str) -> None:
    assert build_pages.made(page(name)) == page(name), "make them again: python -m tests.hardware.build_pages"


def test_every_table_that_is_made_stands_on_its_page() -> None:
    assert {
        (mark, path.stem) for path in PAGES.glob("*.md") for mark in build_pages.marks(path.read_text(encoding="utf-8"))
    } == {(mark, name) for mark, (name, _) in build_pages.MADE.items()}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("siren", "| 10 m |", "| 11 m |"),
        ("first_station", "5.0 kOhm", "10.0 kOhm"),
        ("enclosure", "| 5 A |", "| 10 A |"),
        ("mounting", "| Helsinki |", "| Turku |"),
    ],
)
def test_a_table_that_was_changed_by_hand_is_found(name: str, old: str, new: str) -> None:
    assert old in page(name)
    assert build_pages.made(page(name).replace(old, new, 1)) == page(name)


def test_the_rangers_reach_and_its_errors_are_as_the_level_sheet_says() -> None:
    said, height = joined("level"), setting(load("river_gauge"), "sensor.height")
    assert height == a02yyuw.RANGE_MM
    assert f"{height / 1000:g} m is also as far as" in said
    tilted = height / math.cos(math.radians(5)) - height
    assert f"5 degrees at {height / 1000:g} m read {tilted:.0f} mm too far" in said
    a_degree = 0.606 / (331.3 + 0.606 * 20)  # of the speed of sound in air at 20 degrees
    assert f"changes by {a_degree * 100:.2f} % a degree" in said
    assert f"reads {height / 1000:g} m wrong by up to {height * a_degree * 10:.0f} mm" in said


def test_arm_and_cone_of_the_river_gauge_are_as_the_level_sheet_says() -> None:
    one = load("river_gauge")
    part = one.fittings.sensors[0].part
    assert part and one.fittings.mount
    radius = building.beam_radius_mm(setting(one, "sensor.height"), part["beam_deg"])
    said = f"arm of a bridge is {one.fittings.mount['reach_mm'] / 1000:g} m, the radius of the river gauge's ranger at its zero {radius / 1000:.1f} m"
    assert said in joined("level")


def test_the_tide_gauge_is_tilted_as_the_mounting_sheet_says() -> None:
    assert load("tide_gauge").sensors[0]["tilt"] == 50, "tenths of a degree"
    assert "(the tide gauge does: 5 degrees)" in joined("mounting")


def test_the_box_is_as_the_sundries_have_it() -> None:
    sundries = tomllib.loads((ROOM / "sundries.toml").read_text(encoding="utf-8"))
    said = joined("enclosure")
    sizes = [
        re.search(r"\d+ x \d+ x \d+ mm", sundries[each]["name"]) for each in ("enclosure_small", "enclosure_large")
    ]
    assert (
        f"{sizes[0] and sizes[0][0]} with batteries up to {bom.SMALL_MAH // 1000} Ah, {sizes[1] and sizes[1][0]} beyond"
        in said
    )
    assert "24.4 V" in sundries["suppressor"]["where"] and "24.4 V" in said
    supplies = parts("supplies").values()
    chargers = [part for part in supplies if part.kind == "charger"]
    assert {part["output_mv"] for part in chargers} == {13_800} and "charger ends at 13.8 V" in said
    takes = (
        min(part["input_max_mv"] for part in chargers),
        min(part["input_mv"][1] for part in supplies if part.kind == "regulator"),
    )
    assert f"the charger takes {takes[0] // 1000}, the converter {takes[1] // 1000}" in said
    for each in ("lfp_6ah", "lfp_20ah"):
        assert "0 to 45 degrees" in parts("supplies")[each]["where"]
    assert "0 to 45 degrees" in said


def test_the_first_station_is_the_river_gauge() -> None:
    one, said = load("river_gauge"), joined("first_station")
    supply, outputs = one.fittings.supply, one.fittings.fits
    least, most = one.board["supply_mv"]
    by_lte = load("river_gauge_lte").board["supply_mv"]
    assert (
        f"the board's 5.0 V ({least / 1000:g} to {most / 1000:g}; VBUS: {by_lte[0] / 1000:.1f} to {by_lte[1] / 1000:g})"
        in joined("acceptance")
    )
    assert f"bench supply {supply['battery']['nominal_mv'] / 1000:g} V" in said
    assert (
        f"At {supply['battery']['empty_mv'] / 1000:.1f} and {supply['charger']['output_mv'] / 1000:g} V: the same"
        in said
    )
    siren, strobe = (outputs[name].part for name in ("siren", "strobe"))
    assert siren and strobe
    assert (
        f"siren {siren['awake_ua'] / 1e6:g} A at most while it sounds, strobe {strobe['awake_ua'] / 1e6:g} A on the mean"
        in said
    )
    assert f"{siren['sound_db']} dB(A) at 1 m or more and {siren['awake_ua'] / 1e6:g} A at 12 V or less" in said
    pins = one.source.values["pins"]
    down = sorted([pins["uart1"]["power"], pins["siren"]["pin"], pins["strobe"]["pin"]])
    assert (
        f"The 10 kOhm of GPIO {down[0]}, {down[1]} and {down[2]}" in said and f"at GPIO {pins['adc1']['pin']}" in said
    )
    (divider,) = outputs["adc1"].has("divider")
    assert (
        f"{divider['top_ohm'] // 1000} kOhm over {divider['bottom_ohm'] // 1000} kOhm, and 100 nF" in said
        and "100 nF" in divider.name
    )
    assert "±10 mm (maker)" in (DOCS / "sheets" / "river_gauge.md").read_text(encoding="utf-8") and "to 10 mm" in said
    count = one.fittings.batteries
    assert ("Two batteries" in said) == (count == 2)


def test_the_parallel_resistors_are_those_that_acceptance_names() -> None:
    (row,) = {line.split(" | ")[2] for line in page("first_station").splitlines() if "(siren) to GND" in line}
    assert row.startswith("5.0 kOhm") and "5 kOhm at siren's and strobe's pins" in joined("acceptance")


def test_the_patterns_are_the_sounders_and_the_reserve_is_powers() -> None:
    # three seconds in a minute, fifteen in a minute, one minute in three
    assert PATTERNS[1:] == ((3000, 57000), (15000, 45000), (60000, 120000))
    assert power.figures()["sizing"]["siren_h"] == 6 and "danger, six hours" in joined("siren")


def test_the_first_pictures_are_those_the_console_asks_for() -> None:
    asked = (DOCS / "commissioning.md").read_text(encoding="utf-8")
    lines = page("acceptance").splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][2:9]
    for row in rows:
        assert f"  {row}: " in asked or f"  {row}:\n" in asked


@pytest.mark.parametrize("name", [path.stem for path in sorted(PAGES.glob("*.md"))])
def test_a_link_to_a_sheet_leads_to_a_sheet(name: str) -> None:
    for target in re.findall(r"\]\(((?!https?:)[^)#]*)(?:#[^)]*)?\)", page(name)):
        assert (PAGES / target).resolve().exists() or not target, target


def test_all_shipped_stations_have_their_fuses_on_the_sheet() -> None:
    assert all(f"| {name} |" in page("enclosure") for name in shipped())


@pytest.mark.parametrize("name", shipped())
def test_each_stations_page_says_what_a_multimeter_must_show(name: str) -> None:
    said = sheet(load(name))
    assert "## What a multimeter must show" in said
    assert all(row in said for row in bench.meter_rows(load(name)))
