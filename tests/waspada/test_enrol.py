"""`waspada enrol` on the city's folder: what it makes, what it refuses, and what is left when it is cut off anywhere."""

import datetime
import importlib.util
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import time

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.compile import STATIONS
from tests.waspada.city_desk import HOST, STATION, enrolled, files_of, new_city, told
from waspada import city as city_folder
from waspada import cli
from waspada.authority import DAY, Authority
from waspada.city import City, write_settings

LATER = datetime.datetime.now(datetime.UTC) + 40 * 365 * DAY
NODE_FILES = {
    "station.toml", "station.json", "ca.der", "node.der", "node-key.der", "node.pem", "pin", "label.pdf", "label.png"
}  # fmt: skip


@pytest.fixture
def city(tmp_path):
    return new_city(tmp_path / "city")


@pytest.fixture
def call(city, capsys):
    """Runs a command on the city: (exit code, JSON)."""
    return lambda *words: told(capsys, *words, "--city", city)[:2]


def home(city, name="demo.dr01"):
    return city / "nodes" / name


def station_json(city, name="demo.dr01"):
    return json.loads((home(city, name) / "station.json").read_text())


def serials(city):
    """What the brokers' list of revocations has."""
    text = (city / "broker" / "crl.pem").read_bytes()
    lists = [
        x509.load_pem_x509_crl(part + b"-----END X509 CRL-----\n")
        for part in text.split(b"-----END X509 CRL-----\n")[:-1]
    ]
    return {f"{entry.serial_number:x}" for each in lists for entry in each}


def secrets_of(city):
    """Everything in a city that nobody may see: PINs, keys in each form a file has them, the Wi-Fi's key."""
    found = {"wifi-secret"}
    for path in city.rglob("*"):
        if path.name == "pin":
            pin = path.read_text().strip()
            found |= {pin, f"{pin[:3]} {pin[3:]}"}
        elif path.name.endswith("-key.pem"):
            found |= set(path.read_text().splitlines()[1:-1])
        elif path.name == "node-key.der":
            found.add(path.read_bytes().hex())
    return found


# Making


def test_a_first_station_makes_everything_that_it_and_the_broker_need(city, call):
    code, result = call("dr01", "--district", "demo", "--station", STATION)
    assert code == 0
    assert {path.name for path in home(city).iterdir()} == NODE_FILES
    assert result["enrolled"] == [
        {"district": "demo", "node": "dr01", "life": station_json(city)["life"], "folder": str(home(city)),
         "serial": f"{x509.load_der_x509_certificate((home(city) / 'node.der').read_bytes()).serial_number:x}"}
    ]  # fmt: skip
    assert result["gateways"][0]["folder"] == str(city / "gateways" / "demo")
    assert result["broker"]["needs"] == "restart"
    assert (home(city) / "station.toml").read_bytes() == (STATIONS / f"{STATION}.toml").read_bytes()


def test_the_boards_file_says_where_its_broker_is_and_since_when_it_is_enrolled(city, call):
    call("dr01", "--district", "demo", "--station", STATION)
    made = station_json(city)
    assert made["broker"] == {"host": HOST, "port": 8883, "tls": 1}
    assert made["wifi"] == {"ssid": "Depot", "key": "wifi-secret"}
    assert 0 <= time.time() - 86_400 - made["commissioned"] < 60
    assert 0 <= made["seed"] < 1 << 30
    assert (made["node"], made["district"]) == ("dr01", "demo")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_files_with_secrets_are_their_owners_only(city, call):
    call("dr01", "--district", "demo", "--station", STATION, "--labels-out", city / "sheet.pdf")
    for name in ("nodes/demo.dr01/pin", "nodes/demo.dr01/node-key.der", "nodes/demo.dr01/station.json", "city.toml", "sheet.pdf",
                 "nodes/demo.dr01/label.pdf", "nodes/demo.dr01/label.png", "ca/demo-key.pem", "ca/city-key.pem",
                 "broker/server-key.pem", "gateways/demo/gateway-key.pem", "registry.jsonl"):  # fmt: skip
        if name != "city.toml":  # this one was made by hand
            assert stat.S_IMODE((city / name).stat().st_mode) == 0o600, name


