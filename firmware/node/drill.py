"""A drill: the siren's sound for a state, unmistakably not the alarm's. Loaded when one is ordered.

One, two or three blasts of a second for alert, warning and danger, three times within 18 s, and no strobe: an alarm's shortest blast is 3 s long, and
its strobe runs throughout. A drill never begins beside an alarm, and ends the moment that anything is alarmed.
"""

from node.core import happenings as H
from node.core import quantities as Q
from node.core import settings as S
from node.core.clock import diff

_BLAST_MS = 1000
_PAUSE_MS = 500
_GROUP_MS = 6000
_GROUPS = 3
BEGUN, HEARD, SILENT, NOT_MEASURED = range(4)  # words of the point `drill`


class Drill:
    """Of `state`, 1 to 3. ValueError says why there is none now."""

    def __init__(self, app, books, sounder, hearing, state):
        now_ms = app.now_ms
        alarms = [app.gauge.alarm] if app.gauge else []
        if app.survey:
            alarms += [watch.alarm for watch in app.survey.watches]
        for alarm in alarms:
            if alarm.state or alarm.confirming:
                raise ValueError("no drill beside an alarm")
            if alarm.shelved_s(now_ms):
                raise ValueError("the siren is shelved: somebody may be working at it")
            if alarm.shadow or alarm.out_of_service:
                raise ValueError("the alarm is in shadow or out of service: nothing sounds")
        if app.gauge and (app.gauge.rising or app.gauge.rise.confirming):
            raise ValueError("no drill beside an alarm")
        if not 1 <= state <= 3:
            raise ValueError("a drill is of state 1 alert, 2 warning or 3 danger")
        if state < app.settings.get(S.SIREN_FROM):
            raise ValueError("siren.from keeps the siren silent in this state")
        if sounder.drill:
            raise ValueError("a drill is under way")
        self._books = books
        self._hearing = hearing
        self._blasts_ms = state * (_BLAST_MS + _PAUSE_MS)
        self._since = now_ms
        self.found = NOT_MEASURED
        self.ma = None
        if hearing:
            hearing.drill = self
        sounder.drill = self
        books.event((H.DRILL, 0, BEGUN))

    def ended(self, state, now_ms):
        return state > 0 or diff(now_ms, self._since) >= _GROUPS * _GROUP_MS

    def tell(self):
        """What came of it: apart, so that an alarm's siren waits for no flash."""
        if self._hearing:
            self._hearing.drill = None
        current = () if self.ma is None else ((Q.SIREN_CURRENT, 0, self.ma),)
        self._books.event((H.DRILL, 0, self.found), *current)

    def on(self, now_ms):
        at = diff(now_ms, self._since) % _GROUP_MS
        return 1 if at < self._blasts_ms and at % (_BLAST_MS + _PAUSE_MS) < _BLAST_MS else 0

    def due_in(self, now_ms):
        """Milliseconds until the siren changes by itself."""
        at = diff(now_ms, self._since) % _GROUP_MS
        if at >= self._blasts_ms:
            return _GROUP_MS - at
        at %= _BLAST_MS + _PAUSE_MS
        return _BLAST_MS - at if at < _BLAST_MS else _BLAST_MS + _PAUSE_MS - at
