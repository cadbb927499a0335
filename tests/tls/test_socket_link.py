"""The simulator's link on real sockets: believed and refused as the board's is."""

import threading
import time

import pytest

from simulator.adapters.socket_link import DOWN, UP, SocketLink, mutual_tls
from tests.broker import mosquitto, tls_lines
from tests.tls.authority import Authority

pytestmark = pytest.mark.broker

HOST = "gateway.example"
OURS = Authority()
THEIRS = Authority("Somebody else")
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04dr01"

# broker's certificate, node's certificate -> the reason, None for a connection
CASES = {
    "both right": (OURS.server(HOST), OURS.client("dr01"), None),
    "another host": (OURS.server("other.example"), OURS.client("dr01"), "certificate"),
    "another authority": (THEIRS.server(HOST), OURS.client("dr01"), "certificate"),
    "expired": (OURS.server(HOST, days=(-30, -1)), OURS.client("dr01"), "certificate"),
    "a node of another authority": (OURS.server(HOST), THEIRS.client("dr01"), "certificate"),
}


def talk(link):
    """Whether the broker answered CONNECT within the time."""
    pause = threading.Event()
    buffer = bytearray(4)
    sent = 0
    deadline = time.monotonic() + 10
    link.open()
    while time.monotonic() < deadline:
        state = link.state()
        if state == DOWN:
            return False
        if state == UP:
            if link.recv_into(buffer) > 0:
                return True
            sent += link.send(CONNECT[sent:])
        else:
            link.secure()
        pause.wait(0.001)
    raise AssertionError("it does not end")


def test_a_link_led_elsewhere_comes_home(tmp_path):
    with mosquitto(tmp_path) as away, mosquitto(tmp_path) as home:
        link = SocketLink("127.0.0.1", home)
        link.home = "home"
        for host, port in (("127.0.0.1", away), ("home", 1)):
            link.use({"broker.host": host, "broker.port": str(port)})
            assert link.state() == DOWN
            assert talk(link)
        link.use({"broker.host": "no.such.name.invalid", "broker.port": "1"})
        assert not talk(link)
        assert link.reason == "no address"


@pytest.mark.parametrize("case", CASES)
def test_the_simulated_station_believes_whom_the_board_believes(tmp_path, case):
    server, node, reason = CASES[case]
    authority, _ = OURS.root.pem(tmp_path, "ca")
    context = mutual_tls(authority, *node.pem(tmp_path, "node"))
    with mosquitto(tmp_path, tls_lines(authority, *server.pem(tmp_path, "server"))) as port:
        link = SocketLink(HOST, port, context, "127.0.0.1")
        assert talk(link) == (reason is None)
        assert link.reason == (reason or "")
        link.close()
