"""Everything a station can say, once: the row's index is its id in the journal, so rows are only ever added at the end.

A row is (key, unit, decimals, low, high, words): `unit` is SenML's (RFC 8428, secondary units of RFC 8798), the value is an integer in 10**-decimals
of it, `low` and `high` bound what can be true of any station, and `words` name the values of a point that is not a number.
Here is what every station needs; `quantities` goes on with what only some measure, so that a river gauge's heap does not carry it.
"""

FLAG_PASS = 1
FLAG_NOT_EVALUATED = 2
FLAG_SUSPECT = 3
FLAG_FAIL = 4
FLAG_MISSING = 9

STATES = ("normal", "alert", "warning", "danger")
STREAMS = ("readings", "event")
REASONS = ("not_fitted", "no_answer", "bad_checksum", "out_of_range", "warming_up")
NO_ANSWER = 1
BAD_CHECKSUM = 2
OUT_OF_RANGE = 3

RESETS = ("power", "hard", "watchdog", "soft", "unknown")
_ON_OFF = ("off", "on")
_WHO = ("console", "gateway", "default")
_BIG = 2147483647

POINTS = (
    ("level", "m", 3, -10000, 30000, None),
    ("battery", "V", 3, 0, 60000, None),
    ("alarm", None, 0, 0, 3, STATES),
    ("alarm_from", None, 0, 0, 3, STATES),
    ("limit", "m", 3, -10000, 30000, None),
    ("rise", "m/h", 3, -_BIG, _BIG, None),
    ("rise_alarm", None, 0, 0, 1, _ON_OFF),
    ("boot", None, 0, 0, 4, RESETS),
    ("time_fix", None, 0, 0, 1, ("sntp", "gateway")),
    ("up_ms", None, 0, 0, _BIG, None),
    ("settings", None, 0, 0, 2, _WHO),
    ("revision", None, 0, 0, _BIG, None),
    ("dropped", None, 0, 0, 1, STREAMS),
    ("of_boot", None, 0, 0, _BIG, None),
    ("first_seq", None, 0, 0, _BIG, None),
    ("last_seq", None, 0, 0, _BIG, None),
    ("sensor", None, 0, 0, 1, ("fault", "ok")),
    ("reason", None, 0, 0, 4, REASONS),
    ("acknowledged", None, 0, 0, 2, _WHO),
    ("shelved_s", None, 0, 0, 86400, None),
    ("storage", None, 0, 0, 1, ("fault", "ok")),
    ("sensor_of", None, 0, 0, 1, ("level", "battery")),
    ("sensor_number", None, 0, 0, 255, None),  # of the station's other sensors, from 0
)
SECONDARY_UNITS = ("m/h", "mm", "mm/h", "/100", "Wh", "ppm", "ug/m3")
MISSING = -0x80000000  # in a driver's values: this one could not be had
INSTANCE = 0x100  # a point's id counts its panel (or probe) in steps of this: the key is followed by :2 for the second


(
    LEVEL, BATTERY, ALARM, ALARM_FROM, LIMIT, RISE, RISE_ALARM, BOOT, TIME_FIX, UP_MS, SETTINGS, REVISION,
    DROPPED, OF_BOOT, FIRST_SEQ, LAST_SEQ, SENSOR, REASON, ACKNOWLEDGED, SHELVED_S, STORAGE, SENSOR_OF, SENSOR_NUMBER,
) = range(len(POINTS))  # fmt: skip
# A settings event names its settings by index: ids from here on are the old and the new value of a row of the settings table.
OLD_SETTING = 0x1000
NEW_SETTING = 0x2000
FURTHER_SETTING = (
    0x40  # the first of the rows that `limits` adds, whatever its index: rows may still be added to the base table
)
