"""Releases for the nodes: a folder with one folder per version, and the parts that nodes ask for by `want` (docs/wire.md).

Nothing here is trusted by a node: it checks the signature and every hash itself.
"""

import json
from pathlib import Path

from node.core.update import FILES_MOST, MANIFEST, MANIFEST_MOST, PART, TOTAL_MOST, Offer, files_of, version_of

OFFER = "offer.json"
KEPT = 4  # releases in memory
WANT_MOST = 512  # bytes of a want


class ReleaseError(Exception):
    """One sentence: which file, what is wrong, what to do."""


class Release:
    """What is in a release's folder: `offer`, `version`, and `files` by name, the manifest among them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offer = self._read(OFFER, MANIFEST_MOST)
        manifest = self._read(MANIFEST, MANIFEST_MOST)
        try:
            found = Offer(self.offer)
        except ValueError as problem:
            raise ReleaseError(f"{folder / OFFER}: {problem}; sign the release again") from None
        self.version: str = found.version
        try:
            downgrades = json.loads(manifest).get("downgrade_from", [])
            rows = files_of(manifest, self.version, downgrades[0] if downgrades else "0.0.0")
        except (ValueError, AttributeError, TypeError, KeyError) as problem:
            raise ReleaseError(f"{folder / MANIFEST}: {problem}; build the release again") from None
        self.files = {MANIFEST: manifest}
        assert len(rows) <= FILES_MOST
        for name, size, _ in rows:
            self.files[name] = self._read(name, TOTAL_MOST)
            if len(self.files[name]) != size:
                raise ReleaseError(f"{folder / name} is not the {size} bytes that were signed; build the release again")

    def _read(self, name: str, most: int) -> bytes:
        path = self.folder / name
        try:
            with path.open("rb") as file:
                data = file.read(most + 1)
        except OSError as error:
            raise ReleaseError(f"{path} can't be read ({error.strerror}); build and sign the release again") from None
        if len(data) > most:
            raise ReleaseError(f"{path} is larger than {most} bytes; build the release again")
        return data

    def part(self, name: str, offset: int, count: int) -> bytes:
        """The bytes from `offset` on, empty when there are none."""
        return self.files.get(name, b"")[offset : offset + count]


class Updates:
    """Answers `want`s from `folder`. What can't be served is counted in `refused`; `trouble` is the newest reason, a sentence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.served = 0
        self.refused = 0
        self.trouble: str | None = None
        self._releases: dict[str, Release] = {}

    def answer(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        """(topic, payload) of the part that this `want` asks for, None when there is none."""
        try:
            if len(payload) > WANT_MOST:
                raise ValueError("a want that is too long")
            want = json.loads(payload)
            version, name, offset, count = (want[key] for key in ("version", "file", "offset", "count"))
            if type(name) is not str or type(offset) is not int or type(count) is not int or offset < 0:
                raise ValueError("a want with members of the wrong kind")
            version_of(version)
            data = self._release(version).part(name, offset, min(count, PART)) if count > 0 else b""
            if not data:
                raise ValueError(f"{version} has no bytes {offset} to {offset + count} of a file {name[:40]!r}")
        except (ValueError, KeyError, TypeError, RecursionError, ReleaseError) as problem:
            self.refused += 1
            self.trouble = f"{topic}: {problem}"
            return None
        self.served += 1
        head = json.dumps({"version": version, "file": name, "offset": offset}, separators=(",", ":"))
        return topic.removesuffix("want") + "part", head.encode() + b"\n" + data

    def _release(self, version: str) -> Release:
        release = self._releases.get(version)
        if release is None:
            release = Release(self.folder / version)
            if release.version != version:
                raise ReleaseError(f"{release.folder} holds version {release.version}: rename the folder")
            while len(self._releases) >= KEPT:
                self._releases.pop(next(iter(self._releases)))
            self._releases[version] = release
        return release
