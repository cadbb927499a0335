"""Deep sleep as main.py goes about it, in the real MicroPython VM with a stand-in for the chip. No ESP32 ran this."""

import binascii
import json
import struct
import subprocess
import time

import pytest

from hardware.boards import chips
from hardware.compile import compile_station
from tests.board.station import RANGER_POWER, SIREN, STROBE, describe, environment
from tests.vm64 import program

pytestmark = pytest.mark.vm

SOON = """
import main
from node import duty
duty._AWAKE_S = 0
duty._GIVE_UP_MS = 200
main.run('')
"""
BUCKET = {"kind": "pulses", "pin": 27}
HEAD = "<4sqqIhI"


def boot(folder, code=SOON, within_s=40):
    """Runs until the chip sleeps, which ends the process; what it said."""
    found = subprocess.run(
        [program(), "-c", code], cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=within_s
    )  # fmt: skip
    return found.stdout.decode() + found.stderr.decode()


def world(folder, name):
    try:
        return (folder / "world" / name).read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []


def head_of(folder):
    data = (folder / "world" / "rtc").read_bytes()
    return struct.unpack(HEAD, data[:30]), data[30:]


def put_head(folder, kept, until, tips, pin, data=b""):
    head = struct.pack("<4sqqIh", b"WPS1", kept, until, tips, pin)
    (folder / "world" / "rtc").write_bytes(head + struct.pack("<I", binascii.crc32(head)) + data)


def asleep(folder, **settings):
    """A station that has gone to sleep after its first samples, without a network."""
    (folder / "world").mkdir(exist_ok=True)
    (folder / "world" / "no_wifi").touch()
    (folder / "world" / "range_mm").write_text("4300")
    describe(folder, settings={"power.profile": 1, "rise.limit": 0, **settings})
    said = boot(folder)
    assert world(folder, "slept"), said


def wake(folder, by="4"):
    (folder / "world" / "cause").write_text("4")
    (folder / "world" / "wake").write_text(by)
    return boot(folder)


def test_a_calm_station_gives_up_its_radio_holds_its_outputs_low_and_sleeps_until_the_sample(tmp_path):
    asleep(tmp_path)
    ms = int(world(tmp_path, "slept")[0])
    assert 2000 <= ms <= 4000  # samples are 5 s apart, and a boot takes one of them
    held = [line for line in world(tmp_path, "holds") if line.endswith(" 1")]
    assert held == [f"{SIREN} 1", f"{STROBE} 1", f"{RANGER_POWER} 1", "all 1"]
    (_, kept, until, tips, pin, _), frozen = head_of(tmp_path)
    assert (until - kept) // 100 == ms // 100
    assert (tips, pin) == (0, -1)
    assert 100 < len(frozen) <= 1900
    assert abs(kept / 1000 - time.time()) < 60


def test_a_wake_is_no_new_boot(tmp_path):
    asleep(tmp_path)
    before = (tmp_path / "data" / "boot").read_bytes()
    wake(tmp_path)
    assert len(world(tmp_path, "slept")) == 2
    assert (tmp_path / "data" / "boot").read_bytes() == before
    assert f"{SIREN} 0" in world(tmp_path, "holds")  # let go again


def test_a_reset_while_it_sleeps_is_a_boot_like_any_other(tmp_path):
    asleep(tmp_path)
    before = int((tmp_path / "data" / "boot").read_bytes())
    (tmp_path / "world" / "cause").write_text("2")
    boot(tmp_path)
    assert int((tmp_path / "data" / "boot").read_bytes()) == before + 1


def test_harmed_rtc_memory_is_a_cold_boot_that_runs(tmp_path):
    asleep(tmp_path)
    before = int((tmp_path / "data" / "boot").read_bytes())
    for harm in (lambda data: data[:-1] + bytes((data[-1] ^ 1,)), lambda data: data[:9], lambda data: b""):
        rtc = tmp_path / "world" / "rtc"
        rtc.write_bytes(harm(rtc.read_bytes()))
        said = wake(tmp_path)
        assert "station dr01" in said
        before += 1
        assert int((tmp_path / "data" / "boot").read_bytes()) == before


TIP = """
import machine
from node.esp32 import power
machine.Pin.outside[27] = %d
early = power.begin()
print("begun", early.tips.count if early else -1)
"""


def tip(folder, closed, left_ms=60_000, count=7):
    (folder / "world").mkdir(exist_ok=True)
    now = int(time.time() * 1000)
    put_head(folder, now - 1000, now + left_ms, count, 27, b"state")
    (folder / "world" / "cause").write_text("4")
    (folder / "world" / "wake").write_text("2")
    return boot(folder, TIP % (0 if closed else 1))


def test_a_tip_that_wakes_the_chip_is_counted_and_the_chip_sleeps_on(tmp_path):
    assert "begun" not in tip(tmp_path, closed=False)
    (_, _, _, tips, pin, _), data = head_of(tmp_path)
    assert (tips, pin, data) == (8, 27, b"state")
    assert 55_000 < int(world(tmp_path, "slept")[0]) <= 60_000
    assert world(tmp_path, "ext0") == ["27"]


def test_a_contact_that_is_closed_when_the_boot_is_over_is_another_tip_and_one_that_stays_closed_wakes_nobody(tmp_path):
    tip(tmp_path, closed=True)
    assert head_of(tmp_path)[0][3] == 9
    assert world(tmp_path, "ext0") == ["-1"]


