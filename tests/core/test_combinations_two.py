"""What happens at once, continued: flash that fails in one call or is full, settings of another firmware, defects in what is derived, commands over resets."""

from tests.core.station_desk import broken
from tests.core.test_app import DANGER_MM, MINUTE, NORMAL_MM, calm

HOUR = 60 * MINUTE


# an alarm over a reset


def test_an_alarm_that_can_not_be_looked_for_at_boot_is_looked_for_again():
    desk = calm(settings={"level.latched": 1})
    desk.level(DANGER_MM)
    desk.run(2 * MINUTE)
    desk.level(NORMAL_MM)
    desk.run(10 * MINUTE)
    size = desk.storage.size
    left = [2]  # the stat of the boot, and one more

    def fails_first(name):
        if name == "alarm" and left[0]:
            left[0] -= 1
            broken()
        return size(name)

    desk.storage.size = fails_first
    desk.boot()
    desk.run(3 * MINUTE)
    assert desk.app.gauge.state == 3, "latched: only a person ends it"
