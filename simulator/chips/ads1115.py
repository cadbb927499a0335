"""A simulated TI ADS1115: config and conversion registers; a single-shot conversion takes 8 ms at 128 a second, slower and faster by the rate bits."""

from collections.abc import Callable, Sequence

from simulator.chips.i2c import NO_FAULTS, Faults, RegisterChip, Truth

_WAKES = 0x8583
_FULL_UV = (6_144_000, 4_096_000, 2_048_000, 1_024_000, 512_000, 256_000, 256_000, 256_000)
_RATE = (8, 16, 32, 64, 128, 250, 475, 860)
_PAIRS = ((0, 1), (0, 3), (1, 3), (2, 3))
_TMP117 = 0x0117


class ADS1115(RegisterChip):
    """`inputs_uv`: what lies at AIN0 to AIN3 against ground."""

    def __init__(
        self, clock: Callable[[], int], inputs_uv: Sequence[Truth], faults: Faults = NO_FAULTS, seed: int = 0
    ) -> None:
        super().__init__(clock, faults, seed)
        self._inputs = tuple(inputs_uv)
        self._config = _WAKES
        self._conversion = 0
        self._pending = 0
        self._ready_ms = -1

    def power_on(self) -> None:
        self._config = _WAKES
        self._conversion = 0
        self._ready_ms = -1
        self.pointer = 0

    def set_register(self, pointer: int, data: bytes) -> None:
        if pointer != 1 or len(data) != 2:
            return
        self._config = data[0] << 8 | data[1]
        if self._config & 0x8000:
            self._pending = self._convert()
            rate = _RATE[self._config >> 5 & 7]
            self._ready_ms = self.clock() + -(-1000 // rate)

    def _convert(self) -> int:
        mux = self._config >> 12 & 7
        if mux >= 4:
            uv = self.measured(self._inputs[mux - 4], mux)
        else:
            plus, minus = _PAIRS[mux]
            uv = self.measured(self._inputs[plus], mux) - self.measured(self._inputs[minus], mux + 8)
        full = _FULL_UV[self._config >> 9 & 7]
        return max(-0x8000, min(0x7FFF, (uv * 0x8000 + full // 2) // full)) & 0xFFFF

    def answer(self, count: int) -> bytes:
        if self.is_other_chip:
            return (_TMP117.to_bytes(2, "big") * count)[:count]
        busy = self.clock() < self._ready_ms
        if self._ready_ms >= 0 and not busy:
            self._conversion = self._pending
            self._ready_ms = -1
        register = {0: self._conversion, 1: self._config & 0x7FFF | (0 if busy else 0x8000), 2: 0x8000, 3: 0x7FFF}
        return (register[self.pointer & 3].to_bytes(2, "big") * count)[:count]
