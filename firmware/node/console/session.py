"""Who sits at the cable: lines in, answers out, a PIN between looking and changing. Nothing is live until `save` (docs/console.md).

An answer is a generator of lines: it goes on only while the cable has room, so nothing that is asked for holds up a sample or fills the heap. None
from it means: nothing to say yet.
"""

from node.core import words
from node.core.lines import FORGET, LINE, NOTHING, OVERLONG, PROMPT, Lines

_CHUNK = 48  # written per step: fits a UART's transmit buffer, so a long answer never holds up a sample
# While more than this is yet to be written nothing typed is taken: a pasted page of commands does not fill the heap.
_WAITING_MOST = 64
_ALONE_S = 600
# What groups have loaded besides themselves.
_BESIDE = ("console.state", "console.dates", "console.sounds", "core.units", "core.pin", "core.words_levels")
_HELPS = ("core.helps_en", "core.helps_ms", "core.helps_id")
_LEFT = ("console.session", "core.lines", "core.words", "core.words_en")
_INTERRUPTS = 3
_CTRL_C = 3

# name, module of its group, 1: needs the PIN, arguments
COMMANDS = """
help looking 0 [COMMAND]
show looking 0 [GROUP]
get looking 0 KEY
set setting 1 KEY VALUE [UNIT]
diff looking 0 [default]
save saving 1
revert saving 1
test acting 1 [1|2|3|off]
calibrate surveying 1 LEVEL [UNIT]
level surveying 0 [SAMPLES]
log records 0 [COUNT] [readings]
status condition 0
ack acting 1
shelve acting 1 MINUTES
drill acting 1 STATE
reboot acting 1
export exporting 0 settings|readings|events [BOOT SEQ]
maintenance acting 1
login entry 0 PIN
logout entry 0
language entry 0 [CODE]
machine entry 0 [off]
"""


ANY_KEY = 1
A_BYTE_THAT_FORGETS = 2


class Answer(Exception):
    """Ends an answer that is no success: (code for programs, text)."""


