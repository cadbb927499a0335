"""RSA-3072 PKCS#1 v1.5 with SHA-256, verified in steps: one modular squaring each (RFC 8017, 8.2.2; the exponent is 65537).

The whole block is made from the digest and compared with s**e mod n. Nothing of it is parsed, so that no padding, no length and no DER
can be told otherwise than the one way in which they are right.
"""

KEY_BYTES = 384
_SQUARINGS = 16  # 65537 is 2**16 + 1
_DIGEST_INFO = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"  # SHA-256, with its NULL


def block(digest):
    """What a right signature of `digest` (32 bytes) opens to."""
    tail = _DIGEST_INFO + digest
    return b"\x00\x01" + b"\xff" * (KEY_BYTES - 3 - len(tail)) + b"\x00" + tail


def usable_key(modulus):
    """Whether these bytes can be the modulus of a 3072-bit key."""
    return len(modulus) == KEY_BYTES and modulus[0] > 127 and modulus[-1] & 1 == 1


class Verification:
    """`step()` until it says something else than None. ValueError: key, digest or signature has a length that can't be right."""

    def __init__(self, modulus, digest, signature):
        if not usable_key(modulus):
            raise ValueError("the key is not RSA-3072")
        if len(digest) != 32:
            raise ValueError("the digest is not SHA-256")
        if len(signature) != KEY_BYTES:
            raise ValueError("the signature is not %d bytes" % KEY_BYTES)
        self._n = int.from_bytes(modulus, "big")
        self._s = int.from_bytes(signature, "big")
        self._x = self._s
        self._wanted = block(digest)
        self._left = _SQUARINGS

    def step(self):
        """One squaring. None: call again; then True or False."""
        if self._s >= self._n:  # the same signature under a second name
            return False
        if self._left:
            self._left -= 1
            self._x = self._x * self._x % self._n
            return None
        return (self._x * self._s % self._n).to_bytes(KEY_BYTES, "big") == self._wanted
