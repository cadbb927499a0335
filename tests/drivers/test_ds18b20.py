import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.drivers import ds18b20
from node.drivers.ds18b20 import DS18B20
from simulator.chips.ds18b20 import DS18B20 as Chip
from simulator.chips.ds18b20 import crc8, rom_of
from simulator.chips.i2c import NO_FAULTS, Faults
from tests.drivers.wire import Clock, measure, outcome

# Datasheet table 1 (temperature and data; p. 6 of 19-7487 revision 6, p. 4 of the older 22 pages): register, degC times 10000
TABLE = [
    (0x07D0, 1250000), (0x0550, 850000), (0x0191, 250625), (0x00A2, 101250), (0x0008, 5000),
    (0x0000, 0), (0xFFF8, -5000), (0xFF5E, -101250), (0xFE6F, -250625), (0xFC90, -550000),
]  # fmt: skip
# Scratchpads as captured: a Raspberry Pi's kernel, with its millidegrees (cpetrich/counterfeit_DS18B20 issue 22); the last is that repository's power-up state
CAPTURED = [
    ("f4004b467fff0c10fa", 15250),
    ("f3004b467fff0d10ee", 15187),
    ("f6004b467fff0a10d6", 15375),
    ("50054b467fff0c101c", 85000),
]
# Numbers of real chips with their CRC (the same repository's README; Maxim's application note 27, figure 2)
ROMS = ["28139bbb0b00001f", "28aa3c61551401f0", "28ff641dcd96f201"]
APPLICATION_NOTE_27 = "021cb801000000a2"


def fitted(clock, truth=lambda t: 2506, faults=NO_FAULTS, config=None, **more):
    return DS18B20(Chip(clock, truth, faults, **more), config or {})


def test_the_datasheets_table_comes_out_in_hundredths():
    for raw, ten_thousandths in TABLE:
        assert abs(ds18b20.convert_temperature(raw) * 100 - ten_thousandths) <= 50


def test_captured_scratchpads_have_the_right_checksum_and_the_kernels_value():
    for data, millidegrees in CAPTURED:
        pad = bytes.fromhex(data)
        assert ds18b20.crc8(pad, 9) == 0
        assert abs(ds18b20.convert_temperature(pad[1] << 8 | pad[0]) * 10 - millidegrees) <= 5


def test_numbers_of_real_chips_are_taken_and_others_refused():
    for rom in ROMS:
        assert ds18b20.select(rom) == b"\x55" + bytes.fromhex(rom)
    assert ds18b20.crc8(bytes.fromhex(APPLICATION_NOTE_27), 8) == 0
    for rom in (APPLICATION_NOTE_27, "", "28", ROMS[0][:-1] + "e", "zz" * 8):
        with pytest.raises(ValueError):
            DS18B20(None, {"rom": rom})


@given(st.integers(-5500, 12490))
def test_the_chip_model_turned_back_gives_the_truth(cc):
    clock = Clock()
    got = outcome(fitted(clock, lambda t: cc), clock)
    assert abs(got[0] - cc) <= 4


def test_a_measurement_takes_less_than_a_second_and_no_look_moves_more_than_six_bytes():
    clock = Clock()
    chip = Chip(clock, lambda t: 2506)
    moved = []

    class Counting:
        def reset(self):
            return chip.reset()

        def write(self, byte):
            moved[-1] += 1
            chip.write(byte)

        def read(self):
            moved[-1] += 1
            return chip.read()

    driver = DS18B20(Counting(), {"rom": chip.rom.hex()})
    values = [0]
    moved.append(0)
    wait = driver.start()
    while wait > 0:
        clock.t += wait
        moved.append(0)
        wait = driver.read_into(values)
    assert (wait, values) == (0, [2506])
    assert clock.t < 800
    assert max(moved) <= 6


def test_85_degrees_after_a_power_dip_is_no_reading():
    for dip in (10, 300, 755):
        for copy in (False, True):
            clock = Clock()
            assert outcome(fitted(clock, power_dips_ms=(dip,), copy=copy), clock) == "no_answer"


def test_85_degrees_without_a_conversion_is_no_reading():
    """The chip hears its mark, not the command to convert: supply too weak, or noise. Its register still says what it said at power-up."""

    class Deaf(Chip):
        def write(self, byte):
            super().write(0 if byte == 0x44 else byte)

    for copy in (False, True):
        clock = Clock()
        assert outcome(DS18B20(Deaf(clock, lambda t: 2506, copy=copy), {}), clock) == "no_answer"


