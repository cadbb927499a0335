"""A stand-in for the board's `network`. Wi-Fi is there unless the file `world/no_wifi` is.

A test in the same VM may put more into the air, on the cable and on the line.
"""

import os

STA_IF = 0
PHY_LAN8720 = 8720


class WLAN:
    """`air`: None, or the access points as (name, address, channel, signal); what is connected stays so while its access point is there."""

    air = None
    key = "secret"
    busy = 0  # so many calls are refused
    scans = 0
    asked = []  # (name, address) of every connect
    on = None  # the access point
    _wanted = None

    def __init__(self, interface):
        pass

    def active(self, on):
        if not on:
            WLAN.on = WLAN._wanted = None

    def connect(self, ssid, key, bssid=None):
        if WLAN.busy:
            WLAN.busy -= 1
            raise OSError("Wifi Internal State Error") if WLAN.busy else RuntimeError("Wifi Unknown Error 0x3006")
        WLAN.asked.append((ssid, bssid))
        WLAN._wanted = (ssid.encode(), key, bssid)

    def disconnect(self):
        WLAN.on = WLAN._wanted = None

    def isconnected(self):
        if WLAN.air is None:
            try:
                os.stat("world/no_wifi")
                return False
            except OSError:
                return True
        if WLAN.on not in WLAN.air:
            WLAN.on = None
        if WLAN.on is None and WLAN._wanted:
            name, key, address = WLAN._wanted
            for point in WLAN.air:
                if point[0] == name and key == WLAN.key and address in (None, point[1]):
                    WLAN.on = point
                    break
        return WLAN.on is not None

    def scan(self):
        WLAN.scans += 1
        return [point + (3, False) for point in WLAN.air or ()]

    def config(self, name):
        assert name == "channel"
        return WLAN.on[2] if WLAN.on else 1

    def status(self, name):
        assert name == "rssi"
        if not WLAN.on:
            raise OSError("not connected")
        return WLAN.on[3]

    def ifconfig(self):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")


class LAN:
    """`cable` and `address` are the world's; `given` is what it was made with."""

    phy = True  # it answers
    cable = True
    address = "192.0.2.20"
    given = {}
    made = 0

    def __init__(self, number, mdc, mdio, phy_type, phy_addr, power=None, ref_clk=None, ref_clk_mode=None):
        LAN.made += 1
        if not LAN.phy:
            raise OSError("failed to start ethernet")
        LAN.given = {
            "phy_type": phy_type,
            "phy_addr": phy_addr,
            "ref_clk_mode": ref_clk_mode,
            "power": power is not None,
        }
        self._on = False

    def active(self, on):
        self._on = on

    def isconnected(self):
        return self._on and LAN.cable

    def ifconfig(self):
        return (LAN.address, "255.255.255.0", "192.0.2.1", "192.0.2.53")


class PPP:
    """As MicroPython 1.25 has it: active, then connect; once closed it is not opened again. `works`: the peer answers."""

    AUTH_PAP = 1
    works = True
    memory = True
    given = []
    stands = []  # those that are open

    def __init__(self, stream):
        self._stream = stream
        self._state = 0

    def active(self, on):
        if on:
            if not PPP.memory:
                raise RuntimeError("init failed")
            assert self._state == 0, "the real one hangs here"
            self._state = 1
        elif self in PPP.stands:
            PPP.stands.remove(self)

    def connect(self, authmode=0, username=None, password=None):
        assert self._state == 1
        self._state = 2
        PPP.given.append((authmode, username, password))
        PPP.stands.append(self)

    def isconnected(self):
        return self in PPP.stands and PPP.works

    def ifconfig(self):
        return ("192.0.2.30", "192.0.2.1", "255.255.255.255", "192.0.2.54")
