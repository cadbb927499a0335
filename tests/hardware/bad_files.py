"""One bad station file for each rule of hardware/rules.toml: a shipped one, and what is changed in it."""

from hardware.compile import STATIONS


def shipped(name):
    return (STATIONS / f"{name}.toml").read_text(encoding="utf-8")


STOCK = ('"esp32_wrover_devkitc"', '"esp32_devkitc_v4"')
SLEEPS = ('"siren.from" = "4"', '"siren.from" = "4"\n"power.profile" = "1"')
SIREN_FIT = '[fit.siren]\npart = "siren_12w"\nrail = "battery"\nswitch = "mosfet_low_side"\npull_down_ohm = 10000\n'
ON_LILYGO = (
    ('"esp32_wrover_devkitc"', '"lilygo_t_a7670"'), ("tx = 33", "tx = 19"), ("power = 4", "power = 18"), ("pin = 26", "pin = 21"),
    ("pin = 25", "pin = 22"), ("buck_5v_2a", "buck_5v_4a"),
)  # fmt: skip
MANY = "".join(
    f'\n[[sensors]]\ndriver = "modbus"\nbus = "uart2"\naddress = {20 + i}\npart = "conductivity_modbus"\nrail = "battery"\n'
    f'registers = [{{ register = 0, gives = "conductivity:{i + 2}" }}]\n'
    for i in range(15)
)
PHY = '[lan]\nmdc = 23\nmdio = 18\nphy_type = "lan8720"\nphy_addr = 1\n[site]'
SERIES = ("in_series = 1", "in_series = 8")
COLD = ("coldest_c = -8", "coldest_c = -30")
SET = "[settings]\n"
LTE = '[pins.uart2]\nkind = "uart"\nrx = 18\ntx = 19\nbaud = 115200\npower = 13\n\n[lte]\nuart = "uart2"\n\n[site]'
LOOP = (
    'driver = "current_loop"\nbus = "i2c0"\npart = "ads1115_module"\nrail = "3V3"\nprobe = "transmitter_4_20"\nprobe_rail = "battery"\n'
    'gives = "level"\ninput = "0"\naddress = 0x49\nrange_mv = 6144\nshunt_mohm = 250000\nat_20ma_mm = 5000\n\n[[sensors]]\ndriver = "ads1115"\n'
)
# rule -> (shipped station, what is replaced)
BAD = {
    "pin-absent": ("river_gauge", [("pin = 26", "pin = 20")]),
    "flash-pin": ("river_gauge", [("pin = 26", "pin = 6")]),
    "psram-pin": ("river_gauge", [("pin = 26", "pin = 16")]),
    "strapping-pin": ("river_gauge", [("pin = 26", "pin = 12")]),
    "console-pin": ("river_gauge", [("pin = 26", "pin = 3")]),
    "board-pin": ("weather_pole", [("pin = 42", "pin = 48")]),
    "lan-pins": ("river_gauge", [("batteries = 2", "batteries = 4"), ("board =", 'access = "lan"\nboard ='), ("[site]", PHY)]),
    "modem-pin": ("river_gauge", [change for change in ON_LILYGO if change[0] not in ("power = 4", "pin = 26")]),
    "modem-asleep": ("river_gauge_lte", [('"sensor.height"', '"power.profile" = "1"\n"sensor.height"')]),
    "input-only-pin": ("river_gauge", [("pin = 26", "pin = 35")]),
    "adc2-with-wifi": ("river_gauge", [("pin = 34", "pin = 13")]),
    "adc-pin": ("river_gauge", [("pin = 34", "pin = 19")]),
    "uart-count": ("river_gauge", [("uart1", "uart0")]),
    "i2c-count": ("radar_gauge", [("i2c0", "i2c2")]),
    "psram": ("air_station", [STOCK]),
    "psram-tls": ("river_gauge", [STOCK]),
    "boot-glitch": ("river_gauge", [("pin = 25", "pin = 14")]),
    "output-pull-down": ("river_gauge", [("pull_down_ohm = 10000\ncable_cm = 300\n\n[fit.strobe]", "cable_cm = 300\n\n[fit.strobe]")]),
    "output-driver": ("river_gauge", [(SIREN_FIT, SIREN_FIT.replace('switch = "mosfet_low_side"\n', ""))]),
    "switch-current": ("river_gauge", [(SIREN_FIT, SIREN_FIT.replace("mosfet_low_side", "tiny_switch"))]),
    "wake-pin": ("rain_gauge", [SLEEPS, ("pin = 27", "pin = 18")]),
    "contact-pull-up": ("rain_gauge", [SLEEPS, ("pull_up_ohm = 100000\n", "")]),
    "onewire-pull-up": ("pv_monitor", [("pull_up_ohm = 4700\n", "")]),
    "contact-length": ("rain_gauge", [("pull_up_ohm = 100000\ncable_cm = 300", "pull_up_ohm = 100000\ncable_cm = 27401")]),
    "onewire-length": ("pv_monitor", [("pull_up_ohm = 4700\ncable_cm = 300", "pull_up_ohm = 2200\ncable_cm = 2942")]),
    "i2c-address": ("weather_pole", [("address = 0x41", "address = 0x40")]),
    "i2c-pull-up": ("pv_monitor", [('[fit.i2c0]\nrail = "3V3"\n', '[fit.i2c0]\nrail = "3V3"\npull_up_ohm = 4700\n')]),
    "i2c-speed": ("weather_pole", [("scl = 9\nkhz = 100", "scl = 9\nkhz = 400")]),
    "i2c-capacitance": ("radar_gauge", [('[fit.i2c0]\nrail = "3V3"\ncable_cm = 20', '[fit.i2c0]\nrail = "3V3"\npull_up_ohm = 2200\ncable_cm = 500')]),
    "rs485-transceiver": ("radar_gauge", [('through = ["rs485_auto_3v3"]\n', "")]),
    "rs485-load": ("tide_gauge", [("\n[care]", MANY + "\n[care]"),
                                  ('part = "conductivity_modbus"', 'part = "heavy_modbus"'), ('battery = "lfp_20ah"', 'battery = "lfp_large"')]),
    "rs485-termination": ("tide_gauge", [("terminated = true\n", "")]),
    "supply-voltage": ("radar_gauge", [('part = "radar_kwl801b"\nrail = "battery"', 'part = "radar_kwl801b"\nrail = "5V"')]),
    "supply-current": ("air_station", [('regulator = "buck_5v_2a"', 'regulator = "buck_5v_small"')]),
    "battery-current": ("river_gauge", [('battery = "lfp_6ah"\nbatteries = 2', 'battery = "lfp_small"')]),
    "charger-alone": ("river_gauge", [('panel = "panel_20w"\n', "")]),
    "charger-voltage": ("river_gauge", [('panel = "panel_20w"', 'panel = "panel_high"')]),
    "charger-current": ("river_gauge", [('panel = "panel_20w"', 'panel = "panel_20w"\npanels = 4')]),
    "logic-level": ("river_gauge", [('through = ["divider_1k_2k"]\n', "")]),
    "ina226-voltage": ("pv_monitor", [COLD]),
    "ina226-common-mode": ("pv_monitor", [SERIES]),
    "ina226-shunt": ("pv_monitor", [("shunt_uohm = 5000", "shunt_uohm = 10000")]),
    "adc-range": ("river_gauge", [('panel = "panel_20w"\ncharger = "charger_mppt_4a"\n', "")]),
    "divider-ratio": ("river_gauge", [("ratio_milli = 5700", "ratio_milli = 6600")]),
    "autonomy": ("river_gauge", [("batteries = 2", "batteries = 1")]),
    "level-reach": ("river_gauge", [('"1.500 m"', '"4.471 m"')]),
    "sensor-claims": ("river_gauge_maxbotix", [("blanking_mm = 500", "blanking_mm = 499")]),
    "care-blanking": ("weather_pole", [("blanking_mm = 30", "blanking_mm = 29")]),
    "low-water": ("river_gauge", [('"4.500 m"', '"4.501 m"')]),
    "level-burst": ("radar_gauge", [("warm_up_ms = 1500", "warm_up_ms = 1701")]),
    "warm-up": ("radar_gauge", [("warm_up_ms = 1500", "warm_up_ms = 1499")]),
    "rise-window": ("river_gauge", [(SET, f'{SET}"sample.interval" = "451 s"\n')]),
    "beam-clear": ("tide_gauge", [('part = "quay_arm"', 'part = "quay_arm"\nclear_mm = 100')]),
    "beam-tilt": ("tide_gauge", [("tilt = 50", "tilt = 61")]),
    "silent-siren": ("river_gauge", [(SET, f'{SET}"siren.from" = "4"\n')]),
    "watchdog-off": ("river_gauge", [("board =", "watchdog_s = 0\nboard =")]),
    "output-load": ("storage_tank", [('part = "valve_12v"', 'part = "strobe_2w"')]),
    "switch-side": ("radar_gauge", [('switch = "high_side_12v"', 'switch = "mosfet_low_side"')]),
    "loop-voltage": ("storage_tank", [('driver = "ads1115"\n', LOOP), (SET, f'{SET}"sensor.height" = "0 m"\n')]),
    "cable-drop": ("river_gauge", [(f"{SIREN_FIT}cable_cm = 300", f"{SIREN_FIT}cable_cm = 2200")]),
    "rs485-length": ("tide_gauge", [("tx = 23\nbaud = 9600", "tx = 23\nbaud = 115200"), ("cable_cm = 1500", "cable_cm = 10001")]),
    "battery-low": ("river_gauge", [(SET, f'{SET}"battery.low" = "11 V"\n')]),
    "cold-charge": ("air_station", [("coldest_c = 20", "coldest_c = -1")]),
    "frost": ("weather_pole", [("coldest_c = 20", "coldest_c = -1"), ('battery = "lfp_20ah"', 'battery = "lfp_20ah_cold"')]),
    "modem-current": ("river_gauge", [("board =", 'access = "lte"\nboard ='), ("[site]", LTE), ('"lfp_6ah"', '"lfp_20ah"')]),
    "battery-divider": ("river_gauge", [("divider_470k_100k", "divider_47k_10k")]),
}  # fmt: skip


def text(rule, without=None):
    """`without`: the number of the change that is left out."""
    name, changes = BAD[rule]
    found = shipped(name)
    for number, (old, new) in enumerate(changes):
        assert old in found, f"{rule}: {name}.toml has no {old!r}"
        if number != without:
            found = found.replace(old, new) if old in ("uart1", "i2c0") else found.replace(old, new, 1)
    return found
