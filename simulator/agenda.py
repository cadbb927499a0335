"""Virtual time: a heap of due times. Whoever has work is an actor; the clock jumps from one due time to the next.

Actors at the same millisecond run in the order of their index, so a run is the same every time.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Protocol

NEVER = 1 << 42
_INDEX_BITS = 20
_INDEX_MASK = (1 << _INDEX_BITS) - 1


class Moment:
    """Now, in virtual milliseconds since the scenario's start; shared by all who may ask."""

    __slots__ = ("t",)

    def __init__(self) -> None:
        self.t = 0


class Actor(Protocol):
    def run(self, t_ms: int) -> int:
        """Do what is due; the time of the next work, or NEVER."""
        ...


class Agenda:
    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self.runs = 0
        self._actors: list[Actor] = []
        self._due: list[int] = []
        self._heap: list[int] = []

    def join(self, actor: Actor, first_ms: int) -> int:
        """A new actor; its index."""
        index = len(self._actors)
        self._actors.append(actor)
        self._due.append(NEVER)
        self.sooner(index, first_ms)
        return index

    def sooner(self, index: int, t_ms: int) -> None:
        """The actor has work at `t_ms` if it had none before then."""
        if t_ms < self._due[index]:
            self._due[index] = t_ms
            heappush(self._heap, t_ms << _INDEX_BITS | index)

    def run(self, until_ms: int, progress: Callable[[int], object] | None = None) -> None:
        """Everything due up to and including `until_ms`; `progress` is told the time about every virtual minute."""
        heap = self._heap
        due = self._due
        actors = self._actors
        moment = self.moment
        tell_at = moment.t
        runs = 0
        while heap:
            t = heap[0] >> _INDEX_BITS
            if t > until_ms:
                break
            index = heappop(heap) & _INDEX_MASK
            if due[index] != t:
                continue  # it has run since, or runs sooner
            moment.t = t
            due[index] = NEVER
            runs += 1
            next_ms = actors[index].run(t)
            if next_ms < due[index]:
                due[index] = next_ms
                heappush(heap, next_ms << _INDEX_BITS | index)
            if t >= tell_at and progress:
                progress(t)
                tell_at = t + 60_000
        moment.t = until_ms
        self.runs += runs
