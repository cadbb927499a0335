"""The station as one object: sample, decide, sound, record, and talk when there is somebody to talk to."""

from node.core import journal, senml
from node.core import measurements as M
from node.core import settings as S
from node.core.clock import Uptime, diff
from node.core.console import Console
from node.core.sounder import Sounder
from node.drivers.a02yyuw import A02YYUW
from node.drivers.battery import Battery
from node.gauge import Gauge
from node.uplink import Uplink

_FAULT_AFTER = 3  # bursts in a row without a reading before the sensor is called faulty
_CONSOLE_MS = 5
_BOOT_FILE = "boot"
_FIX_MOST_S = 2000000  # a point's value is 32 bits: uptimes beyond are dated from here


def count_boot(storage, logs):
    """Give this boot its number, above any that storage knows of: with one used before, keys would come twice."""
    boot = 0
    try:
        boot = int(storage.read(_BOOT_FILE, 0, 12) or b"0")
    except ValueError:
        pass
    if not 0 <= boot < 1 << 31:
        boot = 0
    boot = max(boot, logs[0].prev_boot, logs[1].prev_boot) + 1
    storage.replace(_BOOT_FILE, b"%d" % boot)
    for log in logs:
        log.boot = boot


class App:
    """`station` is the compiled station (docs/ports.md), `ports` its world. ValueError: a station that can't be run.

    `logs` and `uplink` are None until storage could be read: without a boot number there is no key, and a siren needs neither.
    """

    def __init__(self, station, ports):
        self._clock = ports.clock
        self._storage = ports.storage
        self._link = ports.link
        self._station = station
        self.settings = S.Settings(station.get("settings", {}))
        self._settings_lost = False
        self._uptime = Uptime()
        self._unix_last = 0
        self._fixed = False
        self._sensor_bad = False
        self._storage_bad = False
        self._told_state = 0
        self._told_rising = 0
        self._reported_ms = -1
        self._awaits_final = False  # the sample before was recorded
        self._final = 0  # final flag of the newest recorded point, 0 while not known
        self._now_ms = -1
        self.logs = None
        self.uplink = None
        ranger, battery = self._sensors(station, ports)
        sounder = Sounder(ports.outputs["siren"], ports.outputs["strobe"])
        self.gauge = Gauge(ranger, battery, self.settings, sounder)
        self._console = Console(ports.console, self.settings, self)
        self._booted = False
        self._open()

    def _open(self):
        storage = self._storage
        try:
            image = storage.read(S.FILE, 0, 4096)
            logs = journal.open_logs(storage, 0)
            count_boot(storage, logs)
        except OSError:
            self._storage_bad = True
            return
        self._settings_lost = not self.settings.recover(image)
        self.gauge.configure()
        self.uplink = Uplink(self._station, logs, self._link, self.settings, self._when, self._declare)
        self.logs = logs

    def _sensors(self, station, ports):
        ranger = battery = None
        for sensor in station["sensors"]:
            bus = ports.buses[sensor["bus"]]
            if sensor["driver"] == "a02yyuw":
                ranger = A02YYUW(bus)
            elif sensor["driver"] == "battery":
                battery = Battery(bus, sensor["ratio_milli"])
            else:
                raise ValueError("no driver '%s'; there are a02yyuw, battery" % sensor["driver"])
        if not ranger or not battery:
            raise ValueError("a river gauge needs the sensors a02yyuw and battery")
        return ranger, battery

    @property
    def last_sample_ms(self):
        return self.gauge.last_sample_ms

    @property
    def interval_ms(self):
        return self.gauge.interval_ms

    def step(self, now_ms):
        """Milliseconds until the station next has work. Bytes on link or console are a reason to step before."""
        own = self.measure(now_ms)
        other = self.talk(now_ms)
        return own if own < other else other

    def measure(self, now_ms):
        """Sample, decide, sound, record, answer the technician. Depends on no network."""
        self._uptime.advance(now_ms)
        if self._now_ms < 0:
            self._boot()
        self._now_ms = now_ms
        writing = self._console.step()  # first: what was typed shows in this step's sound
        gauge = self.gauge
        if gauge.step(now_ms, self._uptime.seconds):
            self._record(now_ms)
        wait = gauge.due_in(now_ms)
        return _CONSOLE_MS if writing and wait > _CONSOLE_MS else wait

    def talk(self, now_ms):
        """Whatever the network allows; its milliseconds may be another clock's. Storage that can't be read is no reason to stop."""
        try:
            return self.uplink.step(now_ms) if self.uplink else 1000
        except OSError:
            self._storage_bad = True
            return 1000

    # Records

    def _moment(self):
        """(flags, seconds, ms) for a record made now; since 1970 once the time is known, never going back."""
        unix_ms = self._clock.unix_ms()
        if unix_ms is None:
            return 0, self._uptime.seconds, self._uptime.ms
        if unix_ms < self._unix_last:
            unix_ms = self._unix_last
        self._unix_last = unix_ms
        return journal.DATED, unix_ms // 1000, unix_ms % 1000

    def _when(self):
        flags, seconds, ms = self._moment()
        return senml.moment(flags, seconds, ms)

    def _append(self, stream, moment, points):
        try:
            if self.logs:
                self.logs[stream].append(moment[0], moment[1], moment[2], points)
                return True
        except OSError:
            pass
        self._storage_bad = True
        return False

    def _event(self, *points):
        return self._append(journal.EVENT, self._moment(), points)

    def _declare(self, stream, boot, first_seq, last_seq):
        return self._event(
            (M.DROPPED, 0, stream), (M.OF_BOOT, 0, boot), (M.FIRST_SEQ, 0, first_seq), (M.LAST_SEQ, 0, last_seq)
        )

    def _boot(self):
        words = M.POINTS[M.BOOT][5]
        reset = self._station.get("reset", "unknown")
        self._booted = self._event((M.BOOT, 0, words.index(reset) if reset in words else len(words) - 1))
        if self._booted and self._settings_lost:
            self._event((M.SETTINGS, 0, 2), (M.REVISION, 0, self.settings.revision))

    def _record(self, now_ms):
        gauge = self.gauge
        if not self.logs:
            self._open()
        if not self._booted:
            self._boot()
        moment = self._moment()
        if moment[0] and not self._fixed:
            self._fix_time(moment)
        if self._awaits_final:
            self._awaits_final = False
            self._final = gauge.quality.previous_final
        level = (M.LEVEL, gauge.flag, gauge.reason if gauge.flag == M.FLAG_MISSING else gauge.level_mm)
        self._tell_changes(level)
        if self.logs:
            self._declare_lost()
        if self._storage_bad and self._event((M.STORAGE, 0, 0)):
            self._storage_bad = False
        urgent = gauge.state or gauge.rising or gauge.alarm.confirming or gauge.failures
        slack = gauge.interval_ms >> 1
        if not urgent and self._reported_ms >= 0:
            if diff(now_ms, self._reported_ms) < self.settings.get(S.REPORT_INTERVAL) * 1000 - slack:
                return
        self._reported_ms = now_ms
        point = (M.LEVEL, gauge.flag | (self._final << 4), level[2])
        if self._append(journal.READINGS, moment, (point, (M.BATTERY, gauge.battery_flag, gauge.battery_mv))):
            self._awaits_final = True
            self._final = 0

    def _declare_lost(self):
        for stream, log in enumerate(self.logs):
            while log.given_up:
                lost = log.given_up[0]
                if not self._declare(stream, lost[0], lost[1], lost[2]):
                    return
                log.given_up.pop(0)

    def _fix_time(self, moment):
        back = self._uptime.seconds - _FIX_MOST_S
        if back < 0:
            back = 0
        up_ms = (self._uptime.seconds - back) * 1000 + self._uptime.ms
        dated = (moment[0], moment[1] - back, moment[2])
        self._fixed = self._append(journal.EVENT, dated, ((M.TIME_FIX, 0, 0), (M.UP_MS, 0, up_ms)))

    def _tell_changes(self, level):
        """A change counts as told once it is in the journal."""
        gauge = self.gauge
        rise = (M.RISE, 0, gauge.rise.rate_mm_h())
        if gauge.state != self._told_state:
            old = self._told_state
            crossed = gauge.state if gauge.state > old else old
            limit = (M.LIMIT, 0, self.settings.get(S.LEVEL_ALERT + crossed - 1))
            if self._event((M.ALARM, 0, gauge.state), (M.ALARM_FROM, 0, old), level, limit, rise):
                self._told_state = gauge.state
        if gauge.rising != self._told_rising and self._event((M.RISE_ALARM, 0, gauge.rising), level, rise):
            self._told_rising = gauge.rising
        if gauge.failures >= _FAULT_AFTER and not self._sensor_bad:
            self._sensor_bad = self._event((M.SENSOR, 0, 0), (M.SENSOR_OF, 0, 0), (M.REASON, 0, gauge.reason))
        elif self._sensor_bad and not gauge.failures:
            self._sensor_bad = not self._event((M.SENSOR, 0, 1), (M.SENSOR_OF, 0, 0))

    # What the console asks for

    def state_line(self):
        gauge = self.gauge
        level = M.REASONS[gauge.reason] if gauge.flag == M.FLAG_MISSING else S.shown(S.LEVEL_ALERT, gauge.level_mm)
        return "%s, level %s (q %d), battery %d mV, revision %d" % (
            M.STATES[gauge.state], level, gauge.flag, gauge.battery_mv, self.settings.revision,
        )  # fmt: skip

    def keep(self, settings):
        """Save what was typed, then use it: after a cut the station runs either the old settings or the new."""
        values = settings.proposed()
        problem = S.conflict(values)
        if problem:
            raise ValueError(problem)
        self._storage.replace(S.FILE, settings.image(values, settings.revision + 1))
        changes = settings.apply()
        self.gauge.configure()
        for i, old, new in changes:
            self._event(
                (M.SETTINGS, 0, 0),
                (M.REVISION, 0, settings.revision),
                (M.OLD_SETTING + i, 0, old),
                (M.NEW_SETTING + i, 0, new),
            )
        return changes

    def acknowledge(self):
        self.gauge.acknowledge()
        self._event((M.ACKNOWLEDGED, 0, 0))

    def shelve(self, seconds):
        self.gauge.alarm.shelve(self._now_ms, seconds)
        self._event((M.SHELVED_S, 0, seconds))
