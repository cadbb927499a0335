"""`waspada update`: from a key to an offer that a node takes, and every wrong thing named."""

import json
import stat

import paho.mqtt.client as mqtt
import pytest

from node.version import VERSION
from tests.broker import mosquitto
from tests.waspada.city_desk import STATION, Caller, city_with, enrolled, new_city, of_gateway, of_node
from waspada import cli


def told(capsys, *words):
    """(exit code, the JSON object)."""
    code = cli.main(["update", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A key and a signed release of this firmware."""
    folder = tmp_path_factory.mktemp("city")
    assert cli.main(["update", "keygen", str(folder / "key")]) == 0
    assert cli.main(["update", "build", str(folder / "release"), "--downgrade-from", "9.0.0"]) == 0
    assert cli.main(["update", "sign", str(folder / "release"), "--key", str(folder / "key.pem")]) == 0
    return folder


def test_a_release_of_this_firmware_would_be_taken(city, capsys):
    code, result = told(capsys, "check", city / "release", "--key", city / "key.pub")
    assert (code, result["taken"], result["version"], result["why"]) == (0, True, VERSION, "")
    assert stat.S_IMODE((city / "key.pem").stat().st_mode) == 0o600
    assert json.loads((city / "release" / "offer.json").read_text())["downgrade"] == 1


def test_another_key_is_refused_as_a_node_would(city, capsys, tmp_path):
    assert told(capsys, "keygen", tmp_path / "other")[0] == 0
    code, result = told(capsys, "check", city / "release", "--key", tmp_path / "other.pub")
    assert (code, result["taken"]) == (1, False)
    assert "does not know the key" in result["why"]


def test_a_downgrade_needs_to_be_signed_as_one(city, capsys):
    key = ("--key", city / "key.pub")
    assert told(capsys, "check", city / "release", *key, "--running", "9.0.0")[1]["taken"]
    code, result = told(capsys, "check", city / "release", *key, "--running", "8.0.0")
    assert code == 1
    assert "not signed as a downgrade" in result["why"]


def test_a_key_is_never_written_over(city, capsys):
    before = (city / "key.pem").read_bytes()
    code, result = told(capsys, "keygen", city / "key")
    assert code == 2
    assert "must not be lost" in result["error"]
    assert (city / "key.pem").read_bytes() == before


def test_what_can_not_be_used_is_named(city, capsys, tmp_path):
    (tmp_path / "no.pem").write_text("nothing")
    (tmp_path / "no.pub").write_text("0000 00")
    cases = (
        (["sign", city / "release", "--key", tmp_path / "no.pem"], "not a private key"),
        (["sign", city / "release", "--key", tmp_path / "none.pem"], "can't be read"),
        (["sign", tmp_path, "--key", city / "key.pem"], "build the release first"),
        (["check", city / "release", "--key", tmp_path / "no.pub"], "no public key"),
        (["check", tmp_path, "--key", city / "key.pub"], "can't be read"),
        (["check", city / "release", "--key", city / "key.pub", "--running", "x"], "--running 'x'"),
        (["build", tmp_path / "r", "--downgrade-from", "1"], "--downgrade-from '1'"),
        (["publish", city / "release", "--district", "demo", "--node", "dr01"], "--to FOLDER"),
        (
            [
                "publish",
                city / "release",
                "--to",
                tmp_path / "to",
                "--district",
                "demo",
                "--node",
                "dr01",
                "--broker",
                "x",
            ],
            "HOST:PORT",
        ),
        (["publish", "--withdraw", "--district", "demo", "--node", "dr01", "--broker", "127.0.0.1:1"], "can't be used"),
    )
    for words, named in cases:
        code, result = told(capsys, *words)
        assert code == 2, words
        assert named in result["error"], result


@pytest.mark.broker
def test_an_offer_is_retained_and_can_be_withdrawn(city, capsys, tmp_path):
    with mosquitto(tmp_path) as port:
        to = tmp_path / "releases"
        words = ("--district", "demo", "--node", "dr01", "--node", "dr02", "--broker", f"127.0.0.1:{port}")
        assert told(capsys, "publish", city / "release", "--to", to, *words) == (
            0, {"said": f"offered {VERSION} to dr01, dr02", "version": VERSION, "nodes": ["dr01", "dr02"]},
        )  # fmt: skip
        assert told(capsys, "publish", city / "release", "--to", to, *words)[0] == 0  # the same again is nothing new
        assert retained(port) == {
            f"waspada/v1/demo/{node}/update": (city / "release" / "offer.json").read_bytes()
            for node in ("dr01", "dr02")
        }
        assert (to / VERSION / "node.pack").read_bytes() == (city / "release" / "node.pack").read_bytes()
        assert told(capsys, "publish", "--withdraw", *words)[0] == 0
        assert retained(port) == {}


@pytest.fixture
def at(tmp_path):
    with city_with(tmp_path, "dr01") as broker:
        yield broker


@pytest.mark.broker
def test_a_citys_broker_takes_the_offer_from_its_gateways_certificate(city, at, capsys, tmp_path):
    words = ("--district", "demo", "--node", "dr01", "--city", at.city)
    code, result = told(capsys, "publish", city / "release", *words)
    assert (code, "--to FOLDER" in result["error"]) == (2, True)
    gateway_toml = at.city / "gateways" / "demo" / "gateway.toml"
    gateway_toml.write_text(gateway_toml.read_text() + '\n[updates]\nfolder = "releases"\n')
    assert told(capsys, "publish", city / "release", *words)[0] == 0
    assert (gateway_toml.parent / "releases" / VERSION / "node.pack").is_file()
    station = Caller(of_node(at.city / "nodes" / "demo.dr01", tmp_path / "dr01"), at.port)
    station.subscribe("waspada/v1/demo/dr01/update")
    station.until_heard("waspada/v1/demo/dr01/update", (city / "release" / "offer.json").read_bytes())
    station.close()
    assert told(capsys, "publish", "--withdraw", *words)[0] == 0


@pytest.mark.broker
def test_who_is_not_the_citys_own_offers_nothing(city, at, capsys, tmp_path):
    words = ("publish", city / "release", "--to", tmp_path / "to", "--district", "demo", "--node", "dr01")
    code, result = told(capsys, *words, "--broker", f"127.0.0.1:{at.gateway_port}")
    assert (code, "can't be used" in result["error"] or "does not take it" in result["error"]) == (2, True)
    code, result = told(capsys, *words[:-1], "dr09", "--city", at.city)
    assert (code, "demo/dr09 is not enrolled" in result["error"]) == (2, True)
    other = new_city(tmp_path / "other", at.port, at.gateway_port)
    enrolled(other, "dr01", "--station", STATION)
    code, result = told(capsys, *words, "--city", other)
    assert (code, "certificate" in result["error"]) == (2, True)
    gateway = Caller(of_gateway(at.city), at.gateway_port)
    gateway.subscribe("waspada/v1/demo/dr01/update")
    assert gateway.alive
    assert gateway.heard == []
    gateway.close()


def retained(port):
    """What the broker keeps, up to a message of our own that comes behind it."""
    found = {}
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe([("waspada/#", 1), ("end", 1)])
    client.on_subscribe = lambda *_: client.publish("end", b"end", 1)
    ended = []

    def message(_client, _data, said):
        if said.topic == "end":
            ended.append(said)
        else:
            found[said.topic] = said.payload

    client.on_message = message
    client.connect("127.0.0.1", port)
    while not ended:
        client.loop(1)
    client.disconnect()
    return found
