"""Flash in memory. What `append` and `replace` were given is there when they return; nothing else ever is, but for what a power cut leaves of an append."""

from collections.abc import Callable

from simulator.agenda import Moment

EIO = 5
ENOSPC = 28
CAPACITY_BYTES = 2 * 1024 * 1024  # the file system of a stock 4 MB board


class PowerCut(BaseException):
    """The power went in the middle of a write. No program catches it: it is not there any more."""


class Blade:
    """Cuts the power in the middle of a write. Storages on one flash share one."""

    def __init__(self) -> None:
        self.left = 0  # the power goes in this write, counted from now; 0: in none
        self.bits = 0
        self.cut: Callable[[], object] = lambda: None

    def falls(self) -> bool:
        """In the write that is now begun."""
        self.left -= 1
        return not self.left


class Storage:
    """`files` outlives the adapter: a station that is reset finds them again."""

    def __init__(
        self,
        moment: Moment,
        appended: Callable[[str, bytes], object],
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        failing_ms: tuple[tuple[int, int], ...] = (),
        blade: Blade | None = None,
    ) -> None:
        self.files: dict[str, bytearray] = {}
        self._moment = moment
        self._appended = appended
        self._free = capacity_bytes
        self._failing_ms = failing_ms
        self.replaced: Callable[[str, bytes], object] = lambda name, data: None
        self.blade = Blade() if blade is None else blade

    def cut_in(self, write: int, bits: int, cut: Callable[[], object]) -> None:
        """The power goes in that write from now on, 1 is the next; `bits` say how much of it is done. `cut` is called, then PowerCut is raised."""
        self.blade.left, self.blade.bits, self.blade.cut = write, bits, cut

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
        kept = len(data)
        cut = self.blade.left and self.blade.falls()
        if cut:
            kept = self.blade.bits % (len(data) + 1)
            self._free += len(data) - kept
        file = self.files.get(name)
        if file is None:
            file = self.files[name] = bytearray()
        file += data[:kept]
        if kept == len(data):
            self._appended(name, bytes(data))
        if cut:
            self._end()

    def replace(self, name: str, data: bytes | bytearray | memoryview) -> None:
        self._spend(len(data) - self.size(name))
        cut = self.blade.left and self.blade.falls()
        if not cut or self.blade.bits & 1:
            self.files[name] = bytearray(data)
            self.replaced(name, bytes(data))
        if cut:
            self._end()

    def remove(self, name: str) -> None:
        if self._failing_ms and self.failing():
            raise OSError(EIO, "injected")
        file = self.files.pop(name, None)
        if file is None:
            raise OSError(2, name)
        self._free += len(file)

    def _end(self) -> None:
        self.blade.cut()
        raise PowerCut

    def _spend(self, count: int) -> None:
        if self._failing_ms and self.failing():
            raise OSError(EIO, "injected")
        if count > self._free:
            raise OSError(ENOSPC, "full")
        self._free -= count

    @property
    def free(self) -> int:
        return self._free
