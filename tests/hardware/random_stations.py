"""Stations drawn at random: a board and its way into a network, sensors, pins mostly of those that are free, parts mostly of those that fit."""

import json

from hypothesis import strategies as st

from hardware.access import RMII
from hardware.boards import boards, read_board

I2C = {
    "bme280": ("bme280_module", 'gives = ["temperature", "humidity", "pressure"]', (0x76, 0x77)),
    "scd4x": ("scd41_module", 'gives = ["co2", "", ""]', (0x62,)),
    "sen5x": ("sen55", 'gives = ["pm1", "pm2_5", "pm4", "pm10", "", "", "voc_index", "nox_index"]', (0x69,)),
    "sht4x": ("sht40_module", 'gives = ["enclosure_temperature", "enclosure_humidity"]', (0x44, 0x45)),
    "ina226": ("ina226_module", 'gives = ["charger_voltage", "charger_current", ""]\nshunt_uohm = 5000', (0x40, 0x44, 0x50)),
}  # fmt: skip
# driver -> (part, rail, what else its row says, what is in its line)
LEVELS = {
    "a02yyuw": ("a02yyuw", "5V", [], ["divider_1k_2k"]),
    "maxbotix": ("mb7383", "3V3", ["range_mm = 9999", "blanking_mm = 500"], []),
    "modbus": ("radar_kwl801b", "battery", ["address = 1", "blanking_mm = 200", "range_mm = 15000", 'registers = [{ register = 0, gives = "range" }]'],
               ["rs485_auto_3v3"]),
}  # fmt: skip
LOADS = {"siren": "siren_12w", "strobe": "strobe_2w", "valve": "valve_12v"}
RAILS = ("3V3", "5V", "battery")
MEMBERS = ("rx", "tx", "power", "sda", "scl", "pin")


class Sheet:
    """A file being written; `take` draws a pin for a use."""

    def __init__(self, data):
        self.data = data
        self.lines = []
        self.board = data.draw(st.sampled_from(boards()))
        self.free = read_board(self.board)
        modem = self.free.get("modem", {})
        self.access = data.draw(
            st.sampled_from(["wifi", "lte" if modem else "lan" if self.free["chip"] == "esp32" else "wifi"])
        )
        taken = {modem.get(member) for member in ("rx", "tx", "power")}
        if self.access == "lan":
            taken |= set(RMII)
        open_pins = [pin for pin in self.free["pins"] if pin not in taken]
        self.drivers = data.draw(st.permutations([pin for pin in open_pins if pin not in self.free["input_only"]]))
        self.readers = data.draw(st.permutations([pin for pin in open_pins if pin in self.free["adc"]]))
        self.chance = data.draw(st.sampled_from([0, 0, 0, 1]))  # whether this one is drawn carelessly at all

    def odd(self):
        return self.chance and self.data.draw(st.integers(0, 9)) == 0

    def maybe(self):
        return self.data.draw(st.booleans())

    def take(self, reads=False):
        pool = self.readers if reads and self.readers else self.drivers
        if self.odd() or not pool:
            return self.data.draw(st.integers(0, 48))
        pin = pool.pop()
        for other in (self.drivers, self.readers):
            if pin in other:
                other.remove(pin)
        return pin

    def one(self, usual, others):
        return self.data.draw(st.sampled_from(others)) if self.odd() else usual

    def add(self, *lines):
        self.lines += lines

    def table(self, name, **rows):
        self.add(f"[{name}]", *[f"{key} = {json.dumps(value)}" for key, value in rows.items() if value is not None])

    def sensor(self, *lines, **rows):
        self.add(
            "[[sensors]]", *[f"{key} = {json.dumps(value)}" for key, value in rows.items() if value is not None], *lines
        )


