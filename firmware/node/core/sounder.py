"""Siren and strobe: each state has its own sound, the strobe runs throughout. A siren that never pauses is not heard as an alarm and drains its battery."""

from node.core.clock import diff

# (on_ms, off_ms) by state. Danger keeps the duty of 60 s on, 120 s off that its power budget is made for; the lesser states are plainly shorter.
PATTERNS = ((0, 0), (3000, 57000), (15000, 45000), (60000, 120000))


class Sounder:
    """Turns the state to be sounded (0 to 3) into two outputs; allocates nothing."""

    def __init__(self, siren, strobe):
        self._siren = siren
        self._strobe = strobe
        self._sounding = 0
        self._audible = 0  # the state whose pattern the siren follows, 0: none
        self.siren_on = 0
        self._since = 0
        self.drill = None  # what the siren follows while nothing is alarmed (node.drill)
        siren.set(0)
        strobe.set(0)

    def sound(self, state, siren_from, now_ms):
        """Called at every step; `siren_from`: the siren stays silent in states below it."""
        if state != self._sounding:
            if (state > 0) != (self._sounding > 0):
                self._strobe.set(1 if state else 0)
            self._sounding = state
        if self.drill:
            if self.drill.ended(state, now_ms):
                self.drill = None
            else:
                self._switch(self.drill.on(now_ms))
                return
        audible = state if state >= siren_from else 0
        if audible != self._audible:
            if audible > self._audible:
                self._since = now_ms
            self._audible = audible
        pattern = PATTERNS[audible]
        on = 0
        if audible:
            gone = diff(now_ms, self._since)
            if gone >= pattern[0] + pattern[1]:
                self._since = now_ms
                gone = 0
            on = 1 if gone < pattern[0] else 0
        self._switch(on)

    def _switch(self, on):
        if on != self.siren_on:
            self.siren_on = on
            self._siren.set(on)

    def due_in(self, now_ms):
        """Milliseconds until the siren changes by itself; -1 when it does not."""
        if self.drill:
            return self.drill.due_in(now_ms)
        if not self._audible:
            return -1
        pattern = PATTERNS[self._audible]
        gone = diff(now_ms, self._since)
        edge = pattern[0] if gone < pattern[0] else pattern[0] + pattern[1]
        return edge - gone if edge > gone else 0
