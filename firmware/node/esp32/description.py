"""What the station is: `station.json`, and the same again as `station.json.1`, so that no single damaged file silences it.

The last member is `"crc"`, CRC-32 of all that stands before it. A file without one is taken as it stands: somebody wrote it by hand.
A board has this module beside boot.py too, outside the slots.
"""

import binascii
import errno
import json
import os

NAMES = ("station.json", "station.json.1")
_CRC = b',"crc":"'
_SUFFIX = ".tmp"


def usable(image):
    """The description, None when it is damaged."""
    at = image.rfind(_CRC)
    if at >= 0 and image[at + len(_CRC) : at + len(_CRC) + 8] != b"%08x" % (binascii.crc32(image[:at]) & 0xFFFFFFFF):
        return None
    try:
        found = json.loads(image)
    except ValueError:
        return None
    return found if type(found) is dict else None


def images(root=""):
    """Both files, b"" for one that is missing or can't be read."""
    found = []
    for name in NAMES:
        try:
            with open(root + name, "rb") as file:
                found.append(file.read())
        except OSError:
            found.append(b"")
    return found


def read(root=""):
    """(the description, whether a file was damaged); the other file is written again. OSError: there is none; ValueError: none can be used."""
    both = images(root)
    for image in both:
        found = usable(image)
        if found is not None:
            break
    else:
        if both[0] or both[1]:
            raise ValueError("it is damaged")
        raise OSError(errno.ENOENT)
    harmed = False
    for name, other in zip(NAMES, both):
        if other != image:
            harmed = harmed or name == NAMES[0] or bool(other) and not usable(other)
            _write(root + name, image)
    return found, harmed


def _write(path, image):
    try:
        with open(path + _SUFFIX, "wb") as file:
            file.write(image)
        os.rename(path + _SUFFIX, path)
    except OSError:
        pass  # the next boot tries again
