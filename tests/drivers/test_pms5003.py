import csv
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import BAD_CHECKSUM, NO_ANSWER, REASONS
from node.drivers.pms5003 import PMS5003
from simulator.chips import pms5003 as chip
from simulator.chips.line import LineFaults
from tests import vm32, vm64
from tests.drivers.serial_desk import VECTORS, Bench, Line, frames_of, measure, on_this_python, pieces

WARMING_UP = REASONS.index("warming_up")
# Captured from a sensor, and what PyPMS decodes of them (README beside the files).
FRAMES = list(frames_of("PMSx003.hexdump"))
ERRORS = json.loads((VECTORS / "serial.json").read_text(encoding="utf-8"))["pm_error_frames"]
# A frame that lost two bytes on a UART without room, with the head of the next: forums.pimoroni.com 15841
TRUNCATED = bytes(
    [66, 77, 0, 28, 0, 4, 0, 5, 0, 5, 0, 4, 0, 5, 0, 3, 126, 0, 226, 0, 23, 0, 2, 0, 0, 0, 0, 151, 0, 2, 66, 77]
)
# The commands, as Plantower's manual (appendix II) has them and Adafruit's forum quotes them (167487)
WAKE, ACTIVE, SLEEP = (bytes.fromhex(text) for text in ("424de400010174", "424de100010171", "424de400000173"))


class Warm(PMS5003):
    """One that has been awake for long."""

    def __init__(self, bus):
        super().__init__(bus, {})
        self._warming_ms = 0
        self._told = True


def read(chunks):
    """The result and values of a measurement on which these bytes came, a chunk a look."""
    line = Line()
    driver = Warm(line)
    driver.start()
    line.chunks = [bytes(chunk) for chunk in chunks if chunk]
    driver.start = lambda: 0
    result, values, _ = measure(driver, line)
    return result, values


def newest(stream):
    """The driver's verdict on a stream that has arrived whole: values, good frames, bad ones."""
    return split([stream])


def split(chunks):
    line = Line()
    driver = Warm(line)
    driver.start()
    line.chunks = [bytes(chunk) for chunk in chunks if chunk]
    while line.chunks:
        driver._receive()
    return bytes(driver._newest), driver.frames, driver.bad_checksum


def test_captured_frames_are_what_pypms_reads():
    rows = list(csv.reader((VECTORS / "PMSx003.csv").read_text(encoding="ascii").splitlines()))[1:]
    assert len(rows) == len(FRAMES) == 10
    for frame, row in zip(FRAMES, rows, strict=True):
        expected = [round(float(text) * 10) for text in row[4:7]]
        assert read([frame]) == (0, expected)


def test_the_newest_of_several_frames_counts():
    assert read([b"".join(FRAMES)]) == (0, [0, 50, 50])


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row["case"])
def test_damaged_frames_of_pypms(row):
    reasons = {"short": -NO_ANSWER, "wrong header": -NO_ANSWER, "wrong checksum": -BAD_CHECKSUM, "empty": -WARMING_UP}
    expected = [reason for words, reason in reasons.items() if words in row["case"]]
    assert [read([bytes.fromhex(row["hex"])])] == [(reason, [7, 7, 7]) for reason in expected]


def test_a_truncated_frame_does_not_cost_the_next():
    assert read([TRUNCATED])[0] == -BAD_CHECKSUM
    assert read([TRUNCATED[:-2] + FRAMES[0]]) == (0, [0, 80, 80])


def test_the_chip_model_frames_as_the_captured_ones():
    for frame in FRAMES:
        assert chip.framed(struct.unpack(">13H", frame[4:30])) == frame


def test_the_chip_model_says_the_same_however_often_it_is_asked():
    def said(step_ms):
        model = chip.PMS5003(
            1, "ai01", lambda t_ms: (11, 22, 33), LineFaults(flipped_ppm=200_000, unplugged_ms=((9000, 20_000),))
        )
        fifo = bytearray()
        for t in range(1000, 91_000, step_ms):
            if t % 30_000 == 1000:
                model.hear(t, SLEEP)
            if t % 30_000 == 11_000:
                model.hear(t, WAKE)
            model.frames_into(fifo, t, t + step_ms, 1000, 1 << 20)
        return bytes(fifo)

    assert said(10) == said(50) == said(1000) == said(10_000)
    assert len(said(10)) > 200


