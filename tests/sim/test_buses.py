"""The simulated buses and what a boot makes of them."""

import errno

import pytest

from simulator.adapters import buses
from simulator.agenda import Moment
from simulator.chips.tipping_bucket import Faults, RainSeries, TippingBucket
from tests.contract.contracts import Complement, Memory


def test_a_fault_lasts_its_span_and_no_longer():
    moment = Moment()
    chip, other = Memory(), Memory()
    other.registers[0] = 9
    bus = buses.I2C(moment, {0x40: chip}, held_ms=((10, 20),), gone=((0x40, 30, 40),), swapped=((0x40, 50, 60, other),))
    found = []
    for t in range(0, 70, 5):
        moment.t = t
        one = bytearray(1)
        try:
            bus.write(0x40, b"\x00")
            bus.read_into(0x40, one)
            found.append(one[0])
        except OSError as error:
            found.append(errno.errorcode[error.errno])
    assert found == [0, 0, "ETIMEDOUT", "ETIMEDOUT", 0, 0, "ENODEV", "ENODEV", 0, 0, 9, 9, 0, 0]


def test_another_chip_s_silence_is_nobody_s_business():
    bus = buses.I2C(Moment(), {0x40: Memory(), 0x41: Memory()}, gone=((0x41, 0, 99),))
    bus.write(0x40, b"\x00")
    with pytest.raises(OSError, match="nobody answers"):
        bus.write(0x41, b"\x00")


def test_where_several_speak_on_one_wire_a_zero_wins():
    bus = buses.OneWire(Moment(), (Complement(), Complement()))
    bus.write(0b1010_0101)
    assert bus.read() == 0b0101_1010
    silent = Complement()
    silent.read = lambda: 0xFF
    assert buses.OneWire(Moment(), (silent, silent)).read() == 0xFF


def test_a_shorted_wire_looks_like_an_answer_of_zeros():
    bus = buses.OneWire(Moment(), (Complement(),), shorted_ms=((0, 9),))
    assert (bus.reset(), bus.read()) == (1, 0)


def test_pulses_count_from_the_boot_on():
    moment = Moment()
    rain = RainSeries([(10_000, 2000)])
    bus = buses.Pulses(moment, TippingBucket(1, "rg01", rain, 200_000, Faults(bounces=5)))
    moment.t = 4500
    assert bus.count() == 4
    moment.t = 7500  # three tips in the dark
    bus.boot()
    assert bus.count() == 0
    moment.t = 20_000
    assert bus.count() == 3


def test_a_double_tip_is_counted_twice_and_a_bounce_is_not():
    moment = Moment()
    rain = RainSeries([(100_000, 2000)])
    bus = buses.Pulses(moment, TippingBucket(1, "rg01", rain, 200_000, Faults(bounces=9, double_ppm=1_000_000)))
    moment.t = 200_000
    assert bus.count() == 20


def test_a_serial_chip_hears_only_while_it_has_power():
    heard = []

    class Listener:
        def hear(self, t_ms, data):
            heard.append((t_ms, data))

        def frames_into(self, fifo, after_ms, now_ms, powered_ms, room):
            fifo += b"."

    moment = Moment()
    bus = buses.UART(moment, Listener())
    bus.write(b"no")
    bus.open()
    moment.t = 5
    bus.write(memoryview(b"yes"))
    bus.boot()
    bus.write(b"no")
    assert heard == [(5, b"yes")]
