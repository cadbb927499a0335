"""The tables of words: every language says the same things, and whoever reads them knows what has not been reviewed."""

import ast
import re
from pathlib import Path

import pytest

from node.console import session
from node.core import limits, words, words_levels
from node.core import settings as S
from tests.core.console_desk import Desk

FIRMWARE = Path(session.__file__).parents[1]
OTHERS = [code for code in words.LANGUAGES if code != "en"]


def table(text):
    return dict(line.split("=", 1) for line in text.split("\n") if line)


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("part", ["SAYS", "COMMANDS", "SETTINGS"])
def test_a_translation_says_the_same_things_with_the_same_values(code, part):
    load = words.load if part == "SAYS" else words.load_help
    english, other = table(getattr(load("en"), part)), table(getattr(load(code), part))
    assert list(english) == list(other)
    for key, text in english.items():
        assert re.findall("%[sd]", other[key]) == re.findall("%[sd]", text), key
        assert other[key].isascii()


def test_every_command_and_every_setting_is_explained_and_nothing_else():
    helps = words.load_help("en")
    assert words.keys(helps.COMMANDS) == session.names()
    for row in limits.ROWS:
        assert 5 < len(words.help_of(helps, row[0])) <= 60, row
    own = {row[0] for row in limits.ROWS}
    assert {key for key in words.keys(helps.SETTINGS) if key[0] != "*"} == {row[0] for row in S.ROWS} <= own


def test_every_word_that_is_said_is_in_the_table_and_no_other():
    said = set()
    for path in (FIRMWARE / "console").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "word":
                said |= {leaf.value for leaf in ast.walk(node.args[0]) if isinstance(leaf, ast.Constant)}
    said = {key for key in said if key != "state."} | {
        "state." + name for name in ("normal", "alert", "warning", "danger")
    }
    assert said == set(words.keys(words.load("en").SAYS))


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_that_nobody_reviewed_says_so_in_help(code):
    desk = Desk()
    assert not words.load(code).REVIEWED
    desk.answer("language " + code)
    assert desk.answer("help")[-1] == words.find(words.load(code).SAYS, "unreviewed")
    assert desk.answer("help save")[0].startswith("save *: " + words.find(words.load_help(code).COMMANDS, "save"))


@pytest.mark.parametrize("code", words_levels.CODES)
def test_states_are_told_by_their_official_words(code):
    desk = Desk()
    name, states = words_levels.of(code)
    said = desk.answer("language " + code)
    assert said[1].startswith(name + ": ") and "not been reviewed" in said[2]
    desk.level(1700)
    desk.run(4000)
    assert desk.answer("show")[0].startswith(states[3] + " (danger), level 1.7 m")
    assert len(set(states)) == 4


def test_the_language_is_remembered_by_a_station_and_may_be_damaged():
    desk = Desk()
    desk.answer("language ms")
    desk.boot()
    assert desk.answer("save") == ["tiada apa untuk disimpan"]
    for content in (b"xx", b"\xff\xff", b""):
        desk.storage.files["language"] = content
        desk.boot()
        assert desk.answer("save") == ["nothing to save"]
    assert desk.answer("language xx")[0].startswith("refused: no such language; there are en ms id th")


def test_who_has_not_the_pin_chooses_for_himself_only():
    desk = Desk("471108")
    desk.answer("language ms")
    assert desk.answer("diff") == ["tiada perbezaan"]
    desk.boot()
    assert desk.answer("diff") == ["no difference"]
