"""A simulated MaxBotix HRXL-MaxSonar-WR: what its serial pin sends.

From the maker's datasheet (HRXL-MaxSonar-WR, "Pin 5") as users quote it (ESPHome, EnviroDIY): 9600 8N1, lines `R1234` and a carriage return in mm, 6 to
7.5 a second; text with its part number from 65 to 160 ms after power; nearer than its blanking distance it tells that, with nothing in sight its
largest range. Assumed, to be checked on a sensor: the first range comes a frame's time after the text.
"""

from collections.abc import Callable

from simulator import noise
from simulator.chips.line import LineFaults

WARM_UP_MS = 160
FRAME_MS = 150
# As EnviroDIY's ModularSensors records it of an MB7386.
GREETING = b"HRXL-MaxSonar-WRL\rPN:MB7386\rCopyright 2011-2013 MaxBotix Inc.\rRoHS 1.8b090\r0713 TempI\r"


class MaxBotix:
    def __init__(
        self,
        seed: int,
        node: str,
        distance_mm: Callable[[int], int],
        faults: LineFaults | None = None,
        *,
        range_mm: int = 5000,
        blanking_mm: int = 300,
        noise_mm: int = 1,
    ) -> None:
        """`distance_mm(t_ms)` is the truth; `noise_mm` a frame's standard deviation."""
        self._distance_mm = distance_mm
        self._faults = faults or LineFaults()
        self._range_mm = range_mm
        self._blanking_mm = blanking_mm
        self._noise_mm = noise_mm
        self._key = noise.key(seed, node, "maxbotix")
        self._line_key = noise.key(seed, node, "maxbotix line")

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        """Appends what ended in (after_ms, now_ms], until `fifo` holds `room` bytes or a frame more."""
        t = after_ms + 1
        while t <= now_ms and len(fifo) < room:
            since = self._faults.powered_since(t, powered_ms)
            age = t - since - WARM_UP_MS
            if since < 0:
                t = max(t + 1, self._faults.plugged_in(t)) if powered_ms >= 0 else now_ms + 1
            elif age < 0:
                t = since + WARM_UP_MS
            elif age % FRAME_MS:
                t += FRAME_MS - age % FRAME_MS
            else:
                fifo += self.frame(t) if age else GREETING
                t += 1

    def frame(self, t_ms: int) -> bytes:
        """The line that ends at `t_ms`."""
        bell = noise.bell(noise.draw(self._key, t_ms))
        mm = self._distance_mm(t_ms) + bell * self._noise_mm // noise.BELL_SD
        mm = max(self._blanking_mm, min(self._range_mm, mm))
        line = b"R%03d\r" % (mm // 10) if self._faults.wrong_chip else b"R%04d\r" % mm  # its sister speaks in cm
        return self._faults.strike(line, self._line_key, t_ms)
