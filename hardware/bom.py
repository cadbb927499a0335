"""What to buy for a station, from its file: parts, second sources, and a cost that is an estimate of a month, never an offer."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hardware import copper, terminals
from hardware.compile import Station
from hardware.net import Net
from hardware.part import COMMON
from hardware.parts import Part
from hardware.shape import ROOM, Source, table

FLOODNET_USD, FLOODNET_MOUNTED_USD = 200, 210
FLOODNET = "https://github.com/floodnet-nyc/flood-sensor"  # README, How to build a flood sensor; its older README lists USD 235.36 of parts
HEAD = (
    "part",
    "count",
    "unit",
    "name",
    "usd_each",
    "usd",
    "priced",
    "sources",
    "datasheet",
    "where",
    "assumed",
    "about",
)
_PER = {"station": "pcs", "box_s": "pcs", "box_l": "pcs", "cable": "pcs", "long": "pcs", "metre": "m", "metre_1_5": "m",
        "fuses": "pcs", "battery": "pcs", "terminal": "pcs", "each": "pcs", "lte": "pcs", "lan": "pcs"}  # fmt: skip
SMALL_MAH, _LONG_CM, _FUSES_A_BLOCK = 12_000, 1000, 6  # two blocks of 6 Ah


class Row(NamedTuple):
    part: str
    many: float
    unit: str
    figures: Any
    group: str

    @property
    def cents(self) -> int:
        return round(self.many * self.figures["usd_cents"])

    @property
    def about(self) -> str:
        """What to know of it before it is bought and wired."""
        return " ".join(str(self.figures.get("about", "")).split())

    def cells(self) -> list[str]:
        row, assumed = self.figures, self.figures.get("assumed", {})
        return [self.part, f"{self.many:g}", self.unit, row["name"], _usd(row["usd_cents"]), _usd(self.cents), row["priced"],
                "; ".join(row["sources"]), row["datasheet"], row["where"], ", ".join(assumed), self.about]  # fmt: skip


def _usd(cents: int) -> str:
    return f"{cents / 100:.2f}"


def beside(cents: int, usd: int) -> str:
    return f"USD {_usd(abs(cents - usd * 100))} {'above' if cents > usd * 100 else 'below'}"


class Bom:
    def __init__(self, station: Station) -> None:
        self.name = station.source.path.stem
        self.net = Net(station)  # also refuses a file that leaves a part out
        self._level = any(key == "level" for key, _ in station.points)
        counts: dict[str, tuple[Part, int, str]] = {}
        for part, many, group in _parts(station):
            before = counts.get(part.id, (part, 0, group))[1]
            counts[part.id] = (part, before + many, group)
        self.rows = [Row(station.source.values["board"], 1, "pcs", station.board, "board")]
        self.rows += [Row(part.id, many, "pcs", part, group) for part, many, group in counts.values()]
        self.rows += list(self._sundries())

    def _sundries(self) -> Iterator[Row]:
        path = ROOM / "sundries.toml"
        source = Source(path, path.read_text(encoding="utf-8"))
        specs = {**COMMON, "per": {"choices": list(_PER), "required": True}}
        station = self.net.station
        many = {**_many(station, copper.outside(self.net)), "terminal": terminals.screws(self.net)}
        fuses: dict[str, int] = {}
        for fuse in copper.placed(station):
            fuses[f"{fuse.ma / 1000:g} A"] = fuses.get(f"{fuse.ma / 1000:g} A", 0) + 1
        each: Mapping[str, Mapping[str, int]] = {"fuse": fuses, "resistor": copper.resistors(station), "shunt": copper.shunts(station)}  # fmt: skip
        for name, row in source.values.items():
            figures = table(source, row, specs, (name,))
            if figures["per"] == "each":
                for value, count in each[name].items():
                    id_ = f"{name}_{re.sub('[^0-9a-z]+', '_', value.lower().replace('%', 'percent'))}"
                    yield Row(id_, count, "pcs", {**figures, "name": figures["name"].format(value)}, "sundries")
            elif many[figures["per"]]:
                yield Row(name, many[figures["per"]], _PER[figures["per"]], figures, "sundries")

    @property
    def cents(self) -> int:
        return sum(row.cents for row in self.rows)

    @property
    def mounting_cents(self) -> int:
        return sum(row.cents for row in self.rows if row.group == "mount")

    @property
    def warning_cents(self) -> int:
        """Siren and strobe with their switches: what a sensor that only measures has not."""
        return sum(row.cents for row in self.rows if row.group == "warning")

    @property
    def priced(self) -> tuple[str, str]:
        dates = sorted(str(row.figures["priced"]) for row in self.rows)
        return dates[0], dates[-1]

    def csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows(row.cells() for row in self.rows)
        writer.writerow(
            ["total", "", "", self._total(), "", _usd(self.cents), self.priced[1], "", "", "", "every price", ""]
        )
        return out.getvalue()

    def _total(self) -> str:
        first, last = self.priced
        return f"estimate, prices of {last if first == last else f'{first} to {last}'}; no offer, no freight, no tax, no work"

    def beside(self) -> str:
        """The total in a sentence; a level gauge's beside what others published for theirs."""
        said = f"{self.name}: USD {_usd(self.cents)} ({self._total()}), of it the mount {_usd(self.mounting_cents)}, "
        said += f"siren and strobe {_usd(self.warning_cents)}"
        if self._level:
            without = self.cents - self.mounting_cents
            bare = without - self.warning_cents
            said += (
                f"; FloodNet publishes under USD {FLOODNET_USD} for its street flood sensor and about {FLOODNET_MOUNTED_USD} with its mount ({FLOODNET}): "
                f"with all that it has this one is {beside(self.cents, FLOODNET_MOUNTED_USD)} theirs with its mount; without its mount it is USD "
                f"{_usd(without)}, without siren and strobe too, which theirs has not, {_usd(bare)}, {beside(bare, FLOODNET_USD)} their {FLOODNET_USD}"
            )
        return said

    def as_data(self) -> dict[str, Any]:
        return {
            "station": self.name, "rows": [dict(zip(HEAD, row.cells(), strict=True)) for row in self.rows], "usd": self.cents / 100, "estimate": True,
            "priced": self.priced[1], "mount_usd": self.mounting_cents / 100, "warning_usd": self.warning_cents / 100,
            **({"floodnet_usd_below": FLOODNET_USD, "floodnet_source": FLOODNET} if self._level else {}),
        }  # fmt: skip


