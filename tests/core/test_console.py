"""The technician's dialogue: what is said to what is typed, whatever is typed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from node.core import fixed
from node.core import settings as S
from node.core.console import HELP, Console
from tests import vm64

KEYS = [row[0] for row in S.ROWS]
PROMPT = "> "
# The heap of a board is small: however much is pasted, no more than this waits to be written.
WAITING_MOST = 1500


class Desk:
    """A console on a cable, and actions that remember."""

    def __init__(self):
        self.settings = S.Settings({})
        self.typed = bytearray()
        self.said = bytearray()
        self.did = []
        self.storage_works = True
        self.network = {}
        self.console = Console(self, self.settings, self)
        self.waited = 0

    # the port

    def read_into(self, buffer):
        count = min(len(buffer), len(self.typed))
        buffer[:count] = self.typed[:count]
        del self.typed[:count]
        return count

    def write(self, data):
        assert len(data) <= 48
        self.said += data

    # the actions

    def keep(self, settings):
        values = settings.proposed()
        problem = S.conflict(values)
        if problem:
            raise ValueError(problem)
        if not self.storage_works:
            raise OSError(5)
        return settings.apply()

    def state_line(self):
        return "normal"

    def acknowledge(self):
        self.did.append("ack")

    def shelve(self, seconds):
        self.did.append(seconds)

    def drill(self, state):
        if not state:
            raise ValueError("a drill is of state 1 alert, 2 warning or 3 danger")
        self.did.append("drill %d" % state)

    def reboot(self):
        self.did.append("reboot")

    # the test

    def type(self, data):
        """Bytes, or a line; what was said."""
        if isinstance(data, str):
            data = data.encode() + b"\r"
        self.said.clear()
        self.typed += data
        for _ in range(100_000):
            more = self.console.step()
            self.waited = max(self.waited, len(self.console._out))
            if not more and not self.typed:
                return self.said.decode()
        raise AssertionError("it never ends")

    def answer(self, line):
        """What is said to a line, without its echo and the prompt."""
        said = self.type(line)
        assert said.startswith(line + "\r\n")
        assert said.endswith(PROMPT)
        return said[len(line) : -len(PROMPT)].strip().split("\r\n")


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
        ("set level.danger 1.2 cm", "refused: level.danger is in m, not cm"),
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
        ("get", "usage: get KEY"),
        ("save now", "usage: save"),
        ("ack 1", "usage: ack"),
    ),
    "alarm": (
        ("ack", "acknowledged"),
        ("shelve 30", "shelved for 30 min"),
        ("shelve 0", "no longer shelved"),
    ),
    "drill": (
        ("drill 2", "a drill"),
        ("drill 4", "refused: a drill is of state 1 alert"),
        ("drill", "usage: drill STATE"),
        ("reboot", "starting again"),
    ),
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_dialogue_goes_as_written(name):
    desk = Desk()
    for line, *words in DIALOGUES[name]:
        said = "\n".join(desk.answer(line))
        for word in words:
            assert word in said


def test_commands_reach_the_station():
    desk = Desk()
    for line in ("ack", "shelve 30", "shelve 0", "shelve 1440", "shelve 1441", "shelve x"):
        desk.answer(line)
    assert desk.did == ["ack", 1800, 0, 86400]


def test_help_names_every_command_and_every_command_is_in_help():
    desk = Desk()
    said = desk.answer("help")
    assert [line.split()[0].rstrip(":") for line in said] == [row[0] for row in HELP]
    for name, arguments, _ in HELP:
        line = " ".join([name, *["1" for _ in arguments.replace("[UNIT]", "").split()]])
        assert "no command" not in "\n".join(desk.answer(line)), line


def test_show_and_get_follow_the_table():
    desk = Desk()
    shown = desk.answer("show")
    assert shown[0] == "normal"
    assert [line.split()[0] for line in shown[1:]] == KEYS
    for i, row in enumerate(S.ROWS):
        (said,) = desk.answer("get " + row[0])
        assert (
            said
            == f"{row[0]} {S.shown(S.ROWS[i], row[3])}: {row[6]} ({S.shown(S.ROWS[i], row[4])} to {S.shown(S.ROWS[i], row[5])})"
        )


def test_a_setting_that_storage_refuses_stays_typed():
    desk = Desk()
    desk.answer("set level.danger 1.2")
    desk.storage_works = False
    assert desk.answer("save") == ["not saved: storage does not take it; the old settings stay"]
    assert desk.settings.get(S.LEVEL_DANGER) == 1500
    desk.storage_works = True
    assert desk.answer("save")[-1] == "saved, revision 2"


# keys: (bytes, words in what is said, the command that was taken)
KEYSTROKES = (
    (b"helx\bp\r", "usage|this list"), (b"helx\x7fp\r", "this list"), (b"\b\b\bhelp\r", "this list"),
    (b"rubbish\x03help\r", "this list"), (b"rubbish\x15help\r", "this list"), (b"help\n", "this list"),
    (b"help\r\n", "this list"), (b"\x1b[Ahelp\r", "no command"), (b"  help  \r", "this list"), (b"he\x00lp\r", "this list"),
    (b"\xc3\xa4help\r", "this list"), (b"x" * 200 + b"\x03help\r", "this list"), (b"x" * 81 + b"\rhelp\r", "this list"),
)  # fmt: skip


@pytest.mark.parametrize(("keys", "word"), KEYSTROKES)
def test_keystrokes_edit_the_line(keys, word):
    said = Desk().type(keys)
    assert any(each in said for each in word.split("|"))


def test_enter_alone_and_both_ends_of_line_prompt_once():
    desk = Desk()
    assert desk.type(b"\r") == desk.type(b"\r\n") == "\r\n" + PROMPT
    assert desk.type(b"\n\n").count(PROMPT) == 2


def test_backspace_erases_what_is_seen_and_no_more():
    assert Desk().type(b"ab\b\b\b") == "ab\b \b\b \b"


@pytest.mark.parametrize(
    ("count", "word"), [(96, "no command"), (97, "too long: at most 96"), (5000, "too long: at most 96")]
)
def test_an_overlong_line_is_refused_whole(count, word):
    desk = Desk()
    said = desk.type(b"s" * count + b"\r")
    assert word in said
    assert said.index("\r") <= 96, "what is not taken is not echoed"
    assert "this list" in desk.type("help")


@pytest.mark.parametrize(
    "pasted", [b"show\r" * 500, b"help\r" * 500, b"get level.danger\r" * 500, b"x" * 20000, b"\r" * 5000]
)
def test_a_pasted_page_does_not_fill_the_heap(pasted):
    desk = Desk()
    said = desk.type(pasted)
    assert said.count(PROMPT) == pasted.count(b"\r")
    assert desk.waited <= WAITING_MOST


def test_a_long_answer_never_holds_the_loop():
    """A step writes at most a UART's buffer, so a sample waits for no one."""
    desk = Desk()
    desk.typed += b"show\r"
    steps = 0
    while desk.console.step() or desk.typed:
        steps += 1
    assert steps > 5


