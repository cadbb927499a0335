"""Many seeds of `chaos` on several processes, and what was drawn and found in all of them."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context
from typing import Any

from simulator import chaos, shards
from simulator.run import simulate

AHEAD = 4  # seeds handed out for each process
HEAP_OF_VM = "120wk"


def one(seed: int, runtime: str = "host") -> dict[str, Any]:
    """What came of one seed; an exception is a finding, too."""
    scenario = chaos.draw(seed)
    asleep = any(table.settings.get("power.profile") for table in scenario.stations)
    drawn = {
        "seed": seed,
        "kinds": scenario.kinds,
        "stations": len(scenario.nodes()),
        "tls": scenario.tls,
        "asleep": asleep,
    }
    try:
        report = simulate(scenario, seed, runtime)
    except Exception as error:
        return {**drawn, "broken": [f"exception: {type(error).__name__}: {str(error)[:500]}"], "kpi": {}}
    wrong = [f"{key}: {report[key]}" for key in ("false_alarms",) if report[key]]
    keys = ("simulated_s", "steps", "readings_made", "trace_sha256", "kpi")
    return {**drawn, "broken": report["broken"] + wrong, **{key: report[key] for key in keys}}


def run(seeds: Iterable[int], jobs: int, runtime: str, told: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The summary of all seeds; `told` hears each as it is done."""
    summary = Summary(runtime)
    for found in _each(seeds, jobs, runtime):
        summary.add(found)
        told(found)
    return summary.report()


def _each(seeds: Iterable[int], jobs: int, runtime: str) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        for seed in seeds:
            yield one(seed, runtime)
        return
    waiting = iter(seeds)
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=shards.begin_worker, initargs=(os.getpid(),)
    )
    try:
        running: set[Future] = set()
        with shards.no_interrupt():
            for seed in islice(waiting, jobs * AHEAD):
                running.add(pool.submit(one, seed, runtime))
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                for seed in islice(waiting, 1):
                    running.add(pool.submit(one, seed, runtime))
    except BaseException:
        shards.end(pool)
        raise
    pool.shutdown()


class Summary:
    """Counts over seeds."""

    def __init__(self, runtime: str) -> None:
        self._runtime = runtime
        self._kinds: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._broken: list[dict[str, Any]] = []
        self._worst_siren_ms = 0
        self._worst_drain_ms = 0

    def add(self, found: dict[str, Any]) -> None:
        kpi = found["kpi"]
        self._kinds.update(found["kinds"])
        self._counts["seeds"] += 1
        self._counts["with_tls"] += found["tls"]
        self._counts["asleep"] += found["asleep"]
        self._counts["stations"] += found["stations"]
        self._counts["clean"] += not found["broken"]
        self._counts["simulated_days"] += found.get("simulated_s", 0) // 86_400
        for key in ("steps", "readings_made"):
            self._counts[key] += found.get(key, 0)
        for key in ("crossings", "heard", "declared", "taken_back", "resets", "events_made"):
            self._counts[key] += kpi.get(key, 0)
        self._worst_siren_ms = max(self._worst_siren_ms, kpi.get("worst_siren_ms", 0))
        self._worst_drain_ms = max(self._worst_drain_ms, kpi.get("drained_ms", 0))
        if found["broken"]:
            self._broken.append(
                {"seed": found["seed"], "broken": found["broken"], "again": chaos.replay(found["seed"], self._runtime)}
            )

    def report(self) -> dict[str, Any]:
        self._broken.sort(key=lambda row: row["seed"])
        return {
            **{key: self._counts[key] for key in sorted(self._counts)},
            "kinds": {name: self._kinds[name] for name in chaos.names()},
            "worst_siren_ms": self._worst_siren_ms,
            "worst_drain_ms": self._worst_drain_ms,
            "failed": self._broken,
        }


def words(report: dict[str, Any]) -> str:
    """The summary as a person reads it."""
    kinds = sorted(report["kinds"].items(), key=lambda row: -row[1])
    lines = [
        f"{report['clean']} of {report['seeds']} seeds clean",
        f"  {report['stations']} stations, {report['simulated_days']:,} days, {report['steps']:,} samples; {report['with_tls']} seeds with TLS, "
        f"{report['asleep']} with sleeping stations, {report['resets']:,} resets",
        f"  crossings: {report['crossings']:,} of the truth, {report['heard']:,} with a sensor that could see them; "
        f"the slowest siren came {report['worst_siren_ms'] / 1000:.0f} s after",
        f"  declared dropped {report['declared']:,}, forgotten by a restored gateway {report['taken_back']:,}; "
        f"slowest drain {report['worst_drain_ms'] / 1000:.0f} s",
        "  drawn: " + ", ".join(f"{name} {count}" for name, count in kinds),
    ]
    for row in report["failed"][:20]:
        lines.append(f"seed {row['seed']}: {row['broken'][0]}  (again: {row['again']})")
    return "\n".join(lines)
