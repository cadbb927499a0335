"""What all simulated I2C chips share: a plug that can be pulled, and what goes wrong on purpose.

The bus calls `write(data)` and `read(count)`; both raise OSError when the chip does not answer. A chip asks the shared clock for the time and its
truths (functions of that time) for the world. Windows are (from, to) in milliseconds. Pulling the plug is a power failure: plugged in again,
the chip wakes as its datasheet says. What is drawn depends on seed, node and time only.
"""

from collections.abc import Callable
from dataclasses import dataclass

from simulator import noise

Truth = Callable[[int], int]
Windows = tuple[tuple[int, int], ...]

NO_DEVICE = 19
TIMED_OUT = 110
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Faults:
    unplugged_ms: Windows = ()  # ENODEV
    held_low_ms: Windows = ()  # somebody holds the bus: ETIMEDOUT
    garbage_ms: Windows = ()  # answers are noise
    zeros_ms: Windows = ()  # answers are 00
    other_chip_ms: Windows = ()  # another make answers to this address
    stuck_ms: Windows = ()  # measures what it measured when the window began
    flipped_ppm: int = 0  # answers with one bit struck
    noise_steps: int = 0  # standard deviation, in steps of the truth


NO_FAULTS = Faults()


def window(windows: Windows, t_ms: int) -> int:
    """When the window that holds this time began; -1 outside all."""
    for begin, end in windows:
        if begin <= t_ms < end:
            return begin
    return -1


class Chip:
    def __init__(
        self, clock: Callable[[], int], faults: Faults = NO_FAULTS, seed: int = 0, node: str = "", name: str = ""
    ) -> None:
        self.clock = clock
        self.faults = faults
        self._key = noise.key(seed, node, name or type(self).__name__, "i2c")
        self._reads = 0
        self._powered_ms = -1  # when the plug was last seen to go in

    def write(self, data: bytes) -> None:
        self._gate()
        self.take(bytes(data))

    def read(self, count: int) -> bytes:
        self._gate()
        return self._spoiled(self.answer(count), count)

    def take(self, data: bytes) -> None:
        raise NotImplementedError

    def answer(self, count: int) -> bytes:
        raise NotImplementedError

    def power_on(self) -> None:
        """Everything that a power failure clears."""

    @property
    def is_other_chip(self) -> bool:
        return window(self.faults.other_chip_ms, self.clock()) >= 0

    def measured(self, truth: Truth, salt: int = 0) -> int:
        """What the world says, as this chip sees it now."""
        t = self.clock()
        stuck = window(self.faults.stuck_ms, t)
        if stuck >= 0:
            t = stuck
        value = truth(t)
        if self.faults.noise_steps:
            bits = noise.draw(self._key ^ salt, t)
            value += noise.bell(bits) * self.faults.noise_steps // noise.BELL_SD
        return value

    def _gate(self) -> None:
        t = self.clock()
        if window(self.faults.unplugged_ms, t) >= 0:
            self._powered_ms = -1
            raise OSError(NO_DEVICE, "no such device")
        if window(self.faults.held_low_ms, t) >= 0:
            raise OSError(TIMED_OUT, "the bus is held low")
        # Also when nobody looked while the plug was out.
        pulled = any(self._powered_ms < end <= t for _, end in self.faults.unplugged_ms)
        if self._powered_ms < 0 or pulled:
            self._powered_ms = t
            self.power_on()

    def _spoiled(self, data: bytes, count: int) -> bytes:
        t = self.clock()
        self._reads += 1
        bits = noise.draw(self._key, (t << 8) + (self._reads & 0xFF))
        if window(self.faults.garbage_ms, t) >= 0:
            return bytes(noise.draw(bits, i) & 0xFF for i in range(count))
        if window(self.faults.zeros_ms, t) >= 0:
            return bytes(count)
        if noise.below(bits, _MILLION) < self.faults.flipped_ppm:
            struck = bytearray(data)
            at = noise.below(bits >> 32, 8 * count)
            struck[at >> 3] ^= 1 << (at & 7)
            return bytes(struck)
        return data


class RegisterChip(Chip):
    """A chip whose first written byte points to a register."""

    def __init__(
        self, clock: Callable[[], int], faults: Faults = NO_FAULTS, seed: int = 0, node: str = "", name: str = ""
    ) -> None:
        super().__init__(clock, faults, seed, node, name)
        self.pointer = 0

    def take(self, data: bytes) -> None:
        if data:
            self.pointer = data[0]
            if len(data) > 1:
                self.set_register(data[0], data[1:])

    def set_register(self, pointer: int, data: bytes) -> None:
        raise NotImplementedError
