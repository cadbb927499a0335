"""What goes into a board's flash: a MicroPython image that the city's list knows, and the LittleFS beside it.

Where the file system lies and how large it is says the image itself: by its partition `vfs`, or, from MicroPython 1.26 on, by the end of the application
and of the flash. A size that is another than the image's makes the board format it.
"""

import hashlib
import importlib
import json
import struct
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import InputError
from waspada.city import City, write

# chip -> (its number in an image's header, where the image belongs)
CHIPS = {"esp32": (0, 0x1000), "esp32s2": (2, 0x1000), "esp32c3": (5, 0), "esp32s3": (9, 0), "esp32c6": (13, 0)}
MAGIC = 0xE9
AT_LEAST = 256 * 1024
MOST = 16 << 20
DOWNLOADS = "https://micropython.org/download/"
SIZES = {"2MB": 2 << 20, "4MB": 4 << 20, "8MB": 8 << 20, "16MB": 16 << 20, "32MB": 32 << 20}
_TABLE_AT, _TABLE_BYTES, PARTITION = 0x8000, 0xC00, struct.Struct("<HBBII16sI")
_ROW_MAGIC = 0x50AA
_APP, _DATA = 0, 1

BLOCK = 4096
# As the stock image makes it. Version 2.0 on the disk: every MicroPython with VfsLfs2 reads it.
GEOMETRY = {"block_size": BLOCK, "read_size": 32, "prog_size": 32, "lookahead_size": 32, "disk_version": 0x00020000}
CHUNK = 128 * 1024  # read from a board at once
_GAP = 4  # empty blocks that are written rather than begin another part


@dataclass(frozen=True)
class Image:
    path: Path
    name: str
    chip: str
    offset: int
    sha256: str
    fs_offset: int
    fs_bytes: int | None  # None: up to the end of the flash
    needs: int  # bytes of flash

    def blocks(self, flash: int) -> int:
        """Of the file system, on a board with so much flash."""
        return (self.fs_bytes if self.fs_bytes is not None else flash - self.fs_offset) // BLOCK


def read_image(path: Path, name: str = "") -> Image:
    """InputError: it is none, or none that can be written as it is."""
    try:
        with open(path, "rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); download one from {DOWNLOADS}") from None
    if len(data) < AT_LEAST or data[0] != MAGIC or len(data) > MOST:
        raise InputError(f"{path} is not an ESP32 image (it would begin with E9); download the .bin from {DOWNLOADS}")
    number = data[12] | data[13] << 8
    chips = [chip for chip, (known, _) in CHIPS.items() if known == number]
    if not chips:
        raise InputError(f"{path} is an image for chip number {number}; allowed are {', '.join(CHIPS)}")
    offset = CHIPS[chips[0]][1]
    rows = list(_partitions(data[_TABLE_AT - offset : _TABLE_AT - offset + _TABLE_BYTES]))
    apps = [at + size for kind, _, at, size in rows if kind == _APP]
    if not apps:
        raise InputError(
            f"{path} has no partition table: it is for updates; take the whole image (.bin) from {DOWNLOADS}"
        )
    systems = [(at, size) for kind, label, at, size in rows if kind == _DATA and label == "vfs"]
    fs_offset, fs_bytes = systems[0] if systems else (max(apps), None)
    needs = fs_offset + (fs_bytes or 1 << 20)
    return Image(
        path, name or path.stem, chips[0], offset, hashlib.sha256(data).hexdigest(), fs_offset, fs_bytes, needs
    )


def _partitions(table: bytes) -> Any:
    for at in range(0, len(table) - PARTITION.size + 1, PARTITION.size):
        magic, kind, _, offset, size, label, _ = PARTITION.unpack_from(table, at)
        if magic != _ROW_MAGIC:
            return
        yield kind, label.rstrip(b"\0").decode("ascii", "replace"), offset, size


# The city's list


def listed(city: City) -> list[dict[str, Any]]:
    try:
        rows = tomllib.loads(city.images.read_text(encoding="utf-8"))["images"]
        if all(isinstance(row[key], str) for row in rows for key in ("name", "chip", "flash", "sha256")):
            return list(rows)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError):
        pass  # the sentence below says it
    raise InputError(f"{city.images} is damaged: it must be [[images]] with name, chip, flash, offset, sha256 each")


def add_to_list(city: City, path: Path, name: str, flash: str | None) -> dict[str, Any]:
    """The image's hash into the list, a copy of it into the city's folder: a van has no internet."""
    image = read_image(path, name)
    rows = listed(city)
    for row in rows:
        if row["sha256"] == image.sha256:
            return row
        if row["name"] == name:
            raise InputError(f"{city.images} has another image called {name}: give it another --name")
    least = next((word for word, size in SIZES.items() if size >= image.needs), None)
    if least is None or (flash is not None and SIZES[flash] < image.needs):
        raise InputError(f"{path} needs {image.needs} bytes of flash, more than {flash or '32MB'} is")
    row = {"name": name, "chip": image.chip, "flash": flash or least, "offset": image.offset, "sha256": image.sha256}
    folder = _folder(city)
    folder.mkdir(exist_ok=True)
    write(folder / f"{image.sha256}.bin", path.read_bytes())
    write(city.images, "# Images that `waspada flash` may write; `flash` is the least a board must have.\n" + "".join(
        "\n[[images]]\n" + "".join(f"{key} = {hex(value) if key == 'offset' else json.dumps(value, ensure_ascii=False)}\n"
                                   for key, value in one.items()) for one in [*rows, row]))  # fmt: skip
    return row


