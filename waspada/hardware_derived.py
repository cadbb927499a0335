"""`waspada hardware wiring|bom|power`: what is derived from a station's file, and the program that draws it."""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hardware import bom, power, sites, wiring
from hardware.compile import shipped
from hardware.shape import ROOM
from simulator.errors import InputError
from waspada.station import load

DONE, NO = 0, 1
_DEGREES = re.compile(r"-\d[\d.]*(,.*)?")  # a site in the south is no option
WITHIN_S = 120
BESIDE = ROOM.parent / ".cache" / "wireviz" / "bin" / "wireviz"  # where `make drawings` puts it
MISSING = {
    "wireviz": "no WireViz (a program of its own, GPL): `make drawings` installs it, or `pipx install wireviz`",
    "dot": "no graphviz, which WireViz draws with: install it with the system's package manager (on Debian: apt-get install graphviz)",
}


def add(does: Any) -> None:
    """The three parsers, under `waspada hardware`."""
    station = {"metavar": "STATION", "help": f"station file (TOML), or one of {', '.join(shipped())}"}
    draw = does.add_parser("wiring", help="harness and pin table; drawn by WireViz with --out")
    draw.add_argument("station", **station)
    draw.add_argument("--out", metavar="DIR", type=folder, help="NAME.yml, NAME.md, NAME.svg and NAME.png here")
    cost = does.add_parser("bom", help="what to buy, second sources, an estimate of the cost (CSV)")
    cost.add_argument("station", **station)
    budget = does.add_parser(
        "power",
        help="a day's energy, days without sun, panel and battery for a site",
        description="Exit code: 0 panel and battery suffice for the profile in force, 1 one of them does not, 2 unusable input.",
    )
    budget._negative_number_matcher = _DEGREES
    budget.add_argument("station", **station)
    budget.add_argument(
        "--site",
        metavar="LAT,LON",
        help=f"in degrees, as -6.2,106.8; or a table: {', '.join(sites.shipped_sites())}, or FILE.toml",
    )
    budget.add_argument("--tilt", metavar="DEGREES", type=int, help="the panel's, 0 to 90 (best for the worst month)")
    budget.add_argument("--siren-hours", metavar="H", type=float, help="reserve for the siren, 0 to 240 (6)")


def folder(text: str) -> Path:
    if not text:
        raise InputError("--out is empty; give a folder")
    return Path(text)


def run(args: argparse.Namespace) -> int:
    answer = {"wiring": _wiring, "bom": _bom, "power": _power}[args.does](args)
    if args.json:
        print(json.dumps(answer))
    return NO if answer.get("lacks") else DONE


