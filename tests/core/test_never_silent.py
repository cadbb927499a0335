"""Ways in which a siren could wrongly stay silent or wrongly sound, each closed: resets, full flash, old acknowledgements, still water."""

import pytest

from tests.core.station_desk import broken
from tests.core.test_app import DANGER_MM, MINUTE, NORMAL_MM, calm

# what a reset must not undo


def test_an_alarm_outlives_a_reset_even_if_the_sensor_does_not():
    desk = calm()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.ranger.mm = None
    desk.boot()
    desk.run(MINUTE)
    assert desk.app.gauge.state == 3
    assert desk.outputs["strobe"].on == 1
    desk.level(NORMAL_MM)
    desk.run(10 * MINUTE)
    assert desk.app.gauge.state == 0


@pytest.mark.parametrize("still_high", [True, False], ids=["flooded", "receded and latched"])
def test_a_kit_that_resets_sounds_again_within_a_second_of_its_first_line(still_high):
    """A cable's DTR may reset it. Of the 3 s that it has, 1 s is taken for the boot before our first line (assumed: no board was measured)."""
    desk = calm(settings={"level.latched": 1})
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    if not still_high:
        desk.level(NORMAL_MM)
        desk.run(30 * MINUTE)
    desk.boot()
    desk.ranger.mm = None  # no sample helps it
    assert desk.outputs["siren"].on == desk.outputs["strobe"].on == 0
    desk.run(1000)
    assert desk.outputs["siren"].on == desk.outputs["strobe"].on == 1
    assert desk.app.gauge.state == 3


def test_a_flood_that_drowns_the_ranger_between_two_samples_sounds():
    """A MaxBotix under water tells its blanking distance: the highest level it can."""
    desk = calm()
    desk.ranger.mm = desk.app.gauge._ranger.blanking_mm
    desk.run(2 * MINUTE)
    assert desk.app.gauge.state == 3
    assert desk.outputs["strobe"].on == 1


def test_saved_levels_count_on_flash_that_can_be_read_and_not_written():
    desk = calm()
    desk.type("set level.alert 0.2")
    desk.type("set level.warning 0.25")
    desk.type("set level.danger 0.3")
    desk.type("save")
    desk.storage.replace = desk.storage.append = broken
    desk.boot()
    desk.level(450)
    desk.run(MINUTE)
    assert desk.app.gauge.state == 3


def test_an_acknowledged_flood_sounds_again_after_half_a_day():
    desk = calm()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.type("ack")
    desk.run(11 * 60 * MINUTE)
    assert desk.outputs["strobe"].on == 0
    desk.run(2 * 60 * MINUTE)
    assert desk.outputs["strobe"].on == 1


def test_a_deadband_as_wide_as_the_rise_lets_the_rise_end():
    desk = calm(settings={"level.deadband": 300, "level.alert": 5000, "level.warning": 6000, "level.danger": 7000})
    desk.level(NORMAL_MM + 350)
    desk.run(2 * MINUTE)
    assert desk.app.gauge.rising == 1
    desk.run(60 * MINUTE)
    assert desk.app.gauge.rising == 0


def test_a_flood_after_a_day_of_still_water_is_a_rise():
    desk = calm(settings={"level.alert": 2000, "level.warning": 2500, "level.danger": 3000})
    desk.run(26 * 60 * MINUTE)
    desk.level(NORMAL_MM + 450)
    desk.run(2 * MINUTE)
    assert desk.app.gauge.rising == 1


def test_levels_beyond_the_sensors_reach_are_refused():
    desk = calm()
    desk.type("set sensor.height 1.2")
    desk.type("save")
    assert desk.app.settings.revision == 1


def test_a_pending_raise_is_sampled_as_an_alarm_is():
    desk = calm(settings={"sample.interval": 900, "rise.window": 3600, "level.on_delay": 10})
    desk.level(DANGER_MM)
    desk.run(15 * MINUTE + 20_000 + 15_000)
    assert desk.app.gauge.state == 3


def test_out_of_service_decides_nothing_and_goes_on_measuring():
    desk = calm()
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.type("set alarm.out_of_service 1")
    desk.type("save")
    desk.run(2 * MINUTE)
    assert desk.app.gauge.state == 0
    assert desk.outputs["strobe"].on == 0
    assert desk.app.gauge.level_mm == DANGER_MM
    desk.type("set alarm.out_of_service 0")
    desk.type("save")
    desk.run(2 * MINUTE)
    assert desk.app.gauge.state == 3


def test_a_save_that_failed_after_the_deed_is_a_save():
    desk = calm()
    write = desk.storage.replace

    def late_failure(name, data):
        write(name, data)
        if name == "settings.1":
            broken()

    desk.storage.replace = late_failure
    desk.type("set level.alert 0.2")
    desk.type("save")
    assert (desk.app.settings.get(0), desk.app.settings.revision) == (200, 2)
    desk.storage.replace = write
    desk.boot()
    assert desk.app.settings.get(0) == 200