def test_a_tip_shortly_before_the_sample_goes_on_with_the_boot(tmp_path):
    assert "begun 8" in tip(tmp_path, closed=False, left_ms=300)
    assert not world(tmp_path, "slept")


BUCKETS = """
from node.esp32 import power
print([pin for pin in %r if power.build({'a': {'kind': 'pulses', 'pin': pin}})])
"""


@pytest.mark.parametrize("chip", list(chips()))
def test_a_bucket_on_a_pin_that_can_not_wake_the_chip_keeps_it_awake(chip, tmp_path):
    row = chips()[chip]
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "watched").write_text(" ".join(map(str, row["wake"])))
    assert 0 < len(row["wake"]) < len(row["pins"])
    assert boot(tmp_path, BUCKETS % row["pins"]) == f"{row['wake']}\n"


def test_two_contacts_that_count_keep_it_awake_since_asleep_only_one_would(tmp_path):
    (tmp_path / "world").mkdir()
    code = "from node.esp32 import power\nprint(power.build({%s}))"
    row = "'%s': {'kind': 'pulses', 'pin': %d}"
    assert boot(tmp_path, code % ", ".join((row % ("rain", 27), row % ("wind", 26)))) == "None\n"
    assert "Power object" in boot(tmp_path, code % row % ("rain", 27))


def test_the_weather_poles_bucket_wakes_its_own_chip_and_would_not_wake_the_other(tmp_path):
    pole = compile_station("weather_pole", "a", "d", "00000000")
    (tmp_path / "world").mkdir()
    (tmp_path / "station.json").write_text(json.dumps(pole))
    code = (
        "import json\nfrom node.esp32 import power\nprint(bool(power.build(json.load(open('station.json'))['pins'])))"
    )
    for chip, sleeps in (("esp32s3", "True\n"), ("esp32", "False\n")):
        (tmp_path / "world" / "watched").write_text(" ".join(map(str, chips()[chip]["wake"])))
        assert boot(tmp_path, code) == sleeps


MODEM = """
from node.esp32 import power
board = power.build({"siren": {"kind": "output", "pin": 22}}, None, %r)
board.doze(1000, {})
"""


def test_a_modem_keeps_its_supply_over_a_sleep_and_is_not_reset_by_the_wake(tmp_path):
    (tmp_path / "world").mkdir()
    boot(tmp_path, MODEM % {"power": 4, "supply": 12, "low": [5, 25]})
    assert world(tmp_path, "holds")[-6:] == ["22 1", "5 1", "25 1", "4 1", "12 1", "all 1"]
    last = dict(line.split() for line in world(tmp_path, "pins"))
    assert last == {"22": "0", "5": "0", "25": "0", "4": "0", "12": "1"}
    (tmp_path / "world" / "holds").unlink()
    boot(tmp_path, MODEM % {})
    assert world(tmp_path, "holds")[-2:] == ["22 1", "all 1"]  # a modem of its own board has its own supply


def test_the_head_that_is_written_is_the_head_that_is_read(tmp_path):
    (tmp_path / "world").mkdir()
    code = "from node.esp32 import power\npower._write(5, 6, 7, 8, b'x')\nprint(power._read())"
    assert boot(tmp_path, code) == "(5, 6, 7, 8)\n"
    assert json.loads(json.dumps(head_of(tmp_path)[0][1:5])) == [5, 6, 7, 8]


UNREADABLE = """
import main
from node.esp32.storage import Storage
def broken(*_):
    raise OSError(5)
Storage.read = broken
main.run('', 20)
"""
DOES_NOT_START = """
import main
main.broken = MemoryError('planted')  # a module that can't be imported
main._RESTARTS_MOST = 0
main._BARE_S = 1
main.run('')
"""


@pytest.mark.parametrize("code", [UNREADABLE, DOES_NOT_START])
def test_a_wake_that_finds_flash_unreadable_or_does_not_start_still_has_a_siren_and_a_ranger(tmp_path, code):
    asleep(tmp_path)
    describe(tmp_path, settings={"rise.limit": 0})  # as if a technician had saved that it is to sleep
    (tmp_path / "world" / "holds").unlink()
    (tmp_path / "world" / "cause").write_text("4")
    boot(tmp_path, code)
    assert {f"{SIREN} 0", f"{STROBE} 0", f"{RANGER_POWER} 0"} <= set(world(tmp_path, "holds"))


AWAKE_AFTER_ALL = """
import esp32, machine
from node.esp32 import power
pins = {"siren": {"kind": "output", "pin": 25}, "strobe": {"kind": "output", "pin": 26}}
board = power.build(pins)
def fails(*_):
    raise OSError(5)
%s = fails
try:
    board.doze(1000, {})
except OSError:
    print("awake")
"""


@pytest.mark.parametrize("call", ["machine.deepsleep", "esp32.wake_on_ext0"])
def test_a_sleep_that_fails_at_its_last_call_leaves_no_siren_held(tmp_path, call):
    (tmp_path / "world").mkdir()
    assert "awake" in boot(tmp_path, AWAKE_AFTER_ALL % call)
    assert world(tmp_path, "holds")[-3:] == ["all 0", f"{SIREN} 0", f"{STROBE} 0"]
