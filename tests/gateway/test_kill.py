"""kill -9 of the gateway and of the broker, at random moments, while stations speak: nothing is lost, nothing is there twice.

WASPADA_KILLS says how often (20 here; 200 takes some minutes).
"""

import json
import os
import random
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from tests.broker import free_port
from tests.gateway.district import LIFE, reading, status, topic
from tests.gateway.running import Broker, Gateway, publisher, wait_until

OTHER_LIFE = "00000bad"
KILLS = int(os.environ.get("WASPADA_KILLS", "20"))
NODES = ("dr01", "dr02", "dr03")

pytestmark = pytest.mark.broker


def level_of(boot, seq):
    return (boot * 100_000 + seq) % 29_000 / 1000


def assert_kept_exactly(gateway, keys):
    """Every key of `keys` (node, boot, seq) once, with its own value, and nothing else."""
    rows = gateway.rows("SELECT node, boot, seq, v FROM points_final WHERE name = 'level' ORDER BY node, boot, seq")
    assert len(rows) == len(set(rows))
    assert rows == [(node, boot, seq, level_of(boot, seq)) for node, boot, seq in sorted(keys)]
    assert gateway.count() == len(keys) and gateway.count("points") == 2 * len(keys)
    assert gateway.count("quarantine") == 0


class Talker(threading.Thread):
    """Publishes readings of all nodes, a burst at a time, until told to end; `sent` counts per node."""

    def __init__(self, client, rate_s):
        super().__init__(daemon=True)
        self.client = client
        self.rate_s = rate_s
        self.sent = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(self.rate_s):
            for _ in range(5):
                self.sent += 1
                for node in NODES:
                    payload = reading(1, self.sent, level_of(1, self.sent), node=node)
                    info = self.client.publish(topic("readings", node), payload, 1)
        self.ended.set()
        info.wait_for_publish(30)


