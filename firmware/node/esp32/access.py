"""The way into a network, one port for three: Wi-Fi here; LAN and LTE in files of their own, which only a station that has them loads.

`up()` looks, takes one step and returns at once. `begin(failures)` comes before each connection to the broker, and only when the station is calm:
what can't be done in no time is done there. `failures`: connections in a row that came to nothing.
"""

import binascii

import network

from node.core.clock import diff

_KNOWN_MS = 8000  # so long the access point that was good the last time may keep us waiting
_WORTHLESS = 4  # connections in a row that failed: the network is up and carries nothing


def build(clock, station: dict, folder: str):
    """The access that `station` names (docs/ports.md); `folder` holds the file in which Wi-Fi remembers its access point."""
    kind = station.get("access", "wifi")
    if kind == "lan":
        from node.esp32.access_lan import Lan

        return Lan(station["lan"])
    if kind == "lte":
        from node.esp32.access_lte import Lte

        return Lte(clock, station["lte"], station.get("seed", 1))
    return Wifi(clock, station.get("wifi", {}), folder)


class Wifi:
    """The chip joins again by itself, for ever; what it can't do is change its mind about the access point."""

    def __init__(self, clock, wifi: dict, folder: str):
        self._clock = clock
        self._ssid = wifi.get("ssid", "")
        self._key = wifi.get("key", "")
        self._file = folder + "/wifi"
        self._wlan = network.WLAN(network.STA_IF)
        self._known = self._recall() if self._ssid else None  # the access point's address
        self._looked = False
        self._asked = False
        self._only = False  # asked for that access point and no other
        self._since = -1  # without a network, by that access point alone
        self.reason = "no network"

    def up(self) -> bool:
        now = self._clock.ticks_ms()
        if not self._asked:
            self._ask()
        if self._wlan.isconnected():
            self.reason = ""
            self._since = -1
            return True
        self.reason = "no network"
        if self._only:
            if self._since < 0:
                self._since = now
            elif diff(now, self._since) > _KNOWN_MS:
                self._known = None
                self._start_over()
        return False

    def begin(self, failures: int) -> None:
        """Looks around, once a boot at most and only while no access point is known: the stock image names none without a scan, which takes 2 s."""
        if not self._ssid:
            return
        if failures and failures % _WORTHLESS == 0:
            self._start_over()
        if not self._known and not self._looked:
            self._looked = True
            from node.esp32.access_points import strongest

            self._known = strongest(self._wlan, self._ssid.encode(), self._file)

    def use(self, ssid: str, key: str) -> None:
        """Another network from now on."""
        if (ssid, key) != (self._ssid, self._key):
            self._ssid = ssid
            self._key = key
            self._known = self._recall() if ssid else None
            self._looked = False
            self._start_over()

    def name_server(self) -> str:
        return self._wlan.ifconfig()[3]

    def signal(self) -> int:
        try:
            return self._wlan.status("rssi")
        except (OSError, RuntimeError):
            return 0

    def close(self) -> None:
        self._asked = False
        self._wlan.active(False)

    def _ask(self) -> None:
        try:
            if self._ssid:
                self._wlan.active(True)
                if self._known:
                    self._wlan.connect(self._ssid, self._key, bssid=self._known)
                else:
                    self._wlan.connect(self._ssid, self._key)
            self._asked = True
            self._only = self._known is not None
            self._since = -1
        except (OSError, RuntimeError):
            pass  # the radio was busy: asked again with the next look

    def _start_over(self) -> None:
        """Whichever access point answers."""
        self._only = self._asked = False
        try:
            self._wlan.disconnect()
        except (OSError, RuntimeError):
            pass

    def _recall(self):
        """The access point's address from the file: `a1b2c3d4e5f6 11 name`; None for no file, another network's, or anything else."""
        try:
            with open(self._file, "rb") as file:
                parts = file.read(64).split(b" ", 2)
            if len(parts[0]) == 12 and parts[2] == self._ssid.encode():
                return binascii.unhexlify(parts[0])
        except (OSError, ValueError, IndexError):
            pass
        return None
