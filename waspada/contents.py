"""What a board's file system gets: the application, the same for every board, and one station's own files."""

import hashlib
import importlib
import json
import re
import secrets
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.core import limits, pin
from node.core.settings import COPIES, ROWS, Settings
from node.core.signature import usable_key
from node.core.slots import SLOTS
from node.esp32 import description
from simulator.errors import InputError
from waspada import city as layout
from waspada import packing
from waspada.city import City, Known, common_name

EARLIER_S = 86_400  # the station believes no time before; this machine's may be ahead
UPDATE_KEY = "update.key"
CERTIFICATE = "certs/node.der"


@dataclass(frozen=True)
class App:
    """`slot`: what an update changes; `beside`: what none does."""

    slot: dict[str, bytes]
    beside: dict[str, bytes]

    @classmethod
    def built(cls) -> "App":
        with tempfile.TemporaryDirectory() as folder:
            packing.board(Path(folder))
            slot = {path.name: path.read_bytes() for path in sorted((Path(folder) / "a").iterdir(), reverse=True)}
            beside = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.is_file()}
        return cls(slot, beside)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.slot["manifest"]).hexdigest()


@dataclass(frozen=True)
class Target:
    """The station that a board becomes. `own` are its files; what is secret in them is not shown by repr."""

    district: str
    node: str
    life: str
    station: dict[str, Any] = field(repr=False)
    secrets: dict[str, bytes] = field(repr=False)  # file on the board -> content
    serial: str = ""  # of its certificate
    pin: str | None = field(default=None, repr=False)
    home: Path | None = None  # None: no city knows it

    @property
    def name(self) -> str:
        return common_name(self.district, self.node)

    @property
    def certificate(self) -> str:
        """SHA-256 of it, "" for none."""
        return digest(self.secrets.get(CERTIFICATE))

    def own(self, life: str | None = None) -> dict[str, bytes]:
        station = {**self.station, "life": life or self.life}
        station["commissioned"] = max(station.get("commissioned", 0), int(time.time()) - EARLIER_S)
        described = described_as(station)
        return {**self.secrets, **dict.fromkeys(description.NAMES, described)}

    def files(self, app: App, boot: int) -> dict[str, bytes]:
        """A whole board. `boot`: numbers up to it have been given to records of this life, on a board or before it was erased."""
        slots = {
            f"{slot}/{name}": data for slot in SLOTS for name, data in app.slot.items()
        }  # one is the other's spare
        files = {**app.beside, **slots, **self.own()}
        return {**files, "data/boot": b"%d" % boot} if boot else files

    def settings(self) -> Settings:
        rows = limits.ROWS if self.station.get("watch") else ROWS
        return Settings(self.station.get("settings", {}), rows)


def described_as(station: dict[str, Any]) -> bytes:
    """`station.json` as node/esp32/description.py checks it: its last member is the CRC-32 of all before it."""
    body = json.dumps({key: value for key, value in station.items() if key != "crc"}, separators=(",", ":"))[
        :-1
    ].encode()
    return body + b',"crc":"%08x"}' % zlib.crc32(body)


def digest(certificate: bytes | None) -> str:
    return hashlib.sha256(certificate).hexdigest() if certificate else ""


def of_city(city: City, named: str, district: str | None) -> Target:
    """An enrolled station. InputError: it is none, or its folder is not what the registry says."""
    one = city.station(named, district)
    assert one.node is not None
    home = city.node(one.district, one.node)
    advice = f"bring {home} back from your copy, or make it anew: waspada enrol {one.node} --district {one.district} --replace"
    try:
        station = json.loads((home / layout.STATION_JSON).read_text(encoding="utf-8"))
        ca, node, key = ((home / name).read_bytes() for name in (layout.CA_DER, layout.NODE_DER, layout.KEY_DER))
        number = (home / layout.PIN).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise InputError(f"{home} is not whole ({getattr(error, 'strerror', None) or error}); {advice}") from None
    if not isinstance(station, dict) or not re.fullmatch(r"\d{6}", number):
        raise InputError(f"{home} is damaged; {advice}")
    same = (station.get("district"), station.get("node"), station.get("life")) == (one.district, one.node, one.life)
    if not same or not _belong_together(node, key, one):
        raise InputError(f"{home} holds another identity than {city.registry} says; {advice}")
    check_station(station, home / layout.STATION_JSON)
    values = layout.read_settings(home)[1]
    station["settings"] = {**station.get("settings", {}), **values}
    check_station(station, home / layout.SETTINGS)
    own = {
        "certs/ca.der": ca,
        CERTIFICATE: node,
        "certs/node-key.der": key,
        "pin": pin.encode(number, secrets.token_bytes(16)),
    }
    if city.release.exists():
        own[UPDATE_KEY] = read_key(city.release)
    return Target(one.district, one.node, one.life, station, own, one.serial, number, home)


def _belong_together(certificate: bytes, key: bytes, one: Known) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.x509.oid import NameOID

    try:
        found = x509.load_der_x509_certificate(certificate)
        secret = serialization.load_der_private_key(key, None)
        names = [part.value for part in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError):
        return False
    return (
        f"{found.serial_number:x}" == one.serial and names == [one.name] and secret.public_key() == found.public_key()
    )


def on_a_bench(station: dict[str, Any], key: Path | None) -> Target:
    """A station that no city knows: without TLS of its own, with a life that is drawn now."""
    own = {UPDATE_KEY: read_key(key)} if key else {}
    return Target(station["district"], station["node"], secrets.token_hex(4), station, own)


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
    check_station(station, path)
    return station


def check_station(station: dict[str, Any], path: Path) -> None:
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


def read_key(path: Path) -> bytes:
    """A line for `update.key`, of NAME.pub or of a public key in PEM: the key's name and its modulus."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); give NAME.pub of waspada update keygen") from None
    try:
        modulus = _modulus(data) if data.startswith(b"-----BEGIN PUBLIC") else bytes.fromhex(data.split()[1].decode())
        if usable_key(modulus):
            return f"{hashlib.sha256(modulus).hexdigest()[:8]} {modulus.hex()}\n".encode()
    except (ValueError, IndexError):
        pass  # the sentence below says it
    raise InputError(f"{path} is no public key of RSA-3072; give NAME.pub of waspada update keygen")


def _modulus(pem: bytes) -> bytes:
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    numbers = getattr(serialization.load_pem_public_key(pem), "public_numbers", lambda: None)()
    modulus = getattr(numbers, "n", 0)
    return modulus.to_bytes((modulus.bit_length() + 7) // 8, "big") if getattr(numbers, "e", 0) == 65537 else b""


def saved_settings(target: Target, content: Callable[[str], bytes | None]) -> tuple[int, dict[str, int]] | None:
    """(revision, values) of what was saved on a board, whose file in `data` is `content(name)`; None when nothing is."""
    best: Settings | None = None
    for name in COPIES:
        found = target.settings()
        saved = content(name)
        if saved and found.recover(saved) and (best is None or found.revision > best.revision):
            best = found
    if best is None:
        return None
    given = target.station.get("settings", {})
    values = {row[0]: value for row, value in zip(best.rows, best.values, strict=True)
              if value != row[3] or row[0] in given}  # fmt: skip
    return best.revision, values
