"""What only some stations measure: the table of `measurements` goes on here. `POINTS` is the whole of it."""

from node.core import measurements

_BIG = 2147483647

POINTS = measurements.POINTS + (
    # Water and rain
    ("rain", "mm", 3, 0, 1000000, None),  # since the record before
    ("rain_rate", "mm/h", 1, 0, 10000, None),
    ("fill", "/100", 1, 0, 2000, None),  # of a tank's volume
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
    ("humidity", "%RH", 2, 0, 10500, None),  # sensors go past 100 in fog
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
    # What asks a person to look
    ("fouling", None, 0, 0, 3, ("clear", "drift", "scatter", "blocked")),
    ("calibration", None, 0, 0, 2, ("ok", "due_soon", "due")),
    ("season", None, 0, 0, 255, None),  # 0: the settings' own levels
    ("relay", None, 0, 0, 1, ("off", "on")),
    # Means over a standard's hours
    ("pm2_5_24h", "ug/m3", 1, 0, 100000, None),
    ("pm10_24h", "ug/m3", 1, 0, 100000, None),
    ("co2_8h", "ppm", 0, 0, 40000, None),
)

(
    RAIN, RAIN_RATE, FILL, WATER_TEMPERATURE, CONDUCTIVITY, DEPTH, RANGE,
    IRRADIANCE, MODULE_TEMPERATURE, PANEL_VOLTAGE, PANEL_CURRENT, PANEL_POWER, PANEL_ENERGY, PERFORMANCE_RATIO, SOILING_RATIO, DIAGNOSIS,
    TEMPERATURE, HUMIDITY, PRESSURE, CO2, PM1, PM2_5, PM4, PM10, PM2_5_NOWCAST, VOC_INDEX, NOX_INDEX, SOUND_LEVEL, WIND_SPEED, WIND_DIRECTION,
    CHARGER_CURRENT, CHARGER_VOLTAGE, ENCLOSURE_HUMIDITY, ENCLOSURE_TEMPERATURE, LID, SIREN_CURRENT,
    FOULING, CALIBRATION, SEASON, RELAY, PM2_5_24H, PM10_24H, CO2_8H,
) = range(len(measurements.POINTS), len(POINTS))  # fmt: skip
