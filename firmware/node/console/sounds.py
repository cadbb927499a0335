"""The siren's test: each state's sound, short, and no strobe. As a drill it never begins beside an alarm and ends the moment that anything is alarmed."""

from node.core.clock import diff
from node.drill import Drill

_BLASTS_MS = (0, 500, 1000, 2000)  # the alarm's own last 3, 15 and 60 s
_PAUSE_MS = 1000


class Test(Drill):
    """Of one state, or of all of them one after the other. ValueError says why there is none now."""

    def __init__(self, app, states):
        Drill.__init__(self, app, app._books, app._sounder, app._rounds and app._rounds.hearing, states[-1])
        self._states = states
        self._length_ms = sum([_BLASTS_MS[state] + _PAUSE_MS for state in states])

    def ended(self, state, now_ms):
        return state > 0 or diff(now_ms, self._since) >= self._length_ms

    def stop(self):
        """Over at the next step."""
        self._length_ms = 0

    def _at(self, now_ms):
        """(whether it sounds, milliseconds until that changes)."""
        at = diff(now_ms, self._since)
        for state in self._states:
            if at < _BLASTS_MS[state]:
                return 1, _BLASTS_MS[state] - at
            at -= _BLASTS_MS[state]
            if at < _PAUSE_MS:
                return 0, _PAUSE_MS - at
            at -= _PAUSE_MS
        return 0, 0

    def on(self, now_ms):
        return self._at(now_ms)[0]

    def due_in(self, now_ms):
        return self._at(now_ms)[1] if self._length_ms else 0
