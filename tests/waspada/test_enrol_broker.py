"""What enrolment makes, at a real mosquitto: who gets in, and what each may say and hear."""

import contextlib
import datetime

import pytest

from tests.tls import link_desk
from tests.waspada.city_desk import (
    HOST,
    STATION,
    Caller,
    city_with,
    context,
    enrolled,
    of_gateway,
    of_node,
    of_pair,
)
from waspada.authority import Authority

pytestmark = pytest.mark.broker

ROOT = "waspada/v1/demo"


@pytest.fixture
def at(tmp_path):
    with city_with(tmp_path, "dr01", "dr02") as broker:
        yield broker


@contextlib.contextmanager
def calling(tls, port, **more):
    caller = Caller(tls, port, **more)
    try:
        yield caller
    finally:
        caller.close()


def station(at, tmp_path, node, copy=None, **more):
    tls = of_node(at.city / "nodes" / f"demo.{node}", tmp_path / (copy or node))
    return calling(tls, at.port, **more)


def gateway(at):
    return calling(of_gateway(at.city), at.gateway_port)


def authority(at, name):
    ca = at.city / "ca"
    now = datetime.datetime.now(datetime.UTC)
    return Authority.read((ca / f"{name}.pem").read_bytes(), (ca / f"{name}-key.pem").read_bytes(), now)


def test_a_station_speaks_for_itself_and_for_nobody_else(at, tmp_path):
    with station(at, tmp_path, "dr01") as dr01, station(at, tmp_path, "dr02") as dr02, gateway(at) as listening:
        assert dr01.let_in and dr02.let_in and listening.let_in
        for name in ("readings", "event", "status", "settings", "reply", "want", "committed"):
            listening.subscribe(f"{ROOT}/+/{name}")
        for name in ("readings", "event", "status", "settings", "reply", "want"):
            dr01.publish(f"{ROOT}/dr01/{name}", b"mine")
            dr01.publish(f"{ROOT}/dr02/{name}", b"not mine")
        dr01.publish(f"{ROOT}/dr01/committed", b"nor mine")
        dr01.publish("waspada/v1/other/dr01/readings", b"nor this")
        dr02.publish(f"{ROOT}/dr02/readings", b"last")
        listening.until_heard(f"{ROOT}/dr02/readings", b"last")
        said = [(topic.removeprefix(ROOT), payload) for topic, payload in listening.heard]
        assert said == [
            *((f"/dr01/{name}", b"mine") for name in ("readings", "event", "status", "settings", "reply", "want")),
            ("/dr02/readings", b"last"),
        ]
    assert f",CN=demo.dr01,O=demo (d0, q1, r0, m2, '{ROOT}/dr02/readings'" in at.log


def test_a_station_hears_what_is_said_to_it_and_to_nobody_else(at, tmp_path):
    to_node = ("committed", "resend", "command", "desired", "update", "part")
    with station(at, tmp_path, "dr01") as dr01, gateway(at) as telling:
        telling.publish(f"{ROOT}/dr02/committed", b"retained, for dr02", retain=True)
        telling.publish(f"{ROOT}/dr02/status", b"a gateway is no station", retain=True)
        for topic in ("#", "waspada/v1/+/+/+", f"{ROOT}/dr02/committed", f"{ROOT}/dr02/readings"):
            dr01.subscribe(topic)
        for name in to_node:
            telling.publish(f"{ROOT}/dr02/{name}", b"for dr02")
            telling.publish(f"{ROOT}/dr01/{name}", b"for dr01")
        dr01.until_heard(f"{ROOT}/dr01/part", b"for dr01")
        assert {topic for topic, _ in dr01.heard} == {f"{ROOT}/dr01/{name}" for name in to_node}


def test_a_revoked_station_is_out_after_a_reload_and_the_others_notice_nothing(at, tmp_path):
    with (
        station(at, tmp_path, "dr01") as dr01,
        station(at, tmp_path, "dr02") as dr02,
        gateway(at) as listening,
    ):
        listening.subscribe(f"{ROOT}/+/readings")
        enrolled(at.city, "dr01", "--revoke", "--broker-pid-file", str(at.pid_file))
        at.wait_for("Reloading config")
        with contextlib.suppress(ConnectionError):  # mosquitto may end it, or refuse what it says
            dr01.publish(f"{ROOT}/dr01/readings", b"from a thief")
        tls = context(
            (at.city / "nodes/demo.dr01/ca.der").read_bytes(), tmp_path / "dr01/node.pem", tmp_path / "dr01/key.pem"
        )
        with calling(tls, at.port) as again:
            assert not again.let_in
        dr02.publish(f"{ROOT}/dr02/readings", b"last")
        listening.until_heard(f"{ROOT}/dr02/readings", b"last")
        assert listening.heard == [(f"{ROOT}/dr02/readings", b"last")]
    assert "certificate revoked" in at.log or "verify failed" in at.log


