"""main.py in the real VM, looked at from outside while it works: nobody can begin a conversation with a station."""

import subprocess
import time

import psutil
import pytest

from tests.board.station import describe
from tests.board.test_main_in_vm import TimeServer, Vm, records, subscribe
from tests.broker import mosquitto
from tests.vm64 import program

pytestmark = pytest.mark.vm

WITHIN_S = 20
LISTENER = "import socket\ns = socket.socket()\ns.bind(socket.getaddrinfo('127.0.0.1', 0)[0][-1])\ns.listen(1)\nprint('up')\ninput()\n"


def open_to_others(pid):
    """Sockets of a process that hear whoever calls: TCP that listens, UDP that is tied to no one address."""
    found = psutil.Process(pid).net_connections("inet")
    return [one for one in found if one.status == psutil.CONN_LISTEN or one.type == 2 and one.laddr and not one.raddr]


@pytest.mark.broker
def test_a_running_station_listens_nowhere(tmp_path):
    (tmp_path / "world").mkdir()
    with mosquitto(tmp_path) as port, TimeServer() as server:
        describe(tmp_path, port, time={"host": "127.0.0.1", "port": server.port})
        client, messages = subscribe(port)
        try:
            with Vm(tmp_path) as vm:
                looks, connected = 0, False
                readings = records(messages, "readings")
                deadline = time.monotonic() + WITHIN_S
                while looks < 200 or not connected:
                    assert time.monotonic() < deadline, (looks, connected, vm.output)
                    assert open_to_others(vm.process.pid) == []
                    looks += 1
                    held = psutil.Process(vm.process.pid).net_connections("tcp")
                    connected = connected or any(one.raddr and one.raddr.port == port for one in held)
                next(readings)
                assert open_to_others(vm.process.pid) == []
        finally:
            client.disconnect()
            client.loop_stop()


def test_a_station_that_listened_would_be_found():
    with subprocess.Popen([program(), "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline().strip() == b"up"
            assert [one.status for one in open_to_others(process.pid)] == [psutil.CONN_LISTEN]
        finally:
            process.kill()
