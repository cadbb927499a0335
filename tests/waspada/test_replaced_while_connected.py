"""A certificate's serial is in its subject, so a reload of the broker takes the rights of one that was replaced, though it closes no connection."""

import contextlib

import pytest

from tests.waspada.city_desk import Caller, city_with, enrolled, of_gateway, of_node

pytestmark = pytest.mark.broker
READINGS, COMMAND = "waspada/v1/demo/dr01/readings", "waspada/v1/demo/dr01/command"


@pytest.fixture
def at(tmp_path):
    with city_with(tmp_path, "dr01") as broker:
        yield broker


def say(caller, topic, payload):
    with contextlib.suppress(ConnectionError):  # mosquitto may end it, or refuse what it says
        caller.publish(topic, payload)


def test_a_replaced_board_that_stays_connected_is_heard_no_more_after_a_reload(at, tmp_path):
    home = at.city / "nodes/demo.dr01"
    old_tls = of_node(home, tmp_path / "old")
    old, listening = Caller(old_tls, at.port), Caller(of_gateway(at.city), at.gateway_port)
    listening.subscribe(READINGS)
    old.publish(READINGS, b"before")
    enrolled(at.city, "dr01", "--replace")
    at.reload()
    say(old, READINGS, b"from the board that was replaced")
    new = Caller(of_node(home, tmp_path / "new"), at.port)
    again = Caller(old_tls, at.port)
    assert new.let_in and not again.let_in
    new.publish(READINGS, b"from the new one")
    listening.until_heard(READINGS, b"from the new one")
    assert [payload for _, payload in listening.heard] == [b"before", b"from the new one"]
    for one in (old, listening, new, again):
        one.close()


def test_a_replaced_gateway_that_stays_connected_gives_no_orders_after_a_reload(at, tmp_path):
    old = Caller(of_gateway(at.city), at.gateway_port, client_id="gateway")
    station = Caller(of_node(at.city / "nodes/demo.dr01", tmp_path / "dr01"), at.port)
    station.subscribe(COMMAND)
    old.publish(COMMAND, b"before")
    enrolled(at.city, "--gateway", "--replace")
    at.reload()
    say(old, COMMAND, b"from the gateway that was replaced")
    new = Caller(of_gateway(at.city), at.gateway_port, client_id="gateway")
    assert new.let_in
    new.publish(COMMAND, b"from the new one")
    station.until_heard(COMMAND, b"from the new one")
    assert [payload for _, payload in station.heard] == [b"before", b"from the new one"]
    for one in (old, station, new):
        one.close()
