"""A shipped station's file, with changes."""

from pathlib import Path

from hardware.compile import STATIONS, Station
from hardware.shape import Source


def station(name: str, *changes: tuple[str, str]) -> Station:
    """Each (old, new) is replaced once; an old that is not there is a test that tests nothing."""
    text = (STATIONS / f"{name}.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"{name}.toml has no {old!r}"
        text = text.replace(old, new, 1)
    return Station(Source(Path(f"{name}.toml"), text))
