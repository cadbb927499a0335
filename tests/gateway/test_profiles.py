"""Every kind of station as its firmware writes it: kept whole, and shown by what it is for."""

import json
from fractions import Fraction

import pytest

from gateway.config import Station
from gateway.ingest import Ingest
from gateway.quantities import ITSELF, MAIN, TABLE, TREND, main_of, text_of
from gateway.reading import Reading
from gateway.store import SqliteStore
from gateway.web.present import shown
from node.core import measurements as M
from node.core import quantities as Q
from tests.gateway import district as wire
from tests.gateway import profiles as P
from tests.gateway.district import T0_S, topic

NOT_READ = ("alarm", "alarm_from", "limit", "rise", "rise_alarm", "boot", "time_fix", "up_ms", "settings", "revision", "dropped", "of_boot",
            "first_seq", "last_seq", "sensor", "reason", "acknowledged", "shelved_s", "storage", "sensor_of", "sensor_number")  # fmt: skip


class Kept:
    """A gateway in memory that takes what one station says."""

    def __init__(self, node="st01"):
        self.node = node
        self.store = SqliteStore(":memory:")
        self.ingest = Ingest(self.store)
        self.now_ms = T0_S * 1000

    def take(self, name, *payloads):
        for payload in payloads:
            self.ingest.take(topic(name, self.node), payload, self.now_ms)
        self.ingest.flush()

    def readings(self, *said, first=1):
        for i, one in enumerate(said):
            self.now_ms = (T0_S + (first + i) * 60) * 1000
            self.take("readings", P.readings(self.node, first + i, T0_S + (first + i) * 60, one))

    @property
    def refused(self):
        return [row[0] for row in self.store.rows("SELECT reason FROM quarantine")]

    @property
    def facts(self):
        return Reading(self.store.connection()).facts("demo", self.node)

    @property
    def shown(self):
        return shown(self.facts, Station(), self.now_ms, 900)

    def series(self, name):
        return Reading(self.store.connection()).series("demo", self.node, name, 0, 2**53, self.now_ms)


@pytest.fixture
def kept():
    return Kept()


@pytest.mark.parametrize("kind", P.PROFILES)
def test_everything_a_station_says_is_kept_and_shown(kept, kind):
    said = [P.PROFILES[kind](part / 40) for part in range(1, 41)]
    kept.readings(*said)
    assert kept.refused == []
    assert kept.store.rows("SELECT COUNT(*) FROM records") == [(40,)]
    assert kept.store.rows("SELECT COUNT(*) FROM points") == [(40 * len(said[0]),)]
    told = {q["name"]: q for q in kept.shown["quantities"]}
    assert set(told) == set(said[-1]) and all(q["ok"] and q["text"] for q in told.values())
    json.dumps(kept.shown)


