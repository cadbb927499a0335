"""A station that sleeps: when the radio comes on, and how long the board may sleep deep. Loaded by the setting `power.profile`.

Calm, it wakes to sample, and every `radio.interval` the radio goes with a sample: records, then `sleeping` with the time of the next, and DISCONNECT, so
that the broker tells no last will. An event wants the radio at once. Anything alarmed keeps the board awake and talking.
"""

from node import frozen  # here, since at the first sleep the heap is fuller
from node.core import journal, senml
from node.core import settings as S
from node.core.clock import diff
from node.core.measurements import FLAG_PASS
from node.version import VERSION

OFF = 0
TALKING = 1
LEAVING = 2
_BOOT_MS = 1000  # until it has been measured
_BOOT_MOST_MS = 10000
_WORTH_MS = 2000  # a sleep shorter than this is none
_STEP_MS = 1000
_POLL_MS = 20
_GIVE_UP_MS = 25000  # without any progress
_GIVE_UP_LTE_MS = 90000  # each wake asks a modem from the first AT on: with less one that hangs is never switched off and on (node.core.modem)
_LEAVE_MS = 3000
_TIME_MS = 2000  # for a time server to answer
_LINGER_MS = 300  # what the gateway has for the station comes right after the connection
_BACKOFF_MOST_S = 14400
_AWAKE_S = 300  # after a boot that ended no sleep, and after the console was used
_TRIED_S = 700  # a boot after a bad end is looked at for ten minutes (node.faults)
_RESERVE_MV = 300  # so far below `battery.low` what is left is the siren's
_SAVING = 3
_DRIFT = 20  # the clock of deep sleep is right to a twentieth
_LOOSE_MOST_MS = 600000


