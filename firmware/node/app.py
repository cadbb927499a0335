"""The station as one object: sample, decide, sound, record, and talk when there is somebody to talk to."""

from node.books import Books
from node.core import journal
from node.core import measurements as M
from node.core import settings as S
from node.core.clock import diff
from node.core.sounder import Sounder
from node.uplink import Uplink

_FOREVER_MS = 3600000
_STATUS_SOON_MS = 600000
_CONSOLE_MS = 5
_ALARM_FILE = "alarm"
_CALM_MS = 3000  # what a handshake may take, with half as much again


class App:
    """`station` is the compiled station (docs/ports.md), `ports` its world. ValueError: a station that can't be run.

    A station is data: the sensors it names make it a river gauge, a rain gauge, an air station, or all of them. `gauge` is None without a
    level, `survey` without other sensors. `logs` and `uplink` are None until storage could be read: a siren needs neither.
    """

    def __init__(self, station, ports):
        from node import compose  # needed once a boot: the outer loop may forget it

        self.storage = ports.storage
        self._link = ports.link
        self._station = station
        self.life = station["life"]
        self.settings = compose.settings(station)
        self._ailing = S.SOUND  # how the settings' copies were found, until that is told and mended
        self.level_bad = False  # no reading, and that is told
        self._told_state = 0
        self._told_by = None  # the watch that makes the told state, None for the level
        self._told_rising = 0
        self._reported_ms = -1
        self._awaits_final = False  # the sample before was recorded
        self._final = 0  # final flag of the newest recorded point, 0 while not known
        self.now_ms = -1
        self.uplink = None
        self._rounds = None
        self._led = ports.outputs.get("led")
        self._lit = 0
        self._recovered = False  # settings and alarm have been read from storage
        self._lasting = None  # keeps the alarms in storage
        self.defects = 0  # exceptions that are no answer of a port: our own
        self._refused_at = -1  # uptime of the newest event that told of that, seconds
        self.refused = 0  # what came through the gateway and was not carried out
        self.reboot_wanted = False  # the outer loop's to do
        self._books = Books(ports.storage, ports.clock, station.get("reset", "unknown"))
        self._sounder = Sounder(ports.outputs["siren"], ports.outputs["strobe"])
        self._ports = ports
        self._faults = None  # what a defect of ours loads
        self.safe = False  # after too many of them: only what is needed
        self.drill = None  # the newest, until it has been told what came of it
        self._alive_ms = -1
        self.sensors_bad = 0  # as `status` last said it
        self._look_back(station.get("reset"))
        self.gauge, self._care, self.survey, battery = compose.compose(
            station, ports, self.settings, self._sounder, self.safe
        )
        if self.survey:
            from node.rounds import Rounds

            self._rounds = Rounds(self, self.survey, self._books, battery)
            self._rounds.listen(self._sounder)
        self._alarms = [self.gauge.alarm] if self.gauge else []
        if self.survey:
            self._alarms += [watch.alarm for watch in self.survey.watches]
        self._console = None  # until something is typed: a calm station's heap does not carry it
        self._typed = bytearray(32)
        self._people = None  # what carries out the orders of people, made with the first of them
        self._decided = False  # a sample was decided in this step
        self.update = None
        self._networking = None
        self.duty = None  # what lets the board sleep
        self._power = getattr(ports, "power", None)
        if not (self._power and self._power.cause() == "sleep" and self._woken()):
            self._open()
        slots = getattr(ports, "slots", None)
        if slots and slots.busy:
            self._updating()

    def _open(self):
        if not self._recovered:
            try:  # before the books: flash that can be read but not written still holds the levels that count
                self._ailing = S.load(self.storage, self.settings)
            except OSError:
                self._books.fail()
                return
            self._recovered = True
            self.configure()
            self._resume()
            self.find_network()
        if not self._books.open():
            return
        self.connect()

    def find_network(self):
        try:
            kept = self.storage.size("network.0") or self.storage.size("network.1")
        except OSError:
            kept = 1  # perhaps: it is asked for until storage says
        if kept:  # changed by somebody
            self.networking().open()

    def connect(self):
        self.uplink = Uplink(self._station, self.logs, self._link, self.settings, self._books.when, self._books.declare)
        self.uplink.on_other = self._told
        self.uplink.on_time = getattr(self._ports.clock, "hint", None)
        self.uplink.on_status = self._standing
        if self.safe:
            self.uplink.leave_backlog()

    def _standing(self):
        """What `status` says of the station besides its state."""
        from node import standing

        self.sensors_bad = standing.sensors_bad(self.survey, self.level_bad)
        return standing.members(self, self._ports, self._books, self._station)

    def tell_soon(self):
        """What `status` says has changed; what changes all the time is told every ten minutes."""
        if self.uplink:
            self.uplink.tell_status(_STATUS_SOON_MS)

    @property
    def faults(self):
        if not self._faults:
            from node.faults import Faults

            self._faults = Faults(self, self._books, self._ports)
        return self._faults

    def _look_back(self, reset):
        """Did the boot before end well?"""
        try:
            if reset == "watchdog" or self.storage.size("crash") or self.storage.size("ends"):
                self.faults.begin(reset)
        except OSError:
            self._books.fail()

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
        elif name == "update" or name == "part":
            self._updating().message(name, payload, retained)
        else:
            raise ValueError("nothing takes '%s'" % name)

    def _updating(self):
        """What fills and tries slots, loaded with the first offer or by a boot that finds something to do there."""
        if not self.update:
            from node.updating import Updating

            self.update = Updating(self, self._books, getattr(self._ports, "slots", None))
        return self.update

    def networking(self):
        """What changes where the link leads."""
        if not self._networking:
            from node.networking import Networking

            self._networking = Networking(self._station, self.storage, self._link, self._books)
        return self._networking

    def _listen(self):
        """The console, loaded when the first byte is typed. True while there is more to write."""
        if not self._console:
            count = self._ports.console.read_into(self._typed)
            if not count:
                return False
            from node.console.session import Console

            self._console = Console(self, self._ports.console, self._typed, count)
        return self._console.step()

    def configure(self):
        if self.gauge:
            self.gauge.configure()
        if self.survey:
            self.survey.configure()
        if not self._power or not self.settings.get(S.POWER_PROFILE):
            self.duty = None
        elif not self.duty:
            from node.duty import Duty

            self.duty = Duty(self, self._books)

    def _woken(self):
        from node import frozen

        return frozen.thaw(self, self._power.memory())

    def rest(self, now_ms):
        """How many milliseconds the board may sleep deep; 0: stay awake."""
        return self.duty.rest(now_ms) if self.duty else 0

    def freeze(self):
        """What is to be kept while it does; b"": it can't be, so stay awake."""
        return self.duty.freeze()

    @property
    def radio(self):
        """Whether a network is wanted."""
        return not self.duty or self.duty.phase > 0

    @property
    def last_sample_ms(self):
        return (self.gauge or self.survey).last_sample_ms

    @property
    def alive_ms(self):
        """When sampling last came to something: a gauge decided, or another station's sensor was asked. The watchdog's meals hang on it."""
        return self._alive_ms if self.gauge else self.survey.last_sample_ms

    @property
    def interval_ms(self):
        return (self.gauge or self.survey).interval_ms

    def step(self, now_ms):
        """Milliseconds until the station next has work. Bytes on link or console are a reason to step before."""
        try:
            own = self.measure(now_ms)
        except Exception as error:  # a defect of ours: told, and sampling goes on
            own = self.faults.measuring(error, now_ms)
        other = self._faults.mute_ms(now_ms) if self._faults else 0
        if not other:
            try:
                other = self.talk(now_ms)
            except Exception as error:
                other = self.faults.talking(error, now_ms)
        return own if own < other else other

    def measure(self, now_ms):
        """Sample, decide, sound, record, answer the technician. Depends on no network."""
        self._books.uptime.advance(now_ms)
        if self.now_ms < 0:
            self.now_ms = now_ms  # first: what raises from here on costs this step, and not every step
            self.begin()
            if self._lasting:
                self._lasting.keep(now_ms)
        self.now_ms = now_ms
        try:
            writing = self._listen()  # first: what was typed shows in this step's sound
        except (OSError, MemoryError):
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
            self._keep_alarm(now_ms)
        if decided or self._alive_ms < 0:
            self._alive_ms = now_ms
            if self._faults and not self.survey:
                self._faults.sampled()
        if self.drill and not self._sounder.drill:
            self.drill.tell()
            self.drill = None
        if self._faults:
            self._faults.step(now_ms)
        if self._led:
            self._light()
        return _CONSOLE_MS if writing and wait > _CONSOLE_MS else wait

    def _keep_alarm(self, now_ms):
        """What is alarmed, acknowledged or shelved outlives a reset."""
        if not self._lasting:
            for alarm in self._alarms:
                if alarm.state or alarm.acknowledged or alarm.shelved_s(now_ms) or (self.gauge and self.gauge.rising):
                    from node.lasting import Lasting

                    self._lasting = Lasting(self, self._alarms, self._books)
                    break
        if self._lasting and self._recovered:
            self._lasting.keep(now_ms)

    def _resume(self):
        """A reset is no reason to fall silent."""
        try:
            kept = self.storage.size(_ALARM_FILE)
        except OSError:
            kept = 1  # perhaps: it is asked for until storage says
        if kept:
            from node.lasting import Lasting

            self._lasting = Lasting(self, self._alarms, self._books)
            self._told_state = self._lasting.resume(self.now_ms)

    def _light(self):
        """The LED: lit while a sample is taken, and as long as anything is alarmed."""
        sampling = self.gauge.sampling if self.gauge else self.survey.sampling
        lit = 1 if sampling or self._told_state else 0
        if lit != self._lit:
            self._lit = lit
            self._led.set(lit)

    def _step_survey(self, now_ms):
        survey, hearing = self.survey, self._rounds.hearing
        if self._rounds.step(now_ms) and self._faults:
            self._faults.sampled()
        wait = survey.due_in(now_ms)
        if hearing:
            wait = min(wait, hearing.step(now_ms))
        sounding = survey.sounding(now_ms)
        if self.gauge:
            self.gauge.others = sounding
            return wait
        self._sounder.sound(sounding, self.settings.get(S.SIREN_FROM), now_ms)
        change = self._sounder.due_in(now_ms)
        return change if 0 <= change < wait else wait

    def talk(self, now_ms):
        """Whatever the network allows; its milliseconds may be another clock's. Storage that can't be read is no reason to stop."""
        wait = 1000
        try:
            if self.uplink:
                wait = (self.duty.talk if self.duty else self.uplink.step)(now_ms, self._calm(now_ms))
        except OSError:
            self._books.fail()
        except ValueError:
            self.defects += 1  # a message that can't be made: the next step goes on behind it
        finally:  # a trial ends whatever becomes of the link
            if self._networking:
                self._networking.step(self.uplink)
            if self.update:
                wait = min(wait, self.update.step(now_ms))
        return wait

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
        changed = gauge.state != self._told_state or gauge.rising != self._told_rising
        if self._rounds or changed or gauge.failures or self.level_bad:
            from node import telling

            telling.changes(self, self._books, level)
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
