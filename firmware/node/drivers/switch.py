"""A contact that is open or closed, such as the lid's. Two looks 20 ms apart must agree: a contact that chatters is no reading.

"gives" names a point of two words, the first for open; "inverted": true where a closed contact means the first.
"""

from node.core.measurements import OUT_OF_RANGE
from node.drivers import roles

_BOUNCE_MS = 20
_LOOKS = 5


class Switch:
    GIVES = ("lid",)

    def __init__(self, bus, config: dict):
        self._bus = bus
        self.GIVES = roles.keys(config, self.GIVES)
        self._inverted = 1 if config.get("inverted") else 0
        self._before = 0
        self._looks = 0

    def start(self) -> int:
        self._looks = 0
        self._before = self._bus.closed()
        return _BOUNCE_MS

    def read_into(self, values) -> int:
        now = self._bus.closed()
        if now != self._before:
            self._before = now
            self._looks += 1
            return _BOUNCE_MS if self._looks < _LOOKS else -OUT_OF_RANGE
        values[0] = now ^ self._inverted
        return 0
