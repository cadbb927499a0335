"""Everything a station reads besides its level: one sensor after the other, one action a step, so that none can hold up another, or the siren.

A sensor that answers garbage, holds its bus or is gone costs its own points only: they say why, the fault is told once, and it is asked again
at every round, so that it comes back by itself.
"""

from array import array

from node.core import schedule
from node.core import settings as S
from node.core.alarm import LevelAlarm
from node.core.clock import add, diff
from node.core.measurements import (
    FLAG_FAIL,
    FLAG_MISSING,
    FLAG_PASS,
    INSTANCE,
    MISSING,
    NO_ANSWER,
    OUT_OF_RANGE,
    REASONS,
)
from node.core.quantities import POINTS, TEMPERATURE

_WITHIN_MS = (
    40000  # a sensor that has not finished by then has failed; a dust sensor's fan needs 30 s when it is switched on
)
_WARMING_UP = REASONS.index("warming_up")
_IDLE = 0
_BEGIN = 1
_LOOK = 2


def point_id(key):
    """`module_temperature:2` is the second of its kind: row + INSTANCE. ValueError names what there is not."""
    name, _, number = key.partition(":")
    if number and not 1 <= int(number) <= 16:
        raise ValueError("%s: a station has 1 to 16 of a kind" % key)
    for i, row in enumerate(POINTS):
        if row[0] == name:
            return i + (int(number or 1) - 1) * INSTANCE
    raise ValueError("no point '%s'" % key)


class Sensor:
    """One driver and what it last gave: `values`, or `reason` when it gave nothing."""

    def __init__(self, driver, bus):
        self.driver = driver
        self.bus = bus
        self.ids = [-1 if key is None else point_id(key) for key in driver.GIVES]
        self.values = array("i", [MISSING] * len(self.ids))
        self.reason = NO_ANSWER
        self.failures = 0  # rounds in a row without a value
        self.told_bad = False
        self.phase = _IDLE
        self.due = 0
        self.deadline = 0

    def act(self, now_ms):
        """Begin, or look once. What a broken bus raises is an answer too, and so is a driver's defect: it costs its own points only."""
        begins = self.phase == _BEGIN
        try:
            if begins:
                self.deadline = add(now_ms, _WITHIN_MS)
                self.phase = _LOOK
                self._forget()  # what a driver leaves out must not be last round's
                answer = self.driver.start()
            else:
                answer = self.driver.read_into(self.values)
            if answer > 0 or begins:
                if 0 <= answer <= diff(self.deadline, now_ms):
                    self.due = add(now_ms, answer)
                    return
                answer = -NO_ANSWER  # it would take for ever
            elif answer <= -len(REASONS):
                answer = -NO_ANSWER
        except Exception:
            answer = -NO_ANSWER
        self.phase = _IDLE
        if answer == 0:
            self.failures = 0
            self.reason = OUT_OF_RANGE  # of a single value that is MISSING although the sensor answers
            return
        self.reason = -answer
        if self.reason != _WARMING_UP:
            self.failures += 1
        self._forget()

    def _forget(self):
        for i in range(len(self.values)):
            self.values[i] = MISSING


class Watch:
    """An ordinary alarm on one quantity; `first` is its alert's row in the settings."""

    def __init__(self, point, first):
        self.point = point
        self.first = first
        self.value = 0
        self.flag = FLAG_MISSING
        self._limits = array("i", [0, 1, 2])
        self.alarm = LevelAlarm(self._limits, 0, 0, 0)

    def configure(self, get):
        for i in range(3):
            self._limits[i] = get(self.first + i)
        delays = (get(S.LEVEL_ON_DELAY), get(S.LEVEL_OFF_DELAY))
        self.alarm.configure(self._limits, get(self.first + 3), delays[0], delays[1], latched=get(S.LEVEL_LATCHED))
        self.alarm.shadow = get(S.ALARM_SHADOW)
        self.alarm.out_of_service = get(S.ALARM_OUT_OF_SERVICE)