def test_a_new_city_begins_with_its_first_station(tmp_path, capsys):
    city = tmp_path / "new" / "town"
    (tmp_path / "key").write_text("wifi-secret\n")
    words = ("dr01", "--district", "demo", "--station", STATION, "--city", city, "--broker", "gauge.example:8899")
    code, _, _ = told(capsys, *words, "--wifi", 'De"pot', "--wifi-key-file", tmp_path / "key")
    assert code == 0
    assert station_json(city)["wifi"] == {"ssid": 'De"pot', "key": "wifi-secret"}
    assert station_json(city)["broker"] == {"host": "gauge.example", "port": 8899, "tls": 1}
    assert stat.S_IMODE((city / "city.toml").stat().st_mode) == 0o600
    before = files_of(city)
    code, result, _ = told(capsys, "dr02", *words[1:-1], "other.example")
    assert code == 2 and "says gauge.example:8899, which boards know" in result["error"]
    assert files_of(city) == before
    assert told(capsys, "dr02", *words[1:])[0] == 0


def test_a_city_that_came_to_nothing_leaves_no_wrong_address(tmp_path, capsys):
    words = ("dr01", "--district", "demo", "--city", tmp_path / "c", "--broker", "wrong.example")
    assert told(capsys, *words, "--station", "nowhere.toml")[0] == 2
    assert not (tmp_path / "c" / "city.toml").exists()


def test_nothing_secret_is_ever_printed(city, capsys):
    everything = ""
    commands = (
        ("dr01", "--station", STATION),
        ("dr01", "--replace"),
        ("dr01", "--station", STATION),
        ("dr02", "--station", STATION, "--labels-out", city / "sheet.pdf"),
        ("--list-nodes",),
        ("dr02", "--revoke"),
        ("--gateway", "--replace"),
    )
    for words in commands:
        for more in ((), ("--json",)):
            cli.main(["enrol", *map(str, words), "--district", "demo", "--city", str(city), *more])
            captured = capsys.readouterr()
            everything += captured.out + captured.err
            for secret in secrets_of(city):
                assert secret not in everything, words
    registry = (city / "registry.jsonl").read_text()
    assert not [secret for secret in secrets_of(city) if secret in registry]


def test_a_printed_secret_would_be_found(city):
    enrolled(city, "dr01", "--station", STATION)
    found = secrets_of(city)
    assert (home(city) / "pin").read_text().strip() in found
    assert len(found) > 8


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["n1", "n2", "n3", "n4"]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_no_two_boards_share_a_secret(tmp_path_factory, orders):
    """Over any enrolments and replacements: key, PIN, life, serial and seed are each drawn anew."""
    city = new_city(tmp_path_factory.mktemp("many") / "city")
    seen = []
    for district, node, anew in orders:
        there = home(city, f"{district}.{node}").exists()
        if there and not anew:
            continue
        enrolled(city, node, *(("--replace",) if there else ("--station", STATION)), district=district)
        folder = home(city, f"{district}.{node}")
        made = station_json(city, folder.name)
        seen.append((
            (folder / "node-key.der").read_bytes(), (folder / "pin").read_bytes(), made["life"], made["seed"],
            (folder / "node.der").read_bytes(), (folder / "label.png").read_bytes(),
        ))  # fmt: skip
    for column in zip(*seen, strict=True):
        assert len(set(column)) == len(seen)


def test_pins_are_drawn_until_nobody_has_them(city, monkeypatch):
    drawn = iter([7, 7, 7, 42])
    monkeypatch.setattr("waspada.enrolment.secrets.randbelow", lambda below: next(drawn) if below == 1_000_000 else 1)
    enrolled(city, "dr01", "--station", STATION)
    enrolled(city, "dr02", "--station", STATION)
    assert (home(city) / "pin").read_text() == "000007\n"
    assert (home(city, "demo.dr02") / "pin").read_text() == "000042\n"


# Replacing and revoking


