"""Settings compared and changed: a profile or a backup against what a station runs. The station has the last word, whole or not at all."""

import binascii
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from node.core import fixed, limits, units
from node.core.settings import ROWS
from simulator.errors import InputError
from waspada.consoles.pin import Pin
from waspada.consoles.port import GoneError
from waspada.consoles.station import Station

KNOWN = {row[0]: row for row in (*ROWS, *limits.ROWS)}
_MOST = 200
Tell = Callable[[str], object]


@dataclass
class Change:
    """`word`: what is typed; `was` and `to`: as the station shows values."""

    key: str
    word: str
    was: str
    to: str

    def __str__(self) -> str:
        return f"{self.key} {self.was} -> {self.to}"


@dataclass
class Report:
    """What became of one station. `result`: applied, same, declined, refused, gone."""

    port: str
    station: str = ""
    life: str = ""
    result: str = "gone"
    why: str = ""
    revision: int | None = None
    changes: list[Change] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return self.result in ("applied", "same")

    def as_data(self) -> dict[str, Any]:
        return {
            "port": self.port, "station": self.station, "life": self.life, "result": self.result, "why": self.why,
            "revision": self.revision, "changes": [{"key": one.key, "from": one.was, "to": one.to} for one in self.changes],
        }  # fmt: skip

    def __str__(self) -> str:
        where = f"{self.station or 'no station'} at {self.port}"
        said = {"applied": f"{len(self.changes)} settings changed, revision {self.revision}", "same": "nothing to change",
                "declined": "left as it was"}.get(self.result, "")  # fmt: skip
        return f"{where}: {self.result}, {said or self.why}"


def read_profile(path: Path) -> dict[str, str]:
    """key -> what is typed for it. A table `[settings]` of `"level.danger" = "2.50 m"`; nothing else but `about`."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); give a profile in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    strange = sorted(set(values) - {"about", "settings"})
    if strange:
        raise InputError(f"{path}: unknown key '{strange[0]:.40}'; a profile has `about` and the table [settings]")
    if not isinstance(values.get("settings"), dict) or not values["settings"]:
        raise InputError(f'{path}: it needs a table [settings] with lines as "level.danger" = "2.50 m"')
    found: dict[str, str] = {}
    _gather(path, values["settings"], "", found)
    if len(found) > _MOST:
        raise InputError(f"{path}: {len(found)} settings; a profile has up to {_MOST}")
    return found


def _gather(path: Path, table: Mapping[str, Any], before: str, found: dict[str, str]) -> None:
    for name, value in table.items():
        key = before + name
        if isinstance(value, dict):
            _gather(path, value, key + ".", found)
            continue
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InputError(f'{path}: {key} must be a number, or a text with its unit as "2.50 m"')
        words = str(value).split()
        if not 1 <= len(words) <= 2 or any(not word.isascii() or not word.isprintable() for word in words):
            raise InputError(f'{path}: {key} is {value!r:.40}; a number and its unit are meant, as "2.50 m"')
        if not key.isascii() or not key.isprintable() or " " in key:
            raise InputError(f"{path}: '{key:.40}' is no name of a setting")
        if key.split(".")[0] in ("wifi", "broker"):
            raise InputError(
                f"{path}: {key} is no setting of a profile: it may cut a station off; use `set` on the console"
            )
        found[key] = " ".join(words)


# Backups: `export settings` as it came


def sealed(line: str) -> str | None:
    """What stands before a line's CRC; None when it is damaged."""
    text, space, crc = line.rpartition(" ")
    if not space or len(crc) != 8 or f"{binascii.crc32(text.encode()) & 0xFFFFFFFF:08x}" != crc:
        return None
    return text


