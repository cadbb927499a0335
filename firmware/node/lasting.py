"""What a reset must not undo: states, acknowledgements, shelving, a fast rise. Loaded with the first of them, or by a boot that finds some kept."""

FILE = "alarm"
_STEP_S = (
    600  # of shelving whole ten minutes are kept, the last of them not: a siren rather sounds too early than too late
)
_SHELVED_MOST_S = 86400


class Lasting:
    """`alarms` in their order: the level's first."""

    def __init__(self, app, alarms, books):
        self._app = app
        self._alarms = alarms
        self._books = books
        self._kept = None
        self._shelve_s = 0  # resumed, and not yet counting down

    def keep(self, now_ms):
        """Written when something changes, which is seldom."""
        self._begin(now_ms)
        key = shelved = rising = base = 0
        for alarm in self._alarms:
            key = key << 4 | alarm.state << 2 | alarm.acknowledged
            shelved = alarm.shelved_s(now_ms) // _STEP_S * _STEP_S
        gauge = self._app.gauge
        if gauge and gauge.rising:
            rising = gauge.rising | gauge._rise_acknowledged << 1
            base = gauge.level_mm - gauge.rise.rise_mm
        kept = (key, shelved, rising)
        if kept == self._kept:
            return
        try:
            words = (len(self._alarms), key, shelved, rising, base)
            self._app.storage.replace(FILE, b"%d %d %d %d %d" % words)
            self._kept = kept
        except OSError:
            self._books.fail()

    def resume(self, now_ms):
        """The state that was told: what was alarmed still is, until the water is seen to be down. A fast rise is told again in every boot."""
        try:
            words = [int(word) for word in self._app.storage.read(FILE, 0, 80).split()]
            count, key, shelved, rising, base = words if len(words) == 5 else words + [0, 0, 0]
        except (OSError, ValueError):
            return 0
        if count != len(self._alarms) or not 0 <= key < 1 << 4 * count or not 0 <= shelved <= _SHELVED_MOST_S:
            return 0
        if rising not in (0, 1, 3) or not -30000 <= base <= 30000:
            rising = 0
        self._kept = (key, shelved, rising)
        told = 0
        for alarm in reversed(self._alarms):
            alarm.resume(key >> 2 & 3, key & 3)
            key >>= 4
            told = max(told, alarm.state)
        gauge = self._app.gauge
        if gauge:
            gauge.state = gauge.alarm.state
            if rising:
                gauge.rising = 1
                gauge._rise_acknowledged = rising >> 1
                gauge.rise.resume(base)
        self._shelve_s = shelved
        self._begin(now_ms)
        return told

    def _begin(self, now_ms):
        """Shelving goes on from the first step's time."""
        if self._shelve_s and now_ms >= 0:
            for alarm in self._alarms:
                alarm.shelve(now_ms, self._shelve_s)
            self._shelve_s = 0
