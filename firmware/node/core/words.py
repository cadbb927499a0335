"""Texts that people read, one table of each language, loaded one at a time: `words_en` what the console says, `helps_en` what things are for.

A table is a text of lines `key=text`: one string costs a heap far less than as many small ones.
"""

LANGUAGES = ("en", "ms", "id")


def load(code):
    """The table of a language."""
    return _module("words_" + (code if code in LANGUAGES else "en"))


def load_help(code):
    """What commands and settings are for, in a language."""
    return _module("helps_" + (code if code in LANGUAGES else "en"))


def _module(name):
    return __import__("node.core." + name, None, None, ("SAYS",))


def find(text, key):
    """The text of `key`, None when there is none."""
    at = text.find("\n" + key + "=")
    if at < 0:
        return None
    at += len(key) + 2
    return text[at : text.find("\n", at)]


def keys(text):
    return [line.split("=")[0] for line in text.split("\n") if line]


def help_of(table, key):
    """What a setting is: a quantity's lines are told alike, whatever they are of."""
    found = find(table.SETTINGS, key)
    if found is None:
        found = find(table.SETTINGS, "*." + key.split(".")[-1])
    return found or ""
