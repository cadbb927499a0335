"""The settings of a station, once: console, validation, events and the gateway derive from this table.

A row is (key, unit, decimals, default, low, high). Values are integers in 10**-decimals of the unit. Rows are only ever added at the end: the index is a
setting's id in the journal (`id_of`). What a setting is for is said in `helps_en.SETTINGS`, so that a calm station's heap does not carry it.
"""

import binascii
import json

from node.core import fixed, measurements

ROWS = (
    ("level.alert", "m", 3, 600, -10000, 30000),
    ("level.warning", "m", 3, 1000, -10000, 30000),
    ("level.danger", "m", 3, 1500, -10000, 30000),
    ("level.deadband", "m", 3, 50, 0, 2000),
    ("level.on_delay", "s", 0, 0, 0, 3600),
    ("level.off_delay", "s", 0, 120, 0, 3600),
    ("level.latched", None, 0, 0, 0, 1),
    ("rise.limit", "m", 3, 300, 0, 5000),
    ("rise.window", "s", 0, 900, 300, 3600),
    ("alarm.shadow", None, 0, 0, 0, 1),
    ("siren.from", None, 0, 1, 1, 4),
    ("sensor.height", "m", 3, 4500, 0, 30000),
    ("sample.interval", "s", 0, 60, 5, 3600),
    ("sample.alarm_interval", "s", 0, 15, 2, 3600),
    ("report.interval", "s", 0, 60, 5, 3600),
    ("alarm.out_of_service", None, 0, 0, 0, 1),
    ("battery.low", "V", 3, 11500, 0, 30000),
    ("power.profile", None, 0, 0, 0, 1),
    ("radio.interval", "s", 0, 3600, 60, 86400),
    ("siren.current_low", "A", 3, 0, 0, 50000),
)

(
    LEVEL_ALERT, LEVEL_WARNING, LEVEL_DANGER, LEVEL_DEADBAND, LEVEL_ON_DELAY, LEVEL_OFF_DELAY, LEVEL_LATCHED, RISE_LIMIT,
    RISE_WINDOW, ALARM_SHADOW, SIREN_FROM, SENSOR_HEIGHT, SAMPLE_INTERVAL, SAMPLE_ALARM_INTERVAL, REPORT_INTERVAL,
    ALARM_OUT_OF_SERVICE, BATTERY_LOW, POWER_PROFILE, RADIO_INTERVAL, SIREN_CURRENT_LOW,
) = range(len(ROWS))  # fmt: skip

COPIES = ("settings.0", "settings.1")
LENGTH_MOST = 4096
SOUND = 0
LAGGING = 1  # a save was cut off between the two: the newer counts
DAMAGED = 2  # one of them was, the other counts
LOST = 3  # nothing that was saved can be read


def id_of(i):
    """A setting's id in the journal."""
    return i if i < len(ROWS) else i - len(ROWS) + measurements.FURTHER_SETTING


def index(key, rows=ROWS):
    """The row of `key`; KeyError names what there is."""
    for i, row in enumerate(rows):
        if row[0] == key:
            return i
    raise KeyError("no setting '%s'; there are %s" % (key, ", ".join([row[0] for row in rows])))


def shown(row, value):
    """A value as a technician reads it: `1.5 m`."""
    number = fixed.text(value, row[2])
    return number + " " + row[1] if row[1] else number


def within(row, value):
    """`value` if the row allows it, else ValueError with what is allowed."""
    if type(value) is not int or value < row[4] or value > row[5]:
        raise ValueError("%s must be %s to %s" % (row[0], shown(row, row[4]), shown(row, row[5])))
    return value


def validate(row, word, unit=None):
    """The integer for what was typed. ValueError says what is allowed."""
    if unit and unit != row[1]:
        raise ValueError("%s is in %s, not %s" % (row[0], row[1] or "whole numbers", unit))
    try:
        value = fixed.parse(word, row[2])
    except ValueError as problem:
        raise ValueError("%s; %s must be %s to %s" % (problem, row[0], shown(row, row[4]), shown(row, row[5])))
    return within(row, value)


def conflict(values, rows=ROWS):
    """What makes these values unusable together, in one sentence, or None."""
    for i in range(len(rows)):
        if rows[i][0].endswith(".alert") and not values[i] < values[i + 1] < values[i + 2]:
            return "levels out of order: alert %s, warning %s, danger %s must rise" % tuple(
                [shown(rows[k], values[k]) for k in (i, i + 1, i + 2)]
            )
    return None


class Settings:
    """What the station runs (`values`, `revision`) and what is being typed (`staged`, index -> value)."""

    def __init__(self, given, rows=ROWS, used=None):
        """`given`: key -> integer, the station's own defaults over the table's; `used`: the rows that mean something here (all).

        ValueError names the key.
        """
        self.rows = rows
        self.used = range(len(rows)) if used is None else used
        self.values = [row[3] for row in rows]
        for key in given:
            i = index(key, rows)
            self.values[i] = within(rows[i], given[key])
        problem = conflict(self.values, rows)
        if problem:
            raise ValueError(problem)
        self.revision = 1
        self.staged = {}
        self.newest = 0  # which copy on flash the next save leaves for last
        self.fallen = ()  # rows whose saved value this firmware does not allow (copies.judge)
        self.newer: dict = {}  # key -> integer that a newer firmware saved before it was rolled back

    def get(self, i):
        return self.values[i]

    def proposed(self):
        """The values as they would be after a save."""
        return [self.staged.get(i, self.values[i]) for i in range(len(self.rows))]

    def apply(self, revision=0):
        """Make what is staged live, as the next revision or the one that is given. Returns [(index, old, new)]; ValueError leaves all as it was."""
        values = self.proposed()
        problem = conflict(values, self.rows)
        if problem:
            raise ValueError(problem)
        changes = [(i, self.values[i], values[i]) for i in range(len(self.rows)) if values[i] != self.values[i]]
        self.staged = {}
        if changes:
            self.values = values
        if changes or revision:
            self.revision = revision or self.revision + 1
        return changes

    def recover(self, image):
        """Take what was saved. False, and nothing changed, when the image is damaged or no longer allowed.

        A key that is not in the table comes from a newer firmware that was rolled back: it is kept for that.
        """
        if not image:
            return True
        body = image[9:]
        if image[:9] != b"%08x " % (binascii.crc32(body) & 0xFFFFFFFF):
            return False
        try:
            saved = json.loads(body)
            values = list(self.values)
            for i in range(len(self.rows)):
                if self.rows[i][0] in saved["values"]:
                    values[i] = within(self.rows[i], saved["values"][self.rows[i][0]])
            revision = saved["revision"]
            if conflict(values, self.rows) or type(revision) is not int:
                return False
            for row in self.rows:
                saved["values"].pop(row[0], None)
            self.newer = saved["values"]
            self.revision = revision
            self.values = values
        except (ValueError, KeyError, TypeError):
            return False
        return True

    def json(self, life):
        """The retained `settings` message (docs/wire.md)."""
        pairs = ['"%s":%s' % (self.rows[i][0], fixed.text(self.values[i], self.rows[i][2])) for i in self.used]
        return '{"life":"%s","revision":%d,"values":{%s}}' % (life, self.revision, ",".join(pairs))


def load(storage, settings):
    """Take what was saved: the newer of two copies. How they are: SOUND, LAGGING, DAMAGED or LOST; any but the first asks for `copies.attend`."""
    images = [storage.read(name, 0, LENGTH_MOST) for name in COPIES]
    if images[0] == images[1] and settings.recover(images[0]):
        return SOUND
    from node.core import copies

    return copies.judge(images, settings)
