"""Averages of what the air holds: the hour, the standard's 8 and 24 hours, and the PM2.5 NowCast (US EPA).

Values are the points' integers (`quantities.POINTS`: PM in 0.1 ug/m3). An average counts when three quarters of what it
is made of were there; the NowCast when two of the newest three hours were. Thresholds are a `LevelAlarm`'s.
"""

from array import array

from node.core.measurements import MISSING

HOURS = 24
NOWCAST_HOURS = 12
_FINER = 100  # hourly means are kept in hundredths of the point's unit: a NowCast wants them unrounded


class Air:
    """One quantity. `expected`: samples in an hour; `hour`: whole hours since any moment, rising."""

    def __init__(self, expected):
        self._expected = expected
        self._hourly = array("i", (MISSING for _ in range(HOURS)))  # the newest whole hour is the last
        self._hour = -1
        self._sum = 0
        self._count = 0
        self._weight = 0

    def add(self, value, hour, weight=1):
        """A sample, MISSING for a failed one. True when it is the first of another hour: the averages are new.

        `weight`: how many of the expected ones it stands for; the mean does not care.
        """
        if hour < self._hour:
            self._hour = hour - 1  # the clock was wrong before: go on from the right one
        begins = hour > self._hour
        if begins:
            if self._hour >= 0:
                self._close(hour - self._hour)
            self._hour = hour
        if value != MISSING:
            self._sum += value
            self._count += 1
            self._weight += weight
        return begins

    def _close(self, hours):
        mean = MISSING
        if self._count and self._weight * 4 >= self._expected * 3:
            mean = (self._sum * _FINER + self._count // 2) // self._count
        self._sum = self._count = self._weight = 0
        ring = self._hourly
        for _ in range(hours if hours < HOURS else HOURS):
            for i in range(HOURS - 1):
                ring[i] = ring[i + 1]
            ring[HOURS - 1] = mean
            mean = MISSING
        if hours > HOURS:
            for i in range(HOURS):
                ring[i] = MISSING

    def mean(self, hours):
        """Over the newest `hours` whole hours (1 to 24), or MISSING below three quarters of them."""
        total = count = 0
        for i in range(HOURS - hours, HOURS):
            if self._hourly[i] != MISSING:
                total += self._hourly[i]
                count += 1
        if not count or count * 4 < hours * 3:
            return MISSING
        return (total + _FINER * count // 2) // (_FINER * count)

    def nowcast(self):
        """PM2.5 or PM10 NowCast, truncated as EPA publishes it, or MISSING. A calm hour of zero counts as one."""
        ring = self._hourly
        last = HOURS - 1
        newest = 0
        lowest = highest = MISSING
        for ago in range(NOWCAST_HOURS):
            value = ring[last - ago]
            if value == MISSING:
                continue
            if ago < 3:
                newest += 1
            if lowest == MISSING or value < lowest:
                lowest = value
            if value > highest:
                highest = value
        if newest < 2:
            return MISSING
        if highest <= 0:
            return 0
        if lowest * 2 < highest:  # the weight is lowest / highest, but never below a half
            lowest, highest = 1, 2
        # Horner from the oldest hour on, numerator and denominator as whole numbers: exact, a few hundred bits long.
        total = weights = 0
        scale = 1
        for ago in range(NOWCAST_HOURS - 1, -1, -1):
            total *= lowest
            weights *= lowest
            if ring[last - ago] != MISSING:
                total += ring[last - ago] * scale
                weights += scale
            scale *= highest
        return total // (weights * _FINER)
