"""Wi-Fi, LAN and LTE as the board has them, in the real VM: stand-ins for the chip's drivers, the modem's model on its UART, time turned by hand."""

import pytest

from tests.board.station import FAKES, FIRMWARE, ROOT
from tests.vm64 import run

pytestmark = pytest.mark.vm

COMMON = """
import os
import machine
import network
from network import LAN, PPP, WLAN
from node.esp32 import access

WRAP = 1 << 30
os.mkdir("data")

class Clock:
    now = WRAP - 20000
    def ticks_ms(self):
        return self.now % WRAP

clock = Clock()

def make(**station):
    return access.build(clock, station, "data")

def until_up(port, most_ms, failures=0):
    began = clock.now
    while not port.up():
        clock.now += 100
        if clock.now - began > most_ms:
            return None
    return clock.now - began

def remembered():
    try:
        with open("data/wifi") as file:
            return file.read()
    except OSError:
        return None
"""
HOME = """
NEAR = (b"home", b"\\x02near!", 6, -50)
FAR = (b"home", b"\\x02far!!", 11, -80)
OTHER = (b"other", b"\\x02other", 1, -30)
wifi = {"ssid": "home", "key": "secret"}
WLAN.air = [FAR, OTHER, NEAR]
"""


def vm(script, head=COMMON + HOME):
    return run(head + script, path=(FAKES, FIRMWARE, ROOT), timeout=30).splitlines()


def test_the_strongest_access_point_is_found_once_and_remembered():
    script = """
port = make(wifi=wifi)
port.begin(0)
print(until_up(port, 1000), WLAN.on[1], WLAN.scans, remembered(), port.reason == "", port.signal())
port.begin(0)
again = make(wifi=wifi)
WLAN.on = None
again.begin(0)
print(until_up(again, 1000), WLAN.on[1], WLAN.scans, WLAN.asked[-1][1])
"""
    assert vm(script) == ["0 b'\\x02near!' 1 026e65617221 6 home True -50", "0 b'\\x02near!' 1 b'\\x02near!'"]


def test_an_access_point_that_is_gone_costs_eight_seconds_and_is_replaced():
    script = """
port = make(wifi=wifi)
port.begin(0)
until_up(port, 1000)
WLAN.air = [FAR]
again = make(wifi=wifi)
again.begin(0)
print(8000 < until_up(again, 60000) < 8500, WLAN.on[1], WLAN.scans)
again.begin(0)
print(WLAN.scans, remembered())
"""
    assert vm(script) == ["True b'\\x02far!!' 1", "2 026661722121 11 home"]


def test_an_access_point_that_goes_while_connected_is_replaced_too():
    script = """
port = make(wifi=wifi)
port.begin(0)
until_up(port, 1000)
clock.now += 3600000
WLAN.air = [FAR, OTHER]
print(port.up(), port.reason, 8000 < until_up(port, 60000) < 8500, WLAN.on[1])
"""
    assert vm(script) == ["False no network True b'\\x02far!!'"]


def test_a_network_comes_back_by_itself_and_is_not_asked_for_again():
    script = """
port = make(wifi=wifi)
until_up(port, 1000)
WLAN.air = []
print(until_up(port, 60000), len(WLAN.asked))
WLAN.air = [NEAR]
print(until_up(port, 1000), len(WLAN.asked))
"""
    assert vm(script) == ["None 1", "0 1"]


def test_a_busy_radio_is_asked_again_and_a_wrong_key_is_no_network():
    script = """
WLAN.busy = 3
port = make(wifi=wifi)
print(until_up(port, 1000))
WLAN.on = None
port = make(wifi={"ssid": "home", "key": "wrong"})
print(until_up(port, 60000), port.reason, port.signal())
"""
    assert vm(script) == ["300", "None no network 0"]


def test_a_network_that_carries_nothing_is_joined_anew_every_fourth_time():
    script = """
port = make(wifi=wifi)
port.begin(0)
until_up(port, 1000)
asked = len(WLAN.asked)
for failures in range(1, 9):
    port.begin(failures)
    until_up(port, 1000)
print(len(WLAN.asked) - asked, WLAN.scans)
"""
    assert vm(script) == ["2 1"]


@pytest.mark.parametrize(
    "text", [b"", b"zz6e65617221 6 home", b"026e65617221 6 office", b"026e6561722", b"\xff\x00" * 40, b"026e65617221 6"]
)
def test_a_spoilt_memory_is_no_memory(text):
    script = f"""
with open("data/wifi", "wb") as file:
    file.write({text!r})
port = make(wifi=wifi)
print(until_up(port, 1000), WLAN.asked)
"""
    assert vm(script) == ["0 [('home', None)]"]


def test_flash_that_is_full_costs_the_memory_only():
    script = """
port = access.build(clock, {"wifi": wifi}, "no/such/folder")
port.begin(0)
print(until_up(port, 1000), WLAN.on[1])
"""
    assert vm(script) == ["0 b'\\x02near!'"]


def test_a_cable_is_a_network_once_it_has_an_address():
    script = """
LAN.phy = False
port = make(access="lan", lan={"mdc": 23, "mdio": 18, "phy_type": "lan8720", "phy_addr": 1, "power": 12, "ref_clk_mode": "out"})
port.begin(0)
print(port.up(), port.up(), LAN.made, port.reason)
LAN.phy = True
LAN.cable = False
port.begin(0)
print(port.up(), port.reason, LAN.made)
LAN.cable = True
LAN.address = "0.0.0.0"
print(port.up(), port.reason)
LAN.address = "192.0.2.20"
print(port.up(), port.reason == "", port.name_server(), port.signal(), LAN.made)
print(LAN.given["phy_type"], LAN.given["phy_addr"], LAN.given["power"], LAN.given["ref_clk_mode"] == machine.Pin.OUT)
port.close()
print(port.up())
"""
    assert vm(script) == [
        "False False 1 no network", "False no network 2", "False no address", "True True 192.0.2.53 0 2", "8720 1 True True", "False"
    ]  # fmt: skip


