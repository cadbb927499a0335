"""A station's buses and chips from its compiled description: whatever hardware/stations says is there hangs on the simulated bus of its kind.

Each chip is made with its truth from the surroundings and with the troubles that the scenario's spans give it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module

from node.core.hydrology import versine_ppm
from node.drivers import catalog
from simulator import noise
from simulator.adapters import buses
from simulator.adapters.buses import Bus, SerialChip, Spans
from simulator.agenda import Moment
from simulator.chips import a02yyuw, i2c
from simulator.chips.ads1115 import ADS1115
from simulator.chips.battery_adc import BatteryADC
from simulator.chips.bme280 import BME280
from simulator.chips.current_loop import CurrentLoop
from simulator.chips.ds18b20 import DS18B20
from simulator.chips.ina226 import INA226
from simulator.chips.line import LineFaults
from simulator.chips.maxbotix import MaxBotix
from simulator.chips.modbus import Modbus, words
from simulator.chips.pms5003 import PMS5003
from simulator.chips.reference_cell import ReferenceCell
from simulator.chips.scd4x import SCD4x
from simulator.chips.sen5x import SEN5x
from simulator.chips.sht4x import SHT4x
from simulator.chips.sps30 import SPS30
from simulator.chips.switch import Switch
from simulator.chips.tipping_bucket import Faults as BucketFaults
from simulator.chips.tipping_bucket import TippingBucket
from simulator.surroundings import Surroundings, Truth, beam_mm
from simulator.tables import SpanTable
from simulator.troubles import Row, Troubled, rows_of

_ADDRESSES = {"bme280": 0x76, "ina226": 0x40, "scd4x": 0x62, "sen5x": 0x69, "sht4x": 0x44}
_ON_CONVERTER = ("ads1115", "current_loop", "reference_cell")
_LEFT_OUT = {
    "panel_voltage": "battery",
    "panel_current": "charger_current",
    "panel_power": "battery",
}  # no sun is needed for a value that nobody wants
_TYPES = {"u16": (0, 0xFFFF), "s16": (-0x8000, 0x7FFF), "u32": (0, 0xFFFFFFFF), "s32": (-(1 << 31), (1 << 31) - 1)}


def gives(config: dict) -> tuple[str | None, ...]:
    """The points of a row, as its driver gives them; None for a value that is left out."""
    if "registers" in config or "channels" in config:
        return tuple(row["gives"] for row in config.get("registers") or config["channels"])
    given = config.get("gives")
    if given is None:
        return usual_points(config["driver"])
    return (given,) if isinstance(given, str) else tuple(given)


def usual_points(driver: str) -> tuple[str, ...]:
    """What the driver gives where its row does not say."""
    module, kind = driver, catalog.OTHERS[driver]
    usual: tuple[str, ...] = getattr(import_module(f"node.drivers.{module}"), kind).GIVES
    return usual


class Party:
    """Several slaves on one line: each hears everything and answers to its own address."""

    def __init__(self, chips: Sequence[SerialChip]) -> None:
        self._chips = chips

    def hear(self, t_ms: int, data: bytes) -> None:
        for chip in self._chips:
            hear = getattr(chip, "hear", None)
            if hear is not None:
                hear(t_ms, data)

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        for chip in self._chips:
            chip.frames_into(fifo, after_ms, now_ms, powered_ms, room)


class Furnisher:
    """Makes the buses of one station. `ranger_faults` are the scenario's, for a ranger."""

    def __init__(
        self,
        moment: Moment,
        seed: int,
        around: Surroundings,
        compiled: dict,
        spans: Sequence[SpanTable],
        ranger_faults: Callable[[Spans], a02yyuw.Faults],
        height_mm: int,
    ) -> None:
        self._moment = moment
        self._seed = seed
        self._around = around
        self._compiled = compiled
        self._spans = spans
        self._ranger_faults = ranger_faults
        self._height_mm = height_mm
        self._rows = rows_of(compiled)

    def hang(self) -> dict[str, Bus]:
        make = {"uart": self._uart, "i2c": self._i2c, "onewire": self._onewire, "pulses": self._pulses}
        make |= {"switch": self._switch, "adc": self._adc}
        found = {}
        for name, pin in self._compiled["pins"].items():
            if pin["kind"] == "output":
                continue
            rows = [row for row in self._rows if row.config["bus"] == name]
            if rows:
                found[name] = make[pin["kind"]](name, rows)
        return found

    def _clock(self) -> int:
        return self._moment.t

    def _name(self, row: Row) -> str:
        """A chip's own name for its noise: two of a kind at a station are not alike."""
        return f"{self._around.node}/{row.config['bus']}/{'level' if row.number is None else row.number}"

    def _span(self, row: Row, what: str) -> Spans:
        return tuple(span.ms for span in self._spans if span.what == what and span.sensor == row.number)

    def _bus_low(self, name: str) -> Spans:
        return tuple(span.ms for span in self._spans if span.what == "bus_low" and span.bus == name)

    def _truths(self, row: Row) -> list[Truth]:
        usual = usual_points(row.driver)
        keys = [key or _LEFT_OUT.get(usual[i], usual[i]) for i, key in enumerate(gives(row.config))]
        return [self._around.truth(key) for key in keys]

    # Serial lines

    def _uart(self, name: str, rows: Sequence[Row]) -> Bus:
        chips = [self._troubled(name, row) for row in rows]
        return buses.UART(self._moment, chips[0] if len(chips) == 1 else Party(chips))

    def _troubled(self, name: str, row: Row) -> SerialChip:
        unplugged = self._span(row, "unplugged")
        chip = self._serial(row, unplugged, False)
        spans = {what: self._span(row, what) for what in ("garbage", "silent", "wrong_chip")}
        spans["bus_low"] = self._bus_low(name)
        if not any(spans.values()):
            return chip
        sister = self._serial(row, unplugged, True) if spans["wrong_chip"] else None
        return Troubled(chip, sister, noise.key(self._seed, self._name(row), "line"), spans)

    def _serial(self, row: Row, unplugged: Spans, wrong: bool) -> SerialChip:
        seed, around, config = self._seed, self._around, row.config
        if row.driver == "a02yyuw":
            assert around.water is not None
            faults = self._ranger_faults(unplugged)
            node = around.node
            if config.get("tilt") or config.get("assumes_cc") is not None:
                distance = self._distance(config)
                return a02yyuw.A02YYUW(seed, node, _Turned(distance), 0, around.starts_unix_ms, faults)
            return a02yyuw.A02YYUW(seed, node, around.water, self._height_mm, around.starts_unix_ms, faults)
        line = LineFaults(unplugged_ms=unplugged, wrong_chip=wrong)
        name = self._name(row)
        if row.driver == "maxbotix":
            limits = {key: config[key] for key in ("range_mm", "blanking_mm") if key in config}
            return MaxBotix(seed, name, self._distance(config), line, **limits)
        if row.driver == "modbus":
            return self._modbus(row, line)
        truths = self._truths(row)
        if row.driver == "pms5003":
            one, two, ten = truths
            return PMS5003(seed, name, lambda t: ((one(t) + 5) // 10, (two(t) + 5) // 10, (ten(t) + 5) // 10), line)
        one, two, four, ten = truths
        return SPS30(seed, name, lambda t: (one(t), two(t), four(t), ten(t)), line)

    def _distance(self, config: dict) -> Truth:
        """What a ranger's beam measures."""
        level, height, air = self._around.level_mm(), self._height_mm, self._around.truth("temperature")
        versine, assumed = versine_ppm(config.get("tilt", 0)), config.get("assumes_cc")
        return lambda t: beam_mm(height - level(t), versine, assumed, air(t))

    def _modbus(self, row: Row, line: LineFaults) -> Modbus:
        """The driver's table read backwards: each register holds what makes the truth."""
        config = row.config
        registers: dict[tuple[int, int], tuple[int, Callable[[int], list[int]]]] = {}
        for quantity in config["registers"]:
            kind, order = quantity.get("type", "u16"), quantity.get("order", "abcd")
            numerator, denominator = quantity.get("scale", (1, 1))
            truth = self._level(config) if row.number is None else self._around.truth(quantity["gives"])
            function = quantity.get("function", config.get("function", 3))

            told = partial(_registers, truth, kind, order, numerator, denominator)
            for place in range(1 if kind in ("u16", "s16") else 2):
                registers[function, quantity["register"] + place] = place, told

        def word(function: int, register: int, t_ms: int) -> int | None:
            found = registers.get((function, register))
            return None if found is None else found[1](t_ms)[found[0]]

        address = config.get("address", config["registers"][0].get("address", 0))
        return Modbus(self._seed, self._name(row), word, line, address=address)

    def _level(self, config: dict) -> Truth:
        """What a level transmitter says: a range from above, or a depth from below, both with a millimetre of noise."""
        level, height, distance = self._around.level_mm(), self._height_mm, self._distance(config)
        depth = config.get("measures") == "depth"
        key = noise.key(self._seed, self._around.node, "transmitter")

        def told(t_ms: int) -> int:
            mm = level(t_ms) - height if depth else distance(t_ms)
            return mm + noise.bell(noise.draw(key, t_ms)) // noise.BELL_SD

        return told

    # I2C

    def _i2c(self, name: str, rows: Sequence[Row]) -> Bus:
        chips: dict[int, buses.I2CChip] = {}
        gone: list[tuple[int, int, int]] = []
        converters: dict[int, list[Row]] = {}
        for row in rows:
            if row.driver in _ON_CONVERTER:
                address = row.config.get("address", 0x48)
                converters.setdefault(address, []).append(row)
            else:
                address = row.config.get("address", _ADDRESSES[row.driver])
                chips[address] = self._chip(row)
            gone += [(address, begin, end) for begin, end in self._span(row, "silent")]
        for address, shared in converters.items():
            chips[address] = self._converter(shared)
        return buses.I2C(self._moment, chips, held_ms=self._bus_low(name), gone=tuple(gone))

    def _faults(self, *rows: Row) -> i2c.Faults:
        def of(what: str) -> Spans:
            of_wire = "current_loop" if what == "unplugged" else ""
            return tuple(span for row in rows if row.driver != of_wire for span in self._span(row, what))

        return i2c.Faults(unplugged_ms=of("unplugged"), garbage_ms=of("garbage"), other_chip_ms=of("wrong_chip"))

    def _chip(self, row: Row) -> buses.I2CChip:
        clock, faults = self._clock, self._faults(row)
        serial = noise.draw(noise.key(self._seed, self._name(row), "serial"), 0) & 0xFFFFFFFF
        truths = self._truths(row)
        if row.driver == "bme280":
            return BME280(clock, truths[0], truths[1], truths[2], faults)
        if row.driver == "sht4x":
            return SHT4x(clock, truths[0], truths[1], faults, serial)
        if row.driver == "scd4x":
            return SCD4x(clock, truths[0], truths[1], truths[2], faults, serial)
        if row.driver == "sen5x":
            return SEN5x(clock, truths, faults, seed=serial)
        # An INA226 measures voltage and current as its wires lie; the sign of its shunt is the driver's to know.
        shunt = row.config["shunt_uohm"]
        return INA226(clock, truths[0], truths[1], shunt, faults, seed=serial)

    def _converter(self, rows: Sequence[Row]) -> buses.I2CChip:
        """One ADS1115 with all that hangs on its inputs."""
        inputs: list[Truth] = [_ground] * 4
        for row in rows:
            if row.driver == "ads1115":
                for channel in row.config["channels"]:
                    self._wire(inputs, channel["input"], self._volts(channel))
            else:
                self._wire(inputs, row.config["input"], self._on_shunt(row))
        seed = noise.key(self._seed, self._name(rows[0]), "serial") & 0xFFFFFFFF
        return ADS1115(self._clock, inputs, self._faults(*rows), seed)

    @staticmethod
    def _wire(inputs: list[Truth], name: str, uv: Truth) -> None:
        """A difference lies on its first pin, its second is at ground. What is read twice is wired once."""
        if inputs[int(name[0])] is _ground:
            inputs[int(name[0])] = uv

    def _volts(self, channel: dict) -> Truth:
        truth, steps, zero = self._around.truth(channel["gives"]), channel["steps_per_v"], channel.get("zero_uv", 0)
        return lambda t: zero + truth(t) * 1_000_000 // steps

    def _on_shunt(self, row: Row) -> Truth:
        config = row.config
        if row.driver == "reference_cell":
            return ReferenceCell(
                self._around.truth(gives(config)[0] or "irradiance"),
                self._around.truth("module_temperature"),
                config["uv_at_1000"],
                config.get("alpha_ppm", 500),
            )
        level, height = self._around.level_mm(), self._height_mm
        depth = (lambda t: level(t) - height) if config.get("measures", "depth") == "depth" else self._distance(config)
        return CurrentLoop(
            depth,
            config["at_20ma_mm"],
            config["shunt_mohm"],
            config.get("at_4ma_mm", 0),
            broken_wire_ms=self._span(row, "unplugged"),
        )

    # The rest

    def _onewire(self, name: str, rows: Sequence[Row]) -> Bus:
        chips = []
        for row in rows:
            faults = i2c.Faults(unplugged_ms=self._span(row, "unplugged"), garbage_ms=self._span(row, "garbage"))
            rom = row.config.get("rom")
            serial = int.from_bytes(bytes.fromhex(rom)[1:7], "little") if rom else 0x0D1EFBF6
            chips.append(DS18B20(self._clock, self._truths(row)[0], faults, serial))
        return buses.OneWire(self._moment, tuple(chips), shorted_ms=self._bus_low(name))

    def _pulses(self, name: str, rows: Sequence[Row]) -> Bus:
        row = rows[0]
        faults = BucketFaults(clogged_ms=self._span(row, "unplugged"))
        bucket = TippingBucket(self._seed, self._around.node, self._around.rain, row.config["tip_nm"], faults)
        return buses.Pulses(self._moment, bucket, self._compiled["pins"][name].get("debounce_ms", buses.DEBOUNCE_MS))

    def _switch(self, name: str, rows: Sequence[Row]) -> Bus:
        truth = self._truths(rows[0])[0]
        inverted = 1 if rows[0].config.get("inverted") else 0
        return buses.Switch(Switch(self._clock, lambda t: truth(t) ^ inverted))

    def _adc(self, name: str, rows: Sequence[Row]) -> Bus:
        around = self._around
        ratio = rows[0].config["ratio_milli"]
        return buses.ADC(self._moment, BatteryADC(self._seed, around.node, around.battery, ratio))


def _registers(truth: Truth, kind: str, order: str, numerator: int, denominator: int, t_ms: int) -> list[int]:
    """The truth as a transmitter's registers; at an end of its type it stops."""
    raw = truth(t_ms) * denominator
    if kind == "f32":
        return words(kind, order, raw / numerator)
    low, high = _TYPES[kind]
    return words(kind, order, max(low, min(high, (2 * raw + numerator) // (2 * numerator))))


class _Turned:
    """A distance for a river: what the ranger's chip takes from its height."""

    def __init__(self, distance: Truth) -> None:
        self._distance = distance

    def at(self, t_ms: int) -> int:
        return -self._distance(t_ms)


def _ground(t_ms: int) -> int:
    return 0
