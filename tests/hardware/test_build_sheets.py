"""The sheets to build by: their tables are the tools' own."""

import pytest

from hardware import power, sites
from hardware.building import level_rows, siren_rows
from hardware.compile import shipped
from hardware.parts import parts
from hardware.shape import ROOM
from waspada.station import load

PAGES = ROOM.parent / "docs" / "build"


def page(name: str) -> list[str]:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("row", level_rows([load(name) for name in shipped()]))
def test_the_levels_sheet_has_each_gauge_as_its_file_has_it(row: str) -> None:
    assert row in page("level")


@pytest.mark.parametrize("row", [row for row in siren_rows(parts("outputs")["siren_12w"]["sound_db"]) if row])
def test_the_sirens_sheet_counts_with_the_parts_own_decibels(row: str) -> None:
    assert row in page("siren")


@pytest.mark.parametrize("name", sites.shipped_sites())
def test_the_pv_pole_has_what_the_command_says(name: str) -> None:
    found = power.at_site(load("river_gauge"), sites.read_site(name))
    watts = [f"{row['panel_needed_w']:g} W" for row in found["profiles"]]
    light = f"{found['worst_wh_m2_day']} Wh/m2 a day"
    row = [found["site"], found["worst_month"], f"{found['tilt']} degrees", light, *watts]
    assert f"| {' | '.join(row)} |" in page("mounting")


def test_the_battery_of_the_river_gauge_is_as_the_mounting_sheet_says() -> None:
    on, asleep = power.budget(load("river_gauge"))["profiles"]
    said = "\n".join(page("mounting"))
    assert f"{on['autonomy_days']:.1f} days without sun always on, {asleep['autonomy_days']:g} duty-cycled" in said
    assert on["battery"] == "2 of lfp_6ah"


def test_the_patterns_are_the_sounders() -> None:
    from node.core.sounder import PATTERNS

    # three seconds in a minute, fifteen in a minute, one minute in three
    assert PATTERNS[1:] == ((3000, 57000), (15000, 45000), (60000, 120000))


def test_the_first_pictures_are_those_the_console_asks_for() -> None:
    asked = (ROOM.parent / "docs" / "commissioning.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in page("acceptance") if line.startswith("| ")][2:9]
    for row in rows:
        assert f"  {row}: " in asked or f"  {row}:\n" in asked
