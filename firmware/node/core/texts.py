"""A text of the journal as the inside of a JSON string: ASCII, whatever its bytes are. Loaded when a record has one."""

_SHORT = {34: '\\"', 92: "\\\\", 10: "\\n", 9: "\\t"}
_LEAST = (0, 0x80, 0x800, 0x10000)  # of a character with so many further bytes


def escaped(data):
    """UTF-8 in; what is not UTF-8 (a text that was cut off, too) or a control character becomes a question mark."""
    parts = []
    at = 0
    while at < len(data):
        byte = data[at]
        at += 1
        if byte in _SHORT:
            parts.append(_SHORT[byte])
        elif byte < 128:
            parts.append(chr(byte) if 32 <= byte < 127 else "?")
        else:
            size, code = _character(data, at, byte)
            at += size
            if code >= 0x10000:
                code -= 0x10000
                parts.append("\\u%04x" % (0xD800 | code >> 10))
                code = 0xDC00 | code & 0x3FF
            parts.append("\\u%04x" % code if size else "?")
    return "".join(parts)


def _character(data, at, byte):
    """(further bytes, code point) of the character that begins with `byte`; (0, 0) when there is none."""
    size = 3 if 0xF0 <= byte < 0xF5 else 2 if 0xE0 <= byte < 0xF0 else 1 if 0xC2 <= byte < 0xE0 else 0
    code = byte & (0x3F >> size)
    for next_byte in data[at : at + size]:
        if next_byte & 0xC0 != 0x80:
            return 0, 0
        code = code << 6 | next_byte & 0x3F
    if at + size > len(data) or code < _LEAST[size] or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return 0, 0
    return size, code
