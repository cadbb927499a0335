"""RSA signatures: right ones, and every wrong one that a careless verifier has taken, on CPython and in the real VM alike.

The ways to be wrong are those of Wycheproof's RSA PKCS#1 v1.5 vectors; the vectors are made here, with a key of the test's own.
"""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from node.core import signature
from node.core.signature import Verification
from tests import vm64
from tests.core import release_desk

MESSAGE = b"a manifest"
DIGEST = hashlib.sha256(MESSAGE).digest()
SIZE = signature.KEY_BYTES
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def raised(block):
    """The signature that opens to exactly this block, by the private key."""
    numbers = release_desk.key().private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(SIZE, "big")


def padded(tail, before=b"\x00\x01", fill=b"\xff", after=b"\x00"):
    """A block that is filled up to its full length."""
    return before + fill * (SIZE - len(before) - len(after) - len(tail)) + after + tail


def short(tail, count):
    """A block with `count` bytes of padding and garbage behind its hash: what was forged where e is 3."""
    start = b"\x00\x01" + b"\xff" * count + b"\x00" + tail
    return start + bytes(SIZE - len(start))


def modulus():
    return int.from_bytes(release_desk.modulus(), "big")


def wrong():
    """name -> a signature that must be refused."""
    info = SHA256 + DIGEST
    good = release_desk.sign(MESSAGE)
    flipped = bytearray(good)
    flipped[200] ^= 1
    no_null = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + DIGEST
    sha1 = bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(MESSAGE).digest()
    sha512 = bytes.fromhex("3051300d060960864801650304020305000440") + hashlib.sha512(MESSAGE).digest()
    long_form = bytes.fromhex("308131300d060960864801650304020105000420") + DIGEST
    indefinite = bytes.fromhex("3080300d060960864801650304020105000420") + DIGEST + b"\x00\x00"
    hole = bytearray(padded(info))
    hole[20] = 0
    other_hash = hashlib.sha256(b"another manifest").digest()
    return {
        "another message": release_desk.sign(b"another manifest"),
        "another key": release_desk.sign(MESSAGE, 1),
        "a bit flipped": bytes(flipped),
        "PSS": release_desk.key().sign(
            MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH), hashes.SHA256()
        ),
        "SHA-512": release_desk.key().sign(MESSAGE, padding.PKCS1v15(), hashes.SHA512()),
        "SHA-1 under its own name": raised(padded(sha1)),
        "SHA-512 under its own name": raised(padded(sha512)),
        "no NULL": raised(padded(no_null)),
        "length in long form": raised(padded(long_form)),
        "indefinite length": raised(padded(indefinite)),
        "no digest info": raised(padded(DIGEST)),
        "garbage after the hash": raised(short(info, 8)),
        "garbage after the hash, padding of full length less one": raised(short(info, SIZE - 3 - len(info) - 1)),
        "one byte after the hash": raised(padded(info + b"\x00")),
        "no padding": raised(short(info, 0)),
        "00 in the padding": raised(bytes(hole)),
        "padding of FE": raised(padded(info, fill=b"\xfe")),
        "block type 2": raised(padded(info, before=b"\x00\x02")),
        "block type 0": raised(padded(info, before=b"\x00\x00")),
        "a first byte that is not 0": raised(padded(info, before=b"\x01\x01")),
        "no 0 before the digest info": raised(padded(info, after=b"\xff")),
        "the hash of another message": raised(padded(SHA256 + other_hash)),
        "the hash reversed": raised(padded(SHA256 + DIGEST[::-1])),
        "zero": bytes(SIZE),
        "one": bytes(SIZE - 1) + b"\x01",
        "the modulus less one": (modulus() - 1).to_bytes(SIZE, "big"),
        "the modulus": release_desk.modulus(),
        "the highest number": b"\xff" * SIZE,
        "a cube root, as if e were 3": cube_root(short(info, 8)),
        "the block itself, as if e were 1": padded(info),
    }


