"""The simulated battery behind its divider."""

from simulator.chips.battery_adc import COUNT_UV, BatteryADC
from simulator.world.river import Battery

RATIO_MILLI = 5700


def test_battery_day_stays_between_12_and_13_8_volt():
    battery = Battery(0)
    day = [battery.at(minute * 60_000) for minute in range(1440)]
    assert (min(day), max(day)) == (12_000, 13_800)
    assert max(abs(a - b) for a, b in zip(day, day[1:] + day[:1], strict=True)) < 10


def test_adc_is_within_a_percent_and_reads_whole_counts():
    chip = BatteryADC(1, "dr01", Battery(0), RATIO_MILLI)
    for t_ms in range(0, 86_400_000, 600_000):
        pin = chip.read_uv(t_ms)
        assert pin % COUNT_UV == 0
        true = Battery(0).at(t_ms)
        assert abs(pin * RATIO_MILLI // 1_000_000 - true) < true // 100


def test_adc_ends_at_its_ends():
    assert BatteryADC(1, "dr01", Battery(0, 20_000), RATIO_MILLI).read_uv(0) == 4095 * COUNT_UV
    assert BatteryADC(1, "dr01", Battery(0, -12_500), RATIO_MILLI).read_uv(0) == 0
