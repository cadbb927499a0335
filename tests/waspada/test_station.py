"""`waspada station` and what `waspada flash` takes of it."""

import json
from pathlib import Path

import pytest

from hardware.compile import shipped
from simulator.errors import InputError
from waspada.cli import main
from waspada.contents import read_station
from waspada.station import for_a_board, read_network


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
