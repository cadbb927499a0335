"""The slots `a` and `b` on the board's LittleFS, as the application sees them: the one that does not run is there to be filled."""

import binascii
import sys

from node.esp32.storage import Storage

_KEYS = "update.key"  # lines: name of the key, its modulus in hex
_MARKS = ("/run_", "/try_")  # what boot.py puts on the path


class Slots:
    def __init__(self, data, root: str, path: str):
        """`path`: where the running application came from."""
        self._data = data
        self._root = root
        self.running = path[5:]
        self.busy = path.startswith(_MARKS[1])

    def state(self):
        from node.core.slots import State

        return State(self._data)

    def storage(self, slot: str):
        return Storage(self._root + slot)

    def key(self, name: str) -> bytes:
        """The modulus of a key, b"" when it is not known here."""
        try:
            with open(self._root + _KEYS) as file:
                for line in file:
                    words = line.split()
                    if len(words) == 2 and words[0] == name:
                        return binascii.unhexlify(words[1])
        except (OSError, ValueError):
            pass  # no key, or a damaged one: no update then
        return b""


def build(data, root: str):
    """None where the application runs from no slot."""
    path = sys.path[0]
    return Slots(data, root, path) if path.startswith(_MARKS) else None
