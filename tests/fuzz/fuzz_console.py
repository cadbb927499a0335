"""Coverage-guided fuzzing of the technician's console; needs `pip install atheris`.

    PYTHONPATH=firmware:. python tests/fuzz/fuzz_console.py CORPUS_FOLDER -max_total_time=600

What must hold: whatever is typed, in whatever chunks, is answered with the same words and an end; little waits to be written;
what was saved is in range, in order, and comes back from its own bytes. The first byte chooses the chunks.
"""

from tests.fuzz.start import fuzz, instrumented

with instrumented("node"):
    from node.core import settings as S
    from node.core.console import Console
    from node.core.network import validate

WAITING_MOST = 1500  # bytes: one long answer
WRITTEN_MOST = 48


class Desk:
    """The cable and the actions behind the console; storage refuses when `works` is false."""

    def __init__(self, typed: bytes, chunk: int, works: bool):
        self.settings = S.Settings({})
        self.typed = typed
        self.chunk = chunk
        self.works = works
        self.at = 0
        self.said = bytearray()
        self.did: list = []
        self.network: dict = {}

    def read_into(self, buffer):
        part = self.typed[self.at : self.at + min(self.chunk, len(buffer))]
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)

    def write(self, data):
        assert 0 < len(data) <= WRITTEN_MOST
        self.said += data

    def keep(self, settings):
        problem = S.conflict(settings.proposed())
        if problem:
            raise ValueError(problem)
        if not self.works:
            raise OSError(5)
        return settings.apply()

    def state_line(self):
        return "normal"

    def stage_network(self, key, word):
        self.network[key] = validate(key, word)
        return key

    def keep_network(self):
        self.network = {}
        return "on trial"

    def acknowledge(self):
        self.did.append("ack")

    def shelve(self, seconds):
        assert 0 <= seconds <= 86400 and seconds % 60 == 0
        self.did.append(seconds)


def talk(typed: bytes, chunk: int, works: bool) -> tuple:
    desk = Desk(typed, chunk, works)
    console = Console(desk, desk.settings, desk)
    left = 100_000
    while console.step() or desk.at < len(typed):
        assert len(console._out) <= WAITING_MOST, "more than a board's heap should hold"
        left -= 1
        assert left, "it never ends"
    values = desk.settings.values
    assert S.conflict(values) is None
    for i, row in enumerate(S.ROWS):
        assert row[4] <= values[i] <= row[5], row[0]
        if i in desk.settings.staged:
            assert row[4] <= desk.settings.staged[i] <= row[5], row[0]
    return bytes(desk.said), list(values), sorted(desk.settings.staged.items()), desk.settings.revision, desk.did


def check(data: bytes):
    if not data:
        return
    works = data[0] < 128
    whole = talk(data[1:], 1 << 16, works)
    assert talk(data[1:], 1, works) == whole
    assert talk(data[1:], data[0] % 9 + 2, works) == whole


SEEDS = tuple(
    b"\x05" + line
    for line in (
        b"help\rshow\r",
        b"set level.danger 1.2 m\rget level.danger\rsave\r",
        b"set level.alert 9\rsave\rrevert\rsave\r",
        b"ack\rshelve 60\rshelve 0\rshelve 1441\r",
        b"get\x08\x7f\x15set siren.from 2\n\r\nx\x03",
    )
) + (b"\xffset level.danger 1.2\rsave\r", b"\x01set " + b"\rset ".join(row[0].encode() + b" 1 m" for row in S.ROWS))

if __name__ == "__main__":
    fuzz(check, SEEDS)
