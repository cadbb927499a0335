"""`waspada hardware check`: a station's file held to the rules of rules.toml. What passes here compiles; what does not compile does not pass."""

from pathlib import Path

from hardware import rules_lines, rules_pins, rules_power
from hardware.compile import STATIONS, Station
from hardware.harness import demand
from hardware.rule import ERROR, Finding, of_an_error
from hardware.shape import RuleError, Source, read

ALL = (*rules_pins.ALL, *rules_lines.ALL, *rules_power.ALL)


def check(source: Source) -> list[Finding]:
    """What is wrong, errors first. InputError: a file that can't be judged, since a key, a part or a figure of it is missing or unknown.

    A rule that already forbids reading the file on (a pin, an address, the memory) is the one finding there is: mend it and look again.
    """
    try:
        station = Station(source)
    except RuleError as error:
        return [of_an_error(source, error)]
    demand(station)
    found = [finding for rule in ALL for finding in rule(station)]
    return sorted(found, key=lambda finding: (finding.rule.severity != ERROR, finding.line))


def check_file(name: str | Path) -> list[Finding]:
    """A shipped station by its name, or a file by its path."""
    return check(read(STATIONS, name, "station"))


def passes(found: list[Finding]) -> bool:
    return not [finding for finding in found if finding.rule.severity == ERROR]
