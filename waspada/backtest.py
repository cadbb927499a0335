"""`waspada backtest SERIES.csv`: the station's logic over a recorded series."""

import argparse
import csv
import json
import sys
from dataclasses import replace
from typing import IO, Any

from tqdm import tqdm

from simulator import series
from simulator.backtest import LEVELS, NEVER_MM, Thresholds, backtest, from_text, read_thresholds
from simulator.errors import InputError

FLAG_WORDS = {"1": "pass", "2": "not evaluated", "3": "suspect", "4": "fail", "9": "missing"}


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "backtest",
        help="the station's flags and alarms over a recorded series",
        description="Which alarms, how early and how many flags the station's own logic gives on a recorded series.",
        epilog="Every row is one confirmed burst and flags are final ones. A reading is missing (9) when the next row "
        "comes later than 1.5 usual intervals (the median); a pause of more than 7 days parts two recordings.",
    )
    parser.add_argument("series", metavar="SERIES.csv", help="CSV with a line of column names, times in UTC")
    parser.add_argument("--time", metavar="COLUMN", required=True, help="column of times, as 2018-06-01T04:00:00Z")
    parser.add_argument(
        "--value", metavar="COLUMN", required=True, help="column of readings; empty where there is none"
    )
    parser.add_argument("--unit", choices=list(series.UNITS), required=True, help="unit of the readings")
    parser.add_argument(
        "--kind", choices=["stage", "range"], default="stage", help="level, or distance down to the water"
    )
    parser.add_argument("--sensor-height", metavar="M", help="range only: sensor face above gauge datum")
    for name in LEVELS:
        parser.add_argument("--" + name, metavar="M", help=f"{name} from this level; off when only others are given")
    parser.add_argument(
        "--thresholds", metavar="FILE", help="TOML with [level] and [quality] instead of the levels above"
    )
    parser.add_argument("--deadband", metavar="M", help="a level is left only this far below its line (0.05)")
    parser.add_argument("--on-delay", metavar="S", help="how long the water must stay above a line (0)")
    parser.add_argument("--off-delay", metavar="S", help="how long it must stay below line and deadband (0)")
    parser.add_argument(
        "--flags-out", metavar="FILE", help="write t,value,flag per reading: UTC, level in m, final flag"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    thresholds = _thresholds(args)
    height_mm = 0
    if args.kind == "range":
        if args.sensor_height is None:
            raise InputError("--kind range needs --sensor-height, the sensor face above gauge datum in m")
        height_mm = from_text("sensor_height", args.sensor_height, "--sensor-height")
    elif args.sensor_height is not None:
        raise InputError("--sensor-height goes with --kind range only; a stage is a level already")
    read = series.read(args.series, args.time, args.value, args.unit, args.kind, height_mm)
    raw_of = (lambda mm: height_mm - mm) if args.kind == "range" else (lambda mm: mm)
    flags_out: IO[str] | None = None
    try:
        if args.flags_out:
            flags_out = open(args.flags_out, "w", encoding="utf-8", newline="")  # noqa: SIM115
        with tqdm(total=len(read.times_s), unit=" rows", delay=2, leave=False, file=sys.stderr) as bar:
            result = backtest(read, thresholds, raw_of, _row_writer(flags_out, bar))
    except OSError as error:
        raise InputError(f"--flags-out {args.flags_out}: {error.strerror or error}") from None
    finally:
        if flags_out:
            flags_out.close()
    if args.json:
        print(json.dumps(result))
    else:
        print(table(result))
    return 0


def _thresholds(args: argparse.Namespace) -> Thresholds:
    typed = {name: getattr(args, name) for name in LEVELS if getattr(args, name) is not None}
    if typed and args.thresholds:
        raise InputError(f"give --{next(iter(typed))} or --thresholds, not both")
    thresholds = read_thresholds(args.thresholds) if args.thresholds else Thresholds()
    values = dict.fromkeys(LEVELS, NEVER_MM) if typed else {}
    values |= {name: from_text(name, text, "--" + name) for name, text in typed.items()}
    for name in ("deadband", "on_delay", "off_delay"):
        if getattr(args, name) is not None:
            values[name] = from_text(name, getattr(args, name), "--" + name.replace("_", "-"))
    return replace(thresholds, **values).checked("levels")


def _row_writer(file: IO[str] | None, bar: Any) -> Any:
    rows = csv.writer(file, lineterminator="\n") if file else None
    if rows:
        rows.writerow(("t", "value", "flag"))

    def write(t: int, mm: int | None, flag: int) -> None:
        bar.update()
        if rows:
            rows.writerow((series.iso(t), "" if mm is None else f"{mm / 1000:.3f}", flag))

    return write


def table(result: dict[str, Any]) -> str:
    """What a person reads: flags, then one line per alarm."""
    lines = [f"{result['measured']} of {result['readings']} expected readings, one every {result['interval_s']} s"]
    if result["breaks"]:
        lines[0] += f", in {result['breaks'] + 1} recordings"
    lines.append("levels   " + ", ".join(f"{name} {m:.3f} m" for name, m in result["levels_m"].items()))
    lines.append("flags    " + ", ".join(f"{n} {FLAG_WORDS[flag]}" for flag, n in result["flags"].items() if n))
    if not result["alarms"]:
        return "\n".join([*lines, "alarms   none"])
    lines += ["", f"{'alarm':8} {'raised':20} {'cleared':20} {'peak m':>8} {'before peak':>12}"]
    for alarm in result["alarms"]:
        minutes = f"{alarm['lead_s'] // 60} min"
        cleared = alarm["t_cleared"] or "not in the record"
        lines.append(f"{alarm['level']:8} {alarm['t_raised']:20} {cleared:20} {alarm['peak_m']:8.3f} {minutes:>12}")
    return "\n".join(lines)
