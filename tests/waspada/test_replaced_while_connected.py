"""What a reload of the broker does not do, and docs/security.md says: it closes no connection."""

import pytest

from tests.waspada.city_desk import STATION, Caller, CityBroker, enrolled, new_city, of_gateway, of_node, ports

pytestmark = pytest.mark.broker
TOPIC = "waspada/v1/demo/dr01/readings"


def test_a_replaced_board_that_stays_connected_speaks_on_until_the_broker_is_restarted(tmp_path):
    pair = ports()
    city = new_city(tmp_path / "city", *pair)
    home = enrolled(city, "dr01", "--station", STATION)
    tls = of_node(home, tmp_path / "old")
    (tmp_path / "broker").mkdir()
    broker = CityBroker(tmp_path / "broker", city, pair)
    with broker:
        old, listening = Caller(tls, broker.port), Caller(of_gateway(city), broker.gateway_port)
        listening.subscribe(TOPIC)
        enrolled(city, "dr01", "--replace")
        broker.reload()
        old.publish(TOPIC, b"from the board that was replaced")
        listening.until_heard(TOPIC, b"from the board that was replaced")
        again = Caller(tls, broker.port)
        assert not again.let_in, "a new connection is refused"
        for one in (old, listening, again):
            one.close()
    with broker:
        again = Caller(tls, broker.port)
        assert not again.let_in
        again.close()
