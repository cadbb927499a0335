"""A siren that draws no current, on the shipped station that measures it: told by the station, on both runtimes alike."""

import msgspec
import pytest

from simulator import scenario
from simulator.run import simulate
from simulator.tables import SpanTable

FAULT = b'\\"n\\":\\"siren\\",\\"vs\\":\\"fault\\"'
SOUNDS = b'"name":"siren","on":1'


def pole(*spans: SpanTable) -> scenario.Scenario:
    """The weather pole alone in the three hours of the flood's rise."""
    whole = scenario.load("every_sensor")
    series = {
        name: msgspec.structs.replace(table, starts=table.starts.replace(day=18, hour=21))
        for name, table in whole.series.items()
    }
    stations = [table for table in whole.stations if table.nodes == ["pole1"]]
    return msgspec.structs.replace(
        whole, hours=3, series=series, stations=stations, spans=list(spans), outages=[], resets=[]
    )


def trace(runtime: str, *spans: SpanTable) -> bytes:
    written: list[bytes] = []
    simulate(pole(*spans), 7, runtime, write=written.append)
    return b"".join(written)


@pytest.mark.parametrize("for_s", [0, 10_800])
def test_a_broken_siren_is_a_fault_of_its_own_and_a_whole_one_is_none(for_s):
    spans = [SpanTable(node="pole1", what="siren_broken", from_s=0, for_s=for_s)] if for_s else []
    told = trace("host", *spans)
    assert SOUNDS in told
    assert (FAULT in told) == bool(spans)


@pytest.mark.vm
def test_the_real_vm_tells_the_same():
    span = SpanTable(node="pole1", what="siren_broken", from_s=0, for_s=10_800)
    assert trace("vm", span) == trace("host", span)
