"""An update on real LittleFS, with the power cut at every write. Runs in the MicroPython VM.

A board's life here is what boot.py does with the slots and what the application does about them: boot, fetch, restart, trial, confirmation,
until nothing is left to do. `Board` looks at every boot whether a whole slot runs and whether it may.
"""

import gc
import json
import os
import sys

from node import updating
from node.core import happenings, settings, slots, update
from node.esp32 import seal
from node.esp32.storage import Storage
from simulator.runtimes.ram_flash import ERASED
from tests.power.cut_flash import BLOCKS, Flash

BOOTS_MOST = 16
STEPS_MOST = 4000
IDLE_MS = 3600000
OLDEST, OLD, NEW = "0.0.9", "0.1.0", "0.2.0"
GOOD = "b"  # the slot that runs when the update comes; in the other stands what ran before
WORDS = happenings.POINTS[happenings.UPDATE - happenings.FIRST][5]
KINDS = ("clean", "torn", "twice")


class Broken(Exception):
    """What must hold did not."""


def demand(holds, what, *more):
    if not holds:
        raise Broken(what + " " + repr(more))


class Anything:
    pass


class State(slots.State):
    """Says when the new firmware has proved itself: from then on it may be the good one."""

    flash = None

    def confirm(self):
        self.flash.owed = True
        super().confirm()


def application(said):
    """What `Updating` asks of an app and its books, with a sensor and a network that are always well."""
    app = Anything()
    app.life = "5eed0001"
    app.settings = settings.Settings({})
    app.gauge = Anything()
    app.gauge.sampling = app.gauge.confirming = False
    app.gauge.state = app.gauge.rising = app.gauge.last_sample_ms = 0
    app.gauge.flag = 1
    app.survey = None
    app.duty = None
    app.interval_ms = 60000
    app.reboot_wanted = False
    log = Anything()
    log.boot = 7
    app.logs = [log, log]
    app.uplink = Anything()
    app.uplink.mark = [(7, 1), (7, 1)]
    app.wanted = []
    app.uplink.ask = lambda name, payload: app.wanted.append(payload)
    books = Anything()

    def tell(text, point, because):
        said.append((WORDS[point[2]], text))
        return True

    books.tell = tell
    return app, books


class Port:
    """The port `slots`."""

    def __init__(self, running, modulus, make, mixed_up):
        self.running = running
        self.state = make
        self._modulus = modulus
        self._mixed_up = mixed_up

    def storage(self, slot):
        return Storage(self.running if self._mixed_up else slot)

    def key(self, name):
        return self._modulus


class Board:
    """`proves`: whether the new firmware comes up. `wrong`: the planted fault, "" for none."""

    def __init__(self, flash, release, proves, wrong):
        self.flash = flash
        self._release = release
        self._proves = proves
        self._wrong = wrong
        self.said = []
        self.version = ""
        self.state = State

    @property
    def proved(self):
        """Whether the new firmware has shown what it must: it is what the flash owes from then on."""
        return self.flash.owed

    def live(self):
        """Boots until nothing is left to do, and what must hold then."""
        cost = slots.COST_POWER
        for _ in range(BOOTS_MOST):
            os.mount(os.VfsLfs2(self.flash), "/flash")
            os.chdir("/flash")
            try:
                again = self._boot(cost)
            finally:
                os.chdir("/")
                os.umount("/flash")
            if not again:
                break
            cost = slots.COST
        else:
            raise Broken(f"a boot loop: {BOOTS_MOST} boots and no end")
        demand(self.version == (NEW if self._proves else OLD), "the wrong version runs in the end", self.version)
        demand(self.state.mode == slots.NONE, "something is left to do", self.state.mode)
        for word, text in self.said:
            right = (
                (NEW,)
                if word in ("offered", "fetched", "trying", "confirmed")
                else (f"{NEW}: it did not prove itself; {OLD} runs",)
            )
            demand(text in right, "a wrong version was told", word, text)

    def _make(self):
        state = WRONG.get(self._wrong, State)(Storage("data"))
        state.flash = self.flash
        return state

    def _boot(self, cost):
        state = self.state = self._make()
        slot = state.choose(cost, seal.sound, seal.digest)
        demand(slot, "no slot runs")
        demand(seal.sound(slot), "a slot that is not whole runs", slot)
        version = self.version = version_of(slot)
        tried = state.mode == slots.TRYING
        demand(version in (OLD, NEW), "what was replaced long ago runs", version)
        demand(version == OLD or tried or self.proved, "unproved firmware is the good one", state.good)
        if version == OLD or not self._proves:
            demand(not self.proved, "proved firmware was given up")
        if version == NEW and not self._proves:
            return True  # it crashes, the watchdog resets
        updating.VERSION = version
        app, books = application(self.said)
        port = Port(slot, self._release["modulus"], self._make, self._wrong == "fills_the_slot_that_runs")
        node = updating.Updating(app, books, port)
        again = self._turn(app, node)
        self.state = self._make()
        if not self.proved:
            demand(files(GOOD) == self._release["old"], "the good slot was changed")
        return again

    def _turn(self, app, node):
        """True: it wants a restart."""
        node.message("update", self._release["offer"])
        now = 0
        for _ in range(STEPS_MOST):
            wait = node.step(now)
            if app.reboot_wanted:
                return True
            if app.wanted:
                node.message("part", self._answer(json.loads(app.wanted.pop(0))))
                wait = 1
            if wait >= IDLE_MS:
                return False
            now += wait
            if wait >= 1000:
                app.gauge.last_sample_ms += 1000
        raise Broken("it never comes to rest")

    def _answer(self, want):
        data = self._release["files"][want["file"]][want["offset"] : want["offset"] + want["count"]]
        return (
            b'{"version":"%s","file":"%s","offset":%d}\n' % (NEW.encode(), want["file"].encode(), want["offset"]) + data
        )


