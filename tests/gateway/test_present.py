"""What a person is shown: words beside colours, ages, order, and never a silent station as normal."""

import pytest

from gateway.config import Station
from gateway.reading import Facts
from gateway.series import LIMIT, slope, thinned
from gateway.web.present import bar, distance, shown
from gateway.web.sentences import sentence, trend

NOW = 1_600_000_000_000
LINES = {"alert": 0.6, "warning": 1.0, "danger": 1.5}


def facts(level=1.25, q=2, age_s=30, alarm="warning", **more):
    point = {"unit": "m", "v": level, "vs": None if level is not None else "no_answer", "q": q}
    given = {"t_ms": NOW - age_s * 1000, "received_ms": NOW, "points": {"level": point}, "limits": {"level": LINES}}
    given |= {"alarm": alarm, "main": "level"}
    return Facts("demo", "dr01", **(given | more))


def seen(known, **about):
    return shown(known, Station(**about), NOW, 900)


def test_a_state_has_a_word_in_two_languages_and_a_mark():
    for state, word, local in (
        ("alert", "Alert", "waspada"),
        ("warning", "Warning", "amaran"),
        ("danger", "Danger", "bahaya"),
    ):
        words = seen(facts(alarm=state))["state_words"]
        assert (words["en"], words["ms"]) == (word, local) and words["mark"]


# (status, age, what the page calls it)
CONTACT = (
    ("online", 30, "ok"),
    ("online", 901, "stale"),
    ("sleeping", 901, "sleeping"),
    ("unreachable", 30, "unreachable"),
    ("maintenance", 30, "maintenance"),
    (None, 30, "ok"),
)


@pytest.mark.parametrize(("status", "age_s", "contact"), CONTACT)
def test_a_station_that_does_not_speak_is_not_shown_as_normal(status, age_s, contact):
    station = seen(facts(alarm="normal", status=status, age_s=age_s))
    assert station["contact"] == contact
    assert station["silent"] == (contact != "ok")
    assert station["age_s"] == age_s


def test_a_station_that_never_read_anything_is_unknown():
    station = seen(Facts("demo", "dr01", status="online"))
    assert (station["state"], station["contact"], station["level_m"]) == ("unknown", "never", None)


def test_worst_comes_first_and_a_silent_danger_before_a_speaking_warning():
    given = [
        facts(alarm="normal"),
        facts(alarm="warning"),
        facts(alarm="danger", status="unreachable"),
        facts(alarm="danger"),
    ]
    assert [seen(f)["rank"] for f in given] == sorted([seen(f)["rank"] for f in given], reverse=True)


@pytest.mark.parametrize(
    ("level", "q", "ok", "quality"),
    [
        (1.2, 2, True, "good"),
        (1.2, 3, True, "suspect"),
        (9.9, 4, False, "failed"),
        (None, 9, False, "sensor does not answer"),
    ],
)
def test_quality_is_said_in_words(level, q, ok, quality):
    station = seen(facts(level=level, q=q))
    assert (station["level_ok"], station["quality"]) == (ok, quality)
    assert (station["distance"] is None) == (not ok)


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (0.2, "0.40 m below alert"),
        (0.7, "0.30 m below warning"),
        (1.25, "0.25 m below danger"),
        (1.8, "0.30 m above danger"),
    ],
)
def test_the_distance_names_the_next_line(level, words):
    assert distance(level, LINES, "normal") == words


def test_an_alarm_held_by_its_deadband_says_so():
    assert distance(0.57, LINES, "alert") == "0.03 m below alert, not yet cleared"
    assert distance(0.7, LINES, "alert") == "0.30 m below warning"


@pytest.mark.parametrize(
    ("rise", "words"), [(None, "no trend yet"), (0.01, "steady"), (0.25, "rising 0.25 m/h"), (-0.5, "falling 0.50 m/h")]
)
def test_the_trend_is_an_arrow_and_words(rise, words):
    assert trend(rise)["words"] == words


def test_the_slope_is_that_of_a_straight_line():
    rows = [(t * 60_000, 1 + 0.3 * t / 60) for t in range(30)]
    assert slope(rows) == pytest.approx(0.3)
    assert slope(rows[:2]) is None and slope(rows[:4]) is None


@pytest.mark.parametrize("level", [None, -5.0, 0.0, 0.6, 1.4, 30.0])
def test_the_bar_stays_within_its_hundred_parts(level):
    drawn = bar(level, LINES)
    numbers = [n for n in drawn.values() if n is not None]
    assert all(0 <= n <= 100 for n in numbers) and drawn["alert"] < drawn["warning"] < drawn["danger"]
    assert bar(level, {}) is None


