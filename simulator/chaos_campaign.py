"""Many seeds of `chaos` on several processes, and what was drawn and found in all of them."""

import os
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import closing
from itertools import islice
from multiprocessing import get_context
from typing import Any

from simulator import chaos, shards
from simulator.run import simulate

AHEAD = 4  # seeds handed out for each process
LISTED = 20  # seeds that failed, with how
OF_A_RUN = ("steps", "readings_made")
OF_KPI = ("crossings", "heard", "declared", "taken_back", "resets", "events_made")
COUNTED = ("seeds", "with_tls", "asleep", "stations", "clean", "simulated_days", *OF_A_RUN, *OF_KPI)


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


def run(seeds: range, jobs: int, runtime: str, told: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The summary of all seeds, or of those that were done when it was interrupted; `told` hears each as it is done."""
    done: list[dict[str, Any]] = []
    interrupted = False
    try:
        with closing(_each(seeds, jobs, runtime)) as each:
            for found in each:
                done.append(found)
                told(found)
    except KeyboardInterrupt:
        interrupted = True
    summary = Summary(runtime)
    for found in done:
        summary.add(found)
    run, left = _parts(seeds, sorted(found["seed"] for found in done))
    return {"interrupted": interrupted, "run": run, "left": left, **summary.report()}


def _parts(seeds: range, done: list[int]) -> tuple[list[str], list[str]]:
    """The seeds that were done and those that were not, as `--seeds` takes them."""
    run: list[list[int]] = []
    for seed in done:
        if run and run[-1][1] == seed - 1:
            run[-1][1] = seed
        else:
            run.append([seed, seed])
    ends = [seeds.start - 1, *(end for part in run for end in part), seeds.stop]
    left = [[last + 1, first - 1] for last, first in zip(ends[::2], ends[1::2], strict=True) if first - last > 1]
    named = [[f"{first}-{last}" if last > first else f"{first}" for first, last in parts] for parts in (run, left)]
    return named[0], named[1]


def _each(seeds: range, jobs: int, runtime: str) -> Generator[dict[str, Any], None, None]:
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
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
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
        for key in OF_A_RUN:
            self._counts[key] += found.get(key, 0)
        for key in OF_KPI:
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
    lines = []
    if report["interrupted"]:
        run, left = (", ".join(report[key]) or "none" for key in ("run", "left"))
        lines.append(f"interrupted; seeds run: {run}; left: {left}")
    lines += [
        f"{report['clean']} of {report['seeds']} seeds clean",
        f"  {report['stations']} stations, {report['simulated_days']:,} days, {report['steps']:,} samples; {report['with_tls']} seeds with TLS, "
        f"{report['asleep']} with sleeping stations, {report['resets']:,} resets",
        f"  crossings: {report['crossings']:,} of the truth, {report['heard']:,} with a sensor that could see them; "
        f"the slowest siren came {report['worst_siren_ms'] / 1000:.0f} s after",
        f"  declared dropped {report['declared']:,}, forgotten by a restored gateway {report['taken_back']:,}; "
        f"slowest drain {report['worst_drain_ms'] / 1000:.0f} s",
        "  drawn: " + ", ".join(f"{name} {count}" for name, count in kinds),
    ]
    for row in report["failed"][:LISTED]:
        lines.append(f"seed {row['seed']}: {row['broken'][0]}  (again: {row['again']})")
    if more := [str(row["seed"]) for row in report["failed"][LISTED:]]:
        lines.append(f"and seeds {', '.join(more)}")
    return "\n".join(lines)
