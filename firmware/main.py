"""Wires the board's ports to the app and turns the loop.

The app survives its own defects (node.faults). Here is what is left when even that fails: a station that has run before never ends silent at the
REPL. It restarts; after some restarts in a row the siren's path runs alone for an hour; where that fails too the strobe says that something is wrong.
"""

import gc
import io
import json
import os
import sys
import time

import machine
import micropython

broken = woken = None
try:
    if machine.reset_cause() == machine.DEEPSLEEP_RESET:
        from node.esp32 import power

        woken = power.begin()  # before anything that takes time: a tip may have woken the chip
    from node.app import App
    from node.core.clock import add, diff
    from node.esp32 import access, buses, description, flash_slots, outputs
    from node.esp32.clock import Clock
    from node.esp32.console import Console
    from node.esp32.link import Link
    from node.esp32.platform import Platform
    from node.esp32.storage import Storage
    from node.esp32.watchdog import Watchdog
except Exception as e:  # a file that is missing or damaged, a heap that is full
    broken = e

_SLICE_MS = 20  # the longest sleep before link and console are looked at again
_AFTER_FAULT_MS = 1000
_FAULTS_MOST = 5  # steps in a row that raise, until a restart
_CALM_MS = 5000  # so much time until the next work: the heap is looked at
_LAST_WORDS_MS = 3000  # from a wish to restart until it is done: what was answered still goes out
_RESTARTS_MOST = 6  # without a start; a slot on trial is given up after three
_BARE_S = 3600
_BLIND_S = 600
_CAUSES = {
    machine.PWRON_RESET: "power", machine.HARD_RESET: "hard", machine.WDT_RESET: "watchdog", machine.SOFT_RESET: "soft",
}  # fmt: skip
_STAY = b"waspada:repl"  # in RTC memory, which outlives a reset: do not start the station, someone wants the REPL


class Ports:
    def __init__(self, station: dict, root: str):
        pins = station["pins"]
        self.outputs = outputs.build(pins)  # first: the siren's pin is low from here on
        self.storage = Storage(root + "data")
        self.power = None
        if sleeps(station, self.storage):
            from node.esp32 import power

            self.power = power.build(pins, woken, station.get("lte"))
        self.clock = Clock(commissioned=station.get("commissioned", 0), **station.get("time", {}))
        self.buses = buses.build(pins)
        self.slots = flash_slots.build(self.storage, root)
        self.access = access.build(self.clock, station, root + "data")
        self.link = Link(self.clock, self.access, station.get("broker", {}), root)
        self.console = Console()
        self.platform = Platform()


def sleeps(station: dict, storage) -> bool:
    """Whether it is to sleep at all: who sets `power.profile` restarts the board, and a station that is always on loads nothing for it."""
    try:
        saved = storage.read("settings.0", 0, 2048) + storage.read("settings.1", 0, 2048)
    except OSError:
        saved = b""
    return b'"power.profile":1' in saved or station.get("settings", {}).get("power.profile") == 1


