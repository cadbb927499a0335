"""Alarm states of a level and of its rate of rise, in the terms of OPC UA Alarms & Conditions (part 9). Integers: mm,
ms, s.

A burst with flag 1, 2 or 3 is usable; 4 (fail) and 9 (missing) say nothing about the water, so they never raise and
never clear. What a failed burst does to a pending change:
- pending raise: it neither restarts it nor completes it. Two usable bursts above a line count as consecutive with
  failed ones between them, and the time between them counts for on_delay: foam that hides every second echo must not
  keep a siren silent.
- pending clear: it holds it. Time next to a failed burst doesn't count for off_delay: water that nobody saw go down
  hasn't gone down.
"""

from array import array

from node.core.clock import diff

NORMAL, ALERT, WARNING, DANGER = 0, 1, 2, 3
_LONGEST_MS = (1 << 29) - 1  # a sum of two stays a small int
_ACKNOWLEDGED_MS = 12 * 3600000  # then what still stands sounds again: nobody acknowledges next week's flood today
_RETRIES = 5  # failed bursts in a row after which a crossing waits for the next regular sample


def usable(flag):
    """True for QARTOD 1, 2 and 3: an extreme is real, and the newest point's spike test (2) is always still to come."""
    return 1 <= flag <= 3


class LevelAlarm:
    """States 0 normal, 1 alert, 2 warning, 3 danger of one level. Call `update` with every burst, at the latest every 6
    days; delays are below 6 days.

    A level is raised by `confirm` consecutive usable bursts at or above its limit, spanning at least on_delay; it is
    cleared by usable bursts below limit - deadband for off_delay. A latched alarm stays until it is acknowledged and
    cleared. `out_of_service` decides nothing and stays normal; `shadow` decides and reports, but sounds nothing.
    """

    def __init__(self, limits, deadband, on_delay_s, off_delay_s, confirm=2, latched=0):
        self.state = NORMAL
        self.confirming = False  # a crossing awaits its confirming burst: sample again within 2 s
        self.out_of_service = 0
        self.shadow = 0
        self.acknowledged = NORMAL  # the highest state that has been acknowledged
        self._limits = array("i", (0, 0, 0))
        self._active = array("i", (0, 0, 0))
        self._bursts = array("i", (0, 0, 0))  # consecutive usable bursts at or above an inactive level
        self._held_ms = array("i", (0, 0, 0))  # for how long: at or above an inactive level, below an active one
        self.pending = False  # at or above a line that is not raised yet: sample as in alarm
        self._ack_ms = 0  # what is left of an acknowledgement
        self._latch = NORMAL
        self._since_usable_ms = 0
        self._failed = 0
        self._last_ms = -1
        self._shelved_s = 0
        self._shelf_ms = 0  # when the countdown was last looked at, and the milliseconds over whole seconds then
        self._shelf_over_ms = 0
        self.configure(limits, deadband, on_delay_s, off_delay_s, confirm, latched)

    def configure(self, limits, deadband, on_delay_s, off_delay_s, confirm=2, latched=0):
        """Changed settings. What is active, latched, acknowledged or shelved stays; pending raises and clears start
        again."""
        for i in range(3):
            self._limits[i] = limits[i]
            self._bursts[i] = 0
            self._held_ms[i] = -1
        self._deadband = deadband
        self._on_delay_ms = on_delay_s * 1000
        self._off_delay_ms = off_delay_s * 1000
        self._confirm = confirm
        self._latched = latched
        if not latched:
            self._latch = NORMAL
        self.confirming = False

    def update(self, value, flag, now_ms):
        """The state after this burst. `value` is ignored when the flag is 4 or 9."""
        gone_ms = 0
        if self._last_ms >= 0:
            gone_ms = diff(now_ms, self._last_ms)
            if gone_ms < 0:
                gone_ms = 0
        self._last_ms = now_ms
        self._count_shelf(now_ms)
        if self.acknowledged:
            self._ack_ms -= gone_ms
            if self._ack_ms <= 0:
                self.acknowledged = NORMAL
        if self.out_of_service:
            self._forget()
            return NORMAL
        since_ms = self._since_usable_ms + gone_ms
        if since_ms > _LONGEST_MS:
            since_ms = _LONGEST_MS
        if not usable(flag):
            self._since_usable_ms = since_ms
            self._failed += 1
            if self._failed >= _RETRIES:
                self.confirming = False
            return self.state
        observed_ms = 0 if self._failed else gone_ms
        self._since_usable_ms = 0
        self._failed = 0
        self.confirming = False
        self.pending = False
        for i in range(3):
            if self._active[i]:
                self._fall(i, value, observed_ms)
            else:
                self._rise(i, value, since_ms)
                if self._bursts[i] and not self._active[i]:
                    self.pending = True
        return self._settle()

    def _rise(self, i, value, since_ms):
        if value < self._limits[i]:
            self._bursts[i] = 0
            return
        held_ms = 0
        if self._bursts[i]:
            held_ms = self._held_ms[i] + since_ms
            if held_ms > self._on_delay_ms:
                held_ms = self._on_delay_ms
        if self._bursts[i] < self._confirm:
            self._bursts[i] += 1
        if self._bursts[i] < self._confirm:
            self.confirming = True
        elif held_ms >= self._on_delay_ms:
            self._active[i] = 1
            held_ms = -1
        self._held_ms[i] = held_ms

    def _fall(self, i, value, observed_ms):
        if value >= self._limits[i] - self._deadband:
            self._held_ms[i] = -1
            return
        # -1: this is the first burst below, the time before it was spent above.
        held_ms = 0 if self._held_ms[i] < 0 else self._held_ms[i] + observed_ms
        if held_ms >= self._off_delay_ms:
            self._active[i] = 0
            self._bursts[i] = 0
            held_ms = 0
        self._held_ms[i] = held_ms

    def _settle(self):
        state = NORMAL
        for i in range(3):
            if self._active[i]:
                state = i + 1
        if self._latched and state > self._latch and state > self.acknowledged:
            self._latch = state
        if state < self._latch:
            state = self._latch
        if state < self.acknowledged:
            self.acknowledged = state  # a new rise is a new alarm
        self.state = state
        return state

    def _forget(self):
        for i in range(3):
            self._active[i] = 0
            self._bursts[i] = 0
            self._held_ms[i] = -1
        self._latch = NORMAL
        self._since_usable_ms = 0
        self._failed = 0
        self.acknowledged = NORMAL
        self.confirming = False
        self.state = NORMAL

    def acknowledge(self):
        """A person has seen the present state: its sound ends, its latch opens; a rise to a higher one sounds again.
        Returns the state."""
        self.acknowledged = self.state
        self._ack_ms = _ACKNOWLEDGED_MS
        self._latch = NORMAL
        return self._settle()

    def resume(self, state, acknowledged):
        """After a reset: what was alarmed before it still is, until the water is seen to be down."""
        for i in range(3):
            self._active[i] = 1 if i < state else 0
            self._held_ms[i] = -1 if i < state else 0
        self.acknowledged = acknowledged
        self._ack_ms = _ACKNOWLEDGED_MS
        if self._latched:
            self._latch = state
        self._settle()

    def shelve(self, now_ms, seconds):
        """No sound for `seconds` from now; 0 ends it. It always ends by itself."""
        self._shelved_s = seconds
        self._shelf_ms = now_ms
        self._shelf_over_ms = 0

    def shelved_s(self, now_ms):
        """Seconds of shelving that remain, 0 when it is over."""
        self._count_shelf(now_ms)
        return self._shelved_s

    def _count_shelf(self, now_ms):
        """Counted down by differences: an end in milliseconds would lie beyond the wrap."""
        if self._shelved_s:
            gone_ms = diff(now_ms, self._shelf_ms)
            if gone_ms > 0:
                gone_ms += self._shelf_over_ms
                whole_s = gone_ms // 1000
                self._shelf_ms = now_ms
                self._shelf_over_ms = gone_ms % 1000
                self._shelved_s = self._shelved_s - whole_s if whole_s < self._shelved_s else 0

    def sounding(self, now_ms):
        """Which state's sound to make now, 0 to 3."""
        self._count_shelf(now_ms)
        if self._shelved_s or self.shadow or self.out_of_service or self.state <= self.acknowledged:
            return NORMAL
        return self.state


