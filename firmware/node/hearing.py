"""Does the siren sound when it is switched on? Its current says so. Loaded by stations that measure it.

Each time the siren comes on it is given a moment, then its current is measured, between the rounds of the other sensors. Silent twice in a row is a
fault, told once; a drill is told what was found.
"""

from array import array

from node.core import happenings as H
from node.core import quantities as Q
from node.core import settings as S
from node.core.clock import add, diff
from node.core.measurements import MISSING

_SETTLE_MS = 300
_WITHIN_MS = 600  # from the siren's coming on until its current must be there: a drill's blasts last 1000 ms
_OFTEN_MS = 200
_FAULT_AFTER = 2
_WAITS, _DUE, _LOOKS, _DONE = range(4)
_FAULT, _OK = range(2)  # words of the point `siren`


class Hearing:
    def __init__(self, sensor, place, survey, sounder, settings, books):
        """`place`: which of the sensor's values is the siren's current."""
        self._sensor = sensor
        self._values = array("i", [MISSING] * len(sensor.ids))
        self._place = place
        self._survey = survey
        self._sounder = sounder
        self._settings = settings
        self._books = books
        self._phase = _WAITS
        self._at = 0
        self._on_ms = 0
        self._silent = 0  # times in a row
        self._told = _OK
        self.drill = None

    def step(self, now_ms):
        """Milliseconds until there is more to do."""
        idle_ms = 1 << 29
        if not self._sounder.siren_on:
            self._phase = _WAITS
            return idle_ms
        if self._phase == _WAITS:
            self._phase = _DUE
            self._on_ms = now_ms
            self._at = add(now_ms, _SETTLE_MS)
        low = self._settings.get(S.SIREN_CURRENT_LOW)
        if not low or self._phase == _DONE:
            return idle_ms
        if self._survey.sampling:  # its round has the bus: begin again behind it
            self._phase = _DUE
            return _OFTEN_MS
        wait = diff(self._at, now_ms)
        if wait > 0:
            return wait
        wait = self._measure()
        if wait:
            self._at = add(now_ms, wait)
            return wait
        self._phase = _DONE
        self._judge(self._values[self._place], low)
        return idle_ms

    def _measure(self):
        """Milliseconds until the next look, 0 when it is over; a sensor that does not answer says nothing of the siren."""
        self._values[self._place] = MISSING
        try:
            if self._phase == _DUE:
                self._phase = _LOOKS
                return self._sensor.driver.start() or 1
            answer = self._sensor.driver.read_into(self._values)
            return answer if 0 < answer <= _WITHIN_MS else 0
        except Exception:  # as in a survey: a broken bus is an answer, and so is a driver's defect
            return 0

    def _judge(self, ma, low):
        if ma == MISSING:
            return
        heard = ma >= low
        if self.drill:
            if heard or self.drill.ma is None:
                self.drill.ma = ma
                self.drill.found = 1 if heard else 2
        self._silent = 0 if heard else self._silent + 1
        state = _OK if heard else _FAULT
        if state != self._told and (heard or self._silent >= _FAULT_AFTER):
            if self._books.event((H.SIREN, 0, state), (Q.SIREN_CURRENT, 0, ma)):
                self._told = state
