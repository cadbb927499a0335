from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.drivers.maxbotix import MaxBotix
from simulator.chips import maxbotix as chip
from simulator.chips.line import LineFaults
from tests import vm32, vm64
from tests.drivers.serial_desk import Bench, Line, pieces

# What the sensor says after power, an MB7386 as EnviroDIY's ModularSensors records it; and lines garbled as a forum shows them (an MB7066 read with
# inverted levels, arduino.stackexchange.com 7976)
GREETING = b"HRXL-MaxSonar-WRL\rPN:MB7386\rCopyright 2011-2013 MaxBotix Inc.\rRoHS 1.8b090\r0713 TempI\r"
INVERTED = bytes((43, 192, 6, 6, 179, 89, 30, 0))
# bytes, ranges, frames, no_echo, bad_checksum. No captured stream was found: the first is the example of ESPHome's and Tasmota's readers, the others are
# made by the datasheet's form (HRXL-MaxSonar-WR, "Pin 5 serial output").
VECTORS = [
    (b"R1234\r", [1234], 1, 0, 0),
    (GREETING, [], 0, 0, 0),
    (GREETING + b"R1234\rR1235\r", [1234, 1235], 2, 0, 0),
    (INVERTED, [], 0, 0, 6),  # 43 and 89 are text
    (b"R0300\r", [300], 1, 0, 0),
    (b"R0299\r", [], 1, 1, 0),
    (b"R4998\r", [4998], 1, 0, 0),
    (b"R4999\r", [], 1, 1, 0),
    (b"R5000\r", [], 1, 1, 0),
    (b"R9999\r", [], 1, 1, 0),
    (b"R01234\r", [1234], 1, 0, 0),
    (b"R123456\r", [], 0, 0, 1),
    (b"R123\r", [], 0, 0, 1),  # centimetres
    (b"R12 4\r", [], 0, 0, 1),
    (b"R1234\n", [], 0, 0, 1),
    (b"R1234R1235\r", [1235], 1, 0, 1),
    (b"R12R1235\r", [1235], 1, 0, 1),
    (b"1234\rR1235\r", [1235], 1, 0, 0),
    (b"r1234\r", [], 0, 0, 0),
    (b"\xffR1234\r", [1234], 1, 0, 1),
    (b"R12\xff34\r", [], 0, 0, 1),
    (b"R\r", [], 0, 0, 0),
    (b"R-123\r", [], 0, 0, 0),
]


def read(chunks, config=None, room=400):
    line = Line()
    ranger = MaxBotix(line, config or {})
    ranger.start()
    line.chunks = [bytes(chunk) for chunk in chunks if chunk]
    burst = array("i", [0] * room)
    while line.chunks:
        ranger.read_into(burst)
    assert ranger.read_into(burst) == ranger.count
    return list(burst[: ranger.count]), ranger.frames, ranger.no_echo, ranger.bad_checksum


def test_lines_are_ranges_echoes_or_refused():
    for data, *expected in VECTORS:
        assert list(read([data])) == expected, data


def test_a_ten_metre_model_sees_to_its_own_end():
    far = {"range_mm": 9999, "blanking_mm": 500}
    assert read([b"R9997\rR0499\rR9998\rR9999\rR0500\r"], far)[:3] == ([9997, 500], 5, 3)
    assert read([b"R0499\rR0500\r"], {"range_mm": 9999})[0] == [500]
    assert read([b"R12345\r"], {"range_mm": 16500})[0] == [12345]


def test_start_forgets_half_a_line_and_the_last_burst():
    line = Line()
    ranger = MaxBotix(line, {})
    burst = array("i", [0] * 5)
    assert ranger.start() == 1010
    assert line.is_open
    line.chunks = [b"R1234\rR12"]
    assert ranger.read_into(burst) == 1
    ranger.start()
    line.chunks = [b"34\rR1700\r"]
    assert ranger.read_into(burst) == 1
    assert burst[0] == 1700
    ranger.stop()
    assert not line.is_open


def test_a_full_burst_takes_no_more():
    assert read([b"R%04d\r" % (1000 + i) for i in range(9)], room=5)[:2] == ([1000, 1001, 1002, 1003, 1004], 9)


def test_a_line_that_never_runs_dry_does_not_hold_the_loop():
    class Endless(Line):
        def read_into(self, buffer):
            buffer[:] = b"R" * len(buffer)
            return len(buffer)

    ranger = MaxBotix(Endless(), {})
    ranger.start()
    assert ranger.read_into(array("i", [0] * 5)) == 0


parts = st.lists(
    st.one_of(
        st.binary(max_size=9),
        st.integers(0, 99999).map(lambda mm: b"R%04d\r" % mm),
        st.lists(st.sampled_from(b"R0159\r\n\xff"), max_size=12).map(bytes),
    ),
    max_size=12,
)


@given(parts, st.data())
def test_any_bytes_in_any_chunks_give_the_same(some, data):
    stream = b"".join(some)
    whole = read([stream])
    assert read(pieces(stream, data, st)) == whole
    assert read([stream[i : i + 1] for i in range(len(stream))]) == whole
    assert all(300 <= mm <= 4998 for mm in whole[0])


