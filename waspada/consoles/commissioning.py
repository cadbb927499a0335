"""The guided commissioning: what a crew does at a station before it leaves, one question after the other, and the signed record of it."""

import datetime
import importlib.util
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from node.core import fixed
from simulator.errors import InputError, are_not_installed, install_advice
from waspada import record
from waspada.city import PIN, RECORDS, City, Known, write_settings
from waspada.consoles.asking import Person
from waspada.consoles.chart import millimetres
from waspada.consoles.pin import Pin
from waspada.consoles.port import GoneError
from waspada.consoles.station import Answer, Station
from waspada.consoles.values import integer

TOLERANCE_MM = 20  # of the level beside the staff: what a person can read in moving water
LINK_WITHIN_S = 120.0
LINK_EVERY_S = 2.0
SURVEYS_MOST = 5
DRILL_WITHIN_S = 30.0
# What a stranger needs to find and repair the station, and to see later what has been moved.
PHOTOS = ("the river upstream", "the river downstream", "sensor and staff in one picture", "the open box", "the closed box and its label",
          "siren and strobe from below", "the way to the station")  # fmt: skip


def need() -> None:
    """InputError where the page of the record can't be made, before anybody climbs a ladder."""
    if importlib.util.find_spec("reportlab") is None:
        raise InputError(
            f"{are_not_installed(['reportlab'])}, and the record's page needs it: {install_advice('flash')}"
        )


def pin_of(city: City, one: Known) -> str:
    """As the city keeps it; "" where this laptop's copy of the city has none."""
    try:
        return (city.node(one.district, str(one.node)) / PIN).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


