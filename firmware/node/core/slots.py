"""Which of two slots runs, and what is being tried: two copies of one line, each with its CRC, so that any one may be lost.

A board also has this module beside boot.py, outside the slots: it decides before there is an application. Its line is therefore a contract
between versions: `CRC 1 number good mode tries chances failed news`.

The good slot is never written to. A trial is counted before it runs, so that whatever happens in it uses it up; when it is used up the good
slot runs again. A slot that is not what its manifest says (`sound`) does not run at all.
"""

import binascii

SLOTS = ("a", "b")
COPIES = ("slot.0", "slot.1")
MANIFEST = "manifest"

NONE = "-"  # modes: nothing is being tried
TRYING = "t"  # the other slot runs, and has yet to prove itself
WAITING = "w"  # the other slot could not prove itself, which may have been the network's doing: to be tried again
_MODES = (NONE, TRYING, WAITING)
_NEWS = ("-", "confirmed", "rolled_back", "waiting")

TRIES = 9  # of a trial: three resets, or nine losses of power, which say less about the firmware
COST = 3
COST_POWER = 1
CHANCES = 3  # trials that may end without a verdict
_LENGTH_MOST = 160


def _decode(line):
    """The members of a line, None when it is damaged or of another kind."""
    body = line[9:]
    if line[:9] != b"%08x " % (binascii.crc32(body) & 0xFFFFFFFF):
        return None
    try:
        kind, number, good, mode, tries, chances, failed, news = body.decode().split(" ")
        if kind != "1" or good not in SLOTS or mode not in _MODES or news not in _NEWS:
            return None
        return int(number), good, mode, int(tries), int(chances), failed, news
    except ValueError:
        return None


class State:
    """`files`: read(name, offset, count) and replace(name, data), which is atomic; both may raise OSError."""

    def __init__(self, files):
        self._files = files
        self._number = 0
        self.good = "a"
        self.mode = NONE
        self.tries = 0
        self.chances = 0
        self.failed = NONE  # the first 16 digits of the manifest's hash of what was rolled back: not tried again
        self.news = NONE  # what the application has yet to tell
        self.damaged = 0  # copies that could not be used
        newest = None
        for name in COPIES:
            try:
                line = files.read(name, 0, _LENGTH_MOST)
            except OSError:
                line = b"-"
            found = _decode(line) if line else None
            if line and not found:
                self.damaged += 1
            if found and (newest is None or found[0] > newest[0]):
                newest = found
        if newest:
            self._number, self.good, self.mode, self.tries, self.chances, self.failed, self.news = newest

    @property
    def other(self):
        return "b" if self.good == "a" else "a"

    def save(self):
        """Both copies, one after the other: a cut between them leaves the newer, whole. OSError: perhaps neither."""
        self._number += 1
        body = "1 %d %s %s %d %d %s %s" % (
            self._number, self.good, self.mode, self.tries, self.chances, self.failed, self.news,
        )  # fmt: skip
        line = b"%08x " % (binascii.crc32(body.encode()) & 0xFFFFFFFF) + body.encode()
        for name in COPIES:
            self._files.replace(name, line)

    # What the application says

    def begin(self):
        """Try the other slot from the next boot on."""
        if self.mode != WAITING:
            self.chances = CHANCES
        self.mode = TRYING
        self.tries = TRIES
        self.news = NONE
        self.save()

    def confirm(self):
        """What is being tried has proved itself: it is the good one now."""
        self.good = self.other
        self.mode = NONE
        self.failed = NONE
        self.news = "confirmed"
        self.save()

    def end(self, digest, final=False):
        """No proof came in time, or (final) there can be none: the good slot runs from the next boot on."""
        self.chances = 0 if final else self.chances - 1
        if self.chances > 0:
            self.mode = WAITING
            self.news = "waiting"
        else:
            self.mode = NONE
            self.news = "rolled_back"
            self.failed = digest
        self.save()
        self._forgive()

    def _forgive(self):
        """How a trial ended says nothing of the firmware that runs next: bad ends are counted anew (node.faults)."""
        try:
            self._files.replace("ends", b"0")
        except OSError:
            pass

    def broken(self, slot, digest, sound):
        """`slot` could not even be started. Whether another is to run from the next boot on: of two that both can't, neither is tried again."""
        if self.mode == TRYING and slot == self.other:
            self.end(digest(slot), True)
            return True
        if slot != self.good or digest(self.other) == self.failed or not sound(self.other):
            return False
        self.failed = digest(slot)
        self.good = self.other
        self.mode = NONE
        self.news = "rolled_back"
        self.save()
        self._forgive()
        return True

    def forget(self):
        """The other slot is about to be overwritten: it is nothing any more."""
        if self.mode == WAITING:
            self.mode = NONE
            self.save()

    def told(self):
        self.news = NONE
        self.save()

    # What boot.py asks

    def choose(self, cost, sound, digest):
        """The slot to run now, "" when there is none. `sound(slot)`: it is what its manifest says; `digest(slot)`: its manifest's.

        Flash that can't be written counts no trial, so it gets none.
        """
        if self.mode == TRYING:
            enough = self.tries >= cost
            self.tries -= cost
            try:
                if enough and sound(self.other):
                    self.save()
                    return self.other
                self.end(digest(self.other), True)
            except OSError:
                self.mode = NONE  # for this boot
        if sound(self.good):
            return self.good
        if not sound(self.other):
            return ""
        self.good = self.other
        self.mode = NONE
        self.news = "rolled_back"
        try:
            self.save()
        except OSError:
            pass  # the next boot finds the same
        return self.good
