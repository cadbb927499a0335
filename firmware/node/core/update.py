"""From an offer to a whole slot: signature, manifest, files, each looked at before the next is fetched (docs/wire.md).

Loaded with the first offer. Nothing is remembered of a fetch but what is on flash: after a reset the same offer, which the broker retains,
goes on where the files end. Only the storage that is passed in, the slot that does not run, is ever written to.
"""

import binascii
import hashlib
import json

from node.core.clock import add, diff
from node.core.signature import KEY_BYTES, Verification

PRODUCT = "waspada-mpy6"  # what a manifest is for: this firmware, as .mpy of MicroPython's version 6
MANIFEST = "manifest"
NEEDED = "node.pack"
MANIFEST_MOST = 4096
TOTAL_MOST = 208 * 1024
FILES_MOST = 8
PART = 1024
_NAME_MOST = 24
_NUMBER_MOST = 999999
_AGAIN_MS = 5000  # no answer: ask again, later and later
_AGAIN_MOST_MS = 300000
_HARMED_MOST = 3  # a file that is not what was signed is fetched again so many times
_PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789._-"


class Refused(ValueError):
    """Why an offer is not taken; what runs is untouched."""


def version_of(text):
    """(major, minor, patch); ValueError."""
    if type(text) is not str or not 5 <= len(text) <= 20:
        raise ValueError("a version is text like 0.2.0")
    parts = text.split(".")
    if len(parts) != 3:
        raise ValueError("a version has three numbers")
    for part in parts:
        for letter in part:
            if not "0" <= letter <= "9":
                raise ValueError("a version has three numbers")
        if not part or (len(part) > 1 and part[0] == "0") or int(part) > _NUMBER_MOST:
            raise ValueError("a version has three numbers")
    return tuple([int(part) for part in parts])


def digest_of(text):
    """32 bytes of 64 lower-case hex digits; ValueError."""
    if type(text) is not str or len(text) != 64:
        raise ValueError("a hash is 64 hex digits")
    digest = binascii.unhexlify(text)
    if binascii.hexlify(digest).decode() != text:
        raise ValueError("a hash is 64 lower-case hex digits")
    return digest


def _whole(value, low, high, what):
    if type(value) is not int or not low <= value <= high:
        raise ValueError("%s must be %d to %d" % (what, low, high))
    return value


def _json(data, what):
    try:
        found = json.loads(data)
    except (ValueError, RuntimeError):  # RuntimeError: nested too deep
        raise ValueError("%s is not JSON" % what)
    if type(found) is not dict:
        raise ValueError("%s is not an object" % what)
    return found


def _member(found, name, what):
    if name not in found:
        raise ValueError("%s has no %s" % (what, name))
    return found[name]


class Offer:
    """An offer as it came; ValueError says what is wrong with it. It is believed only once its signature has been verified."""

    def __init__(self, payload):
        found = _json(payload, "the offer")
        self.version = _member(found, "version", "the offer")
        version_of(self.version)
        self.size = _whole(_member(found, "size", "the offer"), 1, MANIFEST_MOST, "size")
        self.sha256 = _member(found, "sha256", "the offer")
        self.digest = digest_of(self.sha256)
        self.key = _member(found, "key", "the offer")
        text = _member(found, "sig", "the offer")
        if type(self.key) is not str or type(text) is not str or len(text) != KEY_BYTES // 3 * 4:
            raise ValueError("key and sig must be text, sig base64 of %d bytes" % KEY_BYTES)
        self.signature = binascii.a2b_base64(text)
        if len(self.signature) != KEY_BYTES or binascii.b2a_base64(self.signature).strip() != text.encode():
            raise ValueError("sig is not base64")


def _check_name(name, names):
    if type(name) is not str or not 0 < len(name) <= _NAME_MOST or not "a" <= name[0] <= "z":
        raise ValueError("a file's name is not allowed")
    for letter in name:
        if letter not in _PLAIN:
            raise ValueError("a file's name is not allowed")
    if name == MANIFEST or name.endswith(".tmp") or name in names:
        raise ValueError("the name %s is taken" % name)


def files_of(data, offered, running):
    """[(name, size, digest)] of a manifest for the version `offered`, on a node that runs `running`. ValueError: it is not for this node."""
    what = "the manifest"
    found = _json(data, what)
    if _member(found, "product", what) != PRODUCT:
        raise ValueError("it is for another product than %s" % PRODUCT)
    version = _member(found, "version", what)
    if version != offered:
        raise ValueError("the manifest is of another version than the offer")
    if version_of(version) <= version_of(running):
        downgrades = found.get("downgrade_from", [])
        if type(downgrades) is not list or running not in downgrades:
            raise ValueError("%s is not above %s, and not signed as a downgrade from it" % (version, running))
    rows = _member(found, "files", what)
    if type(rows) is not list:
        raise ValueError("files is not a list")
    _whole(len(rows), 1, FILES_MOST, "the number of files")
    files = []
    names = []
    total = 0
    for row in rows:
        if type(row) is not list or len(row) != 3:
            raise ValueError("a file is not [name, size, sha256]")
        _check_name(row[0], names)
        names.append(row[0])
        files.append((row[0], _whole(row[1], 1, TOTAL_MOST, "a file's size"), digest_of(row[2])))
        total += row[1]
    if total > TOTAL_MOST:
        raise ValueError("%d bytes are more than a slot holds, %d" % (total, TOTAL_MOST))
    if NEEDED not in names:
        raise ValueError("the manifest has no %s" % NEEDED)
    return files


