"""docs/console.md shows what a station says."""

import re

from node.console import session
from tests.core import console_transcripts


def test_the_page_shows_what_the_station_says():
    text = console_transcripts.PAGE.read_text(encoding="utf-8")
    assert text == console_transcripts.page(text), "python -m tests.core.console_transcripts"


def test_every_command_is_shown():
    typed = re.findall(r"^> (\w+)", console_transcripts.PAGE.read_text(encoding="utf-8"), re.M)
    inside = [line.split()[0] for _, *lines in console_transcripts.DIALOGUES.values() for line, _ in lines]
    assert set(session.names()) <= set(typed) | set(inside)


def test_nothing_in_the_page_holds_the_pin():
    assert console_transcripts.PIN not in console_transcripts.PAGE.read_text(encoding="utf-8")
