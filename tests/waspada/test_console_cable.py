"""What is at the other end of the cable, and what is said when it is no station, or goes."""

import ast
import errno
import os
import pty
from pathlib import Path
from types import SimpleNamespace

import pytest
import serial

from simulator.errors import InputError
from tests.waspada.console_desk import PIN, Cable, Peer, console
from waspada.consoles import port as ports
from waspada.consoles.pin import VARIABLE, Pin, RefusedError
from waspada.consoles.station import Station


def usb(device, vid=0x10C4, pid=0xEA60, product="CP2102", number="0001"):
    return SimpleNamespace(device=device, vid=vid, pid=pid, product=product, description="", serial_number=number)


# (name, what a peer says to what it hears, words of the sentence)
STRANGERS = {
    "a MicroPython prompt": (
        lambda heard: b"\r\n>>> " * heard.count(b"\r"),
        "MicroPython prompt answers, but no station runs",
    ),
    "a modem": (lambda heard: heard + b"\r\nERROR\r\n", "no Waspada station (it says"),
    "noise of a wrong rate": (lambda _: bytes(range(128, 256)), "noise"),
    "nothing": (lambda _: b"", "no station answers within"),
    "an echo": (lambda heard: heard, "no"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_is_no_station_is_named_in_one_sentence(name):
    answer, words = STRANGERS[name]
    with Peer(answer) as peer:
        done = console(peer.port, "--script", "-", "--wait", "3", "--json", stdin="show\n")
    assert done.code == 2
    assert words in done.json["error"]
    assert len(done.err.splitlines()) == 1 and "Traceback" not in done.err


def test_the_only_usb_port_is_taken_and_several_are_named_with_their_ids():
    bluetooth = SimpleNamespace(device="/dev/ttyS0", vid=None)
    assert ports.found_port([bluetooth, usb("/dev/ttyUSB0")]) == "/dev/ttyUSB0"
    with pytest.raises(InputError, match=r"ttyACM0 \(303a:1001 .*ttyUSB0 \(10c4:ea60 CP2102 serial 0001\)"):
        ports.found_port([usb("/dev/ttyUSB0"), usb("/dev/ttyACM0", 0x303A, 0x1001, "USB JTAG", "")])
    with pytest.raises(InputError, match="no board is at any USB port"):
        ports.found_port([bluetooth])


def test_without_a_port_the_command_says_what_is_there(monkeypatch):
    monkeypatch.setattr(ports.list_ports, "comports", lambda: [usb("/dev/ttyUSB0"), usb("/dev/ttyUSB1")])
    done = console("--script", "-", "--json")
    assert done.code == 2
    assert "ttyUSB0" in done.json["error"] and "ttyUSB1" in done.json["error"]
    listed = console("--list", "--json")
    assert listed.code == 0
    assert [port["port"] for port in listed.json["ports"]] == ["/dev/ttyUSB0", "/dev/ttyUSB1"]


def test_dtr_and_rts_are_released_before_the_port_is_opened(monkeypatch):
    opened = []

    class Recorded(serial.Serial):
        def open(self):
            opened.append((self.dtr, self.rts, self.dsrdtr, self.rtscts, self.exclusive))

    monkeypatch.setattr(serial, "serial_for_url", lambda name, do_not_open, **options: Recorded(None, **options))
    ports.open_port("/dev/ttyUSB0")
    assert opened == [(False, False, False, False, True)]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "dialout"), (errno.EBUSY, "in use by another program"), (errno.ENOENT, "ports here|no serial")],
)
def test_a_port_that_can_not_be_opened_says_why(monkeypatch, number, words):
    class Refusing(serial.Serial):
        def open(self):
            raise serial.SerialException(number, f"could not open port: [Errno {number}] {os.strerror(number)}")

    monkeypatch.setattr(serial, "serial_for_url", lambda name, do_not_open, **options: Refusing(None, **options))
    with pytest.raises(InputError, match=words):
        ports.open_port("/dev/ttyUSB0")


def test_a_second_tool_is_told_that_the_port_is_in_use():
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    try:
        with ports.open_port(name):
            done = console(name, "--script", "-", "--json")
        assert done.code == 2
        assert "in use" in done.json["error"]
    finally:
        os.close(master)
        os.close(slave)


def test_a_kit_that_resets_when_it_is_opened_is_waited_for():
    boot = b"ets Jul 29 2019 12:21:46\r\nrst:0x1 (POWERON_RESET)\r\nload:0x3fff0030\r\n"
    with Cable(greeting=boot, silent=3) as cable:
        done = console(cable.port, "--script", "-", "--json", stdin="status\n")
    assert done.code == 0
    assert "was reset when its port was opened" in done.err


def test_a_station_that_sleeps_is_waited_for_and_somebody_is_told():
    with Cable(silent=9) as cable:
        done = console(cable.port, "--script", "-", "--json", stdin="status\n")
    assert done.code == 0
    assert "a station that sleeps hears nothing until it wakes" in done.err


@pytest.mark.parametrize("after", [1, 40, 120, 400, 700])
def test_a_cable_that_is_pulled_anywhere_is_one_sentence_and_exit_1(after):
    with Cable(cut_after=after) as cable:
        done = console(cable.port, "--script", "-", "--json", stdin="status\nshow\nset level.danger 1.4 m\n")
        assert done.code == 1, done
        assert "has gone" in done.json["error"] and "check the cable" in done.json["error"]
        again = console(cable.port, "--script", "-", "--json", stdin="revert\nshow level.danger\n")
    assert again.json["dialogue"][-1]["answer"] == ["level.danger 1.5 m"]


