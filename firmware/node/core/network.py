"""Where a station finds its network and its broker, changed by confirm-or-revert: a change that finds no broker within ten minutes is undone.

Loaded when somebody changes it, and by stations that have changed it: the others run what their station's data says. Values are texts, as typed.
"""

import json

from node.core import fixed, twice

STEM = "network"
# (key, longest, secret, help); where the station's data has them: (`wifi`, `ssid`) and so on
ROWS = (
    ("wifi.ssid", 32, 0, "name of the Wi-Fi network"),
    ("wifi.key", 63, 1, "its key; 8 to 63 characters, or empty"),
    ("broker.host", 64, 0, "the broker's name or address"),
    ("broker.port", 5, 0, "its port, 1 to 65535"),
)
KEYS = tuple([row[0] for row in ROWS])
TRIAL_S = 600
_TRIAL_BOOTS = 2  # a trial that outlives so many boots has failed: it may be what resets the station

NONE, TRIAL, CONFIRMED, REVERTED = -1, 0, 1, 2  # the words of the point `network`


def validate(key, word):
    """`word` if it may be the value of `key`; KeyError and ValueError say what is allowed."""
    if key not in KEYS:
        raise KeyError("no setting '%s'; there are %s" % (key, ", ".join(KEYS)))
    longest = ROWS[KEYS.index(key)][1]
    if type(word) is not str or len(word) > longest:
        raise ValueError("%s must be text of at most %d characters" % (key, longest))
    for letter in word:
        if not " " <= letter <= "~" or letter in '"\\':
            raise ValueError('%s must be plain ASCII without " and \\' % key)
    if key == "broker.port" and not (word.isdigit() and 0 < int(word) < 65536):
        raise ValueError("broker.port must be 1 to 65535")
    if key == "wifi.key" and 0 < len(word) < 8:
        raise ValueError("wifi.key must have 8 to 63 characters, or none")
    if key in ("wifi.ssid", "broker.host") and not word:
        raise ValueError("%s can't be empty" % key)
    return word


def of_station(station):
    """The values in force by the station's own data."""
    found = {}
    for key in KEYS:
        table, _, name = key.partition(".")
        value = station.get(table, {}).get(name, "")
        found[key] = str(value)
    return found


class Network:
    """`values`: in force. While a change is on trial `before` holds what comes back. Spans are seconds of uptime."""

    def __init__(self, station):
        self.values = of_station(station)
        self.before = None
        self.revision = 0
        self._since_s = 0
        self._boots = 0

    def load(self, storage):
        """What was kept; the number of damaged copies. OSError: can't be read."""
        revision, body, damaged = twice.load(storage, STEM)
        if not revision:
            return damaged
        try:
            kept = json.loads(body)
            values = {key: kept["values"][key] and validate(key, kept["values"][key]) for key in KEYS}
            before = kept["before"] and {key: kept["before"][key] for key in KEYS}
            boots = kept["boots"]
            if type(boots) is not int:
                return damaged + 1
        except (ValueError, KeyError, TypeError):
            return damaged + 1  # whole but not ours: what the station's data says stays in force
        self.values = values
        self.before = before
        self.revision = revision
        self._boots = boots
        return damaged

    def booted(self, storage, uptime_s):
        """After a load: a trial goes on with its full time, once; then what was before comes back. Returns what became of it."""
        if self.before is None:
            return NONE
        self._since_s = uptime_s
        self._boots += 1
        if self._boots < _TRIAL_BOOTS:
            try:
                self._save(storage, self.values, self.before)
                return TRIAL
            except OSError:
                pass  # boots that can't be counted might never end
        return self._end(storage, self.before, REVERTED)

    def change(self, storage, changes, uptime_s):
        """Begin a trial of `changes` (key -> text). ValueError, KeyError: not allowed; OSError: not kept; all is as it was then."""
        values = dict(self.values)
        for key in changes:
            values[key] = validate(key, changes[key])
        if values == self.values:
            raise ValueError("that is what it is")
        before = self.before or self.values  # a second change on trial: what is known to work comes back
        boots = self._boots
        self._boots = 0
        try:
            self._save(storage, values, before)
        except OSError:
            self._boots = boots
            raise
        self._since_s = uptime_s

    def step(self, storage, uptime_s, answered):
        """What became of the trial: NONE while it goes on or there is none. `answered`: the broker has taken a message since it began."""
        if self.before is None:
            return NONE
        if answered:
            return self._end(storage, self.values, CONFIRMED)
        if uptime_s - self._since_s < TRIAL_S:
            return NONE
        return self._end(storage, self.before, REVERTED)

    def left_s(self, uptime_s):
        """Seconds until the trial ends, 0 when there is none."""
        return 0 if self.before is None else max(0, TRIAL_S - (uptime_s - self._since_s))

    def _end(self, storage, values, word):
        try:
            self._save(storage, values, None)
        except OSError:
            if word == CONFIRMED:
                return NONE  # the next step tries again; until it is kept it is not confirmed
            self.values, self.before = values, None  # back in any case: after a reset the trial would only fail again
        return word

    def _save(self, storage, values, before):
        texts = [
            '"boots":%d' % self._boots,
            '"values":' + _object(values),
            '"before":' + (_object(before) if before else "null"),
        ]
        twice.save(storage, STEM, self.revision + 1, ("{" + ",".join(texts) + "}").encode())
        self.values = values
        self.before = before
        self.revision += 1


def _object(values):
    return "{" + ",".join(['"%s":%s' % (key, fixed.quoted(values[key])) for key in KEYS]) + "}"


def told(values, before):
    """What an event says of a change; secrets are only said to have changed."""
    parts = []
    for key, _, secret, _ in ROWS:
        if values[key] != before[key]:
            parts.append(key + " changed" if secret else "%s %s -> %s" % (key, before[key] or "none", values[key]))
    return ", ".join(parts)
