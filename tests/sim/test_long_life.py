"""Months of one river gauge in the real VM: the heap stays flat, the counters right, the ticks wrap and nobody minds."""

import pytest

from simulator.long_life import live

pytestmark = pytest.mark.vm
FLAT_BYTES = 512


def judged(found):
    print(found)
    assert found["samples"] == found["samples_expected"]
    assert found["readings_made"] == found["samples_expected"]
    assert found["readings_stored"] >= found["readings_made"] - 2, "the newest is on its way"
    assert found["boots"] == 1
    assert abs(found["up_s"] - found["up_s_expected"]) <= 1
    early = found["heap"][1:4]
    assert max(found["heap"][4:]) <= max(early) + FLAT_BYTES, "the heap grew"
    return found


def test_forty_days_leave_the_heap_flat_and_the_counters_right():
    found = judged(live(40))
    assert found["wraps"] == 4  # the first of them five seconds after the start
    assert found["trace_sha256"] == live(40, runtime="host")["trace_sha256"]


def test_a_heap_that_grows_is_seen(monkeypatch):
    from node.uplink import Uplink

    message = Uplink._message

    def wrong(self, topic, payload):
        self.heard = [*getattr(self, "heard", ()), payload]
        message(self, topic, payload)

    monkeypatch.setattr(Uplink, "_message", wrong)
    with pytest.raises(AssertionError, match="the heap grew"):
        judged(live(10, runtime="host"))


@pytest.mark.once
def test_a_year_leaves_the_heap_flat_and_the_counters_right():
    found = judged(live(365))
    assert found["wraps"] == 30  # 29 in a year, and the one just after the start
    assert found["samples"] == 52_560
