"""A city made by `waspada enrol`, the mosquitto it configures, and clients that prove themselves with what it made."""

import contextlib
import io
import json
import os
import signal
import ssl
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives import serialization

from tests.broker import free_port, mosquitto_path
from waspada import cli

HOST = "127.0.0.1"
STATION = "tide_gauge"
WITHIN_S = 20


def told(capsys, *words):
    """(exit code, the JSON object, everything that was printed)."""
    code = cli.main(["enrol", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]), out + err


def new_city(folder, port=8883, gateway_port=8884):
    """A city's folder with nobody in it yet."""
    folder.mkdir()
    broker = f'[broker]\nhost = "{HOST}"\nport = {port}\ngateway_port = {gateway_port}\ntls = true\n'
    (folder / "city.toml").write_text(f'name = "test"\n\n{broker}\n[wifi]\nssid = "Depot"\nkey = "wifi-secret"\n')
    return folder


def enrolled(city, *words, district="demo"):
    """Without a word; the node's folder."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert cli.main(["enrol", *words, "--district", district, "--city", str(city)]) == 0
    return city / "nodes" / f"{district}.{words[0]}"


class CityBroker:
    """The real mosquitto with a city's folder `broker`, included as a city would."""

    def __init__(self, folder, city, ports):
        self.city = city
        self.port, self.gateway_port = ports
        self.pid_file = folder / "mosquitto.pid"
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        user = "user root\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        self._config.write_text(f"{user}pid_file {self.pid_file}\nlog_type all\ninclude_dir {city / 'broker'}\n")
        self._process = None

    def __enter__(self):
        self._log.touch()
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen([mosquitto_path(), "-c", str(self._config)], stdout=log, stderr=log)
        self.wait_for("running")
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(WITHIN_S)

    def reload(self):
        before = self.log.count("Reloading config")
        self._process.send_signal(signal.SIGHUP)
        self.wait_for("Reloading config", before + 1)

    @property
    def log(self):
        return self._log.read_text()

    def wait_for(self, words, times=1):
        deadline = time.monotonic() + WITHIN_S
        while self.log.count(words) < times:
            assert self._process.poll() is None and time.monotonic() < deadline, self.log
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.01)


def ports():
    first = free_port()
    while (second := free_port()) == first:
        pass
    return first, second


@contextlib.contextmanager
def city_with(folder, *nodes):
    """A city with these stations, and its broker, which lets nobody in without a certificate."""
    two = ports()
    city = new_city(folder / "city", *two)
    for node in nodes:
        enrolled(city, node, "--station", STATION)
    with CityBroker(folder, city, two) as broker:
        yield broker


def context(authority, certificate=None, key=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=authority)
    if certificate is not None:
        made.load_cert_chain(certificate, key)
    return made


def of_node(home, copy):
    """A station's identity as Python's ssl reads it, copied: the folder may be made anew meanwhile."""
    copy.mkdir()
    key = serialization.load_der_private_key((home / "node-key.der").read_bytes(), None)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (copy / "key.pem").write_bytes(pem)
    (copy / "node.pem").write_bytes((home / "node.pem").read_bytes())
    return context((home / "ca.der").read_bytes(), copy / "node.pem", copy / "key.pem")


def of_pair(authority, pair, copy):
    copy.mkdir()
    (copy / "key.pem").write_bytes(pair.key_pem)
    (copy / "node.pem").write_bytes(pair.pem)
    return context(authority, copy / "node.pem", copy / "key.pem")


def of_gateway(city, district="demo"):
    home = city / "gateways" / district
    return context((home / "ca.pem").read_text(), home / "gateway.pem", home / "gateway-key.pem")


class Caller:
    """One MQTT client, turned by hand. `let_in`: the broker took it; `heard`: (topic, payload)."""

    def __init__(self, tls, port, client_id=""):
        self.heard = []
        self._done = set()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id)
        self._client.tls_set_context(tls)
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.topic, message.payload))
        self._client.on_publish = lambda _c, _d, mid, *_: self._done.add(mid)
        self._client.on_subscribe = lambda _c, _d, mid, *_: self._done.add(mid)
        self._answer = None
        self._client.on_connect = self._connected
        try:
            self._client.connect(HOST, port)
            self._until(lambda: self._answer is not None)
        except (OSError, ConnectionError):
            pass
        self.let_in = self._answer is True

    def _connected(self, _client, _data, _flags, reason, _properties):
        self._answer = not reason.is_failure

    def _until(self, true):
        deadline = time.monotonic() + WITHIN_S
        while not true():
            assert time.monotonic() < deadline, "it did not come true"
            if self._client.loop(0.05) != mqtt.MQTT_ERR_SUCCESS:
                raise ConnectionError("the broker ended the connection")

    def publish(self, topic, payload=b"[]", retain=False):
        mid = self._client.publish(topic, payload, 1, retain).mid
        self._until(lambda: mid in self._done)

    def subscribe(self, topic):
        mid = self._client.subscribe(topic, 1)[1]
        self._until(lambda: mid in self._done)

    def until_heard(self, topic, payload=b"[]"):
        self._until(lambda: (topic, payload) in self.heard)

    @property
    def alive(self):
        """Whether a round trip still works."""
        try:
            self.subscribe("waspada/v1/demo/nobody/committed")
        except ConnectionError:
            return False
        return True

    def close(self):
        self._client.disconnect()
        self._client.loop(0.05)


def files_of(folder: Path):
    """Everything in a folder: path -> bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
