"""`waspada hardware`: station files held to the rules of chips, lines and supplies, and what is derived from them."""

import argparse
import json
from typing import Any

from hardware.check import check_file, passes
from hardware.compile import shipped
from hardware.rule import rules
from waspada import hardware_derived

DONE, REFUSED = 0, 1


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "hardware", help="station files: checked; wiring, parts and energy", description=__doc__
    )
    parser.set_defaults(run=run)
    does = parser.add_subparsers(dest="does", metavar="check|rules|wiring|bom|power", required=True)
    look = does.add_parser("check", help="name each rule that a station breaks, and what to do")
    look.add_argument("files", metavar="FILE", nargs="+", help=f"station file (TOML), or one of {', '.join(shipped())}")
    does.add_parser("rules", help="the rules, each with its reason and its source")
    hardware_derived.add(does)


def run(args: argparse.Namespace) -> int:
    return {"check": _check, "rules": _rules}.get(args.does, hardware_derived.run)(args)


def _check(args: argparse.Namespace) -> int:
    stations = []
    for name in args.files:
        found = check_file(name)
        stations.append({"file": str(name), "passes": passes(found), "findings": [each.as_data() for each in found]})
        if not args.json:
            for each in found:
                print(each.sentence())
            verdict = "passes" if passes(found) else "does not pass"
            print(f"{name}: {verdict}, {len(found)} finding{'' if len(found) == 1 else 's'} by {len(rules())} rules")
    if args.json:
        print(json.dumps({"stations": stations}))
    return DONE if all(station["passes"] for station in stations) else REFUSED


def _rules(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps({"rules": [vars(rule) for rule in rules().values()]}))
        return DONE
    for rule in rules().values():
        print(f"{rule.name} ({rule.severity}): {rule.what}: {rule.why}. Do: {rule.remedy}. Source: {rule.source}")
    return DONE
