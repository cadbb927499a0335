"""A run cut by stations over processes, and put together again: stations share nothing but the network, which is cut with them."""

import contextlib
import ctypes
import hashlib
import heapq
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

_CHUNK = 1 << 20
_END_S = 5.0
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Found:
    """What came of a run, or of one part of it."""

    stations: int
    bursts: int
    wall_s: float
    trace_sha256: str
    trace_lines: int
    counts: dict[str, int]
    alarms: list[dict[str, Any]]
    events_made: int
    actor_runs: int
    drained_ms: int
    watched: dict[str, dict[str, int]]
    backlogs: list[dict[str, Any]] = field(default_factory=list)  # of each long outage
    broken: list[str] = field(default_factory=list)  # promises, of a run that is watched for them
    counted: dict[str, Any] = field(default_factory=dict)
    mah_per_day: dict[str, float] = field(default_factory=dict)  # of each station that may sleep


class _Place(msgspec.Struct):
    """Where a line of the trace stands."""

    t: int
    node: str
    n: int


def run(
    arguments: Callable[[tuple[int, int]], tuple],
    one_part: Callable[..., Found],
    jobs: int,
    write: Callable[[bytes], object] | None,
) -> Found:
    """`one_part(*arguments(part), write)` in `jobs` processes; their traces merged, their counts added."""
    with tempfile.TemporaryDirectory(prefix="waspada-") as folder:
        files = [str(Path(folder) / f"{i}.jsonl") for i in range(jobs)]
        pool = ProcessPoolExecutor(
            jobs, mp_context=get_context("spawn"), initializer=begin_worker, initargs=(os.getpid(),)
        )
        try:
            with no_interrupt():
                running = [pool.submit(_to_file, one_part, arguments((i, jobs)), file) for i, file in enumerate(files)]
            parts = [one.result() for one in running]
        except BaseException:
            end(pool)
            raise
        pool.shutdown()
        return _together(parts, _merged(files, write))


@contextlib.contextmanager
def no_interrupt() -> Iterator[None]:
    """Ctrl-C waits until the workers are there; they inherit that it is blocked, until they ignore it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_worker(parent: int) -> None:
    """Ctrl-C goes to the whole group: the parent answers it and ends its workers, and a worker does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        return
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def end(pool: ProcessPoolExecutor) -> None:
    """A run without an answer: nothing more is begun, and no worker is left."""
    workers = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_END_S)
        if worker.is_alive():
            worker.kill()


def _to_file(one_part: Callable[..., Found], arguments: tuple, file: str) -> Found:
    with open(file, "wb") as trace:
        return one_part(*arguments, trace.write)


def _merged(files: list[str], write: Callable[[bytes], object] | None) -> str:
    """SHA-256 of all lines in the order of (t, node, n)."""
    place = msgspec.json.Decoder(_Place).decode

    def lines(file: str) -> Iterator[tuple[tuple[int, str, int], bytes]]:
        with open(file, "rb", _CHUNK) as trace:
            for line in trace:
                at = place(line)
                yield (at.t, at.node, at.n), line

    sha256 = hashlib.sha256()
    for _, line in heapq.merge(*map(lines, files)):
        sha256.update(line)
        if write:
            write(line)
    return sha256.hexdigest()


def _together(parts: list[Found], trace_sha256: str) -> Found:
    alarms = [alarm for part in parts for alarm in part.alarms]
    return Found(
        stations=sum(part.stations for part in parts),
        bursts=sum(part.bursts for part in parts),
        wall_s=max(part.wall_s for part in parts),
        trace_sha256=trace_sha256,
        trace_lines=sum(part.trace_lines for part in parts),
        counts={key: sum(part.counts[key] for part in parts) for key in parts[0].counts},
        alarms=sorted(alarms, key=lambda alarm: (alarm["node"], alarm["level"], alarm["crossed_ms"])),
        events_made=sum(part.events_made for part in parts),
        actor_runs=sum(part.actor_runs for part in parts),
        drained_ms=max(part.drained_ms for part in parts),
        watched=_added([part.watched for part in parts]),
        backlogs=[
            {
                **rows[0],
                "records": sum(row["records"] for row in rows),
                "drained_s": max(row["drained_s"] for row in rows),
            }
            for rows in zip(*[part.backlogs for part in parts], strict=True)
        ],
        mah_per_day=dict(sorted(row for part in parts for row in part.mah_per_day.items())),
    )


def _added(parts: list[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    keys = sorted({key for part in parts for key in part})
    rows = {key: [part[key] for part in parts if key in part] for key in keys}
    return {key: {name: sum(row[name] for row in rows[key]) for name in rows[key][0]} for key in keys}
