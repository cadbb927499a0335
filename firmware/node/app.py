"""The station as one object: sample, decide, sound, record, and talk when there is somebody to talk to."""

from node.books import Books
from node.core import journal
from node.core import measurements as M
from node.core import settings as S
from node.core.clock import diff
from node.core.sounder import Sounder
from node.drivers import catalog
from node.drivers.battery import Battery
from node.gauge import Gauge
from node.uplink import Uplink

_FOREVER_MS = 3600000
_FAULT_AFTER = 3  # bursts in a row without a reading before the sensor is called faulty
_CONSOLE_MS = 5
_ALARM_FILE = "alarm"
_REFUSED_EVERY_S = 600
_CALM_MS = 3000  # what a handshake may take, with half as much again


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
        self.storage = ports.storage
        self._link = ports.link
        self._station = station
        self.life = station["life"]
        self.settings = _settings(station)
        self._ailing = S.SOUND  # how the settings' copies were found, until that is told and mended
        self._sensor_bad = False
        self._told_state = 0
        self._told_by = None  # the watch that makes the told state, None for the level
        self._told_rising = 0
        self._reported_ms = -1
        self._awaits_final = False  # the sample before was recorded
        self._final = 0  # final flag of the newest recorded point, 0 while not known
        self.now_ms = -1
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
        self.refused = 0  # what came through the gateway and was not carried out
        self._refused_at = -1  # uptime of the newest event that told of one, seconds
        self.reboot_wanted = False  # the outer loop's to do
        self._books = Books(ports.storage, ports.clock, station.get("reset", "unknown"))
        self._sounder = Sounder(ports.outputs["siren"], ports.outputs["strobe"])
        self._compose(station, ports)
        self._alarms = [self.gauge.alarm] if self.gauge else []
        if self.survey:
            self._alarms += [watch.alarm for watch in self.survey.watches]
        self._ports = ports
        self._console = None  # until something is typed: a calm station's heap does not carry it
        self._typed = bytearray(32)
        self._people = None  # what carries out the orders of people, made with the first of them
        self._decided = False  # a sample was decided in this step
        self._open()

    def _open(self):
        if not self._recovered:
            try:  # before the books: flash that can be read but not written still holds the levels that count
                self._ailing = S.load(self.storage, self.settings)
            except OSError:
                self._books.storage_bad = True
                return
            self._recovered = True
            self.configure()
            self._resume()
        if not self._books.open():
            return
        self.uplink = Uplink(self._station, self.logs, self._link, self.settings, self._books.when, self._books.declare)
        self.uplink.on_other = self._told
        self.uplink.on_time = getattr(self._ports.clock, "hint", None)

    @property
    def logs(self):
        return self._books.logs

    @property
    def orders(self):
        """What people ask for, by cable or through the gateway."""
        if not self._people:
            from node.orders import Orders

            self._people = Orders(self, self._books)
        return self._people

    def _told(self, name, payload, retained):
        """A message to this node that is not about its records; ValueError: it can't be used."""
        if name == "command" or name == "desired":
            self.orders.message(name, payload, retained)
        else:
            raise ValueError("nothing takes '%s'" % name)

    def _listen(self):
        """The console, loaded when the first byte is typed. True while there is more to write."""
        if not self._console:
            count = self._ports.console.read_into(self._typed)
            if not count:
                return False
            from node.core.console import Console

            self._console = Console(self._ports.console, self.settings, self.orders, self._typed, count)
        return self._console.step()

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

    def configure(self):
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
        if self.now_ms < 0:
            self.begin()
        self.now_ms = now_ms
        try:
            writing = self._listen()  # first: what was typed shows in this step's sound
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
        self._decided = decided
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
                self.storage.replace(_ALARM_FILE, b"%d %d" % (len(self._alarms), key))
                self._kept = key
            except OSError:
                self._books.storage_bad = True

    def _resume(self):
        """A reset is no reason to fall silent: what was alarmed still is, until the water is seen to be down."""
        try:
            count, key = [int(word) for word in self.storage.read(_ALARM_FILE, 0, 24).split()]
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
            return self.uplink.step(now_ms, self._calm(now_ms)) if self.uplink else 1000
        except OSError:
            self._books.storage_bad = True
            return 1000
        except ValueError:
            self.defects += 1  # a message that can't be made: the next step goes on behind it
            return 1000

    def _calm(self, now_ms):
        """Whether the link may keep the processor for a while (a TLS key exchange takes about 2 s): no burst runs, no crossing waits."""
        gauge = self.gauge
        if not gauge:
            return not self.survey.sampling
        if gauge.sampling or gauge.confirming:
            return False
        return self._decided or gauge.sample_in(now_ms) >= _CALM_MS

    # Records

    def begin(self):
        """What comes before every record; storage that failed is tried again. Returns the record's moment."""
        if not self.logs:
            self._open()
        moment = self._books.begin()
        if self._ailing:
            from node.core import copies

            self._ailing = copies.attend(self.storage, self.settings, self._ailing, self._books.event)
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

    def save(self, values, revision):
        """The settings onto flash. OSError: what was saved before still counts."""
        if not self._recovered:
            raise OSError("what was saved before has not been read yet")
        from node.core import copies

        if not copies.save(self.storage, self.settings, values, revision):
            self._ailing = self._ailing or S.LAGGING

    def refuse(self, why):
        """Count what came through the gateway and is not carried out; a flood of it does not fill the journal."""
        self.refused += 1
        seconds = self._books.uptime.seconds
        if self._refused_at < 0 or seconds - self._refused_at >= _REFUSED_EVERY_S:
            from node.core import happenings

            if self._books.tell(why, (happenings.REFUSED, 0)):
                self._refused_at = seconds
