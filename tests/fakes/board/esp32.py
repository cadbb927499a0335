"""A stand-in for the board's `esp32`. `world/ext0`: a line for each time it was set, the pin that wakes the chip or -1; `world/watched` the pins that
ext0 of this chip can watch (absent: all).
"""

from machine import _read, _write

WAKEUP_ALL_LOW = 0


def wake_on_ext0(pin, level):
    assert level == WAKEUP_ALL_LOW
    watched = [int(word) for word in _read("watched", b"").split()]
    if pin is not None and watched and pin.number not in watched:
        raise ValueError("invalid pin")
    _write("ext0", b"%d\n" % (-1 if pin is None else pin.number), "ab")


def gpio_deep_sleep_hold(enable):
    _write("holds", b"all %d\n" % enable, "ab")