def test_thinning_a_blind_month_keeps_where_it_began_and_ended():
    rows = [(t, None if 100 <= t < 39_000 else 1.0, 9 if 100 <= t < 39_000 else 1) for t in range(40_000)]
    kept = thinned(rows)
    assert len(kept) < 2 * LIMIT and {row[0] for row in kept} >= {100, 38_999}


def test_thinning_keeps_peaks_and_everything_doubtful():
    rows = [(t, 1.0 + (t == 7777) * 0.5, 4 if t % 5000 == 13 else 1) for t in range(40_000)]
    kept = thinned(rows)
    assert len(kept) <= LIMIT + 16
    assert (7777, 1.5, 1) in kept and {row for row in rows if row[2] == 4} <= set(kept)
    assert kept == sorted(kept)


def point(name, v=None, vs=None, unit=None):
    return {"name": name, "v": v, "vs": vs, "unit": unit}


# kind of event -> its words
EVENTS = (
    (
        [point("alarm", vs="danger"), point("alarm_from", vs="warning"), point("level", 1.512), point("rise", 1.32)],
        "Warning → danger at 1.51 m, rising 1.32 m/h",
    ),
    ([point("rise_alarm", vs="on"), point("level", 0.41)], "Rises fast at 0.41 m"),
    (
        [
            point("settings", vs="console"),
            point("old:level.danger", 1.5, unit="m"),
            point("new:level.danger", 1.2, unit="m"),
        ],
        "Settings changed by console: level.danger 1.5 → 1.2 m",
    ),
    (
        [point("dropped", vs="readings"), point("of_boot", 2), point("first_seq", 120), point("last_seq", 180)],
        "Gave up readings 120 to 180 of boot 2",
    ),
    ([point("sensor", vs="fault"), point("reason", vs="no_answer")], "Sensor fault: does not answer"),
    (
        [point("sensor", vs="fault"), point("sensor_number", 2), point("reason", vs="bad_checksum")],
        "Sensor 3 fault: answers with errors",
    ),
    ([point("sensor", vs="ok"), point("sensor_number", 0)], "Sensor 1 works again"),
    ([point("sensor", vs="fault"), point("sensor_of", vs="level")], "Level sensor fault"),
    (
        [
            point("alarm", vs="warning"),
            point("alarm_from", vs="alert"),
            point("co2", 2104, unit="ppm"),
            point("new:co2.warning", 2000, unit="ppm"),
        ],
        "Alert → warning: CO₂ 2104 ppm (warning line 2000 ppm)",
    ),
    (
        [
            point("alarm", vs="normal"),
            point("alarm_from", vs="alert"),
            point("fill", 77.9, unit="/100"),
            point("new:fill.alert", 80, unit="/100"),
        ],
        "Alert → normal: Tank 77.9\u202f% (alert line 80.0\u202f%)",
    ),
    (
        [point("alarm", vs="alert"), point("pm2_5_nowcast", vs="no_answer")],
        "Alarm → alert: PM2.5 NowCast, sensor does not answer",
    ),
    ([point("fouling", vs="drift")], "Fouling suspected: slow drift"),
    ([point("calibration", vs="due")], "Calibration due"),
    ([point("season", 2)], "Levels of season 2 are in force"),
    ([point("relay", vs="on")], "Relay on"),
    ([point("boot", vs="watchdog")], "Started (watchdog)"),
    ([point("shelved_s", 600)], "Siren shelved for 10 min"),
    ([point("something_new", 3)], "something_new: 3"),
)


@pytest.mark.parametrize(("points", "words"), EVENTS, ids=[row[1][:40] for row in EVENTS])
def test_an_event_reads_as_a_sentence(points, words):
    assert sentence({"kind": points[0]["name"], "points": points}) == words


def test_a_season_hides_the_settings_lines_which_are_not_in_force():
    station = seen(facts(lasting={"season": "2", "fouling": "scatter", "calibration": "due_soon"}))
    assert station["notes"] == ["fouling: readings scatter", "calibration due soon", "levels of season 2"]


def test_an_old_reading_of_a_station_that_goes_on_is_not_taken_for_a_new_one():
    known = facts()
    known.points["co2"] = {"unit": "ppm", "v": 600, "vs": None, "q": 1, "t_ms": NOW}
    known.points["level"]["t_ms"] = NOW - 3_600_000
    known.t_ms = NOW
    station = seen(known)
    assert (station["main"]["ok"], station["quality"], station["distance"]) == (False, "old reading", None)


def test_a_station_with_a_blind_sensor_is_not_called_normal_but_keeps_its_alarm():
    assert seen(facts(level=None, q=9, alarm="normal"))["state"] == "unknown"
    assert seen(facts(alarm="normal", faults={"level": "no_answer"}))["state"] == "unknown"
    assert seen(facts(alarm="normal", faults={}))["state"] == "normal"
    assert seen(facts(level=None, q=9, alarm="danger"))["state"] == "danger"