def test_a_new_board_keeps_station_thresholds_and_records_and_has_all_else_anew(city, call):
    enrolled(city, "dr01", "--station", STATION)
    write_settings(home(city), 7, {"level.danger": 3100, "sensor.height": 6120})
    (home(city) / "record.json").write_text('{"first":"board"}')
    before, files = station_json(city), files_of(home(city))
    code, result = call("dr01", "--district", "demo", "--replace")
    assert code == 0
    after = station_json(city)
    assert after["settings"] == {**before["settings"], "level.danger": 3100, "sensor.height": 6120}
    assert {key for key in before if before[key] != after[key]} <= {"life", "seed", "settings", "commissioned"}
    assert after["life"] == result["replaced"][0]["life"] != before["life"]
    now = files_of(home(city))
    for name in ("station.toml", "settings.json", "ca.der"):
        assert now[name] == files[name], name
    for name in ("node.der", "node-key.der", "pin", "label.pdf", "label.png"):
        assert now[name] != files[name], name
    assert now[f"former/{before['life']}/record.json"] == b'{"first":"board"}'
    assert "record.json" not in now
    assert call("dr01", "--district", "demo", "--replace")[0] == 0
    assert f"former/{before['life']}/record.json" in files_of(home(city))


def test_a_replaced_board_s_certificate_is_revoked_and_its_successor_s_is_not(city, call):
    enrolled(city, "dr01", "--station", STATION)
    old = city_folder.serial_in(home(city))
    call("dr01", "--district", "demo", "--replace")
    assert serials(city) == {old}
    acl = (city / "broker" / "acl").read_text()
    new = city_folder.serial_in(home(city))
    assert acl.count("CN=demo.dr01,O=demo\n") == acl.count(f"user serialNumber={new},CN=demo.dr01,O=demo\n") == 1


def test_a_station_may_get_another_file_with_its_new_board(city, call):
    enrolled(city, "dr01", "--station", STATION)
    assert call("dr01", "--district", "demo", "--replace", "--station", "rain_gauge")[0] == 0
    assert (home(city) / "station.toml").read_bytes() == (STATIONS / "rain_gauge.toml").read_bytes()


def test_a_revoked_station_loses_its_secrets_and_its_line_and_can_come_back_on_a_new_board(city, call):
    enrolled(city, "dr01", "--station", STATION)
    write_settings(home(city), 1, {"level.danger": 3100})
    old = city_folder.serial_in(home(city))
    assert call("dr01", "--district", "demo", "--revoke")[0] == 0
    assert {path.name for path in home(city).iterdir()} == {
        "station.toml",
        "settings.json",
        "ca.der",
        "node.der",
        "node.pem",
    }
    assert "demo.dr01" not in (city / "broker" / "acl").read_text()
    assert serials(city) == {old}
    assert call("dr01", "--district", "demo", "--revoke")[0] == 0  # the same again is nothing new
    code, result = call("dr01", "--district", "demo", "--station", STATION)
    assert code == 2 and "was revoked: a new board for it is made by --replace" in result["error"]
    assert call("dr01", "--district", "demo", "--replace")[0] == 0
    assert station_json(city)["settings"]["level.danger"] == 3100
    assert serials(city) == {old}


def test_the_registry_says_who_did_what_when(city, call, monkeypatch):
    monkeypatch.setattr(city_folder.getpass, "getuser", lambda: "siti")
    for words in (("dr01", "--station", STATION), ("dr01", "--replace"), ("dr01", "--revoke")):
        assert call(*words, "--district", "demo")[0] == 0
    rows = [json.loads(line) for line in (city / "registry.jsonl").read_text().splitlines()]
    assert [(row["what"], row["node"], row["who"]) for row in rows] == [
        ("enrolled", None, "siti"), ("enrolled", "dr01", "siti"), ("replaced", "dr01", "siti"), ("revoked", "dr01", "siti"),
    ]  # fmt: skip
    assert rows[2]["revokes"] == rows[1]["serial"] and rows[3]["revokes"] == rows[2]["serial"]
    nodes = call("--list-nodes")[1]["nodes"]
    assert [(one["node"], one["revoked"]) for one in nodes] == [("dr01", True), (None, False)]


