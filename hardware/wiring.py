"""Harness and pin table of a station, as pages and as WireViz reads them. Pins are the station file's own: what is drawn is what the board's JSON says."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from hardware.compile import Station
from hardware.net import BOARD, Net, Wire, colours

_MARK = "<!-- of the harness "


class Harness:
    """`cables`: wires that go together, between two blocks."""

    def __init__(self, station: Station) -> None:
        self.name = station.source.path.stem
        self.title = station.sheet.get("title", self.name)
        self.net = Net(station)
        self.cables: dict[tuple[str, str], list[Wire]] = {}
        for wire in self.net.wires:
            self.cables.setdefault((wire.source[0], wire.target[0]), []).append(wire)

    def pin_rows(self) -> list[list[str]]:
        rows = []
        for use in sorted(self.net.uses, key=lambda use: use.pin):
            rows.append([str(use.pin), f"{use.bus}.{use.member}", use.to, use.note])
        return rows

    def cable_rows(self) -> list[list[str]]:
        rows = []
        for number, wires in enumerate(self.cables.values(), 1):
            for wire, colour in zip(wires, colours(wires), strict=True):
                length = f"{wire.cable_cm / 100:g} m" if wire.cable_cm else "in the box"
                rows.append(
                    [f"W{number}", colour, ": ".join(wire.source), ": ".join(wire.target), f"{wire.square} mm2", length]
                )
        return rows

    def as_data(self) -> dict[str, Any]:
        return {
            "station": self.name,
            "pins": [vars(use) for use in sorted(self.net.uses, key=lambda use: use.pin)],
            "blocks": {block.name: {"part": block.kind, "name": block.label, "terminals": block.pins, "notes": block.notes} for block in self.net.blocks.values()},
            "wires": [dict(zip(("cable", "colour", "from", "to", "square", "length"), row, strict=True)) for row in self.cable_rows()],
        }  # fmt: skip


PIN_HEAD = ["pin", "in the station's file", "goes to", "with"]
CABLE_HEAD = ["cable", "colour", "from", "to", "wire", "length"]


def rows_of(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (head, ["---"] * len(head), *rows)]


def page(harness: Harness) -> str:
    """Both tables in Markdown, and the blocks they join."""
    blocks = [[block.name, block.label, "; ".join(block.notes)] for block in harness.net.blocks.values()]
    lines = [
        f"# {harness.title}: wiring", "", f"<!-- Made by `waspada hardware wiring {harness.name}`: change the station's file, not this page. -->", "",
        "## Pins of the board", "", *rows_of(PIN_HEAD, harness.pin_rows()), "",
        "## Blocks", "", *rows_of(["block", "what it is", "to know"], blocks), "",
        "## Wires", "", *rows_of(CABLE_HEAD, harness.cable_rows()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def wireviz(harness: Harness) -> str:
    """The drawing's source. Its values are JSON, which is YAML too."""
    lines = [
        f"# Made by `waspada hardware wiring {harness.name}`: change the station's file, not this one.",
        "connectors:",
    ]
    for block in harness.net.blocks.values():
        lines += _entry(block.name, {
            "type": _wrapped(block.label), "subtype": block.kind, "pinlabels": block.pins, "show_pincount": False,
            "hide_disconnected_pins": False, **({"notes": "\n".join(_wrapped(note) for note in block.notes)} if block.notes else {}),
            **({"bgcolor": "YE"} if block.name == BOARD else {}),
        })  # fmt: skip
    lines.append("cables:")
    for number, wires in enumerate(harness.cables.values(), 1):
        lines += _entry(f"W{number}", {
            "wirecount": len(wires), "colors": colours(wires), "length": max(wire.cable_cm for wire in wires) / 100 or 0.2,
            "gauge": f"{max((wire.square for wire in wires), key=float)} mm2", "wirelabels": [wire.sign for wire in wires], "show_wirecount": False,
        })  # fmt: skip
    lines.append("connections:")
    for number, ((source, target), wires) in enumerate(harness.cables.items(), 1):
        ends = [
            [harness.net.blocks[name].pins.index(pin) + 1 for name, pin in ends]
            for ends in ([w.source for w in wires], [w.target for w in wires])
        ]
        row = [{source: ends[0]}, {f"W{number}": list(range(1, len(wires) + 1))}, {target: ends[1]}]
        lines.append(f"  - {json.dumps(row)}")
    return "\n".join([*lines, ""])


def _entry(name: str, values: Mapping[str, Any]) -> list[str]:
    return [f"  {json.dumps(name)}:", *[f"    {key}: {json.dumps(value)}" for key, value in values.items()]]


def _wrapped(text: str, width: int = 34) -> str:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def marked(svg: str, source: str) -> str:
    """The drawing with the digest of what it was made of, so that a stale one is found without the program that draws."""
    return svg.rstrip() + f"\n{_MARK}{hashlib.sha256(source.encode()).hexdigest()} -->\n"


def is_of(svg: str, source: str) -> bool:
    return f"{_MARK}{hashlib.sha256(source.encode()).hexdigest()} -->" in svg
