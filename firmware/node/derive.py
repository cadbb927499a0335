"""What a survey's points amount to: air, tank, relay. Loaded only by stations that have them (panels: `node.derive_panels`).

A derived thing has `update(survey, flags, seconds)` (a round is complete; `seconds`: since 1970, or since the boot while `flags` does not say dated),
`points()` and `changes()` (events, each once).
"""

from node.core import air, hydrology
from node.core import quantities as Q
from node.core.measurements import FLAG_FAIL, MISSING


class _Hourly:
    """One value an hour. A sample stands for the time since the one before: the interval follows alarm, battery and settings."""

    def __init__(self, source, target):
        self._air = air.Air(3600)
        self._source = source
        self._target = target
        self._value = MISSING
        self._before_s = -1

    def update(self, survey, flags, seconds):
        gone_s = survey.interval_ms // 1000 if self._before_s < 0 else survey.round_s - self._before_s
        self._before_s = survey.round_s
        if self._air.add(survey.value(self._source), seconds // 3600, gone_s):
            self._value = self._hour()

    def _hour(self):
        raise NotImplementedError

    def points(self):
        return ((self._target, self._value),)

    def changes(self):
        return ()


class NowCast(_Hourly):
    """PM2.5 as the US EPA reports it, from the hours so far."""

    def __init__(self):
        super().__init__(Q.PM2_5, Q.PM2_5_NOWCAST)

    def _hour(self):
        return self._air.nowcast()


class Mean(_Hourly):
    """Over the newest whole `hours`, with three quarters of them there; 24 h of PM as the WHO's guidelines have it, 8 h of CO2 as at work."""

    def __init__(self, source, hours, target):
        super().__init__(source, target)
        self._hours = hours

    def _hour(self):
        return self._air.mean(self._hours)


MEANS = ((Q.PM2_5, 24, Q.PM2_5_24H), (Q.PM10, 24, Q.PM10_24H), (Q.CO2, 8, Q.CO2_8H))


class Tank:
    """How full, from the gauge's level: `height_mm` from `bottom_mm` above datum, shape box or lying."""

    def __init__(self, row, gauge):
        self._gauge = gauge
        self._bottom_mm = row.get("bottom_mm", 0)
        self._height_mm = row["height_mm"]
        shapes = {"box": hydrology.BOX, "lying": hydrology.LYING}
        if row.get("shape", "box") not in shapes:
            raise ValueError("tank.shape is box or lying")
        self._shape = shapes[row.get("shape", "box")]
        self.value = MISSING

    def update(self, survey, flags, seconds):
        gauge = self._gauge
        self.value = MISSING
        if gauge.flag < FLAG_FAIL:
            self.value = hydrology.fill(gauge.level_mm - self._bottom_mm, self._height_mm, self._shape)

    def points(self):
        return ((Q.FILL, self.value),)

    def changes(self):
        return ()


class Relay:
    """A valve or a pump: on below `on_below`, off from `off_above` of the watched point, and off on any doubt.

    It is off at boot, after `max_on_s` in all (until the value has been at `off_above`), whenever the value fails, and when no round comes:
    `guard` is called at every step.
    """

    def __init__(self, row, output, point):
        self._output = output
        self._point = point
        self._on_below = row["on_below"]
        self._off_above = row["off_above"]
        self._max_on_s = row["max_on_s"]
        if not self._on_below < self._off_above or not 0 < self._max_on_s <= 86400:
            raise ValueError("relay: on_below must lie under off_above, max_on_s within 1 to 86400")
        self._on = 0
        self._ran_s = 0  # in all since the value was last at off_above, up to the newest switching off
        self._on_s = 0
        self._told = 0
        output.set(0)

    def update(self, survey, flags, seconds):
        value = MISSING
        for i, q, found in survey.points():
            if i == self._point and q < FLAG_FAIL:
                value = found
        if value == MISSING:
            self._switch(0, survey.uptime_s)
        elif value >= self._off_above:
            self._switch(0, survey.uptime_s)
            self._ran_s = 0
        elif value < self._on_below and self._ran_s < self._max_on_s:
            self._switch(1, survey.uptime_s)

    def guard(self, survey):
        """Off when it was on for long enough, or when rounds stay away for three intervals."""
        if not self._on:
            return
        now_s = survey.uptime_s
        if (
            self._ran_s + now_s - self._on_s >= self._max_on_s
            or now_s - survey.round_s > 3 * survey.interval_ms // 1000 + 60
        ):
            self._switch(0, now_s)

    def off(self):
        """After a defect, and until the next boot: what judges its time may be what is broken."""
        self._max_on_s = 0
        self._on = 0
        self._output.set(0)

    def _switch(self, on, now_s):
        if on != self._on:
            self._on = on
            self._output.set(on)
            if on:
                self._on_s = now_s
            else:
                self._ran_s += now_s - self._on_s

    def points(self):
        return ((Q.RELAY, self._on),)

    def changes(self):
        if self._told == self._on:
            return ()
        self._told = self._on
        return (((Q.RELAY, 0, self._on),),)
