"""What only the chip and its VM know: heap, and where an exception came from."""

import gc
import io
import sys


class Platform:
    def __init__(self):
        self._low = gc.mem_free()

    def heap_free(self) -> int:
        """After a collection, so between samples only."""
        gc.collect()
        free = gc.mem_free()
        self._low = min(self._low, free)
        return free

    def heap_low(self) -> int:
        """The least that was free at any look since the boot."""
        return self._low

    def forget(self, name: str) -> None:
        """The heap gets this module back."""
        if name in sys.modules:
            del sys.modules[name]
            folder, _, last = name.rpartition(".")
            if folder in sys.modules and hasattr(sys.modules[folder], last):
                delattr(sys.modules[folder], last)

    def traceback(self, error) -> str:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