LTE = """
from simulator.chips.modem import ModemChip

class Line:
    def __init__(self, chip):
        self.chip = chip
    def read(self):
        return self.chip.read(clock.now)
    def write(self, data):
        self.chip.write(clock.now, data)

chip = ModemChip()
machine.UART.lines[2] = Line(chip)
pin_write = machine.Pin.value
def value(self, level=None):
    if self._number == 33 and level is not None:
        chip.key(clock.now, level)
    return pin_write(self, level)
machine.Pin.value = value
lte = {"uart": {"rx": 16, "tx": 17}, "apn": "internet", "power": 33}
"""


def lte(script):
    return vm(script, COMMON + LTE)


SWITCHED = """
chip.on = False
levels, order = {}, []
def value(self, level=None):
    if level is not None:
        levels[self._number] = level
        order.append((self._number, level))
        if self._number == 4 and levels.get(12) and levels.get(5) == 0:  # its board's wiring: no supply, or in reset, and the key does nothing
            chip.key(clock.now, level)
    return pin_write(self, level)
machine.Pin.value = value
lte = {"uart": {"rx": 16, "tx": 17}, "apn": "internet", "power": 4, "supply": 12, "low": [5, 25]}
"""


def test_a_modem_has_its_supply_and_is_out_of_reset_before_its_key_is_pressed():
    script = """
port = make(access="lte", lte=lte)
print(order)
print(until_up(port, 60000) is not None, chip.pulses)
"""
    assert lte(SWITCHED + script) == ["[(5, 0), (25, 0), (12, 1), (4, 0)]", "True [1000]"]


@pytest.mark.parametrize("without", ["supply", "low"])
def test_a_modem_that_nothing_feeds_or_that_stays_in_reset_is_told(without):
    script = f"""
del lte[{without!r}]
port = make(access="lte", lte=lte)
print(until_up(port, 120000), port.reason, chip.pulses)
"""
    assert lte(SWITCHED + script) == ["None modem silent []"]


def test_lte_is_up_when_ppp_stands():
    script = """
port = make(access="lte", lte=lte)
PPP.works = False
print(until_up(port, 5000), port.reason, len(PPP.stands))
PPP.works = True
print(until_up(port, 1000), port.reason == "", port.name_server(), port.signal(), PPP.given)
lte["user"], lte["key"] = "u", "k"
port.close()
port = make(access="lte", lte=lte)
print(until_up(port, 30000) is not None, PPP.given[-1], len(PPP.stands))
"""
    assert lte(script) == [
        "None no network 1",
        "0 True 192.0.2.54 -77 [(0, None, None)]",
        "True (1, 'u', 'k') 1",
    ]


def test_ppp_that_ends_is_hung_up_and_dialled_again():
    script = """
port = make(access="lte", lte=lte)
until_up(port, 10000)
PPP.works = False
chip.hang_up(clock.now)
print(port.up(), len(PPP.stands))
PPP.works = True
print(until_up(port, 15000) is not None, chip.calls, len(PPP.given), port.reason == "")
"""
    assert lte(script) == ["False 0", "True 2 2 True"]


def test_ppp_that_never_stands_is_closed_when_there_is_time_for_it():
    script = """
PPP.works = False
port = make(access="lte", lte=lte)
print(until_up(port, 120000), len(PPP.stands), len(PPP.given))
port.begin(0)
print(len(PPP.stands))
PPP.works = True
print(until_up(port, 15000) is not None, len(PPP.given), chip.calls)
"""
    assert lte(script) == ["None 1 1", "0", "True 2 2"]


def test_a_call_that_carries_nothing_is_dialled_again_every_third_time():
    script = """
port = make(access="lte", lte=lte)
until_up(port, 10000)
for failures in range(7):
    port.begin(failures)
    until_up(port, 60000)
print(chip.calls)
"""
    assert lte(script) == ["3"]


def test_what_a_modem_lacks_is_the_port_s_reason():
    script = """
port = make(access="lte", lte=lte)
chip.sim = "none"
print(until_up(port, 10000), port.reason)
chip.sim, chip.network = "ready", 3
print(until_up(port, 600000), port.reason)
chip.network = 1
print(until_up(port, 400000) is not None, port.reason == "")
chip.hang_up(clock.now)
PPP.works = False
port.up()
chip.broken = True
print(until_up(port, 300000), port.reason, machine.Pin._values[33])
"""
    assert lte(script) == ["None modem no sim", "None modem denied", "True True", "None modem silent 0"]


def test_no_memory_for_ppp_is_a_call_that_broke():
    script = """
PPP.memory = False
port = make(access="lte", lte=lte)
print(until_up(port, 20000), port.reason)
PPP.memory = True
print(until_up(port, 60000) is not None)
"""
    assert lte(script) == ["None modem ppp down", "True"]


def test_a_flood_on_the_line_does_not_hold_the_board():
    script = """
class Flood:
    def read(self):
        return b"\\x7e" * 500
    def write(self, data):
        pass
machine.UART.lines[2] = Flood()
port = make(access="lte", lte=lte)
import time
began = time.ticks_ms()
port.up()
print(port.up(), time.ticks_ms() - began < 200)
"""
    assert lte(script) == ["False True"]
