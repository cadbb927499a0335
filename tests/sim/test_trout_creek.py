"""Trout Creek 2021, a raw laser ranger with some 4 cm of noise: the August flood alarms, nothing else does.

Alert 0.40 m above the median level, rise 0.20 m within 15 min. A row stands for one confirmed burst, so one row at the
limit decides; the station itself asks for a second burst.
"""

from array import array
from dataclasses import replace
from pathlib import Path

import pytest

from node.core.alarm import LevelAlarm, RiseAlarm
from simulator import noise
from simulator.backtest import NEVER_MM, Thresholds, backtest
from simulator.series import iso, read

RECORD = Path(__file__).parents[1] / "data/trout_creek_2021.csv"
SENSOR_HEIGHT_MM = 4500
RISE_MM = 200
WINDOW_S = 900


@pytest.fixture(scope="module")
def creek():
    return read(RECORD, "Time [UTC]", "Range [cm]", "cm", "range", SENSOR_HEIGHT_MM)


def alerts_and_rises(creek, median_of):
    """The backtest's alarms, and when a RiseAlarm that sees the same rows was raised."""
    median_mm = sorted(creek.values_mm)[len(creek.values_mm) // 2]
    thresholds = replace(Thresholds(), alert=median_mm + 400, warning=NEVER_MM, danger=NEVER_MM)
    rise = RiseAlarm(RISE_MM, WINDOW_S, 50, confirm=1, median_of=median_of)
    before = {"flag": 0, "state": 0}
    rises = []

    def on_row(t, mm, flag):
        state = rise.update(mm or 0, flag, t - creek.times_s[0], before["flag"])
        if state > before["state"]:
            rises.append((iso(t), rise.rise_mm))
        before.update(flag=flag, state=state)

    result = backtest(creek, thresholds, lambda mm: SENSOR_HEIGHT_MM - mm, on_row)
    return result["alarms"], rises


def test_the_august_flood_alarms_and_nothing_else_does(creek):
    alarms, rises = alerts_and_rises(creek, median_of=3)
    assert [alarm["t_raised"] for alarm in alarms] == ["2021-08-28T00:16:46Z"]
    assert alarms[0]["peak_m"] == 1.84
    assert alarms[0]["lead_s"] == 4.5 * 3600
    assert rises == [("2021-08-28T03:56:46Z", 250)]


def test_the_lowest_single_point_as_base_makes_this_noise_a_rise(creek):
    _, rises = alerts_and_rises(creek, median_of=1)
    assert ("2021-09-05T19:17:37Z", 200) in rises  # a single echo of a calm day


def test_noise_on_a_calm_river_raises_neither_alarm_in_thirty_days():
    """Bursts every minute, 45 mm of noise each, a confirming one 0.4 s later, as the station does."""
    false_rises = {}
    for median_of in (1, 3):
        key = noise.key(3, "calm", "range")
        level = LevelAlarm(array("i", (400, 800, 1200)), 50, 0, 120)
        rise = RiseAlarm(RISE_MM, WINDOW_S, 50, median_of=median_of)
        found = on = drawn = 0
        for minute in range(30 * 1440):
            for burst in range(2):
                if burst and not (rise.confirming or level.confirming):
                    break
                mm = noise.bell(noise.draw(key, drawn)) * 45 // noise.BELL_SD
                drawn += 1
                assert level.update(mm, 2, (minute * 60_000 + burst * 400) % (1 << 30)) == 0
                state = rise.update(mm, 2, minute * 60)
                found += state > on
                on = state
        false_rises[median_of] = found
    print(
        f"false rises in 30 days at 45 mm of noise: {false_rises[1]} over the lowest point, {false_rises[3]} over medians"
    )
    assert false_rises[3] == 0 < false_rises[1]
