"""Deep sleep of a simulated board: what its RTC memory keeps, why it booted, how long it slept.

Modelled: a wake takes `boot_ms` until the program runs (the ROM and MicroPython, then the firmware's own modules from flash); in the first `blind_ms` of it
no code of ours runs, so that nothing counts a contact. The clock of deep sleep is an RC oscillator: `drift_ppm` slower than the crystal.
Assumed, not measured: 300 ms to the first line of ours, 700 ms to load the modules.
"""

from simulator.agenda import Moment

MEMORY_BYTES = 1900
BOOT_MS = 1000
BLIND_MS = 300
_MILLION = 1_000_000


class Power:
    def __init__(self, moment: Moment, *, boot_ms: int = BOOT_MS, blind_ms: int = BLIND_MS, drift_ppm: int = 0) -> None:
        self._moment = moment
        self.boot_ms = boot_ms
        self.blind_ms = blind_ms
        self.drift_ppm = drift_ppm
        self._cause = "power"
        self._memory = b""
        self._kept_ms = 0
        self._asked_ms = 0
        self.wakes = 0
        self.asleep_ms = 0

    def cause(self) -> str:
        return self._cause

    def memory(self) -> bytes:
        return self._memory

    def keep(self, data: bytes) -> None:
        if len(data) > MEMORY_BYTES:
            raise ValueError(f"RTC memory keeps {MEMORY_BYTES} bytes, not {len(data)}")
        self._memory = bytes(data)
        self._kept_ms = self._moment.t
        self._asked_ms = 0  # of the sleep before

    def slept_ms(self) -> int:
        """Since `keep`, as the clock of deep sleep says."""
        gone = self._moment.t - self._kept_ms
        return self._asked_ms + gone - self._true_ms(self._asked_ms)

    # what the board does

    def doze(self, ms: int) -> int:
        """Deep sleep; until when the program does not run."""
        self._asked_ms = ms
        self.asleep_ms += self._true_ms(ms)
        return self._moment.t + self._true_ms(ms) + self.boot_ms

    def wake(self) -> None:
        self._cause = "sleep"
        self.wakes += 1

    def restart(self, cause: str = "power") -> None:
        """The power goes, and the memory with it; any other reset leaves it."""
        self._cause = cause
        self._asked_ms = 0
        if cause == "power":
            self._memory = b""

    def _true_ms(self, ms: int) -> int:
        return ms + ms * self.drift_ppm // _MILLION
