"""main.py, unchanged, in the real MicroPython VM. Stand-ins only for `machine` and `network`; clock, files, sockets are real."""

import json
import queue
import socket
import struct
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from tests.board.station import RANGER_POWER, SIREN, STROBE, describe, environment, pins
from tests.broker import mosquitto
from tests.vm64 import program
from waspada import contents

pytestmark = pytest.mark.vm

UNIX_MS_THEN = 1_528_063_200_500


class Vm:
    """The VM in `folder`, running `code`; its output is read as it comes."""

    def __init__(self, folder, code="import main\nprint('ended', main.run(''))"):
        self.process = subprocess.Popen(
            [program(), "-c", code], cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.output = b""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while data := self.process.stdout.read1(4096):
            with self._news:
                self.output += data
                self._news.notify_all()

    def until(self, text, within_s=20):
        with self._news:
            assert self._news.wait_for(lambda: text in self.output, within_s), self.output.decode()

    def type(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


class TimeServer:
    """An SNTP server on loopback that says it is always 2018-06-03T22:00:00.5Z."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            query, sender = self._socket.recvfrom(100)
            if query == b"end":
                return
            seconds = UNIX_MS_THEN // 1000 + 2_208_988_800
            reply = bytes((0x24, 2)) + bytes(22) + query[40:48] + bytes(8) + struct.pack(">II", seconds, 1 << 31)
            self._socket.sendto(reply, sender)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.sendto(b"end", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


def subscribe(port):
    messages = queue.Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    ready = threading.Event()
    client.on_connect = lambda *_: client.subscribe("waspada/#", 1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: messages.put((message.topic, message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(10)
    return client, messages


def records(messages, name, within_s=30):
    """The packs of one topic, as they arrive."""
    deadline = time.monotonic() + within_s
    while True:
        topic, payload = messages.get(timeout=max(0.01, deadline - time.monotonic()))
        if topic == "waspada/v1/demo/dr01/" + name:
            yield json.loads(payload)


@pytest.mark.broker
def test_readings_reach_a_subscriber_through_a_real_broker(tmp_path):
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "range_mm").write_text("3246")
    with mosquitto(tmp_path) as port, TimeServer() as server:
        describe(tmp_path, port, time={"host": "127.0.0.1", "port": server.port})
        client, messages = subscribe(port)
        try:
            with Vm(tmp_path) as vm:
                vm.until(b"waspada station dr01")
                heard = records(messages, "readings")
                first, second = next(heard), next(heard)
        finally:
            client.disconnect()
            client.loop_stop()
    assert [point["n"] for point in first] == ["level", "battery"]
    assert first[0]["v"] == 1.254
    assert first[0]["seq"] == 1
    assert (second[0]["v"], second[0]["seq"], second[1]["v"]) == (1.254, 2, 12.599)
    assert 1_528_063_200 <= second[0]["bt"] < 1_528_063_260
    assert eval((tmp_path / "world" / "datetime").read_text())[:3] == (2018, 6, 3)  # noqa: S307
    assert (RANGER_POWER, 1) in pins(tmp_path)
    assert (SIREN, 1) in pins(tmp_path)  # 1.254 m is a warning
    assert (tmp_path / "world" / "feeds").read_bytes().startswith(b"60000\n..")


def test_siren_follows_the_water_without_any_network(tmp_path):
    describe(tmp_path)
    (tmp_path / "world" / "no_wifi").touch()
    (tmp_path / "world" / "range_mm").write_text("2900")
    with Vm(tmp_path) as vm:
        vm.until(b"waspada station dr01")
        deadline = time.monotonic() + 20
        while (SIREN, 1) not in pins(tmp_path):
            assert time.monotonic() < deadline, vm.output
            time.sleep(0.02)
        vm.type(b"\x03\x03\x03")
        vm.until(b"ended True")
    assert pins(tmp_path)[-2:] in ([(SIREN, 0), (STROBE, 0)], [(STROBE, 0), (SIREN, 0)])


def test_one_interrupt_does_not_stop_a_station(tmp_path):
    describe(tmp_path)
    with Vm(tmp_path) as vm:
        vm.until(b"waspada station dr01")
        vm.type(b"\x03")
        vm.until(b"\r\n> ")
        vm.type(b"get level.danger\r")
        vm.until(b"level.danger 1.5 m")
        vm.type(b"\x03\x03")
        vm.type(b"get level.alert\r")
        vm.until(b"level.alert 0.6 m")


# what stands in station.json (None: no file), and what the one sentence must name
UNUSABLE = [
    (None, b"station.json is missing"),
    ("{", b"station.json can't be used"),
    ("[]", b"station.json can't be used"),
    ("{}", b"pins"),
    ('{"pins":{}}', b"life"),
]


@pytest.mark.parametrize(("text", "named"), UNUSABLE)
def test_an_unusable_description_is_one_sentence_and_the_repl(tmp_path, text, named):
    if text is not None:
        (tmp_path / "station.json").write_text(text)
    with Vm(tmp_path) as vm:
        vm.until(b"ended False")
    lines = vm.output.splitlines()
    assert len(lines) == 2
    assert named in lines[0]
    assert lines[0].endswith(b"waspada flash NODE --port PORT")
    assert not (tmp_path / "world" / "feeds").exists()


def test_a_hungry_watchdog_when_sampling_stays_away(tmp_path):
    code = """
import main
class App:
    alive_ms = 0
    reboot_wanted = False
    interval_ms = 300
    def __init__(self, station, ports):
        self.alive_ms = ports.clock.ticks_ms()
    def step(self, now_ms):
        return 50
main.App = App
main.run('', 40)
print('ended')
"""
    describe(tmp_path)
    with Vm(tmp_path, code) as vm:
        vm.until(b"ended")
    meals = (tmp_path / "world" / "feeds").read_bytes().count(b".")
    assert 10 <= meals <= 60  # 600 ms in slices of at most 20 ms; well fed it would be 160


def test_a_step_that_raises_is_reported_and_the_loop_goes_on(tmp_path):
    code = """
import main
class App:
    alive_ms = 0
    reboot_wanted = False
    interval_ms = 300
    steps = 0
    def __init__(self, station, ports):
        pass
    def step(self, now_ms):
        self.steps += 1
        if self.steps == 1:
            raise RuntimeError('a defect')
        print('step', self.steps)
        return 0
main.App = App
main._AFTER_FAULT_MS = 10
main.run('', 3)
print('ended')
"""
    describe(tmp_path)
    with Vm(tmp_path, code) as vm:
        vm.until(b"ended")
    assert b"RuntimeError: a defect" in vm.output
    assert b"step 3" in vm.output


# what is broken -> the code that breaks it; the station has run here before
BROKEN = {
    "a module of the network": "import sys\nsys.modules['node.uplink'] = 1\n",
    "a file of the slot": "import sys\nsys.path.insert(0, '.')\nopen('node_broken', 'w').close()\nsys.modules['node.books'] = 1\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_station_that_has_run_restarts_and_then_keeps_watch_with_what_is_left(tmp_path, what):
    describe(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "boot").write_text("7")
    (tmp_path / "world" / "range_mm").write_text("2900")
    code = BROKEN[what] + "import main\nmain._AFTER_FAULT_MS = 1\nprint('ended', main.run(''))"
    for restarts in range(1, 6):
        with Vm(tmp_path, code) as vm:
            vm.process.wait(20)
        assert (tmp_path / "world" / "reset").exists()
        assert (tmp_path / "data" / "ends").read_text() == str(restarts)
    assert "Error" in (tmp_path / "data" / "crash").read_text()
    with Vm(tmp_path, code) as vm:
        vm.until(b"only the siren's path runs")
        deadline = time.monotonic() + 20
        while (SIREN, 1) not in pins(tmp_path):
            assert time.monotonic() < deadline, vm.output
            time.sleep(0.02)
    assert (tmp_path / "world" / "feeds").exists()


def test_where_even_the_sirens_path_is_broken_the_strobe_says_so(tmp_path):
    describe(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "boot").write_text("7")
    (tmp_path / "data" / "ends").write_text("5")
    code = "import sys\nsys.modules['node.gauge'] = 1\nimport main\nmain.run('')"
    with Vm(tmp_path, code):
        deadline = time.monotonic() + 20
        while (STROBE, 1) not in pins(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert (SIREN, 1) not in pins(tmp_path)


def test_a_board_that_never_ran_is_not_restarted(tmp_path):
    describe(tmp_path)
    with Vm(tmp_path, BROKEN["a module of the network"] + "import main\nprint('ended', main.run(''))") as vm:
        vm.until(b"ended False")
    assert not (tmp_path / "world" / "reset").exists()


HARMED = {
    "the first": {"station.json": -9},
    "the second": {"station.json.1": 40},
    "the first is gone": {"station.json": None},
    "a number of the first, which is still JSON": {"station.json": "digit"},
}


@pytest.mark.parametrize("which", HARMED)
def test_a_damaged_description_is_mended_from_its_twin_and_told(tmp_path, which):
    whole = contents.described_as(describe(tmp_path))
    for name in ("station.json", "station.json.1"):
        (tmp_path / name).write_bytes(whole)
    for name, at in HARMED[which].items():
        path = tmp_path / name
        if at is None:
            path.unlink()
        elif at == "digit":
            path.write_bytes(whole.replace(b"4500", b"0500"))
        else:
            path.write_bytes(whole[:at] + b"\0" + whole[at:][1:])
    told = "from node.books import Books\nBooks.fail = lambda _: print('told')\nimport main\nmain.run('', 2)"
    done = subprocess.run(
        [program(), "-c", told], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "told\nwaspada station dr01\n", done.stdout + done.stderr
    assert {(tmp_path / name).read_bytes() for name in ("station.json", "station.json.1")} == {whole}


def test_a_description_that_somebody_wrote_by_hand_is_taken_and_copied(tmp_path):
    (tmp_path / "station.json.1").write_bytes(contents.described_as(describe(tmp_path)))
    describe(tmp_path, life="5eed0002")
    done = subprocess.run(
        [program(), "-c", "import main\nmain.run('', 3)"], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "waspada station dr01" in done.stdout
    assert json.loads((tmp_path / "station.json.1").read_text())["life"] == "5eed0002"


HANGS = """
import main
class App:
    def __init__(self, station, ports):
        print('hangs', open('world/feeds').read())
        raise SystemExit
main.App = App
main.run('')
"""


def test_a_start_that_hangs_is_ended_by_the_watchdog_on_a_station_that_has_run(tmp_path):
    describe(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "boot").write_bytes(b"3")
    done = subprocess.run(
        [program(), "-c", HANGS], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert "hangs 60000\n" in done.stdout, done.stdout + done.stderr


def test_starts_that_hang_again_and_again_leave_the_sirens_path_alone_running(tmp_path):
    describe(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "boot").write_bytes(b"3")
    (tmp_path / "data" / "ends").write_bytes(b"6")
    (tmp_path / "world" / "cause").write_text("3")
    with Vm(tmp_path, HANGS) as vm:
        vm.until(b"only the siren's path runs")
    assert b"hangs" not in vm.output


def test_ctrl_c_while_a_station_starts_leads_to_a_repl_that_no_watchdog_bites(tmp_path):
    describe(tmp_path)
    code = "import main\ndef run(root): raise KeyboardInterrupt\nmain.run = run\nmain.start()"
    subprocess.run(
        [program(), "-c", code], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    assert (tmp_path / "world" / "reset").exists()
    assert (tmp_path / "world" / "rtc").read_bytes() == b"waspada:repl"
