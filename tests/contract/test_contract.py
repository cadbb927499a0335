"""Both sides of every port keep the same contract, and a side that breaks it is caught."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests import vm64
from tests.board.station import FAKES, FIRMWARE
from tests.contract import broken_ports, contracts, simulator_desk

HERE = Path(__file__).parent
SCRIPT = """
import sys
sys.path[:0] = {path!r}
import contracts
import broken_ports
from contract_desk import Desk
contracts.run(Desk({open_port}, {closed_port}), {name!r}, {breaks})
print("kept")
"""
BROKEN = [(name, broken) for name in contracts.PORTS for broken in broken_ports.BROKEN[name]]


@pytest.fixture(scope="module")
def echo():
    """(a port whose far end says everything again and closes on "bye", a port where nobody listens)."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ended = threading.Event()

        def serve():
            while not ended.is_set():
                near, _ = listener.accept()
                with near:
                    while (data := near.recv(64)) not in (b"", b"bye"):
                        near.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], unused.getsockname()[1]
        ended.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()


@pytest.fixture
def run_on(tmp_path, echo):
    """`run_on(side, name, broken)` runs a contract; AssertionError when it is not kept."""

    def run(side, name, broken=None):
        if side == "simulator":
            contracts.run(simulator_desk.Desk(), name, broken)
            return
        text = SCRIPT.format(
            path=[str(HERE)],
            open_port=echo[0],
            closed_port=echo[1],
            name=name,
            breaks=f"broken_ports.{broken.__name__}" if broken else None,
        )
        folder = tmp_path / f"board{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        script = folder / "script.py"
        script.write_text(text)
        environment = {**os.environ, "MICROPYPATH": os.pathsep.join([str(FAKES), str(FIRMWARE), ".frozen"])}
        with subprocess.Popen(
            [vm64.program(), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        ) as vm:
            assert vm.stdin is not None and vm.stdout is not None
            vm.stdin.write(contracts.TYPED)
            vm.stdin.flush()  # and stays open, as a cable does
            said = vm.stdout.read().decode(errors="replace")
        if "AssertionError" in said:
            raise AssertionError(said)
        if said != "kept\n":
            raise RuntimeError(said)

    return run


@pytest.mark.parametrize("name", contracts.PORTS)
@pytest.mark.parametrize("side", ["simulator", "board"])
def test_the_adapter_keeps_its_contract(run_on, side, name):
    run_on(side, name)


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("side", ["simulator", "board"])
def test_a_broken_adapter_is_caught(run_on, side, name, broken):
    run_on(side, name)
    with pytest.raises(AssertionError):
        run_on(side, name, broken)


def test_every_port_of_the_table_has_a_contract_and_a_broken_adapter():
    text = (HERE.parents[1] / "docs" / "ports.md").read_text()
    kinds = {"UART": "uart", "ADC": "adc", "I2C": "i2c", "1-Wire": "onewire", "pulses": "pulses", "switch": "switch"}
    named = set()
    for line in text.splitlines():
        if line.startswith("| `ports."):
            first = line.split("|")[1].strip()
            port = first.split("`")[1].removeprefix("ports.").split("[")[0]
            named.add(kinds[first.rsplit(" ", 1)[1]] if port == "buses" else port)
    assert named == set(contracts.PORTS) == set(broken_ports.BROKEN)
