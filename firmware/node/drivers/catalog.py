"""Which drivers there are. A station loads only its own: code is heap on a stock board."""

# name in station.json, and of its file: its class. LEVEL ones fill a burst of ranges or depths, the others measure once.
LEVEL = {"a02yyuw": "A02YYUW", "maxbotix": "MaxBotix", "modbus": "ModbusLevel", "current_loop": "CurrentLoop"}
OTHERS = {
    "ads1115": "ADS1115",
    "bme280": "BME280",
    "ds18b20": "DS18B20",
    "ina226": "INA226",
    "modbus": "Modbus",
    "pms5003": "PMS5003",
    "reference_cell": "ReferenceCell",
    "scd4x": "SCD4x",
    "sen5x": "SEN5x",
    "sht4x": "SHT4x",
    "sps30": "SPS30",
    "switch": "Switch",
    "tipping_bucket": "TippingBucket",
}


def make(table, name, bus, config):
    """The driver, its module loaded now. ValueError names those there are."""
    if name not in table:
        raise ValueError("no driver '%s'; there are %s" % (name, ", ".join(sorted(table))))
    loaded = __import__("node.drivers." + name, None, None, (table[name],))
    return getattr(loaded, table[name])(bus, config)
