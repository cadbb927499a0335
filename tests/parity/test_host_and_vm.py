"""The same scenario and seed give the same bytes under CPython and in the real MicroPython VM: published, switched, and kept on flash."""

import msgspec
import pytest

from simulator import scenario
from simulator.run import HEAP, simulate
from simulator.runtimes.vm import VMError


def flood(**changes) -> scenario.Scenario:
    """Six hours around the crest on three stations, with an outage, a reset and failing flash inside."""
    whole = scenario.load("first_light")
    late = {
        name: msgspec.structs.replace(table, starts=table.starts.replace(hour=20))
        for name, table in whole.series.items()
    }
    tables = [
        msgspec.structs.replace(table, nodes=table.nodes[:2], scale_milli=[1000, 910], lag_s=[0, 600])
        for table in whole.stations
    ]
    changes = {
        "hours": 6,
        "start": whole.start.replace(hour=20),
        "series": late,
        "stations": tables,
        "outages": [scenario.OutageTable(from_s=5400, for_s=1800)],
        "resets": [scenario.ResetTable(node="dr01", at_s=8000)],
        "spans": [
            scenario.SpanTable(node="dr02", what="storage", from_s=4000, for_s=300),
            scenario.SpanTable(node="pr01", what="unplugged", from_s=4000, for_s=300),
        ],
        **changes,
    }
    return msgspec.structs.replace(whole, **changes)


def lines(chosen: scenario.Scenario, runtime: str) -> tuple[dict, list[bytes]]:
    written: list[bytes] = []
    report = simulate(chosen, 11, runtime, heap=HEAP, write=written.append)
    return report, b"".join(written).splitlines()


def test_host_and_vm_give_the_same_trace():
    host, of_host = lines(flood(), "host")
    vm, of_vm = lines(flood(), "vm")
    different = next((pair for pair in zip(of_host, of_vm, strict=False) if pair[0] != pair[1]), None)
    assert different is None
    assert len(of_host) == len(of_vm) > 3000
    assert host["trace_sha256"] == vm["trace_sha256"]
    assert any(b'"kind":"output"' in line for line in of_host)
    for key in ("readings_made", "readings_stored", "lost", "duplicates_stored", "false_alarms", "missed_alarms"):
        assert host[key] == vm[key], key
    assert host["lost"] == 0


def test_vm_that_runs_out_of_heap_says_whose_it_was():
    with pytest.raises(VMError, match=r"(?s)the VM of [dp]r0[12] ended.*MemoryError"):
        simulate(flood(hours=1), 11, "vm", heap="80k")


def test_vm_that_does_not_answer_is_given_up(monkeypatch, tmp_path):
    silent = tmp_path / "silent.py"
    silent.write_text("import sys\nsys.stdin.buffer.read()\n")
    monkeypatch.setattr("simulator.runtimes.vm._CHILD", silent)
    monkeypatch.setattr("simulator.runtimes.vm.ANSWER_WITHIN_S", 0.2)
    with pytest.raises(VMError, match="did not answer"):
        simulate(flood(hours=1), 11, "vm", heap=HEAP)


def test_print_in_the_firmware_is_found_out(monkeypatch, tmp_path):
    noisy = tmp_path / "noisy.py"
    noisy.write_text("print('hello from a driver')\n")
    monkeypatch.setattr("simulator.runtimes.vm._CHILD", noisy)
    with pytest.raises(VMError, match="to stdout: 'hello from a driver'"):
        simulate(flood(hours=1), 11, "vm", heap=HEAP)
