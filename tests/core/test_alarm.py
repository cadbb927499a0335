from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.alarm import ALERT, DANGER, NORMAL, WARNING, LevelAlarm, RiseAlarm
from node.core.clock import WRAP
from tests import vm32, vm64

LIMITS = array("i", (600, 1000, 1500))
GOOD, NEWEST, SUSPECT, FAILED, MISSING = 1, 2, 3, 4, 9


def alarm(deadband=50, on_delay_s=0, off_delay_s=0, confirm=2, latched=0):
    return LevelAlarm(LIMITS, deadband, on_delay_s, off_delay_s, confirm, latched)


def play(made, bursts, step_ms=1000, now_ms=WRAP - 3000):
    """States after each (value, flag) or value; starts just below the wrap."""
    out = []
    for i, burst in enumerate(bursts):
        value, flag = burst if isinstance(burst, tuple) else (burst, NEWEST)
        out.append(made.update(value, flag, (now_ms + i * step_ms) % WRAP))
    return out


def test_a_level_is_raised_by_two_consecutive_bursts_at_or_above_it():
    made = alarm()
    assert play(made, [599, 600, 599, 600, 600]) == [0, 0, 0, 0, 1]
    made = alarm()
    assert play(made, [2000, 2000]) == [0, 3]


def test_confirming_asks_for_another_burst_after_each_first_crossing():
    made = alarm()
    seen = []
    for i, value in enumerate([500, 700, 700, 1100, 900, 1100, 1100]):
        made.update(value, NEWEST, i * 1000)
        seen.append(made.confirming)
    assert seen == [False, True, False, True, False, True, False]


def test_confirming_gives_up_on_a_dead_sensor_but_keeps_its_first_burst():
    made = alarm()
    made.update(700, NEWEST, 0)
    seen = []
    for i in range(6):
        made.update(0, MISSING, 2000 * i)
        seen.append(made.confirming)
    assert seen == [True, True, True, True, False, False]
    assert made.update(700, NEWEST, 60_000) == ALERT


@pytest.mark.parametrize("flag", [GOOD, NEWEST, SUSPECT])
def test_flags_1_to_3_raise_because_extremes_are_real(flag):
    assert play(alarm(), [(1600, flag)] * 2) == [NORMAL, DANGER]


@pytest.mark.parametrize("flag", [FAILED, MISSING])
def test_a_failed_burst_never_raises_and_never_clears(flag):
    assert play(alarm(), [(1600, flag)] * 5) == [0] * 5
    assert play(alarm(), [1600, 1600] + [(0, flag)] * 5) == [0] + [3] * 6


def test_alarm_clears_only_below_deadband():
    assert play(alarm(), [700, 700, 551, 550, 549]) == [0, 1, 1, 1, 0]


def test_on_delay_runs_from_the_first_burst_at_or_above():
    assert play(alarm(on_delay_s=3), [600, 600, 600, 600]) == [0, 0, 0, 1]
    assert play(alarm(on_delay_s=3), [600, 600, 599, 600, 600, 600, 600]) == [0] * 6 + [1]


def test_off_delay_runs_from_the_first_burst_below_the_deadband():
    assert play(alarm(off_delay_s=2), [600, 600, 549, 549, 550, 549, 549, 549]) == [0, 1, 1, 1, 1, 1, 1, 0]


def test_failed_bursts_neither_restart_nor_complete_a_pending_raise():
    made = alarm(on_delay_s=3)
    assert play(made, [600, (0, MISSING), 600, (0, FAILED), (0, MISSING), 600]) == [0, 0, 0, 0, 0, 1]


def test_failed_bursts_hold_a_pending_clear():
    """Only 549 after 549 counts: 1 s, then nothing for 2 s, then 1 s more."""
    made = alarm(off_delay_s=2)
    assert play(made, [600, 600, 549, 549, (0, MISSING), 549, 549]) == [0, 1, 1, 1, 1, 1, 0]


def test_levels_clear_one_by_one_and_all_at_once():
    assert play(alarm(), [1600, 1600, 1100, 700, 100]) == [0, 3, 2, 1, 0]
    assert play(alarm(), [1600, 1600, 100]) == [0, 3, 0]


