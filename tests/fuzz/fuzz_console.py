"""Coverage-guided fuzzing of the technician's console; needs `pip install atheris`.

    PYTHONPATH=firmware:. python tests/fuzz/fuzz_console.py CORPUS_FOLDER -max_total_time=600

What must hold: whatever is typed, in whatever chunks, is answered with an end, and with the same words unless a key ended an answer; little waits to be
written; nothing is a defect; without the PIN nothing changes; what was saved is in range, in order, and is what another boot finds. The first byte
chooses the chunks, whether storage works and whether there is a PIN.
"""

from tests.fuzz.start import fuzz, instrumented

with instrumented("node"):
    from node.console.session import ANY_KEY, Console
    from node.core import settings as S
    from tests.core.console_desk import WAITING_MOST, Desk

PIN = "4711"


ended: list = []  # answers that a key ended: which words it cost depends on when it came
_interrupt = Console._interrupt


def _noted(console):
    ended.append(console)
    _interrupt(console)


Console._interrupt = _noted


class Cable:
    """What is typed, at most `chunk` bytes at once."""

    def __init__(self, typed: bytes, chunk: int):
        self.typed = typed
        self.chunk = chunk
        self.said = bytearray()

    def read_into(self, buffer):
        part = self.typed[: min(self.chunk, len(buffer))]
        self.typed = self.typed[len(part) :]
        buffer[: len(part)] = part
        return len(part)

    def write(self, data):
        assert 0 < len(data) <= 48
        self.said += data


def talk(typed: bytes, chunk: int, works: bool, guarded: bool) -> tuple:
    desk = Desk(PIN if guarded else None)
    app = desk.app
    settings = app.settings
    cable = app._ports.console = Cable(typed, chunk)
    desk.storage.writes_fail = not works
    left = 60_000
    ended.clear()
    while app._listen() or cable.typed:
        console = app._console
        assert len(console._out) <= WAITING_MOST, "more than a board's heap should hold"
        left -= 1
        if console.endless == ANY_KEY and not cable.typed:
            cable.typed = b"\x15"
            ended.append(console)
        assert left, "it never ends"
    assert app.defects == 0, bytes(cable.said)
    values = settings.values
    assert S.conflict(values) is None
    for i, row in enumerate(S.ROWS):
        assert row[4] <= values[i] <= row[5], row[0]
        if i in settings.staged:
            assert row[4] <= settings.staged[i] <= row[5], row[0]
    if guarded and not set(PIN.encode()) <= set(typed):
        assert settings.revision == 1 and not settings.staged and not app.reboot_wanted
        assert PIN.encode() not in cable.said
    if works and settings.revision > 1:
        desk.boot()
        assert desk.app.settings.values == values
    return bool(ended), bytes(cable.said), list(values), sorted(settings.staged.items()), settings.revision


def check(data: bytes):
    if not data:
        return
    how = data[0] < 192, data[0] % 4 == 3
    whole = talk(data[1:], 1 << 16, *how)
    for chunk in (1, data[0] % 9 + 2):
        other = talk(data[1:], chunk, *how)
        assert other == whole or other[0] or whole[0]


SEEDS = tuple(
    b"\x05" + line
    for line in (
        b"help\rshow\r",
        b"set level.danger 1.2 m\rget level.danger\rsave\r",
        b"set level.alert 9\rsave\rrevert\rsave\r",
        b"ack\rshelve 60\rshelve 0\rshelve 1441\r",
        b"get\x08\x7f\x15set siren.from 2\n\r\nx\x03",
        b"\x1b[A\x1b[Bhe\tp\rlanguage ms\rhelp save\rlanguage th\rstatus\r",
        b"machine\rset level.danger 140 cm\rsave\rexport events 1 2\rlogout\r",
        b"log 3 readings\rlevel 2\rtest\rtest off\rdrill 1\rcalibrate 1 m\r",
        b"set wifi.key 12345678\rset wifi.ssid x\rsave\rdiff default\rreboot\r\x03\x03\x03",
    )
) + (
    b"\xfeset level.danger 1.2\rsave\r",
    b"\x03login 1\rlogin 4711\rset siren.from 2\rsave\rlogout\rack\r",
    b"\x03set level.alert 0.1\rsave\rmaintenance\r",
    b"\x01set " + b"\rset ".join(row[0].encode() + b" 1 m" for row in S.ROWS),
)

if __name__ == "__main__":
    fuzz(check, SEEDS)
