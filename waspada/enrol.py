"""`waspada enrol NODE --district D --station FILE`: a station's key, certificate, PIN and label, in the city's folder."""

import argparse
import csv
import datetime
import getpass
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hardware.compile import shipped
from simulator.errors import InputError
from waspada import broker, labels
from waspada.city import TLS_PORT, City, Known, checked_name, write
from waspada.enrolment import Done, Enrolment, Wish, at_work, label_of

COLUMNS = ("node", "district", "station")
MOST = 10_000
RESTART = (
    "waspada.conf",
)  # its listeners are opened only when mosquitto starts; everything else it reads again when told


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("enrol", help="stations into the city's folder: key, certificate, PIN, label")
    parser.add_argument("node", metavar="NODE", nargs="?", help="the station's name")
    parser.add_argument("--district", metavar="D", help="its district")
    parser.add_argument("--station", metavar="FILE", help="station file (TOML), or a shipped one's name")
    parser.add_argument("--city", metavar="DIR", type=Path, default=Path("city"), help="the city's folder (./city)")
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help=f"of a new city: where stations find it (port {TLS_PORT})"
    )
    parser.add_argument("--wifi", metavar="SSID", help="the stations' Wi-Fi (city.toml's)")
    parser.add_argument("--wifi-key-file", metavar="FILE", type=Path, help="its key (asked for)")
    parser.add_argument("--labels-out", metavar="FILE", type=Path, help="their labels on A4 sheets (PDF)")
    parser.add_argument(
        "--broker-pid-file", metavar="FILE", type=Path, help="mosquitto's pid_file: it is told to reload"
    )
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--list", metavar="FILE", type=Path, help=f"many at once: CSV with {', '.join(COLUMNS)}")
    does.add_argument("--revoke", action="store_true", help="the broker lets it in no more")
    does.add_argument("--list-nodes", action="store_true", help="who is enrolled")
    parser.add_argument(
        "--replace", action="store_true", help="a new board for a station: it stays, key, PIN and life are new"
    )
    parser.add_argument("--gateway", action="store_true", help="the district's gateway instead of a station")


def run(args: argparse.Namespace) -> int:
    _check(args)
    city = City(args.city)
    if args.list_nodes:
        return _list_nodes(city, args.json)
    pid = broker.pid_of(args.broker_pid_file) if args.broker_pid_file else None
    wishes = [] if args.revoke or args.gateway else _wishes(args)
    if wishes:
        labels.need()
    wifi = _wifi(args) if args.wifi else None
    now = datetime.datetime.now(datetime.UTC)
    with at_work(city), _city_toml(city, args.broker, wifi):
        enrolment = Enrolment(city, now, wifi)
        done, kept = _carry_out(args, enrolment, wishes)
    result = _result(city, args, done, kept)
    if args.labels_out:
        _sheet(city, wishes, args.labels_out)
        result["labels"] = str(args.labels_out)
    return _told(result, args, enrolment.changed, pid)


def _check(args: argparse.Namespace) -> None:
    if args.list_nodes:
        return
    named = bool(args.node) + bool(args.list) + bool(args.gateway)
    if named != 1:
        raise InputError("say whom: NODE --district D, --list FILE or --gateway --district D")
    if args.replace and (args.list or args.revoke):
        raise InputError("--replace is for one NODE, and makes it anew: leave out --list and --revoke")
    if args.station and (args.revoke or args.gateway):
        raise InputError("--station is for a station that is made: leave it out")
    if args.wifi_key_file and not args.wifi:
        raise InputError("--wifi-key-file is the key of --wifi SSID: give both")
    if args.labels_out and (args.revoke or args.gateway):
        raise InputError("--labels-out prints stations' labels: leave it out")
    if not args.district and not args.list:
        raise InputError("say the district: --district D")
    for what, name in (("district", args.district), ("node", args.node)):
        if name:
            checked_name(what, name)
    if args.node and not args.station and not (args.revoke or args.replace):
        raise InputError(f"no station file: give --station FILE, or one of {', '.join(shipped())}")


