"""The board's adapters in the real VM, each against the real thing on loopback: a name server, a time server, closed ports, files."""

import socket
import struct
import threading

import pytest

from tests.board.station import FAKES, FIRMWARE
from tests.vm64 import run

pytestmark = pytest.mark.vm


def vm(script, **words):
    return run(script.format(**words) if words else script, path=(FAKES, FIRMWARE), timeout=30)


class Answers:
    """A UDP server on loopback: `reply(query)` gives what is sent back, None for silence."""

    def __init__(self, reply):
        self._reply = reply
        self.heard = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            query, sender = self._socket.recvfrom(600)
            if query == b"end":
                return
            self.heard += 1
            reply = self._reply(query)
            if reply is not None:
                self._socket.sendto(reply, sender)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.sendto(b"end", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


def dns(address, alias=True, number=None, code=0):
    """A reply as resolvers give it: an alias first, then the address; names by pointer."""

    def reply(query):
        records = []
        if alias:
            name = b"\x04host\x07example\x00"
            records.append(b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, len(name)) + name)
        records.append(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address))
        head = (number or query[:2]) + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return head + query[12:] + b"".join(records)

    return reply


LOOK_UP = """
import time
from node.esp32.names import Name
name = Name("gateway.example.org", {port})
longest = 0
end = time.ticks_ms() + 700
while not name.address and time.ticks_ms() < end:
    began = time.ticks_us()
    name.look(time.ticks_ms(), "127.0.0.1")
    longest = max(longest, time.ticks_us() - began)
    time.sleep_ms(5)
print(name.address, longest < 50000)
"""


# what the name server does, and the address that comes of it
@pytest.mark.parametrize(
    ("reply", "address"),
    [
        (dns("192.0.2.7"), "192.0.2.7"),
        (dns("192.0.2.7", alias=False), "192.0.2.7"),
        (lambda query: None, "None"),
        (dns("192.0.2.7", number=b"\x00\x00\x00"[:2]), "None"),
        (dns("192.0.2.7", code=3), "None"),
        (lambda query: query, "None"),
        (lambda query: dns("192.0.2.7")(query)[:-3], "None"),
        (lambda query: b"", "None"),
    ],
)
def test_a_name_is_looked_up_without_waiting(reply, address):
    with Answers(reply) as server:
        assert vm(LOOK_UP, port=server.port) == f"{address} True\n"
        assert server.heard == 1


def test_an_address_in_numbers_asks_nobody_and_a_stale_one_is_kept():
    script = """
from node.esp32.names import Name
number = Name("192.0.2.9")
number.stale()
print(number.look(0, "127.0.0.1"))
name = Name("a.example", 9)
name.address = "192.0.2.1"
name.stale()
print(name.look(0, "127.0.0.1"), name.look(5000, "127.0.0.1"), name.look(9000, ""))
"""
    assert vm(script) == "192.0.2.9\n192.0.2.1 192.0.2.1 192.0.2.1\n"


KEPT = """
from node.esp32.names import Name
def opened():
    return Name("gateway.example.org", {port}, "address")
def look(name, times=40):
    import time
    for i in range(times):
        name.look(i * 50, "127.0.0.1")
        time.sleep_ms(2)
    return name.address
first = opened()
print(first.address, look(first), opened().address)
first.keep()
print(opened().address, "asked for and never proven")
first.good()
first.keep()
print(opened().address, Name("another.example.org", 9, "address").address)
again = opened()
again.stale()
print(look(again), "what the name server says now")
again.stale()
print(again.address, "does not answer: the good one again")
for torn in ("gateway.example.org 192.0.2.", "gateway.example.org 192.0.2.7", "gateway.example.org 192.0.2.7 ", "gateway.example.org x \\n", "", "\\xff\\xfe"):
    with open("address", "w") as file:
        file.write(torn)
    print(opened().address, end=" ")
"""


def test_the_last_good_address_outlives_a_boot_and_a_name_server_that_lies():
    told = iter(["192.0.2.7", "203.0.113.66"])
    with Answers(lambda query: dns(next(told))(query)) as server:
        assert vm(KEPT, port=server.port).splitlines() == [
            "None 192.0.2.7 None",
            "None asked for and never proven",
            "192.0.2.7 None",
            "203.0.113.66 what the name server says now",
            "192.0.2.7 does not answer: the good one again",
            "None None None None None None ",
        ]


SNTP = """
from node.esp32.clock import unix_ms_of
good = bytearray(48)
good[0] = 0x24
good[1] = 2
nonce = b"12345678"
good[24:32] = nonce
def at(seconds, fraction):
    good[40:44] = seconds.to_bytes(4, "big")
    good[44:48] = fraction.to_bytes(4, "big")
    return unix_ms_of(bytes(good), nonce)
print(at(2208988800, 0), at(3737052000, 1 << 31), at(0xFFFFFFFF, 0), at(0, 0), at(5, 1 << 30))
at(3737052000, 0)
for i, value in ((0, 0xE4), (0, 0x23), (1, 0), (1, 16), (24, 0)):
    bad = bytearray(good)
    bad[i] = value
    print(unix_ms_of(bytes(bad), nonce), end=" ")
print(unix_ms_of(bytes(good[:47]), nonce))
"""


