"""Searches of the house rules that need no syntax, only lines."""

import re
from collections.abc import Iterator

# Each needle is cut in two so that this file does not break its own rules.
_LEFTOVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
_MACHINE = re.compile(r"(?<![\w.])/(wo" + r"rk|ro" + r"ot|home/\w+)/")
_REGISTRY = re.compile(
    r"\b(py" + r"pi\.org|python" + r"hosted\.org|npm" + r"js\.(org|com)|yarn" + r"pkg\.com|deb\.debian\.org)\b"
)
_REMOTE = re.compile(
    r"""<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=["']?(?:https?:)?//"""
    r"""|url\(["']?(?:https?:)?//|@import ["']?http"""
)

Found = Iterator[tuple[int, str]]


def _search(pattern: re.Pattern[str], source: str) -> Found:
    for number, line in enumerate(source.splitlines(), 1):
        found = pattern.search(line)
        if found:
            yield number, found.group().strip()


def leftovers(_name: str, source: str) -> Found:
    return _search(_LEFTOVER, source)


def machine_paths(_name: str, source: str) -> Found:
    return _search(_MACHINE, source)


def registry_hosts(_name: str, source: str) -> Found:
    return _search(_REGISTRY, source)


def remote_assets(_name: str, source: str) -> Found:
    return _search(_REMOTE, source)
