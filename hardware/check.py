"""`waspada hardware check`: a station's file held to the rules of rules.toml. What passes here compiles; what does not compile does not pass."""

from pathlib import Path

from hardware import rules_level, rules_lines, rules_loads, rules_pins, rules_power
from hardware.compile import STATIONS, Station
from hardware.harness import demand
from hardware.rule import ERROR, Finding, of_an_error
from hardware.shape import RuleError, Source, read
from simulator.errors import InputError

ALL = (*rules_pins.ALL, *rules_lines.ALL, *rules_power.ALL, *rules_level.ALL, *rules_loads.ALL)


class Unusable(InputError):
    """Why a file can't be judged. `found`: the rules that it breaks all the same, as far as it could be read."""

    def __init__(self, sentence: str, found: list[Finding]) -> None:
        super().__init__(sentence)
        self.found = found


def check(source: Source) -> list[Finding]:
    """All that is wrong, errors first. Unusable: a key, a part or a figure of the file is missing or unknown.

    A key that reading refused (a pin, an address, the board) has that one finding, whatever else it breaks: it has to change anyway.
    """
    broken: list[RuleError] = []
    source.broken = broken
    try:
        station = Station(source)
        demand(station)
    except InputError as error:
        raise Unusable(str(error), [of_an_error(source, each) for each in broken]) from None
    finally:
        source.broken = None
    found = [of_an_error(source, error) for error in broken]
    refused = {finding.key for finding in found}
    found += [finding for rule in ALL for finding in rule(station) if finding.key not in refused]
    return sorted(found, key=lambda finding: (finding.rule.severity != ERROR, finding.line))


def check_file(name: str | Path) -> list[Finding]:
    """A shipped station by its name, or a file by its path."""
    return check(read(STATIONS, name, "station"))


def passes(found: list[Finding]) -> bool:
    return not [finding for finding in found if finding.rule.severity == ERROR]