_SLOTS = 32


class RiseAlarm:
    """Has the water risen by `limit_mm` within `window_s`? 0 no, 1 yes; a limit of 0 is off.

    The newest burst is compared with the lowest point of the window before it. A point enters the window only when the
    next call says that it is finally good (`previous_final` 1 to 3), so that a spike is never a base. The window is 32
    slots: where bursts come faster than that, neighbours share a slot and the lower one stays, so that the window's
    begin is exact to one slot.

    `confirm` consecutive bursts must show the rise. The lowest of many points is a noise's deepest dip: where the sensor
    scatters by more than a tenth of the limit, `median_of` 3 lets a point in as the median of itself and its neighbours.
    On a level that only rises that median is the point itself, so that no true rise is seen later for it.
    """

    def __init__(self, limit_mm, window_s, deadband, confirm=2, median_of=1):
        self.state = 0
        self.confirming = False
        self.rise_mm = 0
        self._times = array("i", (0 for _ in range(_SLOTS)))
        self._values = array("i", (0 for _ in range(_SLOTS)))
        self._first = 0
        self._count = 0
        self._slot_s = 0  # when the newest slot began
        self._newest = 0
        self._newest_s = 0
        self._waiting = False  # the newest point is not in the window yet
        self._bursts = 0
        self._oldest = 0
        self._oldest_s = 0
        self._confirm = confirm
        self._median_of = median_of
        self._good = 0  # good points so far, 0, 1, 2; the newest of them and the one before it
        self._good_1 = 0
        self._good_1_s = 0
        self._good_2 = 0
        self.configure(limit_mm, window_s, deadband)

    def configure(self, limit_mm, window_s, deadband):
        """Changed settings. The points stay; another window thins the ones to come."""
        self._limit = limit_mm
        self._window_s = window_s
        self._step_s = window_s // (_SLOTS - 1) + 1
        self._deadband = min(deadband, limit_mm // 2)  # more would never let it clear
        self._bursts = 0
        self.confirming = False

    def resume(self, base):
        """After a reset: it had risen this far above `base`, which stays in the window as if it had been seen just now."""
        self.state = 1
        self._keep(base, 0)

    def update(self, value, flag, t_s, previous_final=1):
        """The state after this burst; `t_s`: monotonic seconds, `previous_final`: the final flag of the burst before
        (`Quality`)."""
        if self._waiting and usable(previous_final):
            if self._median_of == 3:
                self._keep_median(self._newest, self._newest_s)
            else:
                self._keep(self._newest, self._newest_s)
        self._waiting = False
        if not usable(flag):
            return self.state
        self._waiting = True
        self._newest = value
        self._newest_s = t_s
        self._measure(value, t_s)
        self.confirming = False
        if not self._limit:
            self.state = 0
        elif self.state:
            if self.rise_mm < self._limit - self._deadband:
                self.state = 0
                self._bursts = 0
        elif self.rise_mm < self._limit:
            self._bursts = 0
        else:
            self._bursts += 1
            if self._bursts < self._confirm:
                self.confirming = True
            else:
                self.state = 1
        return self.state

    def rate_mm_h(self):
        """Mean rate over what the window holds, mm/h, negative while it falls; 0 until it holds a minute (two bursts 2
        s apart are noise)."""
        span_s = self._newest_s - self._oldest_s
        if span_s < 60:
            return 0
        return (self._newest - self._oldest) * 3600 // span_s

    def _measure(self, value, t_s):
        begins_s = t_s - self._window_s
        while self._count and self._times[self._first] < begins_s:
            self._first = (self._first + 1) % _SLOTS
            self._count -= 1
        lowest = value
        for i in range(self._count):
            other = self._values[(self._first + i) % _SLOTS]
            if other < lowest:
                lowest = other
        self.rise_mm = value - lowest
        self._oldest = self._values[self._first] if self._count else value
        self._oldest_s = self._times[self._first] if self._count else t_s

    def _keep_median(self, value, t_s):
        """The point before `value` enters, now that both its neighbours are known; the very first has only itself."""
        if not self._good:
            self._good = 1
            self._keep(value, t_s)
        elif self._good == 1:
            self._good = 2
        else:
            low, middle = self._good_2, self._good_1
            if low > middle:
                low, middle = middle, low
            if value > low:
                low = value  # the higher of the two lowest candidates
            self._keep(low if low < middle else middle, self._good_1_s)
        self._good_2 = self._good_1
        self._good_1 = value
        self._good_1_s = t_s

    def _keep(self, value, t_s):
        last = (self._first + self._count - 1) % _SLOTS
        if self._count and t_s - self._slot_s < self._step_s:
            if value <= self._values[last]:
                self._values[last] = value
                self._times[last] = t_s
            return
        if self._count == _SLOTS:
            self._first = (self._first + 1) % _SLOTS
            self._count -= 1
        at = (self._first + self._count) % _SLOTS
        self._values[at] = value
        self._times[at] = t_s
        self._slot_s = t_s
        self._count += 1
