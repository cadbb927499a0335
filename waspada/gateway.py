"""`waspada gateway`: the district's service."""

import argparse
import json
from typing import Any

from simulator.errors import InputError


def add(subparsers: Any) -> None:
    """The command's arguments."""
    words = "readings in by MQTT, kept, acknowledged after commit, and shown on a page"
    parser = subparsers.add_parser("gateway", help=words, description=f"The district's service: {words}.")
    parser.add_argument(
        "--config", metavar="FILE", help="TOML; without it 127.0.0.1:1883, ./waspada.db and a page at 127.0.0.1:8080"
    )
    parser.add_argument(
        "--key-for", metavar="NAME", help="make a key with which NAME may change settings and send commands; then end"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    if args.key_for:
        return _make_key(args.key_for, args.json)
    from gateway import config, service

    try:
        done = service.run(config.load(args.config))
    except config.ConfigError as error:
        raise InputError(str(error)) from None
    if args.json:
        print(json.dumps(done), flush=True)
    return 0


def _make_key(name: str, as_json: bool) -> int:
    """Shown once, kept nowhere: the file gets only its hash."""
    from gateway.access import new_key
    from gateway.config import PERSON

    if not PERSON.fullmatch(name):
        raise InputError(f"a person's name is 1 to 32 of a-z 0-9 _ . -, beginning with a letter or digit, not {name!r}")
    key, hashed = new_key()
    if as_json:
        print(json.dumps({"name": name, "key": key, "sha256": hashed}))
    else:
        print(f'the key of {name}, shown only now: {key}\nfor the gateway\'s file:\n\n[people]\n"{name}" = "{hashed}"')
    return 0
