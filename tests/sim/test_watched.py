"""The truth of what stations watch beside a level: NowCast by EPA's own example, rain's rate, margins; and who is blamed for what."""

from dataclasses import replace

import msgspec
import pytest

from node.core import limits
from simulator import fleet, judge, scenario, watched
from simulator.judge import Rules
from simulator.notes import Said
from simulator.run import rules
from simulator.surroundings import Surroundings, beam_mm
from simulator.tables import RainTable, StormTable
from simulator.world.river import River

MINUTE = 60_000
HOUR = 60 * MINUTE
# Newest last, 0.1 ug/m3, and the NowCast by hand: w = max(1/2, lowest/highest).
NOWCASTS = [
    ([100.0, 100.0], 100),
    ([400.0, 100.0], 200),  # w = 1/2: (100 + 200) / 1.5
    ([100.0, 400.0], 300),  # (400 + 50) / 1.5
    ([200.0, 250.0, 200.0], 215),  # w = 0.8: (200 + 200 + 128) / 2.44 = 216.4
    ([0.0, 0.0], 0),
]


@pytest.mark.parametrize(("means", "cast"), NOWCASTS)
def test_nowcast_weighs_hours_as_epa_does(means, cast):
    assert abs(watched.nowcast(means) - cast) <= 1


def around(**world) -> Surroundings:
    chosen = scenario.load("every_sensor")
    chosen = msgspec.structs.replace(chosen, world=msgspec.structs.replace(chosen.world, **world))
    return Surroundings(chosen, 1, "air1", None)


def test_nowcast_of_the_truth_waits_for_two_whole_hours_and_changes_on_the_hour():
    here = around()
    cast = watched.nowcast_of(here, 90 * MINUTE, 12 * HOUR)
    assert [cast(t) for t in (HOUR, 2 * HOUR, 4 * HOUR - 1)] == [0, 0, 0]
    assert cast(4 * HOUR) > 0
    assert cast(4 * HOUR) == cast(5 * HOUR - 1) != cast(5 * HOUR)


def test_rate_of_rain_is_what_fell_in_five_minutes():
    storm = RainTable(storms=[StormTable(from_s=0, for_s=3600, depth_um=20_000)])
    rate = around(rain=storm).rain_rate_over(watched.RATE_MS)
    # A fifth of the storm falls in its fourth twelfth, which takes five minutes: 4 mm, 48 mm/h.
    assert rate(20 * MINUTE) == 480
    assert rate(61 * MINUTE) < rate(60 * MINUTE)
    assert rate(70 * MINUTE) == 0


def test_every_quantity_that_can_be_watched_has_a_margin():
    assert set(watched.MARGINS) == {"level", *limits.KEYS}


def test_rules_of_a_quantity_are_its_own_settings():
    chosen = scenario.load("every_sensor")
    air = next(place for place in fleet.places(chosen, 1) if place.node == "air1")
    rule = rules(air, "co2")
    assert (rule.levels, rule.deadband, rule.key, rule.margin) == ((1000, 2000, 5000), 100, "co2", 100)


def test_a_raise_is_judged_by_the_truth_of_the_quantity_it_names():
    calm = River([500] * 20, 5 * MINUTE)
    rule = Rules((1000, 2000, 5000), 100, 5 * MINUTE, 0, key="co2", margin=100)
    raised = Said(30 * MINUTE, 0, 1, "rain_rate")
    assert judge.judge(calm, rule, [raised], [], 80 * MINUTE).false_alarms == ()
    assert judge.judge(calm, rule, [replace(raised, key="co2")], [], 80 * MINUTE).false_alarms != ()


def test_a_crossing_is_answered_by_the_state_whichever_quantity_made_it():
    hill = River([500, 500, 1500, 1500, 1500, 1500, 500, 500], 10 * MINUTE)
    rule = Rules((1000, 2000, 5000), 100, 5 * MINUTE, 0, key="co2", margin=100)
    assert len(judge.judge(hill, rule, [], [], 70 * MINUTE).missed) == 1
    verdict = judge.judge(hill, rule, [Said(2 * MINUTE, 0, 1, "rain_rate")], [], 70 * MINUTE)
    assert (verdict.missed, len(verdict.answered)) == ((), 1)


@pytest.mark.parametrize(
    ("tilt_versine", "assumed_cc", "air_cc", "beam"),
    [
        (0, None, 2000, 4000),
        (3805, None, 2000, 4015),  # 5 degrees: 4000 / 0.996195
        (0, 2000, 3000, 3929),  # air at 30 degC carries 349.48 m/s, counted with 343.42: an echo that comes sooner
    ],
)
def test_a_beam_is_longer_by_its_tilt_and_wrong_by_the_air(tilt_versine, assumed_cc, air_cc, beam):
    assert abs(beam_mm(4000, tilt_versine, assumed_cc, air_cc) - beam) <= 1