def test_what_others_add_to_the_registry_changes_no_identity(city, call):
    enrolled(city, "dr01", "--station", STATION)
    before = call("--list-nodes")
    City(city).record("flashed", "demo", "dr01", LATER, life="5eed0001", image="x.bin")
    assert call("--list-nodes") == before


def test_what_was_added_to_a_gateways_file_stays_when_its_key_is_made_anew(city, call):
    enrolled(city, "dr01", "--station", STATION)
    path = city / "gateways" / "demo" / "gateway.toml"
    path.write_text(path.read_text().replace("district", 'title = "Ours"\ndistrict', 1))
    key = (path.parent / "gateway-key.pem").read_bytes()
    assert call("--gateway", "--district", "demo", "--replace")[0] == 0
    assert 'title = "Ours"' in path.read_text()
    assert (path.parent / "gateway-key.pem").read_bytes() != key
    assert len(serials(city)) == 1


# Many


def test_a_list_is_enrolled_at_once_and_can_be_given_again(city, call, tmp_path):
    own = tmp_path / "own.toml"
    own.write_bytes((STATIONS / "rain_gauge.toml").read_bytes())
    (tmp_path / "list.csv").write_text(
        f"\ufeffnode, district ,station\ndr01,demo,\n\ndr02,demo,own.toml\ndr03,south,{STATION}\n"
    )
    words = ("--list", tmp_path / "list.csv", "--station", STATION, "--labels-out", tmp_path / "sheet.pdf")
    code, result = call(*words)
    assert code == 0, result
    assert [(one["district"], one["node"]) for one in result["enrolled"]] == [
        ("demo", "dr01"),
        ("demo", "dr02"),
        ("south", "dr03"),
    ]
    assert {one["district"] for one in result["gateways"]} == {"demo", "south"}
    assert (home(city, "demo.dr02") / "station.toml").read_bytes() == own.read_bytes()
    before = files_of(city)
    code, result = call(*words)
    assert (code, result["enrolled"], len(result["kept"])) == (0, [], 3)
    assert files_of(city) == before
    own.write_bytes((STATIONS / "storage_tank.toml").read_bytes())
    code, result = call(*words)
    assert code == 2
    assert "line 4: demo/dr02 is enrolled already, with another station file than" in result["error"]


@pytest.mark.once
def test_three_hundred_stations_with_their_labels_take_less_than_a_minute(city, call, tmp_path):
    lines = "".join(f"st{number:03},demo,{STATION}\n" for number in range(300))
    (tmp_path / "list.csv").write_text(f"node,district,station\n{lines}")
    began = time.monotonic()
    code, result = call("--list", tmp_path / "list.csv", "--labels-out", tmp_path / "sheet.pdf")
    took_s = time.monotonic() - began
    print(f"300 stations: {took_s:.1f} s")
    assert code == 0 and len(result["enrolled"]) == 300
    assert len({(home(city, f"demo.st{number:03}") / "pin").read_text() for number in range(300)}) == 300
    assert took_s < 60