class Drawn:
    """What one is made of, chosen once."""

    def __init__(self, sheet):
        draw, room = sheet.data.draw, len(sheet.drivers)
        self.level = draw(st.sampled_from([*LEVELS, None])) if room > 4 else None
        self.chips = draw(st.lists(st.sampled_from(sorted(I2C)), max_size=3, unique=True)) if room > 7 else []
        self.rain = sheet.maybe() or not (self.level or self.chips)
        self.lid, self.wire, self.salt = [room > least and sheet.maybe() for least in (10, 11, 13)]
        self.valve = room > 9 and "bme280" in self.chips and sheet.maybe()
        self.switched = False
        self.outputs = ["siren", "strobe", *(["valve"] if self.valve else [])]


def text(data):
    sheet = Sheet(data)
    drawn = Drawn(sheet)
    sheet.add('about = "drawn"', f'board = "{sheet.board}"')
    access = sheet.one(sheet.access, ["lan", "lte", "wifi"])
    drawn.salt = drawn.salt and access != "lte"  # uart2 is the modem's
    if access != "wifi":
        sheet.add(f'access = "{access}"')
    sheet.table("sheet", title="Drawn", use="none")
    _access(sheet, access)
    _pins(sheet, drawn)
    _sensors(sheet, drawn)
    _built_of(sheet, drawn)
    if drawn.valve:
        sheet.table("relay", output="valve", of="temperature", on_below=100, off_above=200, max_on_s=60)
    sheet.table("settings", **({"power.profile": "1"} if sheet.maybe() else {}))
    sheet.lines[-1] = sheet.lines[-1].replace("power.profile", '"power.profile"')
    return "\n".join(sheet.lines) + "\n"


def _access(sheet, access):
    modem = sheet.free.get("modem")
    if access == "lte":
        pins = (
            [modem[member] for member in ("rx", "tx", "power")] if modem else [sheet.take(), sheet.take(), sheet.take()]
        )
        rx, tx, power = [sheet.one(pin, [4, 5, 26, 27]) for pin in pins]
        sheet.table("pins.uart2", kind="uart", rx=rx, tx=tx, baud=115200, power=power)
        sheet.table("lte", uart="uart2")
    elif access == "lan" and ("lan" not in sheet.free or sheet.odd()):
        sheet.table("lan", mdc=sheet.take(), mdio=sheet.take(), phy_type="lan8720", phy_addr=sheet.one(1, [0]), power=sheet.one(None, [12, 14, 34]),
                    ref_clk=sheet.one(0, [16, 17]))  # fmt: skip


def _pins(sheet, drawn):
    sheet.table("pins.adc1", kind="adc", pin=sheet.take(reads=True))
    for name in drawn.outputs:
        sheet.table(f"pins.{name}", kind="output", pin=sheet.take())
    if drawn.level:
        drawn.switched = sheet.maybe()
        name = sheet.one("pins.uart1", ["pins.uart0", "pins.uart3"])
        sheet.table(name, kind="uart", rx=sheet.take(), tx=sheet.take(), power=sheet.take() if drawn.switched else None)
    if drawn.chips:
        sheet.table("pins.i2c0", kind="i2c", sda=sheet.take(), scl=sheet.take(), khz=sheet.one(100, [10, 400]))
    for name, kind, there in (
        ("rain", "pulses", drawn.rain),
        ("lid", "switch", drawn.lid),
        ("onewire1", "onewire", drawn.wire),
    ):
        if there:
            sheet.table(f"pins.{name}", kind=kind, pin=sheet.take())
    if drawn.salt:
        sheet.table("pins.uart2", kind="uart", rx=sheet.take(), tx=sheet.take(), baud=sheet.one(9600, [1200, 115200]))


