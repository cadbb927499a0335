"""The technician's dialogue over a serial cable: a line in, an answer out. Nothing is live until `save`."""

from node.core import settings as S

PROMPT = b"> "
_LINE_MOST = 96  # the longest Wi-Fi key behind its name
_HIDDEN = "set wifi.key "  # what follows is not echoed: somebody may look on
_CHUNK = 48  # written per step: fits a UART's transmit buffer, so a long answer never holds up a sample
# While more than this is yet to be written nothing typed is taken: a pasted page of commands does not fill the heap.
_WAITING_MOST = 64

HELP = (
    ("help", "", "this list"),
    ("show", "", "state, and every setting (* typed, not yet saved)"),
    ("get", "KEY", "one setting and what it is"),
    ("set", "KEY VALUE [UNIT]", "type a new value; not live until save"),
    ("save", "", "check, keep and use what was typed"),
    ("revert", "", "forget what was typed"),
    ("ack", "", "acknowledge: silent until it rises, 12 h at most"),
    ("shelve", "MINUTES", "sound nothing for 1 to 1440 minutes; 0 ends it"),
    ("drill", "STATE", "sound a drill of 1 alert, 2 warning or 3 danger"),
    ("reboot", "", "start again, out of safe mode too"),
)


class Console:
    """`actions` does what reaches beyond the settings: `keep(settings)`, `state_line()`, `acknowledge()`, `shelve(seconds)`, `drill(state)`, `reboot()`."""

    def __init__(self, port, settings, actions, typed=None, count=0):
        """`typed[:count]` has arrived before."""
        self._port = port
        self._settings = settings
        self._actions = actions
        self._input = typed or bytearray(32)
        self._arrived = count  # bytes in _input, and how many of them have been taken
        self._taken = 0
        self._line = ""
        self._overlong = False
        self._last = 0
        self.heard = 0  # bytes in all
        self._out = bytearray()

    def step(self):
        """Read what has arrived, answer whole lines, write a little. True while there is more to write."""
        if self._taken == self._arrived:
            self._taken = 0
            self._arrived = self._port.read_into(self._input)
        while self._taken < self._arrived and len(self._out) <= _WAITING_MOST:
            self._taken += 1
            self._take(self._input[self._taken - 1])
        if self._out:
            self._port.write(bytes(self._out[:_CHUNK]))
            self._out = self._out[_CHUNK:]
        return len(self._out) > 0 or self._taken < self._arrived

    def _take(self, byte):
        self.heard += 1
        before = self._last
        self._last = byte
        if byte == 13 or byte == 10:
            if byte == 10 and before == 13:
                return
            self._out += b"\r\n"
            line = self._line
            self._line = ""
            if self._overlong:
                self._overlong = False
                self._say("line too long: at most %d characters" % _LINE_MOST)
            elif line.strip():
                self._answer(line.split())
            self._out += PROMPT
        elif byte == 8 or byte == 127:
            if self._line:
                self._line = self._line[:-1]
                self._out += b"\b \b"
        elif 32 <= byte < 127:
            if len(self._line) < _LINE_MOST:
                self._out.append(42 if self._line.startswith(_HIDDEN) else byte)
                self._line += chr(byte)
            else:
                self._overlong = True
        elif byte == 3 or byte == 21:  # Ctrl-C, Ctrl-U: forget the line; the station goes on
            self._line = ""
            self._overlong = False
            self._out += b"\r\n" + PROMPT

    def _say(self, text):
        self._out += text.encode() + b"\r\n"

    def _answer(self, words):
        command = words[0]
        try:
            if command == "help":
                for name, arguments, text in HELP:
                    self._say("%s %s: %s" % (name, arguments, text) if arguments else "%s: %s" % (name, text))
            elif command == "show" and len(words) == 1:
                self._say(self._actions.state_line())
                for i in self._settings.used:
                    self._show(i, "")
            elif command == "get" and len(words) == 2:
                i = S.index(words[1], self._settings.rows)
                row = self._settings.rows[i]
                self._show(i, ": %s (%s to %s)" % (row[6], S.shown(row, row[4]), S.shown(row, row[5])))
            elif command == "set" and len(words) >= 3:
                self._set(words)
            elif command == "save" and len(words) == 1:
                self._save()
            elif command == "revert" and len(words) == 1:
                count = len(self._settings.staged) + len(self._actions.network)
                self._settings.staged = {}
                self._actions.network = {}
                self._say("reverted: %d forgotten" % count)
            elif command == "ack" and len(words) == 1:
                self._actions.acknowledge()
                self._say("acknowledged: silent until the level rises to the next state")
            elif command == "shelve" and len(words) == 2:
                digits = words[1]
                minutes = int(digits) if digits.isdigit() and len(digits) < 5 else 9999
                if minutes > 1440:
                    raise ValueError("shelve takes 0 to 1440 minutes")
                self._actions.shelve(minutes * 60)
                self._say("shelved for %d min" % minutes if minutes else "no longer shelved")
            elif command == "drill" and len(words) == 2:
                self._actions.drill(int(words[1]) if words[1] in ("1", "2", "3") else 0)
                self._say("a drill: blasts of a second, for 18 s")
            elif command == "reboot" and len(words) == 1:
                self._actions.reboot()
                self._say("starting again")
            else:
                self._usage(command)
        except KeyError as problem:
            self._say("refused: " + problem.args[0])
        except ValueError as problem:
            self._say("refused: " + str(problem))

    def _usage(self, command):
        for name, arguments, _ in HELP:
            if name == command:
                self._say("usage: %s %s" % (name, arguments) if arguments else "usage: " + name)
                return
        self._say("no command '%s'; try help" % command)

    def _show(self, i, more):
        settings = self._settings
        row = settings.rows[i]
        text = row[0] + " " + S.shown(row, settings.values[i])
        if i in settings.staged:
            text += " * " + S.shown(row, settings.staged[i])
        self._say(text + more)

    def _set(self, words):
        settings = self._settings
        if words[1].split(".")[0] in ("wifi", "broker"):
            self._say(self._actions.stage_network(words[1], " ".join(words[2:])))
            return
        if len(words) > 4:
            self._usage("set")
            return
        i = S.index(words[1], self._settings.rows)
        row = settings.rows[i]
        value = S.validate(row, words[2], words[3] if len(words) > 3 else None)
        settings.staged[i] = value
        if value == settings.values[i]:
            del settings.staged[i]
        self._say(
            "%s %s (was %s), not live until save" % (words[1], S.shown(row, value), S.shown(row, settings.values[i]))
        )
        problem = S.conflict(settings.proposed(), settings.rows)
        if problem:
            self._say("warning: " + problem)

    def _save(self):
        settings = self._settings
        network = self._actions.network
        if not settings.staged and not network:
            self._say("nothing to save")
            return
        try:
            if network:
                self._say(self._actions.keep_network())
            if not settings.staged:
                return
            changes = self._actions.keep(settings)
        except OSError:
            self._say("not saved: storage does not take it; the old settings stay")
            return
        for i, old, new in changes:
            row = settings.rows[i]
            self._say("%s %s (was %s)" % (row[0], S.shown(row, new), S.shown(row, old)))
        self._say("saved, revision %d" % settings.revision)