def test_every_single_bit_flip_is_refused_and_the_next_frame_found():
    tried = 0
    for frame in FRAMES:
        for bit in range(8 * len(frame)):
            struck = bytearray(frame)
            struck[bit // 8] ^= 1 << bit % 8
            tried += 1
            assert read([struck])[0] in (-NO_ANSWER, -BAD_CHECKSUM), bit
            assert read([struck + FRAMES[0]]) == (0, [0, 80, 80])
    print(f"{tried} flips refused")


def test_a_frame_cut_anywhere_is_refused():
    for end in range(32):
        assert read([FRAMES[0][:end]])[0] == -NO_ANSWER
        assert read([FRAMES[0][end + 1 :]])[0] == -NO_ANSWER
        assert read([FRAMES[0][:end] + FRAMES[1] + FRAMES[1]]) == (0, [0, 70, 70])


some = st.lists(
    st.one_of(st.binary(max_size=9), st.sampled_from(FRAMES), st.binary(max_size=80), st.just(b"BM\x00\x1c")),
    max_size=8,
)


@given(some, st.data())
def test_any_bytes_in_any_chunks_give_the_same(parts, data):
    stream = b"".join(parts)
    whole = newest(stream)
    assert split(pieces(stream, data, st)) == whole
    assert split([stream[i : i + 1] for i in range(len(stream))]) == whole


def test_masses_are_never_clamped():
    frame = chip.framed((1, 2, 3, 0xFFFF, 1001, 0, 1, 1, 1, 1, 1, 1, 0x9700))
    assert read([frame]) == (0, [655350, 10010, 0])


def test_a_line_that_never_runs_dry_does_not_hold_the_loop():
    class Endless(Line):
        def read_into(self, buffer):
            buffer[:] = (b"BM" * len(buffer))[: len(buffer)]
            return len(buffer)

    line = Endless()
    assert measure(Warm(line), line)[0] == -NO_ANSWER


# Waking, warming up, sleeping


def test_the_first_reading_comes_thirty_seconds_after_waking_and_is_right():
    desk = Bench(chip.PMS5003(1, "ai01", lambda t_ms: (11, 22, 33)))
    driver = PMS5003(desk.bus, {})
    began = desk.moment.t
    assert desk.measure(driver) == (0, [110, 220, 330])
    assert 30_000 <= desk.moment.t - began < 34_000
    began = desk.moment.t
    assert desk.measure(driver) == (0, [110, 220, 330])
    assert desk.moment.t - began == 2500


def test_stop_sends_it_to_sleep_and_start_wakes_it():
    line = Line()
    driver = PMS5003(line, {})
    driver.start()
    assert line.written == [WAKE]
    measure(driver, line)
    assert line.written == [WAKE, WAKE, ACTIVE]
    driver.stop()
    assert line.written[3:] == [SLEEP]
    assert not line.is_open


def test_asleep_it_is_silent_and_warms_up_again():
    desk = Bench(chip.PMS5003(1, "ai01", lambda t_ms: (11, 22, 33)))
    driver = PMS5003(desk.bus, {})
    assert desk.measure(driver)[0] == 0
    desk.bus.write(SLEEP)
    desk.moment.t += 10_000
    assert desk.measure(driver) == (-NO_ANSWER, [7, 7, 7])
    began = desk.moment.t
    assert desk.measure(driver) == (0, [110, 220, 330])
    assert desk.moment.t - began >= 30_000


def test_a_passive_one_is_made_to_speak():
    desk = Bench(chip.PMS5003(1, "ai01", lambda t_ms: (11, 22, 33)))
    desk.bus.open()
    desk.bus.write(bytes.fromhex("424de100000170"))
    assert desk.measure(PMS5003(desk.bus, {})) == (0, [110, 220, 330])


def test_unplugged_is_no_answer_within_seconds_and_plugged_in_again_comes_back_warm():
    start = Bench(None).moment.t
    faults = LineFaults(unplugged_ms=((start + 50_000, start + 100_000),))
    desk = Bench(chip.PMS5003(1, "ai01", lambda t_ms: (11, 22, 33), faults))
    driver = PMS5003(desk.bus, {})
    assert desk.measure(driver)[0] == 0
    desk.moment.t = start + 60_000
    assert desk.measure(driver)[0] == -NO_ANSWER
    assert desk.moment.t == start + 65_000
    desk.moment.t = start + 101_000
    assert desk.measure(driver) == (0, [110, 220, 330])


@pytest.mark.parametrize("kind", ["silent", "cut", "flipped", "lost_byte", "garbage"])
def test_every_fault_is_a_reason_or_the_truth(kind):
    desk = Bench(chip.PMS5003(1, "ai01", lambda t_ms: (11, 22, 33), LineFaults(**{kind + "_ppm": 300_000})))
    driver = PMS5003(desk.bus, {})
    results = [desk.measure(driver) for _ in range(40)]
    assert {result for result, _ in results} <= {0, -NO_ANSWER, -BAD_CHECKSUM}
    assert all(values == ([110, 220, 330] if result == 0 else [7, 7, 7]) for result, values in results)
    assert sum(result == 0 for result, _ in results) >= 25


def test_a_sister_that_counts_no_particles_is_refused():
    desk = Bench(chip.PMS5003(1, "ai01", lambda t_ms: (11, 22, 33), LineFaults(wrong_chip=True)))
    assert desk.measure(PMS5003(desk.bus, {})) == (-NO_ANSWER, [7, 7, 7])


TABLE = """
from array import array
from node.drivers.pms5003 import PMS5003
class Bus:
    def open(self): pass
    def close(self): pass
    def write(self, data): pass
    def read_into(self, buffer):
        n = 0
        while n < 50 and self.at < len(self.data):
            buffer[n] = self.data[self.at]
            n += 1
            self.at += 1
        return n
bus = Bus()
for bus.data in %r:
    driver = PMS5003(bus, {})
    driver._warming_ms = 0
    driver.start()
    bus.at = 0
    values = array('i', [7, 7, 7])
    wait = 1
    while wait > 0:
        wait = driver.read_into(values)
    print(wait, list(values), driver.frames, driver.bad_checksum)
"""


def test_the_vm_says_the_same():
    script = TABLE % [*FRAMES, *(bytes.fromhex(row["hex"]) for row in ERRORS), TRUNCATED, b"".join(FRAMES)]
    here = on_this_python(script)
    assert here.count("\n") == 16
    assert vm64.run(script) == here
    assert vm32.run(script, vm32.firmware_files()) == here