def test_the_station_is_left_with_its_prompt_and_logged_out():
    with Cable(pin=PIN) as cable:
        assert console(cable.port, "--script", "-", stdin="ack\n", environment={VARIABLE: PIN}).code == 0
        assert not cable.desk.app._console.user
        assert not cable.desk.app._console.machine
        raw = console(cable.port, stdin="set siren.from 2\n")
    assert "login PIN first" in raw.out


# The PIN


def test_the_pin_is_never_in_any_output(tmp_path):
    (tmp_path / "pin").write_text(PIN + "\n")
    with Cable(pin=PIN) as cable:
        ways = [
            console(
                cable.port, "--script", "-", "--json", "--pin-file", tmp_path / "pin", stdin="set siren.from 2\nsave\n"
            ),
            console(cable.port, "--script", "-", stdin="login\nset siren.from 3\nsave\n", environment={VARIABLE: PIN}),
            console(cable.port, "--script", "-", "--json", stdin=f"login {PIN}\nset wifi.key hunter22\nrevert\n"),
        ]
        assert PIN.encode() in cable.heard
    for done in ways:
        assert done.code == 0, done
        assert PIN not in done.out + done.err and "hunter22" not in done.out + done.err
    assert ways[2].json["dialogue"][0]["sent"] == "login *"


def test_a_script_without_a_pin_is_told_how_to_give_it():
    with Cable(pin=PIN) as cable:
        done = console(
            cable.port, "--script", "-", "--json", stdin="set siren.from 2\nsave\n", environment={VARIABLE: ""}
        )
        assert cable.desk.app.settings.revision == 1
    assert done.code == 2
    assert "--pin-file" in done.json["error"] and VARIABLE in done.json["error"]


def test_a_wrong_pin_from_a_file_is_tried_once(tmp_path):
    (tmp_path / "pin").write_text("111111")
    with Cable(pin=PIN) as cable:
        done = console(cable.port, "--script", "-", "--json", "--pin-file", tmp_path / "pin", stdin="ack\n")
        assert cable.heard.count(b"login") == 1
    assert done.code == 1
    assert "wrong PIN" in done.json["error"] and "111111" not in done.out + done.err


def test_a_person_waits_for_the_next_try_and_then_is_let_in():
    typed, waited, told = iter(["111111", PIN]), [], []
    with Cable(pin=PIN) as cable, ports.open_port(cable.port) as port, Station(port) as station:
        Pin(prompt=lambda _: next(typed), sleep=lambda s: (waited.append(s), _pass(cable, s))).log_in(
            station, told.append
        )
        assert station.status()["user"] == "in"
    assert waited == [6]
    assert told[0] == "wrong PIN; the next is heard in 5 s"


def test_nobody_is_let_in_with_three_wrong_ones_and_the_waits_grow():
    typed, waited = iter(["1", "2", "3"]), []
    with Cable(pin=PIN) as cable, ports.open_port(cable.port) as port, Station(port) as station:
        with pytest.raises(RefusedError, match="wrong PIN; it is on the station's label"):
            Pin(prompt=lambda _: next(typed), sleep=lambda s: (waited.append(s), _pass(cable, s))).log_in(
                station, lambda _: None
            )
        assert station.status()["user"] == "out"
    assert waited == [6, 11]


def _pass(cable, seconds):
    """Waits until so much of the station's time has gone by."""
    end = cable.desk.t + seconds * 1000
    cable.until(lambda desk: desk.t >= end)


@pytest.mark.parametrize("pin", ["", "12 34", "x" * 33, "\x07"])
def test_a_pin_that_none_can_be_is_not_sent(pin):
    with Cable(pin=PIN) as cable, ports.open_port(cable.port) as port, Station(port) as station:
        with pytest.raises(InputError, match="a PIN is"):
            Pin(prompt=lambda _: pin).log_in(station, lambda _: None)
        assert b"login" not in cable.heard


# Arguments


@pytest.mark.parametrize(
    "words",
    [("p", "q"), ("p", "--json"), ("p", "--samples", "3"), ("p", "--yes"), ("p", "--chart", "--samples", "0"), ("p", "--deadline", "0"),
     ("p", "--wait", "nan"), ("p", "--chart", "--script", "-"), ("p", "--script", "/nowhere"), ("p", "--apply", "/nowhere"),
     ("p", "--restore", "/nowhere"), ("p", "--journal", "a.xls"), ("p", "--commission", "dr01", "--city", "/nowhere"), ("p", "--chart")],
)  # fmt: skip
def test_unusable_arguments_are_one_sentence(words):
    done = console(*words)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1


POSIX_ONLY = {
    "termios",
    "pty",
    "fcntl",
    "tty",
    "curses",
    "readline",
    "pwd",
    "grp",
    "resource",
    "select",
    "selectors",
    "signal",
}


def test_the_tool_imports_nothing_that_windows_lacks():
    folder = Path(ports.__file__).parent
    files = [*folder.glob("*.py"), folder.parent / "console.py"]
    assert len(files) > 8
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not POSIX_ONLY & {name.split(".")[0] for name in names}, file