def _wiring(args: argparse.Namespace) -> dict[str, Any]:
    harness = wiring.Harness(load(args.station))
    name = Path(args.station).stem.lstrip("-") or "station"  # a dash would be an option to WireViz
    if not args.out:
        if not args.json:
            print(wiring.page(harness), end="")
        return harness.as_data()
    files = {f"{name}.yml": wiring.wireviz(harness), f"{name}.md": wiring.page(harness)}
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (args.out / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{args.out} can't be written ({error.strerror}); give a folder") from None
    drawn = draw(args.out / f"{name}.yml")
    (args.out / f"{name}.svg").write_text(
        wiring.marked((args.out / f"{name}.svg").read_text(encoding="utf-8"), files[f"{name}.yml"]), encoding="utf-8"
    )
    if not args.json:
        print("\n".join(str(args.out / file) for file in (*files, *drawn)))
    return {**harness.as_data(), "files": [str(args.out / file) for file in (*files, *drawn)]}


def draw(yml: Path) -> list[str]:
    """SVG and PNG beside the YAML, by WireViz as a program. InputError: what is missing, or what it said."""
    program = shutil.which("wireviz") or (str(BESIDE) if BESIDE.is_file() else None)
    for name, found in (("wireviz", program), ("dot", shutil.which("dot"))):
        if not found:
            raise InputError(f"{MISSING[name]}; {yml.name} and its tables are written, the drawing is not")
    try:
        done = subprocess.run(
            [str(program), "-f", "sp", yml.name], cwd=yml.parent, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{program} did not draw {yml} ({error}); try it by hand") from None
    files = [f"{yml.stem}.svg", f"{yml.stem}.png"]
    if done.returncode or not all((yml.parent / file).is_file() for file in files):
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise InputError(f"{program} did not draw {yml}: {last[0]:.200}")
    return files


def _bom(args: argparse.Namespace) -> dict[str, Any]:
    made = bom.Bom(load(args.station))
    if not args.json:
        print(made.csv(), end="")
        print(made.beside(), file=sys.stderr)
    return made.as_data()


def _power(args: argparse.Namespace) -> dict[str, Any]:
    if args.tilt is not None and args.site is None:
        raise InputError(
            "--tilt is a panel's, and without --site no light is reckoned: give both, as --site 1.55,110.35 --tilt 15"
        )
    if args.tilt is not None and not 0 <= args.tilt <= 90:
        raise InputError(f"--tilt is {args.tilt}; allowed are 0 to 90 degrees")
    if args.siren_hours is not None and not 0 <= args.siren_hours <= 240:
        raise InputError(f"--siren-hours is {args.siren_hours:g}; allowed are 0 to 240")
    station = load(args.station)
    found = (
        power.at_site(station, sites.site_at(args.site), args.tilt, args.siren_hours)
        if args.site is not None
        else power.budget(station, args.siren_hours)
    )
    if not args.json:
        print("\n".join(_said(found)))
    return found


def _said(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['station']}, which is {found['is']} as its settings stand; {found['siren_h']:g} h of siren and strobe at danger: "
             f"{found['siren_reserve_mah']} mAh kept back of {found['has_mah']} ({found['batteries']} of {found['has_battery']})."]  # fmt: skip
    for row in found["profiles"]:
        if row["never_sleeps"]:
            lines.append(f"duty-cycled it never sleeps deep: {row['never_sleeps']}; only its radio rests.")
        lines.append(
            f"{row['profile']}: {row['mah_day']:g} mAh a day of the battery ({row['wh_day']:g} Wh), {row['autonomy_days']:g} days without sun; "
            f"for {found['days_wanted']} days: {row['battery_needed_mah']} mAh, {row['battery']}"
        )
        lines.append(
            "  "
            + ", ".join(f"{name} {mah:g}" for name, mah in row["loads_mah_day"].items())
            + " (mAh a day at their own rails)"
        )
    if "site" in found:
        lines.append(
            f"{found['site']}: the worst month is {found['worst_month']}, {found['worst_wh_m2_day']} Wh/m2 a day on a panel tilted by {found['tilt']} "
            f"degrees to {'south' if found['azimuth'] else 'north'} ({found['source']}, {found['where']})"
        )
        lines += [f"  {key}: {why}" for key, why in found["assumed"].items()]
        lines.append("  A mean year, a free horizon, no snow on the glass.")
        if found["frost_unasked"]:
            lines.append(
                f"  {found['station']} is built for a place without frost: write its lowest temperature as coldest_c in [site], and `waspada hardware check` "
                "says which battery may be charged there."
            )
        for row in found["profiles"]:
            if row["panel_needed_w"] is None:
                lines.append(f"{row['profile']}: no panel carries it through {found['worst_month']}: there is no light")
                continue
            verdict = "suffices" if row["panel_suffices"] else "does not suffice"
            lines.append(
                f"{row['profile']}: a panel of {row['panel_needed_w']:g} W ({row['panel']}); the station's {found['has_panel_w']:g} W {verdict}"
            )
    if found["not_counted"]:
        lines.append(f"Not counted, since nobody knows how often: {', '.join(found['not_counted'])}.")
    if found["lacks"]:
        lines.append(f"The answer is no: {found['is']}, {'; '.join(found['lacks'])}.")
    lines.append(
        "Estimates from data sheets, others' measurements and assumptions (hardware/boards, hardware/parts, hardware/power.toml); nothing was measured by us."
    )
    return lines
