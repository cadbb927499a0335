"""The technician's dialogue: what is said to what is typed, whatever is typed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.console import session
from node.core import helps_en, words
from node.core import settings as S
from tests.core.console_desk import PROMPT, WAITING_MOST, Desk

KEYS = [row[0] for row in S.ROWS]
ROWS = [line.split() for line in session.COMMANDS.split("\n") if line]


# (dialogue: what is typed, words that the answer holds)
DIALOGUES = {
    "set, save": (
        ("get level.danger", "level.danger 1.5 m", "danger (bahaya)", "-10 m to 30 m"),
        ("set level.danger 1.2 m", "level.danger 1.2 m (was 1.5 m), not live until save"),
        ("get level.danger", "level.danger 1.5 m * 1.2 m"),
        ("save", "level.danger 1.2 m (was 1.5 m)", "saved, revision 2"),
        ("get level.danger", "level.danger 1.2 m:"),
        ("save", "nothing to save"),
    ),
    "set, revert": (
        ("set level.danger 1.2", "not live until save"),
        ("set siren.from 2", "siren.from 2 (was 1)"),
        ("revert", "2 forgotten"),
        ("save", "nothing to save"),
    ),
    "typed back": (
        ("set siren.from 2", "siren.from 2"),
        ("set siren.from 1", "siren.from 1"),
        ("save", "nothing to save"),
    ),
    "levels in the wrong order": (
        ("set level.alert 1.1", "warning: levels out of order", "alert 1.1 m, warning 1 m"),
        ("save", "refused: levels out of order"),
        ("set level.warning 1.2", "level.warning 1.2 m (was 1 m), not live until save"),
        ("save", "saved, revision 2"),
    ),
    "refused": (
        ("set level.danger 99", "refused: level.danger must be -10 m to 30 m"),
        ("set level.danger high", "refused", "-10 m to 30 m"),
        ("set level.danger 1.2 km", "refused: level.danger is in m or cm or mm, not km"),
        ("set level.dangr 1", "refused: no setting 'level.dangr'", *KEYS),
        ("get nothing", "refused: no setting", *KEYS),
        ("shelve", "usage: shelve MINUTES"),
        ("shelve 1441", "refused: shelve takes 0 to 1440 minutes"),
        ("shelve -1", "refused: shelve takes 0 to 1440 minutes"),
        ("shelve 1_0", "refused: shelve takes 0 to 1440 minutes"),
        ("shelve soon", "refused: shelve takes 0 to 1440 minutes"),
        ("shelve 99999999999", "refused: shelve takes 0 to 1440 minutes"),
        ("sett level.danger 1", "no command 'sett'; try help"),
        ("set level.danger", "usage: set KEY VALUE [UNIT]"),
        ("set a b c d", "usage: set"),
        ("level 0", "usage: level [SAMPLES]"),
        ("log 0", "usage: log [COUNT] [readings]"),
        ("export all", "usage: export settings|readings|events [BOOT SEQ]"),
        ("export events 1 x", "usage: export"),
        ("get", "usage: get KEY"),
        ("save now", "usage: save"),
        ("ack 1", "usage: ack"),
    ),
    "alarm": (
        ("ack", "acknowledged"),
        ("shelve 30", "shelved for 30 min"),
        ("shelve 0", "no longer shelved"),
    ),
    "units": (
        ("set level.danger 2.50 m", "level.danger 2.5 m (was 1.5 m), not live until save"),
        ("set level.danger 250 cm", "level.danger 250 cm (was 150 cm), not live until save"),
        ("set level.danger 2500mm", "level.danger 2500 mm (was 1500 mm)"),
        ("set level.danger 2500.1 mm", "refused: '2500.1' is finer than can be kept: 0.001 m"),
        ("set level.danger 9999 cm", "refused: level.danger must be -10 m to 30 m"),
        ("set level.off_delay 3 min", "level.off_delay 3 min (was 2 min)"),
        ("set level.off_delay 90 s", "level.off_delay 90 s (was 120 s)"),
        ("set level.off_delay 1.5min", "level.off_delay 1.5 min (was 2 min)"),
        ("set level.off_delay 1 h", "level.off_delay 1 h (was 120 s)"),
        ("set level.off_delay 0.01 s", "refused: '0.01' is finer than can be kept: 1 s"),
        ("set battery.low 11200 mV", "battery.low 11200 mV (was 11500 mV)"),
        ("set siren.from 1 m", "refused: siren.from is in whole numbers, not m"),
        ("set level.danger m", "refused: 'm' is not a number; level.danger must be -10 m to 30 m"),
    ),
    "what a save will refuse": (
        ("set level.danger 4.6", "warning: level.danger is above what the sensor can tell from its height, 4.47 m"),
        ("save", "refused: level.danger is above what the sensor can tell"),
    ),
    "differences": (
        ("diff", "no difference"),
        ("set level.danger 1.2", "not live until save"),
        ("diff", "level.danger 1.5 m -> 1.2 m"),
        ("diff default", "no difference"),
        ("set wifi.key correcthorse", "wifi.key ************, not live until save"),
        ("diff", "wifi.key -> *"),
        ("revert", "2 forgotten"),
        ("diff x", "usage: diff [default]"),
    ),
    "show some": (
        ("show level.d", "level.danger 1.5 m", "level.deadband 0.05 m"),
        ("show x", "refused: no setting 'x'"),
        ("help save", "save *: check, keep"),
        ("help level.danger", "level.danger 1.5 m: danger (bahaya) (-10 m to 30 m)"),
        ("help x", "refused: no setting 'x'"),
    ),
    "drill": (
        ("drill 4", "refused: a drill is of state 1 alert"),
        ("drill 2", "a drill"),
        ("drill 2", "refused: a drill is under way"),
        ("test off", "refused: no test is under way"),
        ("drill", "usage: drill STATE"),
        ("reboot", "starting again"),
    ),
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_dialogue_goes_as_written(name):
    desk = Desk()
    for line, *parts in DIALOGUES[name]:
        said = "\n".join(desk.answer(line))
        for word in parts:
            assert word in said


def test_commands_reach_the_station():
    desk = Desk()
    desk.level(700)
    desk.run(3000)
    assert desk.outputs["siren"].on == 1
    desk.answer("ack")
    desk.run(20)
    assert desk.outputs["siren"].on == 0
    desk.answer("shelve 30")
    assert desk.app.gauge.alarm.shelved_s(desk.app.now_ms) == 1800
    desk.answer("shelve 1441")
    assert desk.app.gauge.alarm.shelved_s(desk.app.now_ms) == 1800
    desk.answer("shelve 0")
    assert desk.app.gauge.alarm.shelved_s(desk.app.now_ms) == 0
    assert [each.values["shelved_s"] for each in desk.events("shelved_s")] == [1800, 0]
    desk.answer("reboot")
    assert desk.app.reboot_wanted


def test_help_names_every_command_and_every_command_is_in_help():
    desk = Desk()
    said = desk.answer("help")[:-1]
    assert [line.split()[0].rstrip(":") for line in said] == [row[0] for row in ROWS]
    for (name, _, pin, *arguments), line in zip(ROWS, said, strict=True):
        shown = " ".join([name, *arguments]) + (" *" if pin == "1" else "")
        assert line == f"{shown}: {words.find(helps_en.COMMANDS, name)}"


def test_show_and_get_follow_the_table():
    desk = Desk()
    shown = desk.answer("show")
    assert shown[0].startswith("normal, level no_answer")
    assert [line.split()[0] for line in shown[1:]] == KEYS
    for row in S.ROWS:
        (said,) = desk.answer("get " + row[0])
        about = words.help_of(helps_en, row[0])
        assert about
        assert said == f"{row[0]} {S.shown(row, row[3])}: {about} ({S.shown(row, row[4])} to {S.shown(row, row[5])})"


def test_a_setting_that_storage_refuses_stays_typed():
    desk = Desk()
    desk.answer("set level.danger 1.2")
    desk.storage.writes_fail = True
    assert desk.answer("save") == ["not saved: storage does not take it; the old settings stay"]
    assert desk.app.settings.get(S.LEVEL_DANGER) == 1500
    desk.storage.writes_fail = False
    assert desk.answer("save")[-1] == "saved, revision 2"


def test_a_seasons_levels_that_rule_are_told_to_whoever_sets_others():
    desk = Desk()
    desk.app.gauge.use_season((1001, 331, 500, 900, 1200))
    said = desk.answer("set level.danger 1.3")
    assert said[-1] == "warning: a season's levels rule: 0.5 0.9 1.2 m"
    assert "a season's levels rule: 0.5 0.9 1.2 m" in desk.answer("show")[0]
    assert desk.answer("set siren.from 2")[-1].endswith("not live until save")


# keys: (bytes, words in what is said, the command that was taken)
KEYSTROKES = (
    (b"helx\bp\r", "usage|this list"), (b"helx\x7fp\r", "this list"), (b"\b\b\bhelp\r", "this list"),
    (b"rubbish\x03help\r", "this list"), (b"rubbish\x15help\r", "this list"), (b"help\n", "this list"),
    (b"help\r\n", "this list"),
    (b"\x1b[Ahelp\r", "this list"), (b"\x1b[3~\x1bOB\x1b[1;5Chelp\r", "this list"),
    (b"\x1b\rhelp\r", "this list"), (b"\x1b[\x15help\r", "this list"),
    (b"he\tp\r", "refused: no setting"), (b"he\t\r", "this list"), (b"  help  \r", "this list"), (b"he\x00lp\r", "this list"),
    (b"\xc3\xa4help\r", "this list"), (b"x" * 200 + b"\x03help\r", "this list"), (b"x" * 81 + b"\rhelp\r", "this list"),
)  # fmt: skip


@pytest.mark.parametrize(("keys", "word"), KEYSTROKES)
def test_keystrokes_edit_the_line(keys, word):
    said = Desk().say(keys)
    assert any(each in said for each in word.split("|"))


def test_enter_alone_and_both_ends_of_line_prompt_once():
    desk = Desk()
    assert desk.say(b"\r") == desk.say(b"\r\n") == "\r\n" + PROMPT
    assert desk.say(b"\n\n").count(PROMPT) == 2


def test_backspace_erases_what_is_seen_and_no_more():
    assert Desk().say(b"ab\b\b\b") == "ab\b \b\b \b"


@pytest.mark.parametrize(
    ("count", "word"), [(96, "no command"), (97, "too long: at most 96"), (5000, "too long: at most 96")]
)
def test_an_overlong_line_is_refused_whole(count, word):
    desk = Desk()
    said = desk.say(b"s" * count + b"\r")
    assert word in said
    assert said.index("\r") <= 96, "what is not taken is not echoed"
    assert "this list" in desk.say(b"help\r")


@pytest.mark.parametrize(
    "pasted", [b"show\r" * 500, b"help\r" * 500, b"get level.danger\r" * 500, b"x" * 20000, b"\r" * 5000]
)
def test_a_pasted_page_does_not_fill_the_heap(pasted):
    desk = Desk()
    said = desk.say(pasted)
    assert said.count(PROMPT) == pasted.count(b"\r")
    assert desk.waited <= WAITING_MOST


def test_a_long_answer_never_holds_the_loop():
    """A step writes at most a UART's buffer, so a sample waits for no one."""
    desk = Desk()
    desk.console.typed += b"show\r"
    steps = 0
    while desk.listen() or desk.console.typed:
        steps += 1
    assert steps > 5


