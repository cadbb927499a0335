"""Adapters that break a promise each, whatever they are made of: the contracts must catch every one of them, on both sides."""


class _Broken:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


class TicksPastTheWrap(_Broken):
    def ticks_ms(self):
        return self.inner.ticks_ms() | 1 << 30


class TimeBeforeItIsKnown(_Broken):
    def unix_ms(self):
        return self.inner.unix_ms() or 0


class DeafToTheGateway(_Broken):
    def hint(self, unix_s):
        pass


class NeverDoubts(_Broken):
    def doubts(self):
        return 0


class OldInput(_Broken):
    """Opening leaves what is there."""

    opened = False

    def open(self):
        if not self.opened:
            self.opened = True
            self.inner.open()


class LostByte(_Broken):
    def read_into(self, buffer):
        count = self.inner.read_into(buffer)
        return count - 1 if count > 2 else count


class Millivolts(_Broken):
    def read_uv(self):
        return self.inner.read_uv() // 1000


class SilentErrors(_Broken):
    def write(self, address, data):
        try:
            self.inner.write(address, data)
        except OSError:
            return

    def read_into(self, address, buffer):
        try:
            self.inner.read_into(address, buffer)
        except OSError:
            return


class ShortRead(_Broken):
    def read_into(self, address, buffer):
        self.inner.read_into(address, memoryview(buffer)[: len(buffer) - 1])


class AlwaysThere(_Broken):
    def reset(self):
        self.inner.reset()
        return 1


class BitsTurned(_Broken):
    def read(self):
        return self.inner.read() ^ 0xFF


class CountedTwice(_Broken):
    def count(self):
        return 2 * self.inner.count()


class CountedOnce(_Broken):
    """Reading empties the counter."""

    before = 0

    def count(self):
        now = self.inner.count()
        since = now - self.before
        self.before = now
        return since


class CountedLongAgo(_Broken):
    counted_ms = 0


class OpenIsClosed(_Broken):
    def closed(self):
        return 1 - self.inner.closed()


class AbsentIsAnError(_Broken):
    def read(self, name, offset, count):
        if name not in self.inner.names():
            raise OSError(2)
        return self.inner.read(name, offset, count)


class ReplaceAppends(_Broken):
    def replace(self, name, data):
        self.inner.append(name, data)


class RemovesNothing(_Broken):
    def remove(self, name):
        self.inner.size(name)


class NeverEnds(_Broken):
    def recv_into(self, buffer):
        return max(0, self.inner.recv_into(buffer))


class ClaimsToSend(_Broken):
    def send(self, data):
        self.inner.send(data)
        return len(data)


class StaysUp(_Broken):
    up = False

    def state(self):
        self.up = self.up or self.inner.state() == 2
        return 2 if self.up else self.inner.state()


class NeverSaysWhy(_Broken):
    reason = ""


class SaysNothing(_Broken):
    def write(self, data):
        len(data)


class OnIsOff(_Broken):
    def set(self, on):
        self.inner.set(1 - on)


class Stuck(_Broken):
    def set(self, on):
        self.inner.set(1)


class NeverFeeds(_Broken):
    def feed(self):
        return


class NeverLow(_Broken):
    def heap_low(self):
        return 1 << 28


class NoTrace(_Broken):
    def traceback(self, error):
        return ""


class OneSlotForTwo(_Broken):
    def storage(self, slot):
        return self.inner.storage("a")


class ForgetsTheTrial(_Broken):
    """The state is of the moment when it was asked for first."""

    found = None

    def state(self):
        self.found = self.found or self.inner.state()
        known = self.found
        self.found = type(known)(_Nothing())
        return known


class _Nothing:
    def read(self, name, offset, count):
        return b""


class OneKeyForAll(_Broken):
    def key(self, name):
        return self.inner.key("city1")


class AlwaysPowerOn(_Broken):
    def cause(self):
        return "power"


class ForgetsOverSleep(_Broken):
    def memory(self):
        return b"" if self.inner.cause() == "sleep" else self.inner.memory()


class RemembersOverACut(_Broken):
    kept = b""

    def keep(self, data):
        self.kept = data
        self.inner.keep(data)

    def memory(self):
        return self.kept


class SleepsForNoTime(_Broken):
    def slept_ms(self):
        return 0


BROKEN = {
    "clock": (TicksPastTheWrap, TimeBeforeItIsKnown, DeafToTheGateway, NeverDoubts),
    "uart": (OldInput, LostByte),
    "adc": (Millivolts,),
    "i2c": (SilentErrors, ShortRead),
    "onewire": (AlwaysThere, BitsTurned),
    "pulses": (CountedTwice, CountedOnce, CountedLongAgo),
    "switch": (OpenIsClosed,),
    "storage": (AbsentIsAnError, ReplaceAppends, RemovesNothing),
    "link": (NeverEnds, ClaimsToSend, StaysUp, NeverSaysWhy),
    "console": (LostByte, SaysNothing),
    "outputs": (OnIsOff, Stuck),
    "watchdog": (NeverFeeds,),
    "platform": (NeverLow, NoTrace),
    "slots": (OneSlotForTwo, ForgetsTheTrial, OneKeyForAll),
    "power": (AlwaysPowerOn, ForgetsOverSleep, RemembersOverACut, SleepsForNoTime),
}
