"""What is clamped beside the wires: resistors, suppressor, earth, screens; the rails where a screw would hold too many; which fuse a wire is behind."""

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from hardware import copper

if TYPE_CHECKING:
    from hardware.net import Net, Wire

BOARD, BATTERY, FIVE, THREE = "board", "12V", "5V", "3V3"
_AT_A_SCREW = 2  # ends that a screw holds: our own judgement, as ferrules of two wires have it
_LONG_CM = 1000  # from here on a cable has an arrester
RAILS = (FIVE, THREE)
SCREENS = "the screens' terminal"


class Small(NamedTuple):
    """A part with its two ends at terminals. `drawn`: the block in whose notes the drawing has it."""

    label: str
    what: str
    source: str
    target: str
    how: str
    drawn: str

    @property
    def said(self) -> str:
        return (
            f"{self.label} {self.what}: {self.source} to {self.target}"
            if self.drawn == BOARD
            else f"{self.label} {self.what}: {self.how}"
        )


def gather(net: "Net") -> None:
    """A terminal of the board with more than two ends gets terminals on the rail, and one wire to them."""
    ends: dict[str, int] = {}
    for wire in net.wires:
        for block, pin in (wire.source, wire.target):
            if block == BOARD:
                ends[pin] = ends.get(pin, 0) + 1
    of = {f"GPIO{use.pin}": use.bus for use in net.uses} | {"3V3": THREE}
    for pin, bus in of.items():
        if pin in ends and net.station.fittings.fit(bus).pull_up_ohm:
            ends[pin] += 1
    full = {of[pin] for pin, many in ends.items() if pin in of and many > _AT_A_SCREW}
    for name in [THREE, *dict.fromkeys(of.values())]:
        if name not in full:
            continue
        full.remove(name)
        block, label = (THREE, "terminals of 3.3 V") if name == THREE else (f"{name}_terminals", f"terminals of {name}")
        net.block(block, label, "rail")
        for pin in [pin for pin in ends if of.get(pin) == name]:
            _moved(net, pin, block, pin if name == THREE else _line(net, pin))


def _line(net: "Net", pin: str) -> str:
    return next(use.member for use in net.uses if f"GPIO{use.pin}" == pin).upper()


def _moved(net: "Net", pin: str, block: str, terminal: str) -> None:
    at = next(k for k, wire in enumerate(net.wires) if wire.source == (BOARD, pin))
    first = net.wires[at]
    net.wires = [
        dataclasses.replace(wire, source=(block, terminal)) if wire.source == (BOARD, pin) else wire
        for wire in net.wires
    ]
    net.wires.insert(at, dataclasses.replace(first, target=(block, terminal), cable_cm=20))
    if terminal not in net.blocks[block].pins:
        net.blocks[block].pins.append(terminal)


def small(net: "Net") -> Iterator[Small]:
    """In the order of the work: resistors at the board, then the rail, then what leaves the box."""
    number = 0
    for what, source, target, how, drawn in [*_at_pins(net), *_elsewhere(net)]:
        number += 1
        yield Small(f"R{number}", what, source, target, how, drawn)
    for number, (name, fit) in enumerate(_capacitors(net), 1):
        pin = next(f"GPIO{use.pin}" for use in net.uses if use.bus == name)
        yield Small(
            f"C{number}",
            f"{fit} nF",
            f"{BOARD}: {pin}",
            f"{BOARD}: GND",
            "at the board's screws, any GND of it; ceramic, either way round",
            BOARD,
        )
    yield Small(
        "D1",
        "suppressor SMBJ15A",
        f"{BATTERY}: +",
        f"{BATTERY}: -",
        "band to +, leads under 3 cm: the fuse block stands beside the minus terminals",
        BATTERY,
    )
    yield Small(
        "E1",
        "earth wire, 4 mm2",
        f"{BATTERY}: -",
        "earth bolt",
        "from the terminal of 4 mm2 beside minus to the earth bolt, short",
        BATTERY,
    )
    cables = len(_screened(net))
    if cables:
        what = f"screens of {cables} cables" if cables > 1 else "screen of one cable"
        how = f"to {SCREENS} at the box's end; cut back at the other"
        yield Small("S1", what, "each cable's screen", SCREENS, how, BATTERY)
        how = f"from {SCREENS} to the earth bolt, short"
        yield Small("E2", "earth wire, 2.5 mm2", SCREENS, "earth bolt", how, BATTERY)
    far = [name for name, (cm, _, _) in copper.outside(net).items() if cm >= _LONG_CM]
    for number, name in enumerate(far, 1):
        yield Small(
            f"A{number}",
            "arrester",
            f"cable of {name}",
            "earth bolt",
            "to earth where its cable enters the box",
            name,
        )


