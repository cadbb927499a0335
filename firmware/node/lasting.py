"""What a reset must not undo: states, acknowledgements, shelving, a fast rise. Loaded with the first of them, or by a boot that finds some kept."""

FILE = "alarm"
_STEP_S = (
    600  # of shelving whole ten minutes are kept, the last of them not: a siren rather sounds too early than too late
)
_SHELVED_MOST_S = 86400
_HOUR_MS = 3600000  # of acknowledgements whole hours are kept, for the same reason
_HOURS_MOST = 12


class Lasting:
    """`alarms` in their order: the level's first."""

    def __init__(self, app, alarms, books):
        self._app = app
        self._alarms = alarms
        self._books = books
        self._kept = None
        self._shelve_s = 0  # resumed, and not yet counting down
        self._unread = False  # storage did not say what was kept

    def keep(self, now_ms):
        """Written when something changes, which is seldom."""
        if self._unread:
            told = self.resume(now_ms)
            self._app._told_state = self._app._told_state or told
        self._begin(now_ms)
        key = shelved = rising = base = 0
        hours = _HOURS_MOST
        for alarm in self._alarms:
            if alarm.acknowledged:
                hours = min(hours, alarm._ack_ms // _HOUR_MS)
            key = key << 4 | alarm.state << 2 | alarm.acknowledged
            shelved = alarm.shelved_s(now_ms) // _STEP_S * _STEP_S
        gauge = self._app.gauge
        if gauge and gauge.rising:
            rising = gauge.rising | gauge._rise_acknowledged << 1
            base = gauge.level_mm - gauge.rise.rise_mm
        kept = (key, shelved, rising, hours)
        if kept == self._kept or self._unread and not (key or rising):
            return
        try:
            words = (len(self._alarms), key, shelved, rising, base, hours)
            self._app.storage.replace(FILE, b"%d %d %d %d %d %d" % words)
            self._kept = kept
            self._unread = False
        except OSError:
            self._books.fail()

    def resume(self, now_ms):
        """The state that was told: what was alarmed still is, until the water is seen to be down. A fast rise is told again in every boot.

        Storage that comes late finds alarms that have seen the water: what was shelved or acknowledged is over then, and only a latched state counts.
        """
        try:
            data = self._app.storage.read(FILE, 0, 80)
        except OSError:
            self._unread = True
            self._books.fail()
            return 0
        self._unread = False
        try:  # a newer firmware's words come behind these
            count, key, shelved, rising, base, hours = ([int(word) for word in data.split()] + [0] * 6)[:6]
        except ValueError:
            return 0
        if count != len(self._alarms) or not 0 <= key < 1 << 4 * count or not 0 <= shelved <= _SHELVED_MOST_S:
            return 0
        if rising not in (0, 1, 3) or not -30000 <= base <= 30000:
            rising = 0
        self._kept = (key, shelved, rising, hours)
        told = 0
        late = False
        for alarm in reversed(self._alarms):
            state = key >> 2 & 3
            told = max(told, state)
            if alarm._last_ms < 0:
                alarm.resume(state, key & 3)
                alarm._ack_ms = min(alarm._ack_ms, hours * _HOUR_MS)
            else:
                late = True
                if alarm._latched and state > alarm.state:
                    alarm.resume(state, 0)
            key >>= 4
        gauge = self._app.gauge
        if gauge:
            gauge.state = gauge.alarm.state
            if rising and not late:
                gauge.rising = 1
                gauge._rise_acknowledged = rising >> 1
                gauge.rise.resume(base)
        self._shelve_s = 0 if late else shelved
        self._begin(now_ms)
        return told

    def _begin(self, now_ms):
        """Shelving goes on from the first step's time."""
        if self._shelve_s and now_ms >= 0:
            for alarm in self._alarms:
                alarm.shelve(now_ms, self._shelve_s)
            self._shelve_s = 0
