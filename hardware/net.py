"""A station as blocks and wires: what is soldered and clamped, from its file alone. Drawing, pin table and cable list are made from it (hardware/wiring.py)."""

from dataclasses import dataclass, field
from typing import Any

from hardware import copper, harness, terminals
from hardware.compile import Station
from hardware.fittings import Fitted, Fitting
from hardware.parts import TIE, Part, parts

BOARD, BATTERY, FIVE = "board", "12V", "5V"
THERE, HOLDER = "there already", "fuse holder"  # drawn, and bought as no part: the first not at all
_COLOURS = {"+": "RD", "-": "BK"}
_SIGNALS = ("YE", "GN", "BU", "WH", "OG", "VT", "BN", "GY")
_MEMBERS = ("rx", "tx", "power", "sda", "scl", "pin")
_A = 1_000_000
_SQUARES = (
    (_A // 2, "0.25"),
    (3 * _A, "0.75"),
    (10 * _A, "1.5"),
    (1000 * _A, "4"),
)  # up to so many uA: mm2; 4 is a PV module's own cable


def square_mm2(ua: int, cm: int = 0) -> str:
    """The core for this current; outside the box no cable has thinner ones than the second."""
    return next(square for most, square in _SQUARES[cm > copper.OUTSIDE_CM :] if ua <= most)


@dataclass
class Block:
    """Something with terminals. `pins` in order of first use; `labels` what the drawing writes beside them."""

    name: str
    label: str
    kind: str
    pins: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    about: str = ""


@dataclass(frozen=True)
class Wire:
    """From a terminal to a terminal; `sign` is +, - or a signal's name."""

    source: tuple[str, str]
    target: tuple[str, str]
    sign: str
    cable_cm: int
    square: str


@dataclass(frozen=True)
class PinUse:
    """A pin of the board: the one place where its number is from is the station's file."""

    pin: int
    bus: str
    member: str
    to: str
    note: str


class Net:
    """All of a station. InputError where its file leaves out what a harness is made from."""

    def __init__(self, station: Station) -> None:
        harness.demand(station)
        self.station = station
        self.blocks: dict[str, Block] = {}
        self.wires: list[Wire] = []
        self.uses: list[PinUse] = []
        self._shunts: list[tuple[int, str]] = []
        self._supply()
        for name, row in station.source.values["pins"].items():
            if name in station.pins:
                {"uart": self._uart, "i2c": self._i2c, "onewire": self._onewire, "adc": self._adc, "output": self._output,
                 "pulses": self._contact, "switch": self._contact}[row["kind"]](name, row, station.fittings.fit(name))  # fmt: skip
            else:
                for member in [member for member in _MEMBERS if member in row]:
                    self.uses.append(PinUse(row[member], name, member, "the board's own modem", "wired on the board"))
        for name, block in self.blocks.items():
            self._tied(name, block)
        for i, chip in self._shunts:  # last: they go into lines that are there by now
            self._shunt(i, chip)
        terminals.gather(self)
        fuses = {fuse.label: fuse for fuse in copper.placed(station)}
        rail = self.blocks[BATTERY]
        rail.pins = ["+", *sorted((pin for pin in rail.pins if pin in fuses), key=list(fuses).index), "-"]
        rail.labels = [
            "common plus",
            *(f"{fuses[pin].of} {fuses[pin].ma / 1000:g} A" for pin in rail.pins[1:-1]),
            "minus",
        ]
        self.small = list(terminals.small(self))
        for part in self.small:
            if part.drawn in self.blocks:
                self.blocks[part.drawn].notes.append(part.said)

    # Blocks and wires

    def block(self, name: str, label: str, kind: str, *notes: str) -> str:
        if name not in self.blocks:
            self.blocks[name] = Block(name, label, kind, [], [note for note in notes if note])
        return name

    def part(self, name: str, part: Part, *notes: str) -> str:
        block = self.block(name, part.name, part.id, *notes)
        self.blocks[block].about = " ".join(str(part.get("about", "")).split())
        return block

    def wire(self, source: tuple[str, str], target: tuple[str, str], sign: str, cm: int = 0, ua: int = 0) -> None:
        self._join(source, target, sign, cm, square_mm2(ua, cm))

    def _join(self, source: tuple[str, str], target: tuple[str, str], sign: str, cm: int, square: str) -> None:
        for name, pin in (source, target):
            if pin not in self.blocks[name].pins:
                self.blocks[name].pins.append(pin)
        self.wires.append(Wire(source, target, sign, cm, square))

    def feed(
        self, rail: str, target: str, plus: str = "V+", minus: str = "GND", *, cm: int = 0, ua: int = 0, of: str = ""
    ) -> None:
        """Both wires of a supply, from the block that has that rail; from the battery's behind the fuse of `of`. All of GND is one terminal."""
        tap = copper.fuse_of(self.station, of).label if rail == "battery" and plus else ""
        source = {"battery": ((BATTERY, tap), (BATTERY, "-")), "5V": ((FIVE, "5V"), (FIVE, "GND")), "3V3": ((BOARD, "3V3"), (FIVE, "GND"))}[rail]  # fmt: skip
        if plus:
            self.wire(source[0], (target, plus), "+", cm, ua)
        self.wire(source[1], (target, minus), "-", cm, ua)

    def use(self, row: dict[str, Any], name: str, member: str, to: str, note: str = "") -> tuple[str, str]:
        pin = int(row[member])
        self.uses.append(PinUse(pin, name, member, to, note))
        return BOARD, f"GPIO{pin}"

    # What feeds it

    def _supply(self) -> None:
        station, supply = self.station, self.station.fittings.supply
        self.block(BATTERY, "fuse block with a common plus; terminals of minus", "12 V")
        if "panel" in supply:
            count = self.station.fittings.panels
            self.part("panel", supply["panel"], f"{count} in parallel" if count > 1 else "")
        if "charger" in supply:
            self.part("charger", supply["charger"])
            if "panel" in supply:
                ua = supply["panel"]["isc_ma"] * 1000 * count
                self.wire(("panel", "+"), ("charger", "PV+"), "+", 300, ua)
                self.wire(("panel", "-"), ("charger", "PV-"), "-", 300, ua)
            self.wire(("charger", "BAT+"), (BATTERY, "+"), "+", 30, supply["charger"]["max_ma"] * 1000)
            self.wire(("charger", "BAT-"), (BATTERY, "-"), "-", 30, supply["charger"]["max_ma"] * 1000)
        for name in copper.batteries(station):
            self._battery(name, supply["battery"])
        self.part("regulator", supply["regulator"])
        self.feed("battery", "regulator", "IN+", "IN-", cm=20, ua=_A, of="regulator")
        self.block(FIVE, "terminals of 5 V and GND", "5 V")
        self.wire(("regulator", "OUT+"), (FIVE, "5V"), "+", 20, _A)
        self.wire(("regulator", "OUT-"), (FIVE, "GND"), "-", 20, _A)
        self.block(BOARD, station.board["name"], station.source.values["board"])
        self.blocks[BOARD].about = " ".join(str(station.board.get("about", "")).split())
        self.feed("5V", BOARD, station.board.get("feed_pin", "5V"), "GND", cm=20, ua=_A)

    def _battery(self, name: str, part: Part) -> None:
        """It meets the rail through the fuse in its own lead and nowhere else."""
        fuse, ua = copper.fuse_of(self.station, name), copper.main_ma(self.station) * 1000
        self.part(name, part)
        holder = self.block(
            fuse.label, f"fuse {fuse.ma / 1000:g} A in a holder", HOLDER, "10 cm from the battery's plus at most"
        )
        self.wire((name, "+"), (holder, "in"), "+", 10, ua)
        self.wire((holder, "out"), (BATTERY, "+"), "+", 20, ua)
        self.wire((name, "-"), (BATTERY, "-"), "-", 30, ua)

    def _switched(self, name: str, row: dict[str, Any], fit: Fitting, rail: str) -> tuple[str, str] | None:
        """A sensor's supply behind the switch that `power` drives, or None: it is fed all the time."""
        if "power" not in row or not fit.switch:
            return None
        switch = self.part(f"{name}_switch", fit.switch)
        self.feed(rail, switch, "IN", "GND", cm=20, of=name)
        self.wire(self.use(row, name, "power", switch, _down(fit)), (switch, "ON"), "power", 20)
        return switch, "OUT"

    # Lines

    def _uart(self, name: str, row: dict[str, Any], fit: Fitting) -> None:
        on = harness.on_bus(self.station, name)
        shifters = fit.has("rs485")
        if shifters:
            self._rs485(name, row, fit, shifters[0], on)
            return
        for i, fitted in on:
            part, rail = _of(fitted)
            sensor = self.part(f"{name}_{part.id}", part)
            self._fed(name, row, fit, rail, sensor)
            says = self._through(name, fit, self.use(row, name, "rx", sensor, _circuits(fit)), sensor, "TX")
            self.wire(*says, "rx", fit.cable_cm)
            if part.get("takes_high_mv") or self._talks(i):
                self.wire(self.use(row, name, "tx", sensor), (sensor, "RX"), "tx", fit.cable_cm)
            else:
                self.uses.append(PinUse(row["tx"], name, "tx", "nothing", "left open: the sensor speaks by itself"))

    def _talks(self, i: int) -> bool:
        return self.station.sensors[i]["driver"] in ("modbus", "sps30")

    def _fed(self, name: str, row: dict[str, Any], fit: Fitting, rail: str, sensor: str) -> None:
        source = self._switched(name, row, fit, rail)
        if source:
            self.wire(source, (sensor, "V+"), "+", fit.cable_cm)
            self.feed(rail, sensor, "", "GND", cm=fit.cable_cm)
        else:
            self.feed(rail, sensor, cm=fit.cable_cm, of=name)

    def _tied(self, sensor: str, block: Block) -> None:
        """What its part says of terminals beside supply and line; in the cable of its ground."""
        part = parts("sensors").get(block.kind)
        for each in (part and part.get("ties")) or ():
            found = TIE.fullmatch(each)
            assert found
            wire = next(
                (w for w in self.wires if w.target[0] == sensor and w.sign == {"GND": "-", "V+": "+"}.get(found[2])),
                None,
            )
            if wire:
                self._join(wire.source, (sensor, found[1]), wire.sign, wire.cable_cm, wire.square)
            else:
                block.notes.append(f"{each}: no wire")

    def _through(
        self, name: str, fit: Fitting, pin: tuple[str, str], sensor: str, out: str
    ) -> tuple[tuple[str, str], tuple[str, str]]:
        """What is left to be wired, once the line's divider or shifter is in."""
        for part in fit.through:
            circuit = self.part(f"{name}_{part.kind}", part)
            if part.kind == "divider":
                self.wire(pin, (circuit, "OUT"), name, 20)
                self.feed("3V3", circuit, "", "GND", cm=20)
                pin = (circuit, "IN")
            else:
                self.wire(pin, (circuit, "LOW"), name, 20)
                self.feed("3V3", circuit, "LV", "GND", cm=20)
                self.wire((FIVE, "5V"), (circuit, "HV"), "+", 20)
                pin = (circuit, "HIGH")
        return pin, (sensor, out)

    def _rs485(self, name: str, row: dict[str, Any], fit: Fitting, part: Part, on: list[tuple[int, Fitted]]) -> None:
        end = "120 Ohm at the cable's far end" if fit.terminated else "no 120 Ohm at the far end"
        module = self.part(f"{name}_rs485", part, end)
        self.feed(fit.rail or "3V3", module, "VCC", "GND", cm=20)
        self.wire(self.use(row, name, "rx", module), (module, "RO"), "rx", 20)
        self.wire(self.use(row, name, "tx", module), (module, "DI"), "tx", 20)
        before = module
        for _, fitted in on:
            sensor_part, rail = _of(fitted)
            sensor = self.part(
                f"{name}_{sensor_part.id}"
                + (f"_{len(self.blocks)}" if f"{name}_{sensor_part.id}" in self.blocks else ""),
                sensor_part,
            )
            self._fed(name, row, fit, rail, sensor)
            for line in ("A", "B"):
                self.wire((before, line), (sensor, line), line, fit.cable_cm)
            before = sensor

    def _i2c(self, name: str, row: dict[str, Any], fit: Fitting) -> None:
        ups = f"{fit.pull_up_ohm / 1000:g} kOhm to {fit.rail}" if fit.pull_up_ohm else "pull-ups on the modules"
        pins = {member: self.use(row, name, member, "all modules of the bus", ups) for member in ("sda", "scl")}
        seen: dict[str, str] = {}
        for i, fitted in harness.on_bus(self.station, name):
            part, rail = _of(fitted)
            address = self.station.sensors[i].get("address") or (part.get("addresses") or [0])[0]
            key = f"{name}_{part.id}_{address:02x}"
            new = key not in seen
            by = "by its jumpers" if len(part.get("addresses") or ()) > 1 else "fixed"
            seen[key] = self.part(key, part, f"address {address:#x}, {by}")
            if new:
                self.feed(rail, key, "VCC", "GND", cm=fit.cable_cm, of=name)
                for member, pin in pins.items():
                    self.wire(pin, (key, member.upper()), member, fit.cable_cm)
            self._probe(name, i, fitted, key)
            if self.station.sensors[i]["driver"] == "ina226":
                self._shunts.append((i, key))

    def _probe(self, bus: str, i: int, fitted: Fitted, converter: str) -> None:
        if not fitted.probe:
            return
        sensor = self.station.sensors[i]
        channels = sensor.get("channels") or [sensor]
        probe = self.part(f"{converter}_{fitted.probe.id}", fitted.probe)
        inputs = sorted({f"AIN{each}" for channel in channels for each in str(channel.get("input", "0")).split("-")})
        if fitted.probe["line"] == "loop":
            if fitted.probe_rail:
                self.wire((BATTERY, copper.fuse_of(self.station, bus).label), (probe, "+"), "+", 1000)
            self.wire((converter, inputs[0]), (probe, "-"), "loop", 1000)
            return
        for terminal, pin in zip("+-", inputs if len(inputs) > 1 else [*inputs, "GND"], strict=False):
            self.wire((converter, pin), (probe, terminal), f"cell{terminal}", 1000)

    def _shunt(self, i: int, chip: str) -> None:
        """The shunt in its line, and the three wires to the chip that look at it. A negative `shunt_uohm` is one that is turned round."""
        micro, keys = self.station.sensors[i]["shunt_uohm"], harness.keys_of(self.station, i)
        named = next((key for key in keys if "current" in key), keys[0] if keys else "current")
        where = named.replace("_", " ").replace(":", " ")
        shunt = self.block(
            f"{chip}_shunt", f"shunt {abs(micro) / 1000:g} mOhm in the line of the {where}", self.blocks[chip].kind
        )
        line = self._line_of(named)
        self.wires = [wire for wire in self.wires if wire is not line]
        for source, target in ((line.source, (shunt, "IN")), ((shunt, "OUT"), line.target)):
            self._join(source, target, "+", line.cable_cm, line.square)
        plus, minus = ("IN", "OUT") if micro > 0 else ("OUT", "IN")
        for at, to in ((plus, "IN+"), (minus, "IN-"), (minus, "VBUS")):
            self.wire((chip, to), (shunt, at), to.lower(), 20)

    def _line_of(self, named: str) -> Wire:
        """The wire that a current's name stands for: the siren's or the charger's plus, or that of a PV module, which is drawn for it."""
        ends = {"siren": ("siren_switch", "V+"), "charger": ("charger", "BAT+")}
        end = ends.get(named.partition("_")[0])
        found = next((wire for wire in self.wires if end in (wire.source, wire.target)), None)
        if found:
            return found
        source = f"module_{named.partition(':')[2] or 1}"
        module = self.station.fittings.module
        label = module.name if module else f"what the {named.partition('_')[0]}'s current comes from"
        self.block(source, label, THERE)
        load = self.block(f"{source}_load", "what it feeds", THERE, "its - stays on the module's")
        self.feed("3V3", source, "", "-", cm=300)
        self.wire((source, "+"), (load, "+"), "+", 300, module["isc_ma"] * 1000 if module else 0)
        return self.wires[-1]

    def _onewire(self, name: str, row: dict[str, Any], fit: Fitting) -> None:
        note = f"{fit.pull_up_ohm / 1000:g} kOhm to {fit.rail}" if fit.pull_up_ohm else "a pull-up on the module"
        pin = self.use(row, name, "pin", "the bus's thermometers", note)
        for number, (_, fitted) in enumerate(harness.on_bus(self.station, name), 1):
            part, rail = _of(fitted)
            probe = self.part(f"{name}_{part.id}_{number}", part, note)
            self.feed(rail, probe, "VDD", "GND", cm=fit.cable_cm)
            self.wire(pin, (probe, "DQ"), "dq", fit.cable_cm)

    def _contact(self, name: str, row: dict[str, Any], fit: Fitting) -> None:
        for _, fitted in harness.on_bus(self.station, name):
            part = fitted.part
            assert part
            note = (
                f"{fit.pull_up_ohm / 1000:g} kOhm from the pin to 3V3" if fit.pull_up_ohm else "the chip's own pull-up"
            )
            contact = self.part(f"{name}_{part.id}", part, note)
            self.wire(self.use(row, name, "pin", contact, note), (contact, "a"), name, fit.cable_cm)
            self.feed("3V3", contact, "", "b", cm=fit.cable_cm)

    def _adc(self, name: str, row: dict[str, Any], fit: Fitting) -> None:
        for part in fit.has("divider"):
            divider = self.part(f"{name}_divider", part)
            self.feed("battery", divider, "TOP", "GND", cm=fit.cable_cm, of=name)
            self.wire(self.use(row, name, "pin", divider), (divider, "OUT"), name, fit.cable_cm)

    def _output(self, name: str, row: dict[str, Any], fit: Fitting) -> None:
        load, rail = fit.part, fit.rail
        assert load and rail
        block = self.part(f"{name}_{load.id}" if load.kind != name else name, load)
        ua = load["peak_ua"]
        if fit.switch is None:
            self.wire(self.use(row, name, "pin", block), (block, "+"), name, fit.cable_cm, ua)
            self.feed(rail, block, "", "-", cm=fit.cable_cm, ua=ua)
            return
        switch = self.part(f"{name}_switch", fit.switch)
        self.wire(self.use(row, name, "pin", switch, _down(fit)), (switch, "GATE"), name, 20)
        self.feed(rail, switch, "V+", "GND", cm=20, ua=ua, of=name)
        self.wire((switch, "OUT+"), (block, "+"), "+", fit.cable_cm, ua)
        self.wire((switch, "OUT-"), (block, "-"), "-", fit.cable_cm, ua)


def _of(fitted: Fitted) -> tuple[Part, str]:
    assert fitted.part
    return fitted.part, fitted.rail or "3V3"


def _down(fit: Fitting) -> str:
    return f"{fit.pull_down_ohm / 1000:g} kOhm from the pin to GND" if fit.pull_down_ohm else ""


def _circuits(fit: Fitting) -> str:
    return ", ".join(part.name for part in fit.through)


def colours(wires: list[Wire]) -> list[str]:
    """+ is red, - black, signals in a fixed order."""
    found, spare = [], iter(_SIGNALS * 2)
    for wire in wires:
        found.append(_COLOURS.get(wire.sign) or next(spare))
    return found
