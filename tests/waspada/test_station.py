"""`waspada station` and what `waspada flash` takes of it."""

import json
from pathlib import Path

import pytest

from hardware.compile import STATIONS, shipped
from hardware.shape import read
from simulator.errors import InputError
from waspada.cli import main
from waspada.contents import read_station
from waspada.station import SHEETS, elsewhere, for_a_board, read_network


def test_check_says_what_a_station_needs(capsys):
    assert main(["station", "check", *shipped(), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [Path(row["file"]).stem for row in answer["stations"]] == shipped()


def test_what_compile_writes_is_what_flash_reads(tmp_path):
    for name in shipped():
        out = tmp_path / f"{name}.json"
        assert main(["station", "compile", name, "--node", "dr01", "--district", "demo", "--out", str(out)]) == 0
        assert read_station(out) == for_a_board(Path(name), "dr01", "demo")


def test_a_site_gives_wifi_and_broker(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text('[wifi]\nssid = "pole"\nkey = "a long one"\n[broker]\nhost = "10.0.0.2"\nport = 1883\n')
    made = for_a_board(Path("river_gauge"), None, "demo", site)
    assert made["node"] == "river_gauge"
    assert made["wifi"] == {"ssid": "pole", "key": "a long one"}
    assert made["broker"] == {"host": "10.0.0.2", "port": 1883}
    site.write_text('[wifi]\nssid = "pole"\npassword = "x"\n')
    with pytest.raises(InputError, match="line 3: unknown key 'password' in wifi; allowed are ssid, key"):
        read_network(site)


WIFI = '[wifi]\nssid = "pole"\nkey = "a long one"\n'
LTE = '[lte]\napn = "%s"\n'


def test_one_network_file_gives_each_station_its_own_way_in(tmp_path):
    site = tmp_path / "site.toml"
    for apn in ("internet", ""):
        site.write_text(WIFI + LTE % apn)
        by_lte = for_a_board(Path("river_gauge_lte"), None, "demo", site)
        assert (by_lte["lte"]["apn"], by_lte["wifi"]) == (apn, {"ssid": "", "key": ""})
        by_wifi = for_a_board(Path("river_gauge"), None, "demo", site)
        assert (by_wifi["wifi"]["ssid"], "lte" in by_wifi) == ("pole", False)
        assert for_a_board(Path("pump_house_gauge"), None, "demo", site)["wifi"]["ssid"] == ""


@pytest.mark.parametrize(
    ("name", "network", "says"),
    [("river_gauge_lte", WIFI, 'has no [lte] apn; write it, or apn = "" where the SIM needs none'), ("river_gauge", LTE % "x", "has no [wifi]")],
)  # fmt: skip
def test_a_network_file_without_the_stations_way_in_is_refused(name, network, says, tmp_path, capsys):
    site = tmp_path / "site.toml"
    site.write_text(network)
    assert main(["station", "compile", name, "--node", "a", "--district", "d", "--network", str(site)]) == 2
    assert says in capsys.readouterr().err


def test_a_page_elsewhere_prints_the_path_it_was_given_and_links_to_nothing(tmp_path, capsys):
    mine = tmp_path / "bronx.toml"
    mine.write_text(read(STATIONS, "river_gauge", "station").path.read_text(encoding="utf-8"))
    assert main(["station", "sheet", str(mine)]) == 0
    page = capsys.readouterr().out
    for command in ("station sheet", "hardware wiring", "hardware power"):
        assert f"`waspada {command} {mine}" in page
    assert "](" not in page.replace("](http", "")
    assert "(docs/build/first_station.md)" in page
    kept = (SHEETS / "river_gauge.md").read_text(encoding="utf-8")
    assert "](../build/" in kept and "](../build/" not in elsewhere(kept)


def test_a_station_that_lacks_its_hardware_is_sent_on_to_the_check(tmp_path, capsys):
    mine = tmp_path / "bare.toml"
    text = read(STATIONS, "river_gauge", "station").path.read_text(encoding="utf-8")
    mine.write_text(text.replace("[site]\ncoldest_c = 20\n", ""))
    assert main(["station", "check", str(mine)]) == 0
    said = capsys.readouterr().out
    assert "the file lacks [site]" in said and f"`waspada hardware check {mine}`" in said
    assert main(["station", "check", "river_gauge"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["check", "nowhere.toml"], "no station 'nowhere.toml'"),
        (["compile", "river_gauge", "--node", "A", "--district", "d"], "node is 'A'; allowed are"),
        (["sheet", "river_gauge", "--out", "/dev/null/x"], "can't be made"),
        (["draw", "river_gauge"], "invalid choice"),
    ],
)
def test_what_can_not_be_used_exits_with_2(words, says, capsys):
    assert main(["station", *words]) == 2
    assert says in capsys.readouterr().err


def test_flash_wants_a_district_for_a_station_file(capsys):
    assert main(["flash", "/dev/none", "--station", "river_gauge", "--app-only"]) == 2
    assert "give --district D" in capsys.readouterr().err
