"""Releases for tests: a key of the test's own, manifests and offers signed with it, and whoever answers `want`."""

import base64
import functools
import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PRODUCT = "waspada-mpy6"
KEY = "city1"


@functools.cache
def _keys():
    return [rsa.generate_private_key(65537, 3072) for _ in range(2)]


def key(number=0):
    """A private key, the same for a test run."""
    return _keys()[number]


def modulus(number=0):
    return key(number).public_key().public_numbers().n.to_bytes(384, "big")


def sign(data, number=0):
    return key(number).sign(data, padding.PKCS1v15(), hashes.SHA256())


def manifest(files, version, **more):
    rows = [[name, len(data), hashlib.sha256(data).hexdigest()] for name, data in files.items()]
    return json.dumps({"product": PRODUCT, "version": version, "files": rows, **more}).encode()


def offer(made, version, number=0, **more):
    return json.dumps(
        {
            "version": version,
            "size": len(made),
            "sha256": hashlib.sha256(made).hexdigest(),
            "key": KEY,
            "sig": base64.b64encode(sign(made, number)).decode(),
            "downgrade": 0,
            **more,
        }
    ).encode()


class Release:
    """`offer` and the files behind it; `part(want)` answers as a gateway does."""

    def __init__(self, version="0.2.0", files=None, number=0, **more):
        self.files = files or {"node.pack": bytes(range(256)) * 9 + b"tail", "notes.txt": b"what is new" * 60}
        self.version = version
        self.manifest = manifest(self.files, version, **more)
        self.offer = offer(self.manifest, version, number)

    def data(self, name):
        return self.manifest if name == "manifest" else self.files[name]

    def part(self, name, offset, count):
        head = json.dumps({"version": self.version, "file": name, "offset": offset})
        return head.encode() + b"\n" + self.data(name)[offset : offset + count]
