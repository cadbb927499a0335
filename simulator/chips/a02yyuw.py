"""A simulated DFRobot A02YYUW ranger: what its TX pin would send, frame by frame.

From the maker's page (SEN0311): 9600 8N1, a frame FF H L SUM of its own accord about every 100 ms, SUM the low byte of FF + H + L, H and L the
distance in mm (FF 07 A1 A7 is 1953 mm); sees 30 to 4500 mm, +-10 mm.
Assumed, to be checked on a sensor: the first frame comes 300 ms after power; with no echo it sends a distance of 0 under a good checksum (users of
the DYP-A02YYUM report just that), or, `no_echo = "silent"`, no frame. Its own temperature compensation is off by up to `heat_cc` hundredths of a degree,
which moves a distance by 1/583 per degree near 20 degC (331.3 + 0.606 T m/s).

A frame depends only on the seed, the node and the frame's time: whoever reads, however often, gets the same bytes.
"""

from dataclasses import dataclass

from simulator import noise
from simulator.world.river import Water

WARM_UP_MS = 300
FRAME_MS = 100
BLANKING_MM = 30
RANGE_MM = 4500
SECOND_MS = 1000  # what hits a "whole burst" lasts so long
_DAY_MS = 86_400_000
_HEAT_PARTS = 58_300_000  # 1/583 per degree, in hundredths, in thousandths
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad a ranger's life is; chances in parts per million of frames, or of seconds where `burst` is said."""

    bias_mm: int = 4  # fixed per sensor, drawn within +- this
    noise_mm: int = 2  # standard deviation of a frame
    heat_cc: int = 150  # error of its temperature compensation, 1/100 degC, worst at 14 h
    spike_ppm: int = 0
    burst_spike_ppm: int = 0
    no_echo_ppm: int = 0
    burst_no_echo_ppm: int = 0
    bad_sum_ppm: int = 0
    lost_byte_ppm: int = 0
    no_echo: str = "zero"  # or "silent"
    unplugged_ms: tuple[tuple[int, int], ...] = ()  # from, to


def checksum(high: int, low: int) -> int:
    return (0xFF + high + low) & 0xFF


class A02YYUW:
    def __init__(self, seed: int, node: str, river: Water, height_mm: int, starts_unix_ms: int, faults: Faults) -> None:
        self._river = river
        self._height_mm = height_mm
        self._starts_unix_ms = starts_unix_ms
        self._faults = faults
        self._noise_mm = faults.noise_mm
        self._key = noise.key(seed, node, "range")
        self._burst_key = noise.key(seed, node, "burst")
        self._bias_mm = noise.below(noise.draw(self._key, -1), 2 * faults.bias_mm + 1) - faults.bias_mm
        # One comparison tells nearly every frame that nothing befalls it.
        self._any_ppm = faults.spike_ppm + faults.no_echo_ppm + faults.bad_sum_ppm + faults.lost_byte_ppm
        self._any_burst = faults.burst_spike_ppm + faults.burst_no_echo_ppm
        self._second = -1  # what follows holds for this second
        self._distance_mm = 0
        self._burst = 0
        self._rough = False

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        """Appends the frames that ended in (after_ms, now_ms] until `fifo` holds `room` bytes or a frame more."""
        first = powered_ms + WARM_UP_MS
        t = first if after_ms < first else after_ms + FRAME_MS - (after_ms - first) % FRAME_MS
        for at in range(t, now_ms + 1, FRAME_MS):
            if len(fifo) >= room:
                return
            fifo += self.frame(at)

    def frame(self, t_ms: int) -> bytes:
        """The frame that ends at `t_ms`: 4 bytes, or fewer when the line or the chip fails."""
        second = t_ms // SECOND_MS
        if second != self._second:
            self._look_around(second)
        bits = noise.draw(self._key, t_ms)
        bell = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255) - 510  # noise.bell, in line
        mm = self._distance_mm + bell * self._noise_mm // noise.BELL_SD
        fate = (bits >> 32) * _MILLION >> 32
        if fate < self._any_ppm or self._rough:
            return self._troubled(t_ms, mm, fate, bits)
        if BLANKING_MM <= mm <= RANGE_MM:
            return bytes((0xFF, mm >> 8, mm & 0xFF, (0xFF + (mm >> 8) + mm) & 0xFF))
        return self._nothing_in_sight()

    def _look_around(self, second: int) -> None:
        """What holds for all frames of this second: the water (no river here moves a mm within one), the sun, and what befalls a whole burst.

        The sun heats the housing: its compensation errs by 0 at 2 h, by `heat_cc` at 14 h.
        """
        self._second = second
        t_ms = second * SECOND_MS
        from_14h = abs((self._starts_unix_ms + t_ms) % _DAY_MS - 50_400_000)
        if from_14h > 43_200_000:
            from_14h = _DAY_MS - from_14h
        heat = self._faults.heat_cc * (43_200_000 - from_14h) // 43_200
        mm = self._height_mm - self._river.at(t_ms)
        self._distance_mm = mm + self._bias_mm + mm * heat // _HEAT_PARTS
        self._rough = False
        if self._any_burst:
            self._burst = noise.draw(self._burst_key, second)
            self._rough = (self._burst >> 32) * _MILLION >> 32 < self._any_burst
        for begin, end in self._faults.unplugged_ms:
            self._rough = self._rough or begin < t_ms + SECOND_MS and t_ms < end

    def _nothing_in_sight(self) -> bytes:
        return b"\xff\x00\x00\xff" if self._faults.no_echo == "zero" else b""

    def _troubled(self, t_ms: int, mm: int, fate: int, bits: int) -> bytes:
        faults = self._faults
        for begin, end in faults.unplugged_ms:
            if begin <= t_ms < end:
                return b""
        burst = self._burst
        burst_fate = (burst >> 32) * _MILLION >> 32 if self._any_burst else _MILLION
        if burst_fate < faults.burst_spike_ppm:
            mm = self._struck(burst)  # one obstacle for the whole burst: branches under the sensor
        elif burst_fate < self._any_burst:
            return self._nothing_in_sight()
        lost = bits >> 8 & 3
        if fate < faults.spike_ppm:
            mm = self._struck(bits)
        elif (fate := fate - faults.spike_ppm) < faults.no_echo_ppm:
            return self._nothing_in_sight()
        elif (fate := fate - faults.no_echo_ppm) < faults.bad_sum_ppm:
            if BLANKING_MM <= mm <= RANGE_MM:
                flipped = bytearray((0xFF, mm >> 8, mm & 0xFF, checksum(mm >> 8, mm & 0xFF)))
                flipped[1 + lost % 3] ^= 1 << (bits >> 10 & 7)
                return bytes(flipped)
        elif (fate := fate - faults.bad_sum_ppm) < faults.lost_byte_ppm and BLANKING_MM <= mm <= RANGE_MM:
            whole = bytes((0xFF, mm >> 8, mm & 0xFF, checksum(mm >> 8, mm & 0xFF)))
            return whole[:lost] + whole[lost + 1 :]
        if not BLANKING_MM <= mm <= RANGE_MM:
            return self._nothing_in_sight()
        return bytes((0xFF, mm >> 8, mm & 0xFF, checksum(mm >> 8, mm & 0xFF)))

    @staticmethod
    def _struck(bits: int) -> int:
        """What stands in the beam: anywhere the sensor sees."""
        return BLANKING_MM + noise.below(bits >> 7, RANGE_MM - BLANKING_MM)