def _many(station: Station, cables: Mapping[str, tuple[int, str, int]]) -> dict[str, float]:
    """How often a station needs what is bought by the box, by the cable and by the metre. A PV module has its own cable."""
    mah = station.fittings.supply["battery"]["mah"] * station.fittings.batteries
    metres = {"metre": 0.0, "metre_1_5": 0.0}
    for cm, square, _ in cables.values():
        if float(square) <= 1.5:
            metres["metre" if float(square) < 1.5 else "metre_1_5"] += cm / 100
    access = station.access.get("access", "wifi")
    return {
        "station": 1, "box_s": mah <= SMALL_MAH, "box_l": mah > SMALL_MAH, "cable": len(cables), **metres,
        "long": sum(cm >= _LONG_CM for cm, _, _ in cables.values()), "fuses": math.ceil((len(copper.fuses(station)) - 1) / _FUSES_A_BLOCK),
        "battery": station.fittings.batteries,
        "lte": access == "lte", "lan": access == "lan",
    }  # fmt: skip


def _parts(station: Station) -> Iterator[tuple[Part, int, str]]:
    """(part, how many, group). Two of a converter at one address are one."""
    fittings = station.fittings
    converters = set()
    for i, fitted in enumerate(fittings.sensors):
        sensor = station.sensors[i]
        where = (sensor["bus"], sensor.get("address"))
        if fitted.part and not (fitted.probe and where in converters):
            yield fitted.part, 1, "sensor"
        if fitted.probe:
            converters.add(where)
            yield fitted.probe, 1, "sensor"
    for name, fit in fittings.fits.items():
        group = "warning" if name in ("siren", "strobe") else "circuit"
        for part in (*fit.through, *([fit.switch] if fit.switch else []), *([fit.part] if fit.part else [])):
            yield part, 1, group
    many = {"panel": fittings.panels, "battery": fittings.batteries}
    for key, part in fittings.supply.items():
        yield part, many.get(key, 1), "supply"
    if fittings.mount:
        yield fittings.mount, 1, "mount"
