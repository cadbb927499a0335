"""The chart: what is drawn of which levels, and the live one on a terminal that the test holds."""

import threading

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from simulator.errors import InputError
from tests.waspada.console_desk import Cable
from waspada.consoles import chart
from waspada.consoles.port import GoneError, open_port
from waspada.consoles.station import Station

STATUS = {
    "district": "demo",
    "node": "dr01",
    "state": "warning",
    "limits": "0.600 1.000 1.500 m",
    "battery": "12.6 V",
    "siren": "armed",
}
FLOOD = [100, 150, 300, 500, 700, 900, 1100, 1200, None, 1250, 1240, 1100]


def seen_of(levels=FLOOD, status=STATUS):
    seen = chart.Seen()
    for level in levels:
        chart.read_sample(seen, "level none no_answer q 9" if level is None else f"level {level / 1000} m q 1", status)
    return seen


def text_of(lines):
    return ["".join(text for _, text in line) for line in lines]


LETTERS = """\
 demo/dr01  WARNING  1.1 m q 1
  1.500 |-------------------------------
        |
        |       * **
  1.000 |------*----*-------------------
        |     *
        |    *
  0.600 |---*---------------------------
        |  *
        | *
 -0.040 |*
 q leaves   12 samples   battery 12.6 V"""


@pytest.mark.parametrize("kind", [chart.BRAILLE, chart.BLOCKS, chart.LETTERS])
@pytest.mark.parametrize("size", [(40, 12), (80, 24), (10, 2), (200, 60)])
def test_the_drawing_fills_its_frame_to_the_letter(kind, size):
    lines = text_of(chart.draw(seen_of(), *size, kind))
    assert len(lines) == max(size[1], 5)
    assert {len(line) for line in lines} == {max(size[0], 24)}


def test_the_drawing_in_letters_is_as_written():
    drawn = text_of(chart.draw(seen_of(), 40, 12, chart.LETTERS))
    assert [line.rstrip() for line in drawn] == LETTERS.split("\n")


def test_braille_shows_a_rise_as_a_line_without_holes():
    lines = text_of(chart.draw(seen_of([0, 2000]), 40, 12, chart.BRAILLE))
    for line in lines[2:-2]:
        assert any(0x2800 < ord(letter) <= 0x28FF for letter in line)


def test_the_curve_has_the_colour_of_the_state_that_it_stands_in():
    drawn = chart.draw(seen_of(), 60, 20, chart.BLOCKS)
    styles = {style.removeprefix("class:") for line in drawn for style, text in line if "█" in text}
    assert styles == {"normal", "alert", "warning"}
    assert drawn[0][0][0] == "class:head.warning"


def test_a_level_far_below_its_lines_is_not_pressed_flat():
    low, high = chart.span(seen_of([100, 120, 110], {**STATUS, "limits": "8 9 30 m"}))
    assert high < 10000 and low < 100


def test_a_terminal_gets_what_it_can_show():
    assert chart.kind_for("utf-8", "linux", {}) == chart.BRAILLE
    assert chart.kind_for("utf-8", "win32", {}) == chart.BLOCKS
    assert chart.kind_for("utf-8", "win32", {"WT_SESSION": "x"}) == chart.BRAILLE
    assert chart.kind_for("cp437", "win32", {}) == chart.BLOCKS
    assert chart.kind_for("cp1252", "win32", {}) == chart.LETTERS
    assert chart.kind_for("ascii", "linux", {}) == chart.LETTERS
    assert chart.kind_for("no such", "linux", {}) == chart.LETTERS


class Screen(DummyOutput):
    def __init__(self):
        self.text = ""

    def write(self, data):
        self.text += data

    write_raw = write

    def get_size(self):
        return Size(rows=14, columns=60)


def test_the_live_chart_follows_the_river_and_leaves_at_a_key():
    screen = Screen()
    with Cable() as cable, open_port(cable.port) as port, Station(port) as station, create_pipe_input() as keyboard:
        cable.desk.level(1100)
        threading.Timer(2, keyboard.send_text, "q").start()
        seen = chart.by_chart(station, None, keyboard, screen)
        assert station.ask("status").good  # and the dialogue goes on
    assert seen.station == "demo/dr01"
    assert seen.levels and seen.levels[-1] == 1100
    assert seen.limits == (600, 1000, 1500)
    assert "1.500" in screen.text and "─" in screen.text


def test_a_chart_of_so_many_samples_ends_by_itself():
    with Cable() as cable, open_port(cable.port) as port, Station(port) as station, create_pipe_input() as keyboard:
        seen = chart.by_chart(station, 3, keyboard, Screen())
    assert list(seen.levels) == [100, 100, 100]


def test_a_cable_pulled_under_the_chart_ends_it_with_a_sentence():
    gone = pytest.raises(GoneError, match="check the cable")
    with (
        Cable(cut_after=900) as cable,
        open_port(cable.port) as port,
        create_pipe_input() as keyboard,
        gone,
        Station(port) as station,
    ):
        chart.by_chart(station, None, keyboard, Screen())


def test_a_station_without_a_level_has_no_chart():
    class Without:
        name = "p"

        def ask(self, _):
            from waspada.consoles.station import Answer

            return Answer("refused", ["refused: this station has no level"])

    with pytest.raises(InputError, match="this station has no level"):
        chart.follow(Without(), chart.Seen(), 1, lambda: None)