def run(root: str, steps: int | None = None) -> bool:
    """Runs the station in `root`station.json, for ever or for so many steps. True: someone asked for the REPL."""
    ports = station = None
    try:
        station, harmed = describe(root)
        if broken:
            raise broken
        station["reset"] = _CAUSES.get(machine.reset_cause(), "unknown")
        watchdog = None
        if has_run(root):  # from here on nothing ends at the REPL by itself, so a hang need not be for ever either
            if station["reset"] == "watchdog" and ends(root) >= _RESTARTS_MOST:
                raise RuntimeError("the watchdog ended %d boots in a row" % _RESTARTS_MOST)
            watchdog = Watchdog(station.get("watchdog_s", 60))
        ports = Ports(station, root)
        app = App(station, ports)
        if harmed:
            app._books.fail()
        for name in ("node.compose", "node.drivers.catalog"):  # needed once a boot
            ports.platform.forget(name)
        gc.collect()
        watchdog = watchdog or Watchdog(
            station.get("watchdog_s", 60)
        )  # of a first start last: it can't be stopped again
        watchdog.feed()
    except Exception as e:
        if station and has_run(root):
            return rescue(root, station, e)
        print(
            "No station runs here: %sstation.json %s. Write one: waspada flash NODE --port PORT"
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
    failed = 0
    restart_ms = -1
    while not ports.console.repl_wanted and (steps is None or steps > 0):
        now = clock.ticks_ms()
        try:
            due = app.step(now)
            failed = 0
        except Exception as e:
            sys.print_exception(e)
            gc.collect()
            due = _AFTER_FAULT_MS
            failed += 1
            if failed == _FAULTS_MOST:
                note(ports.storage, e)
                machine.reset()
        if app.reboot_wanted and restart_ms < 0:
            restart_ms = add(now, _LAST_WORDS_MS)
        if restart_ms >= 0 and diff(restart_ms, now) <= 0:
            machine.reset()
        if steps is not None:
            steps -= 1
        try:
            duty = getattr(app, "duty", None)
            if duty:
                rest(app, ports)
            if (not duty or app.radio) and ports.access.up():
                clock.poll(clock.ticks_ms(), ports.access.name_server())
            if due > _CALM_MS:
                ports.platform.heap_free()
            idle(app, ports, watchdog, now, due)
        except Exception as e:  # an adapter's: sampling goes on, and the watchdog judges it
            sys.print_exception(e)
            time.sleep_ms(_AFTER_FAULT_MS // 5)


def rest(app, ports) -> None:
    """Deep sleep, if that is due: does not return then."""
    ms = app.rest(ports.clock.ticks_ms())
    frozen = app.freeze() if ms else b""
    if frozen:
        ports.link.close()
        ports.access.close()
        ports.power.keep(frozen)
        ports.power.doze(ms, ports.buses)


def idle(app, ports, watchdog, since: int, due_in_ms: int) -> None:
    """Sleeps until the app has work: what it asked for, or bytes on link or console."""
    while True:
        now = ports.clock.ticks_ms()
        if diff(now, app.alive_ms) < 2 * app.interval_ms:
            watchdog.feed()
        left = due_in_ms - diff(now, since)
        if left <= 0 or ports.console.readable() or ports.link.readable():
            return
        if getattr(app, "radio", True):
            ports.access.up()  # a modem is talked to whatever the app waits for
        time.sleep_ms(min(left, _SLICE_MS))


def describe(root: str) -> tuple[dict, bool]:
    """(what the station is, whether one of its two files was damaged)."""
    if broken:  # perhaps the very module that knows
        for name in ("station.json", "station.json.1"):
            try:
                with open(root + name) as file:
                    return json.load(file), False
            except (OSError, ValueError):
                continue
    return description.read(root)


def has_run(root: str) -> bool:
    try:
        return "boot" in os.listdir(root + "data")
    except OSError:
        return False


def ends(root: str) -> int:
    """Boots in a row that ended badly (node.faults)."""
    try:
        with open(root + "data/ends", "rb") as file:
            return int(file.read(8) or b"0")
    except (OSError, ValueError):
        return 0


def note(storage, error) -> None:
    """The end of its traceback, for the next boot to tell."""
    text = io.StringIO()
    sys.print_exception(error, text)
    try:
        storage.replace("crash", text.getvalue().strip().encode()[-300:])
    except OSError:
        pass


def rescue(root: str, station: dict, error) -> bool:
    """A station that has run here does not start. Does not return but by Ctrl-C."""
    micropython.kbd_intr(3)
    sys.print_exception(error)
    gc.collect()
    restarts = 1
    try:
        from node.esp32.storage import Storage

        storage = Storage(root + "data")
        note(storage, error)
        restarts = int(storage.read("ends", 0, 8) or b"0") + 1
        storage.replace("ends", b"%d" % restarts)
    except Exception as e:
        sys.print_exception(e)
        restarts = _RESTARTS_MOST  # it can't be counted
    if restarts < _RESTARTS_MOST:
        time.sleep_ms(_AFTER_FAULT_MS)
        machine.reset()
    try:
        keep_watch(station, root)
    except Exception as e:
        sys.print_exception(e)
        blink(station)
    machine.reset()
    return False


def keep_watch(station: dict, root: str) -> None:
    """The siren's path alone, for an hour."""
    from node.bare import Bare, rows
    from node.core.clock import diff
    from node.esp32 import buses, outputs
    from node.esp32.storage import Storage
    from node.esp32.watchdog import Watchdog

    class Bones:
        def __init__(self):
            pins = station["pins"]
            self.outputs = outputs.build(pins)
            self.buses = buses.build({row["bus"]: pins[row["bus"]] for row in rows(station)})
            self.storage = Storage(root + "data")

    bare = Bare(station, Bones())
    watchdog = Watchdog(station.get("watchdog_s", 60))
    print("waspada: only the siren's path runs")
    while bare.up_s < _BARE_S:
        now = time.ticks_ms()
        due = bare.step(now)
        if diff(now, bare.alive_ms) < 2 * bare.interval_ms:
            watchdog.feed()
        time.sleep_ms(min(due, _SLICE_MS))


def blink(station: dict) -> None:
    """Blind, and not silent about it: no siren, for nobody is to run from water that nobody has seen."""
    strobe = machine.Pin(station["pins"]["strobe"]["pin"], machine.Pin.OUT, value=0, hold=False)  # type: ignore[call-arg]
    watchdog = None
    try:
        from node.esp32.watchdog import Watchdog

        watchdog = Watchdog(station.get("watchdog_s", 60))  # if one has been started it goes on
    except Exception as e:  # then none has been
        sys.print_exception(e)
    for _ in range(_BLIND_S // 5):
        if watchdog:
            watchdog.feed()
        strobe.value(1)
        time.sleep_ms(1000)
        strobe.value(0)
        time.sleep_ms(4000)


def start() -> bool:
    """False: there is no station here that could run."""
    memory = machine.RTC().memory
    if memory() == _STAY:
        memory(b"")
        print("waspada: the station is stopped. Ctrl-D starts it again.")
        return True
    try:
        if not run(""):
            return False
    except KeyboardInterrupt:
        pass  # in a rescue or while it starts; at the REPL the watchdog would bite
    memory(_STAY)
    machine.reset()  # by reset, since a watchdog that has been started can't be stopped
    return True


if __name__ == "__main__":
    start()