def test_a_panel_that_is_85_degrees_hot_is_believed():
    clock = Clock()
    assert outcome(fitted(clock, lambda t: 8500), clock) == [8500]  # byte 6 of a genuine chip proves it
    clock = Clock()
    driver = fitted(clock, lambda t: 8200 if t < 1000 else 8500, copy=True)
    assert outcome(driver, clock) == [8200]
    clock.t = 1000
    assert outcome(driver, clock) == [8500]  # a copy is believed near the reading before
    clock = Clock()
    assert outcome(fitted(clock, lambda t: 8500, copy=True), clock) == "no_answer"


def test_a_failed_conversion_of_a_genuine_chip_is_out_of_range():
    clock = Clock()
    assert outcome(fitted(clock, lambda t: 12794), clock) == "out_of_range"


def test_pulled_and_plugged_in_again_it_comes_back():
    clock = Clock()
    driver = fitted(
        clock,
        faults=Faults(unplugged_ms=((1000, 2000), (2500, 2600)), zeros_ms=((5000, 6000),), garbage_ms=((6000, 7000),)),
    )
    got = []
    for t in (0, 1000, 2100, 3000, 5000, 6000, 8000):
        clock.t = t
        got.append(outcome(driver, clock))
    assert got == [[2506], "no_answer", "no_answer", [2506], "no_answer", "bad_checksum", [2506]]


class Wire:
    """Several chips on one wire: what they say is ANDed."""

    def __init__(self, chips):
        self.chips = chips

    def reset(self):
        return max([chip.reset() for chip in self.chips])

    def write(self, byte):
        for chip in self.chips:
            chip.write(byte)

    def read(self):
        said = 0xFF
        for chip in self.chips:
            said &= chip.read()
        return said


def test_several_on_one_wire_are_told_apart_by_their_numbers():
    clock = Clock()
    wire = Wire([Chip(clock, lambda t, n=n: 1000 * n, serial=n) for n in (1, 2, 3)])
    for n in (1, 2, 3):
        assert outcome(DS18B20(wire, {"rom": rom_of(n).hex()}), clock) == [1000 * n]
    assert outcome(DS18B20(wire, {"rom": rom_of(4).hex()}), clock) == "no_answer"
    assert outcome(DS18B20(wire, {}), clock) == "bad_checksum"


class Scripted:
    """The scratchpad as given; the mark is put in as the driver wrote it where `honest`."""

    def __init__(self, data, honest=False, flip=None):
        self.data = data
        self.honest = honest
        self.flip = flip
        self.heard = []
        self.at = 0

    def reset(self):
        return 1

    def write(self, byte):
        if self.heard[-1:] == [0x4E]:
            self.mark = byte
        self.heard.append(byte)

    def read(self):
        pad = bytearray(self.data)
        if self.honest:
            pad[2:4] = bytes((self.mark, self.mark ^ 0xFF))
            pad = bytearray(bytes(pad[:8]) + bytes((crc8(bytes(pad[:8])),)))
        if self.flip is not None:
            pad[self.flip // 8] ^= 1 << self.flip % 8
        byte = pad[self.at % len(pad)]
        self.at += 1
        return byte


def test_every_single_bit_flip_is_refused():
    for data, _ in CAPTURED[:3]:
        pad = bytes.fromhex(data)
        assert isinstance(outcome(DS18B20(Scripted(pad, honest=True), {})), list)
        for bit in range(72):
            assert outcome(DS18B20(Scripted(pad, honest=True, flip=bit), {})) == "bad_checksum"


def test_a_wire_held_low_has_a_right_checksum_and_is_still_no_reading():
    assert crc8(bytes(8)) == 0
    assert outcome(DS18B20(Scripted(bytes(9)), {})) == "no_answer"
    assert outcome(DS18B20(Scripted(b"\xff" * 9), {})) == "no_answer"


@given(st.binary(min_size=1, max_size=20))
def test_any_bytes_from_the_wire_give_a_reading_in_range_or_a_reason(data):
    got = outcome(DS18B20(Scripted(data), {}))
    assert got in ("no_answer", "bad_checksum", "out_of_range") or -5500 <= got[0] <= 12500


@given(st.integers(0, 0xFFFF), st.integers(0, 255))
def test_any_temperature_register_gives_a_reading_in_range_or_a_reason(raw, byte_6):
    pad = bytes((raw & 0xFF, raw >> 8, 0, 0, 0x7F, 0xFF, byte_6, 0x10, 0))
    got = outcome(DS18B20(Scripted(pad, honest=True), {}))
    assert got in ("no_answer", "out_of_range") or -5500 <= got[0] <= 12500


def test_a_first_measurement_is_within_its_time():
    clock = Clock()
    result, _, total = measure(fitted(clock), clock)
    assert result == 0
    assert total < 800
