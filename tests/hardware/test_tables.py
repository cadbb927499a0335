"""The room's tables agree with the firmware, with the schemas of others, and with the pages made of them."""

import ast
import json

import jsonschema
import pytest

from hardware import memory
from hardware.boards import boards, read_board
from hardware.compile import STATIONS, Station, compile_station, shipped
from hardware.drivers import DRIVERS, MEASURED
from hardware.quantities import LANGUAGES, QUANTITIES, STATES, point
from hardware.shape import read
from hardware.sheet import index, sheet
from node.core import measurements
from node.drivers import catalog
from tests.house import sources

SCHEMAS = sources.ROOT / "tests" / "data" / "schemas"
DRIVER_FOLDER = "firmware/node/drivers/"
# Read by the app, not by the driver: where a level sensor hangs.
OF_THE_APP = {"driver", "bus", "gives", "tilt", "assumes_cc", "measures"}
NOT_SAID = {"count"}  # modbus checks it where it is given; its type says it already
ID = "urn:ngsi-ld:Station:demo:dr01"
AT = "2018-06-03T22:00:00Z"


def test_every_measured_quantity_has_its_line_and_no_line_is_unused():
    assert list(QUANTITIES) == list(MEASURED)


def test_words_of_every_language_are_as_many_as_the_firmwares():
    for key, quantity in QUANTITIES.items():
        assert all((quantity.en, quantity.ms, quantity.id)), key
        assert quantity.who in ("everyone", "operators"), key
        said = point(key)[5]
        assert set(quantity.words) == (set(LANGUAGES) if said else set()), key
        for language in quantity.words:
            assert len(quantity.words[language]) == len(said), key
        if said:
            assert tuple(quantity.words["en"]) == said, key
        assert bool(quantity.code) == (not said), f"{key}: a number has a unit, a word has none"
    assert tuple(STATES["en"]) == measurements.STATES
    assert all(len(STATES[language]) == len(measurements.STATES) for language in LANGUAGES)


# What SenML's unit is in UN/CEFACT's common codes (Recommendation 20), where the value is published as it is.
CODES = {
    "m": "MTR", "V": "VLT", "A": "AMP", "W": "WTT", "Wh": "WHR", "mm": "MMT", "mm/h": "H67", "/100": "P1", "Cel": "CEL",
    "S/m": "D10", "W/m2": "D54", "/": "C62", None: "C62", "ppm": "59", "ug/m3": "GQ", "dB": "2N", "m/s": "MTS", "%RH": "P1",
}  # fmt: skip


@pytest.mark.parametrize("key", MEASURED)
def test_a_unit_code_is_that_of_the_firmwares_unit(key):
    quantity = QUANTITIES[key]
    if quantity.factor != 1 or quantity.words:
        assert quantity.code != CODES.get(point(key)[1]), f"{key}: a factor changes the unit"
    else:
        assert quantity.code == CODES[point(key)[1]]


