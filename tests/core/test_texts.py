"""A journal's text on the wire: any bytes become one JSON string in ASCII, the same on both interpreters."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from node.core import happenings as H
from node.core import journal, senml
from node.core.texts import escaped
from tests import vm64
from tests.core.failing_storage import Storage

AWKWARD = (
    b"", b'  File "main.py", line 7\nValueError: \\ \t', "sungai naik · 水位 🌊".encode(), "水位".encode()[:-1], b"\xff\xfe\x80",
    b"\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xf5\x80\x80\x80", b"\x00\x1b[31m\x7f\r", bytes(range(256)),
)  # fmt: skip


@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
@example(AWKWARD[-1])
def test_any_bytes_become_a_json_string_that_fits_a_packet(data):
    text = escaped(data)
    assert text.isascii()
    assert len(text) <= 3 * len(data)
    read = json.loads('"' + text + '"')
    assert len(read) <= len(data)
    if "\ufffd" not in (clear := data.decode(errors="replace")):
        assert read == "".join(c if c in "\n\t" or ord(c) >= 32 and ord(c) != 127 else "?" for c in clear)


def packs():
    """A record with a text, as it goes out."""
    storage = Storage()
    log = journal.Log(storage, "event", 3, 8188, 5)
    log.append(journal.DATED, 1528063200, 0, ((H.CRASH, 0, 8),), b'a "b"\n\xe6\xb0')
    log.append(journal.DATED, 1528063200, 0, ((H.UPDATE, 0, 1), (H.VERSION, 0, 5)), b"0.2.0")
    cursor = journal.Cursor(log)
    for _ in range(2):
        at = cursor.peek()
        print(senml.encode("waspada:demo:dr01:", "5eed0001", *at))
        cursor.advance(at[3])


def test_a_text_is_its_points_vs(capsys):
    packs()
    crash, update = map(json.loads, capsys.readouterr().out.splitlines())
    assert crash[0]["n"] == "crash"
    assert crash[0]["vs"] == 'a "b"\n??'
    assert [(point["n"], point["vs"]) for point in update] == [("update", "refused"), ("version", "0.2.0")]


def test_micropython_writes_the_same_ascii():
    script = f"from node.core.texts import escaped\nfor data in {AWKWARD!r}:\n    print(escaped(data))"
    assert vm64.run(script).splitlines() == [escaped(data) for data in AWKWARD]
