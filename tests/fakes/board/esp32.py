"""A stand-in for the board's `esp32`. `world/ext0`: a line for each time it was set, the pin that wakes the chip or -1; `world/watched` the pins that
ext0 of this chip can watch (absent: all).
"""

WAKEUP_ALL_LOW = 0


def _watched():
    try:
        with open("world/watched") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return range(49)


def wake_on_ext0(pin, level):
    assert level == WAKEUP_ALL_LOW
    if pin is not None and pin.number not in _watched():
        raise ValueError("invalid pin")
    with open("world/ext0", "ab") as file:
        file.write(b"%d\n" % (-1 if pin is None else pin.number))


def gpio_deep_sleep_hold(enable):
    with open("world/holds", "ab") as file:
        file.write(b"all %d\n" % enable)
