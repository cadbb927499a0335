"""The technician's cable: what is typed waits, what the station says is kept (the newest part)."""

_KEPT_BYTES = 65_536


class Console:
    def __init__(self) -> None:
        self.typed = bytearray()
        self.said = bytearray()

    def read_into(self, buffer: bytearray | memoryview) -> int:
        count = min(len(buffer), len(self.typed))
        if count:
            buffer[:count] = self.typed[:count]
            del self.typed[:count]
        return count

    def write(self, data: bytes) -> None:
        self.said += data
        if len(self.said) > 2 * _KEPT_BYTES:
            del self.said[:-_KEPT_BYTES]
