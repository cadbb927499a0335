"""Scenarios are refused in one sentence that says where and what is allowed; the shipped ones keep the design's margins."""

from pathlib import Path

import pytest

from simulator import fleet, scenario
from simulator.errors import InputError
from simulator.run import rules

GOOD = (scenario.SHIPPED / "first_light.toml").read_text()
MARGIN_MM = 30
ROUNDING_MM = 25  # a local peak lower than this above its surroundings is no peak: the records' own step is 3 mm

# what is written instead of what; what the sentence must say
REFUSED = [
    ("hours = 36", "hours = 36\ncolour = 'red'", ("line 7", "'colour'", "allowed are about, start, hours")),
    ("noise_mm = 2", "noise_cm = 2", ("'noise_cm' in faults", "noise_mm", "burst_no_echo_ppm")),
    ("hours = 36", "hours = 0", ("line 6", "hours", ">= 1")),
    ("hours = 36", 'hours = "36"', ("line 6", "hours", "int")),
    ("spike_ppm = 8000", "spike_ppm = 2000000", ("spike_ppm", "<= 1000000")),
    ('series = "plumtree"', 'series = "plumtre"', ("no series 'plumtre'", "dead_run, plumtree")),
    ('"dr02", ', '"dr01", ', ("'dr01' stands twice",)),
    ('"dr02", ', '"DR 02", ', ("nodes", "[a-z0-9]")),
    ("lag_s = [0, 330, 660, 990]", "lag_s = [0, 330]", ("lag_s has 2 values for 4 nodes",)),
    ('"level.alert" = 600', '"level.alret" = 600', ("no setting 'level.alret'", "level.alert")),
    ('"level.alert" = 600', '"level.alert" = 1200', ("levels out of order",)),
    ("for_s = 7200", "for_s = 7200\n[[outages]]\nfrom_s = 61300\nfor_s = 5", ("outages overlap",)),
    ("for_s = 7200", "for_s = 7200\n[[resets]]\nnode = 'xx'\nat_s = 61300", ("no node 'xx'",)),
    ("[faults]", "[faults", ("not TOML", "line")),
    ("hours = 36", "", ("hours",)),
    ("hours = 36", "hours = 36\nname = 'x'", ("'name' is the file's own",)),
    ('unit = "ft"', 'unit = "foot"', ("unit", "foot")),
]


@pytest.mark.parametrize(("old", "new", "says"), REFUSED)
def test_bad_scenario_is_refused_with_place_and_remedy(old, new, says):
    assert old in GOOD
    with pytest.raises(InputError) as refused:
        scenario.parse(GOOD.replace(old, new, 1), Path("there.toml"))
    sentence = str(refused.value)
    assert sentence.startswith("there.toml")
    assert "\n" not in sentence
    for part in says:
        assert part in sentence


def test_unknown_scenario_names_the_shipped_ones():
    with pytest.raises(InputError, match="first_light"):
        scenario.load("second_light")


def test_absent_series_file_says_where_it_was_looked_for():
    chosen = scenario.parse(GOOD.replace("usgs_deadrun_2018.csv", "none.csv"), Path("/nowhere/there.toml"))
    with pytest.raises(InputError, match=r"none\.csv.*nowhere.*recorded"):
        fleet.places(chosen, 1)


def peaks(points: list[int]) -> list[int]:
    """Local maxima that stand ROUNDING_MM above the water on both sides."""
    found = []
    highest = lowest = points[0]
    rising = True
    for mm in points:
        if rising:
            highest = max(highest, mm)
            if mm < highest - ROUNDING_MM:
                found.append(highest)
                rising, lowest = False, mm
        else:
            lowest = min(lowest, mm)
            if mm > lowest + ROUNDING_MM:
                rising, highest = True, mm
    return found


@pytest.mark.parametrize("name", scenario.shipped())
def test_peaks_stay_30_mm_away_from_every_line(name):
    chosen = scenario.load(name)
    seen = 0
    with_level = [place for place in fleet.places(chosen, chosen.seed) if place.has_level]
    for place in with_level:
        for peak in peaks(list(place.river.points_mm)):
            for line in rules(place).levels:
                assert abs(peak - line) >= MARGIN_MM, (place.node, peak, line)
            seen += 1
    assert seen >= len(with_level)


def test_first_light_is_twelve_gauges_over_36_hours_with_one_outage():
    chosen = scenario.load("first_light")
    assert (len(chosen.nodes()), chosen.hours, len(chosen.outages)) == (12, 36, 1)
    places = fleet.places(chosen, chosen.seed)
    assert len({place.compiled["life"] for place in places}) == 12
    danger = [place for place in places if max(place.river.points_mm) > rules(place).levels[2]]
    assert 0 < len(danger) < 12
