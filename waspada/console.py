"""`waspada console [PORT]`: the technician's end of the serial cable: by hand, by a script, and what takes more than a line."""

import argparse
import contextlib
import datetime
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from simulator.errors import InputError
from waspada.consoles import journal, values
from waspada.consoles.asking import Person
from waspada.consoles.pin import VARIABLE, Pin, RefusedError, hidden
from waspada.consoles.port import BAUD, GoneError, candidates, found_port, open_port, ports_here, told
from waspada.consoles.station import ANSWER_WITHIN_S, FORGET_LINE, HEARD_WITHIN_S, PROMPT, Station

__all__ = ["BAUD", "FORGET_LINE", "PROMPT", "add", "open_port", "ports_here", "run"]

DOES = ("script", "chart", "commission", "apply", "backup", "restore", "journal", "list")


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("console", help="talk to a station over its serial cable")
    parser.add_argument(
        "ports", metavar="PORT", nargs="*",
        help="/dev/ttyUSB0, COM5, socket://host:port, rfc2217://host:port; none: the only USB port there is; several with --apply",
    )  # fmt: skip
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--list", action="store_true", help="the ports behind which a board may be")
    does.add_argument("--script", metavar="FILE", type=Path, help="send these lines one by one, - for standard input")
    does.add_argument("--chart", action="store_true", help="the level as it is measured, drawn in the terminal")
    does.add_argument(
        "--commission", metavar="NODE", help="the guided commissioning of a station, ending in its signed record"
    )
    does.add_argument(
        "--apply", metavar="PROFILE", type=Path, help="settings of a profile (TOML); the differences are shown first"
    )
    does.add_argument("--backup", metavar="FILE", type=Path, help="write the station's settings into a file")
    does.add_argument(
        "--restore", metavar="FILE", type=Path, help="settings of such a file; the differences are shown first"
    )
    does.add_argument(
        "--journal", metavar="FILE", type=Path, help="the journal as .csv or .parquet; goes on where a cable was pulled"
    )
    parser.add_argument(
        "--stream", choices=journal.STREAMS, default="readings", help="of the journal (default readings)"
    )
    parser.add_argument("--samples", metavar="N", type=int, help="of the chart, then it ends")
    parser.add_argument(
        "--city", metavar="DIR", type=Path, default=Path("city"), help="with --commission: the city's folder (city)"
    )
    parser.add_argument(
        "--district", metavar="D", help="with --commission: its district, where several have a station of that name"
    )
    parser.add_argument(
        "--pin-file",
        metavar="FILE",
        type=Path,
        help=f"file with the PIN; or the variable {VARIABLE}; else it is asked for",
    )
    parser.add_argument("--yes", action="store_true", help="with --apply and --restore: do not ask")
    parser.add_argument(
        "--deadline",
        metavar="S",
        type=float,
        default=ANSWER_WITHIN_S,
        help="seconds to wait for each answer (default 10)",
    )
    parser.add_argument(
        "--wait", metavar="S", type=float, default=HEARD_WITHIN_S,
        help="seconds to wait for the station to be heard (default 20); one that sleeps takes as long as it sleeps",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    chosen = next((name for name in DOES if getattr(args, name)), None)
    for name in ("deadline", "wait"):
        if not (math.isfinite(getattr(args, name)) and getattr(args, name) > 0):
            raise InputError(f"--{name} {getattr(args, name):g}: seconds above 0 are meant")
    if args.samples is not None and (chosen != "chart" or args.samples < 1):
        raise InputError("--samples N goes with --chart, and is 1 or more")
    if args.json and chosen in (None, "chart"):
        raise InputError("--json needs --script FILE or another command: a dialogue by hand has no result")
    if len(args.ports) > 1 and chosen != "apply":
        raise InputError(f"{len(args.ports)} ports: only --apply takes several")
    if args.yes and chosen not in ("apply", "restore"):
        raise InputError("--yes goes with --apply and --restore")
    try:
        return _run(args, chosen)
    except (GoneError, RefusedError) as error:
        print(f"waspada: {error}", file=sys.stderr)
        if args.json:
            print(json.dumps({"error": str(error)}), flush=True)
        return 1


def _run(args: argparse.Namespace, chosen: str | None) -> int:
    if chosen == "list":
        return _list(args)
    if chosen in ("apply", "restore"):
        return _change(args)
    steps: dict[str | None, Callable[[argparse.Namespace], int]] = {
        "script": _script, "chart": _chart, "commission": _commission, "backup": _backup, "journal": _journal, None: _by_hand,
    }  # fmt: skip
    return steps[chosen](args)


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _port(args: argparse.Namespace) -> str:
    if args.ports:
        return str(args.ports[0])
    found = found_port()
    tell(f"the only port is {found}")
    return found


@contextlib.contextmanager
def _station(args: argparse.Namespace, name: str = "") -> Iterator[Station]:
    with open_port(name or _port(args)) as port, Station(port, tell, args.wait) as station:
        yield station


def _list(args: argparse.Namespace) -> int:
    found = candidates()
    for port in found:
        print(told(port))
    if not found:
        tell(ports_here())
    if args.json:
        print(
            json.dumps(
                {
                    "ports": [
                        {"port": port.device, "vid": port.vid, "pid": port.pid, "serial": port.serial_number}
                        for port in found
                    ]
                }
            )
        )
    return 0 if found else 1


# By hand and by a script


def _by_hand(args: argparse.Namespace) -> int:
    from waspada.consoles.terminal import by_hand

    with _station(args) as station:
        by_hand(station, None if sys.stdin.isatty() else sys.stdin)
    return 0


def _chart(args: argparse.Namespace) -> int:
    from waspada.consoles.chart import by_chart

    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise InputError("a chart needs a terminal; `level` in a script gives numbers")
    with _station(args) as station:
        seen = by_chart(station, args.samples)
    print(f"{seen.station}: {seen.state}, {seen.last}, {len(seen.levels)} samples")
    return 0


def _script(args: argparse.Namespace) -> int:
    """Stops at the first line that the station does not carry out (1)."""
    lines = _lines(args.script)
    pin = Pin(args.pin_file)
    shown = sys.stderr if args.json else sys.stdout
    dialogue: list[dict[str, Any]] = []
    refused = None
    with _station(args) as station:
        for line in lines:
            print(f"> {hidden(line)}", file=shown, flush=True)
            if line == "login":
                pin.log_in(station, tell)
                continue
            answer = station.ask(line, args.deadline)
            if answer.ending == "pin":
                pin.log_in(station, tell)
                answer = station.ask(line, args.deadline)
            dialogue.append({"sent": hidden(line), "answer": answer.lines, "ending": answer.ending})
            for text in answer.lines:
                print(text, file=shown, flush=True)
            if not answer.good:
                refused = hidden(line)
                tell(f"waspada: stopped at `{refused}` ({answer.ending}), the lines after it were not sent")
                break
    if args.json:
        print(json.dumps({"port": station.name, "dialogue": dialogue, "refused": refused}))
    return 0 if refused is None else 1


def _lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read ({error}); give a text file with one command per line") from None
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


# Settings


def _change(args: argparse.Namespace) -> int:
    only, wanted = ("", values.read_profile(args.apply)) if args.apply else values.read_backup(args.restore)
    if not args.yes and not sys.stdin.isatty():
        raise InputError("nobody can be asked here whether to change the settings: give --yes, or a terminal")
    pin = Pin(args.pin_file)
    reports = []
    for name in args.ports or [found_port()]:
        report = values.Report(name)
        reports.append(report)
        try:
            with _station(args, name) as station:
                values.change(report, station, wanted, pin, tell, _agreed(args, report), only)
        except (GoneError, RefusedError, InputError) as error:
            if isinstance(error, InputError) and len(args.ports) < 2:
                raise
            report.result = "gone" if isinstance(error, GoneError) or not report.station else "refused"
            report.why = str(error)
        tell(str(report))
    if args.json:
        print(json.dumps({"stations": [report.as_data() for report in reports]}))
    return 0 if all(report.good for report in reports) else 1


def _agreed(args: argparse.Namespace, report: values.Report) -> Callable[[list[values.Change]], bool]:
    def agreed(changes: list[values.Change]) -> bool:
        tell(f"{report.station} (life {report.life}), revision {report.revision}:")
        for one in changes:
            tell(f"  {one}")
        return args.yes or Person(show=lambda text: print(text, end="", file=sys.stderr, flush=True)).agrees(
            "Change these?"
        )

    return agreed


def _backup(args: argparse.Namespace) -> int:
    from waspada.city import write

    with _station(args) as station:
        lines = values.backup(station)
    try:
        write(args.backup, "\n".join(lines) + "\n")
    except OSError as error:
        raise InputError(f"{args.backup} can't be written ({error.strerror})") from None
    count = sum(1 for line in lines if line.startswith("set "))
    tell(f"{args.backup}: {count} settings")
    if args.json:
        print(json.dumps({"file": str(args.backup), "settings": count}))
    return 0


# The journal


def _journal(args: argparse.Namespace) -> int:
    journal.need(args.journal)
    part = journal.Part(args.journal.with_name(f"{args.journal.name}.{args.stream}.part"))
    if part.count:
        tell(f"{part.path}: {part.count} records are here; going on behind them")
    try:
        with _station(args) as station, tqdm(unit=" records", initial=part.count, disable=None) as bar:

            def progress(count: int, total: int | None) -> None:
                bar.total = total
                bar.update(count - bar.n)

            journal.fetch(station, args.stream, part, progress)
        count = journal.write(part, args.journal)
        part.path.unlink()
    except OSError as error:
        raise InputError(
            f"{args.journal} can't be written ({error.strerror or error}); free some space and run it again"
        ) from None
    except GoneError as error:
        raise GoneError(f"{error}; {part.count} records are kept in {part.path}") from None
    assert part.begin
    tell(f"{args.journal}: {journal.summary(part.begin, args.stream, part.count, count)}")
    if args.json:
        print(json.dumps({"file": str(args.journal), "records": part.count, "rows": count}))
    return 0


# Commissioning


def _commission(args: argparse.Namespace) -> int:
    from waspada.city import City
    from waspada.consoles import commissioning

    commissioning.need()
    city = City(args.city)
    one = city.station(args.commission, args.district)
    person = Person(show=(lambda text: print(text, end="", file=sys.stderr, flush=True)) if args.json else None)
    with _station(args) as station:
        pin = Pin(args.pin_file, commissioning.pin_of(city, one))
        made, path, failed = commissioning.Commissioning(
            station, city, one, person, pin, lambda: datetime.datetime.now(datetime.UTC)
        ).run()
    person.tell(f"\nThe record is signed: {path}")
    if failed:
        person.tell(f"Not in order: {', '.join(failed)}. Put it right and commission again.")
    if args.json:
        print(json.dumps({"record": str(path), "not_in_order": failed, "signature": made["signature"]["value"]}))
    return 1 if failed else 0
