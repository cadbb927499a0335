"""A stand-in for the board's `machine` in the MicroPython VM of a PC. The world is files in the working directory:

`world/range_mm` what the ranger sees (absent: 3000); `world/adc_uv` what the ADC reads (absent: 2210526, 12.6 V by 5.7)
`world/pins`       a line `pin value` for every change of an output; `world/feeds` a byte for each meal of the watchdog
`world/holds`      a line `pin on` for every pad that is held; `world/slept` a line for each deep sleep, in ms; `world/wake` is what ends it
`world/rtc`        the RTC's memory; `world/reset` exists after `machine.reset()`; `world/cause` is the reset's cause
"""

import os
import time

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
EXT0_WAKE = 2
TIMER_WAKE = 4
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
    """`outside` is what the world puts on a pin (absent: pulled up, or what was last written), `touch` what it changes it to."""

    OUT = 1
    IN = 0
    OPEN_DRAIN = 2
    PULL_UP = 3
    IRQ_FALLING = 4
    outside = {}
    freed_by = {}  # clock pin -> [clocks still needed, data pin]: a chip that was cut off within a byte
    _values = {}
    _handlers = {}

    def __init__(self, number, mode=None, pull=None, value=None, hold=None):
        if hold is not None:
            _write("holds", b"%d %d\n" % (number, hold), "ab")
        self.number = self._number = number
        self._mode = mode
        if value is not None:
            self.value(value)

    def value(self, value=None):
        if value is None:
            return self.outside.get(self._number, self._values.get(self._number, 1))
        before = self._values.get(self._number)
        if before != value:
            self._values[self._number] = value
            if self._mode == self.OUT:
                _write("pins", b"%d %d\n" % (self._number, value), "ab")
            elif before == 0 and self._number in self.freed_by:
                waiting = self.freed_by[self._number]
                waiting[0] -= 1
                if waiting[0] == 0:
                    self.outside.pop(waiting[1])

    def irq(self, handler, trigger):
        self._handlers[self._number] = handler

    @classmethod
    def touch(cls, number, level):
        falls = level < cls.outside.get(number, 1)
        cls.outside[number] = level
        if falls and number in cls._handlers:
            cls._handlers[number](None)


class I2C:
    """`chips`: address -> an object with write(data) and read(count)."""

    chips = {}

    def __init__(self, number, scl, sda, freq, timeout):
        self._lines = (scl, sda)
        self.timeout = timeout

    def _chip(self, address):
        for line in self._lines:
            assert line.value(), "the real driver would hang here for 100 ms and more"
        if address not in self.chips:
            raise OSError(19)
        return self.chips[address]

    def writeto(self, address, data):
        self._chip(address).write(bytes(data))

    def readfrom_into(self, address, buffer):
        data = self._chip(address).read(len(buffer))
        for i in range(len(buffer)):
            buffer[i] = data[i]


class UART:
    """An A02YYUW is on every UART: a frame each 100 ms; or what `lines` has for its number, an object with read() and write(data)."""

    lines = {}

    def __init__(self, number, baudrate, rx, tx, parity=None, stop=1, rxbuf=256, timeout=0):
        self._line = self.lines.get(number)
        self._waiting = bytearray()
        self._last = time.ticks_ms()

    def _fill(self):
        if self._line:
            self._waiting.extend(self._line.read())
            return
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
        if self._line:
            self._line.write(bytes(data))
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


def wake_reason():
    return int(_read("wake", b"0"))


def deepsleep(ms):
    """The next boot is a wake, if the test says so with `world/cause` 4."""
    _write("slept", b"%d\n" % ms, "ab")
    os.system("kill -9 $PPID")
    while True:
        pass


def reset():
    _write("reset", b"1", "wb")
    os.system("kill -9 $PPID")  # sys.exit would end at the REPL
    while True:
        pass
