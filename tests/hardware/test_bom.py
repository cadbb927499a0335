"""The bill of materials: every part of the harness once, second sources, an estimate with its date, beside what others published."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest

from hardware import copper
from hardware.bom import FLOODNET_MOUNTED_USD, FLOODNET_USD, Bom, beside
from hardware.building import beam_radius_mm, heard_m, level_db
from hardware.compile import STATIONS, shipped
from hardware.copper import outside
from hardware.net import HOLDER, THERE
from hardware.parts import parts
from hardware.sheet import sheet
from tests.hardware.changed import station
from waspada import cli
from waspada.station import load


def rows_of(name: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert cli.main(["hardware", "bom", name]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize("name", shipped())
def test_each_line_adds_up_to_the_total_and_has_a_second_source(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    *rows, total = rows_of(name, capsys)
    assert total["part"] == "total"
    assert abs(sum(float(row["usd"]) for row in rows) - float(total["usd"])) < 0.005
    for row in rows:
        assert len(row["sources"].split("; ")) > 1, row["part"]
        assert row["datasheet"].startswith("http") and row["priced"].startswith("20")
    assert "estimate, prices of 20" in total["name"]


def differences(bom: Bom) -> list[str]:
    """What is drawn and not bought, or bought and not drawn, so many of each: blocks, and a drawing's words. Other sundries and the mount are on none."""
    blocks = bom.net.blocks
    drawn = Counter(block.kind for name, block in blocks.items() if not name.endswith("_shunt"))
    for kind in ("12 V", "5 V", "rail", HOLDER, THERE):
        del drawn[kind]
    fittings = bom.net.station.fittings
    if "panel" in fittings.supply:
        drawn[fittings.supply["panel"].id] += fittings.panels - 1
    bought = Counter({row.part: row.many for row in bom.rows if row.group not in ("sundries", "mount")})
    found = [
        f"{part}: {drawn[part]} drawn, {bought[part]:g} bought"
        for part in drawn | bought
        if drawn[part] != bought[part]
    ]
    said = Counter(part.what for part in bom.net.small if part.label.startswith("R"))
    said += Counter(f"{fuse.ma / 1000:g} A" for fuse in copper.placed(bom.net.station))
    holders = sum(block.kind == HOLDER for block in blocks.values())
    if holders != sum(row.many for row in bom.rows if row.part == "fuse_holder"):
        found.append(f"{holders} holders drawn")
    kinds = ("resistor_", "fuse_")
    listed = Counter(
        {
            row.figures["name"].split(", ")[1]: row.many
            for row in bom.rows
            if row.part.startswith(kinds) and row.part not in ("fuse_block", "fuse_holder")
        }
    )
    found += [
        f"{value}: {said[value]} in words, {listed[value]:g} bought"
        for value in said | listed
        if said[value] != listed[value]
    ]
    shunts = sum(name.endswith("_shunt") for name in blocks)
    if shunts != sum(row.many for row in bom.rows if row.part.startswith("shunt_")):
        found.append(f"{shunts} shunts drawn")
    return found


@pytest.mark.parametrize("name", shipped())
def test_what_is_drawn_is_bought_and_what_is_bought_is_drawn(name: str) -> None:
    assert differences(Bom(load(name))) == []


def test_a_part_left_out_of_list_or_drawing_is_found() -> None:
    for lost in ("siren_12w", "resistor_10_kohm", "fuse_2_a"):
        bom = Bom(load("river_gauge"))
        bom.rows = [row for row in bom.rows if row.part != lost]
        assert differences(bom), lost
    bom = Bom(load("pv_monitor"))
    del bom.net.blocks["i2c0_ina226_module_40"]
    assert any("ina226_module" in said for said in differences(bom))


@pytest.mark.parametrize("name", shipped())
def test_each_cable_that_leaves_the_box_has_its_gland_and_its_metres(name: str) -> None:
    bom = Bom(load(name))
    many = {row.part: row.many for row in bom.rows}
    cables = outside(bom.net)
    assert many["glands"] == len(cables)
    assert many.get("arrester", 0) == sum(cm >= 1000 for cm, _, _ in cables.values())
    metres = sum(cm for cm, square, _ in cables.values() if square != "4") / 100
    assert many.get("cable", 0) + many.get("cable_1_5", 0) == pytest.approx(metres)
    assert (
        many["fuse_block"] * 6
        >= sum(count for part, count in many.items() if part.startswith("fuse_") and part.endswith("_a"))
        - many["fuse_holder"]
    )


