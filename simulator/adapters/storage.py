"""Flash in memory. What `append` and `replace` were given is there when they return; nothing else ever is."""

from collections.abc import Callable

from simulator.agenda import Moment

EIO = 5
ENOSPC = 28
CAPACITY_BYTES = 2 * 1024 * 1024  # the file system of a stock 4 MB board


class Storage:
    """`files` outlives the adapter: a station that is reset finds them again."""

    def __init__(
        self,
        moment: Moment,
        appended: Callable[[str, bytes], object],
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        failing_ms: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.files: dict[str, bytearray] = {}
        self._moment = moment
        self._appended = appended
        self._free = capacity_bytes
        self._failing_ms = failing_ms

    def failing(self) -> bool:
        """Whether a write fails now."""
        return any(begin <= self._moment.t < end for begin, end in self._failing_ms) if self._failing_ms else False

    def names(self) -> list[str]:
        return sorted(self.files)

    def size(self, name: str) -> int:
        file = self.files.get(name)
        return 0 if file is None else len(file)

    def read(self, name: str, offset: int, count: int) -> bytes:
        file = self.files.get(name)
        return b"" if file is None else bytes(file[offset : offset + count])

    def append(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._spend(len(data))
        file = self.files.get(name)
        if file is None:
            file = self.files[name] = bytearray()
        file += data
        self._appended(name, bytes(data))

    def replace(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._spend(len(data) - self.size(name))
        self.files[name] = bytearray(data)

    def remove(self, name: str) -> None:
        if self._failing_ms and self.failing():
            raise OSError(EIO, "injected")
        file = self.files.pop(name, None)
        if file is None:
            raise OSError(2, name)
        self._free += len(file)

    def _spend(self, count: int) -> None:
        if self._failing_ms and self.failing():
            raise OSError(EIO, "injected")
        if count > self._free:
            raise OSError(ENOSPC, "full")
        self._free -= count

    @property
    def free(self) -> int:
        return self._free
