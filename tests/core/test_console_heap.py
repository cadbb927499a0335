"""What the console and its tables take of a 32-bit heap: nothing until a byte is typed, 20 KB at most, and given back when nobody is there."""

from pathlib import Path

import pytest

from tests import vm32

ROOT = Path(__file__).parents[2]
STATION = ROOT / "simulator" / "runtimes" / "measured_station.py"
LIMIT = 20 * 1024
KEPT = 4608  # interned names, and the table of happenings; a second visit adds nothing

# (language, lines): the worst of each group with its table
DIALOGUES = {
    "help": ("en", ["help", "get level.danger", "show"]),
    "set": ("en", ["set level.danger 140 cm", "diff", "revert"]),
    "status": ("ms", ["status", "log 5", "log 5 readings"]),
    "export": ("id", ["export settings", "export events"]),
    "login": ("en", ["login 123456", "language th", "status"]),
    "level": ("en", ["level 2"]),
}
ORDERS = {
    "save": ("en", ["set level.danger 140 cm", "save"]),
    "calibrate": ("en", ["calibrate 0.3 m", "save"]),
    "test": ("en", ["test"]),
    "ack": ("en", ["ack", "shelve 10", "shelve 0"]),
}

TYPING = """
class Cable:
    def __init__(self):
        self.typed = b""
        self.count = 0
    def read_into(self, buffer):
        count = min(len(buffer), len(self.typed))
        for i in range(count):
            buffer[i] = self.typed[i]
        self.typed = self.typed[count:]
        return count
    def write(self, data):
        self.count += len(data)
class Platform:
    def heap_low(self):
        return 0
    def forget(self, name):
        if name in sys.modules:
            del sys.modules[name]
            at = name.rfind(".")
            folder = sys.modules.get(name[:at])
            if folder and hasattr(folder, name[at + 1:]):
                delattr(folder, name[at + 1:])
class Names:
    pass
ports = Ports()
ports.console = Cable()
ports.platform = Platform()
app = make(ports)
ports.clock.unix = 1760000000000
now = run(app, 0, 400)
def talk(line):
    global now
    ports.console.typed = line.encode() + b"\\r"
    for _ in range(4000):
        now = run(app, now, 1)
        if not ports.console.typed and app._console and not app._console._answer and not app._console._out:
            return
    raise ValueError("no end: " + line)
"""
# The VM keeps names in a pool that doubles when it is full: whoever comes next pays some 9 KB, once, the gateway's first order as well as a technician. On
# a board it is full at another number of names. So there is room for names here before anything is measured; the names themselves count.
ROOM = "names = Names()\nfor i in range(300):\n    setattr(names, 'room%d' % i, 0)\ndel names"
HELD = "gc.collect()"
LEFT = (
    "for _ in range(4000):\n    now = run(app, now, 1)\n    if not app._console:\n        break\nassert not app._console\n"
    + HELD
)
PRINT = "print(gc.mem_alloc() - ports_hold(ports))"


def heaps(language, lines):
    """(before, after each line, left alone, left alone after all of it was typed a second time)."""
    files = vm32.firmware_files(compiled=True)
    said = [] if language == "en" else ["language " + language]
    parts = [STATION.read_text(encoding="utf-8") + TYPING, ROOM, HELD, PRINT]
    for line in [*said, *lines]:
        parts += [f"talk({line!r})\n" + HELD, PRINT]
    parts += [LEFT, HELD, PRINT, *[f"talk({line!r})" for line in lines], LEFT, HELD, PRINT]
    return [int(word) for word in vm32.run(parts, files).split()]


@pytest.mark.vm
@pytest.mark.parametrize("name", DIALOGUES)
def test_the_console_and_its_tables_take_20_kb_at_most_and_give_them_back(name):
    before, *during, after, again = heaps(*DIALOGUES[name])
    print(name, [number - before for number in during], after - before, again - before)
    assert max(during) - before <= LIMIT
    assert after - before <= KEPT
    assert again - after <= 256


@pytest.mark.vm
@pytest.mark.parametrize("name", ORDERS)
def test_what_carries_out_an_order_comes_beside_it(name):
    """`orders` serves the gateway too: it is loaded with the first order of either, and stays."""
    before, *during, _, _ = heaps(*ORDERS[name])
    print(name, [number - before for number in during])
    assert max(during) - before <= LIMIT + 9 * 1024
