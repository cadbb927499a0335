"""Tables of docs/build that are made from hardware/: `python -m tests.hardware.build_pages` writes them between their marks, a test compares them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from hardware import bench, copper, power, sites
from hardware.bom import Bom
from hardware.building import level_rows, siren_rows
from hardware.compile import shipped
from hardware.parts import parts
from hardware.shape import ROOM
from hardware.wiring import rows_of
from waspada.station import load

PAGES = ROOM.parent / "docs" / "build"
_TABLE = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.S)


def _levels() -> list[str]:
    return level_rows([load(name) for name in shipped()])


def _siren() -> list[str]:
    siren = parts("outputs")["siren_12w"]
    return [
        f"The shipped stations have `{siren.id}`: {siren.name}. {siren['about']}",
        "",
        *siren_rows(siren["sound_db"]),
    ]


def _pv_pole() -> list[str]:
    rows = []
    for name in sites.shipped_sites():
        found = power.at_site(load("river_gauge"), sites.read_site(name))
        light = f"{found['worst_wh_m2_day']} Wh/m2 a day"
        watts = [f"{row['panel_needed_w']:g} W" for row in found["profiles"]]
        rows.append([found["site"], found["worst_month"], f"{found['tilt']} degrees", light, *watts])
    found = power.budget(load("river_gauge"))
    on, asleep = found["profiles"]
    return [
        *rows_of(
            [
                "site",
                "worst month",
                "tilt",
                "light on the panel",
                *(f"{row['profile']}: panel" for row in found["profiles"]),
            ],
            rows,
        ),
        "",
        f"Its {found['has_mah']} mAh keep {found['siren_h']:g} hours of siren back and then carry it {on['autonomy_days']:.1f} days without sun "
        f"{on['profile']}, {asleep['autonomy_days']:.1f} {asleep['profile']}. "
        f"{found['days_wanted']} days {on['profile']} want {on['battery_needed_mah']} mAh: {on['battery']}.",
    ]


def _fuses() -> list[str]:
    rows = []
    for name in shipped():
        one = load(name)
        fuses = copper.fuses(one)
        behind = ", ".join(f"{each} {ma / 1000:g} A" for each, ma in list(fuses.items())[1:])
        rows.append([name, f"{fuses['battery'] / 1000:g} A", behind, f"{len(copper.outside(Bom(one).net))}"])
    return rows_of(["station", "at each battery", "at the rail, one a wire", "glands"], rows)


def _meter() -> list[str]:
    return bench.meter_rows(load("river_gauge"))


def _cost() -> list[str]:
    return [f"{Bom(load('river_gauge')).beside()}."]


MADE: Mapping[str, tuple[str, Callable[[], list[str]]]] = {
    "levels": ("level", _levels),
    "siren": ("siren", _siren),
    "pv_pole": ("mounting", _pv_pole),
    "fuses": ("enclosure", _fuses),
    "meter": ("first_station", _meter),
    "cost": ("first_station", _cost),
}


def made(text: str) -> str:
    """A page with today's tables."""
    return _TABLE.sub(lambda at: at[1] + "\n" + "\n".join(MADE[at[2]][1]()) + "\n\n" + at[3], text)


def marks(text: str) -> list[str]:
    return [at[2] for at in _TABLE.finditer(text)]


def write() -> list[Path]:
    changed = []
    for page in sorted(PAGES.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = made(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed.append(page)
    return changed


if __name__ == "__main__":
    print("\n".join(str(page) for page in write()) or "nothing has changed")
