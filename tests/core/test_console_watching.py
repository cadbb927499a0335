"""What goes on while somebody watches: level, calibrate, a siren's test; a real alarm always goes first."""

from types import SimpleNamespace

import pytest

from node.core import happenings as H
from node.core import settings as S
from tests.core.console_desk import Desk


def turned(desk, line, ms):
    """A line, and what is said within so much time, without its echo."""
    desk.console.said.clear()
    desk.console.typed += line.encode() + b"\r"
    desk.run(ms)
    return desk.console.said.decode().split("\r\n")[1:]


def test_the_level_comes_a_line_a_sample_until_a_key():
    desk = Desk()
    desk.level(300)
    desk.run(3000)
    said = turned(desk, "level", 21_000)
    assert said[:2] == ["0.3 m (q 2), normal", "any key ends it"]
    assert 4 <= len(said[2:-1]) <= 5, said
    desk.level(1700)
    desk.run(8000)
    assert "1.7 m (q 2), danger" in desk.console.said.decode()
    assert desk.say(b"x") == "> "
    assert desk.answer("get siren.from")


def test_so_many_samples_end_by_themselves():
    desk = Desk()
    desk.level(300)
    desk.run(3000)
    desk.say(b"machine\r")
    desk.console.typed += b"level 2\r"
    desk.console.said.clear()
    desk.run(30_000)
    assert desk.console.said == b"level 0.3 m q 2\r\n" * 2 + b"= ok\r\n"
    desk.ranger.mm = None
    desk.console.said.clear()
    desk.console.typed += b"level 1\r"
    desk.run(30_000)
    assert desk.console.said == b"level none no_answer q 9\r\n= ok\r\n"


def test_a_calibration_is_proposed_and_not_live_until_save():
    desk = Desk(station={"care": {"calibrate_every_days": 365}})
    noise = [0, 3, -2, 1, 40]
    desk.ranger.mm = lambda t: 4300 + noise[t // 1000 % 5]
    desk.run(3000)
    said = turned(desk, "calibrate 0.25 m", 30_000)
    assert said[0] == "measuring: 5 samples; any key ends it"
    assert said[-2].startswith("sensor.height 4.55") and said[-2].endswith("(was 4.5 m), not live until save")
    height = desk.app.settings.staged[S.SENSOR_HEIGHT]
    assert desk.app.settings.get(S.SENSOR_HEIGHT) == 4500
    assert desk.answer("save")[1:] == ["calibrated today", "saved, revision 2"]
    assert desk.app.settings.get(S.SENSOR_HEIGHT) == height
    desk.run(130_000)
    assert [each.values["calibration"] for each in desk.events("calibration")][-1:] == [0], "what was due is done"
    desk.boot()
    desk.run(5000)
    assert not [each for each in desk.events("calibration") if each.boot == 2], "and it outlives a restart"


def test_a_height_typed_over_the_proposal_is_no_calibration():
    desk = Desk()
    desk.run(3000)
    turned(desk, "calibrate 0.25", 20_000)
    desk.answer("set sensor.height 4.7")
    assert desk.answer("save") == ["sensor.height 4.7 m (was 4.5 m)", "saved, revision 2"]


def test_a_height_that_is_right_is_calibrated_without_a_change():
    desk = Desk()
    desk.level(250)
    desk.run(3000)
    assert turned(desk, "calibrate 25 cm", 20_000)[-3:-1] == ["sensor.height 4.5 m is right", "calibrated today"]
    assert not desk.app.settings.staged


def test_without_echoes_nothing_is_proposed():
    desk = Desk()
    desk.ranger.mm = None
    desk.run(3000)
    assert "not enough good samples" in turned(desk, "calibrate 1", 130_000)[-2]
    assert not desk.app.settings.staged


def test_a_key_ends_a_calibration():
    desk = Desk()
    desk.run(3000)
    turned(desk, "calibrate 1", 1000)
    assert desk.say(b"q").endswith("> ")
    assert not desk.app.settings.staged


def test_a_test_sounds_each_state_shortly_without_the_strobe():
    desk = Desk()
    desk.run(3000)
    desk.changes.clear()
    began = desk.t
    turned(desk, "test", 10_000)
    assert [(t - began, on) for t, on in desk.switched("siren")] == [
        (0, 1),
        (500, 0),
        (1500, 1),
        (2500, 0),
        (3500, 1),
        (5500, 0),
    ]
    assert not desk.switched("strobe")
    assert [each.values["drill"] for each in desk.events("drill")] == [0, 3]
    assert "drill: not_measured" in desk.answer("status")
    assert H.POINTS[H.DRILL - H.FIRST][5][3] == "not_measured"


def test_an_alarm_ends_a_test_at_once():
    desk = Desk()
    desk.run(3000)
    turned(desk, "test 3", 100)
    desk.level(1700)
    desk.app.gauge._due = desk.now
    desk.run(4000)
    assert desk.app.gauge.state == 3
    assert desk.app._sounder.drill is None
    assert desk.outputs["siren"].on == 1 and desk.outputs["strobe"].on == 1
    assert "refused: no drill beside an alarm" in turned(desk, "test", 100)


def test_a_test_can_be_ended_and_ends_when_nobody_is_there():
    desk = Desk()
    desk.run(3000)
    turned(desk, "test", 200)
    assert desk.answer("test off") == ["the test ends"]
    desk.run(10)
    assert desk.outputs["siren"].on == 0
    turned(desk, "test", 200)
    desk.app._console.close()
    desk.run(10)
    assert desk.outputs["siren"].on == 0


def test_a_silenced_siren_is_not_tested():
    desk = Desk(settings={"siren.from": 4})
    desk.run(3000)
    assert "siren.from keeps the siren silent" in turned(desk, "test", 100)[0]


def test_an_alarm_is_decided_on_time_whatever_is_asked_for():
    """Samples come and the siren sounds as if nobody was there; a megabyte without an end of line is no reason either."""
    quiet = Desk(settings={"sample.interval": 5})
    quiet.ranger.mm = lambda t: 4400 if t < 20_000 else 2800
    quiet.run(40_000)
    for typed in (b"show\r" * 3000, b"export events\r", b"x" * 1_000_000, b"help\rstatus\rlog 50\r" * 300):
        desk = Desk(settings={"sample.interval": 5})
        desk.ranger.mm = lambda t: 4400 if t < 20_000 else 2800
        desk.run(15_000)
        desk.console.typed += typed
        desk.run(25_000)
        assert desk.switched("siren") == quiet.switched("siren")
        assert [each.ms for each in desk.records(0)] == [each.ms for each in quiet.records(0)]


def test_a_defect_of_the_console_costs_its_answer_only(monkeypatch):
    desk = Desk()
    desk.sit()
    monkeypatch.setattr(desk.app._console, "_load", lambda name: SimpleNamespace())
    assert "AttributeError" in desk.answer("show")[0]
    assert desk.app.defects == 1
    monkeypatch.setattr(desk.app._console, "_load", lambda name: 1 / 0)
    assert "ZeroDivisionError" in desk.answer("show")[0]


@pytest.mark.parametrize("line", ["level", "calibrate 1"])
def test_a_station_without_a_level_says_so(line):
    desk = Desk()
    desk.app.gauge = None
    assert desk.answer(line) == ["refused: this station has no level"]
