"""Defects of our own: kept, told, and after too many a reset; after too many resets safe mode. Loaded with the first of them.

An exception in talking closes the link and makes it anew a minute later: sampling, alarm and siren don't notice. One in measuring costs its step.
After five of either (of measuring: without a whole sample between) the station asks for a reset, and says why in the file `crash`, which becomes an event.
A boot that ended so, or by the watchdog, counts in the file `ends` until the next lasts ten minutes. From three on the station is in safe mode for a day, until
its power goes or until a person restarts it: it samples, alarms, sounds, tells; it leaves alone the backlog of earlier boots, sleep, and
what its alarms don't need; and its defects restart it no more, only a starving watchdog does.
"""

import gc

from node.core import happenings as H
from node.core.clock import add, diff

CRASH = "crash"
ENDS = "ends"
SAFE_FROM = 3
_LASTED_S = 600
_SAFE_S = 86400
_TEXT_MOST = 300
_TELL_EVERY_S = 600
_MOST = 5
_AGAIN_MS = 1000
_MUTE_MS = 60000
_TALK_S = 3600  # defects of talking that are further apart than this don't add up


class Faults:
    def __init__(self, app, books, ports):
        self._app = app
        self._books = books
        self._ports = ports
        self._untold = b""  # the traceback of the boot before
        self._left = False  # safe mode was left by a power cycle, and that is yet to be told
        self._entered = False
        self._ends = 0
        self._told_s = -_TELL_EVERY_S
        self._measuring = 0  # defects without a whole sample between
        self._talking = 0
        self._talked_s = 0
        self._mute_until = -1

    def begin(self, reset):
        """At boot: how did the one before end?"""
        storage = self._app.storage
        self._untold = storage.read(CRASH, 0, _TEXT_MOST)
        try:
            ends = int(storage.read(ENDS, 0, 8) or b"0")
        except ValueError:
            ends = 0
        self._left = reset == "power" and ends >= SAFE_FROM
        if reset == "power":
            self._count(0)
        elif self._untold or reset == "watchdog":
            self._count(ends + 1)
        elif ends:
            self._ends = ends
        else:
            self._count(0)  # forgiven with an update that was given up (node.core.slots)
        self._app.safe = self._entered = self._ends >= SAFE_FROM

    def _count(self, ends):
        storage = self._app.storage
        self._ends = ends
        try:
            if ends:
                storage.replace(ENDS, b"%d" % ends)
            elif storage.size(ENDS):
                storage.remove(ENDS)
        except OSError:
            self._books.fail()

    def step(self, now_ms):
        """After every measuring: tell what is to be told, let go what is over."""
        app, books = self._app, self._books
        if self._untold and books.tell("".join([chr(i) if i < 128 else "?" for i in self._untold]), (H.CRASH, 0)):
            self._untold = b""
            try:
                app.storage.remove(CRASH)
            except OSError:
                books.fail()  # it is told again after the next boot
        if self._entered and books.event((H.SAFE_MODE, 0, 1)):
            self._entered = False
        if self._left and books.event((H.SAFE_MODE, 0, 0)):
            self._left = False
        if self._ends:
            if not app.safe and books.uptime.seconds >= _LASTED_S:
                self._count(0)
            elif app.safe and books.uptime.seconds >= _SAFE_S and _quiet(app):
                self.leave()
                app.reboot_wanted = True

    def leave(self):
        """The next boot is an ordinary one."""
        self._count(0)
        if self._app.safe:
            self._books.event((H.SAFE_MODE, 0, 0))

    def sampled(self):
        """A whole sample, and nothing raised."""
        self._measuring = 0

    def measuring(self, error, now_ms):
        """Milliseconds until the next step."""
        text = self.note(error)
        self._measuring += 1
        if self._measuring >= _MOST:
            self._end(text)
        return _AGAIN_MS

    def mute_ms(self, now_ms):
        """Milliseconds until there is talking again, 0 when there is."""
        if self._mute_until < 0:
            return 0
        wait = diff(self._mute_until, now_ms)
        if wait > 0:
            return wait
        self._mute_until = -1
        if self._app.logs:
            self._app.connect()
        return 0

    def talking(self, error, now_ms):
        text = self.note(error)
        app, seconds = self._app, self._books.uptime.seconds
        if seconds - self._talked_s > _TALK_S:
            self._talking = 0
        self._talked_s = seconds
        self._talking += 1
        app.uplink = None
        self._ports.link.close()
        self._mute_until = add(now_ms, _MUTE_MS)
        if self._talking >= _MOST:
            self._talking = 0
            self._end(text)
        return _MUTE_MS

    def note(self, error):
        """Counted and told; its text."""
        text = self._ports.platform.traceback(error)  # a simulator's raises it, unless a test is about this
        if isinstance(error, MemoryError):
            gc.collect()
        text = text.strip()[-_TEXT_MOST:]
        self._app.defects += 1
        seconds = self._books.uptime.seconds
        if seconds - self._told_s >= _TELL_EVERY_S and self._books.tell(text, (H.CRASH, 0)):
            self._told_s = seconds
        return text

    def _end(self, text):
        app = self._app
        if app.safe or app.reboot_wanted:
            return
        text = ("the station restarts: " + text[23 - _TEXT_MOST :]).encode()[:_TEXT_MOST]
        try:
            app.storage.replace(CRASH, text)
            app.reboot_wanted = True
        except OSError:
            self._books.fail()  # flash that can't count restarts gets none: they might never end


def _quiet(app):
    """Nothing is alarmed, nothing awaits confirmation: a restart costs nothing."""
    gauge, survey = app.gauge, app.survey
    if gauge and (gauge.sampling or gauge.confirming or gauge.state or gauge.rising):
        return False
    return not survey or not (survey.sampling or survey.state)
