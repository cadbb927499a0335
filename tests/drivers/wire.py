"""A clock and two kinds of wire for driver tests, and what follows a driver's waits. No test sleeps: the clock jumps."""

from array import array

MOST_LOOKS = 400


class Clock:
    def __init__(self, t=0):
        self.t = t

    def __call__(self):
        return self.t


class I2C:
    """Chips by address; nobody at an address does not acknowledge."""

    def __init__(self, chips):
        self.chips = chips
        self.transfers = 0

    def write(self, address, data):
        self.transfers += 1
        if address not in self.chips:
            raise OSError(19, "no such device")
        self.chips[address].write(bytes(data))

    def read_into(self, address, buffer):
        self.transfers += 1
        if address not in self.chips:
            raise OSError(19, "no such device")
        buffer[:] = self.chips[address].read(len(buffer))


class Script:
    """Every read gives the next bytes of a script, whatever was written; when it ends, nobody answers."""

    def __init__(self, answers):
        self.answers = [bytes(answer) for answer in answers]
        self.written = []

    def write(self, address, data):
        self.written.append((address, bytes(data)))

    def read_into(self, address, buffer):
        if not self.answers:
            raise OSError(19, "no such device")
        answer = self.answers.pop(0)
        buffer[:] = (answer + bytes(len(buffer)))[: len(buffer)]


class Endless(Script):
    """Reads never end: the bytes go round."""

    def __init__(self, data):
        super().__init__([])
        self.data = bytes(data) or b"\0"
        self.at = 0

    def read_into(self, address, buffer):
        for i in range(len(buffer)):
            buffer[i] = self.data[(self.at + i) % len(self.data)]
        self.at += len(buffer)


def measure(driver, clock=None):
    """One measurement as the station makes it: (result, values, milliseconds). An OSError passes through."""
    values = array("i", [0] * len(driver.GIVES))
    wait = driver.start()
    total = 0
    for _ in range(MOST_LOOKS):
        assert isinstance(wait, int) and wait >= 0
        total += wait
        if clock is not None:
            clock.t += wait
        wait = driver.read_into(values)
        if wait <= 0:
            return wait, list(values), total
    raise AssertionError("it never ends")


def outcome(driver, clock=None):
    """The reason (a word of REASONS) or the values."""
    from node.core.measurements import REASONS

    try:
        result, values, _ = measure(driver, clock)
    except OSError:
        return "no_answer"
    return values if result == 0 else REASONS[-result]
