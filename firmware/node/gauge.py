"""From echoes to the siren: a burst of ranges becomes a level, its flag, the alarm's state and two outputs.

`decide` is the path that people's lives hang on: it allocates nothing, so no garbage collection and no full heap can delay it, and it waits
for nothing but the sensor.
"""

from array import array

from node.core import schedule
from node.core import settings as S
from node.core.alarm import LevelAlarm, RiseAlarm
from node.core.clock import add, diff
from node.core.measurements import (
    BAD_CHECKSUM,
    FLAG_FAIL,
    FLAG_MISSING,
    FLAG_PASS,
    FLAG_SUSPECT,
    NO_ANSWER,
    OUT_OF_RANGE,
)
from node.core.quality import Quality

_FRAMES = 5
_OUTLIER_MM = 50  # five times the ranger's own accuracy
_FEWEST = 3  # below this a burst has no median worth the name
_LOOK_AGAIN_MS = 100
_BURST_LIMIT_MS = 2000
_CONFIRM_MS = 400  # from a crossing to the burst that confirms it: 400 + 800 ms stay within the 2 s of the design
_RETRIES = 5  # bursts without a reading after which a crossing waits for the next regular sample


class Gauge:
    """One river gauge. `step` is True when a sample was decided; the attributes then say what was found."""

    def __init__(self, ranger, battery, settings, sounder, mount=None, depth=False, median_of=1):
        """`mount` (hydrology.Mount) for a tilted ranger or one that air fools; `depth`: the sensor is below the water."""
        self._ranger = ranger
        self._mount = mount
        self._depth = depth
        self._median_of = median_of  # for the base of a noisy ranger's rise
        self.outliers = 0  # ranges far from their burst's median, since the boot
        self.spread_mm = 0  # of the newest burst
        self._season = None
        self.air_cc = None  # air temperature, 0.01 degC, for a ranger that does not correct itself
        self.others = 0  # the state that other alarms want sounded
        self._battery = battery
        self._settings = settings
        self._sounder = sounder
        self._burst = array("i", [0] * _FRAMES)
        self._limits = array("i", [0, 0, 0])
        self._due = -1
        self._start = 0  # of the newest scheduled sample
        self._deadline = 0
        self.sampling = False
        self._no_echo_seen = 0
        self._bad_seen = 0
        self._height = -1
        self._siren_from = 1
        self.level_mm = 0
        self.range_mm = 0
        self.flag = FLAG_MISSING
        self.reason = NO_ANSWER
        self.failures = 0  # bursts in a row without a reading
        self.state = 0
        self.rising = 0
        self._rise_acknowledged = 0
        self.battery_mv = 0
        self.battery_flag = FLAG_MISSING
        self.last_sample_ms = 0
        self.interval_ms = 0
        get = settings.get
        self.alarm = LevelAlarm(self._limits, get(S.LEVEL_DEADBAND), get(S.LEVEL_ON_DELAY), get(S.LEVEL_OFF_DELAY))
        self.configure()

    def configure(self):
        """Take the settings as they now are; the alarm keeps its state and follows at the next sample, which is at once.

        Another height shifts every level: what was seen from the old one says nothing about a spike or a rise.
        """
        get = self._settings.get
        for i in range(3):
            self._limits[i] = self._season[2 + i] if self._season else get(S.LEVEL_ALERT + i)
        rise = (get(S.RISE_LIMIT), get(S.RISE_WINDOW), get(S.LEVEL_DEADBAND))
        height = get(S.SENSOR_HEIGHT)
        if height != self._height:
            self._height = height
            low, high = self._ranger.blanking_mm, self._ranger.range_mm
            if self._depth:
                self.quality = Quality(low, high, height + low, height + high)
            else:
                self.quality = Quality(low, high, height - high, height - low)
            if self._mount:
                self._mount.height_mm = height
            self.rise = RiseAlarm(rise[0], rise[1], rise[2], median_of=self._median_of)
        self.rise.configure(rise[0], rise[1], rise[2])
        self._siren_from = get(S.SIREN_FROM)
        delays = (get(S.LEVEL_ON_DELAY), get(S.LEVEL_OFF_DELAY))
        self.alarm.configure(self._limits, get(S.LEVEL_DEADBAND), delays[0], delays[1], latched=get(S.LEVEL_LATCHED))
        self.alarm.shadow = get(S.ALARM_SHADOW)
        self.alarm.out_of_service = get(S.ALARM_OUT_OF_SERVICE)
        self._interval()
        if not self.sampling:
            self._due = -1

    def use_season(self, row):
        """The levels of this row of `hydrology` seasons, or None for the settings' own."""
        self._season = row
        self.configure()

    def in_season(self):
        """Whether a season's levels are in force instead of the settings' own."""
        return self._season is not None

    def highest_mm(self, height_mm):
        """The highest level that the sensor can tell when it hangs (or lies) at this height."""
        return height_mm + self._ranger.range_mm if self._depth else height_mm - self._ranger.blanking_mm

    def limit_mm(self, state):
        """The level that makes `state`, 1 to 3."""
        return self._limits[state - 1]

    def step(self, now_ms, t_s):
        """Start, look at or finish a sample; `t_s` is the station's uptime in seconds."""
        if self._due < 0:
            self._due = now_ms
            self._start = now_ms
            self.last_sample_ms = now_ms
        decided = False
        if diff(self._due, now_ms) <= 0:
            if not self.sampling:
                self.sampling = True
                self.last_sample_ms = now_ms
                self._deadline = add(now_ms, _BURST_LIMIT_MS)
                self._due = add(now_ms, self._ranger.start())
            else:
                count = self._ranger.read_into(self._burst)
                if count < _FRAMES and diff(self._deadline, now_ms) > 0:
                    self._due = add(now_ms, _LOOK_AGAIN_MS)
                else:
                    self.sampling = False
                    self._ranger.stop()
                    self.decide(count, now_ms, t_s)
                    self._schedule(now_ms)
                    decided = True
        self.sound(now_ms)
        return decided

    def due_in(self, now_ms):
        """Milliseconds until `step` has work."""
        wait = diff(self._due, now_ms) if self._due >= 0 else 0
        change = self._sounder.due_in(now_ms)
        if 0 <= change < wait:
            wait = change
        shelved_ms = self.alarm.shelved_s(now_ms) * 1000
        if 0 < shelved_ms < wait and self.state:
            wait = shelved_ms  # the sound is back when the shelf ends, not a sample later
        return wait if wait > 0 else 0

    @property
    def confirming(self):
        """A crossing awaits the burst that confirms it; a sensor that fell silent over it is not waited for."""
        return (self.alarm.confirming or self.rise.confirming) and self.failures < _RETRIES

    def sample_in(self, now_ms):
        """Milliseconds until the next sample begins, 0 while one is taken."""
        wait = diff(self._due, now_ms) if self._due >= 0 and not self.sampling else 0
        return wait if wait > 0 else 0

    def decide(self, count, now_ms, t_s):
        """A burst of `count` ranges: level, flag, state. Allocates nothing."""
        self.battery_mv = self._battery.read_mv()
        self.battery_flag = self._battery.flag(self.battery_mv)
        stood = False
        if count < _FEWEST:
            self._missing(t_s)
        else:
            self.range_mm = self._median(count)
            if self._depth:
                self.level_mm = self._height + self.range_mm
            elif self._mount:
                self.level_mm = self._mount.level(self.range_mm, self.air_cc)
            else:
                self.level_mm = self._height - self.range_mm
            stood = self.quality.flat
            self.flag = self.quality.update(self.level_mm, self.range_mm, t_s)
            if self.flag == FLAG_FAIL:
                self.failures += 1
                self.reason = OUT_OF_RANGE
            else:
                self.failures = 0
        self._no_echo_seen = self._ranger.no_echo
        self._bad_seen = self._ranger.bad_checksum
        self.state = self.alarm.update(self.level_mm, self.flag, now_ms)
        # Water that stood still for a day fails its flat line, and is what the flood rises from: here it is only suspect.
        final = self.quality.previous_final
        if final == FLAG_FAIL and stood:
            final = FLAG_SUSPECT
        flag = FLAG_SUSPECT if self.flag == FLAG_FAIL and self.quality.flat else self.flag
        self.rising = self.rise.update(self.level_mm, flag, t_s, final)
        if self.alarm.out_of_service:
            self.rising = 0
        if not self.rising:
            self._rise_acknowledged = 0
        self._interval()

    def sound(self, now_ms):
        """Siren and strobe follow the state; silenced stays silenced. Allocates nothing."""
        state = self.alarm.sounding(now_ms)
        if state == 0 and self.rising and not self._rise_acknowledged and not self.alarm.shadow:
            state = 0 if self.alarm.shelved_s(now_ms) else 1
        if self.others > state:
            state = self.others
        self._sounder.sound(state, self._siren_from, now_ms)

    def acknowledge(self):
        """A person has seen what is sounding: silent until the level rises to a higher state, or rises fast again."""
        self.alarm.acknowledge()
        self._rise_acknowledged = self.rising

    def _missing(self, t_s):
        self.flag = FLAG_MISSING
        self.failures += 1
        if self._ranger.bad_checksum != self._bad_seen:
            self.reason = BAD_CHECKSUM
        elif self._ranger.no_echo != self._no_echo_seen:
            self.reason = OUT_OF_RANGE
        else:
            self.reason = NO_ANSWER
        self.quality.missing(t_s)

    def _median(self, count):
        burst = self._burst
        for i in range(1, count):
            value = burst[i]
            j = i
            while j > 0 and burst[j - 1] > value:
                burst[j] = burst[j - 1]
                j -= 1
            burst[j] = value
        self.spread_mm = burst[count - 1] - burst[0]
        middle = burst[count >> 1]
        for i in range(count):
            if not -_OUTLIER_MM <= burst[i] - middle <= _OUTLIER_MM:
                self.outliers += 1
        return middle

    def _interval(self):
        self.interval_ms = schedule.interval_ms(
            self._settings,
            self.state or self.rising or self.alarm.pending,
            self.battery_mv if self.battery_flag == FLAG_PASS else 0,
        )

    def _schedule(self, now_ms):
        if self.confirming:
            self._due = add(now_ms, _CONFIRM_MS)
            return
        self._start = schedule.next_start(self._start, self.interval_ms, now_ms)
        self._due = self._start
