"""Two slots in memory, and what boot.py does with them: an update runs to its trial without a board. The code that runs stays the same, but for the version
that it says."""

import hashlib
import json

from node.core import slots
from simulator.adapters.storage import Storage


class Slots:
    """`data` is the station's storage, `stores` the slots' own, `keys` the moduli by name. `boot(cost)` chooses as a board does."""

    def __init__(self, data: Storage, stores: dict[str, Storage], keys: dict[str, bytes]) -> None:
        self._data = data
        self._stores = stores
        self.keys = keys
        self.running = "a"
        self.busy = False
        self.version = ""  # of what runs

    def boot(self, cost: int) -> str:
        """The slot that runs from now on, "" when there is none."""
        state = self.state()
        self.running = state.choose(cost, self.sound, self.digest)
        self.busy = state.mode != slots.NONE or state.news != slots.NONE
        self.version = self._manifest(self.running)["version"] if self.running else ""
        return self.running

    def state(self) -> slots.State:
        return slots.State(self._data)

    def storage(self, slot: str) -> Storage:
        return self._stores[slot]

    def key(self, name: str) -> bytes:
        return self.keys.get(name, b"")

    def sound(self, slot: str) -> bool:
        """Whether the slot holds what its manifest says."""
        files = self._stores[slot].files
        try:
            rows = self._manifest(slot)["files"]
            return all(hashlib.sha256(files[name]).hexdigest() == digest for name, _, digest in rows)
        except (KeyError, ValueError, TypeError):
            return False

    def digest(self, slot: str) -> str:
        found = self._stores[slot].files.get(slots.MANIFEST)
        return "-" if found is None else hashlib.sha256(found).hexdigest()[:16]

    def _manifest(self, slot: str) -> dict:
        found: dict = json.loads(self._stores[slot].files[slots.MANIFEST])
        return found
