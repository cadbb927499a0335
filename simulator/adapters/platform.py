"""The port `platform` with fixed values, so that both runtimes write the same traces."""

HEAP_FREE = 100_000
HEAP_LOW = 90_000
TRACEBACK = "Traceback: simulated"


class Platform:
    """An exception that the app would survive ends a simulation all the same: a defect of ours must not hide. `survives`: a test is about surviving it."""

    def __init__(self) -> None:
        self.survives = False

    def heap_free(self) -> int:
        return HEAP_FREE

    def heap_low(self) -> int:
        return HEAP_LOW

    def traceback(self, error: Exception) -> str:
        if not self.survives:
            raise error
        return TRACEBACK
