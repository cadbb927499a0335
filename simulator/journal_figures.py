"""What a station's journal holds and what it costs its flash: real LittleFS in the real MicroPython VM, records as the firmware makes them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec

import node
from node.core import journal
from simulator import scenario
from simulator.errors import InputError
from simulator.run import simulate
from simulator.runtimes.vm import program

SCRIPT = Path(__file__).with_name("runtimes") / "measured_journal.py"
SLOT_BYTES = 140 * 1024
SLACK_BYTES = 100 * 1024
BLOCK_BYTES = 4096
ERASES = 100_000  # of a block: "specced to minimum 100,000 program/erase cycles", Espressif of the flash on its own modules (docs/journal.md)
RIVER_DAYS = 30
LARGEST_HOURS = 72
HEADER_BYTES = journal.HEADER_SIZE
WITHIN_S = 600


def measured(*words: object) -> dict[str, Any]:
    """One part of the script, in the VM."""
    path = f"{Path(node.__file__).parents[1]}:.frozen"
    command = [program(), "-X", "heapsize=64m", str(SCRIPT), *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, timeout=WITHIN_S, env={"MICROPYPATH": path}, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise InputError(f"the MicroPython VM failed: {(done.stdout + done.stderr).decode(errors='replace').strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def bytes_a_round(hours: int = 3) -> dict[str, float]:
    """Of each station in the scenario `every_sensor`: bytes of readings for each minute that had any, as at a sample a minute."""
    chosen = scenario.load("every_sensor")
    quiet = msgspec.structs.replace(chosen, hours=hours, outages=[], resets=[], spans=[])
    lines: list[bytes] = []
    simulate(quiet, write=lines.append)
    sizes: dict[str, int] = {}
    minutes: dict[str, set[int]] = {}
    for line in b"".join(lines).splitlines():
        said = json.loads(line)
        if said["kind"] == "append" and said["file"].startswith("readings"):
            size = len(said["data"]) // 2
            if size != HEADER_BYTES:
                sizes[said["node"]] = sizes.get(said["node"], 0) + size
                minutes.setdefault(said["node"], set()).add(said["t"] // 60_000)
    return {name: round(sizes[name] / len(minutes[name]), 1) for name in sizes}


def capacity(slot_bytes: int = SLOT_BYTES) -> dict[str, Any]:
    """The board's file system with both rings full and both slots: what is held, and what is left."""
    found = measured("fill", slot_bytes)
    room = (found["segment"] - HEADER_BYTES) * (found["segments"] - 1)
    rounds = bytes_a_round()
    largest = max(rounds, key=lambda name: rounds[name])
    return {
        **found,
        "slack_bytes": found["free_blocks"] * BLOCK_BYTES,
        "river_days": round(found["held"] / 1440, 1),
        "river_bytes": rounds["river1"],
        "largest": largest,
        "largest_bytes": rounds[largest],
        "largest_hours": round(room / rounds[largest] / 60, 1),
        "hours_per_kb": round(1024 / rounds["river1"] / 60, 2),
    }


def wear(days: int = 30) -> dict[str, Any]:
    """Erases a day of the block that has most, and the years to `ERASES`: while all is committed, and with rings that stay full."""
    figures = {}
    for how in ("online", "full"):
        found = measured("month", days, how)
        worst = found["worst"] / days
        figures[how] = {
            "erases_a_day": round(found["erases"] / days),
            "worst_a_day": round(worst, 1),
            "years": round(ERASES / worst / 365, 1),
        }
    return figures