def _wishes(args: argparse.Namespace) -> list[Wish]:
    if not args.list:
        return [Wish(args.district, args.node, Path(args.station) if args.station else None)]
    path: Path = args.list
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8") from None
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror}); give a CSV file with {', '.join(COLUMNS)}"
        ) from None
    rows = csv.reader(lines)
    try:
        head = [name.strip() for name in next(rows, [])]
        found = _rows(path, head, rows, args)
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: {error}") from None
    if not found:
        raise InputError(f"{path} names no station: below its head a line for each, {','.join(COLUMNS)}")
    return found


def _rows(path: Path, head: list[str], rows: Any, args: argparse.Namespace) -> list[Wish]:
    unknown = [name for name in head if name not in COLUMNS]
    if unknown or "node" not in head or len(set(head)) != len(head):
        raise InputError(
            f"{path}, line 1: the head must be of {','.join(COLUMNS)}; the last two may be options instead"
        )
    found: dict[str, Wish] = {}
    for cells in rows:
        where = f"{path}, line {rows.line_num}: "
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(head):
            raise InputError(f"{where}{len(cells)} columns, the head has {len(head)}")
        row = dict(zip(head, (cell.strip() for cell in cells), strict=True))
        given = {"node": "", "district": args.district or "", "station": args.station or ""}
        given.update({key: value for key, value in row.items() if value})
        for key in COLUMNS:
            if not given[key]:
                raise InputError(f"{where}no {key}" + (f": give it here or as --{key}" if key != "node" else ""))
        try:
            district, node = checked_name("district", given["district"]), checked_name("node", given["node"])
        except InputError as error:
            raise InputError(f"{where}{error}") from None
        named = Path(given["station"])
        beside = path.parent / named
        from_list = bool(row.get("station")) and given["station"] not in shipped()
        wish = Wish(district, node, beside if from_list else named, where)
        if wish.name in found:
            raise InputError(f"{where}{district}/{node} is listed twice")
        found[wish.name] = wish
        if len(found) > MOST:
            raise InputError(f"{where}more than {MOST} stations: make several lists of it")
    return list(found.values())


def _wifi(args: argparse.Namespace) -> dict[str, str]:
    """The key comes from a file or from the keyboard: what stands on the command line is seen by others."""
    if args.wifi_key_file:
        try:
            key = args.wifi_key_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise InputError(
                f"{args.wifi_key_file} can't be read; give a file with the Wi-Fi's key and nothing else"
            ) from None
    elif sys.stdin.isatty():
        key = getpass.getpass("Wi-Fi key: ")
    else:
        raise InputError("--wifi needs its key: give --wifi-key-file FILE")
    if not 1 <= len(args.wifi.encode()) <= 32 or not args.wifi.isprintable():
        raise InputError("--wifi: a name of 1 to 32 letters")
    if len(key) > 63 or not key.isprintable():
        raise InputError("the Wi-Fi's key: up to 63 letters on one line")
    return {"ssid": args.wifi, "key": key}


@contextmanager
def _city_toml(city: City, address: str | None, wifi: dict[str, str] | None) -> Iterator[None]:
    """A new city's file, or what it lacks; as it was before when nothing comes of it."""
    path = city.folder / "city.toml"
    before = path.read_bytes() if city.exists else None
    try:
        if before is None:
            if not address:
                raise InputError(
                    f"{city.folder} is no city's folder: give --city DIR, or for a new city --broker HOST[:PORT]"
                )
            city.begin(*_address(address))
        elif address:
            network = city.network()
            if _address(address) != (network.host, network.port):
                raise InputError(
                    f"{path} says {network.host}:{network.port}, which boards know: change it there, or leave out --broker"
                )
        if wifi is not None and "wifi" not in city.network().ways:
            city.add_wifi(wifi["ssid"], wifi["key"])
        yield
    except BaseException:
        if before is not None:
            write(path, before, 0o600)
        elif city.exists and not city.rows():
            os.unlink(path)
        raise


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.partition(":")
    if not host or (colon and not (port.isdigit() and 0 < int(port) < 65536)):
        raise InputError(f"--broker {text!r:.60}: give HOST or HOST:PORT")
    return host, int(port) if colon else TLS_PORT


