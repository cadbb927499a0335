"""The figures of `waspada bench reliability`: what is lost, how late the siren is, how long a step takes, how long a backlog lasts and drains."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from simulator import chaos, energy, fleet, journal_figures, scenario
from simulator.fault_tables import LinkTable, ResetTable
from simulator.run import HEAP, simulate
from simulator.runtimes.vm import VMBody
from simulator.scenario import OutageTable, Scenario, StationsTable

Figures = list[dict[str, Any]]
STEP_LIMIT_US = 20_000
SAMPLE_S = 120
MONTH_DAYS = 30
AWAY_S = 72 * 3600
DRAIN_GOAL_S = 3600
SEEDS_EACH = 2
CUTS = Path(__file__).parents[1] / "tests" / "power"  # in a clone
CUTS_WITHIN_S = 150
NETWORK_FAULTS = ("no_network", "half_open", "late", "trickle", "certificate", "tls")
_SURVIVED = re.compile(r"cuts survived: .* in all (\d+)")


def reliability_figures(progress: Callable[[str], None]) -> Figures:
    figures: Figures = []
    progress("a month with an outage of 72 h and daily resets")
    figures += month()
    for kind in chaos.names():
        progress(f"the siren under {kind}")
        figures.append(siren_under(kind))
    for what in (*NETWORK_FAULTS, "outage", "silent outage"):
        progress(f"steps in the MicroPython VM under {what}")
        figures.append(longest_step(what))
    progress("what the journal holds")
    held = journal_figures.capacity()
    figures.append(_figure("backlog of a river gauge at one minute", held["hours_per_kb"], "h/KB", "no goal"))
    figures.append(_figure("a river gauge's journal on 4 MB", held["river_days"], "days", "goal 30", 30))
    figures.append(
        _figure(f"the largest station's journal ({held['largest']})", held["largest_hours"], "h", "goal 72", 72)
    )
    progress("the drain of 72 hours")
    figures += drained()
    progress("power cuts at every write")
    figures += cuts()
    progress("a sleeping day")
    return figures + sleeping()


def _figure(name: str, value: float, unit: str, reference: str, of: float | None = None) -> dict[str, Any]:
    ratio = None if not of else round(value / of, 3)
    return {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}


def month() -> Figures:
    """The gateway away for 72 h, a reset every day, of which every third is in the middle of a write."""
    resets = [
        ResetTable(
            node="river1", at_s=day * 86_400 + 40_000 + 977 * day, ms=37 * day % 1000, in_write=1 if day % 3 == 0 else 0
        )
        for day in range(MONTH_DAYS)
    ]
    chosen = msgspec.structs.replace(
        chaos.draw(1, ["restart"]),
        name="month",
        kinds=[],
        hours=MONTH_DAYS * 24,
        stations=[_river()],
        outages=[OutageTable(from_s=10 * 86_400, for_s=AWAY_S)],
        resets=resets,
        restores=[],
        tls=True,
        orders=[],
    )
    report = simulate(chosen)
    lost = report["lost"]
    return [
        _figure(
            "data yield of a month, 72 h away, a reset a day", report["kpi"]["yield_percent"], "%", "goal 100", 100
        ),
        _figure("records lost of " + f"{report['readings_made'] + report['kpi']['events_made']:,}", lost, "", "goal 0"),
    ]


def _river() -> StationsTable:
    settings = {"sample.interval": SAMPLE_S, "report.interval": SAMPLE_S, "sample.alarm_interval": 60}
    return StationsTable(nodes=["river1"], series="flood", settings=settings)


def siren_under(kind: str) -> dict[str, Any]:
    """The worst of some floods: from the truth's crossing, and a ranger's own error above it, to the siren."""
    worst_ms = heard = 0
    broken: list[str] = []
    for seed in range(1, SEEDS_EACH + 1):
        report = simulate(msgspec.structs.replace(chaos.draw(seed, [kind]), stations=[_river()]), seed)
        worst_ms = max(worst_ms, report["kpi"]["worst_siren_ms"])
        heard += report["kpi"]["heard"]
        broken += report["broken"]
    name = f"crossing to siren under {kind.replace('_', ' ')}, worst of {heard} crossings" + (
        f", broken: {broken[0]}" if broken else ""
    )
    return _figure(name, worst_ms / 1000, "s", f"one sample, {SAMPLE_S} s", SAMPLE_S)


def longest_step(what: str) -> dict[str, Any]:
    """Of a station in the real VM with that fault for hours, the quickest of two runs: this machine has other work. There is no TLS arithmetic in it."""
    longest = min(_longest_step_us(_faulty(what)) for _ in range(2))
    return _figure(
        f"longest step under {what.replace('_', ' ')} (64-bit VM)",
        longest,
        "us",
        f"goal {STEP_LIMIT_US:,}",
        STEP_LIMIT_US,
    )


def _faulty(what: str) -> Scenario:
    links = []
    outages = []
    if "outage" in what:
        outages = [OutageTable(from_s=3600, for_s=7200, silent=what != "outage"), OutageTable(from_s=14_400, for_s=60)]
    else:
        number = {"late": 15_000, "trickle": 7}.get(what, 0)
        lasts = 600 if what == "trickle" else 7200
        links = [LinkTable(node="river1", what=what, from_s=at, for_s=lasts, number=number) for at in (3600, 14_400)]  # type: ignore[arg-type]
    quiet = chaos.draw(1, ["restart"])
    return msgspec.structs.replace(
        quiet,
        kinds=[],
        hours=8,
        stations=[_river()],
        links=links,
        outages=outages,
        restores=[],
        tls=what in ("certificate", "tls"),
    )


def _longest_step_us(chosen: Scenario) -> int:
    places = fleet.places(chosen, 1)
    store = SqliteStore(":memory:")
    body = VMBody("river1", HEAP)
    try:
        district = fleet.District(chosen, 1, places, lambda node: body, Ingest(store), store=store)
        district.agenda.run(120_000)
        body.longest_step_us()  # loading modules comes once, at the start
        district.run()
        return body.longest_step_us()
    finally:
        body.close()
        store.close()


def drained() -> Figures:
    report = simulate(scenario.load("outage_72h"))
    away = report["kpi"]["backlogs"][0]
    name = f"drain of a 72 h backlog, two stations, {away['records']:,} records"
    return [
        _figure(name, away["drained_s"], "s", f"goal {DRAIN_GOAL_S:,}", DRAIN_GOAL_S),
        _figure("records lost in 72 h without the gateway", report["lost"], "", "goal 0"),
        _figure("records stored twice", report["duplicates_stored"], "", "goal 0"),
    ]


def cuts() -> Figures:
    """The cut harness of the tests, where they are: power cuts at every write to real LittleFS in the real VM."""
    figures = []
    for file, what in (("test_power_cuts.py", "settings and journal"), ("test_update_cuts.py", "update slots")):
        if not (CUTS / file).is_file():
            continue
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-s",
            "-p",
            "no:cacheprovider",
            "-k",
            "test_a_cut_at_any_write",
            str(CUTS / file),
        ]
        done = subprocess.run(
            command, cwd=CUTS.parents[1], capture_output=True, text=True, timeout=CUTS_WITHIN_S, env=os.environ
        )
        survived = sum(int(count) for count in _SURVIVED.findall(done.stdout))
        reference = "all of them" if done.returncode == 0 else "not all: run the test"
        figures.append(
            _figure(
                f"power cuts survived by {what}",
                survived,
                "cuts",
                reference,
                survived if done.returncode == 0 else None,
            )
        )
    return figures


def sleeping() -> Figures:
    found = energy.figures((900, 3600))
    figures = [
        _figure(
            f"energy model of a low-power board at the chip's 3.3 V, {reports} reports a day",
            row["model"],
            "mAh/day",
            f"published {row['published']}",
            row["published"],
        )
        for reports, row in found["published"].items()
    ]
    for row in found["rows"]:
        name = f"asleep, a sample in {row['sample_s'] // 60} min, radio by the hour, {row['case']}"
        figures.append(
            _figure(name, row["mah_day"], "mAh/day", f"goal {found['goal_mah_day']:.0f}", found["goal_mah_day"])
        )
    return figures
