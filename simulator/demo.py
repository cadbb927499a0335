"""A district on this machine: broker, gateway and stations as they are in the field, the flood replayed, and then the books checked."""

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulator import fleet, judge
from simulator.errors import InputError
from simulator.live import LiveFleet
from simulator.local_broker import LocalBroker, free_port
from simulator.notes import STATES, Said
from simulator.run import rules
from simulator.scenario import Scenario

PAGE_PORT = 8080
_GATEWAY_READY_S = 30.0
_SETTLE_S = 120.0
_LINGER_S = 0.2
# Thresholds that a careless hand set: alert far too low at one station, danger out of reach at another. The check must notice both.
PLANTED = {"dr02": {"level.alert": 350}, "dr03": {"level.danger": 2900}}

_STORED = (
    """SELECT COUNT(*), COUNT(DISTINCT r.life_id || '/' || r.stream || '/' || r.boot || '/' || r.seq) FROM records r"""
)
_READINGS = "SELECT COUNT(*) FROM records WHERE stream = 0"
_KEYS = """SELECT n.node, r.stream, r.boot, r.seq FROM records r JOIN lives l ON l.id = r.life_id JOIN nodes n ON n.id = l.node_id"""
_ALARMS = """SELECT f.node, f.t_ms, f.received_ms, f.vs, b.vs FROM points_final f JOIN points_final b
  ON b.node = f.node AND b.life = f.life AND b.stream = 1 AND f.stream = 1 AND b.boot = f.boot AND b.seq = f.seq
  WHERE f.name = 'alarm' AND b.name = 'alarm_from' ORDER BY f.node, f.t_ms"""


@dataclass(frozen=True)
class Options:
    """What the caller chose. `minutes`: how long the replay takes; None is as fast as it goes."""

    minutes: float | None
    broker: str | None = None
    planted: bool = False
    seed: int | None = None


