"""LAN and LTE in a station's file: into the board's JSON, or one sentence."""

import pytest

from hardware.compile import STATIONS, Station
from hardware.shape import Source
from simulator.errors import InputError
from waspada.station import read_network

RIVER = (STATIONS / "river_gauge.toml").read_text(encoding="utf-8")
WHERE = ("dr01", "demo", "5eed0001")
MODEM = '\n[pins.uart2]\nkind = "uart"\nrx = 18\ntx = 19\nbaud = 115200\npower = 21\n'
BY_LTE = RIVER.replace("board =", 'access = "lte"\nboard =', 1) + MODEM + '\n[lte]\nuart = "uart2"\n'
PHY = '\n[lan]\nmdc = 23\nmdio = 18\nphy_type = "lan8720"\nphy_addr = 1\n'


def station_of(text, tmp_path):
    return Station(Source(tmp_path / "s.toml", text))


def test_a_modem_s_uart_is_no_bus_of_a_sensor(tmp_path):
    station = station_of(BY_LTE, tmp_path).compiled(*WHERE, lte={"apn": "internet", "pin": "1234"})
    assert station["access"] == "lte"
    assert station["lte"] == {
        "uart": {"number": 2, "rx": 18, "tx": 19, "baud": 115200}, "power": 21, "apn": "internet", "pin": "1234"
    }  # fmt: skip
    assert "uart2" not in station["pins"]


def test_ethernet_is_passed_on_where_no_pin_is_taken_twice(tmp_path):
    text = RIVER.replace("board =", 'access = "lan"\nboard =', 1)
    text = text.replace("pin = 25", "pin = 13").replace("pin = 26", "pin = 14") + PHY
    station = station_of(text, tmp_path).compiled(*WHERE)
    assert station["access"] == "lan"
    assert station["lan"] == {"mdc": 23, "mdio": 18, "phy_type": "lan8720", "phy_addr": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RIVER.replace("board =", 'access = "lan"\nboard =', 1) + PHY, "pins.siren.pin is 25, which Ethernet needs"),
        (RIVER.replace("board =", 'access = "lora"\nboard =', 1), "allowed are wifi, lan, lte"),
        (RIVER.replace("board =", "access = 1\nboard =", 1), "allowed are wifi, lan, lte"),
        (RIVER + PHY, "[lan] is of no use"),
        (BY_LTE.replace('uart = "uart2"', 'uart = "uart1x"'), "the name of a bus"),
        (BY_LTE.replace('uart = "uart2"', 'uart = "uart0"'), "no such bus of kind uart"),
        (BY_LTE + 'apn = "a\\"b"\n', "without spaces and quotation marks"),
        (BY_LTE + "pin = 1234\n", "4 to 8 digits as text"),
        (RIVER.replace("board =", 'access = "lte"\nboard =', 1), "lte must be a table"),
        (BY_LTE.replace('uart = "uart2"', 'uart = "uart1"'), "no bus 'uart1' in [pins]"),
    ],
)
def test_what_can_not_be_is_one_sentence(text, said, tmp_path):
    with pytest.raises(InputError) as caught:
        station_of(text, tmp_path)
    assert said in str(caught.value)


def test_a_subscription_comes_from_the_site_s_own_file(tmp_path):
    path = tmp_path / "network.toml"
    path.write_text('[lte]\napn = "internet"\nuser = "u"\nkey = "k"\n')
    over = read_network(path)
    assert station_of(BY_LTE, tmp_path).compiled(*WHERE, **over)["lte"]["user"] == "u"
    with pytest.raises(InputError, match="the station has no modem"):
        station_of(RIVER, tmp_path).compiled(*WHERE, **over)
    path.write_text('[lte]\nuser = "u"\n')
    with pytest.raises(InputError, match="lacks 'apn'"):
        read_network(path)
