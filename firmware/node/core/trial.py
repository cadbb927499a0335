"""What firmware must show before it is called good, and when it is given up. Loaded while an update is tried.

It must take samples, its alarm must go up and come down again with this station's own settings, and the gateway must keep a record that it
made. The old firmware must show the same before a trial begins (one sample is enough there: a station that sleeps takes no more in a wake):
what it can't show either, for want of a network or of a sensor, says nothing about the new one. A trial that ends without a verdict returns to
the old firmware, which tries again once it can show it; the third is the last.
"""

from node.core import settings as S
from node.core.alarm import DANGER, NORMAL, LevelAlarm
from node.core.clock import add
from node.core.sounder import Sounder

SAMPLES = 3
LONGEST_MS = 1800000


class _Silent:
    """An output that nobody hears."""

    def __init__(self):
        self.on = 0

    def set(self, on):
        self.on = on


def self_test(values):
    """From normal to danger and back, on an alarm and a sounder of its own. What is wrong, or None. `values`: the station's settings."""
    danger = values[S.LEVEL_DANGER]
    low = values[S.LEVEL_ALERT] - values[S.LEVEL_DEADBAND] - 1
    on_ms = values[S.LEVEL_ON_DELAY] * 1000 + 1
    off_ms = values[S.LEVEL_OFF_DELAY] * 1000 + 1
    lines = (values[S.LEVEL_ALERT], values[S.LEVEL_WARNING], danger)
    alarm = LevelAlarm(
        lines, values[S.LEVEL_DEADBAND], values[S.LEVEL_ON_DELAY], values[S.LEVEL_OFF_DELAY], 2, values[S.LEVEL_LATCHED]
    )
    siren, strobe = _Silent(), _Silent()
    sounder = Sounder(siren, strobe)
    now = (1 << 30) - 2000  # across the wrap
    # level, milliseconds since the one before, the state that must follow
    for level, gone, state in (
        (low, 0, NORMAL),
        (danger, 1000, NORMAL),
        (danger, on_ms, DANGER),
        (low, 1000, DANGER if values[S.LEVEL_OFF_DELAY] else NORMAL),
        (low, off_ms, NORMAL),
    ):
        now = add(now, gone)
        found = alarm.update(level, 1, now)
        if found and not state and level == low and values[S.LEVEL_LATCHED]:
            found = alarm.acknowledge()
        if found != state:
            return "at %d mm the alarm's state is %d, not %d" % (level, found, state)
        sounder.sound(alarm.sounding(now), values[S.SIREN_FROM], now)
        if strobe.on != (1 if state else 0) or siren.on != (1 if state >= values[S.SIREN_FROM] else 0):
            return "siren or strobe do not follow state %d" % state
    return None


class Proof:
    """Gathers what is to be shown. `missing(values)` is what is not, in a few words, or None."""

    def __init__(self):
        self.samples = 0
        self.committed = False  # a record of this boot is kept by the gateway
        self._tested = False

    def missing(self, values, samples=SAMPLES):
        if self.samples < samples:
            return "%d of %d good samples" % (self.samples, samples)
        if not self._tested:
            wrong = self_test(values)
            if wrong:
                return wrong
            self._tested = True
        if not self.committed:
            return "no record of it was kept by the gateway"
        return None
