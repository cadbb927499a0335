"""A station on a bridge being commissioned, by a person whose answers are written down.

`python -m tests.waspada.commissioned` makes docs/commissioning.md of it.
"""

import datetime
import io
import json
import re
import tempfile
from pathlib import Path

from tests.waspada.city_desk import enrolled, new_city
from tests.waspada.console_desk import Cable
from waspada.city import City
from waspada.consoles.asking import Person
from waspada.consoles.commissioning import PHOTOS, Commissioning, pin_of
from waspada.consoles.pin import Pin
from waspada.consoles.port import open_port
from waspada.consoles.station import Station

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "commissioning.md"
WHEN = datetime.datetime(2026, 3, 4, 9, 30, tzinfo=datetime.UTC)
NODE, LIFE = "dr01", "5eed0001"
# To the questions in their order. The sensor hangs 4.48 m above the datum, and its table says 4.5.
ANSWERS = [
    "BM 17, bridge pier, 12.405 m", "1.0O m", "1.08 m", "y", "1.08", "y", "y", "y",
    "IMG_0101.jpg", "IMG_0102.jpg", "IMG_0103.jpg", "IMG_0104.jpg", "IMG_0105.jpg", "", "IMG_0107.jpg",
]  # fmt: skip
HEAD = """# Commissioning a station

What a crew does before it leaves. Made by `python -m tests.waspada.commissioned`: the tool, the station's own firmware behind a cable, and a person's answers
(behind each question). The PIN comes from the city's folder, else it is asked for. Where the cable is pulled, what was saved is saved, and there is no record:
begin again.

```
$ waspada console --commission dr01
"""
TAIL = """```

The record is `record.json` and `record.pdf` in the station's folder of [the city](enrolment.md): what the flashing wrote, and below it what was seen and heard
here. It is signed with the district's key; `waspada flash --check-record` says whether it is unchanged. What is not in order stands in it as such, and the exit
code is 1.

## The tool's other tasks

`waspada console [PORT]` alone is a terminal, in the station's language; Tab completes what the station itself says there is. PORT is a serial port,
`socket://host:port` or `rfc2217://host:port`; with one board on USB it needs none. Opening it leaves DTR and RTS released, so that the board goes on; a kit
that resets all the same is waited for.

| option | does |
|---|---|
| `--list` | the USB ports, with their ids |
| `--script FILE` | lines sent one by one; stops at the first that is not done (exit code 1); `--json` for programs |
| `--chart` | the level, live: a curve in braille, blocks or letters, as the terminal can; the levels as lines, the state as the colour |
| `--commission NODE` | what stands above |
| `--apply PROFILE.toml PORT ...` | the differences to each station, a question, then set, saved and read back: all of it, or nothing |
| `--backup FILE`, `--restore FILE` | the settings of a station; each line with its CRC, no secrets |
| `--journal FILE.csv` or `.parquet` | the journal (`--stream readings` or `events`), a row for each point |

A journal's records are kept in `FILE.<stream>.part` as they come, and the same command goes on behind them after a pulled cable. A profile is a table
`[settings]` with lines as `"level.danger" = "2.50 m"`. The PIN is asked for without being shown, or comes from `--pin-file FILE` or the variable `WASPADA_PIN`.
Exit codes: 1 when the station said no or has gone, 2 when there is no station, or nothing can be made of what was given.
"""


def city_with_a_station(folder, *words):
    """A city's folder where NODE is enrolled; the station as its board has it."""
    city = new_city(folder / "city")
    home = enrolled(city, NODE, "--station", "river_gauge", *words)
    return City(city), json.loads((home / "station.json").read_text()), (home / "pin").read_text().strip()


def cable_to(station, pin, link="up", **more):
    """The board on its cable, the river at 1.1 m by a sensor that hangs lower than its table says."""

    def begin(desk):
        desk.broker.mode = link
        desk.level(1100)

    fitted = {key: station[key] for key in ("node", "district")}
    return Cable(
        pin=pin,
        station={**fitted, "life": station["life"]},
        settings={"siren.from": 3, "level.alert": 1200, "level.warning": 1500, "level.danger": 2000},
        before=begin,
        link=link,
        **more,
    )


def commission(cable, city, answers, link_within_s=120.0):
    """(what was on the screen, what `run` gave)."""
    screen = io.StringIO()
    with open_port(cable.port) as port, Station(port) as station:
        one = city.station(NODE, None)
        typed = io.StringIO("".join(answer + "\n" for answer in answers)) if isinstance(answers, list) else answers
        person = Person(typed, screen.write)
        pin = Pin(given=pin_of(city, one))
        try:
            done = Commissioning(station, city, one, person, pin, lambda: WHEN, link_within_s).run()
        except Exception as error:
            error.screen = screen.getvalue()
            raise
    person.tell(f"\nThe record is signed: {done[1]}")
    return screen.getvalue(), done


def recorded():
    """The document."""
    with tempfile.TemporaryDirectory() as folder:
        city, station, pin = city_with_a_station(Path(folder))
        with cable_to(station, pin) as cable:
            screen, _ = commission(cable, city, ANSWERS)
        screen = screen.replace(station["life"], LIFE).replace(folder + "/", "")
        assert pin not in screen and len(ANSWERS) == 8 + len(PHOTOS)
    return HEAD + re.sub(r" +\n", "\n", screen) + TAIL


if __name__ == "__main__":
    DOCUMENT.write_text(recorded(), encoding="utf-8")
