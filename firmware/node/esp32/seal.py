"""Whether a slot is what its manifest says. A board has this module beside boot.py too; it is let go once the slot is chosen."""

import binascii
import hashlib
import json

_CHUNK = 1024
_MANIFEST_MOST = 8192
_MANIFEST = "/manifest"
_NEEDED = "node.pack"


def sound(folder):
    """Whether `folder` holds what its manifest says, to the bit."""
    try:
        with open(folder + _MANIFEST, "rb") as file:
            rows = json.loads(file.read(_MANIFEST_MOST))["files"]
        names = [row[0] for row in rows]
        if _NEEDED not in names:
            return False
        for name, size, digest in rows:
            if _hash(folder + "/" + name) != (size, digest):
                return False
    except (OSError, ValueError, KeyError, TypeError, IndexError, MemoryError):
        return False
    return True


def _hash(path):
    total = 0
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return total, binascii.hexlify(digest.digest()).decode()
            digest.update(buffer[:count])
            total += count


def digest(folder):
    """The first 16 digits of the manifest's hash, "-" without one."""
    try:
        with open(folder + _MANIFEST, "rb") as file:
            return binascii.hexlify(hashlib.sha256(file.read(_MANIFEST_MOST)).digest()).decode()[:16]
    except OSError:
        return "-"
