"""The technician's PIN as a board keeps it: `sha256 ROUNDS SALT DIGEST`, never itself. Loaded when somebody logs in, and by what makes the file."""

import binascii
import hashlib

ROUNDS = 2000
_WORD = "sha256"
_ROUNDS_MOST = 100000


class Digest:
    """SHA-256 over and over, as many rounds at a time as the caller has time for."""

    def __init__(self, pin, salt, rounds):
        self.left = rounds
        self._salt = salt
        self.value = pin.encode()

    def step(self, rounds):
        """True when it is done."""
        while rounds and self.left:
            self.value = hashlib.sha256(self._salt + self.value).digest()
            self.left -= 1
            rounds -= 1
        return not self.left


def encode(pin, salt, rounds=ROUNDS):
    """The file's content. `salt`: 16 random bytes, new for each board."""
    digest = Digest(pin, salt, rounds)
    digest.step(rounds)
    return " ".join(
        (_WORD, str(rounds), binascii.hexlify(salt).decode(), binascii.hexlify(digest.value).decode())
    ).encode()


def decode(content):
    """(rounds, salt, digest); None: damaged."""
    try:
        word, rounds, salt, digest = content.decode().split()
        number = int(rounds)
        found = number, binascii.unhexlify(salt), binascii.unhexlify(digest)
    except ValueError:
        return None
    if word != _WORD or not 0 < number <= _ROUNDS_MOST or not found[1] or len(found[2]) != 32:
        return None
    return found


def wait_s(wrong):
    """How long nobody is heard after so many wrong ones in a row."""
    return 0 if wrong < 1 else 5 << min(wrong - 1, 7)