def _screened(net: "Net") -> list[str]:
    """Cables outside that have a screen: solar cable has none."""
    return [name for name, (_, square, _) in copper.outside(net).items() if float(square) < 1.5]


def ohms(ohm: int) -> str:
    return f"{ohm / 1000:g} kOhm" if ohm >= 1000 else f"{ohm} Ohm"


def _at_pins(net: "Net") -> Iterator[tuple[str, str, str, str, str]]:
    """Pull-downs and pull-ups, each at its pin of the board or at the rail that it was moved to."""
    for use in net.uses:
        fit = net.station.fittings.fit(use.bus)
        pin = f"GPIO{use.pin}"
        block = next(
            (
                wire.target
                for wire in net.wires
                if wire.source == (BOARD, pin) and wire.target[0].endswith("_terminals")
            ),
            None,
        )
        if fit.pull_down_ohm and use.member in ("pin", "power"):
            yield (
                ohms(fit.pull_down_ohm),
                f"{BOARD}: {pin}",
                f"{BOARD}: GND",
                "at the board's screws, any GND of it, beside the wires",
                BOARD,
            )
        if fit.pull_up_ohm and use.member in ("pin", "sda", "scl"):
            rail = THREE if THREE in net.blocks else BOARD
            high = {"5V": f"{FIVE}: 5V"}.get(fit.rail or "3V3", f"{rail}: 3V3")
            yield (
                ohms(fit.pull_up_ohm),
                ": ".join(block or (BOARD, pin)),
                high,
                "beside the wires",
                block[0] if block else BOARD,
            )


def _elsewhere(net: "Net") -> Iterator[tuple[str, str, str, str, str]]:
    fits = net.station.fittings.fits
    for name, fit in fits.items():
        if fit.terminated:
            last = [wire.target[0] for wire in net.wires if wire.sign == "A" and wire.target[0].startswith(name)][-1]
            yield ohms(120), f"{last}: A", f"{last}: B", "from A to B at the cable's far end", last
    for wire in net.wires:
        if wire.sign == "loop":
            said = f"from {wire.source[1]} to GND at the module: the loop's current"
            yield "100 Ohm 0.1 %", ": ".join(wire.source), f"{wire.source[0]}: GND", said, wire.source[0]


def _capacitors(net: "Net") -> Iterator[tuple[str, int]]:
    for name, fit in net.station.fittings.fits.items():
        for part in fit.has("divider"):
            if part.get("capacitor_nf"):
                yield name, part["capacitor_nf"]


def fuse_of(net: "Net", wire: "Wire") -> str:
    """The fuse in a plus wire, or the one that it is behind; what 5 V and 3.3 V feed is behind the converter and has none."""
    fuses = {fuse.label: fuse for fuse in copper.placed(net.station)}
    block, pin = wire.source
    if wire.sign != "+" or wire.target[1] == "in":
        return f"before {wire.target[0]}: 10 cm at most" if wire.target[0] in fuses else ""
    if block == BATTERY:
        return fuses[pin].said
    if block in fuses:
        return fuses[block].said
    if wire.target == (BATTERY, "+") or wire.source == ("charger", "BAT+"):
        return f"behind {', '.join(fuse.label for fuse in fuses.values() if fuse.label in net.blocks)}"
    before = next(
        (
            each
            for each in net.wires
            if each.sign == "+" and each.target[0] == block and block.endswith(("_switch", "_shunt"))
        ),
        None,
    )
    found = fuse_of(net, before) if before else ""
    return f"behind {found.split()[0]}" if found and not found.startswith("behind") else found


def screws(net: "Net") -> int:
    """Terminals of the rail, each for two ends: of minus, 5 V, GND, 3.3 V, the lines of a bus, and of the screens."""
    ends: dict[tuple[str, str], int] = {}
    for wire in net.wires:
        for end in (wire.source, wire.target):
            if end == (BATTERY, "-") or end[0] in RAILS or end[0].endswith("_terminals"):
                ends[end] = ends.get(end, 0) + 1
    ends[BATTERY, "-"] += 2  # the wire to the earth's own terminal, and the suppressor's other end
    if _screened(net):
        ends["screens", ""] = len(_screened(net)) + 1
    return sum(math.ceil(many / 2) for many in ends.values())
