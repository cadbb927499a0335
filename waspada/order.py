"""`waspada order`: settings and commands for a station, through the gateway's API."""

import argparse
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from simulator.errors import InputError

KEY_NAME = "WASPADA_KEY"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WITHIN_S = 10
LOOK_S = 0.5
STATES = {"alert": 1, "warning": 2, "danger": 3}
WELL = ("done", "confirmed")


def add(subparsers: Any) -> None:
    """The command's arguments."""
    words = "settings and commands for a station, through the gateway; waits for the station's answer"
    parser = subparsers.add_parser("order", help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.add_argument("node", metavar="NODE")
    parser.add_argument(
        "do", choices=("set", "ack", "shelve", "drill", "reboot", "status"), help="what; set takes KEY VALUE pairs"
    )
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="shelve SECONDS, drill STATE, set KEY VALUE [KEY VALUE ...]"
    )
    parser.add_argument("--gateway", default="http://127.0.0.1:8080", metavar="URL", help="default %(default)s")
    parser.add_argument("--district", metavar="D", help="needed where two districts have a station of this name")
    parser.add_argument(
        "--key-file", metavar="FILE", help=f"one line NAME:KEY; without it the environment's {KEY_NAME}"
    )
    parser.add_argument(
        "--expires", type=int, default=300, metavar="S", help="a command that came later is not carried out"
    )
    parser.add_argument("--wait", type=int, default=60, metavar="S", help="for the answer; 0: only send")


def run(args: argparse.Namespace) -> int:
    """0: done, or confirmed; 1: not."""
    wish = _wish(args)
    url = f"{args.gateway.rstrip('/')}/api/stations/{urllib.parse.quote(args.node, safe='')}/orders"
    url += f"?district={urllib.parse.quote(args.district)}" if args.district else ""
    order = _ask(url, wish, _key(args))
    until = time.monotonic() + args.wait
    while order["state"] == "waiting" and time.monotonic() < until:
        time.sleep(LOOK_S)
        order = next((o for o in _ask(url)["orders"] if o["id"] == order["id"]), order)
    if args.json:
        print(json.dumps(order))
    else:
        print(f"{args.node}: {order['what']}: {order['words']}{': ' + order['why'] if order['why'] else ''}")
    return 0 if order["state"] in WELL or (order["state"] == "waiting" and not args.wait) else 1


def _wish(args: argparse.Namespace) -> dict[str, Any]:
    do, words = args.do, args.words
    if do == "set":
        if not words or len(words) % 2:
            raise InputError("set takes KEY VALUE pairs: waspada order dr01 set level.danger 2.5 level.warning 1.8")
        return {"do": do, "values": dict(zip(words[::2], words[1::2], strict=True))}
    if len(words) != (do in ("shelve", "drill")):
        raise InputError(f"{do} takes {'one number' if do in ('shelve', 'drill') else 'nothing more'}")
    number = STATES.get(words[0], words[0]) if words else 0
    if not str(number).isdecimal():
        raise InputError(
            f"{do} takes a whole number{', or alert, warning, danger' if do == 'drill' else ''}, not {number!r}"
        )
    return {"do": do, "with": int(number), "expires_s": args.expires}


def _key(args: argparse.Namespace) -> str:
    """Never an argument: the list of processes shows those to everybody."""
    parts = urllib.parse.urlsplit(args.gateway)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise InputError(f"{args.gateway}: a key goes by https only, or by http to this machine")
    try:
        key = Path(args.key_file).read_text(encoding="utf-8") if args.key_file else os.environ.get(KEY_NAME, "")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{args.key_file} can't be read: it holds one line NAME:KEY") from None
    key = key.strip()
    if ":" not in key or not key.isascii() or not key.isprintable() or " " in key:
        where = args.key_file or f"the environment's {KEY_NAME}"
        raise InputError(f"{where} holds no NAME:KEY: `waspada gateway --key-for NAME` makes one")
    return key


def _ask(url: str, wish: dict[str, Any] | None = None, key: str = "") -> Any:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
    body = None if wish is None else json.dumps(wish).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=WITHIN_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            sentence = json.load(error)["error"]
        except (ValueError, KeyError, TypeError):
            sentence = f"the gateway answers {error.code}"
        raise InputError(sentence) from None
    except (OSError, ValueError) as error:
        raise InputError(f"the gateway at {url} can't be asked: {getattr(error, 'reason', error)}") from None