def test_the_arrows_bring_back_four_lines_and_no_secret():
    desk = Desk()
    for line in ("get level.alert", "get level.warning", "diff", "get level.danger", "get level.danger", "show siren"):
        desk.answer(line)
    desk.answer("set wifi.key correcthorse")
    desk.answer("login 123456")
    up, down = b"\x1b[A", b"\x1bOB"
    assert desk.say(up).endswith("> show siren")
    assert desk.say(up).endswith("> get level.danger")
    assert desk.say(up).endswith("> diff")
    assert desk.say(up).endswith("> get level.warning")
    assert desk.say(up) == ""
    assert desk.say(down).endswith("> diff")
    assert "wifi.key -> *" in desk.say(b"\r")
    assert desk.say(up + down).endswith("> ")
    assert "correcthorse" not in str(vars(desk.app._console._lines))
    assert "123456" not in str(vars(desk.app._console._lines))


# (what is typed, what stands on the line then)
COMPLETIONS = (
    ("sav", "save "), ("s", "s"), ("sh", "sh"), ("she", "shelve "),
    ("set lev", "set level."), ("set level.da", "set level.danger "),
    ("get sens", "get sensor.height "), ("set wifi.k", "set wifi.key "), ("get wifi.k", "get wifi.k"),
    ("help ma", "help ma"), ("help mai", "help maintenance "),
    ("export e", "export events "), ("x", "x"), ("set level.danger 1", "set level.danger 1"), ("test o", "test off "), ("login 1", "login 1"),
)  # fmt: skip


