"""A station's energy from its parts and settings, and from what a simulated one did: two ways to one figure, for each kind of station."""

from functools import cache

import pytest

from hardware import power
from hardware.compile import shipped
from simulator import energy
from simulator.meter import Use
from tests.hardware.changed import station

NEAR = 0.10
HOURS = 4  # of a calm day, which are like the others
SAMPLES_S = (60, 900)
_LIVE_ZERO_MA = 4  # what a loop draws at the least


ON_WIFI = [
    name for name in shipped() if energy.is_on_wifi(station(name))
]  # of the others nobody published what a session takes


@cache
def lived(name: str, profile: int, sample_s: int) -> Use:
    return energy.calm_day(sample_s, station=name, profile=profile, hours=HOURS)


def lived_mah(name: str, profile: int, sample_s: int) -> float:
    """Of the battery, for board, radio and sensors: what the charger and the converter take for themselves is no event."""
    prices = energy.prices_of(station(name))
    return energy.loads_mah(*energy.priced_mah(lived(name, profile, sample_s), prices), prices.currents)


def far_off(name: str, profile: int, sample_s: int) -> str:
    """Empty, or how far the table is from what happened."""
    told = power.Day(station(name), profile, interval_s=sample_s).loads_mah
    happened = lived_mah(name, profile, sample_s)
    return "" if abs(told - happened) <= NEAR * happened else f"{told:.1f} mAh a day told, {happened:.1f} lived"


@pytest.mark.parametrize("sample_s", SAMPLES_S)
@pytest.mark.parametrize("profile", [0, 1])
@pytest.mark.parametrize("name", ON_WIFI)
def test_the_simulator_says_the_same_within_a_tenth_from_what_happened(name: str, profile: int, sample_s: int) -> None:
    assert not far_off(name, profile, sample_s)


def plant(monkeypatch: pytest.MonkeyPatch, table: str, **changes: object) -> None:
    figures = power.figures()
    changed = {**figures, table: {**figures[table], **changes}}
    monkeypatch.setattr(power, "figures", lambda: changed)


def test_a_forgotten_boot_is_further_off_than_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, "times", boot_ms=0)
    assert far_off("river_gauge", 1, 60)


def test_a_particle_counter_that_is_believed_to_stop_is_further_off_than_a_tenth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch, "runs_on", drivers=[])
    assert all(far_off("air_station_pms5003", 0, sample_s) for sample_s in SAMPLES_S)


def test_a_pv_monitor_that_is_believed_to_sleep_is_further_off_than_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "wakeful", lambda _: "")
    assert far_off("pv_monitor", 1, 900)


def test_a_loop_that_is_believed_to_rest_is_further_off_than_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    tank = station("storage_tank")
    probe = tank.fittings.sensors[0].probe
    assert probe and probe["line"] == "loop"
    day = power.Day(tank, 1)
    rested = day.loads_mah - day.shares_mah[probe.id] + _LIVE_ZERO_MA * 24
    assert abs(rested - lived_mah("storage_tank", 1, 60)) > NEAR * rested


def test_all_kinds_but_those_on_a_modem_or_a_cable_are_lived_through() -> None:
    assert set(shipped()) - set(ON_WIFI) <= {"river_gauge_lte", "pump_house_gauge"}
    assert len(ON_WIFI) >= 11


def test_what_a_station_never_does_asleep_is_told() -> None:
    rows = {name: power.budget(station(name))["profiles"] for name in ("river_gauge", "pv_monitor")}
    assert [row["never_sleeps"] for row in rows["river_gauge"]] == ["", ""]
    assert [bool(row["never_sleeps"]) for row in rows["pv_monitor"]] == [False, True]
    assert lived("pv_monitor", 1, 900).asleep_ms == 0 < lived("river_gauge", 1, 900).asleep_ms
