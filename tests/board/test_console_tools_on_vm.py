"""What `waspada console` does with more than a line, on a station in the real VM behind a pseudo-terminal."""

import csv
import json

import pytest

from tests.board.station import describe, environment
from tests.board.test_console_on_vm import install, waspada
from tests.pty_board import PtyBoard

pytestmark = pytest.mark.vm


@pytest.fixture
def board(tmp_path):
    (tmp_path / "flash").mkdir()
    describe(tmp_path / "flash")
    install(tmp_path / "flash")
    (tmp_path / "flash" / "world" / "range_mm").write_text("4000")
    with PtyBoard(tmp_path / "flash", environment()) as running:
        yield running


def answer_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_profile_goes_onto_the_board_and_a_backup_brings_back_what_was(board, tmp_path):
    (tmp_path / "profile.toml").write_text('[settings]\n"level.danger" = "140 cm"\n"sample.interval" = "6 s"\n')
    assert answer_of(waspada("console", board.port, "--backup", tmp_path / "before", "--json"))["settings"] == 20
    for words, result in (
        (("--apply", "profile.toml"), "applied"),
        (("--apply", "profile.toml"), "same"),
        (("--restore", "before"), "applied"),
    ):
        [report] = answer_of(waspada("console", board.port, words[0], tmp_path / words[1], "--yes", "--json"))[
            "stations"
        ]
        assert (report["result"], report["station"]) == (result, "demo/dr01")
    assert (
        answer_of(waspada("console", board.port, "--apply", tmp_path / "profile.toml", "--yes", "--json"))["stations"][
            0
        ]["revision"]
        == 4
    )
    assert board.starts == 1


def test_the_journal_comes_from_the_board_as_rows(board, tmp_path):
    answer_of(waspada("console", board.port, "--script", "-", "--json", stdin="level 3\nset siren.from 2\nsave\n"))
    done = answer_of(waspada("console", board.port, "--journal", tmp_path / "a.csv", "--stream", "events", "--json"))
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == done["rows"] > 0
    assert {"boot", "settings", "new:siren.from"} <= {row["name"] for row in rows}
    assert {row["life"] for row in rows} == {"5eed0001"}
