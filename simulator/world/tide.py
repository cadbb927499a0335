"""A tide from a few harmonic constituents, in integers: synthetic, no port's prediction. A storm surge may come on top."""

from collections.abc import Sequence
from typing import NamedTuple

from simulator.world.waves import TURN, sine_ppm


class Constituent(NamedTuple):
    """`period_ms` of one wave, its amplitude, and where in its turn (millionths) it stands at time 0."""

    name: str
    period_ms: int
    amplitude_mm: int
    phase: int = 0


# Periods in hours by definition (NOAA's list of harmonic constituents): M2 12.4206012, S2 12, K1 23.93447213,
# O1 25.81933871. The amplitudes are ours, of the size of a mixed tide in the Java Sea.
M2 = Constituent("M2", 44_714_164, 350)
S2 = Constituent("S2", 43_200_000, 140)
K1 = Constituent("K1", 86_164_100, 260)
O1 = Constituent("O1", 92_949_619, 140)
MIXED = (M2, S2, K1, O1)


class Tide:
    """Sea level above datum in mm: `mean_mm` and its waves, and a surge that swells and ebbs like half a wave."""

    def __init__(
        self,
        constituents: Sequence[Constituent] = MIXED,
        mean_mm: int = 0,
        surge_mm: int = 0,
        surge_from_ms: int = 0,
        surge_for_ms: int = 1,
    ) -> None:
        self.constituents = tuple(constituents)
        self.mean_mm = mean_mm
        self.surge_mm = surge_mm
        self.surge_from_ms = surge_from_ms
        self.surge_for_ms = surge_for_ms

    def at(self, t_ms: int) -> int:
        """`t_ms` since the moment at which the phases hold."""
        total = 0
        for wave in self.constituents:
            phase = t_ms % wave.period_ms * TURN // wave.period_ms + wave.phase
            total += wave.amplitude_mm * sine_ppm(phase)
        since = t_ms - self.surge_from_ms
        if 0 <= since < self.surge_for_ms:
            total += self.surge_mm * sine_ppm(since * TURN // (2 * self.surge_for_ms))
        return self.mean_mm + (total + 500_000) // 1_000_000
