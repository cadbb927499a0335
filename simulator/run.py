"""One run of a scenario, and what came of it: the keys of the design's table."""

import gc
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from node.core import limits
from node.core import settings as S
from node.core.measurements import STREAMS
from simulator import chaos_verdict, energy, fleet, judge, shards, watched
from simulator.backlog import backlogs
from simulator.chaos_watch import Watch
from simulator.errors import InputError
from simulator.runtimes.host import HostBody
from simulator.runtimes.vm import VMBody
from simulator.scenario import Scenario
from simulator.shards import Found
from simulator.stations import Body

RUNTIMES = ("host", "vm")
HEAP = (
    "120wk"  # what 120 KB hold on a 32-bit chip: a stock ESP32 image has 157 KB free, 109 KB with a TLS connection open
)
PSRAM_HEAP = "2048wk"  # of a board with PSRAM half of what it has: the station's own test says what it needs
CHAOS_HEAP = (
    "240wk"  # all that is loaded seldom comes together there, and the runtime compiles it from source as it comes
)
Key = tuple[str, str, int]  # node, stream, boot

_STORED = """SELECT n.node, r.stream, r.boot, COUNT(DISTINCT r.seq), COUNT(*), MAX(r.seq) FROM records r
  JOIN lives l ON l.id = r.life_id JOIN nodes n ON n.id = l.node_id GROUP BY l.id, r.stream, r.boot"""
_STORED_TO = """SELECT COUNT(DISTINCT r.seq) FROM records r JOIN lives l ON l.id = r.life_id JOIN nodes n ON n.id = l.node_id
  WHERE n.node = ? AND r.stream = ? AND r.boot = ? AND r.seq <= ?"""


