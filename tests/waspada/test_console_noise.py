"""Whatever comes over a cable or stands in a file: an answer, or a sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import InputError
from waspada.consoles import journal, values
from waspada.consoles.port import GoneError
from waspada.consoles.station import Station

PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"= ok\r\n",
            b"= ready\r\n",
            b"\r\n> ",
            b">>> ",
            b"= wait 99999999999\r\n",
            b"= closed\r\n",
            b"= \r\n",
            b"rst:0x1\r\n",
            b"\x00" * 30,
        ]
    ),
)


class Wire:
    """A port that says this, piece by piece, and takes everything."""

    port = "wire"
    in_waiting = 0

    def __init__(self, pieces):
        self._pieces = list(pieces)

    def read(self, _):
        return self._pieces.pop(0) if self._pieces else b""

    def write(self, _):
        pass


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_any_bytes_on_the_line_end_in_an_answer_or_a_sentence(pieces):
    station = Station(Wire(pieces), within_s=0.03)
    said = ""
    try:
        station.begin()
        station.ask("status", 0.02)
    except (InputError, GoneError) as error:
        said = str(error)
    assert "\n" not in said and said.isprintable()


@given(st.one_of(st.text(max_size=80), st.binary(max_size=60).map(lambda data: f"readings 1 2 3 4 {data.hex()}")))
def test_a_line_of_an_export_is_whole_or_nothing(line):
    text = values.sealed(line)
    assert text is None or values.sealed(text) != line
    assert journal.record_of(line) is None
    journal.begin_of(line)


@settings(max_examples=200)
@given(st.binary(max_size=120))
def test_a_file_of_any_bytes_is_no_backup_and_no_part(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(data)
    with pytest.raises(InputError):
        values.read_backup(path)
    part = journal.Part(path)
    assert part.count == 0 and part.begin is None


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.text(max_size=12), st.one_of(st.integers(), st.floats(), st.text(max_size=12), st.booleans()), max_size=4
    )
)
def test_a_difference_is_found_for_any_values(wanted):
    shown = dict.fromkeys(list(wanted)[:2], ("1", "m")) | {"level.danger": ("1.5", "m")}
    words = {key: str(value).strip() or "0" for key, value in wanted.items()} | {"level.danger": "150 cm"}
    found = values.differences(words, shown)
    assert "level.danger" not in [one.key for one in found]
    assert all(one.was and one.to for one in found)
