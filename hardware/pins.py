"""A station's pins: each kind's members (docs/ports.md), and what the board has free for them."""

import re
from collections.abc import Mapping
from typing import Any

from hardware.boards import chips, why_not
from hardware.shape import Source, table

_NAME = r"[a-z][a-z0-9_]{0,15}"
_PIN = {"low": 0, "high": 48, "required": True}
# kind -> members; those that are pins' numbers, of which the last ones may be left out
PIN_KINDS: Mapping[str, Mapping[str, Any]] = {
    "uart": {
        "rx": _PIN,
        "tx": _PIN,
        "baud": {"choices": [1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]},
        "parity": {"choices": [0, 1]},
        "stop": {"choices": [1, 2]},
        "power": {"low": 0, "high": 48},
    },
    "i2c": {"sda": _PIN, "scl": _PIN, "khz": {"choices": [10, 50, 100, 400]}},
    "onewire": {"pin": _PIN},
    "adc": {"pin": _PIN},
    "pulses": {"pin": _PIN, "debounce_ms": {"low": 1, "high": 1000}},
    "switch": {"pin": _PIN},
    "output": {"pin": _PIN},
}
_NUMBERS = ("rx", "tx", "power", "sda", "scl", "pin")
_READS_ONLY = {"uart": ("rx",), "adc": ("pin",)}  # what a pin without output driver and pull-up can be
OUTPUTS = ("siren", "strobe")  # every station has them: no profile decides that nobody is warned


def check_pins(source: Source, pins: Any, board: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The pins in the file's order, each with `kind` first."""
    if not isinstance(pins, dict):
        source.refuse(("pins",), "'pins' must be a table of buses and outputs, [pins.NAME]")
    used: dict[int, str] = {}
    others = {
        pin for row in pins.values() if isinstance(row, dict) for pin in map(row.get, _NUMBERS) if type(pin) is int
    }
    open_pins = [pin for pin in board["pins"] if pin not in others]
    found = {}
    for name, row in pins.items():
        trail = ("pins", name)
        if not re.fullmatch(_NAME, name):
            source.refuse(trail, f"a pin's name is '{name:.40}'; allowed are 1 to 16 of a-z 0-9 _, a letter first")
        kind = row.get("kind") if isinstance(row, dict) else None
        if not isinstance(kind, str) or kind not in PIN_KINDS:
            source.refuse(trail, f"pins.{name}: no kind {kind!r:.40}; there are {', '.join(PIN_KINDS)}")
        found[name] = table(source, row, {"kind": {"choices": [kind]}, **PIN_KINDS[kind]}, trail)
        _numbered(source, name, kind, board)
        for member in _NUMBERS:
            if member in found[name]:
                _free(source, name, kind, member, found[name][member], board, open_pins)
                pin = found[name][member]
                if pin in used:
                    source.refuse((*trail, member), f"pins.{name}: pin {pin} is used twice, by {used[pin]} already")
                used[pin] = name
    for name in OUTPUTS:
        if found.get(name, {}).get("kind") != "output":
            source.refuse(
                ("pins", name), f"pins names no {name} of kind output; every station has {' and '.join(OUTPUTS)}"
            )
    return found


def _numbered(source: Source, name: str, kind: str, board: Mapping[str, Any]) -> None:
    numbers = {"uart": board["uarts"], "i2c": board["i2cs"]}.get(kind)
    if numbers is not None and name not in [f"{kind}{number}" for number in numbers]:
        names = ", ".join(f"{kind}{number}" for number in numbers)
        source.breaks(
            ("pins", name),
            f"pins.{name}: a bus of kind {kind} has its number in its name; {board['name']} has {names}",
            f"{kind}-count",
        )


def _free(
    source: Source, name: str, kind: str, member: str, pin: int, board: Mapping[str, Any], open_pins: list[int]
) -> None:
    """`open_pins`: those of the board that the file gives to nothing."""
    use = "adc" if kind == "adc" else "input" if member in _READS_ONLY.get(kind, ()) else "output"
    rule, reason = why_not(board, pin, use)
    if rule:
        what = f"{kind} {member}" if member != "pin" else kind
        quiet = [number for number in open_pins if kind != "output" or number not in chips()[board["chip"]]["glitch"]]
        free = ", ".join(str(number) for number in quiet if not why_not(board, number, use)[0])
        said = f"pins.{name}: {member} {pin} can't be {what} of {board['name']}: {reason}; "
        said += f"of those the file leaves open it can be {free}" if free else "no other is left open by the file"
        source.breaks(("pins", name, member), said, rule)
