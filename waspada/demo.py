"""`waspada demo`: a recorded flood arrives at twelve stations on this machine."""

import argparse
import json
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from tqdm import tqdm

from simulator import scenario as scenarios
from simulator.demo import PAGE_PORT, Options, district, linger, replay
from simulator.errors import InputError

DEFAULT_MINUTES = 4.0


def add(subparsers: Any) -> None:
    words = "a district on this machine: broker, gateway, page and 12 stations on a recorded flood"
    parser = subparsers.add_parser("demo", help=words, description=words[0].upper() + words[1:] + ".")
    parser.add_argument(
        "--headless", action="store_true", help="as fast as it goes, check the books, exit 0 if they balance, else 1"
    )
    parser.add_argument(
        "--minutes", type=float, default=DEFAULT_MINUTES, help="how long the 36 hours take (%(default)g)"
    )
    parser.add_argument(
        "--broker", choices=("mosquitto", "embedded"), help="default: mosquitto if it is on this machine"
    )
    parser.add_argument("--seed", type=int, help="another noise, other spikes (the scenario's own)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--planted", action="store_true", help="mis-set two thresholds on purpose: the check must find it"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if not args.headless and not 0.1 <= args.minutes <= 600:
        raise InputError(f"--minutes {args.minutes:g}: allowed are 0.1 to 600")
    if args.seed is not None and args.seed < 0:
        raise InputError(f"--seed {args.seed}: allowed are 0 and more")
    scenario = scenarios.load("first_light")
    options = Options(None if args.headless else args.minutes, args.broker, args.planted, args.seed)
    with (
        tempfile.TemporaryDirectory(prefix="waspada-demo-") as folder,
        district(scenario, Path(folder), options) as (broker, gateway, live, meant),
    ):
        if not args.headless:
            if not gateway.page.endswith(f":{PAGE_PORT}/"):
                print(f"Port {PAGE_PORT} is in use here, so the page has another.", file=sys.stderr)
            print(f"The page is at {gateway.page} (broker: {broker.kind}). Ctrl-C ends the demo.", file=sys.stderr)
            if args.open:
                webbrowser.open(gateway.page)
        hours = scenario.span_ms / 3_600_000
        bar_format = "{desc} {percentage:3.0f}% |{bar}| {n:.1f} of {total:.0f} h [{elapsed}<{remaining}]"
        with tqdm(total=hours, desc="flood", bar_format=bar_format, file=sys.stderr) as bar:

            def show(t_ms: int) -> None:
                bar.update(t_ms / 3_600_000 - bar.n)
                if t_ms >= scenario.span_ms:
                    bar.write("waiting for the last readings to be stored", file=sys.stderr)

            result = replay(live, meant, broker, gateway, options, show)
        balanced = result["settled"] and not any(
            result[key] for key in ("lost", "duplicates_stored", "false_alarms", "missed_alarms")
        )
        if not args.json:
            print(_summary(result, balanced, with_stored=not args.headless))
        if not args.headless:
            print(f"The page stays at {gateway.page} until Ctrl-C.", file=sys.stderr)
            try:
                linger(live, gateway)
            except KeyboardInterrupt:
                print("ended", file=sys.stderr)
    if args.json:
        print(json.dumps(result), flush=True)
    return 0 if balanced else 1


def _summary(result: dict[str, Any], balanced: bool, with_stored: bool) -> str:
    """`with_stored`: as fast as it goes, the time a record was stored says nothing of a real district."""
    false = result["false_alarms"]
    lines = [
        f"{result['readings_made']} readings made, {result['readings_stored']} stored, {result['lost']} lost, "
        f"{result['duplicates_stored']} stored twice"
    ]
    for off in result["broker_off"]:
        kept = "" if result["lost"] else ": what was measured then was stored afterwards"
        lines.append(f"the broker was off {off['from'][11:16]}-{off['to'][11:16]} of the flood, as planned{kept}")
    lines.append(
        f"{len(result['alarms'])} crossings answered, {result['missed_alarms']} missed, "
        f"{false} false alarm{'' if false == 1 else 's'}"
    )
    for one in result["wrong"]:
        what = "MISSED" if one["what"] == "missed" else "FALSE ALARM"
        lines.append(f"  {one['node']} {one['level']:8} {one['at']}  {what}")
    for alarm in result["alarms"]:
        if alarm["level"] == "danger":
            line = f"  {alarm['node']} {alarm['level']:8} crossed {alarm['crossed_at']}  siren {alarm['siren_at'] or '-':20}"
            lines.append(f"{line}  stored {alarm['stored_at'] or '-'}" if with_stored else line.rstrip())
    lines.append("the books balance" if balanced else "THE BOOKS DO NOT BALANCE")
    return "\n".join(lines)
