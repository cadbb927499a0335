"""A storage port in memory whose next operation can fail: before it does anything, halfway, or after it is done."""

import errno


class Storage:
    def __init__(self, files=None):
        self.files = dict(files or {})
        self.trouble = None  # ("before" | "torn" | "after", operation or "" for any, which of them counted from 0)
        self.always = False  # every operation fails, reading too
        self.writes_fail = False
        self.calls = 0

    def names(self):
        self._meet("names", ("", b""))
        return list(self.files)

    def size(self, name):
        self._meet("size", (name, b""))
        return len(self.files.get(name, b""))

    def read(self, name, offset, count):
        self._meet("read", (name, b""))
        return self.files.get(name, b"")[offset : offset + count]

    def append(self, name, data):
        done = self._meet("append", (name, bytes(data)))
        self.files[name] = self.files.get(name, b"") + bytes(data)
        self._fail_after(done)

    def replace(self, name, data):
        done = self._meet("replace", (name, b""))
        self.files[name] = bytes(data)
        self._fail_after(done)

    def remove(self, name):
        done = self._meet("remove", (name, b""))
        if name not in self.files:
            raise OSError(errno.ENOENT, name)
        del self.files[name]
        self._fail_after(done)

    def _meet(self, operation, call):
        self.calls += 1
        if self.always or self.writes_fail and operation in ("append", "replace", "remove"):
            raise OSError(errno.EIO, "injected")
        if not self.trouble or self.trouble[1] not in ("", operation):
            return False
        kind, which, count = self.trouble
        if which == "" and count % 7 or which and count % 3 > 1:  # not yet
            self.trouble = (kind, which, count - 1)
            return False
        self.trouble = None
        if kind == "after" and operation in ("append", "replace", "remove"):
            return True
        if kind == "torn" and operation == "append":
            name, data = call
            self.files[name] = self.files.get(name, b"") + data[: len(data) * (count % 10) // 10]
        raise OSError(errno.EIO, "injected")

    def _fail_after(self, done):
        if done:
            raise OSError(errno.EIO, "injected")