class Survey:
    """All sensors but the level's, what is derived from them, and the alarms on them. `step` is True when a round is complete."""

    def __init__(self, sensors, derived, watches, settings, relay=None):
        self.sensors = sensors
        self.watches = watches
        self.state = 0
        self.cause = None  # the watch that makes the state
        self.last_sample_ms = 0
        self.interval_ms = 0
        self.battery_mv = 0  # 0: not known
        self.uptime_s = 0  # told before every step
        self.round_s = 0  # uptime of the newest complete round
        self._relay = relay
        self.on_defect = None  # told of each exception in a derived part
        self._derived = derived
        self._measured = 0  # how many of the round's points are not derived
        self._points: list = []  # [(id, q, value)] of the round, derived ones last
        self._settings = settings
        self._start = -1  # of the newest round, on the grid of the first
        self.sampling = False
        self.configure()

    def configure(self):
        """Take the settings as they now are; another interval counts from the newest round's start."""
        for watch in self.watches:
            watch.configure(self._settings.get)
        self._interval()

    def _interval(self):
        self.interval_ms = schedule.interval_ms(self._settings, self.state, self.battery_mv)

    def step(self, now_ms, moment):
        """One action of one sensor. `moment()` is (flags, seconds, ms), asked for when a round ends."""
        if self._relay:
            try:
                self._relay.guard(self)
            except Exception as error:
                self._harmed(self._relay, error)
        if not self.sampling:
            if self.due_in(now_ms):
                return False
            self.sampling = True
            self.last_sample_ms = now_ms
            self._begin(now_ms)
            for sensor in self.sensors:
                sensor.phase = _BEGIN
                sensor.due = now_ms
        waiting = self._next()
        if waiting is not None:
            if diff(waiting.due, now_ms) <= 0:
                self.last_sample_ms = now_ms  # each is an attempt: a slow round starves no watchdog
                waiting.act(now_ms)
            return False
        self.sampling = False
        self.round_s = self.uptime_s
        self._points = self._gather()
        self._measured = len(self._points)
        flags, seconds, _ = moment()
        for one in self._derived:
            try:  # each for itself: alarms do not wait for a defect
                one.update(self, flags, seconds)
                for i, value in one.points():
                    self._points.append(_point(i, value, _WARMING_UP))
            except Exception as error:
                self._harmed(one, error)
        self._watch(now_ms)
        self._interval()
        return True

    def due_in(self, now_ms):
        """Milliseconds until `step` has work."""
        if self.sampling:
            waiting = self._next()
            wait = diff(waiting.due, now_ms) if waiting else 0
        else:
            wait = self.interval_ms - diff(now_ms, self._start) if self._start >= 0 else 0
            if self.state and self.cause:
                shelved_ms = self.cause.alarm.shelved_s(now_ms) * 1000
                if 0 < shelved_ms < wait:
                    wait = shelved_ms  # the sound is back when the shelf ends
        return wait if wait > 0 else 0

    def _begin(self, now_ms):
        """A round that was kept waiting for an interval and more begins a new grid."""
        start = add(self._start, self.interval_ms)
        self._start = start if self._start >= 0 and diff(now_ms, start) < self.interval_ms else now_ms

    def _next(self):
        """The sensor that is due first. One that has not begun waits while another has its bus: what shares a bus takes turns."""
        found = None
        taken = [sensor.bus for sensor in self.sensors if sensor.phase == _LOOK]
        for sensor in self.sensors:
            if sensor.phase == _LOOK or (sensor.phase == _BEGIN and sensor.bus not in taken):
                if found is None or diff(sensor.due, found.due) < 0:
                    found = sensor
        return found

    def value(self, point):
        """A measured point's value in this round, MISSING when there is none or it can't be true."""
        for k in range(self._measured):
            i, q, value = self._points[k]
            if i == point and q == FLAG_PASS:
                return value
        return MISSING

    def points(self):
        """[(id, q, value)] of the round so far, derived ones last; a point that could not be had says why."""
        return self._points

    def changes(self):
        """What derived points have to tell as events: lists of points, each told once."""
        found = []
        for one in self._derived:
            try:
                found += one.changes()
            except Exception as error:
                self._harmed(one, error)
        return found

    def _harmed(self, one, error):
        """A defect in what is derived costs that part; a relay is off then."""
        if one is self._relay:
            one.off()
        if not self.on_defect:
            raise error
        self.on_defect(error)

    def _gather(self):
        found = []
        for sensor in self.sensors:
            for k in range(len(sensor.ids)):
                if sensor.ids[k] >= 0:
                    found.append(_point(sensor.ids[k], sensor.values[k], sensor.reason))
        return found

    def air_cc(self):
        """Air temperature in 0.01 degC, None when it is not measured."""
        value = self.value(TEMPERATURE)
        return None if value == MISSING else value

    def _watch(self, now_ms):
        self.state = 0
        self.cause = None
        for watch in self.watches:
            watch.flag = FLAG_MISSING
            for i, q, value in self._points:
                if i == watch.point:
                    watch.flag = q
                    if q != FLAG_MISSING:
                        watch.value = value
            state = watch.alarm.update(watch.value, watch.flag, now_ms)
            if state > self.state or not self.cause:
                self.state = state
                self.cause = watch

    def sounding(self, now_ms):
        """Which state's sound these alarms ask for."""
        state = 0
        for watch in self.watches:
            sounds = watch.alarm.sounding(now_ms)
            if sounds > state:
                state = sounds
        return state

    def acknowledge(self):
        for watch in self.watches:
            watch.alarm.acknowledge()

    def shelve(self, now_ms, seconds):
        for watch in self.watches:
            watch.alarm.shelve(now_ms, seconds)


def _point(i, value, reason):
    if value == MISSING:
        return (i, FLAG_MISSING, reason)
    row = POINTS[i & 0xFF]
    return (i, FLAG_PASS if row[3] <= value <= row[4] else FLAG_FAIL, value)