@pytest.mark.parametrize(("begun", "whole"), COMPLETIONS)
def test_tab_completes_commands_then_keys(begun, whole):
    desk = Desk()
    desk.say(begun.encode() + b"\t")
    assert desk.app._console._lines.text == whole


def test_tab_on_what_goes_several_ways_names_them():
    said = Desk().say(b"sh\t")
    assert said == "sh\r\nshow shelve\r\n\r\x1b[K> sh"


def test_secrets_are_not_echoed_however_they_are_typed():
    for typed in (
        b"login 123456",
        b" login  123456",
        b"set wifi.key 12345678",
        b"  set  wifi.key 12345678",
        b"lox\bgin 123456",
    ):
        assert "1234" not in Desk().say(typed), typed
    assert Desk().say(b"set wifi.ssid 123456").endswith("123456")


WORDS = st.sampled_from(
    [*[row[0] for row in ROWS], *KEYS, "1", "0.5", "-3", "99999", "m", "cm", "min", "off", "events", "machine off"]
)
LINES = st.lists(WORDS, max_size=5).map(lambda words: " ".join(words).encode() + b"\r")
PASTE = st.lists(LINES | st.binary(max_size=40), max_size=12).map(b"".join)


@settings(max_examples=200, deadline=None)
@given(PASTE, st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_any_bytes_in_any_chunks_change_nothing_without_save(data, chunks):
    for word in (
        b"save",
        b"level",
        b"calibrate",
        b"drill",
        b"test",
        b"export",
        b"log",
    ):  # what a key ends depends on when it comes
        data = data.replace(word + b" ", b"x ").replace(word + b"\r", b"x\r")
    desk = Desk()
    before = list(desk.app.settings.values)
    whole = Desk().say(data)
    said = ""
    at = turn = 0
    while at < len(data):
        size = chunks[turn % len(chunks)]
        said += desk.say(data[at : at + size])
        at, turn = at + size, turn + 1
    assert said == whole
    assert desk.app.settings.values == before
    assert desk.app.settings.revision == 1
    assert desk.waited <= WAITING_MOST
    assert "this list" in desk.say(b"\x03help\r")