def simulate(
    scenario: Scenario,
    seed: int | None = None,
    runtime: str = "host",
    *,
    heap: str = HEAP,
    copies: int = 1,
    jobs: int = 1,
    write: Callable[[bytes], object] | None = None,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Runs the scenario, then drains the network (bounded by its `drain_s`) so that what is still under way is not called lost.

    With `jobs` every so many stations run in a process of their own, each with its broker and gateway; the trace is the same.
    """
    if runtime not in RUNTIMES:
        raise InputError(f"no runtime '{runtime}'; there are {', '.join(RUNTIMES)}")
    seed = scenario.seed if seed is None else seed
    begun = time.perf_counter()
    if jobs > 1:
        found = shards.run(lambda part: (scenario, seed, runtime, heap, copies, part), one_part, jobs, write)
        found.wall_s = time.perf_counter() - begun
    else:
        found = one_part(scenario, seed, runtime, heap, copies, (0, 1), write, progress)
    return {
        "scenario": scenario.name,
        "seed": seed,
        "runtime": runtime,
        "stations": found.stations,
        "simulated_s": scenario.span_ms // 1000,
        "steps": found.bursts,
        "wall_s": round(found.wall_s, 3),
        "steps_per_s": round(found.bursts / found.wall_s),
        "trace_sha256": found.trace_sha256,
        **found.counts,
        "alarms": found.alarms,
        "kpi": {
            **_delays(found.alarms),
            "events_made": found.events_made,
            "trace_lines": found.trace_lines,
            "actor_runs": found.actor_runs,
            "drained_ms": found.drained_ms,
            "watched": found.watched,
            "yield_percent": round(100 * found.counts["readings_stored"] / max(1, found.counts["readings_made"]), 3),
            "backlogs": found.backlogs,
            **({"mah_per_day": found.mah_per_day} if found.mah_per_day else {}),
            **({"faults": scenario.kinds, **found.counted} if scenario.kinds else {}),
        },
        **({"broken": found.broken} if scenario.kinds else {}),
    }


def _body(node: str, runtime: str, heap: str, stack: ExitStack) -> Body:
    if runtime == "host":
        return HostBody()
    made = VMBody(node, heap)
    stack.callback(made.close)
    return made


def one_part(
    scenario: Scenario,
    seed: int,
    runtime: str,
    heap: str,
    copies: int,
    part: tuple[int, int],
    write: Callable[[bytes], object] | None,
    progress: Callable[[int], object] | None = None,
) -> Found:
    """Every `part[1]`th station from number `part[0]` on; (0, 1) are all."""
    places = fleet.places(scenario, seed, copies)[part[0] :: part[1]]
    spacious = {place.node for place in places if place.psram}
    store = SqliteStore(":memory:")
    with ExitStack() as stack:
        stack.callback(store.close)

        bodies: dict[str, Body] = {}

        def body(node: str) -> Body:
            usual = PSRAM_HEAP if node in spacious else CHAOS_HEAP if scenario.kinds else HEAP
            bodies[node] = _body(node, runtime, usual if heap == HEAP else heap, stack)
            return bodies[node]

        district = fleet.District(scenario, seed, places, body, Ingest(store), write, store)
        watch = Watch(district, bodies) if scenario.kinds else None
        meters = energy.meters(district.stations)
        stack.callback(gc.unfreeze)
        gc.collect()
        gc.freeze()  # the fleet lives to the end: the collector need not walk through it again and again
        begun = time.perf_counter()
        district.run(progress)
        wall_s = time.perf_counter() - begun
        made = dict(district.notes.made)
        bursts = district.bursts
        mah = energy.mah_per_day(meters, district.moment.t, places)
        drained_ms, counts, broken, counted = (
            _watched_to_the_end(district, store, made, watch) if watch else _settled(district, store, made)
        )
        judged = verdicts(district)
        return Found(
            stations=len(places),
            bursts=bursts,
            wall_s=wall_s,
            trace_sha256=district.trace.sha256(),
            trace_lines=district.trace.lines,
            counts={**_wrong(judged), **counts},
            alarms=_alarms(judged),
            watched=_watched(judged),
            events_made=sum(count for key, count in made.items() if key[1] == "event"),
            actor_runs=district.agenda.runs,
            drained_ms=drained_ms,
            broken=broken,
            backlogs=backlogs(scenario, store),
            counted=counted,
            mah_per_day=mah,
        )


Settled = tuple[
    int, dict[str, int], list[str], dict[str, Any]
]  # drained in ms, counts, what is broken, what was counted


def _settled(district: fleet.District, store: SqliteStore, made: dict[Key, int]) -> Settled:
    return district.drain(lambda: _lost(store, made) == 0), _counts(store, made), [], {}


def _watched_to_the_end(district: fleet.District, store: SqliteStore, made: dict[Key, int], watch: Watch) -> Settled:
    """Of a run that is watched for its promises: what was declared dropped is not lost, and alarms were when they were, whatever the clock said."""

    def lost() -> int:
        return len(chaos_verdict.missing(store, made, watch)[0])

    drained_ms = district.drain(lambda: not lost())
    district.settle()
    broken, counted = chaos_verdict.examine(district, store, watch, made)
    district.notes.alarms = {node: seen.said for node, seen in watch.seen.items()}
    return drained_ms, {**_counts(store, made), "lost": lost(), "missed_alarms": counted["missed"]}, broken, counted


def _stored(store: SqliteStore) -> dict[Key, tuple[int, int, int]]:
    """(node, stream, boot) -> different keys, rows, newest seq."""
    return {
        (node, STREAMS[stream], boot): (keys, rows, newest)
        for node, stream, boot, keys, rows, newest in store.rows(_STORED)
    }


def _kept(store: SqliteStore, made: dict[Key, int]) -> dict[Key, int]:
    """Of each stream that was made, how many of its keys are stored. seq counts from 1 without a hole, so the newest is the count."""
    stored = _stored(store)
    kept = {}
    for key, count in made.items():
        keys, _, newest = stored.get(key, (0, 0, 0))
        if newest > count:  # records made since then are not asked for
            keys = store.rows(_STORED_TO, (key[0], STREAMS.index(key[1]), key[2], count))[0][0]
        kept[key] = keys
    return kept


def _lost(store: SqliteStore, made: dict[Key, int]) -> int:
    kept = _kept(store, made)
    return sum(made.values()) - sum(kept.values())


def _counts(store: SqliteStore, made: dict[Key, int]) -> dict[str, int]:
    kept = _kept(store, made)
    stored = _stored(store)
    return {
        "readings_made": sum(count for key, count in made.items() if key[1] == "readings"),
        "readings_stored": sum(count for key, count in kept.items() if key[1] == "readings"),
        "lost": sum(made.values()) - sum(kept.values()),
        "duplicates_stored": sum(rows - keys for keys, rows, _ in stored.values()),
    }


def rules(place: fleet.Place, key: str = "level") -> judge.Rules:
    """What the station was meant to do about a quantity it watches."""
    values = S.Settings(place.compiled["settings"], limits.ROWS).values
    first = S.LEVEL_ALERT if key == "level" else limits.first_of(key)
    return judge.Rules(
        levels=(values[first], values[first + 1], values[first + 2]),
        deadband=values[first + 3],
        sample_ms=1000 * max(values[S.SAMPLE_INTERVAL], values[S.SAMPLE_ALARM_INTERVAL]),
        on_delay_ms=1000 * values[S.LEVEL_ON_DELAY],
        boots_ms=place.boots_ms,
        siren_from=values[S.SIREN_FROM],
        key=key,
        margin=watched.MARGINS[key],
    )


def verdicts(district: fleet.District) -> list[tuple[str, judge.Rules, judge.Verdict]]:
    """What the judge says of each quantity that each station watches."""
    notes = district.notes
    until_ms = district.scenario.span_ms
    found = []
    for place in district.places:
        said, sirens = notes.alarms.get(place.node, ()), notes.sirens.get(place.node, ())
        unwritten = [s.ms for s in district.scenario.spans if s.node == place.node and s.what == "storage"]
        late = (unwritten, notes.strobes.get(place.node, ()))
        if place.river and place.has_level:
            rule = rules(place)
            found.append((place.node, rule, judge.judge(place.river, rule, said, sirens, until_ms, *late)))
        for key in place.compiled.get("watch", ()):
            rule = rules(place, key)
            truth = watched.truth(district.surroundings[place.node], key, place.boots_ms, until_ms)
            found.append((place.node, rule, judge.judge(truth, rule, said, sirens, until_ms, *late)))
    return found


def _wrong(judged: list[tuple[str, judge.Rules, judge.Verdict]]) -> dict[str, int]:
    return {
        "false_alarms": sum(len(verdict.false_alarms) for _, _, verdict in judged),
        "missed_alarms": sum(len(verdict.missed) for _, _, verdict in judged),
    }


def _alarms(judged: list[tuple[str, judge.Rules, judge.Verdict]]) -> list[dict[str, Any]]:
    """The crossings that were answered. The delay is to the siren, without the on_delay; a sensor that reads a few mm high may be early: 0."""
    return [
        {
            "node": node,
            "quantity": rule.key,
            "level": judge.state_name(one.crossing.level),
            "crossed_ms": one.crossing.t_ms,
            "raised_ms": one.raised_ms,
            "siren_ms": one.siren_ms,
            "delay_ms": None if one.siren_ms is None else max(0, one.siren_ms - one.crossing.t_ms - rule.on_delay_ms),
        }
        for node, rule, verdict in judged
        for one in verdict.answered
    ]


def _watched(judged: list[tuple[str, judge.Rules, judge.Verdict]]) -> dict[str, dict[str, int]]:
    """By quantity: stations that watch it, crossings answered, raises that were false, crossings missed."""
    found: dict[str, dict[str, int]] = {}
    for _, rule, verdict in judged:
        row = found.setdefault(rule.key, {"stations": 0, "answered": 0, "false": 0, "missed": 0})
        row["stations"] += 1
        row["answered"] += len(verdict.answered)
        row["false"] += len(verdict.false_alarms)
        row["missed"] += len(verdict.missed)
    return dict(sorted(found.items()))


def _delays(alarms: list[dict[str, Any]]) -> dict[str, Any]:
    heard = [alarm for alarm in alarms if alarm["delay_ms"] is not None]
    named = {
        f"crossing_to_siren_{level}_ms": judge.spread([a["delay_ms"] for a in heard if a["level"] == level])
        for level in ("alert", "warning", "danger")
    }
    return {"crossing_to_siren_ms": judge.spread([a["delay_ms"] for a in heard]), **named}
