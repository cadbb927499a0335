"""Three days without the gateway, a reset every day: nothing lost, nothing twice, the backlog gone soon; the same in the VM."""

import msgspec
import pytest

from simulator import scenario
from simulator.run import simulate

HOURS_AWAY = 72


def judged(report):
    away = report["kpi"]["backlogs"][0]
    print(away, report["kpi"]["drained_ms"])
    assert (report["lost"], report["duplicates_stored"], report["false_alarms"], report["missed_alarms"]) == (
        0,
        0,
        0,
        0,
    )
    assert report["readings_stored"] == report["readings_made"]
    assert report["kpi"]["yield_percent"] == 100
    assert away["for_s"] == HOURS_AWAY * 3600
    return away


def test_nothing_is_lost_in_72_hours_without_the_gateway():
    chosen = scenario.load("outage_72h")
    assert {table.station for table in chosen.stations} == {"river_gauge", "weather_pole"}
    away = judged(simulate(chosen))
    assert away["records"] > HOURS_AWAY * 60 * 3  # the largest station's two records a minute, and the gauge's one
    assert away["drained_s"] < 3600


def test_a_run_on_two_processes_tells_the_same_backlog():
    chosen = scenario.load("first_light")
    tables = [
        msgspec.structs.replace(table, nodes=table.nodes[:1], scale_milli=[1000], lag_s=[0])
        for table in chosen.stations
    ]
    chosen = msgspec.structs.replace(chosen, hours=24, stations=tables)
    alone, cut = (simulate(chosen, jobs=jobs)["kpi"]["backlogs"] for jobs in (1, 2))
    assert alone == cut
    assert alone[0]["records"] > 2 * 110


@pytest.mark.once
@pytest.mark.vm
def test_the_outage_is_the_same_in_the_vm():
    host, vm = (simulate(scenario.load("outage_72h"), runtime=runtime) for runtime in ("host", "vm"))
    assert judged(vm) == judged(host)
    assert vm["trace_sha256"] == host["trace_sha256"]
