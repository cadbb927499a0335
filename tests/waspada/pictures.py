"""Reads a PNG and the QR code in it, by the standards alone (PNG: RFC 2083; QR: ISO/IEC 18004), without error correction: the picture has no errors."""

import struct
import zlib

# versions 1 to 6 at level M: the data code words of each block
BLOCKS_M = {1: (16,), 2: (28,), 3: (44,), 4: (32, 32), 5: (43, 43), 6: (27, 27, 27, 27)}
MASKS = (
    lambda y, x: (y + x) % 2 == 0,
    lambda y, x: y % 2 == 0,
    lambda y, x: x % 3 == 0,
    lambda y, x: (y + x) % 3 == 0,
    lambda y, x: (y // 2 + x // 3) % 2 == 0,
    lambda y, x: y * x % 2 + y * x % 3 == 0,
    lambda y, x: (y * x % 2 + y * x % 3) % 2 == 0,
    lambda y, x: ((y + x) % 2 + y * x % 3) % 2 == 0,
)


def read_png(data):
    """Rows of the first channel of an 8-bit picture."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, head = 8, b"", b""
    while at < len(data):
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, at + 8 + length)[0]
        head = body if kind == b"IHDR" else head
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    wide, high, depth, colour = struct.unpack_from(">IIBB", head)
    assert depth == 8
    channels = {0: 1, 2: 3, 6: 4}[colour]
    raw = zlib.decompress(packed)
    rows, before, size = [], bytearray(wide * channels), wide * channels
    for y in range(high):
        start = y * (size + 1)
        row = bytearray(raw[start + 1 : start + 1 + size])
        before = unfiltered(raw[start], row, before, channels)
        rows.append(bytes(before[::channels]))
    return rows


def unfiltered(kind, row, above, step):
    for i in range(len(row)) if kind else ():
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        guess = left + above[i] - corner
        nearest = min((left, above[i], corner), key=lambda each: abs(guess - each))
        row[i] = row[i] + (left, above[i], (left + above[i]) // 2, nearest)[kind - 1] & 255
    return row


def fixed(size):
    """Where there is no data: finders, timing, format, the alignment pattern."""
    version = (size - 17) // 4
    cells = {(y, x) for y in range(size) for x in range(size)
             if y == 6 or x == 6 or (y < 9 and x < 9) or (y < 9 and x >= size - 8) or (y >= size - 8 and x < 9)}  # fmt: skip
    if version > 1:
        cells |= {(y, x) for y in range(size - 9, size - 4) for x in range(size - 9, size - 4)}
    return cells


def read_code(modules):
    """The text of a QR code of level M in byte mode."""
    size = len(modules)
    taken = fixed(size)
    form = 0
    for x in (0, 1, 2, 3, 4):
        form = form << 1 | modules[8][x]
    form ^= 0b10101
    assert form >> 3 == 0, "not level M"
    mask = MASKS[form & 7]
    bits = []
    upward = True
    for right in [x for x in range(size - 1, 0, -2) if x > 6] + [5, 3, 1]:
        for y in range(size - 1, -1, -1) if upward else range(size):
            bits += [modules[y][x] ^ mask(y, x) for x in (right, right - 1) if (y, x) not in taken]
        upward = not upward
    words = [int("".join(str(int(bit)) for bit in bits[i : i + 8]), 2) for i in range(0, len(bits) - 7, 8)]
    blocks = BLOCKS_M[(size - 17) // 4]
    data = bytes(words[i * len(blocks) + block] for block, count in enumerate(blocks) for i in range(count))
    stream = int.from_bytes(data, "big")
    length = len(data) * 8
    assert stream >> (length - 4) == 4, "not byte mode"
    count = stream >> (length - 12) & 255
    return bytes(stream >> (length - 20 - 8 * i) & 255 for i in range(count)).decode()
