"""`waspada station`: station files checked, compiled for a board, and their data sheets written."""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hardware import memory
from hardware.access import SUBSCRIPTION
from hardware.compile import STATIONS, Station, shipped
from hardware.harness import demand
from hardware.shape import ROOM, Source, read, table
from hardware.sheet import index, sheet
from simulator.errors import InputError

_HOST = {"text": r"[A-Za-z0-9.-]{1,253}", "required": True, "about": "a host's name or address"}
NETWORK: dict[str, Mapping[str, Mapping[str, Any]]] = {
    "wifi": {"ssid": {"text": ".{1,32}", "required": True, "about": "a name of 1 to 32 letters"},
             "key": {"text": ".{0,63}", "required": True, "about": "a key of up to 63 letters"}},
    "lte": {**SUBSCRIPTION, "apn": {**SUBSCRIPTION["apn"], "required": True}},
    "broker": {"host": _HOST, "port": {"low": 1, "high": 65535, "required": True}},
    "time": {"host": _HOST, "port": {"low": 1, "high": 65535}},
}  # fmt: skip
SHEETS = ROOM.parent / "docs" / "sheets"  # whose links lead somewhere
NO_LIFE = "00000000"  # `waspada flash` draws one when a board is flashed


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("station", help="station files: check, compile, data sheet", description=__doc__)
    parser.set_defaults(run=run)
    does = parser.add_subparsers(dest="does", metavar="check|compile|sheet", required=True)
    check = does.add_parser("check", help="say whether these can be run, and what they need")
    check.add_argument(
        "files", metavar="FILE", nargs="+", help=f"station file (TOML), or one of {', '.join(shipped())}"
    )
    build = does.add_parser("compile", help="the JSON that a board takes")
    build.add_argument("file", metavar="FILE", help="station file (TOML), or a shipped one's name")
    build.add_argument("--node", required=True, metavar="N", help="the station's name")
    build.add_argument("--district", required=True, metavar="D", help="its district")
    build.add_argument("--network", metavar="FILE", type=Path, help="its Wi-Fi and broker (TOML)")
    build.add_argument("--out", metavar="FILE", type=Path, help="write here (standard output)")
    page = does.add_parser("sheet", help="data sheets in Markdown")
    page.add_argument("files", metavar="FILE", nargs="*", help="station files or names (all shipped ones)")
    page.add_argument("--out", metavar="FOLDER", type=Path, help="one page a station here (standard output)")


def run(args: argparse.Namespace) -> int:
    answer = {"check": _check, "compile": _compile, "sheet": _sheet}[args.does](args)
    if args.json:
        print(json.dumps(answer))
    return 0


def _check(args: argparse.Namespace) -> dict[str, Any]:
    found = []
    for name in args.files:
        station = load(name)
        needs = memory.mpy_bytes(station.as_data())
        lacks = _not_to_build(station)
        found.append({
            "file": str(station.source.path), "board": station.source.values["board"], "sensors": len(station.sensors),
            "points": [key for key, _ in station.points], "mpy_bytes": needs, "stock_mpy_bytes": memory.STOCK_MPY_BYTES,
            "lacks_to_build": lacks,
        })  # fmt: skip
        if not args.json:
            print(f"{station.source.path}: {len(station.points)} quantities of {len(station.sensors)} sensors on "
                  f"{station.board['name']}, {needs} bytes of .mpy")  # fmt: skip
            if lacks:
                print(f"{lacks}. A board runs it; `waspada hardware check {station.called}` judges what is built.")
    return {"stations": found}


def _not_to_build(station: Station) -> str:
    """What the file leaves out of its hardware, "" where it is all there."""
    try:
        demand(station)
    except InputError as error:
        return str(error)
    return ""


def _compile(args: argparse.Namespace) -> dict[str, Any]:
    made = for_a_board(Path(args.file), args.node, args.district, args.network)
    text = json.dumps(made, separators=(",", ":"))
    if args.out:
        _write(args.out, text + "\n")
    elif not args.json:
        print(text)
    return made


def _sheet(args: argparse.Namespace) -> dict[str, Any]:
    stations = [load(name) for name in args.files or shipped()]
    pages = {station.source.path.stem: sheet(station) for station in stations}
    if not args.out or args.out.resolve() != SHEETS:
        pages = {name: elsewhere(text) for name, text in pages.items()}
    if args.out and not args.files:
        pages["README"] = index(stations)
    for name, text in pages.items():
        if args.out:
            try:
                args.out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"{args.out} can't be made ({error.strerror}); give a folder") from None
            _write(args.out / f"{name}.md", text)
        elif not args.json:
            print(text)
    return {"sheets": sorted(pages)}


def elsewhere(page: str) -> str:
    """A page that is not in docs/sheets: what it links to is named, since beside it there is nothing."""
    page = re.sub(r"\[([^]]+)\]\(\.\./([^)]+)\)", r"\1 (docs/\2)", page)
    return re.sub(r"\[(wiring/[^]]+)\]\(wiring/[^)]+\)", r"\1", page)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror})") from None


def load(name: str | Path) -> Station:
    """A shipped station by its name, or a file by its path."""
    return Station(read(STATIONS, name, "station"))


def is_station_file(path: Path) -> bool:
    return path.suffix == ".toml" or str(path) in shipped()


def for_a_board(path: Path, node: str | None, district: str | None, network: Path | None = None) -> dict[str, Any]:
    """A station file compiled for `waspada flash`. Its name is the file's where none is given."""
    station = load(path)
    if not district:
        raise InputError(f"{path} is a station file, which stands in no district: give --district D (and --node N)")
    name = node or re.sub(r"[^a-z0-9_-]", "-", station.source.path.stem.lower())
    over = _its_own(station, read_network(network), network) if network else {}
    return station.compiled(name, district, NO_LIFE, **over)


def _its_own(station: Station, over: dict[str, Any], path: Path) -> dict[str, Any]:
    """Of a site's network file what this station's way into it takes: one file serves stations by Wi-Fi and by LTE."""
    kind = station.access.get("access", "wifi")
    if kind == "lte" and "lte" not in over and "apn" not in station.source.values["lte"]:
        raise InputError(
            f'{station.source.path}: access is lte, and {path} has no [lte] apn; write it, or apn = "" where the SIM needs none'
        )
    if kind == "wifi" and "wifi" not in over:
        raise InputError(
            f"{station.source.path}: access is wifi, and {path} has no [wifi]; write its ssid and key there"
        )
    return {key: value for key, value in over.items() if key == kind or key not in ("wifi", "lte")}


def read_network(path: Path) -> dict[str, Any]:
    """`wifi` or `lte`, `broker` and `time` of a site, in a file of their own: a key belongs in no station file."""
    try:
        source = Source(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} can't be read; give a TOML file with [wifi] or [lte], [broker] and [time]") from None
    for key in source.values:
        if key not in NETWORK:
            source.refuse((key,), f"unknown key '{key}'; allowed are {', '.join(NETWORK)}")
    return {key: table(source, source.values[key], NETWORK[key], (key,)) for key in NETWORK if key in source.values}
