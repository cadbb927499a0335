"""The node's client over a real socket against mosquitto, its command line tools and paho-mqtt.

Every wait is a select() with a deadline; nothing sleeps. The time given to the client is real.
"""

import queue
import random
import select
import shutil
import socket
import subprocess
import time

import paho.mqtt.client as paho
import pytest

from node.core.client import DOWN, UP, Client
from node.core.clock import WRAP
from tests.broker import free_port, mosquitto, mosquitto_path

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed"),
]

WITHIN_S = 15
TOPIC = "waspada/v1/demo/dr01/readings"


def now_ms():
    return int(time.monotonic() * 1000) % WRAP


class Station:
    """A Client on a non-blocking socket; reads at most `chunk` bytes at a time."""

    def __init__(self, port, chunk=512, **arguments):
        self.port = port
        self.buffer = bytearray(chunk)
        self.messages = []
        self.acked = []
        self.node = Client("dr01", **arguments)
        self.node.on_message = lambda topic, payload: self.messages.append((topic, payload))
        self.node.on_acked = self.acked.append
        self.socket = None
        self.written = 0

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN_S)
        self.socket.setblocking(False)
        self.node.opened(now_ms())

    def cut(self):
        """The stream ends here, without a word to the broker."""
        self.socket.close()
        self.socket = None
        self.node.closed()

    def turn(self, wait_s):
        """Read what is there, step, write what fits; waits at most wait_s for something to happen."""
        if self.socket is None:
            return
        writers = [self.socket] if self.node.out else []
        wait_s = min(wait_s, self.node.step(now_ms()) / 1000)
        readable, _, _ = select.select([self.socket], writers, [], max(0, wait_s))
        try:
            if readable:
                count = self.socket.recv_into(self.buffer)
                if not count:
                    self.cut()
                    return
                self.node.receive(now_ms(), self.buffer, count)
            self.node.step(now_ms())
            if self.node.out:
                count = self.socket.send(self.node.out)
                self.node.sent(count)
                self.written += count
        except BlockingIOError:
            return
        except OSError:
            self.cut()
            return
        if self.node.want_close:
            self.cut()

    def until(self, condition, within_s=WITHIN_S):
        deadline = time.monotonic() + within_s
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, (self.node.state, self.node.reason, self.node.in_flight, self.messages[-3:])
            self.turn(min(left, 0.05))

    def up(self):
        self.connect()
        self.until(lambda: self.node.state == UP)
        return self

    def publish(self, topic, payload, qos=1, retain=0, token=None):
        """Publish as soon as the client takes it; gives up when the connection is lost."""
        taken = False

        def tried():
            nonlocal taken
            taken = self.node.publish(now_ms(), topic, payload, qos, retain, token)
            return taken or self.socket is None

        self.until(tried)
        return taken


class Judge:
    """A paho client: what it received, in order."""

    def __init__(self, port, topic_filter="#", client_id="", clean=True):
        self.received = queue.Queue()
        subscribed = queue.Queue()
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, clean_session=clean)
        self.paho.on_connect = lambda client, *rest: client.subscribe(topic_filter, 1)
        self.paho.on_subscribe = lambda *rest: subscribed.put(True)
        self.paho.on_message = lambda client, data, message: self.received.put(message)
        self.paho.connect("127.0.0.1", port)
        self.paho.loop_start()
        subscribed.get(timeout=WITHIN_S)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.paho.disconnect()
        self.paho.loop_stop()

    def next(self):
        return self.received.get(timeout=WITHIN_S)

    def payloads(self, count):
        return [int(self.next().payload) for _ in range(count)]


@pytest.fixture
def port(tmp_path):
    with mosquitto(tmp_path) as port:
        yield port


@pytest.mark.parametrize("qos", [0, 1])
def test_paho_receives_what_the_node_sends_in_order(port, qos):
    with Judge(port) as judge:
        station = Station(port).up()
        for number in range(500):
            assert station.publish(TOPIC, b"%d" % number, qos, 0, number)
        station.until(lambda: not station.node.in_flight and not station.node.out)
        messages = [judge.next() for _ in range(500)]
    assert [int(message.payload) for message in messages] == list(range(500))
    assert {(message.topic, message.qos, message.retain) for message in messages} == {(TOPIC, qos, False)}
    assert station.acked == (list(range(500)) if qos else [])
    assert station.node.unknown_acks == 0


@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_the_node_receives_what_paho_sends_in_order(port, chunk):
    station = Station(port, chunk, subscriptions=(("c/+", 1),)).up()
    station.until(lambda: not station.node._subscribe_id)
    with Judge(port, "nothing") as judge:
        for number in range(200):
            judge.paho.publish("c/x", b"%d" % number, number % 3)
        station.until(lambda: len(station.messages) >= 200)
    by_qos = [[int(payload) for _, payload in station.messages if int(payload) % 3 == qos] for qos in range(3)]
    assert by_qos == [list(range(qos, 200, 3)) for qos in range(3)]


