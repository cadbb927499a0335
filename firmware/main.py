"""Wires the board's ports to the app and turns the loop. No logic."""

import gc
import json
import sys
import time

import machine
import micropython

from node.app import App
from node.core.clock import diff
from node.esp32 import access, buses, flash_slots, outputs
from node.esp32.clock import Clock
from node.esp32.console import Console
from node.esp32.link import Link
from node.esp32.storage import Storage
from node.esp32.watchdog import Watchdog

_SLICE_MS = 20  # the longest sleep before link and console are looked at again
_AFTER_FAULT_MS = 1000
_CAUSES = {
    machine.PWRON_RESET: "power", machine.HARD_RESET: "hard", machine.WDT_RESET: "watchdog", machine.SOFT_RESET: "soft",
}  # fmt: skip
_STAY = b"waspada:repl"  # in RTC memory, which outlives a reset: do not start the station, someone wants the REPL


class Ports:
    def __init__(self, station: dict, root: str):
        pins = station["pins"]
        self.outputs = outputs.build(pins)  # first: the siren's pin is low from here on
        self.clock = Clock(commissioned=station.get("commissioned", 0), **station.get("time", {}))
        self.buses = buses.build(pins)
        self.storage = Storage(root + "data")
        self.slots = flash_slots.build(self.storage, root)
        self.access = access.build(self.clock, station, root + "data")
        self.link = Link(self.clock, self.access, station.get("broker", {}), root)
        self.console = Console()


def run(root: str, steps: int | None = None) -> bool:
    """Runs the station in `root`station.json, for ever or for so many steps. True: someone asked for the REPL."""
    ports = None
    try:
        with open(root + "station.json") as file:
            station = json.load(file)
        station["reset"] = _CAUSES.get(machine.reset_cause(), "unknown")
        ports = Ports(station, root)
        app = App(station, ports)
        watchdog = Watchdog(station.get("watchdog_s", 60))  # last: it can't be stopped again
    except (OSError, ValueError, KeyError, TypeError) as e:
        print(
            "No station runs here: %sstation.json %s. Write one: waspada flash PORT --app-only --station FILE"
            % (root, "is missing" if isinstance(e, OSError) and not ports else "can't be used (%r)" % e)
        )
        micropython.kbd_intr(3)
        return False
    print("waspada station %s" % station["node"])
    try:
        turn(app, ports, watchdog, steps)
    finally:
        for name in ports.outputs:
            ports.outputs[name].set(0)
        ports.console.close()
    return ports.console.repl_wanted


def turn(app, ports, watchdog, steps: int | None) -> None:
    clock = ports.clock
    while not ports.console.repl_wanted and (steps is None or steps > 0):
        now = clock.ticks_ms()
        try:
            due = app.step(now)
            if ports.access.up():
                clock.poll(clock.ticks_ms(), ports.access.name_server())
        except Exception as e:
            # A defect of ours. Say so and go on; if sampling stays away the watchdog goes hungry and resets the board.
            sys.print_exception(e)
            gc.collect()
            due = _AFTER_FAULT_MS
        if steps is not None:
            steps -= 1
        idle(app, ports, watchdog, now, due)


def idle(app, ports, watchdog, since: int, due_in_ms: int) -> None:
    """Sleeps until the app has work: what it asked for, or bytes on link or console."""
    while True:
        now = ports.clock.ticks_ms()
        if diff(now, app.last_sample_ms) < 2 * app.interval_ms:
            watchdog.feed()
        left = due_in_ms - diff(now, since)
        if left <= 0 or ports.console.readable() or ports.link.readable():
            return
        ports.access.up()  # a modem is talked to whatever the app waits for
        time.sleep_ms(min(left, _SLICE_MS))


def start() -> bool:
    """False: there is no station here that could run."""
    memory = machine.RTC().memory
    if memory() == _STAY:
        memory(b"")
        print("waspada: the station is stopped. Ctrl-D starts it again.")
        return True
    if not run(""):
        return False
    memory(_STAY)
    machine.reset()  # by reset, since a watchdog that has been started can't be stopped
    return True


if __name__ == "__main__":
    start()
