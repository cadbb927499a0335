"""A simulated Sensirion SCD4x: idle until told to measure, then a reading every 5 s; while it measures it acknowledges only what the datasheet lists
(3.5: stop, data ready, read measurement). Told to start while it measures, or read without a reading, it does not acknowledge."""

from collections.abc import Callable

from simulator.chips import sensirion
from simulator.chips.i2c import NO_DEVICE, NO_FAULTS, Faults, Truth

_STOP_MS = 500
_BOOT_MS = 1000


class SCD4x(sensirion.Repeating):
    every_ms = 5000

    def __init__(
        self,
        clock: Callable[[], int],
        co2_ppm: Truth,
        temperature_cc: Truth,
        humidity_cp: Truth,
        faults: Faults = NO_FAULTS,
        serial: int = 0x0000_F896_3B07_9A2C,
    ) -> None:
        super().__init__(clock, faults, serial)
        self._co2 = co2_ppm
        self._temperature = temperature_cc
        self._humidity = humidity_cp
        self._serial = serial
        self._busy_until_ms = 0

    def power_on(self) -> None:
        super().power_on()
        plugged_in_while_running = self.clock() > 0
        self._busy_until_ms = self.clock() + _BOOT_MS if plugged_in_while_running else 0

    def take(self, data: bytes) -> None:
        t = self.clock()
        measuring = self.running
        self._answer = b""
        if t < self._busy_until_ms:
            raise OSError(NO_DEVICE, "starting up, or stopping")
        if data == b"\xe4\xb8":
            self._answer = sensirion.framed((0x8006 if self._has_reading() else 0x8000,))
        elif data == b"\xec\x05" and self._has_reading():
            self._read_ms = t
            temperature = sensirion.ticks(self.measured(self._temperature, 2), -4500, 17500)
            humidity = sensirion.ticks(self.measured(self._humidity, 3), 0, 10000)
            self._answer = sensirion.framed((max(0, self.measured(self._co2, 1)), temperature, humidity))
        elif data == b"\x3f\x86":
            self._started_ms = -1
            self._busy_until_ms = t + _STOP_MS
        elif data == b"\x36\x82" and not measuring:
            self._answer = sensirion.framed((self._serial >> 32, self._serial >> 16, self._serial))
        elif data == b"\x21\xb1" and not measuring:
            self._started_ms = t
            self._read_ms = t
        else:
            raise OSError(NO_DEVICE, "not now")

    def answer(self, count: int) -> bytes:
        if not self._answer:
            raise OSError(NO_DEVICE, "nothing to read")
        data = self._answer
        self._answer = b""
        if self.is_other_chip:
            data = bytes(byte ^ 0x5A for byte in data)
        return (data + b"\xff" * count)[:count]
