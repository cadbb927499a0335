"""The siren's path alone: ranger, level, alarm, siren. What runs when the station as a whole does not start any more (main.py).

No records, no network, no console; the settings that were saved count if they can be read. A station without a level has nothing here.
"""

from node import compose
from node.core import settings as S
from node.core.clock import Uptime
from node.core.sounder import Sounder


def rows(station):
    """The sensors that it needs."""
    return [row for row in station["sensors"] if row.get("gives") == "level" or row["driver"] == "battery"]


class Bare:
    """`ports`: outputs, buses of these sensors, storage. ValueError, AttributeError: there is no level here."""

    def __init__(self, station, ports):
        station = dict(station, sensors=rows(station), tank=None, watch=None, care=None, relay=None, panels=None)
        settings = S.Settings(station.get("settings", {}))
        try:
            S.load(ports.storage, settings)
        except Exception:  # whatever ails flash: the station's own settings then
            settings = S.Settings(station.get("settings", {}))
        sounder = Sounder(ports.outputs["siren"], ports.outputs["strobe"])
        self._gauge = compose.compose(station, ports, settings, sounder, True)[0]
        self._gauge.configure()
        self._uptime = Uptime()
        self.alive_ms = -1

    @property
    def interval_ms(self):
        return self._gauge.interval_ms

    @property
    def up_s(self):
        return self._uptime.seconds

    def step(self, now_ms):
        self._uptime.advance(now_ms)
        if self._gauge.step(now_ms, self._uptime.seconds) or self.alive_ms < 0:
            self.alive_ms = now_ms
        return self._gauge.due_in(now_ms)
