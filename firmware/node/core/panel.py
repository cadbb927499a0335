"""What one PV panel gave today: energy, performance ratio, and its output at noon and by the clock for `node.core.diagnosis`.

Terms of IEC 61724-1: Yf = E / P_peak, Yr = H / G_ref with G_ref = 1000 W/m2, PR = Yf / Yr; corrected to 25 degC the
reference yield is weighted with 1 + gamma (T - 25). `normalised` output is power over peak power times irradiance over
G_ref, corrected to 25 degC, in 1/10000 (`_bp`). Integers: mW, W/m2, s, 0.01 degC; `minute` is of the solar day (720: noon).
"""

from array import array

from node.core.measurements import MISSING

G_REF = 1000
NOON_FROM, NOON_TO = 600, 840  # two hours either side of noon
SLOT_MIN = 10
SLOTS = (NOON_TO - NOON_FROM) // SLOT_MIN
BIN_MIN = 30
BINS_FROM = 360  # from 06:00
BINS = 24  # to 18:00
_BRIGHT = 500  # W/m2: below it a noon says little about a panel
_DAYLIGHT = 150  # by the clock
_STEADY = 10  # per cent between two samples; more is the edge of a cloud, which panel and cell do not see at once
_FEWEST_SLOTS = 6
_HIGHEST_BP = 30000  # beyond it the reading is no output


class Sun:
    """What all panels share: the sample before, what lies between, and where in the day a sample belongs.

    `gamma_ppm`: the modules' power per degree, -3700 is -0.37 %/K. A pause beyond `gap_s` holds no energy.
    """

    def __init__(self, gamma_ppm=-3700, gap_s=1800):
        self._gamma_ppm = gamma_ppm
        self._gap_s = gap_s
        self.seconds = 0  # since the sample before, 0 when nothing can be said about them
        self.sum = 0  # of the irradiance now and before, W/m2
        self.sum_25 = 0  # and corrected to 25 degC, mW/m2
        self.now_25 = 0  # irradiance corrected, mW/m2: what peak power is scaled with
        self.slot = -1  # noon's slot, -1 when this sample is not for it
        self.bin = -1
        self._before = MISSING
        self._before_25 = 0
        self._t_s = 0

    def sample(self, irradiance, module_cc, t_s, minute):
        """False when irradiance or temperature is MISSING: then no panel can be judged, and no energy ratio made."""
        self.slot = self.bin = -1
        self.seconds = 0
        if irradiance == MISSING or module_cc == MISSING:
            self._before = MISSING
            return False
        if irradiance < 0:  # a pyranometer's night offset
            irradiance = 0
        self.now_25 = irradiance * (1000000 + self._gamma_ppm * (module_cc - 2500) // 100) // 1000
        if self._before != MISSING and 0 < t_s - self._t_s <= self._gap_s:
            self.seconds = t_s - self._t_s
            self.sum = irradiance + self._before
            self.sum_25 = self.now_25 + self._before_25
            self._place(irradiance, minute)
        self._before = irradiance
        self._before_25 = self.now_25
        self._t_s = t_s
        return True

    def _place(self, irradiance, minute):
        if irradiance >= _DAYLIGHT and BINS_FROM <= minute < BINS_FROM + BINS * BIN_MIN:
            self.bin = (minute - BINS_FROM) // BIN_MIN
        if irradiance >= _BRIGHT and NOON_FROM <= minute < NOON_TO:
            if abs(irradiance - self._before) * 100 <= irradiance * _STEADY:
                self.slot = (minute - NOON_FROM) // SLOT_MIN


class Panel:
    """One panel's day. `sample` after `Sun.sample`; read the results, then `begin_day`."""

    def __init__(self, peak_mw):
        self.peak_mw = peak_mw
        self._slots = array("H", (0 for _ in range(SLOTS)))
        self._sums = array("i", (0 for _ in range(BINS)))
        self._counts = array("H", (0 for _ in range(BINS)))
        self._before = MISSING
        self.begin_day()

    def begin_day(self):
        self.energy_mws = 0
        self._sun_ws = 0  # twice the irradiation (W s/m2) while the panel was measured
        self._sun_25 = 0  # the same at 25 degC, in mW s/m2
        for i in range(SLOTS):
            self._slots[i] = 0
        for i in range(BINS):
            self._sums[i] = 0
            self._counts[i] = 0
        self._slot = -1
        self._slot_sum = 0
        self._slot_count = 0

    def sample(self, power_mw, sun):
        """Power now, MISSING when it could not be had."""
        if power_mw == MISSING:
            self._before = MISSING
            return
        if self._before != MISSING and sun.seconds:
            self.energy_mws += (power_mw + self._before) * sun.seconds // 2
            self._sun_ws += sun.sum * sun.seconds
            self._sun_25 += sun.sum_25 * sun.seconds
        self._before = power_mw
        if sun.bin < 0 and sun.slot < 0:
            return
        output_bp = power_mw * 10000 // (self.peak_mw * sun.now_25 // 1000000 or 1)
        if not 0 <= output_bp <= _HIGHEST_BP:
            return
        if sun.bin >= 0 and self._counts[sun.bin] < 65535:
            self._sums[sun.bin] += output_bp
            self._counts[sun.bin] += 1
        if sun.slot >= 0:
            if sun.slot != self._slot:
                self._slot = sun.slot
                self._slot_sum = self._slot_count = 0
            self._slot_sum += output_bp
            self._slot_count += 1
            mean = self._slot_sum // self._slot_count
            self._slots[sun.slot] = mean or 1  # 0 is an empty slot

    def energy_mwh(self):
        return self.energy_mws // 3600

    def performance_ratio(self):
        """PR of the day so far in 1/1000, MISSING without sun."""
        if self._sun_ws <= 0:
            return MISSING
        return self.energy_mws * 2 * G_REF * 1000 // (self.peak_mw * self._sun_ws)

    def performance_ratio_25(self):
        """The same, corrected to 25 degC."""
        if self._sun_25 <= 0:
            return MISSING
        return self.energy_mws * 2 * G_REF * 1000000 // (self.peak_mw * self._sun_25)

    def noon_bp(self):
        """Median of the normalised output in bright, steady light around noon, MISSING when there was too little."""
        seen = sorted([value for value in self._slots if value])
        if len(seen) < _FEWEST_SLOTS:
            return MISSING
        return seen[len(seen) >> 1]

    def clock_bp(self, i):
        """Mean normalised output of half hour `i` from 06:00, MISSING without daylight."""
        return self._sums[i] // self._counts[i] if self._counts[i] else MISSING