def version_of(slot):
    with open(slot + "/manifest") as file:
        return json.load(file)["version"]


def files(slot):
    found = {}
    for name in os.listdir(slot):
        with open(slot + "/" + name, "rb") as file:
            found[name] = file.read()
    return found


# Wrong on purpose: each must be found.


class GoodAtOnce(State):
    def begin(self):
        self.good = self.other
        self.save()


class CountedLate(State):
    """The application would count the attempt, once it is up."""

    def choose(self, cost, sound, digest):
        if self.mode == slots.TRYING and sound(self.other):
            return self.other
        return super().choose(cost, sound, digest)


class RemovedFirst(State):
    """As on file systems whose rename does not replace; both copies before either is written."""

    def save(self):
        for name in slots.COPIES:
            if name in self._files.names():
                self._files.remove(name)
        super().save()


class Unsealed(State):
    """boot.py believes what it is told; the trial begins (`Hasty`) with the manifest."""

    def choose(self, cost, sound, digest):
        return super().choose(cost, lambda slot: True, digest)


class Hasty(update.Fetch):
    def _take(self, data):
        super()._take(data)
        self.done = True


WRONG = {
    "good_before_it_is_proved": GoodAtOnce,
    "counted_after_it_ran": CountedLate,
    "removed_before_it_is_written": RemovedFirst,
    "tried_before_it_is_whole": Unsealed,
}


def fill(slot, content):
    os.mkdir(slot)
    for name in content:
        with open(slot + "/" + name, "wb") as file:
            file.write(content[name])


def begun(release):
    """A board as the last update left it."""
    flash = Flash([ERASED] * BLOCKS, False)
    os.VfsLfs2.mkfs(flash)
    os.mount(os.VfsLfs2(flash), "/flash")
    os.chdir("/flash")
    fill(GOOD, release["old"])
    fill("a", release["oldest"])
    state = slots.State(Storage("data"))
    state.good = GOOD
    state.save()
    state.save()
    os.chdir("/")
    os.umount("/flash")
    return flash.blocks


def run(release, wrong, proves, twice_each):
    tried = dict.fromkeys(KINDS, 0)
    where = ()
    if wrong == "tried_before_it_is_whole":
        update.Fetch = Hasty
    try:
        cuts = []
        flash = Flash(begun(release), False, cuts=cuts)
        Board(flash, release, proves, wrong).live()
        for number in range(len(cuts)):
            for kind in (0, 1):
                where = (KINDS[kind], number)
                again = [] if (2 * number + kind) % twice_each == 0 else None
                Board(Flash(cuts[number][kind], cuts[number][2], cuts=again), release, proves, wrong).live()
                tried[KINDS[kind]] += 1
                for second in range(len(again or ())):
                    for other in (0, 1):
                        where = ("twice", number, kind, second, other)
                        Board(Flash(again[second][other], again[second][2]), release, proves, wrong).live()
                        tried["twice"] += 1
                gc.collect()
    except Broken as broken:
        print("broken at", where, broken)
    for kind in KINDS:
        print(kind, tried[kind])


with open(sys.argv[1]) as file:
    _release = eval(file.read())  # noqa: S307
run(_release, sys.argv[2], sys.argv[3] == "proves", int(sys.argv[4]))
