"""Buses with simulated chips behind them.

What each kind of bus wants of its chips is a Protocol here. A chip is told the time, or was given a clock when it was made; it is the same however often it
is asked.
"""

import errno
from collections.abc import Callable, Mapping
from typing import Protocol

from node.core.tips import Tips
from simulator.adapters.clock import WRAP_MASK
from simulator.agenda import Moment

RX_BYTES = 256  # what the ESP32's UART driver keeps unread by default; later bytes are lost
DEBOUNCE_MS = 100
CONTACT_MS = 100  # a bucket's reed is closed for about so long at a tip (assumed)
Spans = tuple[tuple[int, int], ...]  # from, to in virtual milliseconds


def within(t_ms: int, spans: Spans) -> bool:
    return any(begin <= t_ms < end for begin, end in spans) if spans else False


class SerialChip(Protocol):
    """Speaks by itself. One that is spoken to has `hear(t_ms, data)` too; what it answers ends later than that millisecond."""

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        """Appends what ended in (after_ms, now_ms], until `fifo` holds `room` bytes or a frame more."""
        ...


class UART:
    """Bytes are made when somebody looks, and are the same however often that is."""

    def __init__(self, moment: Moment, chip: SerialChip) -> None:
        self._moment = moment
        self._chip = chip
        self._hear: Callable[[int, bytes], object] | None = getattr(chip, "hear", None)
        self._fifo = bytearray()
        self._powered_ms = -1
        self._made_to_ms = -1
        self._asked = False  # and no byte was read since
        self.opened = 0

    def open(self) -> None:
        if self._powered_ms < 0:
            self._powered_ms = self._moment.t
            self.opened += 1
        self._made_to_ms = self._moment.t
        self._fifo.clear()

    def close(self) -> None:
        self._powered_ms = -1
        self._asked = False
        self._fifo.clear()

    @property
    def powered(self) -> bool:
        return self._powered_ms >= 0

    @property
    def busy(self) -> bool:
        """The chip runs by itself, or owes an answer."""
        return self._asked or getattr(self._chip, "running", False)

    def boot(self) -> None:
        """The station boots: its sensor has been without power."""
        self.close()

    def read_into(self, buffer: bytearray | memoryview) -> int:
        if self._powered_ms < 0:
            return 0
        self._receive()
        fifo = self._fifo
        count = min(len(buffer), len(fifo))
        if count:
            buffer[:count] = fifo[:count]
            self.take(count)
        return count

    def write(self, data: bytes) -> None:
        self._asked = True
        if self._hear is not None and self._powered_ms >= 0:
            self._receive()  # what came before the request is not an answer to it
            self._hear(self._moment.t, bytes(data))

    def waiting(self) -> bytes:
        """What a read would find now; the vm runtime takes it along and says with `take` what was read."""
        if self._powered_ms < 0:
            return b""
        self._receive()
        return bytes(self._fifo)

    def take(self, count: int) -> None:
        self._asked = self._asked and not count
        del self._fifo[:count]

    def _receive(self) -> None:
        t = self._moment.t
        if t > self._made_to_ms:
            self._chip.frames_into(self._fifo, self._made_to_ms, t, self._powered_ms, RX_BYTES)
            self._made_to_ms = t
            del self._fifo[RX_BYTES:]


class AnalogChip(Protocol):
    def read_uv(self, t_ms: int) -> int: ...


class ADC:
    def __init__(self, moment: Moment, chip: AnalogChip) -> None:
        self._moment = moment
        self._chip = chip

    def boot(self) -> None:
        """A pin remembers nothing."""

    def read_uv(self) -> int:
        return self._chip.read_uv(self._moment.t)


class I2CChip(Protocol):
    """Either raises OSError when the chip does not acknowledge: busy measuring, a register it has not."""

    def write(self, data: bytes) -> None: ...
    def read(self, count: int) -> bytes:
        """Always `count` bytes: where the chip has no more to say, the pulled-up line reads FF."""
        ...


class I2C:
    """Chips by address. The faults are spans of time: `held_ms` a line is held low; `gone` (address, from, to) nobody answers there;
    `swapped` (address, from, to, chip) another chip does. Chips keep their power when the board resets."""

    def __init__(
        self,
        moment: Moment,
        chips: Mapping[int, I2CChip],
        *,
        held_ms: Spans = (),
        gone: tuple[tuple[int, int, int], ...] = (),
        swapped: tuple[tuple[int, int, int, I2CChip], ...] = (),
    ) -> None:
        self._moment = moment
        self._chips = dict(chips)
        self._held_ms = held_ms
        self._gone = gone
        self._swapped = swapped
        self._asked: set[int] = set()  # who was written to and not read since

    def boot(self) -> None:
        """The bus remembers nothing."""
        self._asked.clear()

    def busy(self, address: int) -> bool:
        """The chip runs by itself, or owes an answer."""
        return address in self._asked or getattr(self._chips.get(address), "running", False)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        self._chip(address).write(bytes(data))
        self._asked.add(address)

    def read_into(self, address: int, buffer: bytearray | memoryview) -> None:
        self._asked.discard(address)
        buffer[:] = self._chip(address).read(len(buffer))

    def _chip(self, address: int) -> I2CChip:
        t = self._moment.t
        if within(t, self._held_ms):
            raise OSError(errno.ETIMEDOUT, "the bus is held low")
        for where, begin, end, other in self._swapped:
            if where == address and begin <= t < end:
                return other
        chip = self._chips.get(address)
        if chip is None or any(where == address and begin <= t < end for where, begin, end in self._gone):
            raise OSError(errno.ENODEV, "nobody answers")
        return chip


