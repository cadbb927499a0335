"""A station behind a serial port server: RFC 2217, as pyserial's own server speaks it."""

import contextlib
import select
import socket
import threading

import serial
from serial.rfc2217 import PortManager

from tests.waspada.console_desk import Cable, console


class Server:
    """Between a client that speaks RFC 2217 and a cable. `lines`: what DTR and RTS were set to."""

    def __init__(self, cable):
        self.cable = cable
        self.lines = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(0.05)
        self.port = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._server.close()

    def _run(self):
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError, ConnectionError):
                client, _ = self._server.accept()
                host, port = self.cable.port.removeprefix("socket://").split(":")
                with client, socket.create_connection((host, int(port))) as board:
                    self._serve(client, board)

    def _serve(self, client, board):
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
