"""Integers in fixed units, to and from what people and JSON read: 1254 with 3 decimals is 1.254."""

_SCALE = (1, 10, 100, 1000, 10000, 100000, 1000000)


def text(value, decimals):
    """`value` / 10**`decimals` as the shortest decimal number, without exponent or trailing zeros."""
    if not decimals:
        return str(value)
    scale = _SCALE[decimals]
    if value % scale == 0:
        return str(value // scale)
    sign = ""
    if value < 0:
        sign = "-"
        value = -value
    whole = str(value // scale)
    part = str(scale + value % scale)[1:]
    while part[-1] == "0":
        part = part[:-1]
    return sign + whole + "." + part


def parse(word, decimals):
    """The integer that `word` means in units of 10**-`decimals`. ValueError: not a number, or finer than can be kept."""
    digits = word[1:] if word[:1] in ("-", "+") else word
    whole, _, part = digits.partition(".")
    for letter in whole + part:
        if letter not in "0123456789":
            raise ValueError("'%s' is not a number" % word)
    if not whole and not part or len(digits) > 12:
        raise ValueError("'%s' is not a number" % word)
    while len(part) > decimals and part[-1] == "0":
        part = part[:-1]
    if len(part) > decimals:
        raise ValueError("'%s' is finer than %d decimals" % (word, decimals))
    value = int(whole or "0") * _SCALE[decimals] + int((part + "000000")[:decimals] or "0")
    return -value if word[:1] == "-" else value


def quoted(text):
    """`text` as a JSON string; what is not plain ASCII becomes a question mark."""
    safe = ""
    for letter in text:
        safe += letter if " " <= letter <= "~" and letter not in '"\\' else "?"
    return '"' + safe + '"'
