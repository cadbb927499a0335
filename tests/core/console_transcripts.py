"""The dialogues of docs/console.md, each typed at a whole simulated station. `python -m tests.core.console_transcripts` writes them into the page."""

import re
from pathlib import Path

from tests.core.console_desk import Desk

PAGE = Path(__file__).parents[2] / "docs" / "console.md"
PIN = "471108"

# name in the page: (milliseconds that the station has run, (line, milliseconds until the next) ...)
DIALOGUES = {
    "help": (3000, ("help", 0), ("help save", 0), ("help level.danger", 0)),
    "look": (3000, ("show", 0), ("show level.d", 0), ("get siren.from", 0), ("status", 0)),
    "login": (3000, ("save", 0), ("login 111111", 5000), (f"login {PIN}", 0), ("logout", 0)),
    "set": (
        3000, (f"login {PIN}", 0), ("set level.danger 2.50 m", 0), ("set rise.window 20 min", 0), ("set level.alert 110 cm", 0), ("save", 0),
        ("set level.alert 60 cm", 0), ("set level.danger 99", 0), ("diff", 0), ("save", 0), ("diff default", 0), ("set siren.from 2", 0), ("revert", 0),
    ),
    "calibrate": (3000, (f"login {PIN}", 0), ("level 2", 12000), ("calibrate 0.25 m", 12000), ("save", 0)),
    "sound": (
        3000, (f"login {PIN}", 0), ("test", 7000), ("test 3", 200), ("test off", 100), ("drill 2", 19000),
        ("shelve 30", 0), ("drill 1", 0), ("shelve 0", 0), ("ack", 0),
    ),
    "log": (90_000, ("log 3", 0), ("log 2 readings", 0)),
    "language": (3000, ("language ms", 0), ("get level.danger", 0), ("language vi", 0), ("show level.danger", 0)),
    "export": (3000, ("machine", 0), ("get level.danger", 0), ("set level.danger 2", 0), ("export settings", 0), ("export events 1 2", 0), ("logout", 0)),
    "end": (3000, (f"login {PIN}", 0), ("reboot", 0), (f"login {PIN}", 0), ("maintenance", 100)),
}  # fmt: skip


def transcript(name):
    """What stands on a terminal."""
    runs_ms, *lines = DIALOGUES[name]
    desk = Desk(PIN)
    desk.console.repl_wanted = False
    desk.level(104)
    desk.run(runs_ms)
    desk.say(b"\x15")
    said = bytearray(b"> ")
    for line, wait_ms in lines:
        desk.console.said.clear()
        desk.console.typed += line.encode() + b"\r"
        desk.run(max(wait_ms, 2000))
        said += desk.console.said
    return re.sub("> $", "", said.decode().replace("\r\n", "\n")).rstrip()


def page(text):
    """The page with its transcripts as they are now."""
    for name in DIALOGUES:
        begin, end = f"<!-- transcript: {name} -->\n```\n", "```\n<!-- end -->"
        at = text.index(begin) + len(begin)
        text = text[:at] + transcript(name) + "\n" + text[text.index(end, at) :]
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
