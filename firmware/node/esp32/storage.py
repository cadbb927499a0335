"""Files in one folder of the board's LittleFS. An append is on flash when it returns; a replace is whole or never was.

A file that is not there reads as an empty one.
"""

import errno
import os

_SUFFIX = ".tmp"


class Storage:
    def __init__(self, folder: str):
        self._folder = folder + "/"
        try:
            if folder not in os.listdir():
                os.mkdir(folder)
            for name in os.listdir(folder):
                if name.endswith(_SUFFIX):  # power went before a rename: the old file is still whole
                    os.remove(self._folder + name)
        except OSError:
            pass  # flash that fails: every call that follows says so, and the station runs without records

    def names(self) -> list:
        return [name for name in os.listdir(self._folder[:-1]) if not name.endswith(_SUFFIX)]

    def size(self, name: str) -> int:
        try:
            return os.stat(self._folder + name)[6]
        except OSError as e:
            if e.errno != errno.ENOENT:
                raise
            return 0

    def read(self, name: str, offset: int, count: int) -> bytes:
        try:
            with open(self._folder + name, "rb") as file:
                file.seek(offset)
                return file.read(count)
        except OSError as e:
            if e.errno != errno.ENOENT:
                raise
            return b""

    def append(self, name: str, data: bytes) -> None:
        with open(self._folder + name, "ab") as file:
            file.write(data)

    def replace(self, name: str, data: bytes) -> None:
        path = self._folder + name
        with open(path + _SUFFIX, "wb") as file:
            file.write(data)
            file.flush()
        os.rename(path + _SUFFIX, path)

    def remove(self, name: str) -> None:
        os.remove(self._folder + name)