def test_mosquittos_own_tools_in_both_directions(port):
    tool = ["-h", "127.0.0.1", "-p", str(port), "-V", "mqttv311", "-q", "1"]
    station = Station(port, subscriptions=(("waspada/v1/demo/dr01/committed", 1),)).up()
    station.publish("up/mark", b"ready", 1, 1)
    station.until(lambda: not station.node.in_flight)
    listening = subprocess.Popen(
        [shutil.which("mosquitto_sub"), *tool, "-t", "up/#", "-C", "4", "-W", str(WITHIN_S), "-F", "%t %r %p"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert listening.stdout.readline() == "up/mark 1 ready\n"
        for number in range(3):
            station.publish("up/n", b"%d" % number)
        station.until(lambda: listening.poll() is not None)
        assert listening.stdout.read() == "up/n 0 0\nup/n 0 1\nup/n 0 2\n"
    finally:
        listening.kill()
        listening.wait()
        listening.stdout.close()
    said = '{"life":"5eed0001"}'
    subprocess.run(
        [shutil.which("mosquitto_pub"), *tool, "-t", "waspada/v1/demo/dr01/committed", "-m", said],
        check=True,
        timeout=WITHIN_S,
    )
    station.until(lambda: station.messages)
    assert station.messages == [("waspada/v1/demo/dr01/committed", said.encode())]


def test_a_retained_message_arrives_with_every_subscription(port):
    with Judge(port, "nothing") as judge:
        judge.paho.publish("c/kept", b"old", 1, True).wait_for_publish(WITHIN_S)
    station = Station(port, subscriptions=(("c/#", 1),))
    for seen in (1, 2):
        station.up()
        station.until(lambda seen=seen: len(station.messages) == seen)
        station.cut()
    assert station.messages == [("c/kept", b"old")] * 2


def test_a_retained_message_that_is_too_long_does_not_keep_the_node_down(port):
    with Judge(port, "nothing") as judge:
        judge.paho.publish("c/long", b"z" * 100000, 1, True).wait_for_publish(WITHIN_S)
        station = Station(port, subscriptions=(("c/#", 1),)).up()
        station.until(lambda: station.node.passed_over)
        judge.paho.publish("c/x", b"short", 1)
        station.until(lambda: station.messages)
    assert (station.messages, station.node.state) == ([("c/x", b"short")], UP)


def test_the_will_is_heard_when_the_socket_dies_and_not_after_a_goodbye(port):
    with Judge(port, "status/#") as judge:
        station = Station(port, will=("status/dr01", b"unreachable", 1, 1)).up()
        station.publish("status/dr01", b"sleeping")
        station.until(lambda: not station.node.in_flight)
        station.node.disconnect()
        station.until(lambda: station.socket is None)
        station.up()
        station.publish("status/dr01", b"online")
        station.until(lambda: not station.node.in_flight)
        station.cut()
        said = [judge.next().payload for _ in range(3)]
    assert said == [b"sleeping", b"online", b"unreachable"]


def test_what_was_sent_while_the_node_was_away_waits_in_its_session(port):
    station = Station(port, subscriptions=(("c/#", 1),)).up()
    station.until(lambda: not station.node._subscribe_id)
    station.cut()
    with Judge(port, "nothing") as judge:
        for number in range(50):
            judge.paho.publish("c/x", b"%d" % number, 1).wait_for_publish(WITHIN_S)
    station.up()
    station.until(lambda: len(station.messages) == 50)
    assert [int(payload) for _, payload in station.messages] == list(range(50))


def test_a_second_connection_of_the_same_name_ends_the_first(port):
    """[3.1.4-2]"""
    first = Station(port).up()
    Station(port).up()
    first.until(lambda: first.socket is None)
    assert (first.node.state, first.node.reason) == (DOWN, "closed by the other side")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_or_out_of_order_over_connections_cut_anywhere(port, seed):
    print("seed", seed)
    draw = random.Random(seed)
    count = 300
    with Judge(port) as judge:
        station = Station(port, chunk=5, window=4)
        number = cuts = 0
        while number < count or station.node.in_flight:
            station.up()
            life = draw.randrange(1, 2000) + station.written
            while station.socket and station.written < life and (number < count or station.node.in_flight):
                if number < count and station.node.publish(now_ms(), TOPIC, b"%d" % number, 1, 0, number):
                    number += 1
                station.turn(draw.choice((0, 0, 0.001)))
            if station.socket and (number < count or station.node.in_flight):
                station.cut()
                cuts += 1
        first = []
        while len(first) < count:
            got = int(judge.next().payload)
            if got not in first:
                first.append(got)
    assert cuts > 5
    assert station.node.resent > 5
    assert first == list(range(count)) == sorted(station.acked)
    assert len(station.acked) == count


def test_a_broker_that_comes_back_gets_what_it_had_not_acknowledged(tmp_path):
    port = free_port()
    with mosquitto(tmp_path, port=port):
        station = Station(port).up()
        station.publish("a", b"before", token="before")
        station.until(lambda: not station.node.in_flight)
        station.publish("a", b"between", token="between")
    station.until(lambda: station.socket is None)
    assert station.node.in_flight == 1
    with mosquitto(tmp_path, port=port), Judge(port) as judge:
        station.up()
        station.until(lambda: not station.node.in_flight)
        assert judge.next().payload == b"between"
    assert station.acked == ["before", "between"]


def test_pings_keep_a_silent_connection(port):
    """mosquitto drops a client after 1.5 keep alives [3.1.2-24]."""
    station = Station(port, keepalive_s=1).up()
    start = time.monotonic()
    station.until(lambda: time.monotonic() - start > 2.5)
    assert station.node.state == UP
    assert station.written == len(station.node._connect) + 2 * 2


def test_a_refusal_says_why(tmp_path):
    with mosquitto(tmp_path, "allow_anonymous false") as port:
        station = Station(port)
        station.connect()
        station.until(lambda: station.socket is None)
    assert (station.node.state, station.node.reason) == (DOWN, "refused: not authorised")
