"""An I2C bus on which one sensor that fails does not keep the others, or the station, waiting."""

import errno
import time

from machine import I2C, Pin

_STRETCH_US = 2500  # a chip may hold the clock so long; with 24 bytes at 100 kHz a call ends within 5 ms
_HALF_BIT_US = 5


class I2CBus:
    def __init__(self, number: int, pins: dict):
        """`pins`: sda, scl and, if it is not 100, khz."""
        self._number = number
        self._pins = pins
        self._start()

    def _start(self) -> None:
        self._scl = Pin(self._pins["scl"])
        self._sda = Pin(self._pins["sda"])
        lines = {"scl": self._scl, "sda": self._sda, "freq": self._pins.get("khz", 100) * 1000}
        # The stubs do not know `timeout`; the ESP32's I2C has taken it since 1.18.
        self._i2c = I2C(self._number, timeout=_STRETCH_US, **lines)  # type: ignore[call-overload]

    def write(self, address: int, data) -> None:
        self._look()
        self._i2c.writeto(address, data)

    def read_into(self, address: int, buffer) -> None:
        self._look()
        self._i2c.readfrom_into(address, buffer)

    def _look(self) -> None:
        """OSError while a line is held low. The chip's driver would wait there for 100 ms and 100 more for every byte.

        SCL low: a chip or a short holds it, nothing can be done. SDA low: a chip was cut off within a byte and waits for the clock to go on; nine clocks
        end it.
        """
        if self._scl.value() and not self._sda.value():
            scl = Pin(self._pins["scl"], Pin.OPEN_DRAIN, value=1)
            for _ in range(9):
                scl.value(0)
                time.sleep_us(_HALF_BIT_US)
                scl.value(1)
                time.sleep_us(_HALF_BIT_US)
            self._start()
        if not (self._scl.value() and self._sda.value()):
            raise OSError(errno.ETIMEDOUT)
