"""A thousand stations and one broker, in virtual time: they come back one after the other, and their backlogs leave room for what is new."""

from collections import Counter

import msgspec
import pytest

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from node import uplink
from node.core import backoff
from simulator import fleet, scenario
from simulator.runtimes.host import HostBody
from simulator.scenario import OutageTable

SEED = 20260401
COPIES = 84  # of twelve stations: 1008
GOES_S = 1200
GATEWAY_A_SECOND = 20_000  # records; `waspada bench gateway` measured four times that


class Town:
    """The district of first light, many times over; every publish is counted by its second, and readings by how old they were."""

    def __init__(self, outage: OutageTable, copies: int = COPIES, hours: int = 200, seed: int = SEED) -> None:
        self.outage = outage
        self.scenario = msgspec.structs.replace(
            scenario.load("first_light"), hours=hours, commit_ms=60_000, outages=[outage]
        )
        places = fleet.places(self.scenario, seed, copies)
        self.store = SqliteStore(":memory:")
        self.district = fleet.District(self.scenario, seed, places, lambda node: HostBody(), Ingest(self.store))
        self.published: Counter[int] = Counter()
        self.events: Counter[int] = Counter()
        publish = self.district.broker.publish

        def counted(topic: str, payload: bytes, qos: int, retain: int) -> None:
            second = self.district.moment.t // 1000
            self.published[second] += 1
            if topic.endswith("/event"):
                self.events[second] += 1
            publish(topic, payload, qos, retain)

        self.district.broker.publish = counted
        print(f"seed {seed}, {len(places)} stations")

    @property
    def back_s(self) -> int:
        return self.outage.from_s + self.outage.for_s

    def run(self, until_s: int) -> "Town":
        self.district.agenda.run(until_s * 1000)
        return self

    def connects(self) -> dict[int, int]:
        """By seconds since the broker is back."""
        found = self.district.broker.connects_in
        return {second - self.back_s: count for second, count in found.items() if second >= self.back_s}

    def worst_and_last(self) -> tuple[int, int, int]:
        """Connections in the fullest second, the second in which the last one came, and how many came."""
        connects = self.connects()
        return max(connects.values()), max(connects), sum(connects.values())


@pytest.mark.parametrize("away_s", [1, 10, 40, 120])
def test_after_a_restart_no_second_sees_a_hundred_and_two_minutes_see_all(away_s):
    town = Town(OutageTable(GOES_S, away_s)).run(GOES_S + away_s + 240)
    worst, last, count = town.worst_and_last()
    print(f"away {away_s} s: at most {worst} in one second, the last after {last} s")
    assert count == 1008
    assert worst < 70
    assert last <= 121


def test_without_the_spread_one_second_sees_hundreds_of_them(monkeypatch):
    monkeypatch.setattr(backoff, "return_ms", lambda noise: backoff.delay_ms(0, noise))
    monkeypatch.setattr(uplink, "_AFTER_RETURN", 0)
    town = Town(OutageTable(GOES_S, 1)).run(GOES_S + 30)
    worst, _, _ = town.worst_and_last()
    print(f"without the spread: {worst} in one second")
    assert worst > 300


def most_queued(published: Counter[int], after_s: int) -> int:
    """Records that wait at a gateway which takes so many a second, in its worst second."""
    queued = most = 0
    for second in range(after_s, max(published) + 1):
        queued = max(0, queued + published[second] - GATEWAY_A_SECOND)
        most = max(most, queued)
    return most


def test_a_paced_backlog_leaves_a_gateway_without_a_queue():
    """Two hours are enough for the whole pace: 64 at once, then eight a second, from each station."""
    town = Town(OutageTable(GOES_S, 7200), copies=21).run(GOES_S + 7200 + 400)
    stations = len(town.district.places)
    worst = max(town.published[second] for second in range(town.back_s, town.back_s + 400))
    print(f"{stations} stations, 2 h: at most {worst} records in one second")
    assert worst <= stations * 8
    assert most_queued(town.published, town.back_s) == 0
    stored = town.store.rows("SELECT COUNT(*) FROM records")[0][0]
    made = sum(town.district.notes.made.values())
    assert made - stored <= 2 * stations, "only what came since the last commit is under way"


@pytest.mark.once
def test_a_backlog_of_three_days_is_drained_without_a_queue():
    """Minutes of wall time: a hundred stations stand for a thousand, since each keeps its own pace and the gateway's share is a tenth."""
    town = Town(OutageTable(GOES_S, 72 * 3600), copies=9)
    stations = len(town.district.places)
    town.run(town.back_s + 1800)
    after = [second for second in town.published if second >= town.back_s]
    worst = max(town.published[second] for second in after)
    live = 3 * stations  # a station's own newest reading and what belongs to it
    drained = max(second for second in after if town.published[second] > live) - town.back_s
    print(f"{stations} stations, 72 h: at most {worst} in one second, drained after {drained} s")
    assert worst * 1008 // stations < GATEWAY_A_SECOND
    assert 300 < drained < 1200