class Commissioning:
    def __init__(
        self, station: Station, city: City, one: Known, person: Person, pin: Pin, now: Callable[[], datetime.datetime],
        link_within_s: float = LINK_WITHIN_S,
    ) -> None:  # fmt: skip
        self.station = station
        self.city = city
        self.one = one
        self.person = person
        self.checks: dict[str, str] = {}
        self._pin = pin
        self._now = now
        self._link_within_s = link_within_s
        self._failed: list[str] = []

    def run(self) -> tuple[dict[str, Any], Path, list[str]]:
        """(record, where it is, what was not in order). GoneError: the cable went; what was saved by then is saved, no record is made."""
        tell = self.person.tell
        status = self._right_station()
        tell(
            f"{self.one.district}/{self.one.node}, life {self.one.life}, firmware {status.get('version')}: commissioning in six steps."
        )
        tell("Nothing is changed before you are asked; Ctrl-C leaves.")
        for number, (title, step) in enumerate(
            (("Datum survey", self._survey), ("Sensor height against the staff", self._height), ("Levels", self._levels),
             ("Siren", self._siren), ("Link", self._link), ("Photos", self._photos)), 1
        ):  # fmt: skip
            tell(f"\n{number}. {title}")
            step()
        return self._record()

    def _right_station(self) -> dict[str, str]:
        status = self.station.status()
        here = f"{status.get('district')}/{status.get('node')}"
        if here != f"{self.one.district}/{self.one.node}":
            raise InputError(
                f"{self.station.name}: this is {here}, not {self.one.district}/{self.one.node}: another cable?"
            )
        if status.get("life") != self.one.life:
            raise InputError(
                f"{self.station.name}: this board's life is {status.get('life')}, the city's {here} is {self.one.life}: flash it first"
            )
        return status

    def _check(self, name: str, text: str, good: bool = True) -> None:
        self.checks[name] = text if good else f"NOT IN ORDER: {text}"
        if not good:
            self._failed.append(name)

    def _ask(self, line: str) -> Answer:
        return self._pin.ask(self.station, line, self.person.tell)

    # The steps

    def _has_level(self) -> bool:
        return "level" in self.station.status()

    def _survey(self) -> None:
        if not self._has_level():
            self.person.tell("This station measures no level: nothing to survey.")
            return
        mark = self.person.ask("Which mark was the staff levelled from (name, height), Enter for none?")
        self._check("datum", mark or "no mark given", bool(mark))
        for _ in range(SURVEYS_MOST):
            staff = self.person.ask("What does the staff show now (1.25 m), Enter to leave sensor.height as it is?")
            if not staff:
                self._check("calibration", "sensor.height left as it was")
                return
            self.person.tell("Measuring, up to a minute ...")
            answer = self._ask(f"calibrate {staff}")
            for line in answer.lines:
                self.person.tell(f"  {line}")
            if answer.good:
                self._keep_height(staff)
                return
        self._check("calibration", "not done: the station took no reading", False)

    def _keep_height(self, staff: str) -> None:
        if not [line for line in self.station.must("diff") if "->" in line]:
            self._check("calibration", f"staff {staff}: sensor.height was right")
        elif not self.person.agrees("Save this height?"):
            self._ask("revert")
            self._check("calibration", f"staff {staff}: the proposed height was not wanted", False)
        else:
            saved = self._ask("save")
            for line in saved.lines:
                self.person.tell(f"  {line}")
            kept = saved.good and saved.lines[0].startswith("sensor.height")  # not where it was forgotten meanwhile
            self._check("calibration", f"staff {staff}: {saved.lines[0] if kept else f'not saved, {saved.why}'}", kept)

    def _height(self) -> None:
        if not self._has_level():
            self.person.tell("This station measures no level.")
            return
        for _ in range(SURVEYS_MOST):
            staff = millimetres(self.person.ask("Read the staff once more, in metres:").removesuffix("m").strip())
            if staff is None or not -10000 <= staff <= 30000:
                self.person.tell("a number of metres is meant, -10 to 30, as 1.25")
                continue
            line = self.station.ask("level 1").lines[-1:]
            level = millimetres(line[0].split()[1]) if line else None
            if level is None:
                self.person.tell(f"  the station has no level: {line[0] if line else 'nothing'}")
                continue
            text = f"staff {fixed.text(staff, 3)} m, station {fixed.text(level, 3)} m, {abs(level - staff)} mm apart"
            self.person.tell(f"  {text}")
            good = abs(level - staff) <= TOLERANCE_MM
            if good or not self.person.agrees(f"More than {TOLERANCE_MM} mm. Read again?"):
                self._check("staff", text, good)
                return
        self._check("staff", "not compared", False)

    def _levels(self) -> None:
        shown = self.station.shown()
        for key, (value, unit) in shown.items():
            if key.split(".")[0] == "level" or key.endswith((".alert", ".warning", ".danger")) or key == "siren.from":
                self.person.tell(f"  {key} {value} {unit}".rstrip())
        good = self.person.agrees("Are these the levels of the warning plan?")
        self._check("levels", "as in the warning plan" if good else "not those of the warning plan", good)

    def _siren(self) -> None:
        self.person.tell("The siren sounds for some seconds: protect your ears, warn those who live here.")
        if not self.person.agrees("Sound it now?"):
            self._check("siren", "not sounded", False)
            return
        answer = self._ask("test 3")
        if not answer.good:
            self.person.tell(f"  {answer.why}")
            self._check("siren", answer.why, False)
            return
        heard = self.person.agrees("Was the siren heard?")
        told = self._drill()
        self._check("siren", f"{'heard' if heard else 'not heard'}; the station says {told or 'nothing'}", heard)

    def _drill(self) -> str:
        """What the station says of its own siren, once the test has ended."""
        deadline = time.monotonic() + DRILL_WITHIN_S
        while True:
            told = self.station.status().get("drill", "")
            if told != "begun" or time.monotonic() > deadline:
                return told
            self.station.over.wait(0.2)

    def _link(self) -> None:
        self.person.tell(f"Waiting for the broker, up to {self._link_within_s:g} s ...")
        deadline = time.monotonic() + self._link_within_s
        while True:
            link = self.station.status().get("link", "none")
            if link.split(",")[0] == "broker" or time.monotonic() > deadline:
                break
            self.station.over.wait(LINK_EVERY_S)
        good = link.split(",")[0] == "broker"
        self.person.tell(f"  {'connected' if good else f'not connected: {link}'}")
        self._check(
            "link",
            "connected to the broker" if good else f"not connected within {self._link_within_s:g} s: {link}",
            good,
        )

    def _photos(self) -> None:
        self.person.tell("Take these, and give each one's file name; Enter where there is none.")
        for what in PHOTOS:
            self._check(f"photo: {what}", self.person.ask(f"  {what}:")[:80] or "none")

    # The record

    def _record(self) -> tuple[dict[str, Any], Path, list[str]]:
        status, shown = self.station.status(), self.station.shown()
        made = self._flashed()
        when = self._now()
        made["checks"] = {
            **self.checks,
            "commissioned": "in order" if not self._failed else f"not in order: {', '.join(self._failed)}",
        }
        made["settings"] = {key: f"{value} {unit}".strip() for key, (value, unit) in shown.items()}
        made["when"] = f"{when:%Y-%m-%dT%H:%M:%SZ}"
        made["self_test"] = {
            **made.get("self_test", {}),
            "status": {k: v for k, v in status.items() if k not in ("pin", "user")},
        }
        district, node = self.one.district, str(self.one.node)
        with self.city.locked():
            signed, path = record.keep(self.city, district, node, made)
            values = settings_of(shown)
            write_settings(self.city.node(district, node), int(status.get("revision", 0)), values)
            self.city.record("commissioned", district, node, when, life=self.one.life, in_order=not self._failed)
        return signed, path, self._failed

    def _flashed(self) -> dict[str, Any]:
        """What the flashing wrote of this life, without its kind: the commissioning goes on with it."""
        district, node = self.one.district, str(self.one.node)
        path = self.city.node(district, node) / RECORDS[0]
        if path.exists():
            found, fault = record.check(self.city, path)
            if not fault and found.get("life") == self.one.life and found.get("node") == node:
                return {key: value for key, value in found.items() if key not in ("kind", "version")}
        return {
            "district": district,
            "node": node,
            "life": self.one.life,
            "who": self.city.row("", district, node, self._now())["who"],
        }


def settings_of(shown: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """Integers in the units of the settings' table."""
    found = {}
    for key, (value, unit) in shown.items():
        number = integer(key, f"{value} {unit}".strip())
        if number is None:
            raise GoneError(f"the station shows {key} {value} {unit}, which this tool does not know: renew the tool")
        found[key] = number
    return found
