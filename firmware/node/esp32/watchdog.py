"""The chip's watchdog: once started it can't be stopped, and resets the board when it is not fed in time."""

from machine import WDT


class Watchdog:
    def __init__(self, timeout_s: int):
        """`timeout_s` 0: none, for a bench."""
        self._wdt = WDT(timeout=timeout_s * 1000) if timeout_s else None

    def feed(self) -> None:
        if self._wdt:
            self._wdt.feed()
