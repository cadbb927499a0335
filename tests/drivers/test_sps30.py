import csv
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.measurements import BAD_CHECKSUM, MISSING, NO_ANSWER, OUT_OF_RANGE, REASONS
from node.drivers.sps30 import SPS30
from simulator.chips import sps30 as chip
from simulator.chips.line import LineFaults
from tests import vm32, vm64
from tests.drivers.serial_desk import VECTORS, Bench, Line, frames_of, measure, on_this_python, pieces

WARMING_UP = REASONS.index("warming_up")
# Captured from a sensor, and what PyPMS decodes of them (README beside the files).
FRAMES = list(frames_of("SPS30.hexdump"))
# Frames of the datasheet (version 2, 5.2 and 5.3), as the tests of MasandeM/sps30 (Go) and others quote them
START = bytes.fromhex("7e0000020103f97e")
STOP = bytes.fromhex("7e000100fe7e")
READ = bytes.fromhex("7e000300fc7e")
STARTED = bytes.fromhex("7e00000000ff7e")
EMPTY = bytes.fromhex("7e00030000fc7e")
ZEROS = bytes.fromhex("7e00030028" + 40 * "00" + "d47e")
RUNS = bytes.fromhex("7e00004300bc7e")  # captured: start while it measures
# Captured by the same: clean air, 0.0391 ug/m3 and more, with one byte stuffed
CLEAN = bytes.fromhex(
    "7e000300283d2001e33d5adecf3d81cc533d8c48ae3e73397d5e3e97b9033e9e8b9f3e9ff1713ea04e183f3650125a7e"
)
OTHERS = [
    bytes.fromhex(text)
    for text in (
        "7e007d314300ab7e",
        "7e00d1000702030007000200197e",
        "7e00d10007027d3100070002000b7e",
        "7e00d200050000000000287e",
    )
]  # wake-up refused; versions, one with a stuffed byte; status
NAME = bytes.fromhex("7e00d001002e7e")
NAMED = chip.framed(b"\0\xd0\0\x09" + chip.PRODUCT)
PM = [52, 95, 126, 133]  # of the first captured frame


def known(line):
    """A driver that has read once."""
    line.answers = [[NAMED], [RUNS], [FRAMES[0]]]
    driver = SPS30(line, {})
    assert measure(driver, line)[:2] == (0, PM)
    line.written.clear()
    return driver


def read(*answers):
    """A measurement of a known sensor: what each request is answered with, a chunk a look."""
    line = Line()
    driver = known(line)
    line.answers = [list(chunks) for chunks in answers]
    return measure(driver, line)[:2]


def test_captured_frames_are_what_pypms_reads():
    rows = list(csv.reader((VECTORS / "SPS30.csv").read_text(encoding="ascii").splitlines()))[1:]
    assert len(rows) == len(FRAMES) == 10
    for frame, row in zip(FRAMES, rows, strict=True):
        assert read([frame]) == (0, [round(float(text) * 10) for text in row[1:5]])
    assert read([CLEAN]) == (0, [0, 1, 1, 1])
    assert read([ZEROS]) == (0, [0, 0, 0, 0])


def test_what_is_sent_is_the_datasheets():
    line = Line(answers=[[NAMED], [STARTED], [FRAMES[0]]])
    driver = SPS30(line, {})
    assert measure(driver, line) == (0, PM, 30_090)
    assert line.written == [NAME, START, READ]
    driver.stop()
    assert line.written[3:] == [STOP]
    assert not line.is_open


def test_frames_of_others_are_made_and_read_by_the_chip_model():
    for frame in [*FRAMES, *OTHERS, START, STOP, READ, STARTED, EMPTY, ZEROS, RUNS, CLEAN]:
        assert chip.framed(chip.unframed(frame)) == frame


def test_answers_to_other_commands_are_passed_over():
    for other in [*OTHERS, STARTED, NAMED]:
        assert read([other + FRAMES[0]]) == (0, PM)
        assert read([other])[0] == -NO_ANSWER


