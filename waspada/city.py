"""The city's folder: the only place that knows what lies where in it (docs/enrolment.md shows it).

What counts is `registry.jsonl`, to which lines are only ever added: a station is enrolled when its line is there, and that line is written last. Everything
is written under another name first. So a command that was cut off anywhere leaves leftovers, which the next one clears away (`mended`).
"""

import contextlib
import datetime
import getpass
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardware.compile import NAME
from hardware.shape import Source, table
from simulator.errors import InputError
from waspada.station import NETWORK

RESERVED = ("city", "gateway")  # no district: files and gateways are named so
STATION_TOML, STATION_JSON, SETTINGS = "station.toml", "station.json", "settings.json"
CA_DER, NODE_DER, KEY_DER, NODE_PEM, PIN = "ca.der", "node.der", "node-key.der", "node.pem", "pin"
LABEL_PDF, LABEL_PNG, RECORDS = "label.pdf", "label.png", ("record.json", "record.pdf")
SECRETS = (KEY_DER, PIN, LABEL_PDF, LABEL_PNG, STATION_JSON)  # of a station: the last has the Wi-Fi's key
FORMER = "former"  # records of boards that were replaced, by their lives
_NEW, _OLD = ".new-", ".old-"
IDENTITY = ("enrolled", "replaced", "revoked")
TLS_PORT = 8883
_HOST = NETWORK["broker"]["host"]
_BROKER: dict[str, Mapping[str, Any]] = {
    "host": _HOST,
    "port": {"low": 1, "high": 65535},
    "gateway_port": {"low": 1, "high": 65535},
    "tls": {"flag": True},
    "folder": {"text": r"/[^\s#]+", "about": "the folder's path on the broker's machine, without spaces"},
}


@dataclass(frozen=True)
class Network:
    """What city.toml says: where stations find their broker, and how they get there."""

    host: str
    port: int
    gateway_port: int
    broker_folder: str | None  # where the broker's machine has the folder `broker`, when it is not here
    ways: dict[str, Any]  # wifi, lte, time: as in a site's network file


@dataclass(frozen=True)
class Known:
    """An identity as the registry has it. A gateway's has no node."""

    district: str
    node: str | None
    life: str
    serial: str
    revoked: bool
    when: str

    @property
    def name(self) -> str:
        return common_name(self.district, self.node)


def common_name(district: str, node: str | None) -> str:
    """Of a certificate. No name has a dot in it."""
    return f"{district}.{node}" if node is not None else f"gateway.{district}"


