"""A station's file becomes the board's JSON, or one sentence; whatever stands in it, nothing else happens."""

import json
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.compile import STATIONS, Station, compile_station, shipped
from hardware.shape import Source, read
from node.app import App
from node.console.session import Console
from node.console.state import state_line
from node.core import hydrology
from node.core.measurements import INSTANCE
from node.core.quantities import POINTS
from node.drivers.ds18b20 import crc8
from simulator.errors import InputError
from tests.hardware.null_ports import ports, turn

RIVER = (STATIONS / "river_gauge.toml").read_text(encoding="utf-8")
STOCK = RIVER.replace('"esp32_wrover_devkitc"', '"esp32_devkitc_v4"')
POLE = (STATIONS / "weather_pole.toml").read_text(encoding="utf-8")
TIDE = (STATIONS / "tide_gauge.toml").read_text(encoding="utf-8")
TANK = (STATIONS / "storage_tank.toml").read_text(encoding="utf-8")
PV = (STATIONS / "pv_monitor.toml").read_text(encoding="utf-8")
WHERE = ("dr01", "demo", "5eed0001")


def station_of(text, tmp_path):
    return Station(Source(tmp_path / "s.toml", text))


@pytest.mark.parametrize("name", shipped())
def test_each_shipped_station_runs_on_the_firmware(name):
    station = compile_station(name, *WHERE, seed=7)
    app = App(json.loads(json.dumps(station)), ports(station))
    turn(app)
    console = Console(app, None, bytearray(1), 0)
    assert state_line(console).startswith("normal")
    assert bool(app.gauge) == ('gives = "level"' in (STATIONS / f"{name}.toml").read_text(encoding="utf-8"))


def test_a_river_gauge_compiles_to_the_example_of_the_ports_page():
    assert compile_station("river_gauge", *WHERE, seed=7) == {
        "node": "dr01", "district": "demo", "life": "5eed0001", "seed": 7,
        "sensors": [{"driver": "a02yyuw", "bus": "uart1", "gives": "level"},
                    {"driver": "battery", "bus": "adc1", "gives": "battery", "ratio_milli": 5700}],
        "settings": {"level.alert": 600, "level.warning": 1000, "level.danger": 1500, "sensor.height": 4500},
        "pins": {"uart1": {"kind": "uart", "rx": 32, "tx": 33, "baud": 9600, "power": 4},
                 "adc1": {"kind": "adc", "pin": 34}, "siren": {"kind": "output", "pin": 25},
                 "strobe": {"kind": "output", "pin": 26}},
        "wifi": {"ssid": "", "key": ""}, "broker": {"host": "", "port": 1883},
    }  # fmt: skip


@pytest.mark.parametrize("name", shipped())
def test_what_the_firmware_tells_is_what_the_file_says_it_measures(name):
    station = Station(read(STATIONS, name, "station"))
    app = App(station.compiled(*WHERE), ports(station.as_data()))
    turn(app, 400)
    told = {POINTS[i & 0xFF][0] + (f":{i // INSTANCE + 1}" if i >= INSTANCE else "") for i, _, _ in app.survey.points()} if app.survey else set()  # fmt: skip
    said = {key for key, _ in station.points} | station.derived
    assert told <= said
    now_and_then = {"level", "battery", "fouling", "calibration", "season"}  # the gauge's, and events
    daily = ("diagnosis", "soiling_ratio", "performance_ratio")
    assert {key for key in said - told if not key.startswith(daily)} <= now_and_then


def test_a_panels_number_follows_its_keys():
    station = compile_station("pv_monitor", *WHERE)
    panels = [sensor["gives"] for sensor in station["sensors"] if sensor["driver"] == "ina226"]
    assert panels[0] == ["panel_voltage", "panel_current", "panel_power"]
    assert panels[7] == ["panel_voltage:8", "panel_current:8", "panel_power:8"]


def test_a_value_left_out_is_null_on_the_board():
    pole = compile_station("weather_pole", *WHERE)
    assert ["co2", None, None] in [sensor.get("gives") for sensor in pole["sensors"]]


