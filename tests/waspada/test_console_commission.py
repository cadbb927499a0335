"""The guided commissioning, from the staff to the signed record."""

import io
import json
import sys

import pytest

from simulator.errors import InputError
from tests.waspada.city_desk import enrolled
from tests.waspada.commissioned import ANSWERS, DOCUMENT, NODE, cable_to, city_with_a_station, commission, recorded
from tests.waspada.console_desk import STEP_MS, console
from waspada import record
from waspada.city import read_settings
from waspada.consoles.pin import VARIABLE
from waspada.consoles.port import GoneError


@pytest.fixture
def there(tmp_path):
    return city_with_a_station(tmp_path)


def test_the_recorded_session_in_the_docs_is_what_happens():
    assert DOCUMENT.read_text(encoding="utf-8") == recorded(), "run `python -m tests.waspada.commissioned`"


def test_the_record_is_signed_and_says_what_was_seen(there):
    city, station, pin = there
    with cable_to(station, pin) as cable:
        screen, (made, path, failed) = commission(cable, city, ANSWERS)
        assert cable.desk.app.settings.values[11] == 4480
    assert not failed
    found, fault = record.check(city, path)
    assert fault == "" and found == made["record"]
    assert (found["node"], found["life"], found["when"]) == (NODE, station["life"], "2026-03-04T09:30:00Z")
    assert found["checks"]["commissioned"] == "in order"
    assert found["checks"]["datum"] == "BM 17, bridge pier, 12.405 m"
    assert found["checks"]["staff"] == "staff 1.08 m, station 1.08 m, 0 mm apart"
    assert found["checks"]["siren"] == "heard; the station says not_measured"
    assert found["checks"]["photo: siren and strobe from below"] == "none"
    assert found["settings"]["sensor.height"] == "4.48 m"
    assert pin not in json.dumps(made) + screen
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_the_city_keeps_the_settings_and_the_day(there):
    city, station, pin = there
    with cable_to(station, pin) as cable:
        commission(cable, city, ANSWERS)
        revision, values = cable.desk.app.settings.revision, list(cable.desk.app.settings.values)
    kept_revision, kept = read_settings(city.node("demo", NODE))
    assert kept_revision == revision == 2
    assert list(kept.values()) == values
    last = city.rows()[-1]
    assert (last["what"], last["node"], last["life"], last["in_order"]) == ("commissioned", NODE, station["life"], True)


def test_what_the_flashing_recorded_of_this_board_stays_in_the_record(there):
    city, station, pin = there
    flashed = {"district": "demo", "node": NODE, "life": station["life"], "who": "crew", "when": "2026-03-01T00:00:00Z",
               "board": {"chip": "esp32", "mac": "aa:bb"}, "self_test": {"first_line": "waspada station dr01"}}  # fmt: skip
    record.keep(city, "demo", NODE, flashed)
    with cable_to(station, pin) as cable:
        made = commission(cable, city, ANSWERS)[1][0]["record"]
    assert made["board"]["mac"] == "aa:bb" and made["self_test"]["first_line"] == "waspada station dr01"
    assert made["who"] == "crew" and made["checks"]


def test_a_record_that_somebody_changed_is_not_gone_on_with(there):
    city, station, pin = there
    flashed = {
        "district": "demo",
        "node": NODE,
        "life": station["life"],
        "when": "2026-03-01T00:00:00Z",
        "board": {"chip": "esp32"},
    }
    _, path = record.keep(city, "demo", NODE, flashed)
    path.write_text(path.read_text().replace('"esp32"', '"esp33"'))
    with cable_to(station, pin) as cable:
        made = commission(cable, city, ANSWERS)[1][0]["record"]
    assert "board" not in made


