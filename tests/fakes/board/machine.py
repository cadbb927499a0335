"""A stand-in for the board's `machine` in the MicroPython VM of a PC. The world is files in the working directory:

`world/range_mm` what the ranger sees (absent: 3000); `world/adc_uv` what the ADC reads (absent: 2210526, 12.6 V by 5.7)
`world/pins`       a line `pin value` for every change of an output; `world/feeds` a byte for each meal of the watchdog
`world/rtc`        the RTC's memory; `world/reset` exists after `machine.reset()`; `world/cause` is the reset's cause
"""

import os
import time

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
SOFT_RESET = 5


def _read(name, default):
    try:
        with open("world/" + name, "rb") as file:
            return file.read()
    except OSError:
        return default


def _write(name, data, mode):
    try:
        os.mkdir("world")
    except OSError:
        pass
    with open("world/" + name, mode) as file:
        file.write(data)


class Pin:
    OUT = 1
    IN = 0
    _values = {}

    def __init__(self, number, mode=IN, value=None):
        self._number = number
        if value is not None:
            self.value(value)

    def value(self, value=None):
        if value is None:
            return self._values.get(self._number, 0)
        if self._values.get(self._number) != value:
            self._values[self._number] = value
            _write("pins", b"%d %d\n" % (self._number, value), "ab")


class UART:
    """An A02YYUW is on every UART: a frame each 100 ms."""

    def __init__(self, number, baudrate, rx, tx, rxbuf=256, timeout=0):
        self._waiting = bytearray()
        self._last = time.ticks_ms()

    def _fill(self):
        now = time.ticks_ms()
        while time.ticks_diff(now, self._last) >= 100:
            self._last = time.ticks_add(self._last, 100)
            if len(self._waiting) < 252:
                mm = int(_read("range_mm", b"3000"))
                self._waiting.extend(bytes((0xFF, mm >> 8, mm & 0xFF, (0xFF + (mm >> 8) + mm) & 0xFF)))

    def any(self):
        self._fill()
        return len(self._waiting)

    def readinto(self, buffer):
        self._fill()
        count = min(len(buffer), len(self._waiting))
        if not count:
            return None
        buffer[:count] = self._waiting[:count]
        self._waiting = self._waiting[count:]
        return count

    def write(self, data):
        return len(data)


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin):
        pass

    def atten(self, atten):
        pass

    def read_uv(self):
        return int(_read("adc_uv", b"2210526"))


class WDT:
    def __init__(self, timeout):
        _write("feeds", b"%d\n" % timeout, "ab")

    def feed(self):
        _write("feeds", b".", "ab")


class RTC:
    def datetime(self, when):
        _write("datetime", repr(when).encode(), "wb")

    def memory(self, data=None):
        if data is None:
            return _read("rtc", b"")
        _write("rtc", data, "wb")


def reset_cause():
    return int(_read("cause", b"1"))


def reset():
    _write("reset", b"1", "wb")
    os.system("kill -9 $PPID")  # sys.exit would end at the REPL
    while True:
        pass
