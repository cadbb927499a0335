"""Harness and pin table of a station, as pages and as WireViz reads them. Pins are the station file's own: what is drawn is what the board's JSON says."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from hardware.compile import Station
from hardware.net import BATTERY, BOARD, Block, Net, Wire, colours
from hardware.terminals import fuse_of

_MARK = "<!-- of the harness "


class Harness:
    """`cables`: wires that go together, between two blocks."""

    def __init__(self, station: Station) -> None:
        self.name = station.source.path.stem
        self.called = station.called
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
                    [
                        f"W{number}",
                        colour,
                        ": ".join(wire.source),
                        ": ".join(wire.target),
                        f"{wire.square} mm2",
                        length,
                        fuse_of(self.net, wire),
                    ]
                )
        return rows

    def abouts(self) -> list[tuple[str, str]]:
        """What each part's table says of itself, once a part."""
        return list(dict.fromkeys((block.label, block.about) for block in self.net.blocks.values() if block.about))

    def small_rows(self) -> list[list[str]]:
        return [[part.label, part.what, part.source, part.target, part.how] for part in self.net.small]

    def as_data(self) -> dict[str, Any]:
        return {
            "station": self.name,
            "pins": [vars(use) for use in sorted(self.net.uses, key=lambda use: use.pin)],
            "blocks": {name: {"part": block.kind, "name": block.label, "terminals": block.pins, "notes": block.notes}
                       for name, block in self.net.blocks.items()},
            "wires": [dict(zip(("cable", "colour", "from", "to", "square", "length", "fuse"), row, strict=True)) for row in self.cable_rows()],
            "at_terminals": [dict(zip(("label", "what", "from", "to", "how"), row, strict=True)) for row in self.small_rows()],
        }  # fmt: skip


PIN_HEAD = ["pin", "in the station's file", "goes to", "with"]
CABLE_HEAD = ["cable", "colour", "from", "to", "at least", "length", "fuse"]
SMALL_HEAD = ["label", "what", "from", "to", "how"]
WIRES_SAY = (
    "`12V: F3` is the clip of fuse F3 in the fuse block: no red wire begins at the block's plus itself. A fuse stands in each battery's own lead. "
    "Where nothing stands, the wire is behind the converter or the panel, which limit themselves. Cross-sections are the least: outdoor cable has 0.75 mm2. "
    "All GND is one terminal, and so is all 12 V minus; two wires at most under a screw; the block's plus is a bolt for lugs."
)


def rows_of(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in (head, ["---"] * len(head), *rows)]


def page(harness: Harness) -> str:
    """Both tables in Markdown, and the blocks they join."""
    blocks = [[block.name, block.label, "; ".join(block.notes)] for block in harness.net.blocks.values()]
    know = [[name, said] for name, said in harness.abouts()]
    lines = [
        f"# {harness.title}: wiring", "", f"<!-- Made by `waspada hardware wiring {harness.called}`: change the station's file, not this page. -->", "",
        "## Pins of the board", "", *rows_of(PIN_HEAD, harness.pin_rows()), "",
        "## Blocks", "", *rows_of(["block", "what it is", "to know"], blocks), "",
        "## To know", "", *rows_of(["part", "to know before it is bought and wired"], know), "",
        "## Wires", "", WIRES_SAY, "", *rows_of(CABLE_HEAD, harness.cable_rows()), "",
        "## At the terminals", "", *rows_of(SMALL_HEAD, harness.small_rows()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def wireviz(harness: Harness) -> str:
    """The drawing's source. Its values are JSON, which is YAML too."""
    blocks = harness.net.blocks
    joined = []
    before = _before_the_rail(harness.net)
    for number, ((source, target), wires) in enumerate(harness.cables.items(), 1):
        row = [{source: [wire.source[1] for wire in wires]}, {target: [wire.target[1] for wire in wires]}]
        if source in before or target in before:
            row.reverse()
        joined.append(f"  - {json.dumps([row[0], {f'W{number}': list(range(1, len(wires) + 1))}, row[1]])}")
    lines = [
        f"# Made by `waspada hardware wiring {harness.name}`: change the station's file, not this one.",
        "connectors:",
    ]
    for name, block in blocks.items():
        lines += _entry(name, _connector(block))
    lines.append("cables:")
    for number, wires in enumerate(harness.cables.values(), 1):
        lines += _entry(f"W{number}", _cable(wires))
    return "\n".join([*lines, "connections:", *joined, ""])


def _before_the_rail(net: Net) -> set[str]:
    """Panel, charger, batteries and what is in their lines: drawn to the right of the rail, beside what it feeds, so that the picture is a third less wide."""
    found = {"panel"}
    while (
        more := {wire.source[0] for wire in net.wires if wire.target[0] in found | {BATTERY} and wire.sign in "+-"}
        - found
        - {BATTERY}
    ):
        found |= more
    return found


def _connector(block: Block) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": _wrapped(block.label),
        "pins": block.pins,
        "show_pincount": False,
        "hide_disconnected_pins": True,
    }
    if block.labels:
        found["pinlabels"] = block.labels
    if block.notes:
        found["notes"] = "\n".join(_wrapped(note) for note in block.notes)
    if block.name == BOARD:
        found["bgcolor_title"] = "YE"
    return found


def _cable(wires: list[Wire]) -> dict[str, Any]:
    return {
        "wirecount": len(wires), "colors": colours(wires), "length": max(wire.cable_cm for wire in wires) / 100 or 0.2,
        "gauge": f"{max((wire.square for wire in wires), key=float)} mm2", "wirelabels": [wire.sign for wire in wires], "show_wirecount": False,
    }  # fmt: skip


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
