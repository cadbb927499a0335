"""The port `platform` for tests that are about surviving a defect."""


class Platform:
    def __init__(self, heap_low=90_000):
        self._heap_low = heap_low

    def heap_free(self):
        return 100_000

    def heap_low(self):
        return self._heap_low

    def traceback(self, error):
        return f"Traceback (most recent call last):\n{type(error).__name__}: {error}\n"
