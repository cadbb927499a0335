"""The rules' texts (`rules.toml`), and what a rule finds."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hardware.shape import ROOM, RuleError, Source, Trail

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Rule:
    name: str
    what: str  # is forbidden
    why: str
    remedy: str
    source: str
    severity: str = ERROR


@functools.cache
def rules() -> Mapping[str, Rule]:
    values = tomllib.loads((ROOM / "rules.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: Rule(name, **row) for name, row in values.items()})


@dataclass(frozen=True)
class Finding:
    """Where a station breaks a rule: the keys, the line, the pins it is about, and what stands there."""

    rule: Rule
    file: str
    line: int
    key: str
    pins: tuple[int, ...]
    found: str
    advice: str = ""  # of this case, where the rule's own remedy is for several
    reason: str = ""

    @property
    def why(self) -> str:
        return self.reason or self.rule.why

    @property
    def remedy(self) -> str:
        return self.advice or self.rule.remedy

    def as_data(self) -> dict[str, Any]:
        return {
            "rule": self.rule.name, "severity": self.rule.severity, "file": self.file, "line": self.line, "key": self.key,
            "pins": list(self.pins), "found": self.found, "why": self.why, "remedy": self.remedy, "source": self.rule.source,
        }  # fmt: skip

    def sentence(self) -> str:
        place = f"{self.file}{f', line {self.line}' if self.line else ''}"
        return f"{place}: {self.rule.severity} [{self.rule.name}] {self.found}: {self.why}. Do: {self.remedy}"


def finding(
    source: Source,
    rule: str,
    trail: Trail,
    found: str,
    pins: tuple[int, ...] = (),
    *,
    advice: str = "",
    reason: str = "",
) -> Finding:
    return Finding(rules()[rule], str(source.path), source.line(trail), _key(trail), pins, found, advice, reason)


def of_an_error(source: Source, error: RuleError) -> Finding:
    """What reading the station refused, as a finding."""
    value: Any = source.values
    for step in error.trail:
        value = value[step] if isinstance(step, int) or step in value else None
        if value is None:
            break
    pins = (value,) if type(value) is int else ()
    return Finding(rules()[error.rule], str(source.path), error.line, _key(error.trail), pins, error.found)


def _key(trail: Trail) -> str:
    words = ""
    for step in trail:
        words += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if words else str(step)
    return words