def test_no_newer_reading_is_waited_for():
    assert read([EMPTY], [EMPTY], [FRAMES[0]]) == (0, PM)
    assert read([EMPTY], [EMPTY], [EMPTY], [EMPTY])[0] == -WARMING_UP


def test_a_sensor_in_integer_mode_is_stopped_and_begun_anew():
    line = Line()
    driver = known(line)
    line.answers = [[chip.framed(b"\0\3\0\x14" + bytes(20))], [], [NAMED], [STARTED], [FRAMES[0]]]
    assert measure(driver, line)[0] == -OUT_OF_RANGE
    assert line.written == [READ, STOP]
    assert measure(driver, line) == (0, PM, 30_090)


def test_no_number_is_missing():
    data = struct.pack(">10f", float("nan"), float("inf"), 1e30, 12.55, *6 * [0])
    assert read([chip.framed(b"\0\3\0\x28" + data)]) == (0, [MISSING, MISSING, MISSING, 126])


def test_every_single_bit_flip_is_refused():
    tried = 0
    for frame in [*FRAMES, CLEAN]:
        for bit in range(8, 8 * len(frame) - 8):  # a struck flag, below
            struck = bytearray(frame)
            struck[bit // 8] ^= 1 << bit % 8
            tried += 1
            result, values = read([struck])
            assert result in (-NO_ANSWER, -BAD_CHECKSUM), (frame.hex(), bit)
            assert values == [7] * 4
    print(f"{tried} flips refused")


def test_a_struck_flag_costs_the_frame_or_nothing():
    for bit in range(8):
        for at in (0, -1):
            struck = bytearray(FRAMES[0])
            struck[at] ^= 1 << bit
            assert read([struck])[0] in (-NO_ANSWER, -BAD_CHECKSUM)


def test_a_frame_cut_anywhere_is_refused():
    for end in range(len(FRAMES[0])):
        assert read([FRAMES[0][:end]])[0] in (-NO_ANSWER, -BAD_CHECKSUM)
        if end:
            assert read([FRAMES[0][end + 1 :]])[0] in (-NO_ANSWER, -BAD_CHECKSUM)


@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from([b"\x7e", b"\x7d", b"\x7e\0\3\0\x28", *OTHERS])), max_size=6
    )
)
def test_noise_before_an_answer_costs_it_at_most(parts):
    noise = b"".join(parts)
    result, values = read([noise + b"\x7e" + FRAMES[0]])
    assert (result, values) == (0, PM) or b"\x00\x03" in noise


@given(st.binary(max_size=200), st.booleans(), st.data())
def test_any_bytes_in_any_chunks_give_the_same(noise, good, data):
    stream = noise + (b"\x7e" + FRAMES[2] if good else b"")
    verdicts = []
    for chunks in ([stream], pieces(stream, data, st), [stream[i : i + 1] for i in range(len(stream))]):
        line = Line()
        driver = known(line)
        driver.start()
        line.chunks = [bytes(chunk) for chunk in chunks if chunk]
        found = False
        while line.chunks and not found:
            found = driver._receive()
        verdicts.append((found, driver.bad_checksum, bytes(driver._frame) if found else b""))
    assert verdicts[0] == verdicts[1] == verdicts[2]


