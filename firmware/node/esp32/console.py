"""The technician's cable: the USB serial port that also carries the REPL, without waiting.

One Ctrl-C must not stop a station, so here it is a byte like any other; three in a row, which nobody types by mistake
and `waspada flash` sends, ask for the REPL (`repl_wanted`).
"""

import select
import sys

import micropython

_CTRL_C = 3


class Console:
    def __init__(self):
        micropython.kbd_intr(-1)
        self.repl_wanted = False
        self._interrupts = 0
        self._one = bytearray(1)
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)

    def readable(self) -> bool:
        for _, event in self._poll.ipoll(0):
            return bool(event & select.POLLIN)
        return False

    def read_into(self, buffer) -> int:
        count = 0
        while count < len(buffer) and self.readable():
            if not self._in.readinto(self._one):  # byte by byte: on the board a longer read waits until it is full
                break
            byte = self._one[0]
            buffer[count] = byte
            count += 1
            self._interrupts = self._interrupts + 1 if byte == _CTRL_C else 0
            if self._interrupts == 3:
                self.repl_wanted = True
        return count

    def write(self, data) -> None:
        self._out.write(data)

    def close(self) -> None:
        """Ctrl-C interrupts again."""
        micropython.kbd_intr(_CTRL_C)