def test_what_a_struck_bit_can_do_is_known():
    """It has no checksum: nearly four flips in five are refused, the rest are a digit that became another within range."""
    refused = taken = 0
    for mm in range(300, 4999, 7):
        line = b"R%04d\r" % mm
        for bit in range(8 * len(line)):
            struck = bytearray(line)
            struck[bit // 8] ^= 1 << bit % 8
            ranges = read([struck])[0]
            if ranges:
                taken += 1
                assert 1 <= bit // 8 <= 4
                assert bit % 8 < 4
                assert ranges != [mm]
                assert 300 <= ranges[0] <= 4998
            else:
                refused += 1
            assert read([struck + b"R1234\r"])[0][-1:] == [1234] or bit // 8 == 5
    print(f"of {refused + taken} flips {taken} passed as another range, {taken * 100 / (refused + taken):.0f} %")
    assert taken / (refused + taken) < 0.25


# The chip model


def bench(distance_mm=1953, **faults):
    model = chip.MaxBotix(5, "dr01", lambda t_ms: distance_mm, LineFaults(**faults), noise_mm=0)
    made = Bench(model)
    return made, MaxBotix(made.bus, {})


def test_a_burst_is_full_within_its_time():
    desk, ranger = bench()
    began = desk.moment.t
    assert desk.burst(ranger) == [1953] * 5
    assert desk.moment.t - began < 1300
    assert chip.GREETING == GREETING
    assert (ranger.bad_checksum, ranger.no_echo) == (0, 0)


@pytest.mark.parametrize("distance_mm", [4999, 5000, 9000])
def test_nothing_in_sight_is_no_echo(distance_mm):
    desk, ranger = bench(distance_mm)
    assert desk.burst(ranger) == []
    assert ranger.no_echo


def test_nearer_than_blanking_is_told_as_blanking():
    desk, ranger = bench(40)
    assert desk.burst(ranger) == [300] * 5


@pytest.mark.parametrize("kind", ["silent", "cut", "flipped", "lost_byte", "garbage"])
def test_every_fault_is_survived_and_the_next_burst_is_good(kind):
    desk, ranger = bench(**{kind + "_ppm": 1_000_000})
    for mm in desk.burst(ranger):
        assert 300 <= mm <= 4998
    desk, ranger = bench(**{kind + "_ppm": 200_000})
    bursts = [sorted(desk.burst(ranger)) for _ in range(50)]
    medians = [burst[len(burst) // 2] for burst in bursts if len(burst) >= 3]
    assert len(medians) >= 40
    assert medians.count(1953) >= len(medians) * 9 // 10


def test_unplugged_is_no_burst_and_plugged_in_again_is_one():
    desk, ranger = bench()
    start = desk.moment.t
    desk, ranger = bench(unplugged_ms=((start + 5000, start + 9000),))
    assert desk.burst(ranger) == [1953] * 5
    desk.moment.t = start + 6000
    assert desk.burst(ranger) == []
    assert (ranger.bad_checksum, ranger.no_echo) == (0, 0)
    desk.moment.t = start + 10_000
    assert desk.burst(ranger) == [1953] * 5


def test_the_chip_model_says_the_same_however_often_it_is_asked():
    def said(step_ms):
        model = chip.MaxBotix(
            5, "dr01", lambda t_ms: 1500 + t_ms // 100, LineFaults(cut_ppm=200_000, unplugged_ms=((3000, 9000),))
        )
        fifo = bytearray()
        for t in range(1000, 21_000, step_ms):
            model.frames_into(fifo, t, t + step_ms, 1000, 1 << 20)
        return bytes(fifo)

    assert said(1) == said(40) == said(1000) == said(20_000)
    assert said(40).count(GREETING) == 2


def test_a_model_in_centimetres_is_refused():
    desk, ranger = bench(wrong_chip=True)
    assert desk.burst(ranger) == []
    assert ranger.bad_checksum >= 5


VM = """
import micropython
from array import array
from node.drivers.maxbotix import MaxBotix
class Bus:
    def open(self):
        self.at = 0
    def close(self):
        pass
    def read_into(self, buffer):
        n = 0
        while n < 7 and self.at < len(self.data):
            buffer[n] = self.data[self.at]
            n += 1
            self.at += 1
        return n
bus = Bus()
ranger = MaxBotix(bus, {})
def run():
    error = None
    micropython.heap_lock()
    try:
        for turn in range(3):
            ranger.start()
            for look in range(len(bus.data) // 7 + 1):
                ranger.read_into(burst)
            ranger.stop()
    except MemoryError as e:
        error = e
    finally:
        micropython.heap_unlock()
    return error
for data in %r:
    bus.data = data
    burst = array('i', [0] * 9)
    before = ranger.frames, ranger.no_echo, ranger.bad_checksum
    error = run()
    print(error, list(burst)[:ranger.count], *[(now - then) // 3 for now, then in zip((ranger.frames, ranger.no_echo, ranger.bad_checksum), before)])
"""


@pytest.mark.parametrize("run", [vm64.run, lambda script: vm32.run(script, vm32.firmware_files())], ids=["64", "32"])
def test_the_vm_says_the_same_and_allocates_nothing(run):
    expected = "".join(f"None {ranges} {a} {b} {c}\n" for _, ranges, a, b, c in VECTORS)
    assert run(VM % [row[0] for row in VECTORS]) == expected
