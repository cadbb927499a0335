"""An update of this station: offers and parts come in, a slot is filled, tried, and called good or given up.

Loaded with the first offer, or at a boot that finds something to do in the slots' state. Called from `App.talk` only: no update delays a siren.
"""

import binascii
import hashlib
import json

from node.core import happenings as H
from node.core.alarm import usable
from node.core.clock import add, diff
from node.core.slots import MANIFEST, NONE, TRYING, WAITING
from node.version import VERSION

_IDLE_MS = 3600000
_LOOK_MS = 1000
_STORAGE_AGAIN_MS = 60000
_STORAGE_MOST = 10  # failures after which an offer is let go until the next boot
_MANIFEST_MOST = 4096
_PART = '"file":"%s","offset":%d,"count":%d}'
_WORDS = ("offered", "refused", "fetched", "trying", "confirmed", "rolled_back")
_REFUSALS_MOST = 5  # told in an hour


class Updating:
    """`app`, its `books`, and the port `slots` (docs/ports.md), None on a board that has none."""

    def __init__(self, app, books, slots):
        self._app = app
        self._books = books
        self._slots = slots
        self._state = slots.state() if slots else None
        self._offer = None  # the newest, yet to be looked at
        self._fetch = None
        self._asks = ""  # the text of a want, but for the part
        self._asked = False  # a want was queued in this step
        self._told_offered = False
        self._hour_from = 0  # uptime, and refusals since
        self._in_hour = 0
        self._refused = (
            app.duty.refused if app.duty else 0
        )  # the mark of what has been refused in this boot, sleeps and all
        self._failures = 0
        self._retry_at = -1  # storage failed: not before this
        self._proof = None  # made by the first step that needs it
        self._counted_ms = -1  # the sample that was counted last
        self._since_ms = -1
        self._over = False  # a restart is wanted

    @property
    def trying(self):
        """What runs is on trial: a station stays awake for it."""
        state = self._state
        if not state:
            return False
        return state.mode == TRYING and self._slots.running == state.other

    def message(self, name, payload, retained=0):
        """`update` or `part`. ValueError: it can't be used."""
        if name == "part":
            if not self._fetch:
                raise ValueError("no part is awaited")
            self._fetch.part(payload)
        elif not payload:  # the offer was withdrawn
            self._offer = self._fetch = None
        else:
            from node.core.update import Offer

            try:
                self._offer = Offer(payload)
            except ValueError as problem:
                self._refuse("an offer", problem, bytes(payload))
                raise

    def step(self, now_ms):
        """Milliseconds until there is more to do."""
        if self._over:
            return _IDLE_MS
        if self._retry_at >= 0:
            wait = diff(self._retry_at, now_ms)
            if wait > 0:
                return wait
            self._retry_at = -1
        try:
            return self._look(now_ms)
        except OSError:
            self._failures += 1
            if self._failures >= _STORAGE_MOST and self._fetch:
                self._refuse(self._fetch.offer.version, "storage fails", self._fetch.offer.digest)
            self._state = self._slots.state()  # what got there, got there
            self._retry_at = add(now_ms, _STORAGE_AGAIN_MS)
            return _STORAGE_AGAIN_MS

    def _look(self, now_ms):
        state = self._state
        if not state:
            if self._offer:
                self._refuse(
                    self._offer.version, "this board has no slots: waspada flash gives it some", self._offer.digest
                )
            return _IDLE_MS
        if state.news != NONE and self._tell_news(state):
            state.told()
        if self.trying:
            return self._prove(state, now_ms)
        if self._offer:
            offer, self._offer = self._offer, None
            self._consider(state, offer)
        if self._fetch and not self._fetch.done:
            return self._advance(self._fetch, now_ms)
        if self._fetch or state.mode == WAITING:
            return self._begin(state, now_ms)
        return _IDLE_MS

    # Fetching

    def _consider(self, state, offer):
        """The newest offer: another one than what runs, is being fetched, waits, or failed."""
        if self._fetch and self._fetch.offer.digest == offer.digest:
            self._fetch.hurry()
            return
        if offer.version == VERSION or offer.sha256[:16] == state.failed or _mark(offer.digest) == self._refused:
            return
        self._fetch = None
        if state.mode == WAITING and self._kept(self._idle_slot())[0] == offer.digest:
            return
        from node.core.update import Fetch, Refused

        self._asks = '{"life":"%s","version":"%s",' % (self._app.life, offer.version) + _PART
        storage = self._slots.storage(self._idle_slot())
        try:
            self._fetch = Fetch(offer, storage, self._slots.key(offer.key), VERSION, self._want, self._forget)
            self._told_offered = False
            self._failures = 0
        except Refused as problem:
            self._refuse(offer.version, problem, offer.digest)

    def _forget(self):
        if self._state:
            self._state.forget()

    def _advance(self, fetch, now_ms):
        from node.core.update import Refused

        try:
            wait = fetch.step(now_ms)
        except Refused as problem:
            self._refuse(fetch.offer.version, problem, fetch.offer.digest)
            return _IDLE_MS
        if fetch.authentic and not self._told_offered:
            self._told_offered = self._tell("offered", fetch.offer.version)
        if fetch.done:
            self._tell("fetched", fetch.offer.version)
        if self._asked:
            self._asked = False
            return 1  # the link's next step takes it
        return wait

    def _want(self, name, offset, count):
        if self._app.uplink:
            self._app.uplink.ask("want", self._asks % (name, offset, count))
            self._asked = True

    def _idle_slot(self):
        return "b" if self._slots.running == "a" else "a"

    def _kept(self, slot):
        """(hash of the manifest, version) in a slot."""
        data = self._slots.storage(slot).read(MANIFEST, 0, _MANIFEST_MOST)
        try:
            version = json.loads(data)["version"]
        except (ValueError, KeyError, TypeError):
            version = "?"
        return hashlib.sha256(data).digest(), version

    def _refuse(self, version, problem, what):
        self._fetch = self._offer = None
        mark = _mark(what)
        if mark != self._refused and self._may_tell():
            self._tell("refused", "%s: %s" % (version, problem))
        self._refused = mark
        if self._app.duty:
            self._app.duty.refused = mark

    def _may_tell(self):
        """A flood of offers that are no good fills no journal; they are counted all the same."""
        self._app.refused += 1
        seconds = self._books.uptime.seconds
        if seconds - self._hour_from >= 3600:
            self._hour_from = seconds
            self._in_hour = 0
        self._in_hour += 1
        return self._in_hour <= _REFUSALS_MOST

    # Trying

    def _show(self, now_ms, samples):
        """What has been shown so far in this boot."""
        if not self._proof:
            from node.core.trial import Proof

            self._proof = Proof()
            self._since_ms = now_ms
        app = self._app
        source = app.gauge or app.survey
        if not source.sampling and source.last_sample_ms != self._counted_ms:
            if self._is_good(source):
                self._proof.samples += 1
            self._counted_ms = source.last_sample_ms
        logs = app.logs
        if logs and app.uplink and app.uplink.mark[0][0] == logs[0].boot:
            self._proof.committed = True
        return self._proof.missing(app.settings.values, samples)

    def _is_good(self, source):
        if self._app.gauge:
            return usable(source.flag)
        for sensor in source.sensors:
            if not sensor.failures:
                return True
        return False

    def _quiet(self):
        """Nothing is alarmed, nothing awaits confirmation: a restart costs nothing."""
        gauge, survey = self._app.gauge, self._app.survey
        if gauge and (gauge.sampling or gauge.confirming or gauge.state or gauge.rising):
            return False
        return not survey or not (survey.sampling or survey.state)

    def _begin(self, state, now_ms):
        """The other slot is whole: try it as soon as this firmware shows what it will ask of the new one."""
        if not self._show(now_ms, 1) and self._quiet():
            self._tell("trying", self._kept(self._idle_slot())[1])
            state.begin()
            self._restart()
        return _LOOK_MS

    def _prove(self, state, now_ms):
        from node.core.trial import LONGEST_MS, SAMPLES

        missing = self._show(now_ms, SAMPLES)
        if not missing:
            state.confirm()
            return 1
        up_ms = diff(now_ms, self._since_ms)
        longest_ms = max(LONGEST_MS, (SAMPLES + 1) * self._app.interval_ms)
        if up_ms >= longest_ms and (self._quiet() or up_ms >= 2 * longest_ms):
            state.end(binascii.hexlify(self._kept(self._slots.running)[0]).decode()[:16])
            self._restart()
        return _LOOK_MS

    def _restart(self):
        self._over = True
        self._app.reboot_wanted = True

    # Telling

    def _tell_news(self, state):
        if state.news == "confirmed":
            return self._tell("confirmed", VERSION)
        version = self._kept(self._idle_slot())[1]
        why = (
            "it ended without a proof and waits to be tried again"
            if state.news == "waiting"
            else "it did not prove itself"
        )
        return self._tell("rolled_back", "%s: %s; %s runs" % (version, why, VERSION))

    def _tell(self, word, text):
        return self._books.tell(text, (H.UPDATE, 0, _WORDS.index(word)), (H.BECAUSE, 0))


def _mark(what):
    """Of an offer's payload or hash; never 0."""
    return (binascii.crc32(what) & 0x3FFFFFFF) | 1
