"""Switched outputs that tell of every change."""

from collections.abc import Callable

NAMES = ("siren", "strobe")


class Output:
    def __init__(self, name: str, changed: Callable[[str, int], object]) -> None:
        self.name = name
        self.on = 0
        self._changed = changed

    def set(self, on: int) -> None:
        on = 1 if on else 0
        if on != self.on:
            self.on = on
            self._changed(self.name, on)
