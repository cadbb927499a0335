"""`waspada flash`: the real MicroPython 1.25 image to a bootloader without a chip; what is in its flash then runs in the real VM behind the same cable."""

import hashlib
import json

import pytest

from node.core import pin
from tests.flash_desk import FS_AT, Desk, stock_image, waspada
from tests.waspada.city_desk import enrolled, new_city
from waspada import chip, cli, image, record
from waspada.city import City

pytestmark = pytest.mark.vm

OTHER_MAC = "24:0a:c4:00:00:02"
OWN_S = 60  # the tool's own time, the serial transfer aside


def whats(city):
    return [
        (row["what"], row["node"])
        for row in City(city).rows()
        if row["what"] in ("flashing", "flashed", "commissioned")
    ]


def test_an_empty_board_becomes_an_enrolled_station_with_its_record(tmp_path):
    stock = stock_image()
    folder = new_city(tmp_path / "city")
    home = enrolled(folder, "dr01", "--station", "river_gauge")
    assert waspada("--add-image", stock, "--name", "MicroPython 1.25.0", "--city", folder).returncode == 0
    with Desk(tmp_path / "desk", stock) as desk:
        done = waspada("dr01", "--port", desk.url, "--city", folder, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        desk.unplug()
        # what esptool reads back, and not what we have sent
        lying = image.Lying(lambda at, size: chip.read(desk.url, FS_AT + at, size))
        names = {"station.json": "station.json", "certs/ca.der": "ca.der", "certs/node.der": "node.der",
                 "certs/node-key.der": "node-key.der"}  # fmt: skip
        read = {name: lying.content(name) for name in names}
        kept = lying.content("pin")
    number = (home / "pin").read_text().strip()
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["first_line"] == "waspada station dr01"
    assert (result["status"]["life"], result["flash"], result["mac"]) == (result["life"], 4 << 20, "24:0a:c4:00:00:01")
    for name, at_home in names.items():
        if name != "station.json":
            assert read[name] == (home / at_home).read_bytes()
    station = json.loads(read["station.json"])
    assert (station["node"], station["life"], station["broker"]["tls"]) == ("dr01", result["life"], 1)
    rounds, salt, digest = pin.decode(kept)
    assert pin.encode(number, salt, rounds) == kept and number.encode() not in kept
    said = done.stdout + done.stderr
    assert number not in said and "wifi-secret" not in said
    told = (home / "record.json").read_text()
    assert number not in told and "wifi-secret" not in told and (home / "record.pdf").read_bytes()[:4] == b"%PDF"
    found, fault = record.check(City(folder), home / "record.json")
    assert fault == "" and found["image"]["sha256"] == hashlib.sha256(stock.read_bytes()).hexdigest()
    assert [what for what, _ in whats(folder)] == ["flashing", "flashed", "commissioned"]
    print(
        "seconds",
        result["seconds"],
        "bytes",
        result["bytes"],
        "stock image" if "made-up" not in stock.name else "NO REAL IMAGE",
    )
    assert result["seconds"]["own"] <= OWN_S


@pytest.fixture
def pulled(monkeypatch):
    """Pulls the cable in a call of esptool's, after so many bytes to the board."""

    def arrange(desk, name, after):
        real = getattr(chip, name)

        def cut_off(*words, **more):
            desk.cut = (desk.calls.count("esptool"), after)
            return real(*words, **more)

        monkeypatch.setattr(chip, name, cut_off)
        return lambda: monkeypatch.setattr(chip, name, real)

    return arrange


# (call, bytes to the board until the cable is pulled); writing: the file system goes first, then MicroPython's 600,000
CUTS = (("read", 3000), ("write", 30_000), ("write", 500_000))


def test_interrupted_at_any_call_a_board_is_nobody_and_the_next_run_starts_clean(flash, pulled, city, small, tmp_path):
    """The board was dr01's and becomes dr02's: never a bit of both."""
    with Desk(tmp_path / "desk", small) as desk:
        assert flash("dr01", "--port", desk.url, "--city", city, "--yes")[0] == 0
        desk.unplug()
        before = desk.flash
        words = ("dr02", "--port", desk.url, "--city", city, "--yes", "--replace")
        nobody = 0
        for name, after in CUTS:
            desk.flash_file.write_bytes(before)
            put_back = pulled(desk, name, after)
            code, said, _ = flash(*words)
            put_back()
            desk.cut = None
            assert code == 2, (name, after, said)
            if name != "write":
                assert desk.flash == before
            if desk.flash == before:
                continue
            nobody += 1
            whole = desk.flash[0x1000 : 0x1000 + small.stat().st_size] == small.read_bytes()
            assert not whole, "MicroPython is the last that is written: this board would start"
            files = desk.files
            assert files is None or json.loads(files["station.json"])["node"] == "dr02"
            assert "empty or half written: flash it again" in said["error"]
        assert nobody == 2
        code, said, _ = flash(*words)
        assert (code, said["first_line"]) == (0, "waspada station dr02")
        desk.unplug()
        found = desk.files
    home = city / "nodes" / "demo.dr02"
    assert found["certs/node.der"] == (home / "node.der").read_bytes()
    assert json.loads(found["station.json"])["life"] == said["life"]
    assert int(found["data/boot"]) > 100_000  # numbers of boots that may have been told are not given again


def test_a_board_that_is_somebody_else_is_refused_untouched(flash, city, small, tmp_path):
    with Desk(tmp_path / "desk", small) as desk:
        assert flash("dr01", "--port", desk.url, "--city", city, "--yes")[0] == 0
        desk.unplug()
        before = desk.flash
        code, said, _ = flash("dr02", "--port", desk.url, "--city", city, "--yes")
        assert code == 2 and "this board is demo.dr01" in said["error"] and "--replace" in said["error"]
        assert desk.flash == before
        desk.flash_file.write_bytes(b"\xff" * len(before))  # erased by somebody; the registry knows its MAC
        code, said, _ = flash("dr02", "--port", desk.url, "--city", city, "--yes")
        assert code == 2 and "was made demo.dr01 on" in said["error"]
    with Desk(tmp_path / "second", small, mac=OTHER_MAC) as desk:
        code, said, _ = flash("dr01", "--port", desk.url, "--city", city, "--yes", "--replace")
        assert code == 2 and "demo.dr01 is on another board since" in said["error"]
        assert "waspada enrol dr01 --district demo --replace" in said["error"]
        enrolled(city, "dr01", "--replace")
        assert flash("dr01", "--port", desk.url, "--city", city, "--yes")[0] == 0
    assert whats(city)[-1] == ("commissioned", "dr01")


def test_thresholds_of_the_field_outlive_a_flashing_and_are_saved_first(flash, city, small, tmp_path):
    with Desk(tmp_path / "desk", small) as desk:
        assert flash("dr01", "--port", desk.url, "--city", city, "--yes")[0] == 0
        desk.unplug()
        number = (city / "nodes" / "demo.dr01" / "pin").read_text().strip()
        script = tmp_path / "script"
        script.write_text(f"login {number}\nset level.danger 1.750\nsave\n")
        assert cli.main(["console", desk.url, "--script", str(script)]) == 0
        desk.unplug()
        saved = tmp_path / "saved"
        code, said, text = flash("dr01", "--port", desk.url, "--city", city, "--yes", "--save-first", saved)
        assert code == 0, text
        desk.unplug()
        station = json.loads(desk.files["station.json"])
    assert station["settings"]["level.danger"] == 1750
    assert json.loads((city / "nodes" / "demo.dr01" / "settings.json").read_text())["values"]["level.danger"] == 1750
    kept = next(saved.iterdir())
    names = {path.name for path in kept.iterdir()}
    assert {"settings.0", "settings.1", "boot"} <= names and not names & {"wifi", "network.0", "pin"}
    assert "with" not in said["was"] and "settings and journal" in said["was"]


def test_a_wrong_chip_or_too_small_a_flash_is_refused_before_anything_is_erased(flash, city, small, tmp_path):
    for chip_name, flash_mb, named in (
        ("esp32s3", 4, "no image for esp32s3"),
        ("esp32", 2, "2 MB of flash, small needs 4 MB"),
    ):
        with Desk(tmp_path / chip_name, small, chip=chip_name, flash_mb=flash_mb) as desk:
            desk.flash_file.write_bytes(before := b"\xa5" * (flash_mb << 20))
            code, said, _ = flash("dr01", "--port", desk.url, "--city", city, "--yes")
            assert code == 2 and named in said["error"], said
            if chip_name == "esp32s3":
                code, said, _ = flash("dr01", "--port", desk.url, "--city", city, "--yes", "--image", small)
                assert code == 2 and "the board is an esp32s3, small is for esp32" in said["error"]
            assert desk.flash == before
    assert whats(city) == []


def test_a_board_that_does_not_come_up_is_no_station_yet(flash, city, small, tmp_path, monkeypatch):
    monkeypatch.setattr("waspada.cable.STATION_WITHIN_S", 3)
    with Desk(tmp_path / "desk", small) as desk:
        desk.boots = False
        code, said, _ = flash("dr01", "--port", desk.url, "--city", city, "--yes")
        assert code == 1 and "no station answers within 3 s" in said["error"]
        assert not (city / "nodes" / "demo.dr01" / "record.json").exists()
        assert whats(city) == [("flashing", "dr01"), ("flashed", "dr01")]
        desk.boots = True
        assert flash("dr01", "--port", desk.url, "--city", city, "--yes")[0] == 0
