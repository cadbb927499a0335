"""The port `platform` with fixed values, so that both runtimes write the same traces."""

HEAP_FREE = 100_000
HEAP_LOW = 90_000
TRACEBACK = "Traceback: simulated"
DRAWN = "drawn by a scenario"


class Platform:
    """An exception that the app would survive ends a simulation all the same: a defect of ours must not hide. But for one that a scenario asks for, whose
    only argument is `DRAWN`. `survives`: a test is about surviving others, too."""

    def __init__(self) -> None:
        self.survives = False

    def heap_free(self) -> int:
        return HEAP_FREE

    def heap_low(self) -> int:
        return HEAP_LOW

    def traceback(self, error: Exception) -> str:
        if not self.survives and error.args != (DRAWN,):
            raise error
        return TRACEBACK
