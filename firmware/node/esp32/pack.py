"""A slot's application as one file that Python imports from: modules of 1.5 KB would each take a block of 4 KB, and two slots would not fit.

The file: `WPK1`, the number of entries (two bytes), then for each the CRC-32 of its path, its offset and its size (four bytes each, offset
from the file's begin; size 2**32 - 1 is a folder), then the contents. `waspada update` makes it. Big-endian.

A board has this module beside boot.py, outside the slots.
"""

import binascii
import errno
import io
import struct

MAGIC = b"WPK1"
FILE = "node.pack"
_ROW = 12
_FOLDER = 0xFFFFFFFF
_CLOSE = 4  # requests of a stream's ioctl
_BUFFER_SIZE = 11
_READ_ONLY = 30  # EROFS, which this errno has no name for


class Part(io.IOBase):
    """One entry, open for reading."""

    def __init__(self, path, offset, size):
        self._file = open(path, "rb")
        self._file.seek(offset)
        self._left = size

    def readinto(self, buffer):
        if self._left < len(buffer):
            buffer = memoryview(buffer)[: self._left]
        count = self._file.readinto(buffer)
        self._left -= count
        return count

    def ioctl(self, request, argument):
        if request == _CLOSE:
            self._file.close()
            return 0
        return 255 if request == _BUFFER_SIZE else -errno.EINVAL


class Pack:
    """A file system that can be mounted and only read. ValueError: it is no pack."""

    def __init__(self, path):
        self._path = path
        with open(path, "rb") as file:
            head = file.read(6)
            if head[:4] != MAGIC:
                raise ValueError("%s is no pack" % path)
            self._rows = file.read(_ROW * (head[4] << 8 | head[5]))

    def _find(self, path):
        key = struct.pack(">I", binascii.crc32(path.strip("/").encode()) & 0xFFFFFFFF)
        rows = self._rows
        at = rows.find(key)
        while at >= 0 and at % _ROW:
            at = rows.find(key, at + 1)
        if at < 0:
            raise OSError(errno.ENOENT)
        return struct.unpack(">II", rows[at + 4 : at + _ROW])

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def chdir(self, path):
        if path.strip("/"):
            raise OSError(errno.ENOENT)

    def stat(self, path):
        size = self._find(path)[1]
        return (0x4000 if size == _FOLDER else 0x8000, 0, 0, 0, 0, 0, 0 if size == _FOLDER else size, 0, 0, 0)

    def open(self, path, mode):
        if mode not in ("r", "rb", "rt"):
            raise OSError(_READ_ONLY)
        offset, size = self._find(path)
        if size == _FOLDER:
            raise OSError(errno.EISDIR)
        return Part(self._path, offset, size)
