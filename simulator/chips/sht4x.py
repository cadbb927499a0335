"""A simulated Sensirion SHT4x: commands FD (8 ms) and 89; before its answer is ready it does not acknowledge a read (datasheet 4.2)."""

from collections.abc import Callable

from simulator.chips import sensirion
from simulator.chips.i2c import NO_DEVICE, NO_FAULTS, Chip, Faults, Truth

_MEASURE_MS = 8


class SHT4x(Chip):
    def __init__(
        self,
        clock: Callable[[], int],
        temperature_cc: Truth,
        humidity_cp: Truth,
        faults: Faults = NO_FAULTS,
        serial: int = 0x0FBAF98F,
    ) -> None:
        super().__init__(clock, faults, seed=serial)
        self._temperature = temperature_cc
        self._humidity = humidity_cp
        self._serial = serial
        self._words: tuple[int, int] | None = None
        self._ready_ms = 0

    def power_on(self) -> None:
        self._words = None

    def take(self, data: bytes) -> None:
        t = self.clock()
        if data == b"\x89":
            self._words = (self._serial >> 16, self._serial)
            self._ready_ms = t + 1
        elif data == b"\xfd":
            temperature = sensirion.ticks(self.measured(self._temperature, 1), -4500, 17500)
            self._words = (temperature, sensirion.ticks(self.measured(self._humidity, 2), -600, 12500))
            self._ready_ms = t + _MEASURE_MS
        else:
            raise OSError(NO_DEVICE, "not a command of this chip")

    def answer(self, count: int) -> bytes:
        if self._words is None or self.clock() < self._ready_ms:
            raise OSError(NO_DEVICE, "nothing to read yet")
        data = sensirion.framed(self._words)
        self._words = None
        if self.is_other_chip:
            data = bytes(byte ^ 0x5A for byte in data)
        return (data + b"\xff" * count)[:count]
