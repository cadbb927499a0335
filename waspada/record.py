"""A board's commissioning record, JSON and a page: what was put onto which board, by whom, what it then said of itself. Signed with the district's key.

The signature is ECDSA over P-256 with SHA-256, of the record as JSON with sorted keys, behind `PREFIX`. Who checks it trusts the city's copy of the district's
certificate, never one that came with the record.
"""

import base64
import binascii
import datetime
import importlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from simulator.errors import InputError
from waspada import broker
from waspada.city import RECORDS, City, write

KIND = "Waspada commissioning record"
PREFIX = b"Waspada commissioning record 1\n"
ALGORITHM = "ECDSA-P256-SHA256"
MOST = 1 << 20
_MM = 72 / 25.4
_A4 = (210, 297)


def canonical(record: Mapping[str, Any]) -> bytes:
    return PREFIX + json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(city: City, district: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """`record` has no kind yet; anything that JSON can carry, and no secret."""
    pair = broker.authority(city, district, datetime.datetime.now(datetime.UTC), make=False).pair
    full = {"kind": KIND, "version": 1, **record}
    value = pair.key.sign(canonical(full), ec.ECDSA(hashes.SHA256()))
    by = {
        "district": district,
        "serial": pair.serial,
        "algorithm": ALGORITHM,
        "value": base64.b64encode(value).decode(),
    }
    return {"record": full, "signature": by}


def keep(city: City, district: str, node: str, record: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
    """Signs, and writes record.json and record.pdf into the node's folder. The page comes first: what has no JSON is no record."""
    made = signed(city, district, record)
    home = city.node(district, node)
    write(home / RECORDS[1], page(made))
    write(home / RECORDS[0], json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    return made, home / RECORDS[0]


def check(city: City, path: Path) -> tuple[dict[str, Any], str]:
    """(the record, "" or why it is not the city's). InputError: it is no record at all."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(MOST))
        record, by = found["record"], found["signature"]
        if record["kind"] != KIND or not all(isinstance(by[key], str) for key in ("district", "value", "algorithm")):
            raise KeyError
        for key in ("district", "node", "life", "when"):
            if not isinstance(record[key], str):
                raise KeyError
        content = canonical(record)
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); give a record.json") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path} is no commissioning record; give a record.json") from None
    return record, _fault(city, record, by, content)


def _fault(city: City, record: Mapping[str, Any], by: Mapping[str, Any], content: bytes) -> str:
    known = {one.district for one in city.known().values()}
    if by["district"] != record["district"] or by["district"] not in known:
        return f"it is signed for district {by['district']!r:.40}, and is of {record['district']!r:.40}"
    authority = city.ca / f"{by['district']}.pem"
    try:
        key = x509.load_pem_x509_certificate(authority.read_bytes()).public_key()
    except (OSError, ValueError):
        raise InputError(f"{authority} can't be read; bring the folder `ca` back from your copy") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InputError(f"{authority} has no P-256 key; bring the folder `ca` back from your copy")
    if by["algorithm"] != ALGORITHM:
        return f"it is signed by {by['algorithm']!r:.40}, which is not used here"
    try:
        key.verify(base64.b64decode(by["value"], validate=True), content, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return "the signature is not its own: it was changed, or signed by somebody else"
    return ""


# The page


def rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the page shows, as (label, text)."""
    board, image, application = record.get("board", {}), record.get("image", {}), record.get("application", {})
    test = record.get("self_test", {})
    found = [
        ("Station", f"{record['district']}/{record['node']}"),
        ("Life", record["life"]),
        ("When, by whom", f"{record['when']}, {record.get('who', '')}"),
        ("Board", f"{board.get('chip', '')}, {board.get('flash', 0) >> 20} MB of flash, MAC {board.get('mac', '')}"),
        ("Certificate", record.get("certificate", "")),
        ("MicroPython", f"{image.get('name', '')}, SHA-256 {image.get('sha256', '')}"),
        ("Application", f"{application.get('version', '')}, SHA-256 {application.get('sha256', '')}"),
        ("First line", test.get("first_line", "")),
    ]
    found += [(f"status: {name}", str(value)) for name, value in test.get("status", {}).items()]
    found += [(name, str(value)) for name, value in record.get("settings", {}).items()]
    for name, value in record.get("checks", {}).items():  # what a person saw and heard, when somebody was asked
        found.append((name, str(value)))
    return found


def page(made: Mapping[str, Any]) -> bytes:
    """A4 pages of it."""
    record, signature = made["record"], made["signature"]
    out = io.BytesIO()
    canvas = importlib.import_module("reportlab.pdfgen.canvas").Canvas(
        out, pagesize=(_A4[0] * _MM, _A4[1] * _MM), invariant=1
    )
    title = f"Commissioning record {record['district']}/{record['node']}"
    canvas.setTitle(title)
    canvas.setCreator("Waspada")
    digest = hashes.Hash(hashes.SHA256())
    digest.update(canonical(record))
    lines = [*rows(record), ("Record, SHA-256", digest.finalize().hex()),
             (f"Signature, {signature['algorithm']}", signature["value"]),
             ("Check", "waspada flash --check-record record.json")]  # fmt: skip
    y = 0.0
    for label, text in lines:
        for number, piece in enumerate(_pieces(text)):
            if y < 20:
                if y:
                    canvas.showPage()
                canvas.setFont("Helvetica-Bold", 16)
                canvas.drawString(20 * _MM, 272 * _MM, title)
                y = 260
            canvas.setFont("Helvetica", 9)
            canvas.drawString(20 * _MM, y * _MM, label[:34] if number == 0 else "")
            canvas.setFont("Courier", 9)
            canvas.drawString(75 * _MM, y * _MM, piece)
            y -= 5
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def _pieces(text: str) -> list[str]:
    """Lines of 58 of the letters that the page's font has."""
    plain = text.encode("cp1252", "replace").decode("cp1252")
    return [plain[at : at + 58] for at in range(0, len(plain), 58)] or [""]