def test_a_time_server_s_answer_is_read_in_both_eras_and_bad_ones_are_refused():
    first, second = vm(SNTP).splitlines()
    # 1970; 2018-06-03T22:00:00.5Z; the last second of era 0; the first of era 1 (2036-02-07T06:28:16Z); 5.25 s into it
    assert first == "0 1528063200500 2085978495000 2085978496000 2085978501250"
    assert second == "None None None None None None"


def test_the_clock_asks_again_when_nobody_answers_and_never_waits():
    script = """
import time
from node.esp32.clock import Clock
clock = Clock("127.0.0.1", {port})
began = time.ticks_ms()
for i in range(300):
    clock.poll(clock.ticks_ms(), "127.0.0.1")
print(clock.unix_ms(), time.ticks_ms() - began < 200)
now = clock.ticks_ms()
clock.ticks_ms = lambda: now + 2500
clock.poll(now + 2500, "127.0.0.1")
clock.poll(now + 2600, "127.0.0.1")
clock.ticks_ms = lambda: now + 17600
clock.poll(now + 17600, "127.0.0.1")
time.sleep_ms(50)
"""
    with Answers(lambda query: None) as server:
        assert vm(script, port=server.port) == "None True\n"
    assert server.heard == 2


def test_the_clock_goes_on_over_a_wrap_and_a_small_correction_never_takes_it_back():
    script = """
from node.esp32.clock import Clock
clock = Clock("127.0.0.1", 9)
WRAP = 1 << 30
now = WRAP - 1000
clock.ticks_ms = lambda: now
clock._keeper.answer(now, 1528063200500)
a = clock.unix_ms()
now = 500
b = clock.unix_ms()
clock._keeper.answer(now, b - 400)
c = clock.unix_ms()
now = 60500
d = clock.unix_ms()
now = 160500
print(b - a, c - b, d - c, clock.unix_ms() - d)
"""
    assert vm(script) == "1500 0 59766 99834\n", "400 ms late, given back over 102 s"


def sntp(off_s=0, origin=None, stratum=2):
    """A server that says 2018-06-03T22:00:00Z and so many seconds."""

    def reply(query):
        seconds = 2208988800 + 1528063200 + off_s & 0xFFFFFFFF
        return (
            bytes((0x24, stratum, 0, 0))
            + bytes(20)
            + (origin or query[40:48])
            + bytes(8)
            + struct.pack(">II", seconds, 0)
        )

    return reply


ASKED = """
import time
from node.esp32.clock import Clock
clock = Clock("127.0.0.1", {port}, {commissioned})
print(open("world/datetime").read())
end = time.ticks_ms() + {ms}
while time.ticks_ms() < end and clock.unix_ms() is None and not clock.doubts():
    clock.poll(clock.ticks_ms(), "127.0.0.1")
    time.sleep_ms(1)
unix_ms = clock.unix_ms()
print(unix_ms is not None and unix_ms // 1000, clock.doubts(), clock.doubted_s)
print(open("world/datetime").read())
"""
COMMISSIONED_S = 1528000000
FLOOR = "(2018, 6, 3, 6, 4, 26, 40, 0)"  # the chip's time before the first answer: certificates are judged as of then


# what the server does; the time and what was doubted; the chip's own time
@pytest.mark.parametrize(
    ("reply", "said", "chip"),
    [
        (sntp(), "1528063200 0 0", "(2018, 6, 3, 6, 22, 0, 0, 0)"),
        (sntp(-86400), "False 1 -23200", FLOOR),
        (sntp(21 * 31557600), "False 1 662772800", FLOOR),
        (sntp(365 * 86400), "1559599200 0 0", "(2019, 6, 3, 0, 22, 0, 0, 0)"),
        (sntp(origin=b"another!"), "False 0 0", FLOOR),
        (sntp(stratum=0), "False 0 0", FLOOR),
        (lambda query: None, "False 0 0", FLOOR),
    ],
    ids=["honest", "a day early", "21 years late", "a year late", "not our nonce", "kiss of death", "silent"],
)
def test_a_server_that_lies_is_bounded_by_the_floor_which_the_chip_is_set_to(reply, said, chip):
    with Answers(reply) as server:
        found = vm("import os\nos.mkdir('world')\n" + ASKED, port=server.port, commissioned=COMMISSIONED_S, ms=300)
    assert found.splitlines() == [FLOOR, said, chip]
    assert server.heard == 1


def test_a_kiss_of_death_is_heeded_and_a_forged_one_is_not():
    script = """
import time
from node.core.clock import diff
from node.esp32.clock import Clock
clock = Clock("127.0.0.1", {port})
end = time.ticks_ms() + 300
while time.ticks_ms() < end and diff(clock._due_at, clock.ticks_ms()) <= 0:
    clock.poll(clock.ticks_ms(), "127.0.0.1")
    time.sleep_ms(1)
print(diff(clock._due_at, clock.ticks_ms()) // 10000)
"""
    with Answers(sntp(stratum=0)) as server:
        assert vm(script, port=server.port) == "95\n"
    with Answers(sntp(stratum=0, origin=b"another!")) as server:
        assert vm(script, port=server.port) == "-1\n"