class Console:
    """Talks over the app's console port. `typed[:count]` has arrived before."""

    def __init__(self, app, port, typed, count):
        self.app = app
        self.settings = app.settings
        self.port = port
        self.heard = 0  # bytes in all
        self.user = False  # somebody gave the PIN
        self.language = ""  # not yet known
        self.endless = 0  # what ends the answer: ANY_KEY, or A_BYTE_THAT_FORGETS
        self.proposed_height = None  # what `calibrate` staged
        self._table = None
        self._group = ""
        self._guard = None
        self._answer = None
        self._input = typed
        self._arrived = count  # bytes in _input, and how many of them have been taken
        self._taken = 0
        self._out = bytearray()
        self._lines = Lines(self._out, _hides, self._offers)
        self._interrupts = 0
        self._last = 0
        self._used_s = self.uptime_s()
        self._closing = False

    @property
    def machine(self):
        return self._lines.quiet

    def uptime_s(self):
        return self.app._books.uptime.seconds

    def step(self):
        """Read what has arrived, answer, write a little. True while there is more to do."""
        if self._taken == self._arrived:
            self._taken = 0
            self._arrived = self.port.read_into(self._input)
        busy = self._turn()
        out = self._out
        if out:
            self.port.write(bytes(out[:_CHUNK]))
            out[:] = out[_CHUNK:]
        elif self._closing:
            self._leave()
            return False
        elif self.uptime_s() - self._used_s >= _ALONE_S:
            self._close()
        return busy or len(out) > 0 or self._taken < self._arrived

    def _turn(self):
        """Take bytes and answer, as long as the cable has room. True: an answer is under way."""
        while len(self._out) <= _WAITING_MOST:
            if self._answer:
                if self.endless and self._taken < self._arrived and self._ends(self._input[self._taken]):
                    self._interrupt()
                elif not self._go_on():
                    return True
            elif self._taken < self._arrived:
                self._take(self._next())
            else:
                return False
        return True

    def _next(self):
        byte = self._input[self._taken]
        self._taken += 1
        self.heard += 1
        self.use()
        return byte

    def use(self):
        """Somebody is there, again perhaps."""
        self._used_s = self.uptime_s()
        self._closing = False

    def _take(self, byte):
        self._last = byte
        self._interrupts = self._interrupts + 1 if byte == _CTRL_C else 0
        what = self._lines.take(byte)
        if what == NOTHING:
            return
        if what == LINE:
            self._answer = self._begin(self._lines.line)
            if self._answer is None:
                self._out += b"" if self.machine else PROMPT
        elif what == OVERLONG:
            self._say(self.word("overlong") % 96)
            self._end("long")
        elif self._interrupts == _INTERRUPTS:
            self._interrupts = 0
            self._out += b"\r\n"
            self._answer = self._begin("maintenance")
        elif what == FORGET:
            self._out += b"= ready\r\n" if self.machine else b"\r\n" + PROMPT

    def _ends(self, byte):
        return self.endless == ANY_KEY or byte == 3 or byte == 21

    def _interrupt(self):
        """A key ends what goes on for ever. It is no part of the next line, but the byte that forgets is heard."""
        byte = self._next()
        if byte == 10 and self._last == 13:
            self._last = byte
            return
        self._finish()
        self._end("stopped")
        if byte == 3 or byte == 21:
            self._take(byte)

    def _finish(self):
        if self._answer:
            self._answer.close()
        self._answer = None
        self.endless = 0

    # Answers

    def _begin(self, line):
        """The generator that answers a line; None where there is nothing to answer."""
        typed = line.split()
        if not typed:
            return None
        self.endless = 0
        return self._run(typed)

    def _run(self, typed):
        row = _row(typed[0])
        if not row:
            raise Answer("unknown", self.word("unknown") % typed[0])
        if row[2] == "1" and not self.may():
            raise Answer("pin", self.word("login first"))
        module = self._load(row[1])
        for line in getattr(module, "answer_" + typed[0])(self, typed):
            yield line

    def _go_on(self):
        """One more line. False: there is none yet."""
        try:
            line = next(self._answer)  # type: ignore[arg-type]
            if line is not None:
                self._say(line)
            return line is not None
        except StopIteration:
            self._end("ok")
        except Answer as end:
            if end.args[1]:
                self._say(end.args[1])
            self._end(end.args[0])
        except KeyError as problem:
            self._refuse(str(problem.args[0]))
        except ValueError as problem:
            self._refuse(str(problem))
        except OSError:
            self._say(self.word("storage"))
            self._end("failed")
        except Exception as defect:  # ours, or a full heap: sampling is none of it
            self.app.defects += 1
            self._unload()
            self._say("%s %s" % (type(defect).__name__, defect))
            self._end("failed")
        return True

    def _refuse(self, text):
        self._say("%s: %s" % (self.word("refused"), self.translated(text)))
        self._end("refused")

    def _say(self, text):
        self._out += text.encode() + b"\r\n"

    def _end(self, code):
        self._answer = None
        self.endless = 0
        self._out += b"= %s\r\n" % code.encode() if self.machine else PROMPT

    def usage(self, command):
        row = _row(command)
        raise Answer("usage", "%s: %s" % (self.word("usage"), " ".join([command] + row[3:])))

    # Words

    def table(self):
        """The words of the language that is spoken."""
        if self.machine:
            return words.load("en")
        if not self._table:
            if not self.language:
                self.language = self._kept_language()
            self._table = words.load(self.language)
        return self._table

    def word(self, key):
        return words.find(self.table().SAYS, key) or key

    def translated(self, text):
        """A sentence of the core, where the table has it."""
        return words.find(self.table().SAYS, text) or text

    def _kept_language(self):
        try:
            return self.app.storage.read("language", 0, 2).decode() or "en"
        except (OSError, ValueError):
            return "en"

    def speak(self, code):
        """Words in this language from now on; the other table goes."""
        if self._table:
            self.forget(self._table.__name__)
        self._table = None
        self.language = code

    def be_machine(self, quiet):
        self._lines.quiet = quiet

    # The PIN

    def may(self):
        """Whether what is typed may change the station."""
        return self.user or not self.guard()

    def guard(self):
        """What the board keeps of a PIN, b"" where it is open; what can't be read opens nothing."""
        if self._guard is None:
            storage = self.app.storage
            try:
                self._guard = storage.read("../pin", 0, 200) or storage.read("pin", 0, 200)
            except OSError:
                return b"?"
        return self._guard

    # Modules

    def _load(self, name):
        """The module of a group; one at a time is in the heap."""
        if name != self._group:
            self._drop()
        self._group = name
        return __import__("node.console." + name, None, None, ("answer",))

    def _drop(self):
        if self._group:
            self.forget("node.console." + self._group)
            for beside in _BESIDE + _HELPS:
                self.forget("node." + beside)
        self._group = ""

    def _unload(self):
        self._drop()
        self.speak(self.language)

    def forget(self, name):
        forget = getattr(getattr(self.app._ports, "platform", None), "forget", None)
        if forget:
            forget(name)

    # Nobody is there

    def close(self):
        """Log out: what was typed and not saved is forgotten, what sounds for a test ends. Returns whether there was anything."""
        app = self.app
        was = self.user or self.machine or bool(self.settings.staged)
        self.user = False
        self.settings.staged = {}
        self.proposed_height = None
        if app._people and app._people.network:
            was = True
            app._people.network = {}
        if app.drill and hasattr(app.drill, "stop"):
            app.drill.stop()
        return was

    def _close(self):
        going = self._answer
        self._finish()
        said = "= closed\r\n" if self.machine else "\r\n" + self.word("left alone") + "\r\n> "
        if self.close() or going or self._lines.text:
            self._out += said.encode()
        self._lines.quiet = False
        self._closing = True

    def _leave(self):
        """Give the heap back."""
        self._unload()
        if self.app._console is self:
            self.app._console = None
        for name in _LEFT:
            self.forget("node." + name)

    def _offers(self, typed):
        """What may stand where the last of these words is begun."""
        if len(typed) == 1:
            return names()
        if len(typed) > 2:
            return ()
        command = typed[0]
        if command in ("get", "set"):
            settings = self.settings
            found = [settings.rows[i][0] for i in settings.used]
            return found + ["wifi.ssid", "wifi.key", "broker.host", "broker.port"] if command == "set" else found
        if command == "help":
            return names()
        row = _row(command)
        return " ".join(row[3:]).replace("|", " ").replace("[", "").replace("]", "").split() if row else ()


def names():
    return [line.split()[0] for line in COMMANDS.split("\n") if line]


def _row(name):
    """[name, group, needs the PIN, arguments ...] of a command."""
    at = COMMANDS.find("\n" + name + " ")
    if at < 0:
        return None
    return COMMANDS[at + 1 : COMMANDS.find("\n", at + 1)].split()


def _hides(typed):
    """Whether what follows is a secret: somebody may look on."""
    given = [word for word in typed if word]
    return given[:1] == ["login"] or given[:2] == ["set", "wifi.key"]
