"""The figures of `waspada bench reliability`, a few of them: what they promise, and that they would tell."""

import pytest

from node.uplink import Uplink
from simulator import reliability
from waspada import bench

BURST_S = 5


@pytest.mark.parametrize("kind", ["silent_outage", "flash_error", "reset_storm"])
def test_no_fault_delays_the_siren_beyond_a_sample(kind):
    figure = reliability.siren_under(kind)
    assert "broken" not in figure["name"]
    assert 0 < figure["value"] <= reliability.SAMPLE_S + BURST_S


def test_a_broken_promise_stands_in_the_figures_name(monkeypatch):
    monkeypatch.setattr(Uplink, "_committed", lambda self, message: None)
    assert "broken: arrives" in reliability.siren_under("hold")["name"]


@pytest.mark.vm
def test_a_silent_network_makes_no_long_step():
    figure = reliability.longest_step("half_open")
    assert 100 < figure["value"] < reliability.STEP_LIMIT_US


def test_a_table_goes_between_a_parts_own_marks_where_there_are_some():
    own = ("<!-- bench:reliability:begin -->", "<!-- bench:reliability:end -->")
    text = f"{bench.BEGIN}\n{bench.END}\n{own[0]}\n{own[1]}\n"
    assert bench.marks(text, "reliability") == own
    rows = {part: [{"name": part, "value": 1, "unit": "s"}] for part in ("firmware", "ingest", "reliability")}
    made = bench.written(text, rows, bench.machine())
    first, second = made.split(own[0])
    assert "| firmware |" in first and "| ingest |" in first and "| reliability |" not in first
    assert "| reliability |" in second and "| firmware |" not in second
    assert bench.marks(text, "firmware") == (bench.BEGIN, bench.END)
