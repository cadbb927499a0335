# mypy: ignore-errors
"""Flash in RAM, as MicroPython's LittleFS asks for it. Runs in the MicroPython VM; scripts of tests take it from here, too."""

BLOCK = 4096
ERASED = b"\xff" * BLOCK


class Blocks:
    """A block device but for its bytes: `readblocks`, `writeblocks` and `erase` answer 0 or a negative error number."""

    def __init__(self, count):
        self.count = count

    def ioctl(self, what, argument):
        if what == 4:
            return self.count
        if what == 5:
            return BLOCK
        if what == 6:
            return self.erase(argument)
        return 0


class Flash(Blocks):
    """`data`: a whole number of blocks, changed in place. `erases`: how often each was erased."""

    def __init__(self, data):
        super().__init__(len(data) // BLOCK)
        self.data = memoryview(data)
        self.erases = [0] * self.count

    def readblocks(self, number, buffer, offset=0):
        at = number * BLOCK + offset
        buffer[:] = self.data[at : at + len(buffer)]
        return 0

    def writeblocks(self, number, buffer, offset=0):
        at = number * BLOCK + offset
        self.data[at : at + len(buffer)] = buffer
        return 0

    def erase(self, number):
        self.erases[number] += 1
        return self.writeblocks(number, ERASED)