def test_seasons_are_what_the_core_takes():
    seasons = compile_station("tide_gauge", *WHERE)["care"]["seasons"]
    hydrology.check_seasons(seasons)
    assert seasons == [[1015, 215, 2400, 2700, 3000]]


def test_a_rangers_reach_is_its_parts_where_its_row_leaves_it_out(tmp_path):
    text = (STATIONS / "river_gauge_maxbotix.toml").read_text(encoding="utf-8")
    reach = "range_mm = 9999\nblanking_mm = 500\n"
    part = 'part = "mb7383"\nrail = "3V3"\n'
    assert reach in text and part in text

    def row(text):
        return station_of(text, tmp_path).sensors[0]

    assert row(text.replace(reach, "")) == row(text)
    assert row(text.replace(reach, "range_mm = 8000\n"))["range_mm"] == 8000
    bare = text.replace(part, "")
    assert row(bare)["blanking_mm"] == 500
    assert "blanking_mm" not in row(bare.replace(reach, "range_mm = 5000\n"))
    with pytest.raises(InputError, match="beyond 5000 mm is blind for 500: write its blanking_mm, or its part"):
        row(bare.replace(reach, "range_mm = 5001\n"))
    for claim, says in (("blanking_mm = 499", "mb7383 is blind for 500"), ("range_mm = 16000", "allowed are")):
        with pytest.raises(InputError, match=says):
            row(text.replace(reach, claim + "\n"))


def test_settings_given_over_the_file_win():
    over = {"level.danger": 1800, "level.alert": "0.5 m"}
    made = compile_station("river_gauge", *WHERE, settings=over, watchdog_s=0)["settings"]
    assert [made[f"level.{name}"] for name in ("alert", "warning", "danger")] == [500, 1000, 1800]