def read_backup(path: Path) -> tuple[str, dict[str, str]]:
    """(`district/node`, key -> value) of a file that `--backup` wrote."""
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read ({getattr(error, 'strerror', None) or 'no text'})") from None
    station, values, ended = "", {}, False
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = (sealed(line.rstrip("\r")) or "").split()
        if words[:3] == ["begin", "1", "settings"] and len(words) == 8 and not station:
            station = f"{words[3]}/{words[4]}"
        elif words[:1] == ["set"] and len(words) == 3 and station and not ended:
            values[words[1]] = words[2]
        elif words[:2] == ["end", "settings"] and station and not ended:
            ended = True
        else:
            raise InputError(f"{path}, line {number}: damaged, or no line of a backup; make the backup again")
    if not ended or not values:
        raise InputError(f"{path} is no whole backup: its end is missing; make the backup again")
    return station, values


def backup(station: Station) -> list[str]:
    """The lines of `export settings`, checked. A line that was damaged on the way is asked for again."""
    for _ in range(3):
        lines = [line for line in station.must("export settings") if line]
        texts = [sealed(line) for line in lines]
        if lines and None not in texts and (texts[-1] or "").startswith("end settings "):
            return lines
    raise GoneError(f"{station.name}: the settings came damaged three times; check the cable")


# The difference


def integer(key: str, value: str) -> int | None:
    """In the table's unit; None when the table does not know it, or it can't be so."""
    words = value.split()
    try:
        return int(units.parse(KNOWN[key], words[0], words[1] if len(words) > 1 else None))
    except (KeyError, ValueError):
        return None


def differences(wanted: Mapping[str, str], shown: Mapping[str, tuple[str, str]]) -> list[Change]:
    """What would change on a station that shows these. Keys that it does not have change too: it will say what it thinks of that."""
    found = []
    for key, word in wanted.items():
        value, unit = shown.get(key, ("", ""))
        was = f"{value} {unit}".strip() or "(none)"
        number = integer(key, word)
        if number is not None and key in shown:
            if number == integer(key, was):
                continue
            row = KNOWN[key]
            found.append(Change(key, word, was, f"{fixed.text(number, row[2])} {row[1] or ''}".strip()))
        elif not _alike(word, value, unit):
            found.append(Change(key, word, was, word))
    return found


def _alike(word: str, value: str, unit: str) -> bool:
    words = word.split()
    try:
        return Decimal(words[0]) == Decimal(value) and words[1:] in ([], [unit])
    except InvalidOperation:
        return False


def change(
    report: Report,
    station: Station,
    wanted: Mapping[str, str],
    pin: Pin,
    tell: Tell,
    agree: Callable[[list[Change]], bool],
    only: str,
) -> None:
    """Shows what would change (`agree`), sets, saves, reads back; `report` gets what came of it. `only`: the one station that this is for, or ""."""
    status = station.status()
    report.station, report.life = f"{status.get('district')}/{status.get('node')}", status.get("life", "")
    report.revision = int(status.get("revision", 0))
    if only and report.station != only:
        report.result, report.why = (
            "refused",
            f"this is {report.station}, the backup is of {only}; make a profile of it instead",
        )
        return
    shown = station.shown()
    report.changes = differences(wanted, shown)
    for key in wanted:
        if key not in shown:
            report.result, report.why = "refused", f"this station has no setting {key}"
            return
    if not report.changes:
        report.result = "same"
    elif not agree(report.changes):
        report.result = "declined"
    else:
        _save(station, report, pin, tell)


def _save(station: Station, report: Report, pin: Pin, tell: Tell) -> None:
    report.result = "refused"
    cleared = pin.ask(station, "revert", tell)  # what somebody typed and did not save is none of this
    if not cleared.good:
        report.why = cleared.why
        return
    for one in report.changes:
        answer = station.ask(f"set {one.key} {one.word}")
        if not answer.good:
            station.ask("revert")
            report.why = f"{one.key}: {answer.why}"
            return
    answer = station.ask("save")
    if not answer.good:
        station.ask("revert")
        report.why = answer.why
        return
    now = station.shown()
    left = differences({one.key: one.word for one in report.changes}, now)
    report.revision = int(station.status().get("revision", 0))
    report.result = "refused" if left else "applied"
    report.why = f"read back, it does not run {', '.join(one.key for one in left)}" if left else ""
