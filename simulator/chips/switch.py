"""A simulated contact, the lid's for example: closed or open by the truth, chattering for a while after each change if it is worn."""

from collections.abc import Callable
from dataclasses import dataclass

from simulator import noise
from simulator.chips.i2c import Truth


@dataclass(frozen=True, slots=True)
class Switch:
    clock: Callable[[], int]
    is_closed: Truth
    chatter_ms: int = 0
    seed: int = 0

    def closed(self) -> int:
        t = self.clock()
        now = self.is_closed(t)
        if self.chatter_ms and self.is_closed(max(0, t - self.chatter_ms)) != now:
            return noise.draw(noise.key(self.seed, "switch"), t) & 1
        return now