def test_many_revocations_within_a_second_all_count(at, tmp_path):
    """mosquitto keeps every list that it has read."""
    for node in ("dr01", "dr02"):
        with station(at, tmp_path, node, f"{node} before") as caller:
            assert caller.let_in
        enrolled(at.city, node, "--replace")
        at.reload()
        tls = context((at.city / "nodes/demo.dr01/ca.der").read_bytes(), tmp_path / f"{node} before/node.pem",
                      tmp_path / f"{node} before/key.pem")  # fmt: skip
        with calling(tls, at.port) as old:
            assert not old.let_in


def test_a_new_board_goes_on_under_the_same_name_and_the_old_one_can_not(at, tmp_path):
    with station(at, tmp_path, "dr01") as old:
        assert old.let_in
    enrolled(at.city, "dr01", "--replace")
    at.reload()
    tls = context(
        (at.city / "nodes/demo.dr01/ca.der").read_bytes(), tmp_path / "dr01/node.pem", tmp_path / "dr01/key.pem"
    )
    with calling(tls, at.port) as old:
        assert not old.let_in
    with station(at, tmp_path, "dr01", "new") as new, gateway(at) as listening:
        assert new.let_in
        listening.subscribe(f"{ROOT}/+/readings")
        new.publish(f"{ROOT}/dr01/readings", b"on")
        listening.until_heard(f"{ROOT}/dr01/readings", b"on")


def test_whoever_has_no_certificate_of_the_city_is_out(at, tmp_path):
    believed = (at.city / "nodes/demo.dr01/ca.der").read_bytes()
    now = datetime.datetime.now(datetime.UTC)
    enrolled(at.city, "dr01", "--station", STATION, district="south")
    at.reload()
    south = authority(at, "south")
    strangers = {
        "no certificate": context(believed),
        "another city's": of_pair(
            believed, Authority.made("Waspada demo", now, "demo").client("demo.dr01", "demo"), tmp_path / "1"
        ),
        "another district's": of_pair(believed, south.client("demo.dr01", "demo"), tmp_path / "2"),
        "no district": of_pair(believed, south.client("demo.dr01"), tmp_path / "3"),
        "a gateway's at the stations' port": of_gateway(at.city),
    }
    for who, tls in strangers.items():
        with calling(tls, at.port) as stranger:
            assert not stranger.let_in, who
    with (
        station(at, tmp_path, "dr01", "4") as ours,
        calling(of_node(at.city / "nodes/south.dr01", tmp_path / "5"), at.port) as theirs,
    ):
        assert ours.let_in and theirs.let_in
    with calling(of_node(at.city / "nodes/demo.dr01", tmp_path / "6"), at.gateway_port) as station_there:
        assert not station_there.let_in


def test_a_district_that_calls_a_station_as_anothers_gives_it_no_rights(at, tmp_path):
    """The name alone says nothing: mosquitto's user is the whole subject."""
    enrolled(at.city, "dr01", "--station", STATION, district="south")
    at.reload()
    believed = (at.city / "nodes/demo.dr01/ca.der").read_bytes()
    forged = of_pair(believed, authority(at, "south").client("demo.dr01", "south"), tmp_path / "forged")
    with calling(forged, at.port) as thief, station(at, tmp_path, "dr01") as dr01, gateway(at) as listening:
        listening.subscribe(f"{ROOT}/+/readings")
        thief.publish(f"{ROOT}/dr01/readings", b"forged")
        dr01.publish(f"{ROOT}/dr01/readings", b"true")
        listening.until_heard(f"{ROOT}/dr01/readings", b"true")
        assert listening.heard == [(f"{ROOT}/dr01/readings", b"true")]


def test_no_station_puts_another_off_the_line_with_its_client_id(at, tmp_path):
    with (
        station(at, tmp_path, "dr02", client_id="demo-dr02") as dr02,
        station(at, tmp_path, "dr01", client_id="demo-dr02") as thief,
    ):
        assert thief.let_in
        assert dr02.alive and thief.alive


def test_a_lost_gateway_is_replaced(at, tmp_path):
    before = of_gateway(at.city)
    enrolled(at.city, "--gateway", "--replace")
    at.reload()
    with calling(before, at.gateway_port) as lost:
        assert not lost.let_in
    with gateway(at) as new:
        assert new.let_in


@pytest.mark.vm
def test_the_boards_own_link_gets_in_with_the_files_it_is_given(at, tmp_path):
    """In the real VM: MicroPython's TLS reads what enrolment writes, and believes the broker."""
    board = tmp_path / "board"
    (board / "certs").mkdir(parents=True)
    for name in ("ca.der", "node.der", "node-key.der"):
        (board / "certs" / name).write_bytes((at.city / "nodes/demo.dr01" / name).read_bytes())
    found = link_desk.connect(board, HOST, at.port)
    assert (found.states[-2:], found.heard, found.reason) == ([3, 2], True, "")
    enrolled(at.city, "dr01", "--revoke")
    at.reload()
    found = link_desk.connect(board, HOST, at.port)
    assert (found.states[-1], found.heard, found.reason) == (0, False, "certificate")
