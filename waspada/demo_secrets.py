"""Every secret that a city has, and whether it is in what was printed, logged, kept or sent."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from waspada import city as layout


def secrets_of(folder: Path) -> dict[str, bytes]:
    """Every secret that lies in these folders: its file -> the key's own number, or the PIN's digits."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file():
            continue
        if path.name.endswith("key.pem") or path.name == layout.KEY_DER:
            found[name] = _number(path.read_bytes())
        elif path.name == layout.PIN:
            found[name] = path.read_bytes().strip()
    return found


def _number(key: bytes) -> bytes:
    if key.startswith(b"-----"):
        loaded = serialization.load_pem_private_key(key, None)
    else:
        loaded = serialization.load_der_private_key(key, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    return loaded.private_numbers().private_value.to_bytes(32, "big")


def shapes(secret: bytes) -> Iterator[bytes]:
    """As it would be written: itself, hexadecimal, base64 wherever in a line it begins."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + secret)
        yield whole[(0, 4, 4)[before] : len(whole) // 4 * 4 - 4]


def leaks(secrets: Mapping[str, bytes], texts: Iterable[tuple[str, bytes]]) -> list[str]:
    """`secret in text` for each that is found. Digits of a PIN count only when they stand alone: a hash has six of them often."""
    found = []
    for where, text in texts:
        for name, secret in secrets.items():
            if len(secret) <= 8:
                hit = re.search(rb"(?<![0-9A-Za-z])" + re.escape(secret) + rb"(?![0-9A-Za-z])", text) is not None
            else:
                one_line = text.replace(b"\r", b"").replace(b"\n", b"")  # PEM breaks its lines
                hit = any(shape in whole for shape in shapes(secret) for whole in (text, one_line))
            if hit:
                found.append(f"{name} in {where}")
    return found


def said_by(paths: Iterable[Path], folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()
