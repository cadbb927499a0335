"""Coverage-guided fuzzing of the A02YYUW driver; needs `pip install atheris`.

    PYTHONPATH=firmware:. python tests/fuzz/fuzz_ranger.py CORPUS_FOLDER -max_total_time=600

What must hold: any bytes in any chunks give the same ranges and counts; a range is one the sensor can measure; no byte is used twice.
The first byte chooses the chunks.
"""

from array import array

from tests.fuzz.start import fuzz, instrumented

with instrumented("node"):
    from node.drivers.a02yyuw import A02YYUW, BLANKING_MM, RANGE_MM

ROOM = 64


class Line:
    """A UART whose bytes come `chunk` at a time."""

    def __init__(self, data: bytes, chunk: int):
        self.data = data
        self.chunk = chunk
        self.at = 0

    def open(self):
        pass

    def close(self):
        pass

    def read_into(self, buffer):
        part = self.data[self.at : self.at + min(self.chunk, len(buffer))]
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)


def read(data: bytes, chunk: int) -> tuple:
    line = Line(data, chunk)
    ranger = A02YYUW(line)
    assert ranger.start() > 0
    burst = array("i", [0] * ROOM)
    while line.at < len(data):
        ranger.read_into(burst)
    ranger.stop()
    return list(burst[: ranger.count]), ranger.frames, ranger.no_echo, ranger.bad_checksum


def check(data: bytes):
    if not data:
        return
    stream = data[1:]
    whole = read(stream, len(stream) or 1)
    assert read(stream, 1) == whole
    assert read(stream, data[0] % 80 + 1) == whole
    ranges, frames, no_echo, _ = whole
    assert all(BLANKING_MM <= mm <= RANGE_MM for mm in ranges)
    assert 4 * frames <= len(stream)
    assert frames == no_echo + len(ranges) or len(ranges) == ROOM


SEEDS = tuple(
    bytes.fromhex("07" + data)
    for data in ("ff07a1a7" * 5, "ffff01ffffff01ffff", "ff07ff07a1a7", "ff0000ffff07a1a8fffffdfb", "00ff1194a4ff07a1")
)

if __name__ == "__main__":
    fuzz(check, SEEDS)