def test_the_clock_asks_at_once_when_the_network_was_away_for_a_week():
    script = """
import time
from node.esp32.clock import Clock
clock = Clock("127.0.0.1", {port})
late = 0
clock.ticks_ms = lambda: (time.ticks_ms() + late) % (1 << 30)
clock._keeper.answer(clock.ticks_ms(), 1528063200000)
clock._due_at = (clock.ticks_ms() + 6 * 3600000) % (1 << 30)
late = 6 * 86400000
clock.unix_ms()
late = 7 * 86400000
clock.poll(clock.ticks_ms(), "127.0.0.1")
time.sleep_ms(50)
"""
    with Answers(lambda query: None) as server:
        vm(script, port=server.port)
    assert server.heard == 1


LINK = """
import time
from node.esp32.access import Wifi
from node.esp32.clock import Clock
from node.esp32.link import Link
link = Link(Clock("127.0.0.1", 9), Wifi(Clock("127.0.0.1", 9), {{}}, "data"), {{"host": "127.0.0.1", "port": {port}}})
buffer = bytearray(16)
print(link.state(), link.recv_into(buffer), link.send(b"x"), link.readable())
link.open()
end = time.ticks_ms() + 2000
while link.state() == 1 and time.ticks_ms() < end:
    time.sleep_ms(5)
print(link.state())
if link.state() == 2:
    print(link.recv_into(buffer), link.readable(), link.send(b"hello"))
    while not link.readable():
        time.sleep_ms(5)
    print(link.recv_into(buffer), bytes(buffer[:5]))
    while link.state() == 2:
        if link.readable():
            print(link.recv_into(buffer))
    link.open()
    print(link.state())
    link.close()
    print(link.state())
"""


def test_the_link_carries_bytes_and_sees_the_other_side_close():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            near, _ = listener.accept()
            with near:
                near.sendall(near.recv(16))

        thread = threading.Thread(target=serve)
        thread.start()
        output = vm(LINK, port=listener.getsockname()[1])
        thread.join()
    assert output.splitlines() == ["0 -1 0 False", "2", "0 False 5", "5 b'hello'", "-1", "1", "0"]


def test_a_closed_port_brings_the_link_down():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert vm(LINK, port=probe.getsockname()[1]).splitlines() == ["0 -1 0 False", "0"]


USE = """
import time
from node.esp32.clock import Clock
from node.esp32.link import Link
class Net:
    told = None
    reason = ""
    def up(self):
        return True
    def begin(self, failures):
        self.failures = failures
    def use(self, ssid, key):
        self.told = (ssid, key)
    def name_server(self):
        return ""
net = Net()
link = Link(Clock("127.0.0.1", 9), net, {{"host": "127.0.0.1", "port": {closed}}})
def opened():
    link.open()
    while link.state() == 1:
        time.sleep_ms(5)
    return link.state(), link.reason, net.failures
print(opened(), opened())
link.use({{"broker.host": "127.0.0.1", "broker.port": "{port}", "wifi.ssid": "kampung", "wifi.key": "secret12"}})
print(opened(), net.told)
link.use({{"broker.host": "127.0.0.1", "broker.port": "{closed}", "wifi.ssid": "kampung", "wifi.key": "secret12"}})
print(link.state(), repr(link.reason), opened())
"""


def test_the_link_is_led_to_another_broker_and_network():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        output = vm(USE, port=listener.getsockname()[1], closed=unused.getsockname()[1])
    assert output.splitlines() == [
        "(0, 'refused', 0) (0, 'refused', 0)",  # a network that carries a refusal is good for something
        "(2, 'refused', 0) ('kampung', 'secret12')",
        "0 '' (0, 'refused', 0)",
    ]


STORAGE = """
import os
from node.esp32.storage import Storage
os.mkdir("data")
for name in ("kept", "half.tmp"):
    with open("data/" + name, "w") as file:
        file.write("old")
storage = Storage("data")
print(sorted(os.listdir("data")), storage.names(), storage.size("none"), storage.read("none", 0, 9))
storage.append("log", b"abc")
storage.append("log", bytearray(b"def"))
print(storage.size("log"), storage.read("log", 2, 3), storage.read("log", 6, 3))
storage.replace("kept", b"new")
print(storage.read("kept", 0, 9), sorted(Storage("data").names()))
storage.remove("log")
for call in (lambda: storage.remove("log"), lambda: storage.append("no/such", b""), lambda: Storage("no/such/folder").append("a", b"")):
    try:
        call()
        print("no error")
    except OSError as e:
        print(e.errno)
"""


def test_storage_appends_replaces_and_clears_what_a_power_cut_left():
    assert vm(STORAGE).splitlines() == [
        "['kept'] ['kept'] 0 b''",
        "6 b'cde' b''",
        "b'new' ['kept', 'log']",
        "2",
        "2",
        "2",
    ]