WORDS = st.sampled_from([*[row[0] for row in HELP], *KEYS, "1", "0.5", "-3", "99999", "m", "s", "x"])
LINES = st.lists(WORDS, max_size=5).map(lambda words: " ".join(words).encode() + b"\r")
PASTE = st.lists(LINES | st.binary(max_size=40), max_size=12).map(b"".join)


@settings(max_examples=300)
@given(PASTE, st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_any_bytes_in_any_chunks_change_nothing_without_save(data, chunks):
    data = data.replace(b"save", b"SAVE")
    desk = Desk()
    before = list(desk.settings.values)
    whole = Desk().type(data)
    said = ""
    at = turn = 0
    while at < len(data):
        size = chunks[turn % len(chunks)]
        said += desk.type(data[at : at + size])
        at, turn = at + size, turn + 1
    assert said == whole
    assert desk.settings.values == before
    assert desk.settings.revision == 1
    assert desk.waited <= WAITING_MOST
    assert "this list" in desk.type(b"\x03help\r")


class Technician(RuleBasedStateMachine):
    """Somebody types whole lines; the model knows what is live and what is only typed."""

    @initialize()
    def sit_down(self):
        self.desk = Desk()
        self.live = [row[3] for row in S.ROWS]
        self.typed = {}
        self.revision = 1

    @rule(i=st.integers(0, len(S.ROWS) - 1), part=st.integers(-10, 110), unit=st.booleans())
    def set_one(self, i, part, unit):
        key, named, decimals, _, low, high, _ = S.ROWS[i]
        value = low + (high - low) * part // 100
        line = f"set {key} {fixed.text(value, decimals)}" + (f" {named}" if unit and named else "")
        said = "\n".join(self.desk.answer(line))
        if low <= value <= high:
            self.typed[i] = value
            assert f"{key} {S.shown(S.ROWS[i], value)} (was {S.shown(S.ROWS[i], self.live[i])})" in said
            assert ("warning: " in said) == (S.conflict(self.proposed()) is not None)
        else:
            assert said.startswith("refused: ")
            assert S.shown(S.ROWS[i], low) in said

    def proposed(self):
        return [self.typed.get(i, value) for i, value in enumerate(self.live)]

    @rule(storage_works=st.booleans())
    def save(self, storage_works):
        self.desk.storage_works = storage_works
        said = self.desk.answer("save")
        if self.proposed() == self.live:
            assert said == ["nothing to save"]
        elif S.conflict(self.proposed()):
            assert said[0].startswith("refused: levels out of order")
        elif not storage_works:
            assert said[0].startswith("not saved")
        else:
            assert len(said) == 1 + sum(old != new for old, new in zip(self.live, self.proposed(), strict=True))
            self.live = self.proposed()
            self.typed = {}
            self.revision += 1
            assert said[-1] == f"saved, revision {self.revision}"

    @rule()
    def revert(self):
        self.desk.answer("revert")
        self.typed = {}

    @rule(data=st.binary(max_size=30))
    def lean_on_the_keyboard(self, data):
        self.desk.type(data.replace(b"\r", b"").replace(b"\n", b"") + b"\x03")

    @invariant()
    def what_runs_is_what_was_saved(self):
        if hasattr(self, "desk"):
            assert self.desk.settings.values == self.live
            assert self.desk.settings.revision == self.revision
            assert self.desk.settings.proposed() == self.proposed()


TestTechnicianAgainstAModel = Technician.TestCase
TestTechnicianAgainstAModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_micropython_answers_the_same():
    lines = [row[0] for dialogue in DIALOGUES.values() for row in dialogue] + ["help", "show"]
    typed = b"".join(line.encode() + b"\r" for line in lines) + b"".join(keys for keys, _ in KEYSTROKES)
    script = f"""
from node.core import settings as S
from node.core.console import Console
class Port:
    typed = {typed!r}
    said = b""
    network = {{}}
    def drill(self, state):
        if not state:
            raise ValueError("a drill is of state 1 alert, 2 warning or 3 danger")
    def reboot(self): pass
    def read_into(self, buffer):
        count = min(len(buffer), len(self.typed))
        for i in range(count):
            buffer[i] = self.typed[i]
        self.typed = self.typed[count:]
        return count
    def write(self, data):
        self.said += data
    def state_line(self):
        return "normal"
    def keep(self, settings):
        if S.conflict(settings.proposed()):
            raise ValueError(S.conflict(settings.proposed()))
        return settings.apply()
    def acknowledge(self):
        pass
    def shelve(self, seconds):
        pass
port = Port()
console = Console(port, S.Settings({{}}), port)
while console.step() or port.typed:
    pass
print(repr(port.said))
"""
    desk = Desk()
    assert eval(vm64.run(script)) == desk.type(typed).encode()  # noqa: S307