def cube_root(block):
    """A number whose cube begins with the block: a signature where the exponent is 3 and only the beginning is looked at."""
    number = int.from_bytes(block, "big") + (1 << 1500)
    low, high = 0, 1 << (SIZE * 8 // 3 + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < number else (low, middle)
    return low.to_bytes(SIZE, "big")


WRONG = wrong()


def verify(modulus, digest, sig):
    """(answer or ValueError's sentence, steps)."""
    try:
        check = Verification(modulus, digest, sig)
    except ValueError as problem:
        return str(problem), 0
    steps = 1
    while (answer := check.step()) is None:
        steps += 1
    return answer, steps


def test_a_right_signature_is_taken_in_seventeen_steps():
    assert verify(release_desk.modulus(), DIGEST, release_desk.sign(MESSAGE)) == (True, 17)
    assert raised(padded(SHA256 + DIGEST)) == release_desk.sign(MESSAGE)  # what the wrong ones are made with


def test_many_right_signatures_are_taken():
    for number in range(20):
        message = b"%d" % number
        digest = hashlib.sha256(message).digest()
        assert verify(release_desk.modulus(), digest, release_desk.sign(message))[0] is True


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_signature_is_refused(name):
    assert verify(release_desk.modulus(), DIGEST, WRONG[name])[0] is False


def test_a_right_signature_plus_the_modulus_is_refused():
    """It opens to the same block: a verifier that does not look takes it under two names."""
    for number in range(10_000):
        message = b"%d" % number
        second = int.from_bytes(release_desk.sign(message), "big") + modulus()
        if second < 1 << SIZE * 8:
            break
    sig = second.to_bytes(SIZE, "big")
    assert pow(second, 65537, modulus()) == int.from_bytes(signature.block(hashlib.sha256(message).digest()), "big")
    assert verify(release_desk.modulus(), hashlib.sha256(message).digest(), sig)[0] is False


def opened(sig):
    return pow(int.from_bytes(sig, "big") % modulus(), 65537, modulus()).to_bytes(SIZE, "big")


# What careless verifiers look at; each takes a wrong signature of the table, so the table would find it.
CARELESS = {
    "only the end": lambda block: block.endswith(DIGEST),
    "only that the hash is in it": lambda block: DIGEST in block,
    "the beginning and the end": lambda block: block[:2] == b"\x00\x01" and block.endswith(SHA256 + DIGEST),
    "what follows the padding": lambda block: block[2:].lstrip(b"\xff")[1:].startswith(SHA256 + DIGEST),
    "what follows the first 0": lambda block: block[2:].partition(b"\x00")[2] == DIGEST,
    "all but the first byte": lambda block: block[1:] == padded(SHA256 + DIGEST)[1:],
}


@pytest.mark.parametrize("name", CARELESS)
def test_a_careless_verifier_is_found(name):
    assert [case for case, sig in WRONG.items() if CARELESS[name](opened(sig))]


# key, digest, signature by length; which sentence
LENGTHS = (
    (SIZE, 32, SIZE - 1, "the signature is not 384 bytes"),
    (SIZE, 32, SIZE + 1, "the signature is not 384 bytes"),
    (SIZE, 32, 0, "the signature is not 384 bytes"),
    (SIZE, 31, SIZE, "the digest is not SHA-256"),
    (SIZE, 20, SIZE, "the digest is not SHA-256"),
    (SIZE - 1, 32, SIZE, "the key is not RSA-3072"),
    (256, 32, 256, "the key is not RSA-3072"),
    (0, 32, SIZE, "the key is not RSA-3072"),
)


@pytest.mark.parametrize(("key", "digest", "sig", "sentence"), LENGTHS)
def test_a_wrong_length_is_named(key, digest, sig, sentence):
    assert verify(b"\xff" * key, bytes(digest), bytes(sig)) == (sentence, 0)


def test_a_short_or_even_modulus_is_no_key():
    for key in (b"\x7f" + release_desk.modulus()[1:], release_desk.modulus()[:-1] + b"\x00"):
        assert verify(key, DIGEST, release_desk.sign(MESSAGE)) == ("the key is not RSA-3072", 0)


@given(st.binary(min_size=SIZE, max_size=SIZE))
def test_nothing_at_random_is_taken(sig):
    assert verify(release_desk.modulus(), DIGEST, sig)[0] is False


IN_THE_VM = """
import sys, time
from node.core.signature import Verification
with open(sys.argv[1]) as file:
    modulus, digest, cases = eval(file.read())
longest = 0
for sig in cases:
    check = Verification(modulus, digest, sig)
    steps = 1
    while True:
        before = time.ticks_us()
        answer = check.step()
        longest = max(longest, time.ticks_diff(time.ticks_us(), before))
        if answer is not None:
            break
        steps += 1
    print(answer, steps)
print(longest)
"""


@pytest.mark.vm
def test_the_vm_answers_as_cpython_does_and_each_step_is_short(tmp_path):
    cases = [*WRONG.values(), release_desk.sign(MESSAGE)]
    file = tmp_path / "cases"
    file.write_text(repr((release_desk.modulus(), DIGEST, cases)))
    lines = vm64.run(IN_THE_VM, args=(str(file),)).splitlines()
    assert lines[:-1] == ["{} {}".format(*verify(release_desk.modulus(), DIGEST, sig)) for sig in cases]
    print("longest step in the VM:", lines[-1], "us")
    assert int(lines[-1]) < 20_000
