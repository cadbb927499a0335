"""Dirt, deterioration, fault or shade: what a PV panel's days say against the reference cell and the panel's neighbours.

Each day gives one number per panel, its normalised output at noon (`node.core.panel`), here as a share of its own first
days, in 1/10000 (`_bp`). How the number falls, and what undoes it, is the diagnosis:

- slow, yet faster than a panel wears, and undone by rain or cleaning: dirty. Told while it lasts, from 4 % on;
  `undone_bp` is the proof afterwards. A loss as slow as wear that nothing has tried to undo is unknown.
- slow, and still there after three cleanings: deteriorated. What cleans is rain of 5 mm, a person's word, or a recovery
  that half of the panels show.
- a step against its neighbours that nothing undoes: faulty (a bypassed third is a step of 33 %).
- the same half hours on most clear days, with noon as ever: shaded.
- unknown, too, until fourteen days tell how it was when new, and after three weeks without a bright noon.

The worst word wins: faulty, shaded, deteriorated, dirty. The evidence stays in the attributes.
"""

from array import array

from node.core.measurements import MISSING
from node.core.panel import BIN_MIN, BINS, BINS_FROM, Panel, Sun

CLEAN, DIRTY, DETERIORATED, FAULTY, SHADED, UNKNOWN = 0, 1, 2, 3, 4, 5  # POINTS "diagnosis"
NEW_BP = 10000
DAYS = 48  # of noons kept
CLEANINGS = 5  # of levels after a cleaning kept, one a month at most
RAIN_CLEANS_UM = 5000
_LEARN_DAYS = 14
_SILENT_DAYS = 21
_DIRTY_BP = 400
_DIRTY_ENDS_BP = 200
_WORN_BP = 400
_WORN_CLEANINGS = 3
_WORN_APART_DAYS = 7
_KEPT_APART_DAYS = 24
_ALONE_PPM_DAY = 700  # 25 % a year: no panel wears so fast
_ALIKE_PPM_DAY = 300  # 11 % a year: no field of panels does
_STEP_BP = 800
_STEP_BP_DAY = 100  # 1 % a day: no dirt falls so fast
_RECOVERY_BP = 200
_SHADE_BP = 8500  # of what neighbours have in that half hour
_SHADE_FULL = 250  # on every clear day of late; the newest eight or so count
_SHADE_ON = 175
_SHADE_OFF = 75


def median(values):
    """The middle one (the upper of two)."""
    return sorted(values)[len(values) >> 1]


