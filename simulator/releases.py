"""Releases for simulated stations: signed, offered, and served by the gateway's own core from memory.

The key's modulus is a prime, so that it is known here how to sign and the numbers are the same in every run: for a simulation only.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from gateway.updates import ReleaseError, Updates
from node.core.signature import KEY_BYTES, block
from node.core.slots import MANIFEST
from node.core.update import NEEDED, PRODUCT
from node.version import VERSION
from simulator import noise
from simulator.adapters.slots import Slots
from simulator.adapters.storage import Storage
from simulator.agenda import NEVER, Moment
from simulator.broker import Broker
from simulator.fault_tables import UpdateTable
from simulator.scenario import Scenario

PRIME = (1 << 3072) - 1103717
KEY = "simulated"
SLOT_BYTES = 220 * 1024
_PACK_BYTES = 2500
_UNSERVED_MS = 3_600_000
_WITHDRAWN_MS = 30_000
_AGAIN_MS = 60_000


def modulus() -> bytes:
    return PRIME.to_bytes(KEY_BYTES, "big")


def signature(digest: bytes) -> bytes:
    return pow(int.from_bytes(block(digest), "big"), pow(65537, -1, PRIME - 1), PRIME).to_bytes(KEY_BYTES, "big")


def version(number: int) -> str:
    """Of a scenario's `updates`, by the row."""
    return f"1.0.{number}"


class Made:
    """A release in memory, as gateway.updates.Release has one of a folder."""

    def __init__(self, version: str, *, forged: bool = False) -> None:
        pack = bytes(noise.draw(noise.key(0, version), i) & 0xFF for i in range(_PACK_BYTES))
        rows = [[NEEDED, len(pack), hashlib.sha256(pack).hexdigest()]]
        manifest = json.dumps({"product": PRODUCT, "version": version, "files": rows}).encode()
        self.version = version
        self.files = {MANIFEST: manifest, NEEDED: pack}
        self._forged = forged

    def offer(self) -> bytes:
        manifest = self.files[MANIFEST]
        digest = hashlib.sha256(manifest).digest()
        told = {
            "version": self.version,
            "size": len(manifest),
            "sha256": digest.hex(),
            "key": KEY,
            "sig": base64.b64encode(signature(digest[::-1] if self._forged else digest)).decode(),
            "downgrade": 0,
        }
        return json.dumps(told).encode()

    def part(self, name: str, offset: int, count: int) -> bytes:
        return self.files.get(name, b"")[offset : offset + count]


class Shelf(Updates):
    """The gateway's answers, from releases in memory."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.made: dict[str, Made] = {}

    def _release(self, version: str) -> Made:  # type: ignore[override]
        if version not in self.made:
            raise ReleaseError(f"no release {version}")
        return self.made[version]


def slots_of(
    moment: Moment,
    data: Storage,
    failing_ms: tuple[tuple[int, int], ...],
    traced: dict[str, Callable[[str, bytes], object]],
) -> Slots:
    """A board with slots: this firmware is in `a`, nothing in `b`. They are on one flash with `data`, but of its bytes each has its own."""
    stores = {
        slot: Storage(moment, tell, capacity_bytes=SLOT_BYTES, failing_ms=failing_ms, blade=data.blade)
        for slot, tell in traced.items()
    }
    for slot, tell in traced.items():
        stores[slot].replaced = tell
    for name, content in Made(VERSION).files.items():
        stores["a"].files[name] = bytearray(content)
    return Slots(data, stores, {KEY: modulus()})


class Publisher:
    """An actor: whoever offers releases. While the broker is away it waits."""

    def __init__(self, scenario: Scenario, broker: Broker) -> None:
        self._broker = broker
        self._root = f"waspada/v1/{scenario.district}/"
        self._shelf = Shelf()
        self._rows: dict[str, UpdateTable] = {}  # by version
        self._todo: list[tuple[int, str, str, bytes]] = []
        for number, row in enumerate(scenario.updates):
            made = Made(version(number), forged=row.what == "forged")
            self._shelf.made[made.version] = made
            self._rows[made.version] = row
            at_ms = row.at_s * 1000
            self._todo.append((at_ms, made.version, row.node, made.offer()))
            if row.what == "withdrawn":
                self._todo.append((at_ms + _WITHDRAWN_MS, made.version, row.node, b""))
        self._todo.sort()

    def run(self, t_ms: int) -> int:
        if self._broker.away:
            return t_ms + _AGAIN_MS
        while self._todo and self._todo[0][0] <= t_ms:
            _, _, node, payload = self._todo.pop(0)
            self._broker.route(f"{self._root}{node}/update", payload, 1, 1)
        return self._todo[0][0] if self._todo else NEVER

    def heard(self, topic: str, payload: bytes, t_ms: int) -> None:
        """A `want` of a station."""
        answer = self._shelf.answer(topic, payload)
        if answer is None:
            return
        want = json.loads(payload)
        row = self._rows[want["version"]]
        if row.what == "unserved" and t_ms < row.at_s * 1000 + _UNSERVED_MS:
            return
        where, part = answer
        if row.what == "harmed" and want["file"] == NEEDED:
            part = part[:-1] + bytes((part[-1] ^ 1,))
        self._broker.route(where, part, 1, 0)
