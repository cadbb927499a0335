"""The AT dialogue with the chip's model, and with anything at all: never stuck, and back within a bounded time."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from node.core.modem import Modem
from simulator.chips.modem import ModemChip

WRAP = 1 << 30
MINUTE_MS = 60_000
# A slow pause with its quarter of chance, the longest redial, a dial that is not answered, all rungs of the power key: one after the other.
BACK_WITHIN_MS = 375_000 + 120_000 + 75_000 + 90_000
REASONS = ("", "modem no sim", "modem pin", "modem denied", "modem no network", "modem no carrier", "modem ppp down", "modem silent")  # fmt: skip


class Line:
    """Station and modem on one serial line, in steps of 100 ms; the ticks wrap soon."""

    def __init__(self, chip=None, pin="", seed=7, now_ms=WRAP - 30_000):
        self.chip = chip or ModemChip()
        self.modem = Modem("internet", pin, seed)
        self.t = 0
        self._from = now_ms
        self._key = 0

    @property
    def now(self):
        return (self._from + self.t) % WRAP

    def step(self, ms=100):
        chip, modem = self.chip, self.modem
        data = chip.read(self.t)
        if not modem.data:
            modem.receive(self.now, data, len(data))
        modem.step(self.now)
        if modem.out:
            chip.write(self.t, bytes(modem.out))
            modem.out = bytearray()
        if modem.key != self._key:
            self._key = modem.key
            chip.key(self.t, modem.key)
        assert modem.reason in REASONS
        assert modem.key in (0, 1)
        self.t += ms

    def run(self, ms, until=None):
        end = self.t + ms
        while self.t < end and not (until and until()):
            self.step()
        return self

    def connects_within(self, ms):
        self.run(ms, until=lambda: self.modem.data)
        return self.modem.data and self.chip.data


def test_a_modem_with_everything_is_connected_within_two_seconds():
    line = Line()
    assert line.connects_within(2000)
    assert line.chip.heard == ["AT", "ATE0", "AT+CMEE=1", "AT+CPIN?", "AT+CSQ", "AT+CEREG?", 'AT+CGDCONT=1,"IP","internet"', "ATD*99#"]  # fmt: skip
    assert line.modem.signal == -77


@pytest.mark.parametrize(
    ("sim", "reason"),
    [("none", "modem no sim"), ("pin", "modem pin"), ("puk", "modem pin"), ("busy", "modem no sim")],
)
def test_what_a_sim_lacks_is_told_and_asked_for_again_after_minutes(sim, reason):
    line = Line()
    line.chip.sim = sim
    line.run(5 * MINUTE_MS)
    assert line.modem.reason == reason
    asked = line.chip.heard.count("AT+CPIN?")
    line.chip.sim = "ready"
    assert line.connects_within(7 * MINUTE_MS)
    assert asked <= (60 if sim == "busy" else 1)


def test_the_right_pin_opens_the_sim():
    line = Line(ModemChip(pin="1234"), pin="1234")
    assert line.connects_within(10_000)
    assert (line.chip.pins_sent, line.chip.pins_wrong) == (1, 0)


def test_a_wrong_pin_is_tried_once_whatever_resets_follow():
    chip = ModemChip(pin="1234")
    for boot in range(4):
        line = Line(chip, pin="4321", seed=boot + 1)
        line.t = boot * 100 * MINUTE_MS
        line.run(60 * MINUTE_MS)
        assert line.modem.reason == "modem pin"
    assert chip.pins_sent == 1
    assert chip.tries == 2


class Hasty(Modem):
    """Does not ask how many tries the SIM has left."""

    def _ask(self, now_ms, step):
        super()._ask(now_ms, 10 if step == 9 else step)


class Deaf(Modem):
    """Never climbs a rung: asks for ever."""

    def _no_answer(self, now_ms):
        self._unheard = self._rung = 0
        super()._no_answer(now_ms)


def test_a_dialogue_that_does_not_ask_for_the_tries_burns_the_sim():
    chip = ModemChip(pin="1234")
    for boot in range(4):
        line = Line(chip)
        line.modem = Hasty("internet", "4321", boot + 1)
        line.t = boot * 100 * MINUTE_MS
        line.run(10 * MINUTE_MS)
    assert chip.sim == "puk"


def test_a_dialogue_that_only_repeats_itself_never_wakes_a_modem():
    line = Line()
    line.modem = Deaf("internet")
    line.chip.mute = True
    assert not line.connects_within(BACK_WITHIN_MS)


def test_a_denied_registration_is_told_and_tried_again_after_minutes():
    line = Line()
    line.chip.network = 3
    line.run(4 * MINUTE_MS)
    assert line.modem.reason == "modem denied"
    assert line.chip.heard.count("AT+CEREG?") == 1
    line.chip.network = 5
    assert line.connects_within(5 * MINUTE_MS)


def test_a_search_without_a_network_gives_up_and_rests():
    line = Line()
    line.chip.network = 2
    line.run(2 * MINUTE_MS)
    assert line.modem.reason == "modem no network"
    asked = line.chip.heard.count("AT+CEREG?")
    assert 30 <= asked <= 45
    line.run(5 * MINUTE_MS)
    assert line.chip.heard.count("AT+CEREG?") - asked <= 15
    line.chip.network = 1
    assert line.connects_within(7 * MINUTE_MS)


def test_a_call_that_broke_is_hung_up_and_dialled_again_later_each_time():
    line = Line()
    gaps = []
    for _ in range(7):
        assert line.connects_within(3 * MINUTE_MS)
        began = line.t
        line.modem.dropped(line.now)
        line.run(100)
        assert line.connects_within(3 * MINUTE_MS)
        gaps.append(line.t - began)
    assert gaps[0] < 10_000
    assert gaps[-1] > 30_000
    assert line.modem.reason == "modem ppp down"
    line.modem.carried()
    assert line.modem.reason == ""
    began = line.t
    line.modem.dropped(line.now)
    line.run(100)
    assert line.connects_within(10_000), "what carried begins anew"


def test_the_escape_comes_with_its_silence_and_ends_a_call_that_outlived_our_reset():
    line = Line()
    assert line.connects_within(2000)
    again = Line(line.chip)
    again.t = line.t
    assert again.connects_within(20_000)
    assert again.chip.calls == 2
    assert not again.chip.pulses


def test_a_modem_that_is_off_is_switched_on():
    line = Line()
    line.chip.on = False
    assert line.connects_within(40_000)
    assert line.chip.pulses == [1000]


def test_a_modem_that_hangs_is_switched_off_and_on():
    line = Line()
    line.chip.mute = True
    assert line.connects_within(90_000)
    assert line.chip.pulses == [1000, 3000, 1000]


def test_a_modem_that_hangs_in_a_call_is_found_again():
    line = Line()
    assert line.connects_within(2000)
    line.chip.mute = True
    line.modem.dropped(line.now)
    line.run(100)
    assert line.connects_within(2 * MINUTE_MS)


def test_a_broken_modem_is_told_and_its_key_is_pressed_every_few_minutes_only():
    line = Line()
    line.chip.broken = True
    line.run(60 * MINUTE_MS)
    assert line.modem.reason == "modem silent"
    assert 2 * 3 <= len(line.chip.pulses) <= 12 * 3
    assert line.modem.key == 0


def test_no_carrier_is_told_and_dialled_again():
    line = Line()
    line.chip.carries = False
    line.run(3 * MINUTE_MS)
    assert line.modem.reason == "modem no carrier"
    assert 4 <= line.chip.heard.count("ATD*99#") <= 12
    line.chip.carries = True
    assert line.connects_within(3 * MINUTE_MS)


def test_lines_nobody_asked_for_change_nothing():
    line = Line()
    for at in range(0, 2000, 100):
        line.chip.says(at, b'\r\n+CEREG: 2\r\n\r\n+CMTI: "SM",1\r\nRING\r\n')
    assert line.connects_within(3000)


def test_an_answer_of_a_thousand_letters_is_passed_over():
    line = Line()
    line.chip.says(0, b"+CPIN: " + b"A" * 5000 + b"\r\n")
    assert line.connects_within(3000)
    assert len(line.modem._line) <= 120


JUNK = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"OK\r\n", b"ERROR\r\n", b"CONNECT\r\n", b"NO CARRIER\r\n", b"+CME ERROR: 10\r\n", b"+CME ERROR: x\r\n", b"+CPIN: READY\r\n",
         b"+CPIN: SIM PIN\r\n", b"+CPIN: SIM REMOVED\r\n", b"+CEREG: 0,1\r\n", b"+CEREG: 0,3\r\n", b"+CREG: ,\r\n", b"+CSQ: 99,99\r\n", b"+CSQ: \xff\r\n",
         b"+SPIC: 3\r\n", b"RDY\r\n", b"\r\n", b"\x7e\xff\x7d\x23"]
    ),
)  # fmt: skip
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 200_000),
        st.one_of(
            JUNK, st.sampled_from(["off", "mute", "none", "busy", "denied", "lost", "no call", "drop", "hang up"])
        ),
    ),
    max_size=12,
)


def trouble(line, what):
    chip = line.chip
    if isinstance(what, bytes):
        chip.says(line.t, what)
    elif what == "off":
        chip.on = chip.data = False
    elif what == "mute":
        chip.mute = True
    elif what in ("none", "busy"):
        chip.sim = what
    elif what in ("denied", "lost"):
        chip.network = 3 if what == "denied" else 2
    elif what == "no call":
        chip.carries = False
    elif what == "hang up":
        chip.hang_up(line.t)
    elif line.modem.data:
        line.modem.dropped(line.now)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(1, 65535))
def test_whatever_was_said_or_happened_it_is_connected_again_within_a_bounded_time(events, seed):
    line = Line(seed=seed)
    for gap_ms, what in sorted(events, key=lambda one: one[0]):
        line.run(gap_ms - line.t if gap_ms > line.t else 0)
        trouble(line, what)
    line.chip.sim, line.chip.network, line.chip.carries = "ready", 1, True
    if line.modem.data and not line.chip.data:  # a call that carries nothing, which PPP notices
        line.modem.dropped(line.now)
    began = line.t
    while line.t - began < BACK_WITHIN_MS and not (line.modem.data and line.chip.data):
        line.run(BACK_WITHIN_MS, until=lambda: line.modem.data)
        if line.modem.data and not line.chip.data:
            line.modem.dropped(line.now)
            line.step()
    event(f"minutes: {(line.t - began) // MINUTE_MS}")
    assert line.modem.data and line.chip.data, (line.modem.reason, line.chip.heard[-5:])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 400_000)), max_size=40))
def test_any_bytes_leave_it_with_something_to_do_and_little_to_keep(said):
    modem = Modem("internet", "1234", 3)
    now = WRAP - 1000
    for data, ms in said:
        modem.receive(now, data, len(data))
        modem.step(now)
        assert len(modem.out) <= 120
        assert len(modem._line) <= 120
        assert modem.data or -400_000 <= (modem._at - now + WRAP // 2) % WRAP - WRAP // 2 <= 375_000
        modem.out = bytearray()
        now = (now + ms) % WRAP