class History:
    """One panel: its word and the evidence. `day` is counted from 1970-01-01, or from anywhere, and stays below 65536."""

    def __init__(self):
        self.word = UNKNOWN
        self.base_bp = 0  # normalised output when new, 0 while it is learned
        self.share_bp = NEW_BP  # of that, median of the newest five days
        self.clean_bp = NEW_BP  # after the last cleaning
        self.loss_bp = 0  # since then
        self.undone_bp = 0  # what the last cleaning brought back
        self.kept_bp = 0  # what the last three cleanings did not bring back
        self.step_bp = 0  # of the fault that stands
        self.shaded_from = -1  # minutes of the solar day
        self.shaded_to = -1
        self._dates = array("H", (0 for _ in range(DAYS)))
        self._shares = array("H", (0 for _ in range(DAYS)))  # while learning: raw outputs
        self._against = array("H", (0 for _ in range(6)))  # the newest six shares against the neighbours
        self._count = 0
        self._day = 0
        self._clean_day = 0
        self._new_day = 0
        self._awaited = -1  # good days since a cleaning whose effect is awaited, -1: none
        self._dirty_bp = 0  # the share before it
        self._by_all = 0
        self._levels = array("H", (NEW_BP for _ in range(_WORN_CLEANINGS)))  # after the last three cleanings
        self._level_day = 0
        self._kept_dates = array("H", (0 for _ in range(CLEANINGS)))
        self._kept = array("H", (0 for _ in range(CLEANINGS)))
        self._kept_count = 0
        self._before_step_bp = 0
        self._shade = bytearray(BINS)

    def learn(self, output_bp, day):
        """A day of the first fourteen."""
        self._shares[self._count] = output_bp
        self._dates[self._count] = day
        self._count += 1
        self._day = day
        if self._count < _LEARN_DAYS:
            return
        self.base_bp = median([self._shares[i] for i in range(_LEARN_DAYS)]) or 1
        self._count = 0
        self._clean_day = self._level_day = day
        self._new_day = (self._dates[0] + day) // 2
        self.word = CLEAN

    def add(self, share_bp, against_bp, day, cleaned):
        """A good day: its share of new, the same against the neighbours; `cleaned`: whether all, or a person said so,
        were cleaned since the last one."""
        at = self._count % DAYS
        self._dates[at] = day
        self._shares[at] = share_bp if share_bp < 65535 else 65535
        for i in range(5):
            self._against[i] = self._against[i + 1]
        self._against[5] = against_bp if against_bp < 65535 else 65535
        self._count += 1
        if self._count >= 2 * DAYS:
            self._count -= DAYS
        self._day = day
        self.share_bp = median(self._last(5))
        self._look_for_step()
        self._look_for_cleaning(day, cleaned)
        self.loss_bp = self.clean_bp - self.share_bp

    def recovered_bp(self):
        """How far the newest three good days lie above the three before, 0 with fewer than six."""
        if self._count < 6:
            return 0
        six = self._last(6)
        return median(six[:3]) - median(six[3:])

    def clock(self, i, against_bp):
        """Half hour `i` of a clear day, against its neighbours and its own noon."""
        low = _SHADE_FULL if against_bp < _SHADE_BP else 0
        self._shade[i] = (7 * self._shade[i] + low) // 8

    def judge(self, day):
        """The word after this day. True when it changed."""
        self._look_for_shade()
        word = CLEAN
        if not self.base_bp or day - self._day > _SILENT_DAYS:
            word = UNKNOWN
        elif self.step_bp:
            word = FAULTY
        elif self.shaded_from >= 0:
            word = SHADED
        elif self.kept_bp >= _WORN_BP:
            word = DETERIORATED
        elif self.word == DIRTY and self.loss_bp >= _DIRTY_ENDS_BP:
            word = DIRTY
        elif self.loss_bp >= _DIRTY_BP:
            alike = median(self._against) >= NEW_BP - self.loss_bp // 4
            word = DIRTY if self.soiling_ppm_day() >= (_ALIKE_PPM_DAY if alike else _ALONE_PPM_DAY) else UNKNOWN
        changed = word != self.word
        self.word = word
        return changed

    def soiling_ratio(self):
        """Output against the same panel clean, in 1/1000; MISSING while that is not known."""
        if not self.base_bp or not self.clean_bp:
            return MISSING
        return (self.share_bp * 1000 + self.clean_bp // 2) // self.clean_bp

    def soiling_ppm_day(self):
        """Rate of loss since the last cleaning, from the median of its first third to that of its last; 0 if unknown."""
        n = self._count if self._count < DAYS else DAYS
        first = n
        while first and self._dates[(self._count - first) % DAYS] < self._clean_day:
            first -= 1
        third = first // 3
        if third < 3:
            return 0
        early = median([self._shares[(self._count - first + i) % DAYS] for i in range(third)])
        late = median([self._shares[(self._count - 1 - i) % DAYS] for i in range(third)])
        days = (
            self._dates[(self._count - 1 - third // 2) % DAYS] - self._dates[(self._count - first + third // 2) % DAYS]
        )
        return (early - late) * 100 // days if days > 0 else 0

    def wear_ppm_year(self):
        """Rate at which the level after cleaning fell since the panel was new, 0 if it is not known over half a year."""
        if self._kept_count < CLEANINGS:
            return 0
        days = self._kept_dates[(self._kept_count - 1 - CLEANINGS // 2) % CLEANINGS] - self._new_day
        return (NEW_BP - median(self._kept)) * 100 * 365 // days if days >= 180 else 0

    def _last(self, n):
        """The newest `n` shares, the newest first."""
        if n > self._count:
            n = self._count
        return [self._shares[(self._count - 1 - i) % DAYS] for i in range(n)]

    def _look_for_step(self):
        """The three newest days all below the three before, by more than dirt could lay on in that time.

        Both against the neighbours and by itself: a panel that was washed alone falls back when rain washes the others.
        """
        six = self._against
        if self._count < 6:
            return
        if self.step_bp:
            if median(six[3:]) >= self._before_step_bp - self.step_bp // 4:
                self.step_bp = 0
                self.clean_bp = self.share_bp
            return
        newest = self._dates[(self._count - 1) % DAYS]
        days = newest - self._dates[(self._count - 6) % DAYS]
        drop = min(six[:3]) - max(six[3:])
        if drop >= _STEP_BP and drop >= _STEP_BP_DAY * days and self.recovered_bp() <= -_STEP_BP // 2:
            self._before_step_bp = median(six[:3])
            self.step_bp = self._before_step_bp - median(six[3:])

    def _look_for_cleaning(self, day, cleaned):
        recovered = 0 if cleaned else self.recovered_bp()
        if self._awaited < 0 and (cleaned or recovered >= _RECOVERY_BP):
            self._awaited = 0
            self._dirty_bp = median(self._last(6)[3:]) if recovered else self.share_bp
            self._by_all = cleaned
        if self._awaited < 0:
            return
        self._awaited += 1
        if self._awaited < 4:  # the first of them may be half dirty
            return
        self._awaited = -1
        level = median(self._last(3))
        self.undone_bp = level - self._dirty_bp if level > self._dirty_bp else 0
        self.clean_bp = level
        self._clean_day = day
        if self.step_bp or not (self._by_all or level > NEW_BP - _WORN_BP):
            return  # that a panel recovers by itself proves dirt; that it doesn't proves nothing
        if day - self._level_day >= _WORN_APART_DAYS:
            self._level_day = day
            for i in range(_WORN_CLEANINGS - 1):
                self._levels[i] = self._levels[i + 1]
            self._levels[_WORN_CLEANINGS - 1] = level
            self.kept_bp = NEW_BP - max(self._levels)
            self._keep_level(day, level)

    def _keep_level(self, day, level):
        newest = (self._kept_count - 1) % CLEANINGS
        if self._kept_count and day - self._kept_dates[newest] < _KEPT_APART_DAYS:
            return
        at = self._kept_count % CLEANINGS
        self._kept_dates[at] = day
        self._kept[at] = level
        self._kept_count += 1
        if self._kept_count >= 2 * CLEANINGS:
            self._kept_count -= CLEANINGS

    def _look_for_shade(self):
        line = _SHADE_OFF if self.shaded_from >= 0 else _SHADE_ON
        self.shaded_from = self.shaded_to = -1
        i = 0
        while i < BINS - 1:
            if self._shade[i] >= line and self._shade[i + 1] >= line:
                if self.shaded_from < 0:
                    self.shaded_from = BINS_FROM + i * BIN_MIN
                self.shaded_to = BINS_FROM + (i + 2) * BIN_MIN
            i += 1


class Field:
    """The panels of a station: their days (`node.core.panel`) and their histories. `sample` all day, every 15 min or more
    often (an hourly noon is too thin to judge), then `end_day`.

    Shade and steps are told against the neighbours' median, from three panels on; with fewer, steps against the reference
    cell and no shade. What all panels lose alike is told by the reference cell, which must be kept clean.
    """

    def __init__(self, peaks_mw, gamma_ppm=-3700, gap_s=1800):
        self.sun = Sun(gamma_ppm, gap_s)
        self.panels = [Panel(peak) for peak in peaks_mw]
        self.histories = [History() for _ in peaks_mw]
        self._cleaned = bytearray(len(peaks_mw))

    def sample(self, irradiance, module_cc, t_s, minute, powers_mw):
        """Readings of one moment; MISSING where there is none. `minute` of the solar day, `t_s` monotonic seconds."""
        known = self.sun.sample(irradiance, module_cc, t_s, minute)
        for i, panel in enumerate(self.panels):
            panel.sample(powers_mw[i] if known else MISSING, self.sun)

    def cleaned(self, i):
        """A person has washed panel `i`."""
        self._cleaned[i] = 1

    def end_day(self, day, rain_um=0):
        """The day is over; `rain_um` fell in it. How many words changed."""
        if rain_um >= RAIN_CLEANS_UM or self._all_recovered():
            for i in range(len(self._cleaned)):
                self._cleaned[i] = 1
        shares = [self._share(i, panel.noon_bp()) for i, panel in enumerate(self.panels)]
        noon = self._middle(shares)
        changed = 0
        for i, history in enumerate(self.histories):
            if shares[i] != MISSING:
                against = shares[i] * NEW_BP // noon
                history.add(shares[i], against, day, self._cleaned[i])
                self._cleaned[i] = 0
        self._clocks(shares, noon)
        for i, history in enumerate(self.histories):
            if not history.base_bp:
                output = self.panels[i].noon_bp()
                if output != MISSING:
                    history.learn(output, day)
            changed += history.judge(day)
            self.panels[i].begin_day()
        return changed

    def _share(self, i, output_bp):
        base = self.histories[i].base_bp
        return output_bp * NEW_BP // base if base and output_bp != MISSING else MISSING

    def _middle(self, shares):
        """The neighbours' median, NEW_BP where there are fewer than three."""
        known = [share for share in shares if share != MISSING]
        return (median(known) or 1) if len(known) >= 3 else NEW_BP

    def _clocks(self, shares, noon):
        for k in range(BINS):
            outputs = [self._share(i, panel.clock_bp(k)) for i, panel in enumerate(self.panels)]
            if len([output for output in outputs if output != MISSING]) < 3:
                continue
            middle = self._middle(outputs)
            for i, output in enumerate(outputs):
                if output != MISSING and shares[i] != MISSING and shares[i]:
                    self.histories[i].clock(k, output * NEW_BP // middle * noon // shares[i])

    def _all_recovered(self):
        recovered = [history for history in self.histories if history.recovered_bp() >= _RECOVERY_BP]
        return len(recovered) * 2 >= len(self.histories) > 1
