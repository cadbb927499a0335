"""`waspada update keygen|build|sign|check|publish`: signed releases of the firmware, made where the city keeps its key."""

import argparse
import base64
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.config import Broker, Config, ConfigError, load
from gateway.connection import why
from gateway.tls import context
from gateway.updates import OFFER, Release, ReleaseError
from node.core.signature import KEY_BYTES, usable_key
from node.core.update import MANIFEST, NEEDED, Fetch, Offer, Refused, version_of
from node.version import VERSION
from simulator.errors import InputError
from waspada import packing
from waspada.city import City, common_name
from waspada.enrolment import GATEWAY_TOML

WITHIN_S = 10.0


def add(subparsers: Any) -> None:
    words = "signed releases of the firmware: a key, a release, its signature, its publication"
    parser = subparsers.add_parser("update", help=words, description=f"{words[0].upper()}{words[1:]}.")
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    keygen = steps.add_parser("keygen", help="make the city's key: NAME.pem is secret, NAME.pub goes onto boards")
    keygen.add_argument("name", metavar="NAME", type=Path)
    build = steps.add_parser("build", help="compile this firmware into a release")
    build.add_argument("folder", metavar="FOLDER", type=Path)
    build.add_argument(
        "--downgrade-from",
        metavar="VERSION",
        action="append",
        default=[],
        help="nodes of this version may go back to it",
    )
    sign = steps.add_parser("sign", help="sign a release")
    sign.add_argument("folder", metavar="FOLDER", type=Path)
    sign.add_argument("--key", metavar="NAME.pem", type=Path, required=True)
    check = steps.add_parser("check", help="whether a node that knows this key would take the release")
    check.add_argument("folder", metavar="FOLDER", type=Path)
    check.add_argument("--key", metavar="NAME.pub", type=Path, required=True)
    check.add_argument("--running", metavar="VERSION", default="0.0.0", help="the version that the node runs (0.0.0)")
    publish = steps.add_parser("publish", help="give a release to the gateway and offer it to nodes")
    publish.add_argument("folder", metavar="FOLDER", type=Path, nargs="?")
    publish.add_argument(
        "--to",
        metavar="FOLDER",
        type=Path,
        help="the gateway's `[updates] folder` (with --city: what its gateway.toml says)",
    )
    publish.add_argument("--district", metavar="D", required=True)
    publish.add_argument("--node", metavar="N", action="append", required=True, help="a node to offer it to (repeat)")
    publish.add_argument(
        "--city",
        metavar="DIR",
        type=Path,
        help="the city's folder: its broker, with the certificate of the district's gateway",
    )
    publish.add_argument(
        "--broker",
        metavar="HOST:PORT",
        help="another broker (of the gateway's gateway.toml, without --city 127.0.0.1:1883)",
    )
    publish.add_argument("--withdraw", action="store_true", help="take the offer back instead")
    for step in (keygen, build, sign, check, publish):
        step.add_argument("--json", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    steps = {"keygen": keygen, "build": build, "sign": sign, "check": check, "publish": publish}
    result = steps[args.step](args)
    if args.json:
        print(json.dumps(result), flush=True)
    else:
        print(result["said"])
    return 0 if result.get("taken", True) else 1


def keygen(args: argparse.Namespace) -> dict[str, Any]:
    secret, public = args.name.with_suffix(".pem"), args.name.with_suffix(".pub")
    for path in (secret, public):
        if path.exists():
            raise InputError(f"{path} is there already: a key that boards know must not be lost; choose another NAME")
    key = rsa.generate_private_key(65537, KEY_BYTES * 8)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        args.name.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        modulus = _modulus(key)
        public.write_text(f"{_name(modulus)} {modulus.hex()}\n")
    except OSError as error:
        raise InputError(f"{args.name} can't be written ({error.strerror}): choose another NAME") from None
    said = f"{secret} signs: keep it offline. {public} goes onto boards: copy it to the city's folder as release.pem"
    return {"said": said, "key": _name(modulus), "secret": str(secret), "public": str(public)}


def build(args: argparse.Namespace) -> dict[str, Any]:
    for version in args.downgrade_from:
        _check_version(version, "--downgrade-from")
    pack = packing.pack(packing.application())
    files = {NEEDED: pack}
    manifest = packing.manifest(files, VERSION, args.downgrade_from)
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
        (args.folder / OFFER).unlink(missing_ok=True)  # of what was built here before
        for name, data in {**files, MANIFEST: manifest}.items():
            (args.folder / name).write_bytes(data)
    except OSError as error:
        raise InputError(f"{args.folder} can't be written ({error.strerror}): choose another FOLDER") from None
    said = f"{args.folder} is release {VERSION}, {len(pack)} bytes, not signed yet: waspada update sign {args.folder} --key NAME.pem"
    return {"said": said, "version": VERSION, "bytes": len(pack), "sha256": hashlib.sha256(manifest).hexdigest()}


def sign(args: argparse.Namespace) -> dict[str, Any]:
    key = _secret(args.key)
    manifest = _read(args.folder / MANIFEST, "build the release first: waspada update build")
    try:
        found = json.loads(manifest)
        version = found["version"]
        version_of(version)
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{args.folder / MANIFEST} is no manifest: build the release again") from None
    signature = key.sign(manifest, padding.PKCS1v15(), hashes.SHA256())
    offer = {
        "version": version,
        "size": len(manifest),
        "sha256": hashlib.sha256(manifest).hexdigest(),
        "key": _name(_modulus(key)),
        "sig": base64.b64encode(signature).decode(),
        "downgrade": int(bool(found.get("downgrade_from"))),
    }
    (args.folder / OFFER).write_text(json.dumps(offer, separators=(",", ":")))
    said = f"{args.folder} is release {version}, signed with key {offer['key']}"
    return {"said": said, "version": version, "key": offer["key"], "sha256": offer["sha256"]}


def check(args: argparse.Namespace) -> dict[str, Any]:
    """The node's own code fetches the release, from this folder into memory."""
    _check_version(args.running, "--running")
    try:
        release = Release(args.folder)
    except ReleaseError as error:
        raise InputError(str(error)) from None
    name, modulus = _public(args.key)
    offer = Offer(release.offer)
    slot = _Memory()
    wants: list[tuple[str, int, int]] = []
    why = ""
    try:
        known = modulus if offer.key == name else b""
        fetch = Fetch(offer, slot, known, args.running, lambda *want: wants.append(want), lambda: None)
        now_ms = 0
        while not fetch.done:
            now_ms = (now_ms + fetch.step(now_ms)) & 0x3FFFFFFF
            while wants:
                file, offset, count = wants.pop()
                head = json.dumps({"version": release.version, "file": file, "offset": offset}).encode()
                fetch.part(head + b"\n" + release.part(file, offset, count))
    except Refused as problem:
        why = str(problem)
    said = f"release {release.version} would be refused: {why}" if why else f"release {release.version} would be taken"
    return {"said": said, "version": release.version, "key": offer.key, "taken": not why, "why": why}


def publish(args: argparse.Namespace) -> dict[str, Any]:
    payload = b""
    version = None
    config = _of_gateway(args.city, args.district, args.node) if args.city else Config()
    broker = _broker(args.broker, config.broker)
    if not args.withdraw:
        to = args.to or (Path(config.updates.folder) if config.updates.folder else None)
        if args.folder is None or to is None:
            raise InputError("say which release and where the gateway serves from: FOLDER --to FOLDER, or --withdraw")
        try:
            release = Release(args.folder)
        except ReleaseError as error:
            raise InputError(str(error)) from None
        payload, version = release.offer, release.version
        _copy(args.folder, to / version)
    topics = [f"waspada/v1/{args.district}/{node}/update" for node in args.node]
    _retain(broker, topics, payload)
    said = f"offered {version} to {', '.join(args.node)}" if version else f"withdrawn from {', '.join(args.node)}"
    return {"said": said, "version": version, "nodes": args.node}


class _Memory:
    """A slot that nobody keeps."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def names(self) -> list[str]:
        return list(self.files)

    def size(self, name: str) -> int:
        return len(self.files.get(name, b""))

    def read(self, name: str, offset: int, count: int) -> bytes:
        return self.files.get(name, b"")[offset : offset + count]

    def append(self, name: str, data: bytes) -> None:
        self.files[name] = self.files.get(name, b"") + data

    def replace(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def remove(self, name: str) -> None:
        del self.files[name]


def _modulus(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_numbers().n.to_bytes(KEY_BYTES, "big")


def _name(modulus: bytes) -> str:
    """A key's name is the beginning of its own hash, so that no two people give one name to two keys."""
    return hashlib.sha256(modulus).hexdigest()[:8]


def _check_version(text: str, option: str) -> None:
    try:
        version_of(text)
    except ValueError as problem:
        raise InputError(f"{option} {text!r}: {problem}") from None


def _read(path: Path, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); {advice}") from None


def _secret(path: Path) -> rsa.RSAPrivateKey:
    advice = "give NAME.pem of waspada update keygen"
    try:
        key = serialization.load_pem_private_key(_read(path, advice), None)
    except (ValueError, TypeError):
        raise InputError(f"{path} is not a private key without a password; {advice}") from None
    if (
        not isinstance(key, rsa.RSAPrivateKey)
        or key.key_size != KEY_BYTES * 8
        or key.public_key().public_numbers().e != 65537
    ):
        raise InputError(f"{path} is not RSA-3072 with exponent 65537; {advice}")
    return key


def _public(path: Path) -> tuple[str, bytes]:
    """(name, modulus). InputError: it is none that a board would take."""
    advice = "give NAME.pub of waspada update keygen"
    words = _read(path, advice).decode("ascii", "replace").split()
    try:
        name, modulus = words[0], bytes.fromhex(words[1])
    except (IndexError, ValueError):
        raise InputError(f"{path} is no public key; {advice}") from None
    if not usable_key(modulus) or name != _name(modulus):
        raise InputError(f"{path} is no public key; {advice}")
    return name, modulus


def _copy(source: Path, target: Path) -> None:
    """Whole under its name, or not there."""
    if target.exists():
        if (target / MANIFEST).read_bytes() == (source / MANIFEST).read_bytes():
            return
        raise InputError(
            f"{target} holds another release of this version: a version that was published stays; raise it"
        )
    making = target.with_name(target.name + ".new")
    try:
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(source, making)
        making.rename(target)
    except OSError as error:
        raise InputError(f"{target} can't be written ({error.strerror}): choose another --to") from None


def _of_gateway(folder: Path, district: str, nodes: list[str]) -> Config:
    """What the district's gateway is configured with. InputError: there is none, or no such stations."""
    city = City(folder).must_exist()
    known = city.known()
    for node in nodes:
        one = known.get(common_name(district, node))
        if one is None or one.revoked:
            raise InputError(
                f"{district}/{node} is not enrolled: waspada enrol --list-nodes --city {folder} says what is"
            )
    try:
        return load(str(city.gateway(district) / GATEWAY_TOML))
    except ConfigError as problem:
        raise InputError(str(problem)) from None


def _broker(given: str | None, own: Broker) -> Broker:
    if given is None:
        return own
    host, _, port = given.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"--broker {given!r}: give HOST:PORT")
    return msgspec.structs.replace(own, host=host, port=int(port))


def _retain(broker: Broker, topics: list[str], payload: bytes) -> None:
    import paho.mqtt.client as mqtt

    where = f"the broker at {broker.host}:{broker.port}"
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls is not None:
        try:
            client.tls_set_context(context(broker.tls))
        except ConfigError as problem:
            raise InputError(str(problem)) from None
    try:
        client.connect(broker.host, broker.port)
        client.loop_start()
        said = [client.publish(topic, payload, 1, True) for topic in topics]
        for one in said:
            one.wait_for_publish(WITHIN_S)
        if not all(one.is_published() for one in said):
            raise InputError(f"{where} does not take it within {WITHIN_S:.0f} s: does it let this client in?")
    except OSError as error:
        raise InputError(f"{where} can't be used ({why(error)}): is it running, is the port right?") from None
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{where} can't be used ({error}): is it running, is the port right?") from None
    finally:
        client.disconnect()
        client.loop_stop()
