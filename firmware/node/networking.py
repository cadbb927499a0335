"""A station's way to its broker as people change it, told in the books. Loaded when somebody does, and by a station that has been changed."""

from node.core import happenings
from node.core.network import CONFIRMED, NONE, REVERTED, Network, told

_ASK_AGAIN_S = 60
_EIO = 5


class Networking:
    """`link` is told by `use(values)` what to connect to from now on; a link without it can't be changed."""

    def __init__(self, station, storage, link, books):
        self._storage = storage
        self._link = link
        self._books = books
        self._network = Network(station)
        self._untold = []  # (word, text) of what happened, until it is in the journal
        self._unread = False  # storage did not say whether there is a change
        self._asked_s = 0  # uptime when it was asked

    @property
    def values(self):
        return self._network.values

    def open(self):
        """Take what was kept into use; while storage can't be read `step` asks again."""
        network = self._network
        again = self._unread  # told once is enough
        self._unread = False
        try:
            damaged = network.load(self._storage)
        except OSError:
            damaged = not again
            self._unread = True
            self._asked_s = self._books.uptime.seconds
        if damaged:
            self._books.fail()
        if self._unread:
            return
        before = network.before
        tried = network.values
        word = network.booted(self._storage, self._books.uptime.seconds)
        if word == REVERTED:
            self._tell(word, told(before, tried))
        if network.revision:
            self._link.use(network.values)

    def change(self, changes, uplink):
        """Begin a trial; returns what is different, as a person is told. ValueError, KeyError: not allowed; OSError: not kept."""
        network = self._network
        if self._unread:
            self._open_again(uplink)
            if self._unread:
                raise OSError(_EIO)  # what would come back is not known
        before = network.values
        network.change(self._storage, changes, self._books.uptime.seconds)
        text = told(network.values, before)
        self._tell(0, text)
        self._use(uplink)
        return text

    def left_s(self):
        return self._network.left_s(self._books.uptime.seconds)

    def step(self, uplink):
        """Called while the station talks; ends the trial that has run its time."""
        network = self._network
        if self._unread and self._books.uptime.seconds - self._asked_s >= _ASK_AGAIN_S:
            self._open_again(uplink)
        if network.before is not None:
            tried, before = network.values, network.before
            answered = uplink is not None and uplink.answered
            word = network.step(self._storage, self._books.uptime.seconds, answered)
            if word == REVERTED:
                self._tell(word, told(before, tried))
                self._use(uplink)
            elif word == CONFIRMED:
                self._tell(word, told(tried, before))
        self._tell(NONE, "")

    def _open_again(self, uplink):
        self.open()
        if self._network.revision and uplink:
            uplink.start_over()

    def _use(self, uplink):
        self._link.use(self._network.values)
        if uplink:
            uplink.start_over()

    def _tell(self, word, text):
        if word != NONE:
            self._untold.append((word, text))
        while self._untold:
            word, text = self._untold[0]
            if not self._books.tell(text, (happenings.NETWORK, 0, word), (happenings.BECAUSE, 0)):
                return
            self._untold.pop(0)