def test_a_line_that_never_runs_dry_does_not_hold_the_loop():
    class Endless(Line):
        def read_into(self, buffer):
            buffer[:] = b"\x7e\x00\x7d\x00" * (len(buffer) // 4)
            return len(buffer)

    line = Endless()
    assert measure(SPS30(line, {}), line)[0] == -BAD_CHECKSUM


# Against the chip model


def bench(**options):
    desk = Bench(chip.SPS30(1, "ai01", lambda t_ms: (52, 95, 126, 133), **options))
    return desk, SPS30(desk.bus, {})


def test_the_first_reading_comes_thirty_seconds_after_the_start_and_is_right():
    desk, driver = bench()
    began = desk.moment.t
    assert desk.measure(driver) == (0, PM)
    assert 30_000 <= desk.moment.t - began < 31_000
    desk.moment.t += 60_000
    began = desk.moment.t
    assert desk.measure(driver) == (0, PM)
    assert desk.moment.t - began == 30
    assert desk.measure(driver) == (0, PM)  # within the same second: waited for


def test_a_station_that_boots_finds_it_measuring():
    desk, driver = bench()
    assert desk.measure(driver)[0] == 0
    desk.moment.t += 5000
    began = desk.moment.t
    assert desk.measure(SPS30(desk.bus, {})) == (0, PM)
    assert desk.moment.t - began < 200


def test_one_that_lost_power_unseen_is_started_again():
    start = Bench(None).moment.t
    desk, driver = bench(faults=LineFaults(unplugged_ms=((start + 40_000, start + 45_000),)))
    assert desk.measure(driver)[0] == 0
    desk.moment.t = start + 60_000
    assert desk.measure(driver) == (0, PM)
    assert desk.moment.t >= start + 90_000


def test_unplugged_is_no_answer_at_once_and_plugged_in_again_comes_back_warm():
    start = Bench(None).moment.t
    desk, driver = bench(faults=LineFaults(unplugged_ms=((start + 40_000, start + 50_000),)))
    assert desk.measure(driver)[0] == 0
    desk.moment.t = start + 45_000
    assert desk.measure(driver) == (-NO_ANSWER, [7] * 4)
    assert desk.moment.t == start + 45_090
    desk.moment.t = start + 51_000
    assert desk.measure(driver) == (0, PM)
    assert desk.moment.t >= start + 81_000


def test_a_dead_fan_is_no_reading():
    start = Bench(None).moment.t
    desk, driver = bench(fan_fails_ms=start + 40_000)
    assert desk.measure(driver)[0] == 0
    desk.moment.t = start + 60_000
    assert desk.measure(driver) == (-OUT_OF_RANGE, [7] * 4)


def test_another_product_is_refused():
    desk, driver = bench(faults=LineFaults(wrong_chip=True))
    assert desk.measure(driver) == (-NO_ANSWER, [7] * 4)


@pytest.mark.parametrize("kind", ["silent", "cut", "flipped", "lost_byte", "garbage"])
def test_every_fault_is_a_reason_or_the_truth(kind):
    desk, driver = bench(faults=LineFaults(**{kind + "_ppm": 200_000}))
    results = []
    for _ in range(60):
        results.append(desk.measure(driver))
        desk.moment.t += 60_000
    assert {result for result, _ in results} <= {0, -NO_ANSWER, -BAD_CHECKSUM}
    assert all(values == (PM if result == 0 else [7] * 4) for result, values in results)
    assert sum(result == 0 for result, _ in results) >= 30


TABLE = """
from array import array
from node.drivers.sps30 import SPS30
class Bus:
    def open(self): pass
    def close(self): pass
    def write(self, data):
        self.data = self.answers.pop(0) if self.answers else b""
        self.at = 0
    def read_into(self, buffer):
        n = 0
        while n < 60 and self.at < len(self.data):
            buffer[n] = self.data[self.at]
            n += 1
            self.at += 1
        return n
bus = Bus()
bus.data = b""
bus.at = 0
for answer in %r:
    bus.answers = [%r, %r, answer]
    driver = SPS30(bus, {})
    driver.start()
    values = array('i', [7] * 4)
    wait = 1
    while wait > 0:
        wait = driver.read_into(values)
    print(wait, list(values), driver.bad_checksum)
"""


def test_the_vm_says_the_same():
    struck = bytearray(FRAMES[4])
    struck[9] ^= 2
    script = TABLE % ([*FRAMES, CLEAN, ZEROS, EMPTY, RUNS, *OTHERS, bytes(struck), FRAMES[0][:20]], NAMED, RUNS)
    here = on_this_python(script)
    assert here.count("\n") == 20
    assert vm64.run(script) == here
    assert vm32.run(script, vm32.firmware_files()) == here