class Gateway:
    """The gateway as a process of its own, on a database in the demo's folder."""

    def __init__(self, folder: Path, broker_port: int, stations: dict[str, dict[str, str]]) -> None:
        self.database = folder / "waspada.db"
        self.page = f"http://127.0.0.1:{free_port(PAGE_PORT)}/"
        self._folder = folder
        self._config = folder / "gateway.toml"
        self._config.write_text(_config(self.page, broker_port, stations), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for its page. InputError when that does not come."""
        log = self._folder / "gateway.log"
        with log.open("ab") as out:
            command = [sys.executable, "-m", "waspada", "gateway", "--config", str(self._config)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + _GATEWAY_READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.ask("api/health")
                return
            except OSError:
                time.sleep(0.05)  # the rim: another process is starting
        said = log.read_text(errors="replace").strip().splitlines()
        self.stop()
        raise InputError(f"the gateway did not start: {said[-1] if said else 'it said nothing'} (its log is {log})")

    def ask(self, path: str) -> Any:
        """JSON from its API."""
        with urllib.request.urlopen(self.page + path, timeout=5) as answer:
            return json.load(answer)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _config(page: str, broker_port: int, stations: dict[str, dict[str, str]]) -> str:
    lines = [
        'name = "demo"',
        'title = "Waspada demo: a recorded flood, replayed"',
        'district = "demo"',
        'database = "waspada.db"',
        'clock = "newest"',
        f"broker.port = {broker_port}",
        "broker.inflight = 1000",
        f"web.port = {page.rsplit(':', 1)[1].strip('/')}",
    ]
    for node, words in stations.items():
        lines.append(f"[stations.{node}]")
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in words.items()]
    return "\n".join(lines) + "\n"


def labels(scenario: Scenario) -> dict[str, dict[str, str]]:
    """What a person is told of each station: only an unscaled, unlagged record is called recorded."""
    found = {}
    for table in scenario.stations:
        source = scenario.series.get(table.series)
        name = (table.series if source else table.station).replace("_", " ").title()
        for i, node in enumerate(table.nodes):
            scale = table.scale_milli[i % len(table.scale_milli)]
            lag_s = table.lag_s[i % len(table.lag_s)]
            recorded = source is not None and scale == 1000 and not lag_s
            how = "" if recorded else f", scaled by {scale / 1000:g}, {lag_s / 60:g} min later"
            whence = (source.about or source.file) + how if source else "a synthetic world"
            found[node] = {
                "title": f"{name} {i + 1}",
                "label": "recorded" if recorded else "synthetic",
                "source": whence,
            }
    return found


@contextmanager
def district(
    scenario: Scenario, folder: Path, options: Options
) -> Iterator[tuple[LocalBroker, Gateway, LiveFleet, list[fleet.Place]]]:
    """Broker, gateway and stations, and the places as they were meant; all ended at the end."""
    seed = scenario.seed if options.seed is None else options.seed
    meant = fleet.places(scenario, seed)
    placed = [planted(place) for place in meant] if options.planted else meant
    broker = LocalBroker(folder, options.broker)
    broker.start()
    try:
        gateway = Gateway(folder, broker.port, labels(scenario))
        gateway.start()
        try:
            with closing(LiveFleet(scenario, seed, placed, broker.port)) as live:
                yield broker, gateway, live, meant
        finally:
            gateway.stop()
    finally:
        broker.stop()


def replay(
    live: LiveFleet,
    meant: list[fleet.Place],
    broker: LocalBroker,
    gateway: Gateway,
    options: Options,
    progress: Callable[[int], Any],
) -> dict[str, Any]:
    """Live through the scenario, then judge what the gateway kept: the keys of the design's table."""
    begun = time.monotonic()
    scenario = live.scenario
    speed = scenario.span_ms / 60_000 / options.minutes if options.minutes else None
    live.run(speed=speed, break_broker=broker.stop, mend_broker=broker.start, progress=progress)
    settled = live.settle(_SETTLE_S)
    found = _checked(live, meant, gateway.database)
    return {
        "scenario": scenario.name,
        "seed": live.seed,
        "broker": broker.kind,
        "page": gateway.page,
        "stations_on_page": len(gateway.ask("api/stations")["stations"]),
        "settled": settled,
        "broker_off": [
            {
                "from": _iso(scenario.starts_unix_ms + outage.from_s * 1000),
                "to": _iso(scenario.starts_unix_ms + (outage.from_s + outage.for_s) * 1000),
            }
            for outage in scenario.outages
        ],
        **found,
        "wall_s": round(time.monotonic() - begun, 1),
    }


def linger(live: LiveFleet, gateway: Gateway) -> None:
    """Keep stations connected and the page up until Ctrl-C, or until the gateway ends."""
    while gateway.running():
        live.talk(_LINGER_S)


def planted(place: fleet.Place) -> fleet.Place:
    """The place with a threshold that is not what was meant."""
    settings = {**place.compiled["settings"], **PLANTED.get(place.node, {})}
    return replace(place, compiled={**place.compiled, "settings": settings})


def _checked(live: LiveFleet, meant: list[fleet.Place], database: Path) -> dict[str, Any]:
    """Every key that was flushed to a journal against every key in the database; every alarm against the truth."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        stored = {(node, ("readings", "event")[stream], boot, seq) for node, stream, boot, seq in db.execute(_KEYS)}
        rows, keys = db.execute(_STORED).fetchone()
        readings = db.execute(_READINGS).fetchone()[0]
        alarms = db.execute(_ALARMS).fetchall()
    made = {
        (node, stream, boot, seq)
        for (node, stream, boot), last in live.notes.made.items()
        for seq in range(1, last + 1)
    }
    starts = live.scenario.starts_unix_ms
    said: dict[str, list[Said]] = {}
    kept_at: dict[tuple[str, int], int] = {}
    for node, t_ms, received_ms, after, before in alarms:
        said.setdefault(node, []).append(Said(t_ms - starts, STATES.index(before), STATES.index(after)))
        kept_at[node, t_ms - starts] = received_ms
    listed = []
    wrong = []
    for place in meant:
        if place.river is None:
            continue
        sirens = live.notes.sirens.get(place.node, ())
        verdict = judge.judge(place.river, rules(place), said.get(place.node, ()), sirens, live.scenario.span_ms)
        wrong += [_wrong("missed", place.node, one.level, starts + one.t_ms) for one in verdict.missed]
        wrong += [_wrong("false", place.node, one.after, starts + one.t_ms) for one in verdict.false_alarms]
        for one in verdict.answered:
            received = kept_at.get((place.node, one.raised_ms)) if one.raised_ms is not None else None
            # the wall time of a commit is mapped by slices of virtual time: it can come out a little early
            stored_ms = None if received is None else max(live.lived_at(received / 1000), one.siren_ms or 0)
            listed.append(
                {
                    "node": place.node,
                    "level": judge.state_name(one.crossing.level),
                    "crossed_at": _iso(starts + one.crossing.t_ms),
                    "siren_at": None if one.siren_ms is None else _iso(starts + one.siren_ms),
                    "stored_at": None if stored_ms is None else _iso(starts + stored_ms),
                }
            )
    return {
        "readings_made": sum(1 for key in made if key[1] == "readings"),
        "readings_stored": readings,
        "lost": len(made - stored),
        "duplicates_stored": rows - keys,
        "false_alarms": sum(1 for one in wrong if one["what"] == "false"),
        "missed_alarms": sum(1 for one in wrong if one["what"] == "missed"),
        "wrong": wrong,
        "alarms": listed,
    }


def _wrong(what: str, node: str, level: int, unix_ms: int) -> dict[str, str]:
    return {"what": what, "node": node, "level": judge.state_name(level), "at": _iso(unix_ms)}


def _iso(unix_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_ms // 1000))