class OneWireChip(Protocol):
    def reset(self) -> int:
        """1: it is there and says so."""
        ...

    def write(self, byte: int) -> None: ...
    def read(self) -> int:
        """FF from a chip that is not addressed."""
        ...


class OneWire:
    """Every chip hears everything; where several speak, a 0 wins. `cut_ms`: the cable is off; `shorted_ms`: the line is held low."""

    def __init__(
        self, moment: Moment, chips: tuple[OneWireChip, ...], *, cut_ms: Spans = (), shorted_ms: Spans = ()
    ) -> None:
        self._moment = moment
        self._chips = chips
        self._cut_ms = cut_ms
        self._shorted_ms = shorted_ms
        self.busy = False  # told to convert, and not read since

    def boot(self) -> None:
        """The bus remembers nothing."""
        self.busy = False

    def reset(self) -> int:
        """1 when a chip answered. A line held low looks like an answer."""
        if within(self._moment.t, self._shorted_ms):
            return 1
        return max([chip.reset() for chip in self._reached()], default=0)

    def write(self, byte: int) -> None:
        self.busy = True
        if not within(self._moment.t, self._shorted_ms):
            for chip in self._reached():
                chip.write(byte)

    def read(self) -> int:
        self.busy = False
        if within(self._moment.t, self._shorted_ms):
            return 0
        value = 0xFF
        for chip in self._reached():
            value &= chip.read()
        return value

    def _reached(self) -> tuple[OneWireChip, ...]:
        return () if within(self._moment.t, self._cut_ms) else self._chips


class Contact(Protocol):
    def edges(self, after_ms: int, until_ms: int) -> list[int]:
        """The times in (after_ms, until_ms] at which it closes, bounce and all, in order."""
        ...


class _Blind:
    """The time after a wake in which nothing counts, and the look at the pin that ends it."""

    def __init__(self, tips: Tips, blind_ms: int) -> None:
        self._tips = tips
        self._blind_ms = blind_ms
        self._end_ms = -1
        self._closed_ms = -1

    def begin(self, t_ms: int) -> None:
        self.hides(t_ms)
        self._end_ms = max(self._end_ms, t_ms + self._blind_ms)
        self._closed_ms = -1

    def hides(self, t_ms: int) -> bool:
        if t_ms < self._end_ms:
            self._closed_ms = t_ms
            return True
        if 0 <= self._end_ms - CONTACT_MS < self._closed_ms:
            self._tips.edge(self._end_ms & WRAP_MASK)
        self._closed_ms = -1
        return False


class Pulses:
    """What the board's interrupt would have counted by now."""

    def __init__(self, moment: Moment, contact: Contact, debounce_ms: int = DEBOUNCE_MS) -> None:
        self._moment = moment
        self._contact = contact
        self._debounce_ms = debounce_ms
        self.boot()

    def boot(self) -> None:
        """The station boots: it counts from 0, and has heard nothing while it was dark."""
        self._tips = Tips(self._debounce_ms)
        self.counted_ms = 0
        self._heard_to_ms = self._moment.t
        self.wakes = 0  # by a tip, from deep sleep

    def slept(self, timer_ms: int, until_ms: int, blind_ms: int) -> None:
        """What deep sleep counted up to `until_ms`, the boot that the timer began at `timer_ms` included.

        A closing wakes the chip (ext0) and is counted in RTC memory. Until `blind_ms` after a wake no interrupt is there; then the pin is read once: a
        contact that is closed there is another tip, since the one that woke the chip is over. Behind that the interrupt counts.
        """
        blind = _Blind(self._tips, blind_ms)
        booting = False
        for at in self._contact.edges(self._heard_to_ms, until_ms):
            if at >= timer_ms and not booting:
                booting = True
                blind.begin(timer_ms)
            if blind.hides(at):
                continue
            if not booting:
                self.wakes += 1
                blind.begin(at)
            self._tips.edge(at & WRAP_MASK)
        blind.hides(until_ms)
        self._heard_to_ms = until_ms

    def count(self) -> int:
        t = self._moment.t
        if t > self._heard_to_ms:
            for at in self._contact.edges(self._heard_to_ms, t):
                self._tips.edge(at & WRAP_MASK)
            self._heard_to_ms = t
        self.counted_ms = t & WRAP_MASK
        return self._tips.count


class LookedAt(Protocol):
    def closed(self) -> int: ...


class Switch:
    def __init__(self, contact: LookedAt) -> None:
        self._contact = contact

    def boot(self) -> None:
        """A contact is where it is."""

    def closed(self) -> int:
        return 1 if self._contact.closed() else 0


Bus = UART | ADC | I2C | OneWire | Pulses | Switch