def test_nothing_is_lost_or_there_twice_when_the_gateway_is_killed(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    moments = random.Random(seed)
    pause = threading.Event()
    with Broker(tmp_path) as broker, publisher(broker.port) as client:
        gateway = Gateway(tmp_path, broker.port, "broker.inflight = 1000\n").start()
        wait_until(lambda: _listens(client, gateway), what="the gateway's subscription")
        talker = Talker(client, 0.005)
        talker.start()
        try:
            for _ in range(KILLS):
                pause.wait(moments.uniform(0, 0.25))
                gateway.kill()
                gateway.start()
        finally:
            talker.ended.set()
            talker.join()
        keys = {(node, 1, seq) for node in NODES for seq in range(1, talker.sent + 1)}
        wait_until(lambda: gateway.count() >= len(keys), what=f"the drain of {len(keys)}")
        assert gateway.stop() == 0
        assert_kept_exactly(gateway, keys)
        print(f"{len(keys)} readings, {KILLS} kills")


def _listens(client, gateway):
    """True once what is published now comes through to the database: from here on the broker keeps the session."""
    client.publish(topic("status"), status(), 1).wait_for_publish(10)
    return gateway.count("status") > 0


def test_the_board_put_back_stays_the_current_one_when_the_gateway_is_killed(tmp_path):
    said = []
    with Broker(tmp_path) as broker, publisher(broker.port) as client:
        client.on_message = lambda _client, _userdata, message: said.append(message)
        client.subscribe([(topic("committed"), 1), (topic("resend"), 1)])
        gateway = Gateway(tmp_path, broker.port, web_port=free_port()).start()
        wait_until(lambda: _listens(client, gateway), what="the gateway's subscription")
        for life, level in ((LIFE, 1.6), (OTHER_LIFE, 0.2), (LIFE, 1.6)):
            client.publish(topic("status"), status(life=life), 1, retain=True).wait_for_publish(10)
            for seq in (1, 3):
                client.publish(topic("readings"), reading(1, seq, level, life=life), 1).wait_for_publish(10)
            wait_until(lambda life=life: _current(gateway) == life, what=f"life {life} as the current one")
            gateway.kill()
            del said[:]
            gateway.start()
        client.publish(topic("readings"), reading(1, 4, 0.2, life=OTHER_LIFE), 1).wait_for_publish(10)
        wait_until(lambda: gateway.count() == 5, what="the late record")
        wait_until(
            lambda: {m.topic for m in said if not m.retain} == {topic("committed"), topic("resend")}, what="both told"
        )
        assert {json.loads(m.payload)["life"] for m in said if not m.retain} == {LIFE}
        [station] = gateway.ask("/api/stations")["stations"]
        assert station["level_m"] == 1.6
        assert gateway.stop() == 0


def _current(gateway):
    rows = gateway.rows("SELECT life FROM lives WHERE id IN (SELECT life_id FROM current)")
    return rows[0][0] if rows else None


class Station:
    """Keeps every record until it is committed, sends again what is asked for or stays uncommitted: the node's side in a few lines."""

    def __init__(self, port, node):
        self.node = node
        self.boot = 1
        self.seq = 0
        self.kept = {}  # key -> payload
        self.made = []
        self.mark = (0, 0)
        self.told_s = time.monotonic()
        self._lock = threading.Lock()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=node, clean_session=False)
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.max_inflight_messages = 200
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _connected(self, client, *_):
        client.subscribe([(topic("committed", self.node), 1), (topic("resend", self.node), 1)])

    def _message(self, client, userdata, message):
        said = json.loads(message.payload)
        if said["life"] != LIFE:
            return
        with self._lock:
            if message.topic.endswith("/committed"):
                mark = (said["readings"]["boot"], said["readings"]["seq"])
                if mark > self.mark:
                    self.mark = mark
                    self.told_s = time.monotonic()
                self.kept = {key: payload for key, payload in self.kept.items() if key > self.mark}
            else:
                wanted = [(said["boot"], seq) for seq in range(said["from"], said["to"] + 1)]
                for key in wanted:
                    if key in self.kept:
                        self._send(self.kept[key])

    def _send(self, payload):
        self._client.publish(topic("readings", self.node), payload, 1)

    def make(self):
        with self._lock:
            prev = self.made[-1] if self.made else (0, 0)
            if self.seq == 400:
                self.boot += 1
                self.seq = 0
            self.seq += 1
            key = (self.boot, self.seq)
            payload = reading(*key, level_of(*key), node=self.node, prev=prev)
            self.made.append(key)
            self.kept[key] = payload
            self._send(payload)

    def insist(self, after_s):
        """Send again what has stayed uncommitted for a while."""
        with self._lock:
            if self.kept and time.monotonic() - self.told_s > after_s:
                self.told_s = time.monotonic()
                for key in sorted(self.kept)[:500]:
                    self._send(self.kept[key])
            return bool(self.kept)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


def test_nothing_is_lost_or_there_twice_when_the_broker_is_killed(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    moments = random.Random(seed)
    pause = threading.Event()
    with Broker(tmp_path) as broker, Gateway(tmp_path, broker.port, "broker.inflight = 1000\n") as gateway:
        stations = [Station(broker.port, node) for node in NODES]
        try:
            for _ in range(min(KILLS, 60)):
                for _ in range(moments.randrange(5, 40)):
                    for station in stations:
                        station.make()
                    pause.wait(moments.uniform(0, 0.01))
                broker.kill()
                for station in stations:
                    station.make()
                broker.start()
            keys = {(s.node, *key) for s in stations for key in s.made}
            wait_until(lambda: sum(s.insist(3) for s in stations) == 0, 120, "everything committed")
        finally:
            for station in stations:
                station.close()
        assert gateway.stop() == 0
        assert_kept_exactly(gateway, keys)
        print(f"{len(keys)} readings, {min(KILLS, 60)} kills")
