"""What each quantity is called outside the firmware: `quantities.toml`, read once."""

import tomllib
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from hardware.shape import ROOM
from node.core.quantities import POINTS

LANGUAGES = ("en", "ms", "id")
Words = Mapping[str, list[str]]


class Quantity(msgspec.Struct, forbid_unknown_fields=True):
    en: str
    ms: str
    id: str
    who: str
    model: str
    property: str
    code: str = ""
    factor: float = 1
    how: str = ""
    words: dict[str, list[str]] = {}


def _read() -> tuple[Mapping[str, Quantity], Words]:
    tables = tomllib.loads((ROOM / "quantities.toml").read_text(encoding="utf-8"))
    states = tables.pop("states")
    return MappingProxyType(msgspec.convert(tables, dict[str, Quantity])), states


QUANTITIES, STATES = _read()


def point(key: str) -> tuple:
    """The firmware's row of a key, `panel_voltage:2` is `panel_voltage`'s."""
    name = key.split(":")[0]
    row: tuple = next(row for row in POINTS if row[0] == name)
    return row
