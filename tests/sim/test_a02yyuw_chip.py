"""The simulated ranger sends what the maker's page says, whoever reads it."""

import pytest

from simulator.adapters.buses import RX_BYTES, UART
from simulator.agenda import Moment
from simulator.chips.a02yyuw import A02YYUW, Faults, checksum
from simulator.world.river import River

MAKERS_EXAMPLE = (0x07, 0xA1, 0xA7)  # 1953 mm, wiki.dfrobot.com/sen0311
CLEAN = Faults(bias_mm=0, noise_mm=0, heat_cc=0)
ROUGH = Faults(spike_ppm=50_000, burst_spike_ppm=20_000, no_echo_ppm=50_000, bad_sum_ppm=50_000, lost_byte_ppm=50_000)


def ranger(faults: Faults, level_mm: int = 1000, height_mm: int = 2953) -> A02YYUW:
    return A02YYUW(5, "dr01", River([level_mm, level_mm], 300_000), height_mm, 0, faults)


def good(frame: bytes) -> bool:
    return len(frame) == 4 and frame[0] == 0xFF and checksum(frame[1], frame[2]) == frame[3]


def test_clean_frame_is_the_makers_example():
    assert checksum(*MAKERS_EXAMPLE[:2]) == MAKERS_EXAMPLE[2]
    assert ranger(CLEAN).frame(400) == b"\xff\x07\xa1\xa7"


def test_every_flipped_bit_of_a_frame_is_refused():
    # An additive checksum catches every single flip: of a data bit it moves the sum by a power of two below 256, of the sum it moves that
    # itself, and of the header the frame has none. Two flips can cancel out; the sensor offers nothing against that.
    for mm in (30, 255, 256, 511, 1953, 4500):
        frame = bytes((0xFF, mm >> 8, mm & 0xFF, checksum(mm >> 8, mm & 0xFF)))
        for bit in range(32):
            flipped = bytearray(frame)
            flipped[bit // 8] ^= 1 << bit % 8
            assert not good(bytes(flipped)), (mm, bit)


def test_two_flipped_bits_can_pass_the_checksum():
    assert good(b"\xff\x06\xa1\xa6")  # 1697 mm is 1953 mm with one bit lost in H and one in SUM


def test_accuracy_stays_within_the_makers_centimetre_but_for_heat():
    chip = ranger(Faults(heat_cc=0))
    errors = [int.from_bytes(chip.frame(t)[1:3], "big") - 1953 for t in range(0, 600_000, 100)]
    assert max(map(abs, errors)) <= 12  # bias of 4 mm, noise of 2 mm: 4 standard deviations
    assert len(set(errors)) > 5


def test_sun_moves_the_distance_by_its_share():
    chip = ranger(Faults(bias_mm=0, noise_mm=0, heat_cc=150))
    at_2h, at_14h = (int.from_bytes(chip.frame(hour * 3_600_000)[1:3], "big") for hour in (2, 14))
    assert at_2h == 1953
    assert at_14h == 1953 + 1953 * 150 // 58_300


@pytest.mark.parametrize(("level_mm", "what"), [(2930, "nearer than 30 mm"), (-1600, "farther than 4500 mm")])
def test_out_of_range_says_zero_under_a_good_checksum(level_mm, what):
    assert ranger(CLEAN, level_mm).frame(400) == b"\xff\x00\x00\xff", what
    silent = Faults(bias_mm=0, noise_mm=0, heat_cc=0, no_echo="silent")
    assert ranger(silent, level_mm).frame(400) == b"", what


def test_unplugged_ranger_sends_nothing():
    chip = ranger(Faults(unplugged_ms=((1000, 2000),)))
    assert good(chip.frame(900))
    assert chip.frame(1000) == b""
    assert chip.frame(1900) == b""
    assert good(chip.frame(2000))


def test_faults_come_as_often_as_asked():
    frames = [ranger(ROUGH).frame(t) for t in range(400, 1_000_000, 100)]
    count = len(frames)
    short = sum(len(frame) < 4 for frame in frames)
    bad = sum(len(frame) == 4 and not good(frame) for frame in frames)
    nothing = sum(frame == b"\xff\x00\x00\xff" for frame in frames)
    for found in (short, bad, nothing):
        assert 0.04 < found / count < 0.06


def test_any_reading_pattern_gives_the_same_frames():
    def read(pause_ms: int, count: int) -> bytes:
        moment = Moment()
        bus = UART(moment, ranger(ROUGH))
        bus.open()
        got = bytearray()
        buffer = bytearray(count)
        while moment.t < 3000:
            moment.t += pause_ms
            while found := bus.read_into(buffer):
                got += buffer[:found]
        return bytes(got)

    once = read(3000, 64)
    assert len(once) > 80
    assert read(1, 1) == once
    assert read(75, 7) == once


def test_first_frame_comes_after_warm_up_and_then_every_100_ms():
    moment = Moment()
    bus = UART(moment, ranger(CLEAN))
    moment.t = 12_345
    bus.open()
    moment.t += 399
    assert bus.waiting() == b"\xff\x07\xa1\xa7"
    moment.t += 1
    assert len(bus.waiting()) == 8
    bus.close()
    assert bus.read_into(bytearray(8)) == 0


def test_unread_bytes_beyond_the_uart_buffer_are_lost():
    moment = Moment()
    bus = UART(moment, ranger(CLEAN))
    bus.open()
    moment.t = 3_600_000
    assert len(bus.waiting()) == RX_BYTES
