"""QARTOD flags of a level (IOOS manual for water level v2.1): 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing.

Flags 1 to 3 may raise an alarm, 4 and 9 are no reading. Extremes are real, so a flood must never end as a 4:
- gross_range: `raw` outside the sensor's limits -> 4, `value` outside the user's limits -> 3.
- rate_of_change: faster than `rate_limit_mm_h` since the point before -> 3, never 4.
- flat_line: `raw` within `flat_tolerance` for `flat_suspect_s` -> 3, for `flat_fail_s` -> 4; 3 at most where the
  sensor's own `resolution` is coarser than the tolerance (a clean river published in steps of 0.01 ft stands still for
  days).
- spike: |WL[n-1] - (WL[n-2] + WL[n]) / 2| beyond `spike_suspect` -> 3, `spike_fail` -> 4, and only an excursion that
  comes back can fail: a middle value between its neighbours, or equal to one, is the bend at which a flood begins, 3 at
  most. That is where we leave the manual.

Flags combine as ioos_qc's `qartod_compare`: the worst test that could be
evaluated decides, one that could not does not count.
"""

from node.core.measurements import FLAG_FAIL, FLAG_MISSING, FLAG_NOT_EVALUATED, FLAG_PASS, FLAG_SUSPECT


class Quality:
    """The flags of one sensor's points, one at a time. Integers only: mm, s; nothing allocates after the constructor.

    `previous_final` is the final flag of the point before the newest, 0 when there is none. Its spike test needs both
    neighbours: where one is missing or lies more than `gap_s` away (0: any distance is near), the other tests decide,
    and a good point ends as 1. A spike or rate limit of 0 switches that test off. Values within 100 m of each other, and
    `rate_limit_mm_h` times `gap_s` below 2**30, keep it off the heap.
    """

    def __init__(
        self, sensor_low, sensor_high, user_low, user_high, spike_suspect=100, spike_fail=200, rate_limit_mm_h=0,
        flat_tolerance=1, flat_suspect_s=21600, flat_fail_s=86400, resolution=1, gap_s=0,
    ):  # fmt: skip
        self.sensor_low = sensor_low
        self.sensor_high = sensor_high
        self.user_low = user_low
        self.user_high = user_high
        self.spike_suspect = spike_suspect
        self.spike_fail = spike_fail
        self.rate_limit_mm_h = rate_limit_mm_h
        self.flat_tolerance = flat_tolerance
        self.flat_suspect_s = flat_suspect_s
        self.flat_fail_s = flat_fail_s
        self.resolution = resolution
        self.gap_s = gap_s
        self.previous_final = 0
        self.flat = False  # the newest point's range has not moved for `flat_fail_s`
        self._newest = 0  # the newest point's flag without its spike test
        self._joined = 0  # how many points up to the newest follow each other without a hole: 0, 1, 2
        self._value_1 = 0  # the newest point's value, and the one before
        self._value_2 = 0
        self._time = 0
        # The flat run: everything since `_since` lies within [_low, _high], no wider than the tolerance.
        self._low = 0
        self._high = -1  # no run yet
        self._since = 0
        # Its tails: the lowest value after the last `_low` and the time they begin (-1: none); the same for `_high`.
        self._above = 0
        self._above_since = -1
        self._below = 0
        self._below_since = -1

    def update(self, value, raw, t_s):
        """The newest point's flag: 2, 3 or 4. `value`: mm above datum; `raw`: what the sensor said; `t_s`: monotonic
        seconds."""
        newest = FLAG_PASS
        gone = t_s - self._time
        if self.gap_s and gone > self.gap_s:
            self._joined = 0
        flat_s = self._flat_for(raw, t_s)
        self.flat = flat_s >= self.flat_fail_s
        if flat_s >= self.flat_fail_s and self.resolution <= self.flat_tolerance:
            newest = FLAG_FAIL
        elif flat_s >= self.flat_suspect_s or value < self.user_low or value > self.user_high:
            newest = FLAG_SUSPECT
        if raw < self.sensor_low or raw > self.sensor_high:
            newest = FLAG_FAIL
        elif self._joined and self.rate_limit_mm_h and gone > 0 and newest == FLAG_PASS:
            if abs(value - self._value_1) * 3600 > self.rate_limit_mm_h * gone:
                newest = FLAG_SUSPECT
        final = self._newest
        if self._joined == 2:
            spike = self._spike(value)
            if spike > final:
                final = spike
        self.previous_final = final
        self._newest = newest
        self._value_2 = self._value_1
        self._value_1 = value
        self._time = t_s
        if self._joined < 2:
            self._joined += 1
        return FLAG_NOT_EVALUATED if newest == FLAG_PASS else newest

    def missing(self, t_s):
        """A sample without a reading: 9. It leaves its neighbours without a spike test; a flat run goes on through it."""
        self.previous_final = self._newest
        self._newest = FLAG_MISSING
        self._joined = 0
        self._time = t_s
        return FLAG_MISSING

    def _spike(self, value):
        """The spike test of the point before, now that the one after it is known. Twice the excursion, so that nothing
        is rounded."""
        middle = self._value_1
        before = self._value_2
        twice = abs(2 * middle - before - value)
        if self.spike_fail and twice > 2 * self.spike_fail:
            if before <= middle <= value or before >= middle >= value:
                return FLAG_SUSPECT
            return FLAG_FAIL
        if self.spike_suspect and twice > 2 * self.spike_suspect:
            return FLAG_SUSPECT
        return FLAG_PASS

    def _flat_for(self, raw, t_s):
        """Seconds for which `raw` has stayed within the tolerance, ending now.

        Exact while at most two different values fit within the tolerance (1 mm in steps of 1 mm); never too long where
        more do.
        """
        tolerance = self.flat_tolerance
        if self._high < self._low:
            self._low = self._high = raw
            self._since = t_s
        elif raw - self._low > tolerance:
            # Too high for the whole run: only what came after the last `_low` can still belong to it.
            if self._above_since >= 0 and raw - self._above <= tolerance:
                self._since = self._above_since
                self._low = self._above
            else:
                self._since = t_s
                self._low = raw
            self._high = raw
            self._above_since = self._below_since = -1
        elif self._high - raw > tolerance:
            if self._below_since >= 0 and self._below - raw <= tolerance:
                self._since = self._below_since
                self._high = self._below
            else:
                self._since = t_s
                self._high = raw
            self._low = raw
            self._above_since = self._below_since = -1
        if raw <= self._low:
            self._low = raw
            self._above_since = -1
        elif self._above_since < 0:
            self._above_since = t_s
            self._above = raw
        elif raw < self._above:
            self._above = raw
        if raw >= self._high:
            self._high = raw
            self._below_since = -1
        elif self._below_since < 0:
            self._below_since = t_s
            self._below = raw
        elif raw > self._below:
            self._below = raw
        return t_s - self._since
