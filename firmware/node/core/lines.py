"""What is typed becomes lines: echo, backspace, a short history, completion. Loaded with the console."""

MOST = 96  # the longest Wi-Fi key behind its name
NOTHING, LINE, FORGET, OVERLONG = range(4)  # what came of a byte
PROMPT = b"> "

_HISTORY = 4
_ESCAPE = 27
_REDRAW = b"\r\x1b[K" + PROMPT


class Lines:
    """`take` every byte; when it says LINE, `line` is what was typed. Echo is appended to `out`.

    `hides(words)`: from here on nothing is shown or remembered; `offers(words)`: what may stand where the last of these words is begun.
    """

    def __init__(self, out, hides, offers):
        self.out = out
        self.line = ""
        self.quiet = False  # a program is at the other end
        self.text = ""  # what is being typed
        self._hides = hides
        self._offers = offers
        self._overlong = False
        self._last = 0
        self._escape = 0  # 1: behind an escape, 2: within a sequence
        self._history: list = []
        self._at = 0

    def take(self, byte):
        before = self._last
        self._last = byte
        if self._escape and byte >= 32:
            self._continue_escape(byte)
        elif byte == 13 or (byte == 10 and before != 13):
            return self._end()
        elif byte == 8 or byte == 127:
            if self.text:
                self.text = self.text[:-1]
                self._echo(b"\b \b")
        elif 32 <= byte < 127:
            if len(self.text) < MOST:
                self._echo(b"*" if self.hidden() else bytes((byte,)))
                self.text += chr(byte)
            else:
                self._overlong = True
        elif byte == 9:
            if not self.quiet and not self.hidden():
                self._complete()
        elif byte == _ESCAPE:
            self._escape = 1
        elif byte == 3 or byte == 21:  # Ctrl-C, Ctrl-U
            self._begin()
            return FORGET
        return NOTHING

    def hidden(self):
        return self._hides(self.text.split(" ") if " " in self.text else ())

    def _echo(self, data):
        if not self.quiet:
            self.out += data

    def _begin(self):
        self.text = ""
        self._overlong = False
        self._escape = 0
        self._at = len(self._history)

    def _end(self):
        line = self.text
        overlong = self._overlong
        history = self._history
        if line.strip() and not overlong and not self.quiet and not self.hidden() and history[-1:] != [line]:
            history.append(line)
            if len(history) > _HISTORY:
                history.pop(0)
        self._begin()
        self._echo(b"\r\n")
        self.line = line
        return OVERLONG if overlong else LINE

    def _continue_escape(self, byte):
        if self._escape == 1:
            self._escape = 2 if byte == 91 or byte == 79 else 0  # [ O: arrows; any other is a key with Alt
        elif byte >= 64:
            self._escape = 0
            if byte == 65:
                self._recall(-1)
            elif byte == 66:
                self._recall(1)

    def _recall(self, step):
        at = self._at + step
        if self.quiet or not 0 <= at <= len(self._history):
            return
        self._at = at
        self._overlong = False
        self.text = self._history[at] if at < len(self._history) else ""
        self._redraw()

    def _redraw(self):
        self.out += _REDRAW + self.text.encode()

    def _complete(self):
        words = self.text.split(" ")
        begun = words[-1]
        found = [name for name in self._offers(words) if name.startswith(begun)]
        if not found:
            return
        more = found[0]
        for name in found[1:]:
            while not name.startswith(more):
                more = more[:-1]
        if len(found) == 1:
            more += " "
        elif more == begun:
            self.out += b"\r\n" + " ".join(found).encode() + b"\r\n"
            self._redraw()
            return
        more = more[len(begun) :]
        if len(self.text) + len(more) <= MOST:
            self.text += more
            self.out += more.encode()
