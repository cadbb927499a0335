"""What a level sensor asks of people and the calendar: fouling, calibration, the season's limits. Events only; the alarm is the gauge's."""

from node.core import hydrology
from node.core import quantities as Q
from node.core import settings as S
from node.core.journal import DATED
from node.core.measurements import FLAG_FAIL, NEW_SETTING
from node.core.upkeep import Calibration, Fouling

_DAY_S = 86400
_NEAR_DAYS = 14


class Care:
    """`row`: `blanking_mm` (fouling is looked for), `calibrate_every_days` and `calibrated_day` (days since 1970), `seasons`."""

    def __init__(self, row, gauge):
        self._gauge = gauge
        self._fouling = Fouling(row["blanking_mm"]) if "blanking_mm" in row else None
        self._calibration = Calibration(row["calibrate_every_days"]) if "calibrate_every_days" in row else None
        self._calibrated = row.get("calibrated_day")
        self._seasons = row.get("seasons", ())
        hydrology.check_seasons(self._seasons)
        self._season = -2  # not known before the date is: a boot tells that the season is over, too
        self._day = -1
        self._untold: list = []

    def look(self, books, moment):
        """After every sample; `moment` is its (flags, seconds, ms)."""
        gauge = self._gauge
        up_s = books.uptime.seconds
        if self._fouling and gauge.flag < FLAG_FAIL:
            # days of uptime: the date jumps when it is first known
            if self._fouling.update(gauge.level_mm, gauge.range_mm, gauge.spread_mm, up_s // _DAY_S, up_s):
                self._untold.append(((Q.FOULING, 0, self._fouling.state),))
        day = moment[1] // _DAY_S
        if moment[0] & DATED and day != self._day:
            self._day = day
            self._begin_day(day, books)
        while self._untold and books.event(*self._untold[0]):
            self._untold.pop(0)

    def _last_calibrated(self, books):
        """The day that the station's data gives, or a later one that a technician's `calibrate` kept."""
        try:
            kept = int(books._storage.read("calibrated", 0, 8) or b"0")
        except (OSError, ValueError):
            kept = 0
        return max(kept, self._calibrated or 0) or None

    def _begin_day(self, day, books):
        if self._calibration and self._calibration.update(day, self._last_calibrated(books)):
            self._untold.append(((Q.CALIBRATION, 0, self._calibration.state),))
        season = hydrology.season(self._seasons, hydrology.month_day(day))
        if self._seasons and season != self._season:
            row = self._seasons[season] if season >= 0 else None
            if self._is_hearsay(books, day) and self._raises(row):
                self._day = -1  # a time server can lie: what would silence a siren waits until the gateway agrees
                return
            if row or self._season >= 0:
                self._gauge.use_season(row)
            self._season = season
            levels = [(NEW_SETTING + S.LEVEL_ALERT + i, 0, self._gauge.limit_mm(i + 1)) for i in range(3)]
            self._untold.append([(Q.SEASON, 0, season + 1)] + levels)

    def _is_hearsay(self, books, day):
        """A date that the gateway has not vouched for, nor for one of the days before it."""
        return books._judges and not books._clock.vouched and not 0 <= day - books._kept_s // _DAY_S <= _NEAR_DAYS

    def _raises(self, row):
        """Whether any of its levels is above what is in force."""
        gauge = self._gauge
        for i in range(3):
            if (row[2 + i] if row else gauge._settings.get(S.LEVEL_ALERT + i)) > gauge.limit_mm(i + 1):
                return True
        return False
