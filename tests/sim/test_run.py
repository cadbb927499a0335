"""Whole runs: the same seed gives the same bytes, another seed others; nothing is lost, whatever the network does."""

import hashlib
import json

import jsonschema
import msgspec
import pytest

from simulator import run, scenario
from simulator.run import simulate
from tests.house.sources import ROOT

KEYS = (
    "scenario seed runtime stations simulated_s steps wall_s steps_per_s trace_sha256 readings_made readings_stored lost "
    "duplicates_stored false_alarms missed_alarms kpi"
).split()


def shorter(hours: int, **changes) -> scenario.Scenario:
    return msgspec.structs.replace(scenario.load("first_light"), hours=hours, **changes)


@pytest.fixture(scope="module")
def flood():
    lines: list[bytes] = []
    return simulate(shorter(20), write=lines.append), b"".join(lines)


def test_report_has_the_keys_of_the_design(flood):
    report, _ = flood
    assert [key for key in KEYS if key not in report] == []
    assert report["simulated_s"] == 72_000
    assert report["readings_made"] == report["readings_stored"] > 12_000
    assert (report["lost"], report["duplicates_stored"]) == (0, 0)
    assert (report["false_alarms"], report["missed_alarms"]) == (0, 0)
    assert {alarm["level"] for alarm in report["alarms"]} == {"alert", "warning", "danger"}
    assert report["kpi"]["crossing_to_siren_ms"]["worst"] < 120_000


def test_trace_keeps_schema_order_and_hash(flood):
    report, data = flood
    validator = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/trace.schema.json").read_text()))
    before = (-1, "", -1)
    counts: dict[str, int] = {}
    kinds = set()
    for number, text in enumerate(data.decode("ascii").splitlines()):
        line = json.loads(text)
        if number % 97 == 0 or line["kind"] == "output":
            validator.validate(line)
            assert json.dumps(line, separators=(",", ":")) == text
        at = (line["t"], line["node"], line["n"])
        assert at > before
        before = at
        assert line["n"] == counts.get(line["node"], 0)
        counts[line["node"]] = line["n"] + 1
        kinds.add(line["kind"])
    assert kinds == {"publish", "output", "append"}
    assert hashlib.sha256(data).hexdigest() == report["trace_sha256"]
    assert report["kpi"]["trace_lines"] == sum(counts.values())


def test_same_seed_same_trace_other_seed_another():
    first, again, other = (simulate(shorter(2), seed)["trace_sha256"] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_station_does_not_hear_who_else_there_is(tmp_path):
    # What one station does is the same in a fleet of 12 and of 36: only then can a run be cut into parts.
    def of(node: str, copies: int) -> list[str]:
        lines: list[bytes] = []
        simulate(shorter(3), copies=copies, write=lines.append)
        found = [line for line in b"".join(lines).decode().splitlines() if f'"node":"{node}"' in line]
        assert found, node
        return found

    assert of("pr02", 1) == of("pr02", 3)


TROUBLES = {
    "a reset in the flood": {"resets": [scenario.ResetTable(node="dr01", at_s=4000)]},
    "a broker that forgets": {"outages": [scenario.OutageTable(from_s=3000, for_s=600, forgets=True)]},
    "a silent outage": {"outages": [scenario.OutageTable(from_s=3000, for_s=900, silent=True)]},
    "three outages and two resets": {
        "outages": [scenario.OutageTable(from_s=at, for_s=400) for at in (1000, 3000, 5000)],
        "resets": [scenario.ResetTable(node="pr01", at_s=1200), scenario.ResetTable(node="pr01", at_s=3100)],
    },
    "a ranger unplugged": {"spans": [scenario.SpanTable(node="dr02", what="unplugged", from_s=2000, for_s=900)]},
    "flash that fails": {"spans": [scenario.SpanTable(node="dr03", what="storage", from_s=2000, for_s=900)]},
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_nothing_is_lost_through_trouble(trouble):
    report = simulate(shorter(3, **TROUBLES[trouble]))
    assert (report["lost"], report["duplicates_stored"]) == (0, 0), report["seed"]
    assert (report["false_alarms"], report["missed_alarms"]) == (0, 0), report["seed"]
    assert report["readings_stored"] == report["readings_made"] > 1000


def test_jobs_change_neither_trace_nor_report():
    alone, cut = [], []
    one = simulate(shorter(2), write=alone.append)
    three = simulate(shorter(2), jobs=3, write=cut.append)
    assert b"".join(alone) == b"".join(cut)
    for report in (one, three):
        for key in ("wall_s", "steps_per_s"):
            del report[key]
        for key in ("actor_runs", "drained_ms"):
            del report["kpi"][key]
    assert one == three


def test_what_the_gateway_never_hears_is_called_lost(monkeypatch):
    class Deaf(run.Ingest):
        def take(self, topic, payload, received_ms):
            if b'"seq":50,' not in payload:
                super().take(topic, payload, received_ms)

    monkeypatch.setattr(run, "Ingest", Deaf)
    report = simulate(shorter(1, drain_s=300))
    assert report["lost"] == 12
    assert report["readings_made"] - report["readings_stored"] == 12
