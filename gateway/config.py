"""The gateway's configuration: a TOML file, every key of which has a default, so that `waspada gateway` alone works."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field

Port = Annotated[int, Meta(ge=1, le=65535)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


PERSON = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
Person = Annotated[str, Meta(pattern=f"^{PERSON.pattern}$")]
KeyHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class ConfigError(Exception):
    """One sentence: file, key, what is allowed."""


class Tls(Struct, forbid_unknown_fields=True, frozen=True):
    """PEM files: who vouches for the broker, and what the gateway proves itself with, as `waspada enrol` makes them."""

    authority: Text
    certificate: Text
    key: Text


class Broker(Struct, forbid_unknown_fields=True, frozen=True):
    """`inflight` is the broker's own max_inflight_messages (mosquitto's default is 20): a commit waits for no more messages than the broker sends."""

    host: Text = "127.0.0.1"
    port: Port = 1883
    user: str | None = None
    password: str | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    inflight: Annotated[int, Meta(ge=1, le=65535)] = 20
    flush_ms: Annotated[int, Meta(ge=1, le=1000)] = 50
    tls: Tls | None = None


class Web(Struct, forbid_unknown_fields=True, frozen=True):
    """Port 0: no page and no API."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080


class Station(Struct, forbid_unknown_fields=True, frozen=True):
    """What a person is told of a station: `label` is a word beside its name (synthetic, recorded), `source` says whose data it is."""

    title: str = ""
    label: str = ""
    source: str = ""


class Updates(Struct, forbid_unknown_fields=True, frozen=True):
    """`folder`: releases that `waspada update publish` put there, one folder per version; none: no updates are served."""

    folder: str | None = None


class Config(Struct, forbid_unknown_fields=True, frozen=True):
    """`clock` "newest": now is the newest time any reading has, for replayed floods. `stale_s`: a station silent for longer is greyed.

    `people`: who may change settings and send commands, each with the hash of a key (`waspada gateway --key-for NAME` makes both); nobody else may.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")] = "main"
    title: Text = "Waspada"
    district: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")] | None = None
    database: Text = "waspada.db"
    clock: Literal["wall", "newest"] = "wall"
    stale_s: Annotated[int, Meta(ge=10, le=604800)] = 900
    broker: Broker = Broker()
    web: Web = Web()
    updates: Updates = Updates()
    people: dict[Person, KeyHash] = field(default_factory=dict)
    stations_file: str | None = None
    stations: dict[str, Station] = field(default_factory=dict)


def load(path: str | None) -> Config:
    """The file's configuration, or the defaults without one. Relative paths in a file are relative to it."""
    if path is None:
        return Config()
    config: Config = _decode(path, Config)
    folder = Path(path).parent
    changes: dict[str, Any] = {}
    if config.database != ":memory:":
        changes["database"] = str(folder / config.database)
    tls = config.broker.tls
    if tls is not None:
        within = Tls(*(str(folder / name) for name in (tls.authority, tls.certificate, tls.key)))
        changes["broker"] = msgspec.structs.replace(config.broker, tls=within)
    if config.updates.folder is not None:
        changes["updates"] = Updates(folder=str(folder / config.updates.folder))
    if config.stations_file is not None:
        file = str(folder / config.stations_file)
        changes["stations"] = {**_decode(file, dict[str, Station]), **config.stations}
    return msgspec.structs.replace(config, **changes)


def _decode(path: str, kind: Any) -> Any:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(path, str(error), kind)) from None


def _sentence(path: str, message: str, kind: Any) -> str:
    """msgspec's message with the file, the key, and for an unknown key those that exist."""
    what, _, where = message.partition(" - at ")
    key = where.strip("`$").replace("[...]", ".<node>").lstrip(".")
    unknown = re.fullmatch(r"Object contains unknown field `(.+)`", what)
    if unknown:
        table = _table(kind, key)
        allowed = f"; there are {', '.join(table.__struct_fields__)}" if table is not None else ""
        return f"{path}: there is no key {key + '.' if key else ''}{unknown[1]}{allowed}"
    return f"{path}: {key or 'the file'}: {what[0].lower()}{what[1:].replace('`', '')}"


def _table(kind: Any, key: str) -> Any:
    """The table that a key of the file names."""
    for part in key.split(".") if key else ():
        if part == "<node>":
            kind = get_args(kind)[-1]
        elif isinstance(kind, type) and issubclass(kind, Struct):
            kind = next((f.type for f in msgspec.structs.fields(kind) if f.name == part), None)
    if get_origin(kind) is dict:
        kind = get_args(kind)[-1]
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None
