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


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    from gateway import config, service

    try:
        done = service.run(config.load(args.config))
    except config.ConfigError as error:
        raise InputError(str(error)) from None
    if args.json:
        print(json.dumps(done), flush=True)
    return 0
