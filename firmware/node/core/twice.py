"""A small file kept twice, so that neither a cut nor a damaged block takes it: `<stem>.0` and `<stem>.1`, each with CRC-32 and revision.

Loaded where such a file is read. An image is `crc revision body`: eight hex digits, a decimal number, bytes.
"""

import binascii

_MOST = 4096


def framed(body):
    """An image: `body` behind its CRC-32."""
    return b"%08x " % (binascii.crc32(body) & 0xFFFFFFFF) + body


def is_whole(image):
    return image == framed(image[9:])


def put(storage, name, image):
    """One copy, atomic. OSError: it is not there."""
    try:
        storage.replace(name, image)
    except OSError:
        if storage.read(name, 0, _MOST) != image:  # some failures come after the deed
            raise


def _image(revision, body):
    return framed(b"%d " % revision + body)


def _read(storage, name):
    """(revision, body); None when there is nothing, False when it is damaged, the OSError when it can't be read."""
    try:
        image = storage.read(name, 0, _MOST)
    except OSError as error:
        return error
    if not image:
        return None
    rest = image[9:]
    end = rest.find(b" ")
    if not is_whole(image) or not rest[:end].isdigit():
        return False
    return int(rest[:end]), rest[end + 1 :]


def load(storage, stem):
    """(revision, body, damaged): the newest whole copy, (0, b"", damaged) when there is none; `damaged` counts copies that were.

    The copy that is damaged, missing or older is written again from the newest. One that can't be read is damaged where the other is whole; OSError:
    what was kept can't be told.
    """
    names = (stem + ".0", stem + ".1")
    copies = [_read(storage, name) for name in names]
    whole = [copy for copy in copies if type(copy) is tuple]
    damaged = 0
    for copy in copies:
        if copy is False or isinstance(copy, OSError):
            damaged += 1
            if copy and not whole:
                raise copy
    if not whole:
        return 0, b"", damaged
    newest = max(whole)
    for name, copy in zip(names, copies):
        if copy != newest:
            try:
                put(storage, name, _image(newest[0], newest[1]))
            except OSError:
                pass  # storage that can be read and not written: the next boot tries again
    return newest[0], newest[1], damaged


def save(storage, stem, revision, body):
    """Both copies, one after the other: at any moment one of them is whole. OSError: neither was written. One is enough: it is the newer."""
    image = _image(revision, body)
    put(storage, stem + ".0", image)
    try:
        put(storage, stem + ".1", image)
    except OSError:
        pass  # the next boot tries again