class Duty:
    """Read: `phase`, `sessions`. `rest` and `talk` are called by the app."""

    def __init__(self, app, books):
        self._app = app
        self._books = books
        self.radio_s = 0  # uptime at which the radio is due
        self.failures = 0  # times in a row that the broker did not answer
        self.told = 0  # the newest event when the radio was last on: a newer one does not wait
        self.boot_ms = _BOOT_MS
        self.slept_ms = 0  # since the broker was last reached: the clock drifts while the board sleeps
        self.planned_ms = 0
        self.phase = OFF
        self._give_up_ms = _GIVE_UP_LTE_MS if app._station.get("access") == "lte" else _GIVE_UP_MS
        self._moved_ms = 0
        self._seen = None
        self._cable_ms = -1
        self._heard = 0
        self.refused = 0  # the newest update offer that was no good: retained, it comes with every time of the radio

    @property
    def alarmed(self):
        app = self._app
        gauge, survey = app.gauge, app.survey
        if app._told_state or (survey and survey.state):
            return True
        return bool(gauge and (gauge.state or gauge.rising))

    def _battery_below(self, mv):
        """Whether the battery is known to be that far below `battery.low`."""
        app = self._app
        if app.gauge:
            found = app.gauge.battery_mv if app.gauge.battery_flag == FLAG_PASS else 0
        else:
            found = app.survey.battery_mv
        return 0 < found < app.settings.get(S.BATTERY_LOW) - mv

    def interval_s(self):
        """Between two times of the radio, calm."""
        seconds = self._app.settings.get(S.RADIO_INTERVAL)
        return seconds * _SAVING if self._battery_below(0) else seconds

    def loose_ms(self):
        """How far off the clock may be."""
        return min(_LOOSE_MOST_MS, self.slept_ms // _DRIFT)

    # Sleep

    def freeze(self):
        """The station's state for RTC memory; b"": it can't be kept, so stay awake."""
        return frozen.freeze(self._app)

    def woke(self, slept_ms):
        """A boot that ended a sleep: what it took beyond the plan is what a boot takes."""
        boot = slept_ms - self.planned_ms
        if 0 < boot <= _BOOT_MOST_MS:
            self.boot_ms = boot
        self.slept_ms += slept_ms

    def rest(self, now_ms):
        """Milliseconds that the board may sleep, its boot taken off; 0: stay awake."""
        app = self._app
        if self.phase != OFF or not app.uplink or self._busy(now_ms) or self._wanted():
            return 0
        wait = app.gauge.sample_in(now_ms) if app.gauge else app.survey.due_in(now_ms)
        if app.survey:
            wait = min(wait, app.survey.due_in(now_ms))
        if self.interval_s() * 1000 < app.interval_ms:  # else it goes with a sample
            wait = min(wait, (self.radio_s - self._books.uptime.seconds) * 1000)
        wait -= self.boot_ms
        self.planned_ms = wait
        return wait if wait >= _WORTH_MS else 0

    def _busy(self, now_ms):
        """Anything that sounds, is alarmed, confirmed, sampled, typed, updated or can't be kept over a sleep."""
        app = self._app
        gauge, survey, sounder = app.gauge, app.survey, app._sounder
        if self.alarmed or sounder._sounding or sounder.siren_on or sounder.drill or app.drill or app.reboot_wanted:
            return True
        if gauge and (gauge.sampling or gauge.confirming):
            return True
        if survey and (survey.sampling or app._rounds._untold or self._holds(survey)):
            return True
        if self._books.uptime.seconds < _AWAKE_S or self._typing(now_ms):
            return True
        update = app.update
        if self._on_trial() or update and (update._offer or update._over):
            return True
        if app.safe or (app._faults and self._books.uptime.seconds < _TRIED_S):
            return True
        return bool(app._care and app._care._untold)

    def _on_trial(self):
        """Firmware, or a network, that has yet to prove itself."""
        app = self._app
        return bool((app.update and app.update.trying) or (app._networking and app._networking.left_s() > 0))

    def _holds(self, survey):
        """A relay that is on wants its output, and days of panels are more than RTC memory holds."""
        if survey._relay and survey._relay._on:
            return True
        for one in survey._derived:
            if hasattr(one, "_field"):
                return True
        return False

    def _typing(self, now_ms):
        console = self._app._console
        if console and console.heard != self._heard:
            self._heard = console.heard
            self._cable_ms = now_ms
        return self._cable_ms >= 0 and diff(now_ms, self._cable_ms) < _AWAKE_S * 1000

    # Radio

    def _wanted(self):
        app = self._app
        news = app.logs[journal.EVENT].seq > self.told
        if self._battery_below(_RESERVE_MV):
            return news and self.alarmed
        if news or self.alarmed or self._on_trial():
            return True
        half = app.interval_ms // 2000  # with the sample that is nearest
        if self.interval_s() * 1000 < app.interval_ms:
            half = 0
        return self._books.uptime.seconds + half >= self.radio_s

    def talk(self, now_ms, calm):
        """Milliseconds until there is more to do; the radio comes on, and goes."""
        app = self._app
        uplink = app.uplink
        if self.phase == OFF:
            if not calm or not self._wanted():
                return _STEP_MS
            self.phase = TALKING
            self._moved_ms = now_ms
            self._seen = None
            uplink._retry_at = uplink._urgent_at = -1  # the pace is set here
        wait = uplink.step(now_ms, calm)
        fetch = app.update and app.update._fetch
        part = (fetch.authentic, fetch._index, fetch._asked, fetch._hashed) if fetch else None
        seen = (tuple(uplink.mark), tuple(uplink._acked_key), uplink.client.state, uplink.client.in_flight, part)
        if seen != self._seen:
            self._seen = seen
            self._moved_ms = now_ms
        gone = diff(now_ms, self._moved_ms)
        if self.phase == LEAVING:
            if not uplink.client.in_flight or gone > _LEAVE_MS:
                self._left(now_ms)
            wait = _POLL_MS
        elif self._settled(uplink):
            if self._may_go(gone):
                left = 0 if self._committed(uplink) else _LINGER_MS - gone
                if getattr(app._ports.clock, "loose", False):
                    left = _TIME_MS - gone
                    wait = min(wait, 5 * _POLL_MS)
                if left <= 0:
                    self._leave(now_ms)
                wait = min(wait, max(left, _POLL_MS))
        elif (
            gone > self._give_up_ms and not self._on_trial() and (not self.alarmed or self._battery_below(_RESERVE_MV))
        ):
            self._give_up(now_ms)
        return min(wait, _STEP_MS)

    def _may_go(self, gone):
        """A fetch that nobody serves keeps no station awake: it goes on with the next time of the radio, from where its files end."""
        update = self._app.update
        if self._on_trial() or update and (update._offer or update._fetch and gone <= self._give_up_ms):
            return False
        return not self.alarmed or self._battery_below(_RESERVE_MV)

    def _settled(self, uplink):
        """All that there is has been sent and acknowledged."""
        client = uplink.client
        if client.out or client.in_flight or not uplink._online or uplink._asked or uplink._replies:
            return False
        if uplink._told != self._app.settings.revision or uplink._move[0] or uplink._move[1]:
            return False
        logs = self._app.logs
        return uplink._through[0] == logs[0].seq and uplink._through[1] == logs[1].seq

    def _committed(self, uplink):
        logs = self._app.logs
        return uplink.mark[0] >= (logs[0].boot, logs[0].seq) and uplink.mark[1] >= (logs[1].boot, logs[1].seq)

    def _leave(self, now_ms):
        """Say until when, and wait for the broker to have it."""
        uplink = self._app.uplink
        flags, seconds, _ = self._books.moment()
        wake = ',{"n":"wake","v":%d}' % (seconds + self.interval_s()) if flags else ""
        more = uplink.on_status() if uplink.on_status else ""
        boot = self._app.logs[journal.EVENT].boot
        text = senml.status(
            uplink._base_name, self._app.life, self._books.when(), boot, "sleeping", VERSION, more + wake
        )
        if uplink.client.publish(now_ms, uplink._root + "status", text.encode(), 1, 1):
            self.phase = LEAVING
            self._moved_ms = now_ms
            uplink.client.sent(uplink._link.send(uplink.client.out))

    def _left(self, now_ms):
        uplink = self._app.uplink
        uplink.client.disconnect()
        uplink._link.send(uplink.client.out)
        self.failures = 0
        self.slept_ms = 0
        self._off(uplink, self.interval_s())

    def _give_up(self, now_ms):
        """The battery is not spent on a broker that is away: the next time is later and later."""
        delay = self.interval_s()
        most = max(delay, _BACKOFF_MOST_S)
        delay = min(most, delay << min(self.failures, 8))
        delay += delay * (self._app.uplink._noise & 0xFF) >> 10  # not all stations at once
        self.failures += 1
        self._off(self._app.uplink, delay)

    def _off(self, uplink, delay_s):
        self.phase = OFF
        uplink._close(self._app.now_ms)
        self.radio_s = self._books.uptime.seconds + delay_s
        self.told = self._app.logs[journal.EVENT].seq
