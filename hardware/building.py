"""What a person needs to build a station, from its file: drawing, pins, wires, parts, energy, and the numbers of its place. Sections of its page."""

import math
from collections.abc import Sequence

from hardware.bench import meter_rows
from hardware.bom import Bom
from hardware.compile import Station
from hardware.harness import setting
from hardware.power import budget
from hardware.wiring import CABLE_HEAD, PIN_HEAD, SMALL_HEAD, WIRES_SAY, Harness, rows_of
from node.drivers import catalog
from simulator.errors import InputError

DISTANCES_M = (10, 30, 100)
AMBIENT_DB = (50, 60, 70)  # a village at night, a street, traffic and heavy rain: our own judgement
ABOVE_DB = 10
NEAR_M = 30  # from here on 10 dB a doubling, not 6


def sections(station: Station) -> list[str]:
    """Nothing where the file does not say what it is built of."""
    try:
        harness, bom = Harness(station), Bom(station)
    except InputError as error:
        return ["## To build it", "", f"Not to be built from this file yet: {str(error).split(': ', 1)[-1]}.", ""]
    return [
        *_to_know(harness, bom),
        *_wiring(harness),
        *_meter(station),
        *_place(station),
        *_bom(bom),
        *_power(station),
    ]


def _to_know(harness: Harness, bom: Bom) -> list[str]:
    """What a part's table says of itself, once a part; and which address its jumpers must have."""
    rows = []
    for row in bom.rows:
        notes = [f"{block.name}: {note}" for block in harness.net.blocks.values() if block.kind == row.part
                 for note in block.notes if note.startswith("address") and "jumpers" in note or note.endswith("no wire")]  # fmt: skip
        said = " ".join([row.about, *(f"{note}." for note in notes)]).strip()
        if said:
            rows.append([row.figures["name"], said])
    return ["## To know before it is bought and wired", "", *rows_of(["part", "to know"], rows), ""]


def _wiring(harness: Harness) -> list[str]:
    name = harness.name
    return [
        "## How it is wired", "",
        f"The drawing: [wiring/{name}.svg](wiring/{name}.svg), made by `waspada hardware wiring {harness.called} --out wiring`. "
        "Pins are those of the station's file; the board's own `station.json` is compiled from the same lines, and is the firmware's one list of pins.", "",
        *rows_of(PIN_HEAD, harness.pin_rows()), "",
        "Wires, as the drawing numbers them; those that end at one sensor go there in one cable."
        f" What is `in the box` has no length in the file. {WIRES_SAY}", "",
        *rows_of(CABLE_HEAD, harness.cable_rows()), "",
        "Parts and wires at the terminals, beside those:", "", *rows_of(SMALL_HEAD, harness.small_rows()), "",
        "What is inside each switch, divider and transceiver, pin by pin: [circuits](../build/circuits.md).", "",
    ]  # fmt: skip


def _meter(station: Station) -> list[str]:
    return [
        "## What a multimeter must show", "",
        "In this order, as [river gauge, step by step](../build/first_station.md) has it; a line that does not fit is found before the next is begun.", "",
        *meter_rows(station), "",
    ]  # fmt: skip


def beam_radius_mm(distance_mm: int, beam_deg: int) -> int:
    return round(distance_mm * math.tan(math.radians(beam_deg / 2)))


def _of_driver(station: Station, number: int, key: str) -> int:
    sensor = station.sensors[number]
    try:
        return int(getattr(catalog.make(catalog.LEVEL, sensor["driver"], None, sensor), key))
    except (AttributeError, KeyError, TypeError, ValueError):
        return 0


def range_mm(station: Station, number: int) -> int:
    """The farthest that its driver takes for a reading; 0 where that is not known."""
    return _of_driver(station, number, "range_mm")


def blanking_mm(station: Station, number: int) -> int:
    """What the driver itself holds to, or the file's care."""
    care = int(station.source.values.get("care", {}).get("blanking_mm", 0))
    return max(care, _of_driver(station, number, "blanking_mm"))


def _place(station: Station) -> list[str]:
    lines: list[str] = []
    for i, fitted in enumerate(station.fittings.sensors):
        if station.sensors[i].get("gives") == "level" and fitted.part:
            lines += _field_of_view(station, i)
    siren = station.fittings.fit("siren").part
    if siren and siren.get("sound_db"):
        lines += _heard(siren["sound_db"])
    return ["## Where it stands", "", *lines, "How it is mounted: [sheets to build by](../build/README.md).", ""]


