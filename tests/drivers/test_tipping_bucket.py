"""The rain gauge's driver: against recorded rain tip by tip, over wraps, and in any pattern of reading."""

import csv
from array import array
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.clock import WRAP
from node.core.measurements import MISSING, OUT_OF_RANGE
from node.core.quantities import POINTS
from node.drivers.tipping_bucket import TippingBucket, convert_rate
from simulator.adapters.buses import Pulses
from simulator.agenda import Moment
from simulator.chips import tipping_bucket as chip

RECORDED = Path(__file__).parents[1] / "data" / "rain_amsterdam_2016.csv"
TIP_UM = 101  # the Netatmo gauge of the series

# thousandths of a mm, ms, tenths of a mm per hour
RATES = [
    (0, 60_000, 0),
    (200, 60_000, 120),  # one tip in a minute
    (200, 3_600_000, 2),
    (254, 300_000, 30),
    (1000, 3_600_000, 10),
    (200, 0, MISSING),
    (200, -5, MISSING),
    (1_000_000, 1, MISSING),
]


class Contact:
    def __init__(self, count, time):
        self.value = count
        self._time = time

    def count(self):
        self.counted_ms = self._time[0]
        return self.value


def gauge(tip_nm=200_000, count=0, at=0):
    time = [at]
    contact = Contact(count, time)
    return TippingBucket(contact, {"tip_nm": tip_nm}), contact, time


def read(driver):
    values = array("i", [0] * len(driver.GIVES))
    assert driver.start() == 0
    assert driver.read_into(values) == 0
    return tuple(values)


@pytest.mark.parametrize(("um", "gone_ms", "rate"), RATES)
def test_rate_is_rain_over_time(um, gone_ms, rate):
    assert convert_rate(um, gone_ms) == rate


def test_gives_rows_of_the_table():
    rows = {row[0]: row for row in POINTS}
    assert [rows[key][1:3] for key in TippingBucket.GIVES] == [("mm", 3), ("mm/h", 1)]


def test_each_read_gives_the_rain_since_the_one_before():
    driver, contact, time = gauge()
    contact.value, time[0] = 3, 60_000
    assert read(driver) == (600, 360)
    time[0] += 60_000
    assert read(driver)[0] == 0
    contact.value, time[0] = 4, time[0] + 60_000
    assert read(driver)[0] == 200


# ms between reads, tips in each read, the last read's rate in 0.1 mm/h
OVER_TIME = [
    (15_000, [1] + [0] * 21, 0),  # 330 s ago
    (15_000, [0] * 21 + [1], 27),  # one tip in 15 s, over the 270 s that reads may come early by
    (60_000, [0, 0, 0, 0, 0, 0, 1], 24),
    (60_000, [2, 0, 0, 0, 0, 0, 0], 0),
    (60_000, [1] * 7, 120),
    (300_000, [5, 1], 24),
    (299_800, [5, 1], 24),  # a read that comes a little early looks back no twice five minutes
    (3_600_000, [9, 1], 2),
]


@pytest.mark.parametrize(("every_ms", "tips", "rate"), OVER_TIME)
def test_a_rate_is_taken_over_five_minutes_however_often_it_is_read(every_ms, tips, rate):
    driver, contact, time = gauge(at=WRAP - 100_000)
    for count in tips:
        contact.value += count
        time[0] = (time[0] + every_ms) % WRAP
        _, told = read(driver)
    assert told == rate


def test_what_was_counted_before_the_driver_was_made_is_not_rain():
    driver, contact, time = gauge(count=17)
    time[0] = 60_000
    assert read(driver) == (0, 0)


def test_count_and_time_may_wrap_between_two_reads():
    driver, contact, time = gauge(count=WRAP - 2, at=WRAP - 30_000)
    contact.value, time[0] = 1, 30_000
    assert read(driver) == (600, 360)


def test_a_contact_that_chatters_is_out_of_range():
    driver, contact, time = gauge()
    contact.value, time[0] = 5001, 60_000
    values = array("i", [7, 7])
    assert driver.read_into(values) == -OUT_OF_RANGE
    assert list(values) == [7, 7]
    contact.value, time[0] = 5002, 120_000
    assert read(driver) == (200, 120)  # since the failure


@given(st.lists(st.integers(0, 300), max_size=60), st.sampled_from([101_000, 200_000, 254_000, 279_400, 100_001]))
def test_sums_are_exact_however_often_it_is_read(tips, tip_nm):
    driver, contact, time = gauge(tip_nm, count=WRAP - 100, at=WRAP - 100_000)
    total = 0
    lately = []
    for count in tips:
        contact.value = (contact.value + count) % WRAP
        time[0] = (time[0] + 60_000) % WRAP
        rain, rate = read(driver)
        total += rain
        lately.append(rain)
        seen = lately[-5:]
        assert abs(rate - sum(seen) * 0.6 / len(seen)) <= 0.5
    assert total == sum(tips) * tip_nm // 1000


def recorded() -> list[tuple[int, int]]:
    """(end of the interval in ms since the first, tips in it); intervals that are not there had no tips."""
    with open(RECORDED, newline="") as file:
        rows = list(csv.reader(file))[1:]
    begin = datetime.fromisoformat(rows[0][0])
    found = []
    for when, mm in rows:
        tips = round(float(mm) * 1000 / TIP_UM)
        assert abs(float(mm) * 1000 - tips * TIP_UM) < 0.01
        found.append((int((datetime.fromisoformat(when) - begin).total_seconds() * 1000) + 300_000, tips))
    return found


def test_recorded_rain_is_counted_tip_by_tip_through_bounce_and_wraps():
    moment = Moment()
    moment.t = start = WRAP - 3_600_000  # the ticks wrap after the first hour
    series = [(start + end, tips) for end, tips in recorded()]
    rain = chip.RainSeries([(end, tips * TIP_UM) for end, tips in series], start)
    bus = Pulses(moment, chip.TippingBucket(7, "rg01", rain, TIP_UM * 1000, chip.Faults(bounces=6, bounce_ms=60)))
    driver = TippingBucket(bus, {"tip_nm": TIP_UM * 1000})
    total = 0
    for end, tips in series:
        moment.t = end
        um, _ = read(driver)
        assert um == tips * TIP_UM, end
        total += um
    assert total == 42 * TIP_UM == 4242  # the series' sum is 4.242 mm
