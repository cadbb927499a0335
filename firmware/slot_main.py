"""On a board with slots this is `main.py`: it starts the application of the slot that boot.py chose, the slot's module `outer`.

What can't be started is given up for the other slot, once; what neither can do is said in a sentence.
"""

import json
import os
import sys
import time

import machine

_BLINKS = 120
_ON_MS = 1000
_OFF_MS = 4000


def running():
    """The slot that boot.py put on the path, "" for none."""
    path = sys.path[0]
    return path[5:] if path.startswith(("/run_", "/try_")) else ""


def start():
    slot = running()
    if not slot:
        print("No station runs here: neither slot is whole. Write one: waspada flash NODE --port PORT")
        blink()
        return
    try:
        from outer import start as begin

        came_up = begin() is not False
    except Exception as e:  # of a slot's code anything may come
        sys.print_exception(e)
        came_up = False
    if not came_up and described():
        if give_up(slot):
            machine.reset()
        blink()


def described():
    """The station's description, None without one: nothing can start then, whatever the slot."""
    for name in ("station.json", "station.json.1"):
        try:
            with open(name) as file:
                return json.load(file)
        except (OSError, ValueError):
            continue
    return None


def blink():
    """A station that has run here before is blind now, and not silent about it: the strobe, for ten minutes, then another try. Ctrl-C ends it."""
    try:
        if "boot" not in os.listdir("data"):
            return
        number = described()["pins"]["strobe"]["pin"]
        strobe = machine.Pin(number, machine.Pin.OUT, value=0, hold=False)  # type: ignore[call-arg]
    except Exception:  # nothing ran here, or nothing says where the strobe is
        return
    for _ in range(_BLINKS):
        strobe.value(1)
        time.sleep_ms(_ON_MS)
        strobe.value(0)
        time.sleep_ms(_OFF_MS)
    machine.reset()


def give_up(slot):
    """Whether the other slot is to run from the next boot on."""
    import slots
    from seal import digest, sound
    from storage import Storage

    state = slots.State(Storage("data"))
    try:
        return state.broken(slot, digest, sound)
    except OSError as e:
        print("waspada: slot %s does not start, and flash does not take that (%r)" % (slot, e))
        return False


if __name__ == "__main__":
    start()