def chosen(city: City, path: Path | None, chip: str | None) -> Image:
    """The image that was asked for, when the list has it; else the list's newest for this chip."""
    rows = listed(city)
    if path is not None:
        image = read_image(path)
        row = next((row for row in rows if row["sha256"] == image.sha256), None)
        if row is None:
            advice = f"if it is what you mean: waspada flash --add-image {path} --name NAME"
            raise InputError(f"{path} is not on the city's list {city.images} (SHA-256 {image.sha256}); {advice}")
    else:
        fitting = [row for row in rows if chip in (None, row["chip"])]
        if not fitting:
            which = f"no image for {chip}" if chip else "no image"
            advice = f"download one from {DOWNLOADS}, then waspada flash --add-image FILE --name NAME"
            raise InputError(f"{city.images} has {which}: {advice}")
        row = fitting[-1]
        image = read_image(_folder(city) / f"{row['sha256']}.bin", row["name"])
        if image.sha256 != row["sha256"]:
            raise InputError(f"{image.path} is not what {city.images} says: give --image FILE, or add it again")
    needs = max(image.needs, SIZES.get(row["flash"], 0))
    return Image(
        image.path, row["name"], image.chip, image.offset, image.sha256, image.fs_offset, image.fs_bytes, needs
    )


def _folder(city: City) -> Path:
    return city.images.with_suffix("")


# LittleFS


def _littlefs() -> Any:
    return importlib.import_module("littlefs")


def filesystem(files: Mapping[str, bytes], blocks: int) -> bytes:
    """A LittleFS with these files: path -> content."""
    library = _littlefs()
    try:
        made = library.LittleFS(block_count=blocks, **GEOMETRY)
        folders = {parent.as_posix() for name in files for parent in Path(name).parents} - {"."}
        for folder in sorted(folders):
            made.mkdir(folder)
        for name in sorted(files):
            with made.open(name, "wb") as file:
                file.write(files[name])
        made.unmount()
    except library.LittleFSError as error:
        size = sum(map(len, files.values()))
        raise InputError(f"{len(files)} files of {size} bytes do not fit a file system of {blocks * BLOCK} bytes ({error})") from None  # fmt: skip
    return bytes(made.context.buffer)


def parts(made: bytes) -> list[tuple[int, bytes]]:
    """What of it is not empty flash, as (offset, bytes). Where it begins comes last: until then it is no file system."""
    empty = b"\xff" * BLOCK
    used = [at for at in range(0, len(made), BLOCK) if made[at : at + BLOCK] != empty]
    runs: list[list[int]] = []
    for at in used:
        if (
            runs
            and runs[-1][0] != 0
            and at - runs[-1][1] <= _GAP * BLOCK
            or runs
            and runs[-1][0] == 0
            and at == runs[-1][1] == BLOCK
        ):
            runs[-1][1] = at + BLOCK
        else:
            runs.append([at, at + BLOCK])
    return [(first, made[first:end]) for first, end in [*runs[1:], *runs[:1]]]


class Lying:
    """A LittleFS that lies in a board's flash, read as far as is needed. `read(offset, size)` gives the file system's bytes."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._read = read
        self._chunks: dict[int, bytes] = {}
        self._trouble: Exception | None = None
        self._fs: Any = None
        self.marked = False  # it begins as a LittleFS does
        head = self.bytes_at(0, 64) + self.bytes_at(BLOCK, 64)
        for at in (0, 64):
            if head[at + 8 : at + 16] == b"littlefs":
                self.marked = True
                size, count = struct.unpack_from("<II", head, at + 24)
                if size == BLOCK and 2 <= count <= MOST // BLOCK:
                    self._mount(count)
                    break
        self._raise()

    @property
    def mounted(self) -> bool:
        return self._fs is not None

    def _mount(self, count: int) -> None:
        library = _littlefs()
        lying = self

        class Flash(library.UserContext):  # type: ignore[name-defined]
            def __init__(self) -> None:
                super().__init__(buffsize=0)

            def read(self, cfg: Any, block: int, off: int, size: int) -> bytearray:
                return bytearray(lying.bytes_at(block * BLOCK + off, size))

            def prog(self, cfg: Any, block: int, off: int, data: bytes) -> int:
                return -5

            def erase(self, cfg: Any, block: int) -> int:
                return -5

        try:
            self._fs = library.LittleFS(context=Flash(), block_count=count, mount=False, **GEOMETRY)
            self._fs.mount()
        except library.LittleFSError:
            self._fs = None

    def bytes_at(self, at: int, size: int) -> bytes:
        """Called from within a C library, which no exception may cross: what is wrong is raised later."""
        data = b""
        while len(data) < size:
            chunk, within = divmod(at + len(data), CHUNK)
            if chunk not in self._chunks:
                if self._trouble is not None:
                    return b"\xff" * size
                try:
                    self._chunks[chunk] = self._read(chunk * CHUNK, CHUNK)
                except Exception as error:
                    self._trouble = error
                    continue
            data += self._chunks[chunk][within : within + size - len(data)]
        return data

    def _raise(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def names(self, folder: str = "/") -> list[str]:
        try:
            return sorted(self._fs.listdir(folder)) if self._fs else []
        except (OSError, _littlefs().LittleFSError):
            self._raise()
            return []

    def content(self, name: str) -> bytes | None:
        try:
            if self._fs:
                with self._fs.open(name, "rb") as file:
                    return bytes(file.read())
        except (OSError, _littlefs().LittleFSError):
            self._raise()
        return None

    def sizes(self, folder: str) -> dict[str, int]:
        found = {}
        for name in self.names(folder):
            try:
                found[name] = int(self._fs.stat(f"{folder}/{name}").size)
            except (OSError, _littlefs().LittleFSError):
                self._raise()
        return found


def total(some: Sequence[tuple[int, bytes]]) -> int:
    return sum(len(data) for _, data in some)
