"""`waspada simulate SCENARIO`: stations on simulated chips and a recorded river, in virtual time."""

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from simulator import scenario
from simulator.errors import InputError
from simulator.run import HEAP, RUNTIMES, simulate
from simulator.runtimes.vm import VMError
from waspada.cli import INTERRUPTED

MINUTE_MS = 60_000
TRACE, REPORT, PART = "trace.jsonl", "report.json", ".part"


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "simulate",
        help="run a scenario: trace, report, KPIs",
        description="Run the firmware on simulated chips through a scenario, in virtual time. "
        "Exits with 1 when a record was lost or stored twice, or an alarm was false or missed.",
        epilog=f"Shipped scenarios: {', '.join(scenario.shipped())}.",
    )
    parser.add_argument("scenario", metavar="SCENARIO", help="name of a shipped scenario, or a TOML file")
    parser.add_argument("--seed", type=_natural, metavar="N", help="where all noise comes from (the scenario's own)")
    parser.add_argument(
        "--runtime", choices=RUNTIMES, default="host", help="CPython, or the real MicroPython VM (host)"
    )
    parser.add_argument("--heap", default=HEAP, metavar="SIZE", help=f"vm only: its -X heapsize ({HEAP})")
    parser.add_argument(
        "--jobs", type=_jobs, default=1, metavar="N", help="processes, 1 to 64; the trace stays the same (1)"
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        metavar="A-B",
        help="chaos only: these seeds, --jobs at a time, and what came of all of them",
    )
    parser.add_argument("--out", metavar="DIR", help="write trace.jsonl and report.json there")
    parser.set_defaults(run=run)


def _natural(word: str) -> int:
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"'{word}' is no whole number from 0 on")
    return int(word)


def _seeds(word: str) -> range:
    first, _, last = word.partition("-")
    seeds = range(_natural(first), _natural(last or first) + 1)
    if not seeds:
        raise argparse.ArgumentTypeError(f"'{word}' holds no seed: write the lower one first")
    return seeds


def _jobs(word: str) -> int:
    jobs = _natural(word)
    if not 1 <= jobs <= 64:
        raise argparse.ArgumentTypeError("1 to 64 processes")
    return jobs


def run(args: argparse.Namespace) -> int:
    if args.seeds is not None:
        return _campaign(args)
    chosen = scenario.load(args.scenario, args.seed)
    with contextlib.ExitStack() as stack:
        write = None
        if args.out:
            folder = _folder(args.out)
            stack.callback(_drop_parts, folder)  # of a run that came to nothing; an earlier one's files stay
            trace = stack.enter_context(open(folder / (TRACE + PART), "wb"))
            write = trace.write
        bar = stack.enter_context(tqdm(total=chosen.span_ms // MINUTE_MS, unit="min", leave=False, desc=chosen.name))
        try:
            report = simulate(
                chosen,
                args.seed,
                args.runtime,
                heap=args.heap,
                jobs=min(args.jobs, len(chosen.nodes())),
                write=write,
                progress=lambda t_ms: bar.update(t_ms // MINUTE_MS - bar.n),
            )
        except VMError as error:
            print(f"waspada: {error}", file=sys.stderr)
            if args.json:
                print(json.dumps({"error": str(error)}))
            return 1
        if args.out:
            trace.close()
            (folder / (REPORT + PART)).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
            for name in (TRACE, REPORT):
                os.replace(folder / (name + PART), folder / name)
    print(json.dumps(report) if args.json else _words(report))
    return 0 if clean(report) else 1


def clean(report: dict[str, Any]) -> bool:
    """Nothing lost, nothing twice, every alarm right, every promise of chaos kept."""
    return not report.get("broken") and not any(
        report[key] for key in ("lost", "duplicates_stored", "false_alarms", "missed_alarms")
    )


def _campaign(args: argparse.Namespace) -> int:
    """Every seed of a range; exits with 1 when a promise was broken. Ctrl-C: what is known by then, and 130."""
    from simulator import chaos_campaign

    if args.scenario != chaos_campaign.chaos.NAME or args.seed is not None or args.out:
        raise InputError("--seeds goes with the scenario chaos, without --seed and --out")
    with tqdm(total=len(args.seeds), unit="seed", leave=False, desc="chaos") as bar:

        def told(found: dict[str, Any]) -> None:
            bar.update()
            for how in found["broken"][:3]:
                bar.write(f"seed {found['seed']}: {how}", file=sys.stderr)

        report = chaos_campaign.run(args.seeds, args.jobs, args.runtime, told)
    if report["interrupted"]:
        report["error"] = "interrupted"
        print("waspada: interrupted", file=sys.stderr)
    print(json.dumps(report) if args.json else chaos_campaign.words(report))
    return INTERRUPTED if report["interrupted"] else int(bool(report["failed"]))


def _folder(name: str) -> Path:
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / (TRACE + PART)).touch()
    except OSError as error:
        raise InputError(f"--out {name}: {error.strerror}; give a folder that can be written") from None
    return folder


def _drop_parts(folder: Path) -> None:
    for name in (TRACE, REPORT):
        (folder / (name + PART)).unlink(missing_ok=True)


def _words(report: dict[str, Any]) -> str:
    delay = report["kpi"]["crossing_to_siren_ms"]
    heard = (
        f"from the water's crossing to the siren {delay['median'] / 1000:.0f} s median, {delay['worst'] / 1000:.0f} s worst"
        if delay["count"]
        else "no siren"
    )
    promises = [f"  broken: {how}" for how in report.get("broken", ())]
    faults = [f"  faults: {', '.join(report['kpi']['faults'])}"] if "faults" in report["kpi"] else []
    return "\n".join(
        (
            f"{report['scenario']}, seed {report['seed']}, {report['runtime']}: {report['stations']} stations, {report['simulated_s'] // 3600} h",
            f"  {report['steps']:,} samples in {report['wall_s']:.1f} s, {report['steps_per_s']:,} a second",
            f"  readings: {report['readings_made']:,} made, {report['readings_stored']:,} stored; "
            f"of all records {report['lost']} lost, {report['duplicates_stored']} stored twice",
            f"  alarms: {delay['count']} sounded, {report['false_alarms']} false, {report['missed_alarms']} missed; {heard}",
            f"  trace {report['trace_sha256']}",
            *faults,
            *promises,
        )
    )
