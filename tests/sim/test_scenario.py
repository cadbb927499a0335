"""Scenarios are refused in one sentence that says where and what is allowed; the shipped ones keep the design's margins."""

import sys
from pathlib import Path

import pytest

from simulator import fleet, scenario, sunlight
from simulator.errors import InputError
from simulator.run import rules
from simulator.runtimes.host import HostBody
from simulator.surroundings import weather_rain
from tests.sim.desk import MemoryDesk

GOOD = (scenario.SHIPPED / "first_light.toml").read_text()
EVERY = (scenario.SHIPPED / "every_sensor.toml").read_text()
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
    held_to(refused, says)


def test_place_of_a_key_is_where_it_is_set_not_where_its_word_is_mentioned():
    text = 'about = "36 hours of faults"\n[faults]\nhours = 3\n'
    assert scenario._line(text, "hours") == ", line 3"
    assert scenario._line(text, "faults") == ", line 2"
    assert scenario._line(text, "fault") == ""


def held_to(refused, says):
    sentence = str(refused.value)
    assert sentence.startswith("there.toml")
    assert "\n" not in sentence
    for part in says:
        assert part in sentence


# what stands wrong in every_sensor's world and spans; what the sentence must say
WORLD_REFUSED = [
    ("mean_mm = 1810", "mean_cm = 181", ("'mean_cm' in world.tide", "mean_mm", "surge_mm")),
    ("depth_um = 5_000", "depth_mm = 5", ("'depth_mm' in world.rain.storms", "from_s, for_s, depth_um")),
    ("latitude = 35.89", "latitude = 95.0", ("latitude", "<= 90")),
    ("{ fault_day = 3 }", "{ fault = 3 }", ("'fault' in world.sun.panels", "fault_day")),
    ("crowds = [[", "crowds = [[3, ", ("crowds",)),
    ('what = "silent"', 'what = "broken"', ("what", "broken")),
    ('series = "tide"', 'series = "tides"', ("no series 'tides'", "plumtree, tide, tank")),
]
# what is only known once the stations are compiled
STATION_REFUSED = [
    ('station = "rain_gauge"', 'station = "rain_gage"', ("no station 'rain_gage'", "rain_gauge")),
    ('station = "tide_gauge"\nseries = "tide"', 'station = "tide_gauge"', ("'tide1' measures a level", 'series = "tide"')),
    ("sensor = 1  # module", "sensor = 11  # module", ("span unplugged of 'sun1'", "sensor 11", "1 ds18b20")),
    ('node = "high1"\nwhat = "unplugged"', 'node = "rain1"\nwhat = "unplugged"', ("'rain1' speaks of a level", "0 tipping_bucket")),
    ('what = "wrong_chip"\nsensor = 2\nfrom_s = 50', 'what = "bus_low"\nsensor = 2\nfrom_s = 50', ("bus_low of 'air1' needs a bus", "i2c0")),
    ('node = "tide1"\nwhat = "silent"\nsensor = 0', 'node = "rain1"\nwhat = "silent"\nsensor = 1', ("silent can't befall the switch of 'rain1'",)),
    ('file = "sun_every_sensor.csv"', 'file = "moon.csv"', ("no file 'moon.csv'", "recorded")),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), WORLD_REFUSED)
def test_bad_world_is_refused_with_place_and_remedy(old, new, says):
    assert old in EVERY
    with pytest.raises(InputError) as refused:
        scenario.parse(EVERY.replace(old, new, 1), Path("there.toml"))
    held_to(refused, says)


@pytest.mark.parametrize(("old", "new", "says"), STATION_REFUSED)
def test_what_a_station_has_not_is_refused_before_the_run(old, new, says):
    assert old in EVERY
    chosen = scenario.parse(EVERY.replace(old, new, 1), scenario.SHIPPED / "there.toml")
    with pytest.raises(InputError) as refused:
        fleet.District(chosen, 1, fleet.places(chosen, 1), lambda node: HostBody(), MemoryDesk())
    for part in says:
        assert part in str(refused.value)


def test_light_without_a_file_needs_the_extra_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pvlib", None)
    chosen = scenario.parse(EVERY.replace('file = "sun_every_sensor.csv"', "", 1), scenario.SHIPPED / "there.toml")
    with pytest.raises(InputError, match=r"-m pip install -e '\.\[pv\]' in "):
        fleet.District(chosen, 1, fleet.places(chosen, 1), lambda node: HostBody(), MemoryDesk())


def test_recorded_light_is_what_pvlib_makes_of_the_scenario():
    pytest.importorskip("pvlib", reason="the extra pv is not installed: pip install 'waspada[pv]'")
    chosen = scenario.load("every_sensor")
    falls = weather_rain(chosen, chosen.seed)
    made = sunlight.made(chosen, chosen.seed, falls)
    kept = sunlight.of(chosen, chosen.seed, falls)
    columns = [kept.irradiance_w, kept.module_cc, *kept.powers_mw]
    for column, series in zip(zip(*made, strict=True), columns, strict=True):
        for one, other in zip(column, series.points_mm, strict=True):
            assert abs(one - other) <= 1 + abs(other) // 1000


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
