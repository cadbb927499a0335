"""A board connects for years: nothing of an earlier connection may stay, whether it stood or was refused. In the real VM."""

import json

import pytest

from tests.board.station import FAKES, FIRMWARE
from tests.broker import mosquitto, tls_lines
from tests.tls.authority import Authority, install
from tests.tls.link_desk import PORTS
from tests.vm64 import run

pytestmark = [pytest.mark.vm, pytest.mark.broker]

HOST = "gateway.example"
OURS = Authority()
SCRIPT = (
    """
import gc
import json
import os
import time
from node.esp32.link import Link
{patch}
"""
    + PORTS
    + """
link = Link(Clock(), Net(), {{"host": {host!r}, "port": {port}, "tls": 1}}, {root!r})
link._name.address = "127.0.0.1"
took = [0] * 63
at = 0
def connect():
    global at
    link.open()
    most = 0
    while link.state() in (1, 3):
        began = time.ticks_us()
        link.secure()
        most = max(most, time.ticks_us() - began)
        time.sleep_ms(1)
    took[at] = most
    at += 1
    ended = link.state()
    link.close()
    return ended
found = []
for i in range(3):
    connect()
for i in range(2):
    gc.collect()
    found.append([gc.mem_alloc(), len(os.listdir("/proc/self/fd"))])
    for _ in range(30):
        ended = connect()
took.sort()
print(json.dumps([ended, found, took[len(took) // 2], took[-1]]))
"""
)


def connections(folder, server, patch=""):
    install(folder, OURS.root, OURS.client("demo-dr01"))
    authority, _ = OURS.root.pem(folder, "ca")
    with mosquitto(folder, tls_lines(authority, *server.pem(folder, "server"))) as port:
        text = SCRIPT.format(host=HOST, port=port, root=f"{folder}/", speed=1, patch=patch)
        return json.loads(run(text, path=(FAKES, FIRMWARE), timeout=60))


@pytest.mark.parametrize(("server", "ended"), [(OURS.server(HOST), 2), (OURS.server("other.example"), 0)])
def test_connections_leave_neither_memory_nor_sockets_behind(tmp_path, server, ended):
    state, ((before, files_before), (after, files_after)), median_us, most_us = connections(tmp_path, server)
    print(f"handshake step, 63 connections: median {median_us / 1000} ms, most {most_us / 1000} ms")
    assert state == ended
    assert files_after == files_before
    assert after - before < 1000


KEEPS_THE_SOCKET = """
real = Link._drop
kept = []
def drop(self):
    if self._stream is not None and self._sock is not None:
        kept.append(self._sock)
        self._sock = None
    real(self)
Link._drop = drop
"""


def test_a_link_that_trusts_tls_to_close_its_socket_would_be_found(tmp_path):
    _, ((_, before), (_, after)), _, _ = connections(tmp_path, OURS.server("other.example"), KEEPS_THE_SOCKET)
    assert after >= before + 30