@pytest.mark.parametrize("row", Q.POINTS, ids=[row[0] for row in Q.POINTS])
@pytest.mark.parametrize("suffix", ["", ":2", ":16"])
def test_every_point_of_the_table_is_taken_to_the_last_decimal(kept, row, suffix):
    name, unit, decimals, low, high, words = row
    i = P.index(name + suffix)
    for seq, value in enumerate((low, high, low + (high - low) // 3), 1):
        kept.take("readings", P.packed(kept.node, 0, seq, T0_S + seq, [(i, 1, value)]))
    kept.take("readings", P.packed(kept.node, 0, 4, T0_S + 4, [(i, M.FLAG_MISSING, 2)]))
    assert kept.refused == []
    rows = kept.store.rows("SELECT name, unit, v, vs, q FROM points_final ORDER BY seq")
    assert {row[:2] for row in rows} == {(name + suffix, unit)}
    if words:
        assert [row[3] for row in rows[:2]] == [words[low], words[high]]
    else:
        assert [round(Fraction(row[2]) * 10**decimals) for row in rows[:2]] == [low, high]
    assert rows[3][2:] == (None, "bad_checksum", 9)


# entry of a reading -> words of the refusal, or what is kept as (v, vs)
ENTRIES = (
    ({"n": "panel_power:2", "u": "kW", "v": 0.1, "q": 1}, "panel_power:2 is in W, not in kW"),
    ({"n": "panel_power:2", "v": 12, "q": 1}, "panel_power:2 is in W, not without a unit"),
    ({"n": "panel_power:2", "u": "W", "v": 12.34, "q": 1}, "more decimals"),
    ({"n": "diagnosis", "v": 2, "q": 1}, "diagnosis is a word, not a number"),
    ({"n": "diagnosis:3", "vs": "dirty"}, "diagnosis:3 needs q"),
    ({"n": "co2", "u": "ppm", "vs": "no_answer", "q": 1}, "co2 needs q, which is 9"),
    ({"n": "unknown:77", "v": 1234, "q": 1}, (None, "1234")),
    ({"n": "unknown:77", "v": 1, "q": 9}, (None, "1")),
    ({"n": "unknown:77", "v": 5}, "unknown:77 needs q"),
    ({"n": "salinity", "u": "S/m", "v": 0.41, "q": 2}, (0.41, None)),
    ({"n": "ice", "vs": "thin", "q": 1}, (None, "thin")),
    ({"n": "lid", "vs": "no_answer", "q": 9}, (None, "no_answer")),
)  # fmt: skip


@pytest.mark.parametrize(("entry", "told"), ENTRIES, ids=[f"{i}-{row[0]['n']}" for i, row in enumerate(ENTRIES)])
def test_what_the_table_does_not_know_is_kept_and_what_contradicts_it_is_not(kept, entry, told):
    kept.take("readings", wire.pack(1, 1, entry, node=kept.node))
    if isinstance(told, str):
        assert len(kept.refused) == 1 and told in kept.refused[0]
    else:
        assert kept.refused == [] and kept.store.rows("SELECT v, vs FROM points") == [told]
        json.dumps(kept.shown)
        again = Ingest(kept.store)
        again.take(topic("readings", kept.node), wire.pack(1, 2, entry, node=kept.node), 1)
        again.flush()
        assert kept.refused == [] and kept.store.rows("SELECT v, vs FROM points") == [told, told], "after a restart too"


def test_a_point_of_firmware_that_was_rolled_back_is_shown_as_text(kept):
    kept.take(
        "readings", P.packed(kept.node, 0, 1, T0_S, [P.point("co2", 612), (0xF0, 1, 77), (0xF1, M.FLAG_MISSING, 1)])
    )
    assert kept.refused == []
    told = {q["name"]: (q["text"], q["ok"]) for q in kept.shown["quantities"]}
    assert told == {"co2": ("612 ppm", True), "unknown:240": ("77", True), "unknown:241": ("–", False)}
    assert [g["key"] for g in kept.shown["groups"]] == ["co2"]


# profile -> key, text, unit of the large number
LARGE = (
    ("air", "pm2_5_nowcast", "18.2", "µg/m³"),
    ("panels", "panel_power", "256.7", "W"),
    ("rain", "rain_rate", "0.9", "mm/h"),
    ("tank", "fill", "82.0", "%"),
    ("weather", "temperature", "28.7", "°C"),
)


@pytest.mark.parametrize(("kind", "key", "text", "unit"), LARGE, ids=[row[0] for row in LARGE])
def test_a_station_without_level_is_shown_by_what_it_is_for(kept, kind, key, text, unit):
    part = 0.75 if kind == "panels" else 0.8185 if kind == "rain" else 1.0
    kept.readings(P.PROFILES[kind](part))
    main = kept.shown["main"]
    assert (main["key"], main["text"], main["unit"], main["ok"]) == (key, text, unit, True)
    assert kept.shown["state"] == "normal" and kept.shown["level_m"] is None


def test_the_tables_of_quantities_name_each_other():
    assert set(TABLE) == {row[0] for row in Q.POINTS} - set(NOT_READ), (
        "every point a station measures has a name for people"
    )
    assert {key for group in MAIN for key in group} | set(TREND) | ITSELF <= set(TABLE)
    assert main_of({}) is None


def test_a_quantity_that_is_still_warming_up_leaves_its_place_to_its_kin(kept):
    kept.readings(P.air(0.5) | {"pm2_5_nowcast": "warming_up"})
    assert kept.shown["main"]["key"] == "pm2_5" and kept.shown["state"] == "normal"


def test_the_quantity_that_makes_the_alarm_is_shown_large_with_its_lines(kept):
    kept.take("settings", P.settings())
    kept.readings(P.air(1.0))
    kept.take("event", P.alarm(kept.node, 1, T0_S + 60, "alert", "normal", "co2", 1420))
    station = kept.shown
    assert (station["state"], station["main"]["key"], station["main"]["text"]) == ("alert", "co2", "1420")
    assert station["lines"] == {"alert": 1000, "warning": 2000, "danger": 5000}
    assert station["distance"] == "580 ppm below warning" and station["bar"]["alert"] < station["bar"]["level"]


def test_a_gauge_keeps_its_level_large_whatever_makes_the_alarm(kept):
    kept.take("settings", P.settings())
    kept.take(
        "readings",
        wire.reading(1, 1, 0.31, node=kept.node),
        P.readings(kept.node, 2, T0_S + 90, P.mixed(1.0) | {"rain_rate": 40}),
    )
    kept.take("event", P.alarm(kept.node, 1, T0_S + 90, "alert", "normal", "rain_rate", 40))
    assert (kept.shown["main"]["key"], kept.shown["level_m"], kept.shown["battery_v"]) == ("level", 0.31, 12.61)
    assert "alert for Rain rate 40.0 mm/h" in kept.shown["notes"]


def test_a_gauge_and_its_other_sensors_have_records_of_their_own(kept):
    """They take turns in one stream: neither hides the other, and a level's final flag comes two records later."""
    flags = (None, 1, 4, 1)
    for i, q1 in enumerate(flags):
        kept.take("readings", wire.reading(1, 2 * i + 1, 0.3 + i / 100, q1=q1, node=kept.node, bt=T0_S + 60 * i))
        kept.take("readings", P.readings(kept.node, 2 * i + 2, T0_S + 60 * i + 1, P.mixed(i / 4)))
    told = {q["name"]: q["ok"] for q in kept.shown["quantities"]}
    assert told.keys() == {"level", "battery", *P.mixed(0)} and all(told.values())
    assert kept.series("level")["q"] == [1, 4, 1, 2]
    assert kept.series("water_temperature")["v"] == [26.4] * 4


def test_a_flag_is_nobodys_when_the_record_before_it_may_be_missing(kept):
    kept.take("readings", wire.reading(1, 1, 0.3, node=kept.node), P.readings(kept.node, 2, T0_S + 90, P.mixed(0)))
    kept.take("readings", wire.reading(1, 4, 0.3, q1=4, node=kept.node))
    assert kept.series("level")["q"] == [2, 2]


def test_several_of_a_kind_are_drawn_side_by_side(kept):
    kept.readings(*[P.panels(part / 20) for part in range(20)])
    told = kept.series("panel_power")
    assert (told["name"], [m["name"] for m in told["more"]]) == ("panel_power", [f"panel_power:{i}" for i in (2, 3, 4)])
    assert all(len(column["v"]) == len(column["q"]) == len(told["t_ms"]) == 20 for column in (told, *told["more"]))
    assert kept.series("panel_power:2")["more"] == []
    assert kept.shown["notes"] == ["panel 2 dirty", "panel 4 faulty"]
    performance = next(g for g in kept.shown["groups"] if g["key"] == "performance_ratio")
    assert performance["text"] == "55.4–84.0\u202f%" and performance["count"] == 4


def test_words_are_drawn_where_they_change(kept):
    kept.readings(*[P.rain(0.1) | {"lid": "open" if i == 5 else "closed"} for i in range(9)])
    assert kept.series("lid")["vs"] == ["closed", "open", "closed"]


def test_rain_is_summed(kept):
    kept.readings(*[{"rain": 0.2, "rain_rate": 12.0, "battery": 12.5} for _ in range(90)])
    told = kept.series("rain")
    assert told["stretch_ms"] == 86_400_000 and sum(told["v"]) == pytest.approx(18.0)
    assert kept.facts.rain_mm == {1: pytest.approx(12.0), 24: pytest.approx(18.0)}
    assert {"label": "Rain in 1 h", "text": "12.0 mm", "ok": True} in kept.shown["small"]


def test_each_sensor_is_at_fault_on_its_own(kept):
    kept.readings(P.air(0.5))
    kept.take("event", *[P.fault(kept.node, seq, T0_S + seq, number, reason) for seq, number, reason in (
        (1, 0, "no_answer"), (2, 1, "bad_checksum"), (3, 0, None))])  # fmt: skip
    assert kept.facts.faults == {"1": "bad_checksum"}
    assert kept.shown["notes"] == ["sensor 2 fault"] and kept.shown["state"] == "normal"


def test_a_station_that_can_not_read_what_has_lines_is_not_called_normal(kept):
    kept.take("settings", P.settings())
    kept.readings(P.air(0.5))
    assert kept.shown["state"] == "normal"
    kept.readings(P.air(0.5) | {"co2": "no_answer"}, first=2)
    assert kept.shown["state"] == "unknown"


def test_an_alarm_of_an_earlier_boot_ends_when_all_that_is_watched_is_calm(kept):
    kept.take("settings", P.settings())
    kept.readings(P.air(1.0))
    kept.take("event", P.alarm(kept.node, 1, T0_S + 60, "alert", "normal", "co2", 1420))
    second = [P.point(name, value) for name, value in P.air(0.9).items()]
    kept.take(
        "readings",
        P.packed(kept.node, 0, 1, T0_S + 600, second, boot=2).replace(
            b'"prev_boot":0,"prev_seq":0', b'"prev_boot":1,"prev_seq":1'
        ),
    )
    assert (kept.refused, kept.shown["state"]) == ([], "alert"), "1249 ppm is above the line"
    calm = [P.point(name, value) for name, value in P.air(0.1).items()]
    kept.take("readings", P.packed(kept.node, 0, 2, T0_S + 660, calm, boot=2))
    assert kept.shown["state"] == "normal"


# point -> as a person reads it
READ = (
    ("wind_direction", 3.927, "SW 225°"),
    ("wind_direction", 6.28, "N 360°"),
    ("pressure", 100912, "1009.1 hPa"),
    ("performance_ratio", 0.812, "81.2\u202f%"),
    ("panel_energy", 1234.5, "1.23 kWh"),
    ("conductivity", 0.0312, "312 µS/cm"),
    ("temperature", -0.04, "0.0 °C"),
    ("level", 1.254, "1.25 m"),
    ("nox_index", 1.0, "1"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value", "words"), READ, ids=[f"{row[0]}-{row[1]}" for row in READ])
def test_a_value_is_read_in_units_people_use(name, value, words):
    assert text_of(name, value) == words


def test_a_database_of_an_earlier_version_gets_todays_view(tmp_path):
    path = str(tmp_path / "kept.db")
    first = SqliteStore(path)
    first.rows("DROP VIEW points_final")
    first.rows("CREATE VIEW points_final AS SELECT 1 AS old")
    first.close()
    again = SqliteStore(path)
    assert again.rows("SELECT t_ms, q, kind FROM points_final") == []
    again.close()
