"""The first code after a reset. Whatever ran before, siren, strobe and every other output are off before anything else is tried.

Then it chooses the slot that runs, counts the attempts of one on trial, and puts it first on the path: `/run_a`, or `/try_a` where the
application has something to do about the slots. This file, `slots`, `seal`, `pack`, `storage`, `description` and `main.py` lie outside the slots: no update
changes them. Whatever goes wrong here ends in the last good slot, or in a sentence on the console, never in a loop.
"""

import gc
import json
import os
import sys

import machine
from machine import Pin


def outputs_off():
    for station in described():
        try:
            pins = station["pins"]
            for name in pins:
                try:
                    if pins[name]["kind"] == "output":
                        Pin(pins[name]["pin"], Pin.OUT, value=0)
                except (ValueError, KeyError, TypeError):
                    continue  # one that can't be used keeps no other one on
        except (KeyError, TypeError):
            pass  # main.py says so


def described():
    """What the copies of the station's description say, the damaged one left out; nothing yet on a board without."""
    try:
        try:
            import description
        except ImportError:  # the application lies beside this file, in no slot
            from node.esp32 import description
        found = [description.usable(image) for image in description.images()]
    except Exception:  # whatever it is, outputs go off
        found = []
        for name in ("station.json", "station.json.1"):
            try:
                with open(name) as file:
                    found.append(json.load(file))
            except (OSError, ValueError):
                pass
    sys.modules.pop("description", None)
    return [station for station in found if station]


def choose_slot():
    try:
        import slots
        from pack import FILE, Pack
        from seal import digest, sound
        from storage import Storage
    except ImportError:
        return  # the application lies beside this file, in no slot
    cause = machine.reset_cause()
    asleep = cause == getattr(machine, "DEEPSLEEP_RESET", -1)
    state = slots.State(Storage("data"))
    cost = slots.COST_POWER if asleep or cause == machine.PWRON_RESET else slots.COST
    # A wake is not worth half a second of reading: what it wakes from was looked at.
    slot = state.choose(cost, there if asleep else sound, digest)
    if slot:
        busy = state.mode != slots.NONE or state.news != slots.NONE
        begin(slot, Pack(slot + "/" + FILE), "/try_" if busy else "/run_")
    else:
        for slot in (state.good, state.other):  # neither is whole: one that is harmed is better than none
            try:
                begin(slot, Pack(slot + "/" + FILE), "/run_")
                print("boot: no slot is whole; %s runs all the same" % slot)
                break
            except (OSError, ValueError):
                continue
    for name in ("slots", "seal", "storage"):  # a calm station's heap does not carry them
        del sys.modules[name]
    gc.collect()


def begin(slot, pack, kind):
    os.mount(pack, kind + slot)
    sys.path.insert(0, kind + slot)


def there(slot):
    try:
        os.stat(slot + "/node.pack")
        return True
    except OSError:
        return False


outputs_off()
try:
    choose_slot()
except Exception as e:  # whatever it is: a station that is not started says so, and the cable still works
    sys.print_exception(e)