def test_a_battery_has_a_box_that_it_fits_into() -> None:
    for name in shipped():
        bom = Bom(load(name))
        many, fittings = {row.part: row.many for row in bom.rows}, bom.net.station.fittings
        large = fittings.supply["battery"]["mah"] * fittings.batteries > 12_000
        assert ("enclosure_large" in many, "enclosure_small" in many) == (large, not large)


def test_lte_has_its_aerial_and_lan_its_cable(monkeypatch: pytest.MonkeyPatch) -> None:
    one = load("river_gauge")
    for access, part in (("lte", "lte_aerial"), ("lan", "lan_cable")):
        monkeypatch.setitem(one.access, "access", access)
        assert part in {row.part for row in Bom(one).rows}
    assert not {"lte_aerial", "lan_cable"} & {row.part for row in Bom(load("river_gauge")).rows}


def test_two_of_a_converter_at_one_address_are_one() -> None:
    counts = {row.part: row.many for row in Bom(load("storage_tank")).rows}
    assert counts["ads1115_module"] == 1
    assert {row.part: row.many for row in Bom(load("pv_monitor")).rows}["ina226_module"] == 8


def test_panels_in_parallel_are_counted() -> None:
    plain, two = (Bom(station("river_gauge", *changes)) for changes in ([], [("[supply]", "[supply]\npanels = 2")]))
    assert two.cents - plain.cents == parts("supplies")["panel_20w"]["usd_cents"]


def test_the_river_gauges_total_stands_beside_floodnets(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hardware", "bom", "river_gauge"]) == 0
    said = capsys.readouterr().err
    bom = Bom(load("river_gauge"))
    bare = bom.cents - bom.mounting_cents - bom.warning_cents
    assert f"USD {bom.cents / 100:.2f} (estimate" in said and "FloodNet publishes under USD 200" in said
    assert f"{beside(bom.cents, FLOODNET_MOUNTED_USD)} theirs with its mount" in said
    assert f"which theirs has not, {bare / 100:.2f}, {beside(bare, FLOODNET_USD)} their 200" in said


def test_above_is_not_below() -> None:
    assert beside(25905, 210) == "USD 49.05 above" and beside(19505, 200) == "USD 4.95 below"


def test_a_station_without_a_level_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hardware", "bom", "rain_gauge", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["estimate"] is True and "floodnet_usd_below" not in answer


def test_an_unknown_station_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for does in ("bom", "power", "wiring"):
        assert cli.main(["hardware", does, "no_such"]) == 2
        said = capsys.readouterr().err
        assert "no station 'no_such'" in said and said.count("\n") == 1


def test_an_unknown_part_names_file_key_and_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (STATIONS / "river_gauge.toml").read_text(encoding="utf-8").replace('"lfp_6ah"', '"lfp_7ah"')
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert cli.main(["hardware", "bom", str(tmp_path / "mine.toml")]) == 2
    said = capsys.readouterr().err
    assert "mine.toml, line" in said and "no battery 'lfp_7ah'" in said and "lfp_6ah" in said


def test_the_page_has_what_builds_the_station() -> None:
    said = sheet(load("river_gauge"))
    for word in (
        "## How it is wired",
        "| 32 | uart1.rx |",
        "## What to buy",
        "## What feeds it",
        "blind for 0.03 m",
        "water above 4.47 m is not told",
    ):
        assert word in said


def test_a_page_of_a_file_without_parts_says_what_is_missing() -> None:
    bare = station("river_gauge", ('part = "a02yyuw"\n', ""))
    assert "Not to be built from this file yet" in sheet(bare)


def test_a_beam_is_a_cone() -> None:
    assert beam_radius_mm(1000, 90) == 1000
    assert beam_radius_mm(4500, 60) == 2598


def test_a_siren_fades_as_the_guide_says() -> None:
    # 6 dB a doubling near it, 10 from 30 m on; 90 dB there are 70 after two doublings.
    assert round(level_db(120, 10)) == 100
    assert round(level_db(120, 20)) == 94
    assert round(level_db(120, 30) - level_db(120, 60)) == 10
    assert 115 < heard_m(120, 60) < 130
    assert heard_m(80, 60) == 3