SENSOR = '[[sensors]]\ndriver = "%s"\nbus = "%s"\n'
# (what the file is, what is replaced, by what, what the sentence says)
REFUSED = [
    (RIVER, "[settings]", '[settings]\n"power.profile" = "2"', "must be 0 to 1: 0 is always on, 1 asleep between samples"),
    (RIVER, "[settings]", '[settings]\n"power.profile" = "1 h"', "write a whole number from 0 to 1: 0 is always on, 1 asleep"),
    (RIVER, "about =", "abuot =", "unknown key 'abuot'; allowed are about, board"),
    (RIVER, '"esp32_wrover_devkitc"', '"esp8266"', "line 2: no board 'esp8266'; there are esp32_devkitc_v4"),
    (RIVER, "baud = 9600", "boud = 9600", "line 13: unknown key 'boud' in pins.uart1; allowed are kind, rx, tx, baud"),
    (RIVER, "baud = 9600", "baud = 115200", "a02yyuw speaks at 9600 baud, 'uart1' at 115200"),
    (RIVER, '"a02yyuw"', '"hcsr04"', "no driver 'hcsr04'; there are a02yyuw, ads1115"),
    (RIVER, '"a02yyuw"\nbus = "uart1"', '"a02yyuw"\nbus = "uart2"', "no bus 'uart2' in [pins]; there are adc1, siren"),
    (RIVER, '"a02yyuw"\nbus = "uart1"', '"a02yyuw"\nbus = "adc1"', "'adc1' is of kind adc, a02yyuw needs uart"),
    (RIVER, "pin = 26", "pin = 25", "line 26: pins.strobe: pin 25 is used twice, by siren already"),
    (RIVER, "pin = 26", "pin = 6", "pin 6 can't be output"),
    (RIVER, "pin = 26", "pin = 35", "pin 35 can't be output"),
    (RIVER, "pin = 34", "pin = 13", "pin 13 can't be adc of ESP32-DevKitC-VE (ESP32-WROVER-E)"),
    (RIVER, 'kind = "adc"', 'kind = "dac"', "no kind 'dac'; there are uart, i2c, onewire, adc"),
    (RIVER, "[pins.strobe]", "[pins.lamp]", "pins names no strobe of kind output"),
    (RIVER, "[pins.uart1]", "[pins.uart7]", "ESP32-DevKitC-VE (ESP32-WROVER-E) has uart1, uart2"),
    (RIVER, "ratio_milli = 5700", "ratio_milli = 57", "ratio_milli is 57; allowed are whole numbers from 1000 to 20000"),
    (RIVER, "ratio_milli = 5700", "", "sensors[2] lacks 'ratio_milli'; allowed are whole numbers"),
    (RIVER, '"0.600 m"', '"600 mm"', "level.alert is in m, not mm"),
    (RIVER, '"0.600 m"', "600", 'level.alert is 600; write text with its unit, as "0.6 m"'),
    (RIVER, '"0.600 m"', '"0.6005 m"', "'0.6005' is finer than 3 decimals"),
    (RIVER, '"1.500 m"', '"99 m"', "level.danger must be -10 m to 30 m"),
    (RIVER, '"1.500 m"', '"0.9 m"', "levels out of order: alert 0.6 m, warning 1 m, danger 0.9 m must rise"),
    (RIVER, '"level.alert"', '"level.alarm"', "no setting 'level.alarm'; there are level.alert"),
    (RIVER, '"sensor.height"', '"co2.alert" = "9 ppm"\n"sensor.height"', "add it to 'watch'"),
    (RIVER, "[sheet]", 'watch = ["rain"]\n[sheet]', "no alarm on 'rain'; there are pm2_5_nowcast, co2"),
    (RIVER, "[sheet]", 'watch = ["co2"]\n[sheet]', "'co2' is watched, but no sensor gives it"),
    (RIVER, '"battery"]', '"batery"]', "line 7: no quantity 'batery'"),
    (RIVER, 'gives = "level"', 'gives = "depth"', 'a02yyuw gives a level and nothing else: write gives = "level"'),
    (RIVER, 'gives = "battery"', 'gives = "level"', "battery gives no level; a02yyuw, current_loop"),
    (RIVER, SENSOR % ("battery", "adc1"), SENSOR % ("a02yyuw", "uart1"), "unknown key 'ratio_milli' in sensors[2]"),
    (POLE, 'gives = "water_temperature"', 'gives = "water_heat"', "no quantity 'water_heat'; there are level, battery"),
    (POLE, 'gives = "water_temperature"', 'gives = "humidity"', "'humidity' is given twice; a second one is 'humidity:2'"),
    (POLE, 'gives = "water_temperature"', 'gives = "humidity:2"', "gives: humidity:2 is not in the unit and decimals"),
    (POLE, 'gives = ["co2", "", ""]', 'gives = ["co2"]', "gives: 1 keys for the 3 values co2, temperature, humidity"),
    (POLE, 'gives = ["co2", "", ""]', 'gives = ["co2:17", "", ""]', "no quantity 'co2:17'"),
    (POLE, "address = 0x41", "address = 0x40", "address 0x40 on 'i2c1' is ina226's already; give each chip its own"),
    (POLE, 'bus = "uart2"', 'bus = "uart1"', "'uart1' serves a02yyuw already, and nothing else can be on it"),
    (POLE, "assumes_cc = 2000", "assumes_cc = 20000", "sensors[1].assumes_cc is 20000; allowed are whole numbers from"),
    (POLE, 'type = "u16"', 'type = "u8"', "registers[1].type is 'u8'; allowed are u16, s16, u32, s32, f32"),
    (POLE, "shunt_uohm = 20000", "shunt_uohm = 5", "ina226: shunt_uohm is 10 to 100000000"),
    (POLE, "uv_at_1000 = 57000", "uv_at_1000 = 0", "uv_at_1000 is 0; allowed are whole numbers from 1000"),
    (PV, "address = 0x48", "address = 0x40", "sensors[1].address is 64; allowed are"),
    (PV, "300, 300, 300]", "300, 300, 300, 300]", "[panels] with 9 panels needs 'panel_power:9', and no sensor gives it"),
    (PV, "300, 300, 300]", "300, 300, 3000]", "panels.peak_w is [300, 300, 300, 300, 300, 300, 300, 3000]; allowed is a list"),
    (TANK, 'output = "valve"', 'output = "siren"', "relay: no output 'siren' to switch; there are valve"),
    (TANK, 'of = "fill"', 'of = "level"', "relay: 'level' is not among what can"),
    (TANK, "off_above = 500", "off_above = 300", "relay: on_below must lie under off_above"),
    (TANK, "max_on_s = 3600", "", "relay lacks 'max_on_s'; allowed are whole numbers from 1 to 86400"),
    (TANK, "[relay]", "[tank]\nheight_mm = 5000\n[relay]", "[tank] is of a level, and no sensor gives one"),
    (RIVER, "[settings]", "[care]\nblanking = 30\n[settings]", "unknown key 'blanking' in care; allowed are blanking_mm"),
    (STOCK, "[settings]", "[care]\nblanking_mm = 30\n[settings]", "take one with PSRAM"),
    (RIVER, "[sheet]", "rise_median_of = 2\n[sheet]", "rise_median_of is 2; allowed are 1, 3"),
    (TIDE, 'from = "10-15"', 'from = "13-15"', "season 1: 1315 is no month and day"),
    (TIDE, 'alert = "2.400 m"', 'alert = "4 m"', "season 1: levels out of order"),
    (TIDE, 'alert = "2.400 m"', 'alert = "4 ft"', "level.alert is in m, not ft"),
    (PV, '"esp32_wrover_devkitc"', '"esp32_devkitc_v4"', "a board without PSRAM holds; take one with PSRAM: esp32_s3"),
    (RIVER, "[settings]", "[settings\n", "is not TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "says"), REFUSED)
def test_what_can_not_run_is_refused_in_one_sentence(text, old, new, says, tmp_path):
    assert old in text
    with pytest.raises(InputError) as refused:
        station_of(text.replace(old, new, 1), tmp_path)
    sentence = str(refused.value)
    assert says in sentence, sentence
    assert sentence.startswith(str(tmp_path / "s.toml"))
    assert "\n" not in sentence


MODBUS = """
[[sensors]]
driver = "modbus"
bus = "uart2"
address = %d
registers = [{ register = 0, gives = "%s" }]
"""
WIRE = """
[[sensors]]
driver = "ds18b20"
bus = "onewire1"
gives = "module_temperature:%d"
rom = "%s"
"""
LOOP = """driver = "current_loop"
bus = "i2c0"
gives = "level"
input = "3"
range_mv = 4096
shunt_mohm = 100000
at_20ma_mm = 5000
"""
CELL = """
[[sensors]]
driver = "ads1115"
bus = "i2c0"
channels = [{ input = "2", range_mv = 4096, gives = "charger_voltage", steps_per_v = 5700 }]
"""


def test_transmitters_share_a_line_by_their_addresses(tmp_path):
    more = POLE.replace("\n[[sensors]]", MODBUS % (2, "depth") + "\n[[sensors]]", 1)
    station = station_of(more, tmp_path)
    assert [key for key, _ in station.points].count("depth") == 1
    with pytest.raises(InputError, match="two transmitters on 'uart2' need an 'address' each, and not the same"):
        station_of(POLE.replace("\n[[sensors]]", MODBUS % (1, "depth") + "\n[[sensors]]", 1), tmp_path)


def rom(number):
    """A thermometer's own number, with its CRC."""
    first = bytes((0x28, number, 0, 0, 0, 0, 0))
    return (first + bytes((crc8(first, 7),))).hex()


def test_thermometers_share_a_wire_by_their_numbers(tmp_path):
    base = PV.replace('gives = "module_temperature"', f'gives = "module_temperature"\nrom = "{rom(1)}"')
    more = WIRE % (2, rom(2)) + WIRE % (3, rom(3)) + "\n[panels]"
    station = station_of(base.replace("\n[panels]", more), tmp_path)
    assert "module_temperature:3" in [key for key, _ in station.points]
    with pytest.raises(InputError, match="two thermometers on 'onewire1' need a 'rom' each"):
        station_of(PV.replace("\n[panels]", WIRE % (2, rom(2)) + "\n[panels]"), tmp_path)


def test_two_drivers_of_the_rounds_share_a_converter_and_a_level_shares_it_with_none(tmp_path):
    assert station_of(PV.replace("\n[panels]", CELL + "\n[panels]"), tmp_path).sensors[-1]["driver"] == "ads1115"
    with pytest.raises(InputError, match="address 0x48 on 'i2c0' is ads1115's already"):
        station_of(TANK.replace("\n[relay]", "\n[[sensors]]\n" + LOOP + "\n[relay]"), tmp_path)


def test_a_tank_tells_its_fill_from_the_level(tmp_path):
    begin, end = TANK.index('driver = "ads1115"'), TANK.index("\n[[sensors]]", TANK.index('driver = "ads1115"'))
    station = station_of(TANK[:begin] + LOOP + "\n[tank]\nheight_mm = 5000\n" + TANK[end:], tmp_path)
    assert station.compiled(*WHERE)["tank"] == {"height_mm": 5000}
    assert {"fill", "relay"} <= station.derived
    app = App(station.compiled(*WHERE), ports(station.as_data()))
    turn(app)
    assert app.gauge and app.survey


def test_what_is_said_beside_the_file_is_checked_too():
    for wrong in (
        {"node": "Dr 01"}, {"district": ""}, {"life": "life"}, {"seed": -1}, {"colour": "red"}, {"settings": {"level.alert": 99999}},
    ):  # fmt: skip
        with pytest.raises(InputError):
            compile_station("river_gauge", **{**dict(zip(("node", "district", "life"), WHERE, strict=True)), **wrong})
    with pytest.raises(InputError, match="neither a readable file nor one of the shipped air_station"):
        compile_station("lake_gauge", *WHERE)


def written(value):
    """A value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {written(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(written(each) for each in value) + "]"
    return json.dumps(value) if not isinstance(value, float) else repr(value)


def places(value, trail=()):
    """Every place in nested tables and lists."""
    yield trail
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in steps:
        yield from places(each, (*trail, step))


JUNK = st.one_of(
    st.integers(-(2**40), 2**40), st.booleans(), st.text("abcgijlrtuv019:_. -", max_size=12), st.floats(),
    st.sampled_from([[], {}, [1], {"a": 1}, [{}], "level", "uart1", "i2c0", "ina226", "modbus", "a02yyuw", "fill", "0.5 m"]),
)  # fmt: skip
TABLES = [tomllib.loads((STATIONS / f"{name}.toml").read_text(encoding="utf-8")) for name in shipped()]


@settings(max_examples=300)
@given(st.data())
def test_a_mutated_station_is_a_sentence_or_a_station_that_starts(data):
    values = json.loads(json.dumps(data.draw(st.sampled_from(TABLES))))
    for _ in range(data.draw(st.integers(1, 3))):
        trail = data.draw(st.sampled_from([trail for trail in places(values) if trail]))
        holder = values
        for step in trail[:-1]:
            holder = holder[step]
        change = data.draw(st.sampled_from(["replace", "drop", "rename", "twice"]))
        if change == "replace":
            holder[trail[-1]] = data.draw(JUNK)
        elif change == "drop":
            del holder[trail[-1]]
        elif isinstance(holder, dict):
            name = data.draw(st.text("abcdeilmnoprst_1", min_size=1, max_size=8))
            holder[name] = holder[trail[-1]] if change == "twice" else holder.pop(trail[-1])
        elif change == "twice":
            holder.append(holder[trail[-1]])
        if not values:
            return
    text = "\n".join(f"{json.dumps(key)} = {written(value)}" for key, value in values.items())
    text = re.sub(r"\b(NaN|Infinity)\b", "nan", text)
    try:
        station = Station(Source(STATIONS / "mutated.toml", text)).compiled(*WHERE)
    except InputError as error:
        sentence = str(error)
        assert "mutated.toml" in sentence
        assert "\n" not in sentence
        return
    turn(App(json.loads(json.dumps(station)), ports(station)))


@given(st.text())
def test_any_text_is_a_sentence_or_a_station(text):
    with pytest.raises(InputError):
        Station(Source(STATIONS / "any.toml", text))


def test_tls_is_refused_on_a_board_without_psram(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(STOCK, encoding="utf-8")
    plain = Station(read(tmp_path, str(path), "station"))
    assert plain.compiled(*WHERE, broker={"host": "b", "port": 1883})["broker"]["port"] == 1883
    with pytest.raises(
        InputError, match="line 2: TLS does not fit the heap of a board without PSRAM; take one with PSRAM: esp32_s3"
    ):
        plain.compiled(*WHERE, broker={"host": "b", "port": 8883, "tls": 1})