def test_a_latched_alarm_stays_until_acknowledged_and_cleared():
    made = alarm(latched=1)
    assert play(made, [1600, 1600, 1100, 100]) == [0, 3, 3, 3]
    assert made.acknowledge() == NORMAL
    made = alarm(latched=1)
    assert play(made, [1600, 1600]) == [0, 3]
    assert made.acknowledge() == DANGER
    assert play(made, [1400, 100], now_ms=5000) == [2, 0]
    assert play(made, [1600, 1600, 100], now_ms=9000) == [0, 3, 3]


def test_an_acknowledged_alarm_is_silent_until_it_rises_higher_or_again():
    made = alarm()
    play(made, [1100, 1100], now_ms=0)
    assert made.sounding(2000) == WARNING
    made.acknowledge()
    assert made.sounding(2000) == NORMAL
    play(made, [1600, 1600], now_ms=3000)
    assert made.sounding(5000) == DANGER
    made.acknowledge()
    play(made, [1100, 1100], now_ms=6000)
    assert (made.state, made.sounding(8000)) == (WARNING, NORMAL)
    play(made, [1600, 1600], now_ms=9000)
    assert made.sounding(11_000) == DANGER


def test_shelving_silences_and_ends_by_itself_across_the_wrap_and_beyond_it():
    made = alarm()
    play(made, [1100, 1100], now_ms=0)
    now, seconds = 2000, 20 * 86400  # longer than the 12.4 days that milliseconds can count
    made.shelve(now, seconds)
    for hour in range(1, 20 * 24 + 1):
        assert made.sounding(now) == NORMAL, hour
        now = (now + 3_600_000 - 1) % WRAP
        made.update(1100, NEWEST, now)
    assert made.shelved_s(now) == 1  # 480 hours, each a millisecond short
    assert made.sounding((now + 479) % WRAP) == NORMAL
    assert made.sounding((now + 480) % WRAP) == WARNING


def test_shelving_ends_when_told():
    made = alarm()
    play(made, [1100, 1100], now_ms=0)
    made.shelve(2000, 3600)
    made.shelve(3000, 0)
    assert made.sounding(3000) == WARNING


def test_shadow_decides_and_sounds_nothing():
    made = alarm()
    made.shadow = 1
    assert play(made, [1600, 1600], now_ms=0) == [0, 3]
    assert made.sounding(2000) == NORMAL
    made.shadow = 0
    assert made.sounding(2000) == DANGER


def test_out_of_service_decides_nothing_and_starts_afresh():
    made = alarm(confirm=2)
    play(made, [1600, 1600], now_ms=0)
    made.out_of_service = 1
    assert made.sounding(2000) == NORMAL
    assert play(made, [1600, 1600], now_ms=2000) == [0, 0]
    made.out_of_service = 0
    assert play(made, [1600, 1600], now_ms=4000) == [0, 3]


def test_changed_settings_keep_the_alarm_and_restart_what_was_pending():
    made = alarm(on_delay_s=10)
    play(made, [1100] * 12, now_ms=0)
    made.acknowledge()
    made.shelve(12_000, 100)
    made.configure(array("i", (600, 1000, 1200)), 50, 0, 2, 2, 0)
    assert (made.state, made.acknowledged) == (WARNING, WARNING)
    assert made.shelved_s(13_000) == 99
    assert play(made, [1300, 1300], now_ms=14_000) == [2, 3]
    assert play(made, [0, 0, 0], now_ms=16_000) == [3, 3, 0]


class Model:
    """What the docstring says, with the whole history and time that never wraps."""

    def __init__(self, deadband, on_delay_s, off_delay_s, confirm, latched):
        self.settings = (deadband, on_delay_s * 1000, off_delay_s * 1000, confirm)
        self.latched = latched
        self.active = [False] * 3
        self.changed = [0] * 3  # index of the first burst that a level may count
        self.bursts = []
        self.latch = self.acknowledged = self.state = 0

    def update(self, value, flag, t_ms):
        self.bursts.append((value, flag, t_ms))
        if flag in (1, 2, 3):
            for i in range(3):
                if self._turns(i):
                    self.active[i] = not self.active[i]
                    self.changed[i] = len(self.bursts) - self.active[i]
            self._settle()
        return self.state

    def _turns(self, i):
        deadband, on_ms, off_ms, confirm = self.settings
        run = []  # bursts of the pending change, the newest first
        for k in range(len(self.bursts) - 1, self.changed[i] - 1, -1):
            value, flag, _ = self.bursts[k]
            if flag in (1, 2, 3):
                if (value >= LIMITS[i] - deadband) if self.active[i] else (value < LIMITS[i]):
                    break
                run.append(k)
        if not run:
            return False
        times = [self.bursts[k][2] for k in run]
        if not self.active[i]:
            return len(run) >= confirm and times[0] - times[-1] >= on_ms
        seen = sum(self.bursts[b][2] - self.bursts[a][2] for b, a in pairwise(run) if b - a == 1)
        return seen >= off_ms

    def _settle(self):
        highest = max([i + 1 for i in range(3) if self.active[i]], default=0)
        if self.latched and highest > max(self.latch, self.acknowledged):
            self.latch = highest
        self.state = max(highest, self.latch)
        self.acknowledged = min(self.acknowledged, self.state)

    def acknowledge(self):
        self.acknowledged, self.latch = self.state, 0
        self._settle()
        return self.state


