"""`waspada hardware`: station files held to the rules of chips, lines and supplies, and what is derived from them."""

import argparse
import json
import sys
from typing import Any

from hardware.check import Unusable, check_file, passes
from hardware.compile import shipped
from hardware.rule import rules
from hardware.shape import plain
from simulator.errors import InputError
from waspada import hardware_derived

DONE, REFUSED, UNUSABLE = 0, 1, 2


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "hardware", help="station files: checked; wiring, parts and energy", description=__doc__
    )
    parser.set_defaults(run=run)
    does = parser.add_subparsers(dest="does", metavar="check|rules|wiring|bom|power", required=True)
    look = does.add_parser(
        "check",
        help="name each rule that a station breaks, and what to do",
        description="Every file is judged. Exit code: 0 all pass, 1 a rule is broken, 2 a file can't be judged (its sentence is on standard error).",
    )
    look.add_argument("files", metavar="FILE", nargs="+", help=f"station file (TOML), or one of {', '.join(shipped())}")
    told = does.add_parser("rules", help="the rules, each with its reason and its source")
    told.add_argument("names", metavar="NAME", nargs="*", help="only these, as `check` names them in brackets (all)")
    hardware_derived.add(does)


def run(args: argparse.Namespace) -> int:
    return {"check": _check, "rules": _rules}.get(args.does, hardware_derived.run)(args)


def _check(args: argparse.Namespace) -> int:
    stations = [_judged(name, args.json) for name in args.files]
    broken = [each for each in stations if not each["passes"] and "error" not in each]
    errors = [each["error"] for each in stations if "error" in each]
    if args.json:
        print(json.dumps({"stations": stations, **({"error": "; ".join(errors)} if errors else {})}))
    elif len(stations) > 1:
        passing = len(stations) - len(broken) - len(errors)
        print(f"{len(stations)} files: {passing} pass, {len(broken)} do not, {len(errors)} can't be judged")
    return UNUSABLE if errors else REFUSED if broken else DONE


def _judged(name: str, as_json: bool) -> dict[str, Any]:
    """One file; what makes it unusable is told at once, and the next one is looked at."""
    found, why = [], ""
    try:
        found = check_file(name)
    except InputError as error:
        found, why = error.found if isinstance(error, Unusable) else [], str(error)
    answer = {
        "file": name, "passes": not why and passes(found), "findings": [each.as_data() for each in found], **({"error": why} if why else {})
    }  # fmt: skip
    if not as_json:
        for each in found:
            print(each.sentence())
        if not why:
            verdict = "passes" if answer["passes"] else "does not pass"
            print(f"{name}: {verdict}, {len(found)} finding{'' if len(found) == 1 else 's'} by {len(rules())} rules")
        if found:
            print(f"Where from: waspada hardware rules {' '.join(dict.fromkeys(each.rule.name for each in found))}")
    if why:
        sys.stdout.flush()  # in their order where both go to one file
        print(f"waspada: {why}", file=sys.stderr)
    return answer


def _rules(args: argparse.Namespace) -> int:
    for name in args.names:
        if name not in rules():
            raise InputError(plain(f"no rule '{name}'; there are {', '.join(rules())}"))
    told = [rule for name, rule in rules().items() if not args.names or name in args.names]
    if args.json:
        print(json.dumps({"rules": [vars(rule) for rule in told]}))
        return DONE
    for rule in told:
        print(f"{rule.name} ({rule.severity}): {rule.what}: {rule.why}. Do: {rule.remedy}. Source: {rule.source}")
    return DONE
