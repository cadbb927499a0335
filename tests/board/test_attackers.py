"""Attackers at a real mosquitto: another's name, and a flood of messages at main.py in the real VM."""

import threading
import time

import paho.mqtt.client as mqtt
import pytest

from tests.board.station import SIREN, describe, pins
from tests.board.test_main_in_vm import Vm, records, subscribe
from tests.broker import mosquitto

pytestmark = [pytest.mark.vm, pytest.mark.broker]

# What a city's broker says: a node writes under its own name and reads what is for it; the gateway reads all and writes to the nodes.
ACL = """\
user gateway
topic readwrite waspada/v1/#
pattern write waspada/v1/+/%u/readings
pattern write waspada/v1/+/%u/event
pattern write waspada/v1/+/%u/status
pattern write waspada/v1/+/%u/settings
pattern write waspada/v1/+/%u/reply
pattern write waspada/v1/+/%u/want
pattern read waspada/v1/+/%u/committed
pattern read waspada/v1/+/%u/resend
pattern read waspada/v1/+/%u/desired
pattern read waspada/v1/+/%u/command
pattern read waspada/v1/+/%u/update
pattern read waspada/v1/+/%u/part
"""


def client(port, user):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    made.username_pw_set(user)
    heard = []
    made.subscribed = threading.Event()
    made.on_subscribe = lambda *_: made.subscribed.set()
    made.on_message = lambda _client, _data, message: heard.append((message.topic, message.payload))
    made.connect("127.0.0.1", port)
    made.loop_start()
    deadline = time.monotonic() + 10
    while not made.is_connected():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
    return made, heard


def until(true, within_s=10):
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_a_node_neither_writes_nor_reads_under_anothers_name(tmp_path):
    (tmp_path / "acl").write_text(ACL)
    with mosquitto(tmp_path, f"acl_file {tmp_path / 'acl'}\n") as port:
        gateway, kept = client(port, "gateway")
        node_a, of_a = client(port, "a")
        node_b, of_b = client(port, "b")
        try:
            gateway.subscribe("waspada/#", 1)
            node_a.subscribe([("waspada/#", 1), ("waspada/v1/demo/b/command", 1), ("waspada/v1/demo/b/readings", 1)])
            node_b.subscribe("waspada/v1/demo/b/command", 1)
            for each in (gateway, node_a, node_b):
                assert each.subscribed.wait(10)
            node_a.publish("waspada/v1/demo/b/readings", b"spoofed", 1)
            node_a.publish("waspada/v1/demo/b/command", b"spoofed", 1)
            node_a.publish("waspada/v1/demo/a/desired", b"spoofed", 1, retain=True)
            node_a.publish("waspada/v1/demo/a/readings", b"own", 1)
            node_b.publish("waspada/v1/demo/b/readings", b"own", 1)
            gateway.publish("waspada/v1/demo/b/command", b"for b", 1)
            until(
                lambda: (
                    (("waspada/v1/demo/b/command", b"for b") in of_b) and len([m for m in kept if m[1] == b"own"]) == 2
                )
            )
        finally:
            for each in (gateway, node_a, node_b):
                each.disconnect()
                each.loop_stop()
    assert not [message for message in kept if message[1] == b"spoofed"]
    assert not [message for message in of_a if "/b/" in message[0]]
    assert [payload for _, payload in of_b] == [b"for b"]


def test_an_acl_that_lets_all_in_is_caught(tmp_path):
    """The planted fault: without it the test above would hear what is spoofed."""
    with mosquitto(tmp_path) as port:
        gateway, kept = client(port, "gateway")
        node_a, _ = client(port, "a")
        try:
            gateway.subscribe("waspada/#", 1)
            assert gateway.subscribed.wait(10)
            node_a.publish("waspada/v1/demo/b/readings", b"spoofed", 1)
            until(lambda: ("waspada/v1/demo/b/readings", b"spoofed") in kept)
        finally:
            for each in (gateway, node_a):
                each.disconnect()
                each.loop_stop()


def test_ten_thousand_messages_at_the_real_vm_delay_no_siren(tmp_path):
    world = tmp_path / "world"
    world.mkdir()
    (world / "range_mm").write_text("4400")
    with mosquitto(tmp_path) as port:
        describe(tmp_path, port)
        watcher, messages = subscribe(port)
        try:
            with Vm(tmp_path) as vm:
                vm.until(b"waspada station dr01")
                heard = records(messages, "readings")
                next(heard)
                for i in range(10_000):
                    name = ("command", "desired", "resend", "committed")[i & 3]
                    watcher.publish(
                        f"waspada/v1/demo/dr01/{name}", b'{"life":"5eed0001","counter":1,"n":%d}' % i, i & 1
                    )
                    if i == 5000:
                        (world / "range_mm").write_text("2900")
                        crossed = time.monotonic()
                until(lambda: (SIREN, 1) in pins(tmp_path), 20)
                delay_s = time.monotonic() - crossed
                watcher.publish("waspada/v1/demo/dr01/command", b"{}", 1)
                before = (world / "feeds").stat().st_size
                until(lambda: (world / "feeds").stat().st_size > before + 50)
        finally:
            watcher.disconnect()
            watcher.loop_stop()
    print(f"siren after {delay_s:.1f} s; a sample every 5 s, confirmed")
    assert delay_s <= 5 + 3
    assert b"Traceback" not in vm.output
