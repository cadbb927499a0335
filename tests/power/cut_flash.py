"""Blocks in RAM that remember what they held before each write and with half of it done. Runs in the MicroPython VM."""

from simulator.runtimes.ram_flash import BLOCK, ERASED, Blocks

BLOCKS = 64


class Flash(Blocks):
    """Blocks in RAM. `fails` is (first, count): these writes fail, the first of them halfway; past `count` it works again, below 0 never."""

    def __init__(self, blocks, owed, fails=None, cuts=None):
        """`cuts`: a list that is given (before the write, with half of it done, owed) at every write."""
        super().__init__(len(blocks))
        self.blocks = list(blocks)
        self.owed = owed
        self.cuts = cuts
        self.dead = False
        self._fails = fails
        self._writes = 0

    def readblocks(self, number, buffer, offset=0):
        if self.dead:
            return -5
        buffer[:] = self.blocks[number][offset : offset + len(buffer)]
        return 0

    def writeblocks(self, number, buffer, offset=0):
        return self._write(number, bytes(buffer), offset)

    def erase(self, number):
        return self._write(number, ERASED, 0)

    def _write(self, number, data, offset):
        self._writes += 1
        if self._fails:
            first, count = self._fails
            if self._writes == first:
                self.blocks[number] = self._half(number, data, offset)
            if self._writes >= first and (count < 0 or self._writes < first + count):
                self.dead = count < 0
                return -5
        if self.cuts is not None:
            halfway = list(self.blocks)
            halfway[number] = self._half(number, data, offset)
            self.cuts.append((list(self.blocks), halfway, self.owed))
        old = self.blocks[number]
        self.blocks[number] = data if len(data) == BLOCK else old[:offset] + data + old[offset + len(data) :]
        return 0

    def _half(self, number, data, offset):
        old = self.blocks[number]
        half = len(data) // 2
        return old[:offset] + data[:half] + old[offset + half :]
