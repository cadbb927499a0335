"""One station of each kind, three hours with every kind of fault inside: the same bytes under CPython and in the real MicroPython VM."""

import msgspec

from simulator import scenario
from simulator.run import simulate
from simulator.scenario import OutageTable, ResetTable
from simulator.tables import SPAN_KINDS

HOURS = 3
FAULT_FROM_S = 1800
FAULT_FOR_S = 2400  # eight rounds of 300 s: told, and told again when it is over


def cut() -> scenario.Scenario:
    """The scenario's first hours with everything that befalls it moved into them, and its rain, smoke and crowds too."""
    whole = scenario.load("every_sensor")
    spans = [
        msgspec.structs.replace(span, from_s=FAULT_FROM_S + 60 * i, for_s=FAULT_FOR_S)
        for i, span in enumerate(whole.spans)
    ]
    flood = {
        name: msgspec.structs.replace(table, starts=table.starts.replace(day=18, hour=21))
        for name, table in whole.series.items()
    }
    world = whole.world
    rain = msgspec.structs.replace(
        world.rain, storms=[msgspec.structs.replace(world.rain.storms[-1], from_s=3600, for_s=3600)]
    )
    air = msgspec.structs.replace(world.air, crowds=[[0, 7200, 1300]])
    return msgspec.structs.replace(
        whole,
        hours=HOURS,
        series=flood,
        spans=spans,
        outages=[OutageTable(from_s=5400, for_s=1800)],
        resets=[ResetTable(node="air2", at_s=8000), ResetTable(node="pole1", at_s=9000)],
        world=msgspec.structs.replace(world, rain=rain, air=air),
    )


def lines(runtime: str) -> tuple[dict, list[bytes]]:
    written: list[bytes] = []
    report = simulate(cut(), 7, runtime, write=written.append)
    return report, b"".join(written).splitlines()


def test_every_kind_of_station_is_the_same_on_host_and_vm_through_every_kind_of_fault():
    chosen = cut()
    assert {span.what for span in chosen.spans} == set(SPAN_KINDS)
    host, of_host = lines("host")
    vm, of_vm = lines("vm")
    different = next((pair for pair in zip(of_host, of_vm, strict=False) if pair[0] != pair[1]), None)
    assert different is None
    assert host["trace_sha256"] == vm["trace_sha256"]
    assert len(of_host) == len(of_vm) > 3000
    for key in ("readings_made", "readings_stored", "lost", "duplicates_stored", "false_alarms", "missed_alarms"):
        assert host[key] == vm[key], key
    assert host["lost"] == host["false_alarms"] == host["missed_alarms"] == 0
    assert sum(b'"n\\":\\"sensor\\",\\"vs\\":\\"fault' in line for line in of_host) >= len(chosen.spans) - 1
    assert any(b"co2.alert" in line and b'"kind":"publish"' in line for line in of_host)
