"""The judge knows the truth only. Cases are small enough to check by hand."""

from dataclasses import replace

import msgspec
import pytest

from simulator import fleet, judge, scenario
from simulator.judge import Rules
from simulator.notes import Said
from simulator.run import rules
from simulator.runtimes.host import HostBody
from simulator.world.river import River
from tests.sim.desk import MemoryDesk

MINUTE = 60_000
RULES = Rules(levels=(600, 1000, 1500), deadband=50, sample_ms=MINUTE, on_delay_ms=0)
#             t  0    5    10   15    20   25   30   35 min: over alert twice, over warning once
HILL = River([400, 500, 700, 1100, 700, 540, 660, 400], 5 * MINUTE)
UNTIL = 35 * MINUTE


def found(river=HILL, rules=RULES):
    return [(c.level, c.t_ms / MINUTE) for c in judge.crossings(river, rules, UNTIL)]


def test_crossing_is_the_first_sample_at_or_above_and_arms_again_below_deadband():
    assert found() == [(1, 7.5), (1, 27.5), (2, 13.75)]


def test_no_second_crossing_within_the_deadband():
    assert found(River([400, 700, 560, 700], 5 * MINUTE)) == [(1, pytest.approx(3.3333, abs=0.02))]


def test_crossing_that_stays_low_or_short_is_no_miss():
    clear = {(c.level, c.t_ms // MINUTE): c.clear_of_doubt for c in judge.crossings(HILL, RULES, UNTIL)}
    assert clear == {(1, 7): True, (1, 27): True, (2, 13): True}
    low = River([400, 615, 400], 5 * MINUTE)
    assert [c.clear_of_doubt for c in judge.crossings(low, RULES, UNTIL)] == [False]
    short = River([400, 700, 400], 2 * MINUTE)
    assert [c.clear_of_doubt for c in judge.crossings(short, RULES, UNTIL)] == [False]


def test_right_raise_is_neither_false_nor_missed_and_has_its_delays():
    alarms = [
        Said(8 * MINUTE, 0, 1),
        Said(14 * MINUTE, 1, 2),
        Said(17 * MINUTE, 2, 1),
        Said(25 * MINUTE, 1, 0),
        Said(29 * MINUTE, 0, 1),
    ]
    sirens = [(8 * MINUTE, 1), (8 * MINUTE + 3000, 0), (14 * MINUTE, 1), (14 * MINUTE + 15_000, 0), (30 * MINUTE, 1)]
    verdict = judge.judge(HILL, RULES, alarms, sirens, UNTIL)
    assert (verdict.false_alarms, verdict.missed) == ((), ())
    seen = [(a.crossing.level, a.raised_ms / MINUTE, a.siren_ms / MINUTE) for a in verdict.answered]
    assert seen == [(1, 8, 8), (1, 29, 30), (2, 14, 14)]


def test_raise_far_below_the_level_is_false():
    verdict = judge.judge(HILL, RULES, [Said(2 * MINUTE, 0, 1)], [], UNTIL)
    assert len(verdict.false_alarms) == 1
    assert not judge.is_false(HILL, RULES, Said(6 * MINUTE, 0, 1))  # within two samples of 7.5 min


def test_silence_is_missed():
    verdict = judge.judge(HILL, RULES, [], [], UNTIL)
    assert [c.level for c in verdict.missed] == [1, 1, 2]


def test_siren_that_sounds_already_counts_from_the_raise():
    alarms = [Said(8 * MINUTE, 0, 1), Said(14 * MINUTE, 1, 2)]
    verdict = judge.judge(HILL, RULES, alarms, [(8 * MINUTE, 1)], UNTIL)
    assert [a.siren_ms for a in verdict.answered if a.crossing.level == 2] == [14 * MINUTE]


def planted(shift_mm: int) -> list[judge.Verdict]:
    """first_light with thresholds `shift_mm` off in the stations, judged by those they should have."""
    chosen = msgspec.structs.replace(scenario.load("first_light"), hours=20)
    right = fleet.places(chosen, chosen.seed)
    wrong = []
    for place in right:
        settings = dict(place.compiled["settings"])
        for key in ("level.alert", "level.warning", "level.danger"):
            settings[key] += shift_mm
        wrong.append(replace(place, compiled={**place.compiled, "settings": settings}))
    district = fleet.District(chosen, chosen.seed, wrong, lambda node: HostBody(), MemoryDesk())
    district.run()
    notes = district.notes
    return [
        judge.judge(p.river, rules(p), notes.alarms.get(p.node, ()), notes.sirens.get(p.node, ()), chosen.span_ms)
        for p in right
    ]


def test_planted_low_threshold_gives_false_alarms():
    verdicts = planted(-200)
    assert sum(len(verdict.false_alarms) for verdict in verdicts) > 0


def test_planted_high_threshold_gives_missed_alarms():
    verdicts = planted(200)
    assert sum(len(verdict.missed) for verdict in verdicts) > 0
    assert sum(len(verdict.false_alarms) for verdict in verdicts) == 0
