"""The simulator's own figures: samples per second, beside a bare heap of callbacks in the same run, and where the time goes."""

import cProfile
import heapq
import pstats
import time
from collections.abc import Callable
from typing import Any

import msgspec

from simulator import scenario
from simulator.run import simulate

ROOMS = (
    ("firmware", "/firmware/node/"),
    ("gateway and SQLite", "/gateway/"),
    ("chips and world", "/simulator/chips/"),
    ("chips and world", "/simulator/world/"),
    ("chips and world", "/simulator/noise.py"),
    ("link, broker, flash", "/simulator/adapters/"),
    ("link, broker, flash", "/simulator/broker.py"),
    ("link, broker, flash", "/simulator/intake.py"),
    ("trace and notes", "/simulator/trace.py"),
    ("trace and notes", "/simulator/notes.py"),
    ("virtual time", "/simulator/agenda.py"),
    ("virtual time", "/simulator/stations.py"),
    ("virtual time", "/simulator/runtimes/"),
    ("series and judge", "/simulator/"),
)


def bare_heap(stations: int, events: int) -> float:
    """Callbacks per second of a heap of due times and nothing else: the most this design could do."""
    heap = [(i, i) for i in range(stations)]
    heapq.heapify(heap)
    calls = [lambda t: t + 60_000 for _ in range(stations)]
    begun = time.perf_counter()
    for _ in range(events):
        t, i = heap[0]
        heapq.heapreplace(heap, (calls[i](t), i))
    return events / (time.perf_counter() - begun)


def simulate_figures(progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """A sample is a burst of ultrasonic frames parsed, its median, flags, alarm, journal record, SenML, QoS 1 publish and commit in SQLite."""
    figures = []
    whole = scenario.load("first_light")
    for copies, hours in ((1, whole.hours), (25, 4)):
        stations = copies * len(whole.nodes())
        progress(f"{stations} stations, {hours} h")
        heap_per_s = bare_heap(stations, 500_000)
        report = simulate(msgspec.structs.replace(whole, hours=hours), copies=copies)
        figures.append(_figure(f"samples, {stations} stations", report["steps_per_s"], "1/s", heap_per_s))
        calls = report["kpi"]["actor_runs"] / report["wall_s"]
        figures.append(_figure(f"scheduled calls, {stations} stations", round(calls), "1/s", heap_per_s))
        cost = heap_per_s / report["steps_per_s"]
        figures.append(
            {
                "name": f"cost of a sample, {stations} stations",
                "value": round(cost),
                "unit": "bare callbacks",
                "reference": f"bare heap: {heap_per_s:,.0f}/s",
                "ratio": cost,
            }
        )
    progress("real MicroPython VM, 12 stations, 2 h")
    host = simulate(msgspec.structs.replace(whole, hours=2))
    vm = simulate(msgspec.structs.replace(whole, hours=2), runtime="vm")
    figures.append(
        {
            "name": "samples in the MicroPython VM, 12 stations",
            "value": vm["steps_per_s"],
            "unit": "1/s",
            "reference": f"the same in CPython: {host['steps_per_s']:,}/s",
            "ratio": vm["steps_per_s"] / host["steps_per_s"],
        }
    )
    progress("where the time goes")
    return figures + shares(msgspec.structs.replace(whole, hours=24))


def _figure(name: str, value: float, unit: str, heap_per_s: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference": f"bare heap: {heap_per_s:,.0f}/s",
        "ratio": value / heap_per_s,
    }


def shares(chosen: scenario.Scenario) -> list[dict[str, Any]]:
    """Each room's share of the time, by cProfile: it makes calls dearer, so many small functions look worse than they are."""
    profile = cProfile.Profile()
    profile.runcall(simulate, chosen)
    spent: dict[str, float] = {}
    for (file, _, _), (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        room = _room(file)
        if room is not None:
            spent[room] = spent.get(room, 0.0) + own
            continue
        for (caller, _, _), (_, _, part, _) in callers.items():  # builtins are their caller's
            room = _room(caller) or "elsewhere"
            spent[room] = spent.get(room, 0.0) + part
    total = sum(spent.values())
    return [
        {
            "name": f"share of the time: {room}",
            "value": part / total,
            "unit": "of 1",
            "reference": "profiled",
            "ratio": part / total,
        }
        for room, part in sorted(spent.items(), key=lambda item: -item[1])
    ]


def _room(file: str) -> str | None:
    return next((room for room, part in ROOMS if part in file), None)