def checked_name(what: str, name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise InputError(f"{what} {name!r:.40}: allowed are 1 to 32 of a-z 0-9 _ -, a letter or digit first")
    if what == "district" and name in RESERVED:
        raise InputError(f"no district can be called {name}: that name is the city's own; choose another")
    return name


def write(path: Path, data: bytes | str, mode: int = 0o644) -> None:
    """Whole under its name, or not there. 0o600 for secrets; Windows has no such modes, there the folder's own permissions count."""
    making = path.with_name(f"{_NEW}{path.name}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(making)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(making, flags, mode), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        os.replace(making, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(making)
        raise


def read_settings(folder: Path) -> tuple[int, dict[str, int]]:
    """(revision, values) of what was last saved in the field; of nothing, where nothing was."""
    path = folder / SETTINGS
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        revision, values = saved["revision"], saved["values"]
        if type(revision) is int and isinstance(values, dict) and all(type(value) is int for value in values.values()):
            return revision, values
    except FileNotFoundError:
        return 0, {}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # the sentence below says it
    raise InputError(
        f'{path} is damaged: it must be {{"revision":1,"values":{{"level.danger":1500}}}}; save them again'
    )


def write_settings(folder: Path, revision: int, values: Mapping[str, int]) -> None:
    """Integers in the units of the settings' table. A replacement starts with them."""
    write(folder / SETTINGS, json.dumps({"revision": revision, "values": dict(values)}, indent=1) + "\n")


class City:
    """One city's folder. Reading needs no lock, changing does: `with city.locked(): ...`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca"
        self.nodes = folder / "nodes"
        self.gateways = folder / "gateways"
        self.broker = folder / "broker"
        self.registry = folder / "registry.jsonl"
        self.images = folder / "images.toml"
        self.release = folder / "release.pem"
        self._toml = folder / "city.toml"

    @property
    def exists(self) -> bool:
        return self._toml.exists()

    def must_exist(self) -> "City":
        if not self.exists:
            raise InputError(f"{self.folder} is no city's folder: give --city DIR, or enrol a first station there")
        return self

    def node(self, district: str, node: str) -> Path:
        return self.nodes / common_name(district, node)

    def gateway(self, district: str) -> Path:
        return self.gateways / district

    def home(self, district: str, node: str | None) -> Path:
        return self.gateway(district) if node is None else self.node(district, node)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / ".lock", "ab") as file:
            if not _lock(file.fileno()):
                raise InputError(f"another command is at work in {self.folder}: wait for its end")
            yield

    # city.toml

    def network(self) -> Network:
        try:
            source = Source(self._toml, self._toml.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise InputError(f"{self._toml} is not text in UTF-8") from None
        except OSError as error:
            raise InputError(f"{self._toml} can't be read ({error.strerror})") from None
        keys = {"name", "broker", *NETWORK}
        for key in source.values:
            if key not in keys:
                source.refuse((key,), f"unknown key '{key}'; allowed are {', '.join(sorted(keys))}")
        broker = table(source, source.values.get("broker"), _BROKER, ("broker",))
        if broker.get("tls") is False:
            source.refuse(("broker", "tls"), "stations and broker prove themselves to each other: tls must be true")
        port = broker.get("port", TLS_PORT)
        ways: dict[str, Any] = {key: table(source, source.values[key], NETWORK[key], (key,))
                for key in ("wifi", "lte", "time") if key in source.values}  # fmt: skip
        gateway_port = broker.get("gateway_port", port % 65535 + 1)
        if gateway_port == port:
            source.refuse(("broker", "gateway_port"), "gateways have a port of their own: it must not be port")
        return Network(broker["host"], port, gateway_port, broker.get("folder"), ways)

    def begin(self, host: str, port: int) -> None:
        """A new city's city.toml."""
        name = re.sub(r"[^a-z0-9_-]", "-", self.folder.resolve().name.lower()) or "city"
        text = f"name = {_quoted(name)}\n\n[broker]\nhost = {_quoted(host)}\nport = {port}\ngateway_port = {port % 65535 + 1}\n"
        write(self._toml, text + "tls = true\n", 0o600)

    def add_wifi(self, ssid: str, key: str) -> None:
        """At the end, so that whatever was written by hand stays as it is."""
        text = self._toml.read_text(encoding="utf-8").rstrip("\n")
        write(self._toml, f"{text}\n\n[wifi]\nssid = {_quoted(ssid)}\nkey = {_quoted(key)}\n", 0o600)

    # registry.jsonl

    def rows(self) -> list[dict[str, Any]]:
        try:
            data = self.registry.read_bytes()
        except FileNotFoundError:
            names = {path.name for path in self._entries(self.nodes)}
            if any(not name.startswith((_NEW, _OLD)) and _OLD + name not in names for name in names):
                advice = "bring it back from your copy: it says which boards are the city's"
                raise InputError(f"{self.registry} is gone, and there are stations; {advice}") from None
            return []
        found = []
        for number, line in enumerate(data.split(b"\n")[:-1], 1):  # a line that was cut off never counted
            try:
                row = json.loads(line)
                if not isinstance(row["what"], str) or not isinstance(row["district"], str):
                    raise ValueError
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{self.registry}, line {number}: not an entry; bring it back from your copy"
                ) from None
            found.append(row)
        return found

    def record(self, what: str, district: str, node: str | None, when: datetime.datetime, **more: Any) -> None:
        """One line: flashed, commissioned, settings ... Never a secret."""
        self.append([self.row(what, district, node, when, **more)])

    @staticmethod
    def row(what: str, district: str, node: str | None, when: datetime.datetime, **more: Any) -> dict[str, Any]:
        try:
            who = getpass.getuser()
        except (OSError, KeyError, ImportError):
            who = "unknown"
        return {
            "when": f"{when:%Y-%m-%dT%H:%M:%SZ}",
            "who": who,
            "what": what,
            "district": district,
            "node": node,
            **more,
        }

    def append(self, rows: list[dict[str, Any]]) -> None:
        """All these lines in one go, with everything written before them on the disk."""
        if hasattr(os, "sync"):
            os.sync()
        try:
            whole = self.registry.read_bytes().rfind(b"\n") + 1
        except FileNotFoundError:
            whole = 0
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(self.registry, flags, 0o600), "r+b") as file:
            file.truncate(whole)
            file.seek(whole)
            try:
                file.write("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(whole)  # a full disk took a part of it
                raise

    def known(self) -> dict[str, Known]:
        """By name, what each identity is now."""
        found = {}
        for row in self.rows():
            if row["what"] in IDENTITY:
                one = Known(row["district"], row["node"], row.get("life", ""), row["serial"],
                            row["what"] == "revoked", row["when"])  # fmt: skip
                found[one.name] = one
        return found

    def station(self, named: str, district: str | None) -> Known:
        """The enrolled station `node` or `district/node`. InputError: there is none, several, or it is revoked."""
        before, _, node = named.replace("/", ".").rpartition(".")
        within = district or before
        found = [one for one in self.must_exist().known().values() if one.node == node and within in ("", one.district)]
        if not found:
            where = f"{within}/{node}" if within else node
            raise InputError(f"{where} is not enrolled in {self.folder}: waspada enrol --list-nodes says what is")
        if len(found) > 1:
            raise InputError(f"{node} is in {' and '.join(one.district for one in found)}: give --district")
        if found[0].revoked:
            whose = f"{node} --district {found[0].district}"
            raise InputError(f"{found[0].district}/{node} is revoked: waspada enrol {whose} --replace makes it anew")
        return found[0]

    def revoked(self, district: str | None) -> list[str]:
        """Serials that a district's authority (None: the city's, which vouches for gateways) has taken back."""
        return [row["revokes"] for row in self.rows()
                if row.get("revokes") and (row["node"] is None if district is None else
                                           row["node"] is not None and row["district"] == district)]  # fmt: skip

    def pins(self) -> set[str]:
        found = set()
        for folder in self._entries(self.nodes):
            with contextlib.suppress(OSError):
                found.add((folder / PIN).read_text(encoding="ascii", errors="replace").strip())
        return found

    # Folders that appear whole

    @contextlib.contextmanager
    def making(self, home: Path) -> Iterator[Path]:
        """A new folder to be filled; `swap` puts it in its place."""
        home.parent.mkdir(mode=0o700, exist_ok=True)
        folder = home.with_name(_NEW + home.name)
        _remove(folder)
        folder.mkdir(mode=0o700)
        yield folder

    @staticmethod
    def swap(home: Path) -> None:
        """The new folder to its place; what was there stays aside until `clear`. An empty folder aside says that nothing was."""
        aside = home.with_name(_OLD + home.name)
        if home.exists():
            os.rename(home, aside)
        else:
            aside.mkdir(mode=0o700)
        os.rename(home.with_name(_NEW + home.name), home)

    @staticmethod
    def clear(home: Path) -> None:
        _remove(home.with_name(_OLD + home.name))

    def mended(self) -> bool:
        """Clears away what a command left when it was cut off: an identity is what the registry says, old or new. Whether one was taken back."""
        known = self.known()
        taken_back = False
        for parent in (self.nodes, self.gateways):
            for path in self._entries(parent):
                if path.name.startswith(_NEW):
                    _remove(path)
            for path in self._entries(parent):
                if path.name.startswith(_OLD):
                    home = path.with_name(path.name.removeprefix(_OLD))
                    name = home.name if parent is self.nodes else common_name(home.name, None)
                    if serial_in(home) is not None and name in known and serial_in(home) == known[name].serial:
                        _remove(path)
                    else:
                        taken_back = True
                        _remove(home)
                        if any(path.iterdir()):
                            os.rename(path, home)
                        else:
                            path.rmdir()
        for one in known.values():
            if one.revoked:
                self.forget(one)
        return taken_back

    def forget(self, one: Known) -> None:
        """The secrets of an identity that is no more."""
        for name in SECRETS if one.node is not None else ("gateway-key.pem",):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.home(one.district, one.node) / name)

    @staticmethod
    def _entries(parent: Path) -> list[Path]:
        return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def serial_in(home: Path) -> str | None:
    """Of the certificate in an identity's folder."""
    from cryptography import x509

    for name in (NODE_PEM, "gateway.pem"):
        with contextlib.suppress(OSError, ValueError):
            return f"{x509.load_pem_x509_certificate((home / name).read_bytes()).serial_number:x}"
    return None


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _lock(number: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