BURST = st.tuples(
    st.sampled_from([0, 549, 550, 599, 600, 949, 950, 1000, 1449, 1450, 1500, 2000]),
    st.sampled_from([1, 2, 2, 2, 3, 4, 9]),
    st.integers(0, 5000),
    st.sampled_from([False] * 9 + [True]),
)


@given(
    st.sampled_from([0, 50]), st.sampled_from([0, 0, 3, 7]), st.sampled_from([0, 0, 3, 7]), st.integers(1, 3),
    st.integers(0, 1), st.lists(BURST, max_size=60), st.integers(0, WRAP - 1),
)  # fmt: skip
def test_states_are_those_of_a_model_with_the_whole_history(deadband, on_s, off_s, confirm, latched, bursts, begin_ms):
    made = LevelAlarm(LIMITS, deadband, on_s, off_s, confirm, latched)
    model = Model(deadband, on_s, off_s, confirm, latched)
    t_ms = 0
    for value, flag, step_ms, acknowledges in bursts:
        t_ms += step_ms
        assert made.update(value, flag, (begin_ms + t_ms) % WRAP) == model.update(value, flag, t_ms)
        if acknowledges:
            assert made.acknowledge() == model.acknowledge()
        assert made.sounding((begin_ms + t_ms) % WRAP) == (model.state if model.state > model.acknowledged else 0)


def test_the_model_catches_a_planted_fault():
    """An alarm that clears at the limit itself must differ from the model."""
    made, model = LevelAlarm(LIMITS, 0, 0, 0, 1), Model(50, 0, 0, 1, 0)
    bursts = [(700, 2, 0), (599, 2, 1000)]
    assert [made.update(*burst) for burst in bursts] != [model.update(*burst) for burst in bursts]


def rise(points, limit=200, window_s=900, deadband=50):
    """States after each (t_s, value) or (t_s, value, flag, final flag of the point before)."""
    made = RiseAlarm(limit, window_s, deadband)
    return made, [made.update(value, *(rest[:1] or [NEWEST]), t, *rest[1:]) for t, value, *rest in points]


def test_a_rise_within_the_window_needs_two_consecutive_bursts():
    made, states = rise([(0, 500), (300, 600), (600, 700), (602, 700)])
    assert states == [0, 0, 0, 1]
    assert made.rise_mm == 200
    made, states = rise([(0, 500), (600, 700), (602, 699), (604, 700), (606, 699)])
    assert states == [0] * 5


