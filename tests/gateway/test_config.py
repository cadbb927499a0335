"""Configuration and start: what is wrong is said in one sentence, and the exit code is 2."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys

import pytest

from gateway.config import Config, ConfigError, load
from gateway.store import SqliteStore, StoreError
from tests.broker import free_port, mosquitto
from tests.gateway.running import ROOT, Gateway, wait_until

# (what is wrong, file, words of the sentence after the file's name)
WRONG = (
    ("no TOML", "broker = [", "is not TOML"),
    ("unknown table", "[brokr]\n", "there is no key brokr; there are name, title, district, database"),
    ("unknown key", "[broker]\nprot = 1\n", "there is no key broker.prot; there are host, port"),
    ("unknown key of a station", "[stations.dr01]\nname = 'x'\n", "name; there are title, label, source"),
    ("port as text", '[broker]\nport = "1883"\n', "broker.port: expected int, got str"),
    ("port too high", "[broker]\nport = 70000\n", "broker.port: expected int <= 65535"),
    ("inflight 0", "[broker]\ninflight = 0\n", "broker.inflight: expected int >= 1"),
    ("clock", 'clock = "virtual"\n', "clock: invalid enum value 'virtual'"),
    ("stations file", 'stations_file = "nowhere.toml"\n', "nowhere.toml can't be read: No such file"),
    ("name", 'name = "Main Street"\n', "name: expected str matching regex"),
)


@pytest.mark.parametrize(("text", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_a_wrong_file_is_answered_with_file_key_and_what_is_allowed(tmp_path, text, words):
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(str(file))
    assert words in str(raised.value) and "gateway.toml" in str(raised.value) or "nowhere.toml" in words
    assert "\n" not in str(raised.value)


def test_without_a_file_the_defaults_of_the_design_hold():
    config = load(None)
    assert (config.broker.host, config.broker.port, config.database) == ("127.0.0.1", 1883, "waspada.db")
    assert (config.web.host, config.web.port, config.clock) == ("127.0.0.1", 8080, "wall")
    assert config == Config()


def test_paths_of_a_file_are_relative_to_it_and_stations_may_stand_apart(tmp_path):
    (tmp_path / "stations.toml").write_text('[dr01]\ntitle = "Sungai Maong"\nlabel = "recorded"\n[dr02]\ntitle = "b"\n')
    file = tmp_path / "gateway.toml"
    file.write_text('database = "data/x.db"\nstations_file = "stations.toml"\n[stations.dr02]\ntitle = "here wins"\n')
    config = load(str(file))
    assert config.database == str(tmp_path / "data" / "x.db")
    assert {node: s.title for node, s in config.stations.items()} == {"dr01": "Sungai Maong", "dr02": "here wins"}


def waspada(*words):
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'firmware'}"}
    return subprocess.run(
        [sys.executable, "-m", "waspada", "gateway", *words], env=env, capture_output=True, text=True, timeout=30
    )


def test_a_page_port_in_use_is_one_sentence_and_exit_2(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file = tmp_path / "gateway.toml"
        file.write_text(f"web.port = {port}\n")
        answer = waspada("--config", str(file), "--json")
    assert answer.returncode == 2
    said = f"the page can't be served at 127.0.0.1:{port} (address already in use): choose another web.port"
    assert answer.stderr.strip() == f"waspada: {said}"
    assert json.loads(answer.stdout.splitlines()[-1]) == {"error": said}


def test_a_missing_file_is_one_sentence_and_exit_2(tmp_path):
    answer = waspada("--config", str(tmp_path / "no.toml"))
    assert answer.returncode == 2
    assert answer.stderr == f"waspada: {tmp_path}/no.toml can't be read: No such file or directory\n"


# What stands where the database should be, and the sentence
def test_a_database_that_can_not_be_used_is_one_sentence(tmp_path):
    (tmp_path / "text.db").write_text("this is a diary, not a database; it is long enough to be looked at\n" * 20)
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE photos (x)")
    SqliteStore(str(tmp_path / "newer.db")).close()
    with sqlite3.connect(tmp_path / "newer.db") as db:
        db.execute("PRAGMA user_version = 99")
    held = SqliteStore(str(tmp_path / "held.db"))
    for name, words in (
        ("text.db", "can't be opened: file is not a database"),
        ("other.db", "is a database of something else"),
        ("newer.db", "has schema 99, this program knows 1"),
        ("no/such.db", "its folder does not exist"),
        ("held.db", "is in use by another gateway"),
    ):
        with pytest.raises(StoreError) as raised:
            SqliteStore(str(tmp_path / name))
        assert words in str(raised.value) and "\n" not in str(raised.value), name
    held.close()
    SqliteStore(str(tmp_path / "held.db")).close()


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_gateway_with_0_and_says_what_was_done(tmp_path, number):
    with mosquitto(tmp_path) as port:
        gateway = Gateway(tmp_path, port, web_port=free_port()).start()
        wait_until(lambda: gateway.ask("/api/stations")["stations"] == [], what="the page")
        assert gateway.signal(number) == 0
        assert set(gateway.said) <= {f"gateway: connected to the broker at 127.0.0.1:{port}\n"}


def test_the_configuration_in_the_readme_is_allowed_and_names_every_key(tmp_path):
    text = (ROOT / "gateway" / "README.md").read_text().split("```toml\n")[1].split("```")[0]
    (tmp_path / "gateway.toml").write_text(text)
    (tmp_path / "stations.toml").write_text("")
    config = load(str(tmp_path / "gateway.toml"))
    for table in (config, config.broker, config.broker.tls, config.web, config.stations["dr01"]):
        for key in table.__struct_fields__:
            assert key in text, key
