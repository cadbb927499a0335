"""A station behind a serial port server: RFC 2217, as pyserial's own server speaks it."""

import select
import socket

import serial
from serial.rfc2217 import PortManager

from tests.in_a_thread import Served
from tests.waspada.console_desk import Cable, console


class Server(Served):
    """Between a client that speaks RFC 2217 and a cable. `lines`: what DTR and RTS were set to."""

    scheme = "rfc2217"

    def __init__(self, cable):
        super().__init__()
        self.cable = cable
        self.lines = []

    def _serve(self, client):
        host, port = self.cable.port.removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port))) as board:
            self._between(client, board)

    def _between(self, client, board):
        lines = self.lines

        class Lines(serial.serial_for_url("loop://", do_not_open=True).__class__):
            def _update_dtr_state(self):
                lines.append(("dtr", self.dtr))

            def _update_rts_state(self):
                lines.append(("rts", self.rts))

        held = Lines("loop://")
        lines.clear()  # what making it sets

        class Out:
            write = staticmethod(client.sendall)

        manager = PortManager(held, Out)
        while not self._stop.is_set():
            for ready in select.select([client, board], [], [], 0.05)[0]:
                data = ready.recv(4096)
                if not data:
                    return
                if ready is client:
                    board.sendall(b"".join(manager.filter(data)))
                else:
                    client.sendall(b"".join(manager.escape(data)))


def test_a_station_behind_a_port_server_answers_and_is_not_reset():
    with Cable() as cable, Server(cable) as server:
        done = console(
            server.port, "--script", "-", "--json", stdin="set level.danger 1.4 m\nsave\nshow level.danger\n"
        )
        assert ("dtr", True) not in server.lines and ("rts", True) not in server.lines
    assert done.code == 0, done.err
    assert done.json["dialogue"][-1]["answer"] == ["level.danger 1.4 m"]


def test_the_journal_comes_whole_through_a_port_server(tmp_path):
    with Cable(before=lambda desk: desk.run(3600_000)) as cable, Server(cable) as server:
        done = console(server.port, "--journal", tmp_path / "a.csv", "--json")
    assert done.code == 0, done.err
    assert done.json["records"] >= 60


def test_a_port_server_that_goes_is_one_sentence():
    with Cable(cut_after=700) as cable, Server(cable) as server:
        done = console(server.port, "--script", "-", "--json", stdin="status\nshow\nshow\n")
    assert done.code == 1
    assert "has gone" in done.json["error"]