def _carry_out(args: argparse.Namespace, enrolment: Enrolment, wishes: list[Wish]) -> tuple[list[Done], list[Known]]:
    if args.revoke:
        enrolment.revoke(args.district, args.node)
        return [], []
    if args.gateway:
        return [enrolment.gateway(args.district, args.replace)], []
    if args.replace:
        return [enrolment.replace(wishes[0])], []
    with tqdm(total=len(wishes), unit=" stations", delay=2, leave=False, file=sys.stderr) as bar:
        return enrolment.enrol(wishes, bar.update)


def _result(city: City, args: argparse.Namespace, done: list[Done], kept: list[Known]) -> dict[str, Any]:
    if args.revoke:
        whom = f"{args.district}/{args.node}" if args.node else f"the gateway of {args.district}"
        return {
            "said": f"{whom} is revoked",
            "city": str(city.folder),
            "revoked": [{"district": args.district, "node": args.node}],
        }
    stations = [one for one in done if one.node is not None]
    what = "replaced" if args.replace else "enrolled"
    if len(stations) == 1:
        one = stations[0]
        said = f"{one.district}/{one.node} is {what}, life {one.life}: {one.folder}"
    elif stations:
        said = f"{len(stations)} stations are {what}: {city.nodes}"
    else:
        said = "" if args.gateway else "no station is new"
    if kept:
        said += f"; {len(kept)} were there already"
    gateways = [one for one in done if one.node is None]
    if gateways:
        said += f"{'; ' if said else ''}for the gateway: " + ", ".join(str(one.folder) for one in gateways)
    return {
        "said": said,
        "city": str(city.folder),
        what: [one.as_row() for one in stations],
        "gateways": [{"district": one.district, "serial": one.serial, "folder": str(one.folder)} for one in gateways],
        "kept": [{"district": one.district, "node": one.node} for one in kept],
    }


def _sheet(city: City, wishes: list[Wish], path: Path) -> None:
    known = city.known()
    found = [label_of(city, known[wish.name]) for wish in wishes]
    try:
        with tqdm(total=len(found), unit=" labels", delay=2, leave=False, file=sys.stderr) as bar:
            write(path, labels.sheet(found, bar.update), 0o600)
    except OSError as error:
        raise InputError(
            f"{path} can't be written ({error.strerror}); the stations are enrolled: give --list again with another --labels-out"
        ) from None


def _told(result: dict[str, Any], args: argparse.Namespace, changed: list[str], pid: int | None) -> int:
    """What mosquitto has to do: read its files again, or start anew."""
    needs = "restart" if set(changed) & set(RESTART) else "reload" if changed else None
    why = None
    if pid is not None and changed:
        why = broker.reload(pid)
        if needs == "reload" and why is None:
            needs = None
    result["broker"] = {"changed": changed, "needs": needs}
    if why is not None:
        result["broker"]["trouble"] = why
    if args.json:
        print(json.dumps(result), flush=True)
    else:
        print(result["said"])
    if why is not None:
        print(f"waspada: mosquitto could not be told ({why}): restart it", file=sys.stderr)
    elif needs is not None:
        how = (
            "kill -HUP its process" if needs == "reload" else f"restart it with {args.city / 'broker' / 'waspada.conf'}"
        )
        print(f"waspada: mosquitto does not know yet: {how}", file=sys.stderr)
    return 1 if why is not None else 0


def _list_nodes(city: City, as_json: bool) -> int:
    known = sorted(city.must_exist().known().values(), key=lambda one: one.name)
    if as_json:
        rows = [{"district": one.district, "node": one.node, "life": one.life, "serial": one.serial,
                 "revoked": one.revoked, "when": one.when} for one in known]  # fmt: skip
        print(json.dumps({"nodes": rows}), flush=True)
        return 0
    for one in known:
        name = f"{one.district}/{one.node}" if one.node is not None else f"{one.district}, gateway"
        print(f"{name:40} {'revoked ' if one.revoked else 'enrolled'} {one.life:8} {one.when}")
    return 0