# what is wrong with a list -> (its text, words)
LISTS = {
    "no head": ("", "line 1: the head must be of node,district,station"),
    "another head": ("name,district\n", "line 1: the head must be"),
    "nobody": ("node,district,station\n", "names no station"),
    "a column too many": ("node,district,station\ndr01,demo,tide_gauge,x\n", "line 2: 4 columns, the head has 3"),
    "no district": ("node,station\ndr01,tide_gauge\n", "line 2: no district: give it here or as --district"),
    "a bad name": ("node,district,station\nDr 01,demo,tide_gauge\n", "line 2: node 'Dr 01'"),
    "a reserved district": ("node,district,station\ndr01,city,tide_gauge\n", "line 2: no district can be called city"),
    "twice": (
        "node,district,station\ndr01,demo,tide_gauge\ndr01,demo,tide_gauge\n",
        "line 3: demo/dr01 is listed twice",
    ),
    "no such station file": (
        "node,district,station\ndr01,demo,tide_gauge\ndr02,demo,nowhere.toml\n",
        "line 3: no station",
    ),
    "no text": (b"\xff\xfe\x00", "not text in UTF-8"),
    "a cell without end": ('node,district,station\n"dr01\x00,demo,tide_gauge\n', "line 2"),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_that_can_t_be_used_is_one_sentence_and_changes_nothing(city, call, tmp_path, what):
    text, words = LISTS[what]
    (tmp_path / "list.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    before = files_of(city)
    code, result = call("--list", tmp_path / "list.csv")
    assert code == 2
    assert words in result["error"] and "\n" not in result["error"]
    assert {**files_of(city), ".lock": b""} == {**before, ".lock": b""}


# What is refused

# what is wrong -> (words of the command, words of the sentence)
REFUSED = {
    "nobody named": (["--district", "demo"], "say whom"),
    "no district": (["dr02", "--station", STATION], "--district D"),
    "no station file": (["dr02", "--district", "demo"], "give --station FILE"),
    "an unknown station file": (["dr02", "--district", "demo", "--station", "x.toml"], "neither a readable file nor"),
    "a bad name": (["Dr.02", "--district", "demo", "--station", STATION], "node 'Dr.02': allowed are"),
    "a bad district": (["dr02", "--district", "../x", "--station", STATION], "district '../x': allowed are"),
    "a reserved district": (["dr02", "--district", "gateway", "--station", STATION], "no district can be called gateway"),
    "there already": (["dr01", "--district", "demo", "--station", STATION], "is enrolled already: a new board for it is made by --replace"),
    "not there to replace": (["dr02", "--district", "demo", "--replace"], "demo/dr02 is not enrolled: leave out --replace"),
    "not there to revoke": (["dr02", "--district", "demo", "--revoke"], "demo/dr02 is not enrolled"),
    "a gateway there already": (["--gateway", "--district", "demo"], "--gateway --replace"),
    "two at once": (["dr02", "--gateway", "--district", "demo"], "say whom"),
    "replace and revoke": (["dr01", "--district", "demo", "--revoke", "--replace"], "leave out"),
    "a key without a Wi-Fi": (["dr02", "--district", "demo", "--station", STATION, "--wifi-key-file", "x"], "give both"),
    "a Wi-Fi without its key": (["dr02", "--district", "demo", "--station", STATION, "--wifi", "x"], "--wifi-key-file FILE"),
    "no pid file": (["dr01", "--district", "demo", "--revoke", "--broker-pid-file", "nowhere"], "nowhere can't be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_t_be_done_is_one_sentence_and_changes_nothing(city, call, monkeypatch, what):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    enrolled(city, "dr01", "--station", STATION)
    before = files_of(city)
    words, sentence = REFUSED[what]
    code, result = call(*words)
    assert code == 2
    assert sentence in result["error"] and "\n" not in result["error"]
    assert files_of(city) == before


def aside(name):
    return lambda city: (city / name).unlink()


def text(name, data):
    return lambda city: (city / name).write_bytes(data)


def ended(city):
    old = Authority.made("Waspada demo", LATER - 80 * 365 * DAY, "demo").pair
    (city / "ca" / "demo.pem").write_bytes(old.pem)
    (city / "ca" / "demo-key.pem").write_bytes(old.key_pem)


# what happened to the city's folder -> (how, words)
HARMED = {
    "the district's certificate is gone": (aside("ca/demo.pem"), "authority of demo"),
    "the district's key is gone": (aside("ca/demo-key.pem"), "demo-key.pem is missing"),
    "the city's authority is gone": (lambda city: shutil.rmtree(city / "ca"), "is missing: bring the folder `ca` back"),
    "the district's key is damaged": (text("ca/demo-key.pem", b"-----BEGIN"), "its key can't be read"),
    "the district's certificate is damaged": (text("ca/demo.pem", b""), "its certificate can't be read"),
    "the city's key is the district's": (lambda city: shutil.copyfile(city / "ca/demo-key.pem", city / "ca/city-key.pem"), "do not belong together"),
    "the authority has ended": (ended, "ended on"),
    "the key can be read by others": (lambda city: os.chmod(city / "ca/demo-key.pem", 0o644), "can be read by others: chmod 600"),
    "the registry is gone": (aside("registry.jsonl"), "is gone, and there are stations"),
    "the registry is damaged": (text("registry.jsonl", b'{"what":"enrolled"}\nrubbish\n'), "line 1: not an entry"),
    "city.toml is no TOML": (text("city.toml", b"[broker"), "is not TOML"),
    "city.toml has no broker": (text("city.toml", b"[broker]\nport = 1\n"), "lacks 'host'"),
    "city.toml wants no TLS": (text("city.toml", b'[broker]\nhost = "x"\ntls = false\n'), "tls must be true"),
    "city.toml has another key": (text("city.toml", b"[brokr]\n"), "unknown key 'brokr'"),
    "city.toml has no Wi-Fi": (text("city.toml", b'[broker]\nhost = "x"\n'), "needs Wi-Fi"),
}  # fmt: skip


@pytest.mark.parametrize("what", HARMED)
def test_a_harmed_city_is_one_sentence_and_nothing_is_enrolled(city, call, what):
    enrolled(city, "dr01", "--station", STATION)
    harm, sentence = HARMED[what]
    harm(city)
    before = files_of(city)
    code, result = call("dr02", "--district", "demo", "--station", STATION)
    assert code == 2
    assert sentence in result["error"] and "\n" not in result["error"]
    assert files_of(city) == before


def test_damaged_thresholds_are_told_before_a_board_is_replaced(city, call):
    enrolled(city, "dr01", "--station", STATION)
    for data in (
        b"rubbish",
        b'{"revision":1,"values":{"level.danger":"3 m"}}',
        b'{"revision":1,"values":{"level.danger":99000000}}',
    ):
        (home(city) / "settings.json").write_bytes(data)
        before = files_of(city)
        assert call("dr01", "--district", "demo", "--replace")[0] == 2
        assert files_of(city) == before


def test_lists_and_broker_files_that_are_lost_are_made_again(city, call):
    enrolled(city, "dr01", "--station", STATION)
    enrolled(city, "dr01", "--replace")
    revoked = serials(city)
    shutil.rmtree(city / "broker")
    (city / "ca" / "demo-crl.pem").unlink()
    assert call("dr02", "--district", "demo", "--station", STATION)[0] == 0
    assert serials(city) == revoked
    assert (city / "broker" / "acl").read_text().count("user ") == 3


def test_a_missing_extra_is_named_before_anything_is_made(city, call, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "pypdfium2" else real(name, *more)
    )
    before = files_of(city)
    code, result = call("dr01", "--district", "demo", "--station", STATION)
    assert code == 2 and "pypdfium2 is not installed" in result["error"] and ".[flash]" in result["error"]
    assert files_of(city) == before


def test_two_commands_at_once_wait_for_each_other(city, call):
    with City(city).locked():
        code, result = call("dr01", "--district", "demo", "--station", STATION)
    assert code == 2 and "another command is at work" in result["error"]
    assert call("dr01", "--district", "demo", "--station", STATION)[0] == 0


def test_a_mosquitto_that_can_not_be_told_is_said_and_the_work_is_done(city, call, tmp_path):
    enrolled(city, "dr01", "--station", STATION)
    ended_process = subprocess.Popen([sys.executable, "-c", ""])
    ended_process.wait()
    (tmp_path / "pid").write_text(f"{ended_process.pid}\n")
    code, result = call("dr01", "--district", "demo", "--revoke", "--broker-pid-file", tmp_path / "pid")
    assert code == 1
    assert "No such process" in result["broker"]["trouble"]
    assert call("--list-nodes")[1]["nodes"][0]["revoked"]
    for wrong in ("", "x", "-1", "0"):
        (tmp_path / "pid").write_text(wrong)
        assert call("dr01", "--district", "demo", "--revoke", "--broker-pid-file", tmp_path / "pid")[0] == 2


def test_names_that_are_too_long_together_for_a_certificate_are_refused(city, call):
    long = "n" * 32
    code, result = call(long, "--district", "d" * 32, "--station", STATION)
    assert code == 2 and "63" in result["error"]
    assert call(long, "--district", "d" * 31, "--station", STATION)[0] == 0
