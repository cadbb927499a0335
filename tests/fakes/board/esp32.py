"""A stand-in for the board's `esp32`. `world/ext0`: a line for each time it was set, the pin that wakes the chip or -1."""

WAKEUP_ALL_LOW = 0


def wake_on_ext0(pin, level):
    assert level == WAKEUP_ALL_LOW
    with open("world/ext0", "ab") as file:
        file.write(b"%d\n" % (-1 if pin is None else pin.number))


def gpio_deep_sleep_hold(enable):
    with open("world/holds", "ab") as file:
        file.write(b"all %d\n" % enable)
