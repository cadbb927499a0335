"""The journal over the cable: every record once, whatever the cable did."""

import csv
import importlib.util
import random

import pytest

from node.core import journal as kept
from tests.waspada.console_desk import Cable, console
from waspada.consoles import journal

HOURS = 3


def three_hours(desk):
    """Two boots, and a level that moves."""
    desk.run(HOURS * 1800 * 1000)
    desk.level(700)
    desk.storage.files.pop("status", None)
    desk.boot()
    desk.run(HOURS * 1800 * 1000)


def records_of(cable, stream):
    return [(record.boot, record.seq) for record in cable.desk.records(stream)]


def fetched(path):
    """(boot, seq) of the rows, in order and without the doubles of records with several points."""
    with open(path, newline="") as file:
        return list(dict.fromkeys((int(row["boot"]), int(row["seq"])) for row in csv.DictReader(file)))


def test_every_record_of_both_streams_becomes_rows(tmp_path):
    with Cable(before=three_hours) as cable:
        for k, stream in enumerate(journal.STREAMS):
            before = records_of(cable, k)
            done = console(cable.port, "--journal", tmp_path / f"{stream}.csv", "--stream", stream, "--json")
            assert done.code == 0, done
            found = fetched(tmp_path / f"{stream}.csv")
            assert found[: len(before)] == before and done.json["records"] == len(found)
    assert len(fetched(tmp_path / "readings.csv")) > 60 * HOURS
    assert {boot for boot, _ in found} == {1, 2}
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob("*.new"))


def test_a_row_says_what_the_wire_says(tmp_path):
    with Cable(before=three_hours) as cable:
        assert console(cable.port, "--journal", tmp_path / "a.csv").code == 0
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == journal.COLUMNS
    level = next(row for row in rows if row["name"] == "level")
    assert (level["unit"], level["life"], level["value"]) == ("m", "5eed0001", "0.1")
    assert level["time"].startswith("2018-06-03T22:") and level["time"].endswith("Z")


def test_csv_and_parquet_hold_the_same(tmp_path):
    parquet = importlib.import_module("pyarrow.parquet")
    with Cable(before=three_hours) as cable:
        for name in ("a.csv", "a.parquet"):
            assert console(cable.port, "--journal", tmp_path / name, "--stream", "events").code == 0
    table = parquet.read_table(tmp_path / "a.parquet")
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert table.column_names == list(journal.COLUMNS)
    found = table.to_pylist()
    assert len(found) == len(rows) > 0
    for one, other in zip(found, rows, strict=True):
        assert (one["name"], one["boot"], one["seq"], one["text"] or "") == (
            other["name"],
            int(other["boot"]),
            int(other["seq"]),
            other["text"],
        )
        assert one["value"] is None or one["value"] == float(other["value"])
        assert (
            one["time"] is None
            or one["time"].isoformat(timespec="milliseconds").replace("+00:00", "Z") == other["time"]
        )


@pytest.mark.parametrize("seed", range(4))
def test_a_cable_pulled_again_and_again_loses_nothing_and_doubles_nothing(tmp_path, seed):
    chance = random.Random(seed)
    with Cable(before=three_hours) as cable:
        before = records_of(cable, kept.READINGS)
        pulled = 0
        while True:
            cable.cut_after = cable.said + chance.randrange(100, 6000) if pulled < 5 else None
            done = console(cable.port, "--journal", tmp_path / "a.csv", "--json")
            if not done.code:
                break
            pulled += 1
            assert "has gone" in done.json["error"] and "a.csv.readings.part" in done.json["error"], seed
            assert not (tmp_path / "a.csv").exists()
    assert pulled == 5 or seed
    assert fetched(tmp_path / "a.csv")[: len(before)] == before, seed


def test_a_part_that_was_torn_by_the_laptops_battery_is_gone_on_with(tmp_path):
    with Cable(before=three_hours) as cable:
        before = records_of(cable, kept.READINGS)
        cable.cut_after = 5000
        assert console(cable.port, "--journal", tmp_path / "a.csv").code == 1
        part = tmp_path / "a.csv.readings.part"
        part.write_bytes(part.read_bytes()[:-17])
        assert console(cable.port, "--journal", tmp_path / "a.csv").code == 0
    assert fetched(tmp_path / "a.csv")[: len(before)] == before


def test_damaged_lines_are_asked_for_again(tmp_path):
    chance = random.Random(3)
    harmed = []

    def spoil(data):
        if data and chance.random() < 0.1:
            harmed.append(len(data))
            at = chance.randrange(len(data))
            return data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :]
        return data

    with Cable(before=three_hours, spoil=lambda data: data) as cable:
        before = records_of(cable, kept.READINGS)
        cable._spoil = lambda data: spoil(data) if cable.said > 600 else data
        for _ in range(20):  # a line that is harmed in a dialogue's ending ends this run, and the next goes on
            if not console(cable.port, "--journal", tmp_path / "a.csv", "--wait", "5").code:
                break
    assert len(harmed) > 3, len(harmed)
    assert fetched(tmp_path / "a.csv")[: len(before)] == before


def test_another_stations_part_is_not_gone_on_with(tmp_path):
    with Cable(before=three_hours, cut_after=5000) as cable:
        assert console(cable.port, "--journal", tmp_path / "a.csv").code == 1
    with Cable(station={"life": "0badcafe"}) as other:
        done = console(other.port, "--journal", tmp_path / "a.csv", "--json")
    assert done.code == 2
    assert "life 5eed0001" in done.json["error"] and "life 0badcafe" in done.json["error"]


def test_parquet_without_pyarrow_is_said_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with Cable() as cable:
        done = console(cable.port, "--journal", tmp_path / "a.parquet", "--json")
        assert cable.heard == b""
    assert done.code == 2
    assert "pyarrow" in done.json["error"] and ".[parquet]" in done.json["error"] and ".csv" in done.json["error"]


def test_a_disk_that_is_full_is_one_sentence_and_what_was_there_stays(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "_csv", full)
    with Cable(before=three_hours) as cable:
        done = console(cable.port, "--journal", tmp_path / "a.csv", "--json")
    assert done.code == 2 and "No space left" in done.json["error"]
    assert (tmp_path / "a.csv").read_text() == "before"
    assert (tmp_path / "a.csv.readings.part").exists()
