"""The judge knows the truth only. Cases are small enough to check by hand."""

import datetime
from dataclasses import replace

import msgspec
import pytest

from simulator import fleet, judge, scenario
from simulator.judge import Rules
from simulator.notes import Said
from simulator.run import rules, simulate
from simulator.runtimes.host import HostBody
from simulator.tables import FloodTable, SpanTable, WorldTable
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


LATE = Said(22 * MINUTE, 0, 2)  # told at 636 mm, of water that stood above the warning until 16.25 min
REFUSED = [(7 * MINUTE, 21 * MINUTE + 30_000)]  # flash took nothing
LIT = [(8 * MINUTE, 1)]


def late(unwritten=REFUSED, lights=LIT, said=LATE):
    sirens = [(8 * MINUTE, 1), (8 * MINUTE + 3000, 0), (22 * MINUTE, 1)]
    return judge.judge(HILL, RULES, [said], sirens, UNTIL, unwritten, lights)


def test_raise_that_flash_took_only_when_the_water_was_down_again_is_not_false():
    assert late().false_alarms == ()
    assert late([(7 * MINUTE, 12 * MINUTE), (12 * MINUTE, 21 * MINUTE)]).false_alarms == ()  # twice, nothing between


@pytest.mark.parametrize(
    ("unwritten", "lights"),
    [
        pytest.param([], LIT, id="flash took everything"),
        pytest.param([(7 * MINUTE, 19 * MINUTE)], LIT, id="flash worked again long before"),
        pytest.param([(19 * MINUTE, 21 * MINUTE)], LIT, id="flash failed only after the water"),
        pytest.param([(25 * MINUTE, 27 * MINUTE)], LIT, id="flash failed later"),
        pytest.param(REFUSED, [], id="nothing ever showed"),
        pytest.param(REFUSED, [(22 * MINUTE, 1)], id="the strobe came on with it"),
        pytest.param(REFUSED, [(8 * MINUTE, 1), (17 * MINUTE, 0), (21 * MINUTE, 1)], id="the strobe came on again"),
    ],
)
def test_raise_that_the_water_did_not_make_stays_false_whatever_flash_did(unwritten, lights):
    assert late(unwritten, lights).false_alarms == (LATE,)


def test_raise_to_a_level_the_water_never_had_is_false_however_late_it_is_told():
    wrong = replace(LATE, after=3)
    assert late(said=wrong).false_alarms == (wrong,)


def test_delay_of_a_raise_told_late_is_to_the_strobe_and_is_not_known_where_that_was_on_before():
    seen = [(one.crossing.level, one.raised_ms / MINUTE, one.siren_ms) for one in late().answered]
    assert seen == [(1, 8, 8 * MINUTE), (1, 22, 22 * MINUTE), (2, 22, None)]  # the second alert found it alarmed


def test_station_whose_flash_and_ranger_fail_in_a_flood_raises_no_false_alarm():
    """Flash takes nothing from 1 h to 5 h, the ranger says nothing from 2:05 to 6 h: the warning is told at 5 h, when the water is down."""
    report = simulate(
        scenario.Scenario(
            about="flash and ranger fail",
            name="late",
            seed=1,
            start=datetime.datetime(2025, 6, 1, tzinfo=datetime.UTC),
            hours=8,
            stations=[scenario.StationsTable(nodes=["river1"], series="flood", lag_s=[0])],
            spans=[
                SpanTable(node="river1", what="storage", from_s=3600, for_s=4 * 3600),
                SpanTable(node="river1", what="unplugged", from_s=7500, for_s=14_100),
            ],
            world=WorldTable(flood=FloodTable(base_mm=200, waves=[[3700, 3600, 3600, 1050]])),
        )
    )
    assert (report["false_alarms"], report["missed_alarms"], len(report["alarms"])) == (0, 0, 2)
    assert report["kpi"]["crossing_to_siren_ms"]["worst"] < 620_000


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
