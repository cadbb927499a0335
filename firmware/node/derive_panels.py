"""PV panels: energy, performance and soiling ratio of each, and what their days say of dirt, wear, faults and shade."""

from node.core import quantities as Q
from node.core.diagnosis import UNKNOWN, Field
from node.core.journal import DATED
from node.core.measurements import INSTANCE, MISSING

_DAY_S = 86400


class Panels:
    """`row`: `peak_w` of each panel, `gamma_ppm`, `solar_offset_min` (4 minutes for each degree east). Without a clock nothing can be told by it."""

    def __init__(self, row):
        peaks = row["peak_w"]
        if not 1 <= len(peaks) <= 12:
            raise ValueError("panels.peak_w: 1 to 12 panels")
        self._field = Field([watt * 1000 for watt in peaks], row.get("gamma_ppm", -3700))
        self._offset_s = row.get("solar_offset_min", 0) * 60
        self._powers = [MISSING] * len(peaks)
        self._day = -1
        self._rain_um = 0
        self._words = [UNKNOWN] * len(peaks)
        self._changes: list = []
        self._daily = False

    def update(self, survey, flags, seconds):
        self._daily = False
        rain = survey.value(Q.RAIN)
        if rain != MISSING:
            self._rain_um += rain
        if not flags & DATED:
            return
        solar_s = seconds + self._offset_s
        day = solar_s // _DAY_S
        if self._day >= 0 and day != self._day:
            self._end_day()
        self._day = day
        for i in range(len(self._powers)):
            value = survey.value(Q.PANEL_POWER + i * INSTANCE)
            self._powers[i] = MISSING if value == MISSING else value * 100  # 0.1 W to mW
        sun = survey.value(Q.IRRADIANCE)
        self._field.sample(sun, survey.value(Q.MODULE_TEMPERATURE), seconds, solar_s % _DAY_S // 60, self._powers)

    def _end_day(self):
        field = self._field
        field.end_day(self._day & 0xFFFF, self._rain_um)
        self._rain_um = 0
        self._daily = True
        for i in range(len(self._words)):
            word = field.histories[i].word
            if word != self._words[i]:
                self._words[i] = word
                ratio = field.histories[i].soiling_ratio()
                event = [(Q.DIAGNOSIS + i * INSTANCE, 0, word)]
                if ratio != MISSING:
                    event.append((Q.SOILING_RATIO + i * INSTANCE, 0, ratio))
                self._changes.append(event)

    def points(self):
        found = []
        for i, panel in enumerate(self._field.panels):
            step = i * INSTANCE
            found.append((Q.PANEL_ENERGY + step, panel.energy_mwh() // 100))
            ratio = panel.performance_ratio()
            if ratio != MISSING:
                found.append((Q.PERFORMANCE_RATIO + step, ratio))
            if self._daily:
                found.append((Q.DIAGNOSIS + step, self._words[i]))
                ratio = self._field.histories[i].soiling_ratio()
                if ratio != MISSING:
                    found.append((Q.SOILING_RATIO + step, ratio))
        return found

    def changes(self):
        told, self._changes = self._changes, []
        return told
