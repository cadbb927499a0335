"""The siren's path alone: ranger, level, alarm, siren. What runs when the station as a whole does not start any more (main.py).

No records, no network, no console; the settings that were saved count if they can be read. A station without a level has nothing here.
"""

import time

from node import compose
from node.core import settings as S
from node.core.clock import Uptime, diff
from node.core.sounder import Sounder
from node.esp32 import buses, outputs
from node.esp32.storage import Storage
from node.esp32.watchdog import Watchdog

_SLICE_MS = 20


class Ports:
    def __init__(self, station: dict, names: list):
        pins = station["pins"]
        self.outputs = outputs.build(pins)
        self.buses = buses.build({name: pins[name] for name in names})


def run(station: dict, root: str, for_s: int) -> None:
    """Returns after `for_s` seconds: the whole may be tried again."""
    rows = [row for row in station["sensors"] if row.get("gives") == "level" or row["driver"] == "battery"]
    station = dict(station, sensors=rows, tank=None, watch=None, care=None, relay=None, panels=None)
    ports = Ports(station, [row["bus"] for row in rows])
    sounder = Sounder(ports.outputs["siren"], ports.outputs["strobe"])
    settings = S.Settings(station.get("settings", {}))
    try:
        S.load(Storage(root + "data"), settings)
    except Exception as e:
        print("the saved settings can't be read: %r" % e)
    gauge = compose.compose(station, ports, settings, sounder, True)[0]
    gauge.configure()
    watchdog = Watchdog(station.get("watchdog_s", 60))
    uptime = Uptime()
    decided_ms = time.ticks_ms()
    while uptime.seconds < for_s:
        now = time.ticks_ms()
        uptime.advance(now)
        if gauge.step(now, uptime.seconds):
            decided_ms = now
        if diff(now, decided_ms) < 2 * gauge.interval_ms:
            watchdog.feed()
        time.sleep_ms(min(gauge.due_in(now), _SLICE_MS))
