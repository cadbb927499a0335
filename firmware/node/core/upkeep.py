"""What a station asks a person to look at: a sensor that fouls, a calibration that is due. Nothing here touches an alarm.

A suspicion is never a verdict: it says why, and ends by itself once the sign is gone. Days are counted from anywhere,
seconds are the station's uptime, lengths are mm.
"""

from array import array

CLEAR, DRIFT, SCATTER, BLOCKED = 0, 1, 2, 3  # words: clear, drift, scatter, blocked
OK, DUE_SOON, DUE = 0, 1, 2  # words: ok, due_soon, due

_DAYS = 15  # of daily lowest levels that a drift is seen over
_THIRD = 5
_BASE_DAYS = 7  # of scatter that tell how the sensor was when it was clean
_NONE = -0x80000000


class Fouling:
    """One level sensor. `update` with every burst; it returns 1 when `state` changed, else 0.

    - blocked: the echo stands at the blanking distance for `blocked_s` (a web, a nest, ice).
    - scatter: a day's mean spread of its bursts is three times that of its first seven days, and `scatter_mm` more, on
      three days running.
    - drift: the day's lowest level crept up by `drift_mm` in fifteen days, by no day more than a third of it. Water falls
      slowly but rises fast; what creeps up is silt on the bed, a root, or a face that closes.

    The worst of them is `state`: blocked, then scatter, then drift. `spread_mm`, `usual_mm`, `crept_mm` are the evidence.
    """

    def __init__(self, blanking_mm, margin_mm=20, blocked_s=1800, scatter_mm=10, drift_mm=60):
        self.state = CLEAR
        self.spread_mm = 0  # of the last whole day
        self.usual_mm = -1  # -1: not known yet
        self.crept_mm = 0
        self._near = blanking_mm + margin_mm
        self._blocked_s = blocked_s
        self._scatter_mm = scatter_mm
        self._drift_mm = drift_mm
        self._near_since = -1
        self._blocked = 0
        self._wide_days = 0
        self._scattered = 0
        self._drifted = 0
        self._day = -1
        self._lowest = 0
        self._spreads = 0
        self._bursts = 0
        self._first = array("i", (0 for _ in range(_BASE_DAYS)))
        self._first_days = 0
        self._lows = array("i", (_NONE for _ in range(_DAYS)))

    def update(self, level_mm, range_mm, spread_mm, day, t_s):
        """A usable burst; `spread_mm`: its highest less its lowest range."""
        if day != self._day:
            self._end_day(day)
        if not self._bursts or level_mm < self._lowest:
            self._lowest = level_mm
        self._spreads += spread_mm
        self._bursts += 1
        if range_mm > self._near:
            self._near_since = -1
            self._blocked = 0
        elif self._near_since < 0:
            self._near_since = t_s
        elif t_s - self._near_since >= self._blocked_s:
            self._blocked = 1
        return self._settle()

    def cleaned(self):
        """A person has cleaned or moved the sensor: what was usual is learned again. Returns 1 when `state` changed."""
        self.usual_mm = -1
        self.crept_mm = 0
        self._first_days = self._wide_days = self._scattered = self._drifted = self._blocked = 0
        self._near_since = -1
        self._bursts = self._spreads = 0
        for i in range(_DAYS):
            self._lows[i] = _NONE
        return self._settle()

    def _settle(self):
        state = CLEAR
        if self._blocked:
            state = BLOCKED
        elif self._scattered:
            state = SCATTER
        elif self._drifted:
            state = DRIFT
        changed = state != self.state
        self.state = state
        return 1 if changed else 0

    def _end_day(self, day):
        gone = day - self._day
        if self._bursts:
            self.spread_mm = self._spreads // self._bursts
            self._judge_scatter(self.spread_mm)
            self._push(self._lowest)
            gone -= 1
        if self._day >= 0:
            for _ in range(gone if gone < _DAYS else _DAYS):
                self._push(_NONE)
        self._judge_drift()
        self._day = day
        self._bursts = self._spreads = 0

    def _judge_scatter(self, spread):
        if self._first_days < _BASE_DAYS:
            self._first[self._first_days] = spread
            self._first_days += 1
            if self._first_days == _BASE_DAYS:
                self.usual_mm = sorted(self._first)[_BASE_DAYS // 2]
            return
        wide = spread >= 3 * self.usual_mm and spread >= self.usual_mm + self._scatter_mm
        self._wide_days = self._wide_days + 1 if wide else 0
        if self._wide_days >= 3:
            self._scattered = 1
        elif spread < 2 * self.usual_mm or spread < self.usual_mm + self._scatter_mm // 2:
            self._scattered = 0

    def _push(self, low):
        lows = self._lows
        for i in range(_DAYS - 1):
            lows[i] = lows[i + 1]
        lows[_DAYS - 1] = low

    def _judge_drift(self):
        """From the median of the first five days to that of the last five; a day that is missing leaves it unjudged."""
        lows = self._lows
        largest = 0
        for i in range(_DAYS):
            if lows[i] == _NONE:
                self._drifted = 0
                return
            if i and lows[i] - lows[i - 1] > largest:
                largest = lows[i] - lows[i - 1]
        first, last = sorted(lows[:_THIRD]), sorted(lows[_DAYS - _THIRD :])
        self.crept_mm = last[_THIRD // 2] - first[_THIRD // 2]
        if self.crept_mm >= self._drift_mm:
            self._drifted = 1 if self._drifted or largest * 3 <= self.crept_mm else 0
        elif self.crept_mm < self._drift_mm // 2:
            self._drifted = 0


class Calibration:
    """Is the sensor's calibration due? `update` once a day; it returns 1 when `state` changed, else 0."""

    def __init__(self, every_days, soon_days=30):
        self.state = OK
        self.left_days = every_days
        self._every = every_days
        self._soon = soon_days

    def update(self, today, last):
        """Days since the same moment: now, and when it was last calibrated (None: never, so it is due)."""
        self.left_days = 0 if last is None else last + self._every - today
        state = DUE if self.left_days <= 0 else DUE_SOON if self.left_days <= self._soon else OK
        changed = state != self.state
        self.state = state
        return 1 if changed else 0
