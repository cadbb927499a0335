"""The technician's cable: the USB serial port that also carries the REPL, without waiting.

Ctrl-C must not stop a station, so here it is a byte like any other. The dialogue sets `repl_wanted`: its `maintenance` asks for the PIN.
"""

import select
import sys

import micropython

_CTRL_C = 3


class Console:
    def __init__(self):
        micropython.kbd_intr(-1)
        self.repl_wanted = False
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
            buffer[count] = self._one[0]
            count += 1
        return count

    def write(self, data) -> None:
        self._out.write(data)

    def close(self) -> None:
        """Ctrl-C interrupts again."""
        micropython.kbd_intr(_CTRL_C)