def _field_of_view(station: Station, number: int) -> list[str]:
    height, blank = setting(station, "sensor.height"), blanking_mm(station, number)
    part = station.fittings.sensors[number].part
    assert part
    lines = [
        f"- It stands {height / 1000:g} m above the gauge's zero and is blind for {blank / 1000:g} m: water above "
        f"{(height - blank) / 1000:g} m is not told."
    ]
    reach = range_mm(station, number)
    if part["line"] not in ("loop", "i2c") and reach:
        more = (
            "it can't hang higher and tell the zero"
            if reach <= height
            else f"it may hang {(reach - height) / 1000:g} m higher at most"
        )
        lines.append(f"- {part.name} tells no distance beyond {reach / 1000:g} m: {more}.")
    beam = part.get("beam_deg")
    if not beam and part["line"] not in ("loop", "i2c"):
        lines.append(f"- How wide its beam is, the data sheet of {part.name} says: keep that cone free to the zero.")
    if beam:
        radius = beam_radius_mm(height, beam)
        assumed = f"; assumed: {part.assumed['beam_deg']}" if "beam_deg" in part.assumed else ""
        lines.append(
            f"- Its beam is {beam} degrees wide ({part.name}{assumed}): at the zero its cone has a radius of {radius / 1000:.1f} m, {2 * radius / 1000:.1f} m "
            "across, around the point below it. No pier, wall, ladder, pipe or branch in that cone."
        )
    return [*lines, ""]


def level_db(sound_db: int, metres: float) -> float:
    """In the open: 6 dB a doubling to 30 m, 10 beyond it."""
    near = sound_db - 20 * math.log10(min(metres, NEAR_M))
    return near if metres <= NEAR_M else near - 10 * math.log2(metres / NEAR_M)


def heard_m(sound_db: int, ambient_db: int) -> int:
    """How far it is still 10 dB above what is there anyway."""
    wanted = ambient_db + ABOVE_DB
    at = level_db(sound_db, NEAR_M)
    return round(NEAR_M * 2 ** ((at - wanted) / 10)) if at > wanted else round(10 ** ((sound_db - wanted) / 20))


def _heard(sound_db: int) -> list[str]:
    levels = ", ".join(f"{level_db(sound_db, metres):.0f} dB at {metres} m" for metres in DISTANCES_M)
    reach = ", ".join(f"{heard_m(sound_db, ambient)} m at {ambient} dB" for ambient in AMBIENT_DB)
    return [
        f"- The siren has {sound_db} dB at 1 m on its axis: {levels}. It stands {ABOVE_DB} dB above its surroundings to {reach} of noise; behind a house or a "
        "closed window it does not. Walk it at a drill, and write down where it was heard.", "",
    ]  # fmt: skip


def _bom(bom: Bom) -> list[str]:
    rows: list[Sequence[str]] = []
    for row in bom.rows:
        cells = row.cells()
        rows.append([f"{cells[1]} {cells[2]}" if cells[2] == "m" else cells[1], cells[3], cells[5], cells[7]])
    return [
        "## What to buy", "", *rows_of(["count", "part", "USD", "sources"], [list(row) for row in rows]), "",
        f"{bom.beside()}.", "",
    ]  # fmt: skip


def _power(station: Station) -> list[str]:
    found = budget(station)
    rows = [
        [
            row["profile"] + (", never asleep" if row["never_sleeps"] else ""),
            f"{row['mah_day']:g}",
            f"{row['wh_day']:g}",
            f"{row['autonomy_days']:g}",
            f"{row['battery_needed_mah']} ({row['battery']})",
        ]
        for row in found["profiles"]
    ]
    head = [
        "profile",
        "mAh a day of the battery",
        "Wh a day",
        "days without sun",
        f"mAh for {found['days_wanted']} such days",
    ]
    return [
        "## What feeds it", "", *rows_of(head, rows), "",
        f"As its settings stand it is {found['is']}. Of its {found['has_mah']} mAh, {found['siren_reserve_mah']} are kept for {found['siren_h']:g} h of siren "
        f"and strobe. Panel and battery for a place: `waspada hardware power {station.called} --site 1.55,110.35`. "
        "Estimates from data sheets and others' measurements; nothing was measured by us.", "",
    ]  # fmt: skip


def level_rows(stations: Sequence[Station]) -> list[str]:
    """The table of docs/build/level.md: what each level gauge is blind for and how wide it looks."""
    rows = []
    for station in stations:
        for i, fitted in enumerate(station.fittings.sensors):
            if station.sensors[i].get("gives") == "level" and fitted.part:
                height, blank = setting(station, "sensor.height"), blanking_mm(station, i)
                beam = fitted.part.get("beam_deg")
                radius = f"{beam_radius_mm(height, beam) / 1000:.1f} m" if beam else "its data sheet"
                rows.append([station.source.path.stem, f"{height / 1000:g} m", f"{blank / 1000:g} m", f"{(height - blank) / 1000:g} m",
                             f"{beam} degrees" if beam else "its data sheet", radius])  # fmt: skip
    return rows_of(
        ["station", "height over zero", "blind for", "highest level told", "beam", "clear radius at zero"], rows
    )


def siren_rows(sound_db: int) -> list[str]:
    """The table of docs/build/siren.md: how loud, and how far above what noise."""
    rows = [[f"{metres} m", f"{level_db(sound_db, metres):.0f} dB"] for metres in (1, 10, 30, 60, 100, 200)]
    found = rows_of(["from the siren", "on its axis, in the open"], rows)
    reach = [[f"{ambient} dB", f"{heard_m(sound_db, ambient)} m"] for ambient in AMBIENT_DB]
    return [*found, "", *rows_of(["noise where people are", f"{ABOVE_DB} dB above it to"], reach)]
