"""Everything a station can say, once: the row's index is its id in the journal, so rows are only ever added at the end.

A row is (key, unit, decimals, low, high, words): `unit` is SenML's (RFC 8428, secondary units of RFC 8798), the value is an integer in 10**-decimals
of it, `low` and `high` bound what can be true of any station, and `words` name the values of a point that is not a number.
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
    ("boot", None, 0, 0, 4, ("power", "hard", "watchdog", "soft", "unknown")),
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
    # Water and rain
    ("rain", "mm", 3, 0, 1000000, None),  # since the record before
    ("rain_rate", "mm/h", 1, 0, 10000, None),
    ("fill", "/100", 1, 0, 1100, None),  # of a tank's volume
    ("water_temperature", "Cel", 2, -500, 6000, None),
    ("conductivity", "S/m", 4, 0, 100000, None),
    ("depth", "m", 3, 0, 100000, None),
    ("range", "m", 3, 0, 100000, None),
    # Sun and panels; a panel's number follows the key
    ("irradiance", "W/m2", 0, -20, 2000, None),
    ("module_temperature", "Cel", 2, -5500, 12500, None),
    ("panel_voltage", "V", 3, -1000, 1500000, None),
    ("panel_current", "A", 3, -100000, 100000, None),
    ("panel_power", "W", 1, -10000, 10000000, None),
    ("panel_energy", "Wh", 1, 0, _BIG, None),  # of the day so far
    ("performance_ratio", "/", 3, 0, 2000, None),
    ("soiling_ratio", "/", 3, 0, 2000, None),
    ("diagnosis", None, 0, 0, 5, ("clean", "dirty", "deteriorated", "faulty", "shaded", "unknown")),
    # Air
    ("temperature", "Cel", 2, -4500, 13000, None),
    ("humidity", "%RH", 2, 0, 10000, None),
    ("pressure", "Pa", 0, 30000, 110000, None),
    ("co2", "ppm", 0, 0, 40000, None),
    ("pm1", "ug/m3", 1, 0, 100000, None),
    ("pm2_5", "ug/m3", 1, 0, 100000, None),
    ("pm4", "ug/m3", 1, 0, 100000, None),
    ("pm10", "ug/m3", 1, 0, 100000, None),
    ("pm2_5_nowcast", "ug/m3", 1, 0, 100000, None),
    ("voc_index", None, 1, 10, 5000, None),
    ("nox_index", None, 1, 10, 5000, None),
    ("sound_level", "dB", 1, 0, 1600, None),
    ("wind_speed", "m/s", 2, 0, 10000, None),
    ("wind_direction", "rad", 3, 0, 6284, None),
    # The station itself
    ("charger_current", "A", 3, -50000, 50000, None),
    ("charger_voltage", "V", 3, 0, 100000, None),
    ("enclosure_humidity", "%RH", 2, 0, 10000, None),
    ("enclosure_temperature", "Cel", 2, -4500, 13000, None),
    ("lid", None, 0, 0, 1, ("open", "closed")),
    ("siren_current", "A", 3, 0, 50000, None),
)
SECONDARY_UNITS = ("m/h", "mm", "mm/h", "/100", "Wh", "ppm", "ug/m3")
MISSING = -0x80000000  # in a driver's values: this one could not be had
INSTANCE = 0x100  # a point's id counts its panel (or probe) in steps of this: the key is followed by :2 for the second


(
    LEVEL, BATTERY, ALARM, ALARM_FROM, LIMIT, RISE, RISE_ALARM, BOOT, TIME_FIX, UP_MS, SETTINGS, REVISION,
    DROPPED, OF_BOOT, FIRST_SEQ, LAST_SEQ, SENSOR, REASON, ACKNOWLEDGED, SHELVED_S, STORAGE, SENSOR_OF,
    RAIN, RAIN_RATE, FILL, WATER_TEMPERATURE, CONDUCTIVITY, DEPTH, RANGE,
    IRRADIANCE, MODULE_TEMPERATURE, PANEL_VOLTAGE, PANEL_CURRENT, PANEL_POWER, PANEL_ENERGY, PERFORMANCE_RATIO, SOILING_RATIO, DIAGNOSIS,
    TEMPERATURE, HUMIDITY, PRESSURE, CO2, PM1, PM2_5, PM4, PM10, PM2_5_NOWCAST, VOC_INDEX, NOX_INDEX, SOUND_LEVEL, WIND_SPEED, WIND_DIRECTION,
    CHARGER_CURRENT, CHARGER_VOLTAGE, ENCLOSURE_HUMIDITY, ENCLOSURE_TEMPERATURE, LID, SIREN_CURRENT,
) = range(len(POINTS))  # fmt: skip
# A settings event names its settings by index: ids from here on are the old and the new value of a row of the settings table.
OLD_SETTING = 0x1000
NEW_SETTING = 0x2000