def _sensors(sheet, drawn):
    if drawn.level:
        part, rail, more, _ = LEVELS[drawn.level]
        if drawn.level == "modbus":
            more = [*more, f"warm_up_ms = {sheet.one(1500, [0, 1000, 9000])}"]
        sheet.sensor(*more, driver=drawn.level, bus="uart1", gives="level", part=part, rail=sheet.one(rail, RAILS))
    for name in drawn.chips:
        part, rows, addresses = I2C[name]
        rail = sheet.one("5V" if name == "sen5x" else "3V3", RAILS)
        sheet.sensor(rows, driver=name, bus="i2c0", address=sheet.one(addresses[0], addresses), part=part, rail=rail)
    if drawn.rain:
        sheet.sensor(
            "tip_nm = 200000",
            driver="tipping_bucket",
            bus="rain",
            gives=["rain", "rain_rate"],
            part="tipping_bucket_02mm",
        )
    if drawn.lid:
        sheet.sensor(driver="switch", bus="lid", gives="lid", part="reed_contact")
    if drawn.wire:
        sheet.sensor(
            driver="ds18b20",
            bus="onewire1",
            gives="water_temperature",
            part="ds18b20_probe",
            rail=sheet.one("3V3", RAILS),
        )
    if drawn.salt:
        rows = 'registers = [{ register = 0, type = "f32", scale = [1, 1], gives = "conductivity" }]'
        sheet.sensor(
            rows, driver="modbus", bus="uart2", address=11, part="conductivity_modbus", rail=sheet.one("battery", RAILS)
        )
    sheet.sensor(driver="battery", bus="adc1", gives="battery", ratio_milli=sheet.one(5700, [2000, 5750, 6600]))


def _built_of(sheet, drawn):
    sheet.table("site", coldest_c=sheet.one(20, [-40, 30]))
    sheet.table("mount", part=sheet.one("bridge_arm", ["wall_bracket", "tank_lid"]))
    charger = sheet.one("charger_mppt_4a", [None, "charger_mppt_10a"])
    panel = sheet.one("panel_20w", ["panel_100w", "module_60cell"]) if charger or sheet.odd() else None
    sheet.table(
        "supply",
        panel=panel,
        charger=charger,
        battery="lfp_20ah",
        batteries=4,
        regulator=sheet.one("buck_5v_4a", ["buck_5v_2a"]),
    )
    for name in drawn.outputs:
        down, switch = sheet.one(10000, [None, 100, 100000]), sheet.one("mosfet_low_side", [None, "load_switch_5v"])
        part = sheet.one(LOADS[name], sorted(set(LOADS.values())))
        sheet.table(f"fit.{name}", part=part, rail=sheet.one("battery", RAILS), switch=switch, pull_down_ohm=down)
    sheet.table("fit.adc1", through=[sheet.one("divider_470k_100k", ["divider_47k_10k", "divider_1k_2k"])])
    if drawn.level:
        usual = LEVELS[drawn.level][3]
        through = sheet.one(usual, [[], ["shifter_bss138"], ["rs485_auto_3v3"]])
        switch = sheet.one("high_side_12v" if drawn.level == "modbus" else "load_switch_5v", ["mosfet_low_side"])
        sheet.table(
            "fit.uart1", through=through, switch=switch if drawn.switched else None, cable_cm=sheet.one(100, [2000])
        )
    if drawn.chips:
        ups = sheet.one(4700 if len(drawn.chips) < 3 else None, [None, 1000, 100000])
        sheet.table("fit.i2c0", rail=sheet.one("3V3", RAILS), pull_up_ohm=ups, cable_cm=sheet.one(20, [500]))
    if drawn.rain:
        sheet.table("fit.rain", pull_up_ohm=sheet.one(100000, [None]), cable_cm=300)
    if drawn.wire:
        sheet.table(
            "fit.onewire1",
            rail=sheet.one("3V3", RAILS),
            pull_up_ohm=sheet.one(4700, [None, 470]),
            cable_cm=sheet.one(100, [5000]),
        )
    if drawn.salt:
        sheet.table(
            "fit.uart2", rail="3V3", through=sheet.one(["rs485_auto_3v3"], [[]]), cable_cm=sheet.one(500, [1500])
        )
