"""From what a sensor says to the water: range or depth to level, tank to fill, the season's limits. Integers only.

mm, 0.01 degC, tenths of a degree. `Mount.level` allocates nothing where small ints end at 2**30, for ranges below 65 m
and air from -45 to 85 degC.
"""

SOUND_AT_0 = 331300  # mm/s, and 606 mm/s more for each degree: v = 331.3 + 0.606 T
WATER = 9787  # N/m3, fresh water at 20 degC (998 kg/m3 under 9.807 m/s2); sea water 10052
BOX = 0  # upright cylinder or box: volume goes with depth
LYING = 1  # horizontal cylinder

# Share of a lying cylinder's volume below depth i/64 of its diameter, in 10**-5; the upper half mirrors it.
_LYING = (
    0, 330, 929, 1698, 2602, 3619, 4734, 5935, 7215, 8565, 9979, 11452, 12980, 14557, 16180, 17846, 19550, 21290, 23064,
    24867, 26699, 28555, 30434, 32334, 34252, 36186, 38134, 40093, 42063, 44040, 46024, 48011, 50000,
)  # fmt: skip


def sound_mm_s(air_cc):
    """Speed of sound in air."""
    return SOUND_AT_0 + 606 * air_cc // 100


def _share_um(mm, ppm):
    """`mm` times `ppm`, in um: in two parts, so that no product leaves the small ints."""
    return mm // 1000 * ppm + mm % 1000 * ppm // 1000


def versine_ppm(tilt):
    """1 - cos of `tilt` tenths of a degree, 0 to 600, right to 1 ppm: the cosine's series in 10**-9."""
    square = tilt * tilt * 30461742 // 10000
    term = square // 2
    total = term
    for n in (12, 30, 56, 90):
        term = -term * square // (n * 1000000000)
        total += term
    return (total + 500) // 1000


class Mount:
    """A ranger above the water: its face `height_mm` over gauge datum, its beam `tilt` tenths of a degree off plumb.

    An ultrasonic ranger counts on one air temperature, `assumes_cc`; None is a ranger that corrects itself, or light.
    """

    def __init__(self, height_mm, tilt=0, assumes_cc=None):
        if not 0 <= tilt <= 600:
            raise ValueError("sensor.tilt must be 0 to 60 degrees")
        self.height_mm = height_mm
        self._versine = versine_ppm(tilt)
        self._assumed = None if assumes_cc is None else sound_mm_s(assumes_cc)

    def distance_um(self, range_mm, air_cc=None):
        """Straight down to the water. Without an air temperature (None) the ranger's own assumption stands."""
        um = range_mm * 1000
        if air_cc is not None and self._assumed is not None:
            # long division in two steps: parts per ten thousand, then their hundredths
            more = (sound_mm_s(air_cc) - self._assumed) * 10000
            ppm = more // self._assumed * 100 + more % self._assumed * 100 // self._assumed
            um += _share_um(range_mm, ppm)
        return um - _share_um(um // 1000, self._versine)

    def level(self, range_mm, air_cc=None):
        """Level above gauge datum in mm."""
        return self.height_mm - (self.distance_um(range_mm, air_cc) + 500) // 1000


def depth_mm(pascals, weight=WATER):
    """Water above a gauge-pressure sensor; `weight` of the water in N/m3. Below 1 MPa no product leaves the small ints."""
    return (pascals * 1000 + weight // 2) // weight


def level_of_depth(depth, sensor_mm):
    """Level above gauge datum: the sensor sits `sensor_mm` above it (negative: below)."""
    return sensor_mm + depth


def fill(depth, height_mm, shape=BOX):
    """A tank's volume in tenths of a per cent; `height_mm` is its inner height or, lying, its diameter.

    Deeper than the tank is more than full for a box and said so; a lying cylinder ends at 1000.
    """
    if depth <= 0:
        return 0
    if shape == BOX:
        return (depth * 1000 + height_mm // 2) // height_mm
    if depth >= height_mm:
        return 1000
    upper = depth * 2 > height_mm
    if upper:
        depth = height_mm - depth
    cell = depth * 64 // height_mm
    rest = depth * 64 - cell * height_mm
    part = _LYING[cell]
    if rest:
        part += (_LYING[cell + 1] - part) * rest // height_mm
    if upper:
        part = 100000 - part
    return (part + 50) // 100


# A season is (from, to, alert, warning, danger): month * 100 + day, both included, over New Year when `from` is later;
# a spring tide is a season of a few days. The first row that holds the date wins.


def check_seasons(rows):
    """ValueError names the row that can't be used."""
    for i, row in enumerate(rows):
        begin, end, alert, warning, danger = row
        for day in (begin, end):
            if not (1 <= day // 100 <= 12 and 1 <= day % 100 <= _days_in(day // 100)):
                raise ValueError("season %d: %d is no month and day, as 1031 is 31 October" % (i + 1, day))
        if not alert < warning < danger:
            raise ValueError("season %d: levels out of order, they must rise" % (i + 1))


def season(rows, month_day):
    """Index of the season that holds the date, -1 for none."""
    for i, row in enumerate(rows):
        begin, end = row[0], row[1]
        if begin <= month_day <= end if begin <= end else month_day >= begin or month_day <= end:
            return i
    return -1


def _days_in(month):
    return 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31


def month_day(days):
    """Month * 100 + day of a date, `days` after 1970-01-01 (by the days of March-based 400-year eras)."""
    era_day = (days + 719468) % 146097
    year = (era_day - era_day // 1460 + era_day // 36524 - era_day // 146096) // 365
    day = era_day - (365 * year + year // 4 - year // 100)
    month = (5 * day + 2) // 153
    return (month + 3 if month < 10 else month - 9) * 100 + day - (153 * month + 2) // 5 + 1
