"""The bill of materials: every part of the harness once, second sources, an estimate with its date, beside what others published."""

import csv
import io
import json
from pathlib import Path

import pytest

from hardware.bom import FLOODNET_USD, Bom
from hardware.building import beam_radius_mm, heard_m, level_db
from hardware.compile import STATIONS, Station, shipped
from hardware.parts import parts
from hardware.shape import Source
from hardware.sheet import sheet
from waspada import cli
from waspada.station import load


def station(name: str, *changes: tuple[str, str]) -> Station:
    text = (STATIONS / f"{name}.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return Station(Source(Path(f"{name}.toml"), text))


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


@pytest.mark.parametrize("name", shipped())
def test_every_part_of_the_harness_is_bought(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    bought = {row["part"] for row in rows_of(name, capsys)}
    drawn = {block.kind for block in Bom(load(name)).net.blocks.values()} - {"12 V", "5 V", "there already"}
    assert drawn <= bought


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
    assert "FloodNet publishes under USD 200" in said and "without its mount" in said
    bom = Bom(load("river_gauge"))
    assert (bom.cents - bom.mounting_cents - bom.warning_cents) / 100 < FLOODNET_USD


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