def whole(value, base):
    """A schema with what it refers to in it; of Environment-schema, which is not here, nothing is used."""
    if isinstance(value, list):
        return [whole(each, base) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        file, _, place = value["$ref"].partition("#/")
        path = SCHEMAS / file.rsplit("/", 1)[-1] if file else base
        if path.name == "Environment-schema.json":
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
        for step in place.split("/"):
            found = found[step]
        return whole(found, path)
    return {key: whole(each, base) for key, each in value.items() if key != "definitions"}


def properties(schema):
    """Names of all properties that a model's own page or its commons give it."""
    found = set()
    for part in [schema, *schema.get("allOf", ())]:
        found |= set(part.get("properties", ()))
        if "Weather-Commons" in part.get("$ref", ""):
            commons = json.loads((SCHEMAS / "weather-schema.json").read_text(encoding="utf-8"))
            found |= set(commons["definitions"]["Weather-Commons"]["properties"])
    return found


@pytest.mark.parametrize("key", MEASURED)
def test_an_entity_of_each_quantity_fits_its_smart_data_model(key):
    quantity = QUANTITIES[key]
    schema = json.loads((SCHEMAS / f"{quantity.model}.schema.json").read_text(encoding="utf-8"))
    assert quantity.property in properties(schema)
    row = point(key)
    top = min(row[4] // 2, 100 * 10 ** row[2])
    value = quantity.words["en"][0] if quantity.words else top / 10 ** row[2] * quantity.factor
    place = {"type": "Point", "coordinates": [110.3, 1.5]}
    entity = {
        "id": ID, "type": quantity.model, "dateObserved": AT, "location": place, "refPhotovoltaicDevice": ID,
        "dateEnergyMeteringStarted": AT, "temperature": 20, quantity.property: value,
    }  # fmt: skip
    if quantity.model == "DeviceMeasurement":
        entity["controlledProperty"] = key
    complete = whole(schema, SCHEMAS / f"{quantity.model}.schema.json")
    validator = jsonschema.Draft202012Validator({name: part for name, part in complete.items() if name != "$id"})
    problems = [error.message for error in validator.iter_errors(entity)]
    assert not problems


def test_every_driver_has_its_table_and_no_table_is_unused():
    assert set(DRIVERS) == {*catalog.LEVEL, *catalog.OTHERS, "battery"}
    for name, driver in DRIVERS.items():
        level = "also" if name in catalog.OTHERS else "only"
        assert driver.level == (level if name in catalog.LEVEL else ""), name
        assert driver.accuracy["*"], name


def keys_read(name):
    """What the driver's source takes out of its row: config["x"], row.get("x"), channel rows too."""
    found = set()
    for node in ast.walk(sources.tree(f"{DRIVER_FOLDER}{name}.py")):
        value = node.value if isinstance(node, ast.Subscript) else None
        key = node.slice if isinstance(node, ast.Subscript) else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            value, key = node.func.value, node.args[0]
        if isinstance(value, ast.Name) and value.id in ("config", "row") and isinstance(key, ast.Constant):
            if isinstance(key.value, str):
                found.add(key.value)
    return found - OF_THE_APP - NOT_SAID


@pytest.mark.parametrize("name", sorted(set(DRIVERS) - {"battery"}))
def test_a_drivers_keys_are_those_its_source_reads(name):
    driver = DRIVERS[name]
    said = set(driver.keys)
    for spec in driver.keys.values():
        said |= set(spec.get("rows", ()))
    assert said - OF_THE_APP == keys_read(name)


def test_a_driver_knows_its_address_as_its_source_does():
    for name, driver in DRIVERS.items():
        if driver.bus == "i2c":
            assert f'config.get("address", 0x{driver.address:02X})' in sources.text(f"{DRIVER_FOLDER}{name}.py"), name


# Memory


def test_a_station_without_psram_keeps_to_the_river_gauges_bytes():
    for name in shipped():
        station = Station(read(STATIONS, name, "station"))
        needs = memory.mpy_bytes(station.as_data())
        assert station.board["psram_kb"] or needs <= memory.STOCK_MPY_BYTES, (name, needs)
    assert memory.mpy_bytes(compile_station("river_gauge", "a", "d", "00000000")) > memory.STOCK_MPY_BYTES * 9 // 10


def test_what_a_station_loads_grows_with_its_data():
    river = memory.modules(compile_station("river_gauge", "a", "d", "00000000"))
    assert {"main.py", "node/app.py", "node/drivers/a02yyuw.py", "node/esp32/buses.py"} <= river
    assert not {"node/rounds.py", "node/core/quantities.py", "node/esp32/i2c.py"} & river
    pole = memory.modules(compile_station("weather_pole", "a", "d", "00000000"))
    panels = memory.modules(compile_station("pv_monitor", "a", "d", "00000000"))
    by_wifi = set(memory.LAZY) - {"node/esp32/access_lan.py", "node/esp32/access_lte.py"}
    assert by_wifi <= pole | panels


def test_every_module_that_a_function_imports_is_counted_with_its_reason():
    lazy = set()
    for name in sources.python("firmware/node/", "firmware/main.py"):
        tree = sources.tree(name)
        at_once = [*tree.body, *[inner for outer in tree.body if isinstance(outer, ast.Try) for inner in outer.body]]
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node not in at_once and node.module:
                whole = "firmware/" + node.module.replace(".", "/")
                for path in (f"{whole}.py", *[f"{whole}/{alias.name}.py" for alias in node.names]):
                    if path in sources.files() and path.startswith("firmware/node/"):
                        lazy.add(path.removeprefix("firmware/"))
    needed = {name for name in lazy if name.startswith(memory.WHEN_NEEDED)}
    at_once_by_main = memory.loaded(["main.py"])
    assert lazy - needed - at_once_by_main == set(memory.LAZY) - at_once_by_main, (
        "say in hardware/memory.py which stations load it, or when"
    )
    assert [start for start in memory.WHEN_NEEDED if not any(name.startswith(start) for name in lazy)] == []


def test_each_board_has_what_the_free_pins_speak_of():
    for name in boards():
        board = read_board(name)
        assert set(board["input_only"]) | set(board["adc"]) <= set(board["pins"]), name


# Pages


def test_data_sheets_are_current():
    stations = [Station(read(STATIONS, name, "station")) for name in shipped()]
    pages = {f"docs/sheets/{station.source.path.stem}.md": sheet(station) for station in stations}
    pages["docs/sheets/README.md"] = index(stations)
    there = {name for name in sources.files() if name.startswith("docs/sheets/") and name.endswith(".md")}
    stale = [name for name, text in pages.items() if name not in there or sources.text(name) != text]
    assert not stale and there == set(pages), f"{stale}: run `waspada station sheet --out docs/sheets`"


def test_a_sheet_hides_what_is_for_operators():
    page = sheet(Station(read(STATIONS, "rain_gauge", "station")))
    lines = {
        line.split("|")[2].strip(): line.split("|")[7].strip() for line in page.splitlines() if line.count("|") == 8
    }
    assert (lines["`rain`"], lines["`lid`"], lines["`battery`"]) == ("everyone", "operators", "operators")
