"""A station's clock with every fault at once gives the same trace under CPython and in the real VM; no sample waits for any of it."""

import json

import msgspec

from simulator.fault_tables import ClockTable
from tests.parity.test_host_and_vm import flood, lines

YEAR_S = 365 * 86400


def lied_to():
    """A server that lies forward by a year from the first answer on, a crystal that drifts and jumps; silence on another station."""
    return flood(
        clocks=[
            ClockTable(node="dr01", commissioned=True, drift_ppm=100, lies=[(0, 7200, YEAR_S)], steps=[(9000, 40_000)]),
            ClockTable(node="dr02", commissioned=True, silent=[(0, 100_000)]),
        ],
        outages=[],
    )


def said(traced, name):
    """The packs of a node, in order."""
    found = [json.loads(line) for line in traced]
    return [json.loads(line["payload"]) for line in found if line["kind"] == "publish" and line["topic"].endswith(name)]


def test_a_lying_server_gives_the_same_trace_on_host_and_vm_and_costs_no_sample():
    honest, _ = lines(flood(outages=[]), "host")
    host, of_host = lines(lied_to(), "host")
    vm, of_vm = lines(lied_to(), "vm")
    different = next((pair for pair in zip(of_host, of_vm, strict=False) if pair[0] != pair[1]), None)
    assert different is None
    assert host["trace_sha256"] == vm["trace_sha256"]
    for key in ("readings_made", "lost", "duplicates_stored", "false_alarms", "missed_alarms"):
        assert host[key] == honest[key], key
    doubted = [pack for pack in said(of_host, "dr01/event") if pack[0]["n"] == "time_doubted"]
    assert doubted and abs(doubted[0][0]["v"] - YEAR_S) < 60
    [fix] = [pack for pack in said(of_host, "dr02/event") if pack[0]["n"] == "time_fix"]
    assert fix[0]["vs"] == "gateway"
    starts_s = lied_to().starts_unix_ms / 1000
    last = said(of_host, "dr01/readings")[-1][0]["bt"]
    assert starts_s < last < starts_s + 6 * 3600 + 60, "the gateway's word has put it right"
    assert msgspec.structs.replace(lied_to(), clocks=[]) == flood(outages=[])
