"""A station's description for tests, and the VM's surroundings that make it a board."""

import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAKES = ROOT / "tests" / "fakes" / "board"
FIRMWARE = ROOT / "firmware"
RANGER_POWER, SIREN, STROBE = 4, 25, 26


def environment(firmware: Path | None = FIRMWARE) -> dict[str, str]:
    """What the VM's imports see: the stand-ins, then the firmware unless it is in the board's own folder."""
    path = [str(FAKES), *([str(firmware)] if firmware else []), ".frozen"]
    return dict(os.environ, MICROPYPATH=os.pathsep.join(path))


def describe(folder: Path, port: int = 0, settings: dict[str, int] | None = None, **more: object) -> dict:
    """Writes `folder`/station.json; a broker on loopback where `port` is given. `more` replaces whole members."""
    station = {
        "node": "dr01",
        "district": "demo",
        "life": "5eed0001",
        "seed": 7,
        "sensors": [
            {"driver": "a02yyuw", "bus": "uart1", "gives": "level"},
            {"driver": "battery", "bus": "adc1", "gives": "battery", "ratio_milli": 5700},
        ],
        "settings": {"sensor.height": 4500, "sample.interval": 5, "sample.alarm_interval": 2, **(settings or {})},
        "pins": {
            "uart1": {"kind": "uart", "rx": 16, "tx": 17, "baud": 9600, "power": RANGER_POWER},
            "adc1": {"kind": "adc", "pin": 34},
            "siren": {"kind": "output", "pin": SIREN},
            "strobe": {"kind": "output", "pin": STROBE},
        },
        "wifi": {"ssid": "", "key": ""},
        "broker": {"host": "127.0.0.1" if port else "", "port": port},
        "time": {"host": "127.0.0.1", "port": 9},
        "watchdog_s": 60,
        **more,
    }
    (folder / "station.json").write_text(json.dumps(station))
    (folder / "world").mkdir(exist_ok=True)
    return station


def pins(folder: Path) -> list[tuple[int, int]]:
    """Every change of an output so far, as (pin, value)."""
    try:
        lines = (folder / "world" / "pins").read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []
    return [(int(pin), int(value)) for pin, value in (line.split() for line in lines)]
