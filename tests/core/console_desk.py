"""Somebody at the cable of a whole station: bytes in, what was said out."""

from node.console.session import Console
from node.core import pin
from tests.core import station_desk

PROMPT = "> "
# The heap of a board is small: however much is pasted, no more than this waits to be written.
WAITING_MOST = 1500
SALT = bytes(range(16))
ROUNDS = 30


class Desk(station_desk.Desk):
    """`number`: the PIN, None for a station that has none."""

    def __init__(self, number=None, **more):
        self.waited = 0
        super().__init__(**more)
        if number:
            self.storage.files["../pin"] = pin.encode(number, SALT, ROUNDS)

    def listen(self):
        """As the app does at each step, and nothing else of a step."""
        more = self.app._listen()
        if self.app._console:
            self.waited = max(self.waited, len(self.app._console._out))
        return more

    def say(self, data):
        """Bytes; what is said to them until nothing more comes by itself."""
        self.console.said.clear()
        self.console.typed += data
        for _ in range(200_000):
            more = self.listen()
            if not more and not self.console.typed:
                return self.console.said.decode()
            if not self.console.typed and self.app._console and self.app._console.endless:
                self.run(20)
        raise AssertionError("it never ends")

    def answer(self, line):
        """What is said to a line, without its echo and the prompt."""
        said = self.say(line.encode() + b"\r")
        assert said.endswith(PROMPT), said
        _, _, rest = said.partition("\r\n")
        return rest[: -len(PROMPT)].strip().split("\r\n")

    def ask(self, line):
        """In machine mode: (lines, how it ended)."""
        said = self.say(line.encode() + b"\r").split("\r\n")
        assert said[-1] == "", said
        assert said[-2].startswith("= "), said
        assert not [text for text in said[:-2] if text.startswith("= ")], said
        return said[:-2], said[-2][2:]

    def leave(self, seconds):
        """Nobody types for so long."""
        self.run(seconds * 1000)
        self.app.step(self.now)

    def sit(self):
        """The console as it is, loaded by the first byte."""
        if not self.app._console:
            self.say(b"\x15")
        assert isinstance(self.app._console, Console)
        return self.app._console