class Fetch:
    """`step(now_ms)` until `done`; Refused says why not, OSError that storage fails just now (step again later).

    `storage` is the slot that does not run, `modulus` the key that the offer names (b"" when there is none), `running` the version that
    runs. `want(file, offset, count)` asks for a part; `prepare()` is called before the slot is first changed.
    """

    def __init__(self, offer, storage, modulus, running, want, prepare):
        if not modulus:
            raise Refused("this node does not know the key %s" % offer.key)
        self.offer = offer
        self.authentic = False
        self.done = False
        self._storage = storage
        self._running = running
        self._want = want
        self._prepare = prepare
        self._files = []
        self._index = 0
        self._harmed = 0
        self._hash = None
        self._hashed = 0
        self._manifest = bytearray()
        self._asked = None  # (file, offset, count) that is awaited
        self._asked_at = 0
        self._again_ms = _AGAIN_MS
        self._came = None  # a part that is yet to be written
        try:
            self._check = Verification(modulus, offer.digest, offer.signature)
        except ValueError as problem:
            raise Refused(problem.args[0])
        self._do = self._verify

    def step(self, now_ms):
        """Milliseconds until there is more to do; a part that comes is a reason to step before."""
        return self._do(now_ms)

    def part(self, payload):
        """A `part` came. ValueError: it is not the one that is awaited."""
        payload = bytes(payload)
        at = payload.find(b"\n")
        if at < 0:
            raise ValueError("a part has a first line")
        head = _json(payload[:at], "a part's first line")
        key = (head.get("file"), head.get("offset"), head.get("version"))
        count = len(payload) - at - 1
        asked = self._asked
        if not asked or self._came or key != (asked[0], asked[1], self.offer.version) or not 0 < count <= asked[2]:
            raise ValueError("a part that was not asked for")
        self._came = payload[at + 1 :]

    def hurry(self):
        """The offer was heard again: whoever answers is back."""
        self._asked = None
        self._again_ms = _AGAIN_MS

    def _verify(self, now_ms):
        right = self._check.step()
        if right is None:
            return 1
        self._check = None
        if not right:
            raise Refused("the signature is wrong")
        self.authentic = True
        self._do = self._resume
        return 1

    def _resume(self, now_ms):
        """What an earlier boot fetched for this offer stays; anything else goes."""
        data = self._storage.read(MANIFEST, 0, MANIFEST_MOST + 1)
        if hashlib.sha256(data).digest() == self.offer.digest:
            self._take(data)
            self._do = self._fetch
        else:
            self._prepare()
            self._do = self._clear
        return 1

    def _clear(self, now_ms):
        """One file a step, the manifest first: files without it are nothing."""
        names = self._storage.names()
        if MANIFEST in names:
            self._storage.remove(MANIFEST)
        elif names:
            self._storage.remove(names[0])
        else:
            self._do = self._fetch_manifest
        return 1

    def _take(self, data):
        try:
            self._files = files_of(data, self.offer.version, self._running)
        except ValueError as problem:
            raise Refused(problem.args[0])

    def _fetch_manifest(self, now_ms):
        self._manifest.extend(self._arrived())
        left = self.offer.size - len(self._manifest)
        if left > 0:
            return self._ask(now_ms, MANIFEST, len(self._manifest), left)
        data = bytes(self._manifest)
        self._manifest = bytearray()
        if hashlib.sha256(data).digest() != self.offer.digest:
            self._count_harm(MANIFEST)
            return 1
        self._take(data)
        self._storage.replace(MANIFEST, data)
        self._do = self._fetch
        return 1

    def _fetch(self, now_ms):
        """The file at hand, from where it ends on flash."""
        name, size, _ = self._files[self._index]
        data = self._arrived()
        if data:
            self._storage.append(name, data)
        has = self._storage.size(name)
        if has < size:
            return self._ask(now_ms, name, has, size - has)
        if has > size:
            self._storage.remove(name)
            return 1
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._do = self._compare
        return 1

    def _compare(self, now_ms):
        """What is on flash against what was signed, a part a step."""
        name, size, digest = self._files[self._index]
        data = self._storage.read(name, self._hashed, PART)
        self._hash.update(data)
        self._hashed += len(data)
        if data and self._hashed < size:
            return 1
        self._do = self._fetch
        if self._hash.digest() != digest:
            self._storage.remove(name)
            self._count_harm(name)
        else:
            self._index += 1
            if self._index == len(self._files):
                self.done = True
                self._do = self._idle
        return 1

    def _idle(self, now_ms):
        return _AGAIN_MOST_MS

    def _count_harm(self, name):
        self._harmed += 1
        if self._harmed == _HARMED_MOST:
            raise Refused("%s is not what was signed, %d times" % (name, _HARMED_MOST))

    def _arrived(self):
        data = self._came
        if not data:
            return b""
        self._came = None
        self._asked = None
        self._again_ms = _AGAIN_MS
        return data

    def _ask(self, now_ms, name, offset, left):
        asked = (name, offset, left if left < PART else PART)
        if self._asked == asked:
            wait = diff(self._asked_at, now_ms)
            if wait > 0:
                return wait
            self._again_ms = min(2 * self._again_ms, _AGAIN_MOST_MS)
        self._asked = asked
        self._asked_at = add(now_ms, self._again_ms)
        self._want(name, offset, asked[2])
        return self._again_ms
