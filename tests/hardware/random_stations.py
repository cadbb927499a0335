"""Stations drawn at random: a board, sensors, pins mostly of those that are free, parts mostly of those that fit."""

import json

from hypothesis import strategies as st

from hardware.boards import boards, read_board

I2C = {
    "bme280": ("bme280_module", 'gives = ["temperature", "humidity", "pressure"]', (0x76, 0x77)),
    "scd4x": ("scd41_module", 'gives = ["co2", "", ""]', (0x62,)),
    "sen5x": ("sen55", 'gives = ["pm1", "pm2_5", "pm4", "pm10", "", "", "voc_index", "nox_index"]', (0x69,)),
    "sht4x": ("sht40_module", 'gives = ["enclosure_temperature", "enclosure_humidity"]', (0x44, 0x45)),
    "ina226": ("ina226_module", 'gives = ["charger_voltage", "charger_current", ""]\nshunt_uohm = 5000', (0x40, 0x44, 0x50)),
}  # fmt: skip
LEVELS = {"a02yyuw": "a02yyuw", "maxbotix": "mb7383"}
LOADS = {"siren": "siren_12w", "strobe": "strobe_2w"}
RAILS = ("3V3", "5V", "battery")


class Sheet:
    """A file being written; `take` draws a pin for a use."""

    def __init__(self, data):
        self.data = data
        self.lines = []
        self.board = data.draw(st.sampled_from(boards()))
        free = read_board(self.board)
        self.free = data.draw(st.permutations([pin for pin in free["pins"] if pin not in free["input_only"]]))
        self.readers = data.draw(st.permutations(free["adc"]))
        self.chance = data.draw(st.sampled_from([0, 0, 0, 1]))  # whether this one is drawn carelessly at all

    def odd(self):
        return self.chance and self.data.draw(st.integers(0, 9)) == 0

    def take(self, reads=False):
        if self.odd():
            return self.data.draw(st.integers(0, 48))
        pool = self.readers if reads and self.readers else self.free
        if not pool:
            return self.data.draw(st.integers(0, 48))
        pin = pool.pop()
        for other in (self.free, self.readers):
            if pin in other:
                other.remove(pin)
        return pin

    def one(self, usual, others):
        return self.data.draw(st.sampled_from(others)) if self.odd() else usual

    def add(self, *lines):
        self.lines += lines

    def table(self, name, **rows):
        self.add(f"[{name}]", *[f"{key} = {json.dumps(value)}" for key, value in rows.items() if value is not None])


def text(data):
    sheet = Sheet(data)
    draw = data.draw
    sheet.add('about = "drawn"', f'board = "{sheet.board}"')
    if sheet.odd():
        sheet.add('access = "lan"')
    sheet.table("sheet", title="Drawn", use="none")
    battery = sheet.take(reads=True)
    outputs = {name: sheet.take() for name in ("siren", "strobe")}
    level = draw(st.sampled_from(["a02yyuw", "maxbotix", None]))
    chips = draw(st.lists(st.sampled_from(sorted(I2C)), max_size=3, unique=True))
    rain = draw(st.booleans()) or not (level or chips)
    switched = _pins(sheet, battery, outputs, level, chips, rain)
    _sensors(sheet, level, chips, rain)
    _built_of(sheet, outputs, level, chips, rain, switched)
    if draw(st.booleans()):
        sheet.table("settings", **{"power.profile": "1"})
        sheet.lines[-1] = '"power.profile" = "1"'
    return "\n".join(sheet.lines) + "\n"


def _pins(sheet, battery, outputs, level, chips, rain):
    sheet.table("pins.adc1", kind="adc", pin=battery)
    for name, pin in outputs.items():
        sheet.table(f"pins.{name}", kind="output", pin=pin)
    power = None
    if level:
        power = sheet.take() if sheet.data.draw(st.booleans()) else None
        sheet.table(
            sheet.one("pins.uart1", ["pins.uart0", "pins.uart3"]),
            kind="uart",
            rx=sheet.take(),
            tx=sheet.take(),
            power=power,
        )
    if chips:
        sheet.table("pins.i2c0", kind="i2c", sda=sheet.take(), scl=sheet.take(), khz=sheet.one(100, [10, 400]))
    if rain:
        sheet.table("pins.rain", kind="pulses", pin=sheet.take())
    return power is not None


def _sensors(sheet, level, chips, rain):
    if level:
        rail = "5V" if level == "a02yyuw" else "3V3"
        more = ["range_mm = 9999", "blanking_mm = 500"] if level == "maxbotix" else []
        sheet.add("[[sensors]]", f'driver = "{level}"', 'bus = "uart1"', 'gives = "level"', f'part = "{LEVELS[level]}"')
        sheet.add(f'rail = "{sheet.one(rail, RAILS)}"', *more)
    for name in chips:
        part, rows, addresses = I2C[name]
        rail = "5V" if name == "sen5x" else "3V3"
        address = sheet.one(addresses[0], addresses)
        sheet.add(
            "[[sensors]]",
            f'driver = "{name}"',
            'bus = "i2c0"',
            rows,
            f"address = {address}",
            f'part = "{part}"',
            f'rail = "{sheet.one(rail, RAILS)}"',
        )
    if rain:
        sheet.add(
            "[[sensors]]",
            'driver = "tipping_bucket"',
            'bus = "rain"',
            'gives = ["rain", "rain_rate"]',
            "tip_nm = 200000",
            'part = "tipping_bucket_02mm"',
        )
    sheet.add(
        "[[sensors]]",
        'driver = "battery"',
        'bus = "adc1"',
        'gives = "battery"',
        f"ratio_milli = {sheet.one(5700, [2000, 5750, 6600])}",
    )


def _built_of(sheet, outputs, level, chips, rain, switched):
    sheet.table("site", coldest_c=sheet.one(20, [-40, 30]))
    sheet.table("mount", part="bridge_arm")
    regulator = sheet.one("buck_5v_4a", ["buck_5v_2a"])
    charger = sheet.one("charger_mppt_4a", [None, "charger_mppt_10a"])
    panel = sheet.one("panel_20w", ["panel_100w", "module_60cell"]) if charger or sheet.odd() else None
    sheet.table("supply", panel=panel, charger=charger, battery="lfp_20ah", batteries=4, regulator=regulator)
    for name in outputs:
        down, switch = sheet.one(10000, [None, 100000]), sheet.one("mosfet_low_side", [None, "load_switch_5v"])
        sheet.table(
            f"fit.{name}",
            part=sheet.one(LOADS[name], sorted(set(LOADS.values()))),
            rail=sheet.one("battery", RAILS),
            switch=switch,
            pull_down_ohm=down,
        )
    sheet.table("fit.adc1", through=[sheet.one("divider_470k_100k", ["divider_47k_10k", "divider_1k_2k"])])
    if level:
        through = [sheet.one("divider_1k_2k", ["shifter_bss138", "rs485_auto_3v3"])] if level == "a02yyuw" else []
        sheet.table(
            "fit.uart1", through=through, switch="load_switch_5v" if switched else None, cable_cm=sheet.one(100, [2000])
        )
    if chips:
        ups = sheet.one(4700 if len(chips) < 3 else None, [None, 1000, 100000])
        sheet.table("fit.i2c0", rail=sheet.one("3V3", RAILS), pull_up_ohm=ups, cable_cm=sheet.one(20, [500]))
    if rain:
        sheet.table("fit.rain", pull_up_ohm=sheet.one(100000, [None]), cable_cm=300)
