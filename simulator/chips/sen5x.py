"""A simulated Sensirion SEN55 (or 54, 50): idle until told to measure, then a reading every second. NOx is not known for the first 11 s, and what the
model lacks is never known (datasheet 6.1.5: FFFF for particles, 7FFF for the others)."""

from collections.abc import Callable, Sequence

from simulator.chips import sensirion
from simulator.chips.i2c import NO_DEVICE, NO_FAULTS, Faults, Truth

_NOX_MS = 11_000
_UNKNOWN = 0x7FFF


class SEN5x(sensirion.Repeating):
    """`truths`: PM1, PM2.5, PM4, PM10 in 0.1 ug/m3, humidity and temperature in hundredths, VOC and NOx index in tenths."""

    every_ms = 1000

    def __init__(
        self,
        clock: Callable[[], int],
        truths: Sequence[Truth],
        faults: Faults = NO_FAULTS,
        model: str = "SEN55",
        seed: int = 0,
    ) -> None:
        super().__init__(clock, faults, seed)
        self._truths = tuple(truths)
        self._model = model

    def take(self, data: bytes) -> None:
        t = self.clock()
        self._answer = b""
        if data == b"\xd0\x14":
            name = ("SPS30" if self.is_other_chip else self._model).encode().ljust(32, b"\0")
            self._answer = sensirion.framed([name[i] << 8 | name[i + 1] for i in range(0, 32, 2)])
        elif data == b"\x02\x02":
            self._answer = sensirion.framed((1 if self._has_reading() else 0,))
        elif data == b"\x03\xc4" and not self.is_other_chip:
            self._answer = sensirion.framed(self._words())
            self._read_ms = t
        elif data == b"\x00\x21":
            if not self.running:
                self._started_ms = self._read_ms = t
        elif data == b"\x01\x04":
            self._started_ms = -1
        else:
            raise OSError(NO_DEVICE, "not a command of this chip")

    def _words(self) -> list[int]:
        if not self.running:
            return [0xFFFF] * 4 + [_UNKNOWN] * 4
        seen = [self.measured(truth, i) for i, truth in enumerate(self._truths)]
        words = [max(0, min(0xFFFE, mass)) for mass in seen[:4]]
        words += [seen[4], seen[5] * 2, max(10, min(5000, seen[6])), max(10, min(5000, seen[7]))]
        if self._model == "SEN50":
            words[4:] = [_UNKNOWN] * 4
        if self._model == "SEN54" or self.clock() - self._started_ms < _NOX_MS:
            words[7] = _UNKNOWN
        return words

    def answer(self, count: int) -> bytes:
        if not self._answer:
            raise OSError(NO_DEVICE, "nothing to read")
        return (self._answer + b"\xff" * count)[:count]
