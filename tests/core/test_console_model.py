"""Somebody types for hours; a model knows what is live, what is only typed and who may type it. Short in `make test`, a million steps by hand."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from node.core import fixed
from node.core import settings as S
from tests.core.console_desk import WAITING_MOST, Desk

PIN = "4711"
STEPS = 50
BLANKING_MM = 30
PARTS = {
    "m": ((1, "m"), (100, "cm"), (1000, "mm")),
    "V": ((1, "V"), (1000, "mV")),
    "A": ((1, "A"), (1000, "mA")),
    "s": ((1, "s"),),
    None: ((1, ""),),
}


def out_of_reach(values):
    highest = values[S.SENSOR_HEIGHT] - BLANKING_MM
    if values[S.LEVEL_DANGER] > highest:
        return True
    return bool(values[S.RISE_LIMIT]) and 2 * values[S.SAMPLE_INTERVAL] > values[S.RISE_WINDOW]


class Technician(RuleBasedStateMachine):
    """The model: `live`, `typed` (index -> value), `revision`, `user`, `machine`."""

    @initialize(guarded=st.booleans())
    def sit_down(self, guarded):
        self.desk = Desk(PIN if guarded else None)
        self.desk.run(1500)
        self.guarded = guarded
        self.user = not guarded
        self.machine = False
        self.live = list(self.desk.app.settings.values)
        self.typed = {}
        self.revision = 1

    def said(self, line):
        """(lines, code or None)."""
        if self.machine:
            return self.desk.ask(line)
        return [text for text in self.desk.answer(line) if text], None

    def proposed(self):
        return [self.typed.get(i, value) for i, value in enumerate(self.live)]

    def expect(self, found, code, beginning):
        lines, how = found
        assert how in (None, code), found
        assert lines[-1].startswith(beginning) or lines[0].startswith(beginning), found

    @rule(i=st.integers(0, len(S.ROWS) - 1), part=st.integers(-5, 105), unit=st.integers(0, 3))
    def set_one(self, i, part, unit):
        key, named, decimals, _, low, high = S.ROWS[i]
        value = low + (high - low) * part // 100
        times, name = PARTS[named][unit % len(PARTS[named])]
        finer = {1: 0, 100: 2, 1000: 3}[times]
        word = fixed.text(value * 10**finer // 10**finer * (times // 10**finer or 1), max(decimals - finer, 0))
        found = self.said(f"set {key} {word} {name}".strip())
        if not self.user:
            self.expect(found, "pin", "refused: login PIN first")
        elif low <= value <= high:
            self.typed[i] = value
            if value == self.live[i]:
                del self.typed[i]
            self.expect(found, "ok", f"{key} {word}{' ' + name if name else ''} (was ")
            assert any("levels out of order" in line for line in found[0]) == (S.conflict(self.proposed()) is not None)
        else:
            self.expect(
                found, "refused", f"refused: {key} must be {S.shown(S.ROWS[i], low)} to {S.shown(S.ROWS[i], high)}"
            )

    @rule(storage_works=st.booleans())
    def save(self, storage_works):
        self.desk.storage.writes_fail = not storage_works
        found = self.said("save")
        self.desk.storage.writes_fail = False
        proposed = self.proposed()
        if not self.user:
            self.expect(found, "pin", "refused: login PIN first")
        elif proposed == self.live:
            self.expect(found, "ok", "nothing to save")
        elif S.conflict(proposed):
            self.expect(found, "refused", "refused: levels out of order")
        elif out_of_reach(proposed) and not out_of_reach(self.live):
            self.expect(found, "refused", "refused: ")
        elif not storage_works:
            self.expect(found, "failed", "not saved")
        else:
            self.revision += 1
            self.expect(found, "ok", f"saved, revision {self.revision}")
            assert len(found[0]) == 1 + len(self.typed)
            self.live = proposed
            self.typed = {}

    @rule()
    def revert(self):
        found = self.said("revert")
        if self.user:
            self.expect(found, "ok", f"reverted: {len(self.typed)} forgotten")
            self.typed = {}

    @rule()
    def diff(self):
        lines, _ = self.said("diff")
        rows = [
            f"{S.ROWS[i][0]} {S.shown(S.ROWS[i], self.live[i])} -> {S.shown(S.ROWS[i], self.typed[i])}"
            for i in sorted(self.typed)
        ]
        assert lines == (rows or ["no difference"])

    @rule(i=st.integers(0, len(S.ROWS) - 1))
    def get(self, i):
        lines, _ = self.said("get " + S.ROWS[i][0])
        typed = f" * {S.shown(S.ROWS[i], self.typed[i])}:" if i in self.typed else ":"
        assert lines[0].startswith(f"{S.ROWS[i][0]} {S.shown(S.ROWS[i], self.live[i])}{typed}")

    @rule(data=st.binary(max_size=30))
    def lean_on_the_keyboard(self, data):
        for byte in b"\r\n\x03\x15\t":
            data = data.replace(bytes((byte,)), b"")
        self.desk.say(data + b"\x15")

    @rule()
    def log_in(self):
        found = self.said("login " + PIN)
        if self.guarded:
            self.expect(found, "ok", "logged in")
        self.user = True

    @rule()
    def log_out(self):
        said = self.desk.say(b"logout\r")
        assert said.endswith("> ")
        self.machine = False
        self.typed = {}
        self.user = not self.guarded

    @rule()
    def a_program_comes(self):
        self.desk.say(b"\x15machine\r")
        self.machine = True

    @rule()
    def everybody_leaves(self):
        self.desk.app._books.uptime.seconds += 700
        self.desk.say(b"")
        self.machine = False
        self.typed = {}
        self.user = not self.guarded

    @rule()
    def the_plug_is_pulled(self):
        self.desk.console.typed += b"sav"
        self.desk.listen()
        self.desk.boot()
        self.desk.run(1500)
        self.machine = False
        self.typed = {}
        self.user = not self.guarded

    @invariant()
    def what_runs_is_what_was_saved(self):
        if hasattr(self, "desk"):
            found = self.desk.app.settings
            assert found.values == self.live
            assert found.revision == self.revision
            assert found.staged == self.typed
            assert self.desk.waited <= WAITING_MOST
            assert self.desk.app.defects == 0


def run(examples):
    quiet = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(Technician, settings=quiet)


def test_a_technician_against_a_model():
    run(40)


@pytest.mark.once
def test_a_technician_against_a_model_for_a_million_steps():
    run(1_000_000 // STEPS)
