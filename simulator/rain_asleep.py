"""What a sleeping rain gauge misses: the bucket's chip model tips through the wakes of a sleeping board, and beside it through an always-on one.

While the chip sleeps a tip wakes it (ext0) and is counted in RTC memory. For `blind_ms` after each wake no interrupt counts; then the pin is read once, and a
contact that is closed is counted. A wake by the timer is blind just so. Steady rain is the honest case to print: in gusts tips come closer together.
"""

from dataclasses import dataclass

from simulator.adapters.buses import Pulses
from simulator.adapters.power import BLIND_MS, BOOT_MS
from simulator.agenda import Moment
from simulator.chips.tipping_bucket import TippingBucket

TIP_NM = 200_000
RATES_MM_H = (100, 300)
SAMPLES_S = (60, 300, 900)
_AWAKE_MS = 600  # a sample and its record, by the interrupt as always


class Steady:
    """Rain of one rate and 0.3 % more, so that the tips walk through the grid of the samples; else all or none would fall into a boot."""

    def __init__(self, mm_h: int) -> None:
        self._mm_h = mm_h

    def fallen_um(self, t_ms: int) -> int:
        return t_ms * self._mm_h * 1003 // 3_600_000


@dataclass(frozen=True, slots=True)
class Found:
    mm_h: int
    sample_s: int
    tips: int
    always_on: int
    asleep: int
    tip_wakes: int

    @property
    def loss_percent(self) -> float:
        return 100 * (self.tips - self.asleep) / self.tips

    @property
    def always_on_loss_percent(self) -> float:
        return 100 * (self.tips - self.always_on) / self.tips


def through(
    mm_h: int, sample_s: int, hours: int = 24, *, boot_ms: int = BOOT_MS, blind_ms: int = BLIND_MS, seed: int = 1
) -> Found:
    """So many hours of steady rain; sampled every `sample_s`."""
    rain = Steady(mm_h)
    end_ms = hours * 3_600_000
    moment = Moment()
    bucket = TippingBucket(seed, "rg01", rain, TIP_NM)
    sleepy, awake = Pulses(moment, bucket), Pulses(moment, bucket)
    t = 0
    while t < end_ms:
        moment.t = t + _AWAKE_MS
        sleepy.count()
        t += 1000 * sample_s
        moment.t = t
        sleepy.slept(t - boot_ms, t, blind_ms)
    return Found(mm_h, sample_s, len(bucket.tips(0, t)), awake.count(), sleepy.count(), sleepy.wakes)


def figures() -> list[dict[str, object]]:
    """Loss at 100 and 300 mm/h for a bucket of 0.2 mm, asleep and always on."""
    found = [through(mm_h, sample_s) for mm_h in RATES_MM_H for sample_s in SAMPLES_S]
    return [
        {
            "mm_h": one.mm_h,
            "sample_s": one.sample_s,
            "tips": one.tips,
            "asleep_loss_percent": round(one.loss_percent, 2),
            "always_on_loss_percent": round(one.always_on_loss_percent, 2),
            "tip_wakes": one.tip_wakes,
        }
        for one in found
    ]