# (answers, what is not in order)
FAULTS = {
    "no mark": (["", *ANSWERS[1:]], ["datum"]),
    "height not wanted": ([*ANSWERS[:3], "n", "1.10", *ANSWERS[5:]], ["calibration"]),
    "staff and station apart": ([*ANSWERS[:4], "1.2", "y", "1.3", "n", *ANSWERS[5:]], ["staff"]),
    "other levels": ([*ANSWERS[:5], "n", *ANSWERS[6:]], ["levels"]),
    "siren not sounded": ([*ANSWERS[:6], "n", *ANSWERS[8:]], ["siren"]),
    "siren not heard": ([*ANSWERS[:7], "n", *ANSWERS[8:]], ["siren"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_not_in_order_stands_in_the_record(there, name):
    city, station, pin = there
    answers, expected = FAULTS[name]
    with cable_to(station, pin) as cable:
        made, _, failed = commission(cable, city, answers)[1]
        assert not cable.desk.app.settings.staged
    assert failed == expected
    assert made["record"]["checks"]["commissioned"] == f"not in order: {expected[0]}"
    assert made["record"]["checks"][expected[0]].startswith("NOT IN ORDER")


def test_a_station_without_a_link_is_waited_for_and_not_for_ever(there):
    city, station, pin = there
    with cable_to(station, pin, "never") as cable:
        made, _, failed = commission(cable, city, ANSWERS, link_within_s=0.5)[1]
    assert failed == ["link"]
    assert "not connected within 0.5 s" in made["record"]["checks"]["link"]


@pytest.mark.parametrize("after", range(300, 4500, 500))
def test_a_cable_pulled_anywhere_leaves_no_record_and_no_half_settings(there, after):
    city, station, pin = there
    with cable_to(station, pin, cut_after=after) as cable:
        before = list(cable.desk.app.settings.values)
        try:
            commission(cable, city, ANSWERS)
        except GoneError:
            assert not (city.node("demo", NODE) / "record.json").exists()
            assert "commissioned" not in [row["what"] for row in city.rows()]
        now = list(cable.desk.app.settings.values)
        assert [k for k in range(len(now)) if now[k] != before[k]] in ([], [11])


class Slow(io.StringIO):
    """Answers; the one with this number comes a quarter of an hour late."""

    def __init__(self, answers, cable, late):
        super().__init__("".join(answer + "\n" for answer in answers))
        self._cable, self._left = cable, late

    def readline(self):
        self._left -= 1
        if self._left < 0:
            self._left = 1000
            end = self._cable.desk.t + 900_000
            self._cable.step_ms = 2000
            self._cable.until(lambda desk: desk.t > end)
            self._cable.step_ms = STEP_MS
        return super().readline()


@pytest.mark.parametrize(("late", "expected"), [(2, []), (3, ["calibration"]), (6, []), (10, [])])
def test_a_crew_that_takes_its_time_is_not_thrown_out(there, late, expected):
    city, station, pin = there
    with cable_to(station, pin) as cable:
        answers = list(ANSWERS)
        if expected:
            answers[4] = "1.10"
        _, (made, _, failed) = commission(cable, city, Slow(answers, cable, late))
    assert failed == expected
    if expected:
        assert "not saved" in made["record"]["checks"]["calibration"]


def test_another_board_than_the_citys_is_not_commissioned(there):
    city, station, pin = there
    for other, words in (
        ({"node": "dr02"}, "this is demo/dr02, not demo/dr01"),
        ({"life": "0badcafe"}, "flash it first"),
    ):
        with cable_to({**station, **other}, pin) as cable, pytest.raises(InputError, match=words):
            commission(cable, city, ANSWERS)


def test_answers_that_end_leave_the_station_as_it_was(there):
    city, station, pin = there
    with cable_to(station, pin) as cable:
        with pytest.raises(InputError, match="nobody answers"):
            commission(cable, city, ANSWERS[:3])
        assert not cable.desk.app.settings.staged and cable.desk.app.settings.revision == 1


def test_the_command_asks_from_a_pipe_and_answers_in_json(there):
    city, station, pin = there
    with cable_to(station, pin) as cable:
        words = (cable.port, "--commission", NODE, "--city", city.folder, "--json")
        done = console(*words, stdin="\n".join(ANSWERS) + "\n", environment={VARIABLE: ""})
    assert done.code == 0, done.err
    assert done.json["not_in_order"] == [] and done.json["record"].endswith("record.json")
    assert pin not in done.out + done.err


def test_names_that_the_city_does_not_know_are_one_sentence(there):
    city, _, _ = there
    enrolled(city.folder, NODE, "--station", "river_gauge", district="north")
    port = "socket://127.0.0.1:1"
    for words, sentence in (
        (["dr99"], "dr99 is not enrolled in"),
        ([NODE], "give --district"),
        ([NODE, "--district", "south"], "south/dr01 is not enrolled in"),
        (["east/dr01"], "east/dr01 is not enrolled in"),
    ):
        done = console(port, "--commission", *words, "--city", city.folder, "--json")
        assert done.code == 2 and sentence in done.json["error"]


def test_without_reportlab_it_is_said_before_anybody_climbs(there, monkeypatch):
    monkeypatch.setitem(sys.modules, "reportlab", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = console("socket://127.0.0.1:1", "--commission", NODE, "--city", there[0].folder, "--json")
    assert done.code == 2 and "reportlab" in done.json["error"] and ".[flash]" in done.json["error"]
