"""What a survey's points amount to: loaded only by stations that measure them."""

from node.core import air
from node.core import quantities as Q
from node.core.measurements import MISSING


class NowCast:
    """PM2.5 as the US EPA reports it, from the hours so far."""

    def __init__(self, interval_s):
        self._air = air.Air(max(1, 3600 // interval_s))
        self._value = MISSING

    def update(self, survey, flags, seconds):
        """A round is complete; `seconds`: since 1970, or since the boot while `flags` does not say dated."""
        if self._air.add(survey.value(Q.PM2_5), seconds // 3600):
            self._value = self._air.nowcast()

    def points(self):
        return ((Q.PM2_5_NOWCAST, self._value),)
