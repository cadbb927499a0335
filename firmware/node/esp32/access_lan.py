"""Ethernet by the chip's own MAC and a PHY beside it."""

import network
from machine import Pin

_PINS = ("mdc", "mdio", "power", "ref_clk")
_NO_ADDRESS = "0.0.0.0"


class Lan:
    def __init__(self, lan: dict):
        """`lan`: mdc, mdio, phy_type ("lan8720" ..), phy_addr; where the board has them power, ref_clk (pins) and ref_clk_mode ("in", "out")."""
        given: dict = {name: Pin(lan[name]) for name in _PINS if name in lan}
        if "ref_clk_mode" in lan:
            given["ref_clk_mode"] = Pin.OUT if lan["ref_clk_mode"] == "out" else Pin.IN
        given["phy_type"] = getattr(network, "PHY_" + lan["phy_type"].upper())
        self._given = given
        self._addr = lan["phy_addr"]
        self._lan: network.LAN | None = None
        self.reason = "no network"

    def up(self) -> bool:
        if not self._lan or not self._lan.isconnected():
            self.reason = "no network"
        elif self._lan.ifconfig()[0] == _NO_ADDRESS:
            self.reason = "no address"
        else:
            self.reason = ""
        return not self.reason

    def begin(self, failures: int) -> None:
        """Starts the PHY, which takes its time, the more if it does not answer."""
        if not self._lan:
            try:
                lan = network.LAN(0, phy_addr=self._addr, **self._given)
                lan.active(True)
                self._lan = lan
            except (OSError, RuntimeError):
                pass  # tried again with the next connection

    def name_server(self) -> str:
        return self._lan.ifconfig()[3] if self._lan else ""

    def signal(self) -> int:
        return 0

    def close(self) -> None:
        if self._lan:
            self._lan.active(False)
            self._lan = None
