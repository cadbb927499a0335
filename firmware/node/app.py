"""The station as one object: sample, decide, sound, record, and talk when there is somebody to talk to."""

from node.books import Books
from node.core import fixed, journal
from node.core import measurements as M
from node.core import settings as S
from node.core.clock import diff
from node.core.console import Console
from node.core.sounder import Sounder
from node.drivers import catalog
from node.drivers.battery import Battery
from node.gauge import Gauge
from node.uplink import Uplink

_FOREVER_MS = 3600000
_FAULT_AFTER = 3  # bursts in a row without a reading before the sensor is called faulty
_CONSOLE_MS = 5
_ALARM_FILE = "alarm"


def _settings(station):
    """Its settings: further rows only where it watches more than a level."""
    given = station.get("settings", {})
    if not station.get("watch"):
        return S.Settings(given)
    from node.core import limits

    return S.Settings(given, limits.ROWS, limits.used(station["watch"]))


def _mount(row):
    """A ranger that hangs at an angle, or that air temperature fools, needs more than a subtraction."""
    if not row.get("tilt") and row.get("assumes_cc") is None:
        return None
    from node.core.hydrology import Mount

    return Mount(0, row.get("tilt", 0), row.get("assumes_cc"))


class App:
    """`station` is the compiled station (docs/ports.md), `ports` its world. ValueError: a station that can't be run.

    A station is data: the sensors it names make it a river gauge, a rain gauge, an air station, or all of them. `gauge` is None without a
    level, `survey` without other sensors. `logs` and `uplink` are None until storage could be read: a siren needs neither.
    """

    def __init__(self, station, ports):
        self._storage = ports.storage
        self._link = ports.link
        self._station = station
        self.settings = _settings(station)
        self._settings_lost = False
        self._sensor_bad = False
        self._told_state = 0
        self._told_by = None  # the watch that makes the told state, None for the level
        self._told_rising = 0
        self._reported_ms = -1
        self._awaits_final = False  # the sample before was recorded
        self._final = 0  # final flag of the newest recorded point, 0 while not known
        self._now_ms = -1
        self.uplink = None
        self.gauge = None
        self.survey = None
        self._rounds = None
        self._battery = None
        self._care = None
        self._led = ports.outputs.get("led")
        self._lit = 0
        self._recovered = False  # settings and alarm have been read from storage
        self._kept = 0  # the alarms as storage has them
        self.defects = 0  # exceptions that are no answer of a port: our own
        self._books = Books(ports.storage, ports.clock, station.get("reset", "unknown"))
        self._sounder = Sounder(ports.outputs["siren"], ports.outputs["strobe"])
        self._compose(station, ports)
        self._alarms = [self.gauge.alarm] if self.gauge else []
        if self.survey:
            self._alarms += [watch.alarm for watch in self.survey.watches]
        self._console = Console(ports.console, self.settings, self)
        self._open()

    def _open(self):
        try:
            image = self._storage.read(S.FILE, 0, 4096)
        except OSError:
            self._books.storage_bad = True
            return
        if (
            not self._recovered
        ):  # before the books: flash that can be read but not written still holds the levels that count
            self._recovered = True
            self._settings_lost = not self.settings.recover(image)
            self._configure()
            self._resume()
        if not self._books.open():
            return
        self.uplink = Uplink(self._station, self.logs, self._link, self.settings, self._books.when, self._books.declare)

    @property
    def logs(self):
        return self._books.logs

    def _compose(self, station, ports):
        """A station is data: the sensors it names make it a river gauge, a rain gauge, an air station, or all of them."""
        ranger = None
        others = []
        for row in station["sensors"]:
            bus = ports.buses[row["bus"]]
            if row["driver"] == "battery":
                self._battery = Battery(bus, row["ratio_milli"])
            elif row.get("gives") == "level":
                ranger = catalog.make(catalog.LEVEL, row["driver"], bus, row)
                mount = _mount(row)
                depth = row.get("measures") == "depth" or row["driver"] == "current_loop"
            else:
                others.append((catalog.make(catalog.OTHERS, row["driver"], bus, row), row["bus"]))
        if not self._battery:
            raise ValueError("a station needs a sensor with driver battery")
        if ranger:
            median_of = station.get("rise_median_of", 1)
            self.gauge = Gauge(ranger, self._battery, self.settings, self._sounder, mount, depth, median_of)
            if station.get("care"):
                from node.care import Care

                self._care = Care(station["care"], self.gauge)
        if others or station.get("tank"):
            from node import rounds

            self.survey = rounds.compose(station, others, self.settings, self.gauge, ports.outputs)
            battery = None if ranger else self._battery
            self._rounds = rounds.Rounds(self, self.survey, self._books, battery)
        if not ranger and not others:
            raise ValueError("a station needs a sensor besides its battery")

    def _configure(self):
        if self.gauge:
            self.gauge.configure()
        if self.survey:
            self.survey.configure()

    @property
    def last_sample_ms(self):
        return (self.gauge or self.survey).last_sample_ms

    @property
    def interval_ms(self):
        return (self.gauge or self.survey).interval_ms

    def step(self, now_ms):
        """Milliseconds until the station next has work. Bytes on link or console are a reason to step before."""
        own = self.measure(now_ms)
        other = self.talk(now_ms)
        return own if own < other else other

    def measure(self, now_ms):
        """Sample, decide, sound, record, answer the technician. Depends on no network."""
        self._books.uptime.advance(now_ms)
        if self._now_ms < 0:
            self.begin()
        self._now_ms = now_ms
        try:
            writing = self._console.step()  # first: what was typed shows in this step's sound
        except OSError:
            writing = False  # a cable is no reason not to sample
        wait = _FOREVER_MS
        gauge = self.gauge
        decided = False
        if gauge:
            decided = gauge.step(now_ms, self._books.uptime.seconds)
            if decided:
                self._record(now_ms)
            wait = gauge.due_in(now_ms)
        if self.survey:
            wait = min(wait, self._step_survey(now_ms))
        if decided or writing or self.survey:
            self._keep_alarm()
        if self._led:
            self._light()
        return _CONSOLE_MS if writing and wait > _CONSOLE_MS else wait

    def _keep_alarm(self):
        """States and acknowledgements outlive a reset: written when they change, which is seldom."""
        key = 0
        for alarm in self._alarms:
            key = key << 4 | alarm.state << 2 | alarm.acknowledged
        if key != self._kept and self._recovered:
            try:
                self._storage.replace(_ALARM_FILE, b"%d %d" % (len(self._alarms), key))
                self._kept = key
            except OSError:
                self._books.storage_bad = True

    def _resume(self):
        """A reset is no reason to fall silent: what was alarmed still is, until the water is seen to be down."""
        try:
            count, key = [int(word) for word in self._storage.read(_ALARM_FILE, 0, 24).split()]
        except (OSError, ValueError):
            return
        if count != len(self._alarms) or not 0 <= key < 1 << 4 * count:
            return
        self._kept = key
        for alarm in reversed(self._alarms):
            alarm.resume(key >> 2 & 3, key & 3)
            key >>= 4
            self._told_state = max(self._told_state, alarm.state)
        if self.gauge:
            self.gauge.state = self.gauge.alarm.state

    def _light(self):
        """The LED: lit while a sample is taken, and as long as anything is alarmed."""
        sampling = self.gauge.sampling if self.gauge else self.survey.sampling
        lit = 1 if sampling or self._told_state else 0
        if lit != self._lit:
            self._lit = lit
            self._led.set(lit)

    def _step_survey(self, now_ms):
        survey = self.survey
        self._rounds.step(now_ms)
        wait = survey.due_in(now_ms)
        sounding = survey.sounding(now_ms)
        if self.gauge:
            self.gauge.others = sounding
            return wait
        self._sounder.sound(sounding, self.settings.get(S.SIREN_FROM), now_ms)
        change = self._sounder.due_in(now_ms)
        return change if 0 <= change < wait else wait

    def talk(self, now_ms):
        """Whatever the network allows; its milliseconds may be another clock's. Storage that can't be read is no reason to stop."""
        try:
            return self.uplink.step(now_ms) if self.uplink else 1000
        except OSError:
            self._books.storage_bad = True
            return 1000
        except ValueError:
            self.defects += 1  # a message that can't be made: the next step goes on behind it
            return 1000

    # Records

    def begin(self):
        """What comes before every record; storage that failed is tried again. Returns the record's moment."""
        if not self.logs:
            self._open()
        moment = self._books.begin()
        if self._settings_lost and self._books.event((M.SETTINGS, 0, 2), (M.REVISION, 0, self.settings.revision)):
            self._settings_lost = False
        return moment

    def _record(self, now_ms):
        gauge = self.gauge
        moment = self.begin()
        if self._awaits_final:
            self._awaits_final = False
            self._final = gauge.quality.previous_final
        level = (M.LEVEL, gauge.flag, gauge.reason if gauge.flag == M.FLAG_MISSING else gauge.level_mm)
        self._tell_changes(level)
        if self._care:
            self._care.look(self._books, moment)
        self._books.settle()
        urgent = gauge.state or gauge.rising or gauge.alarm.confirming or gauge.failures
        slack = gauge.interval_ms >> 1
        if not urgent and self._reported_ms >= 0:
            if diff(now_ms, self._reported_ms) < self.settings.get(S.REPORT_INTERVAL) * 1000 - slack:
                return
        self._reported_ms = now_ms
        point = (M.LEVEL, gauge.flag | (self._final << 4), level[2])
        if self._books.append(journal.READINGS, moment, (point, (M.BATTERY, gauge.battery_flag, gauge.battery_mv))):
            self._awaits_final = True
            self._final = 0

    def _tell_changes(self, level):
        """A change counts as told once it is in the journal."""
        gauge = self.gauge
        rise = (M.RISE, 0, gauge.rise.rate_mm_h())
        self.tell_state(level)
        if gauge.rising != self._told_rising and self._books.event((M.RISE_ALARM, 0, gauge.rising), level, rise):
            self._told_rising = gauge.rising
        if gauge.failures >= _FAULT_AFTER and not self._sensor_bad:
            self._sensor_bad = self._books.event((M.SENSOR, 0, 0), (M.SENSOR_OF, 0, 0), (M.REASON, 0, gauge.reason))
        elif self._sensor_bad and not gauge.failures:
            self._sensor_bad = not self._books.event((M.SENSOR, 0, 1), (M.SENSOR_OF, 0, 0))

    def tell_state(self, level):
        """One state for the whole station: the highest of its alarms, told with the quantity that made it, or that has fallen.

        `level` is its point, None when it is not known just now: then the gauge's next record tells what the level did.
        """
        gauge, old = self.gauge, self._told_state
        state = gauge.state if gauge else 0
        maker = None
        if self._rounds:
            state, maker = self._rounds.highest(state)
        if state == old:
            self._told_by = maker
            return
        watch = self._told_by if state < old else maker
        crossed = (state if state > old else old) - 1
        if watch:
            about = self._rounds.crossing(watch, crossed)
        elif level:
            about = (level, (M.LIMIT, 0, gauge.limit_mm(crossed + 1)), (M.RISE, 0, gauge.rise.rate_mm_h()))
        else:
            return
        if self._books.event((M.ALARM, 0, state), (M.ALARM_FROM, 0, old), *about):
            self._told_state = state
            self._told_by = maker

    # What the console asks for

    def state_line(self):
        gauge = self.gauge
        if not gauge:
            return "%s, %d sensors, revision %d" % (
                M.STATES[self.survey.state], len(self.survey.sensors), self.settings.revision,
            )  # fmt: skip
        level = M.REASONS[gauge.reason] if gauge.flag == M.FLAG_MISSING else fixed.text(gauge.level_mm, 3) + " m"
        state = max(gauge.state, self.survey.state) if self.survey else gauge.state
        season = ""
        if gauge.in_season():
            season = ", a season's levels rule: %s m" % " ".join([fixed.text(gauge.limit_mm(i), 3) for i in (1, 2, 3)])
        return "%s, level %s (q %d, %d outliers), battery %d mV, revision %d%s" % (
            M.STATES[state], level, gauge.flag, gauge.outliers, gauge.battery_mv, self.settings.revision, season,
        )  # fmt: skip

    def keep(self, settings):
        """Save what was typed, then use it: after a cut the station runs either the old settings or the new."""
        values = settings.proposed()
        problem = S.conflict(values, settings.rows)
        if not problem and not self._out_of_reach(settings.values):  # what was so before does not stop another change
            problem = self._out_of_reach(values)
        if problem:
            raise ValueError(problem)
        if not self._recovered:
            raise OSError("what was saved before has not been read yet")
        image = settings.image(values, settings.revision + 1)
        try:
            self._storage.replace(S.FILE, image)
        except OSError:
            if self._storage.read(S.FILE, 0, 4096) != image:  # some failures come after the deed
                raise
        changes = settings.apply()
        self._configure()
        for i, old, new in changes:
            self._books.event(
                (M.SETTINGS, 0, 0),
                (M.REVISION, 0, settings.revision),
                (M.OLD_SETTING + i, 0, old),
                (M.NEW_SETTING + i, 0, new),
            )
        return changes

    def _out_of_reach(self, values):
        """What the sensor can never tell, in one sentence, or None: a line up there would be no alarm."""
        if self.gauge:
            highest = self.gauge.highest_mm(values[S.SENSOR_HEIGHT])
            if values[S.LEVEL_DANGER] > highest:
                return "level.danger is above what the sensor can tell from its height, %s m" % fixed.text(highest, 3)
            if values[S.RISE_LIMIT] and 2 * values[S.SAMPLE_INTERVAL] > values[S.RISE_WINDOW]:
                return "rise.window must hold two samples: at least twice sample.interval, or rise.limit 0"
        return None

    def acknowledge(self):
        for each in (self.gauge, self.survey):
            if each:
                each.acknowledge()
        self._books.event((M.ACKNOWLEDGED, 0, 0))

    def shelve(self, seconds):
        if self.gauge:
            self.gauge.alarm.shelve(self._now_ms, seconds)
        if self.survey:
            self.survey.shelve(self._now_ms, seconds)
        self._books.event((M.SHELVED_S, 0, seconds))