def test_a_slower_rise_is_none():
    points = [(t, 500 + t * 199 // 900) for t in range(0, 7200, 60)]
    assert set(rise(points)[1]) == {0}
    points = [(t, 500 + t * 201 // 900) for t in range(0, 7200, 60)]
    assert 1 in rise(points)[1]


def test_a_rise_alarm_ends_below_its_deadband_and_a_failed_burst_decides_nothing():
    points = [
        (0, 500),
        (60, 800),
        (62, 800),
        (120, 0, MISSING, 1),
        (180, 0, FAILED, 9),
        (240, 650, 2, 4),
        (300, 649, 2, 1),
    ]
    assert rise(points)[1] == [0, 0, 1, 1, 1, 1, 0]


def test_a_spike_down_is_never_the_base():
    points = [(0, 500), (60, 200), (120, 500, 2, 4), (180, 500, 2, 1)]
    made, states = rise(points)
    assert states == [0, 0, 0, 0]
    made, states = rise([(0, 500), (60, 200), (120, 500, 2, 1), (180, 500, 2, 1)])  # had its final flag been good
    assert states == [0, 0, 0, 1]


def test_a_limit_of_0_switches_it_off():
    assert set(rise([(0, 0), (60, 3000), (62, 3000), (64, 3000)], limit=0)[1]) == {0}


def test_the_rate_is_over_the_window_and_negative_while_it_falls():
    made, _ = rise([(0, 500), (2, 503)])
    assert made.rate_mm_h() == 0  # two bursts are noise
    made, _ = rise([(0, 500), (300, 610), (600, 720)])
    assert made.rate_mm_h() == 1320
    made, _ = rise([(0, 720), (300, 610), (600, 500)])
    assert made.rate_mm_h() == -1320


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 400)), min_size=1, max_size=150), st.integers(300, 3600))
def test_rise_is_over_the_lowest_point_of_the_window_exact_to_one_slot(steps, window_s):
    made = RiseAlarm(200, window_s, 50)
    seen = []
    t = 0
    for step_s, value in steps:
        t += step_s
        made.update(value, NEWEST, t)
        seen.append((t, value))
        slot_s = window_s // 31 + 1
        full = value - min(v for at, v in seen if at >= t - window_s)
        less_a_slot = value - min(v for at, v in seen if at >= t - window_s + slot_s)
        assert less_a_slot <= made.rise_mm <= full


SAME_ON_BOTH = """
from array import array
from node.core.alarm import LevelAlarm, RiseAlarm
from node.core.clock import add
def run():
    level = LevelAlarm(array("i", (600, 1000, 1500)), 50, 60, 120, 2, 1)
    rise = RiseAlarm(200, 900, 50)
    level.shelve(0x3FFFFFFF - 999, 5000)
    seen = []
    state = 7
    now = 0x3FFFFFFF - 999
    for i in range(3000):
        state = (state * 1103 + 12345) % 65536
        value = 400 + (i % 300) * 5 + state % 90
        flag = (1, 2, 3, 2, 4, 9, 2, 1)[state // 256 % 8]
        seen.append(level.update(value, flag, now) + 10 * rise.update(value, flag, i * 20, 4 if i % 50 == 0 else 1))
        seen.append(level.sounding(now) + 10 * level.confirming + 100 * rise.confirming)
        seen.append(rise.rate_mm_h())
        if i % 700 == 699:
            seen.append(level.acknowledge())
        now = add(now, 20000)
    return seen
"""


@pytest.mark.vm
def test_states_are_the_same_on_both_interpreters():
    here = {}
    exec(SAME_ON_BOTH, here)  # noqa: S102
    seen = here["run"]()
    assert {10 * r + s for r in (0, 1) for s in (0, 1, 2, 3)} <= set(seen)
    assert vm64.run(SAME_ON_BOTH + "print(run())").strip() == str(seen)


NO_ALLOCATION = """
import micropython
from array import array
from node.core.alarm import LevelAlarm, RiseAlarm
from node.core.clock import add
limits = array("i", (600, 1000, 1500))
level = LevelAlarm(limits, 50, 60, 120, 2, 1)
rise = RiseAlarm(200, 900, 50)
START = 0x3FFFFFFF - 999  # a second below the wrap
def run():
    now = START
    level.shelve(now, 100000)
    for i in range(5000):
        value = 400 + i * 7 % 1300
        flag = 9 if i % 9 == 0 else 4 if i % 31 == 0 else 2
        level.update(value, flag, now)
        level.sounding(now)
        rise.update(value, flag, i * 20, flag)
        rise.rate_mm_h()
        if i % 500 == 0:
            level.acknowledge()
            level.configure(limits, 50, 60, 120, 2, 1)
        now = add(now, 250 if i < 100 else 20000)
    return now
run_it = run
now = 0
micropython.heap_lock()
try:
    now = run_it()
finally:
    micropython.heap_unlock()
print("done", now < START)
"""


@pytest.mark.vm
def test_updates_allocate_nothing_across_the_wrap_in_the_vm():
    assert vm64.run(NO_ALLOCATION).strip() == "done True"


@pytest.mark.vm32
def test_updates_allocate_nothing_where_small_ints_end_at_2_to_the_30():
    assert vm32.run(NO_ALLOCATION, vm32.firmware_files()).strip() == "done True"
