"""What every part's table says, whatever it is: its name, where its figures are from, its price, and who else makes one."""

from collections.abc import Mapping
from typing import Any

TEXTS: Mapping[str, Any] = {
    "is": lambda value: (
        isinstance(value, list) and len(value) > 1 and all(isinstance(each, str) and each for each in value)
    ),
    "about": "a list of two texts or more: who makes it, and who makes another that serves",
    "required": True,
}
COMMON: Mapping[str, Mapping[str, Any]] = {
    "name": {"text": ".{1,110}", "required": True, "about": "the name on the box, of 110 letters at most"},
    "about": {"text": "(.|\n){1,640}", "about": "what to know before it is bought, of 640 letters at most"},
    "datasheet": {"text": "https?://[!-~]+", "required": True, "about": "a link"},
    "where": {"text": ".{1,160}", "required": True, "about": "the section, by its title, of 160 letters at most"},
    "usd_cents": {"low": 0, "high": 1_000_000, "required": True},
    "priced": {"text": r"20\d\d-\d\d", "required": True, "about": "the year and month of the estimate"},
    "sources": TEXTS,
    "assumed": {
        "is": lambda value: (
            isinstance(value, dict) and all(isinstance(each, str) and len(each) > 9 for each in value.values())
        ),
        "about": "a table from a key to the reason why its figure is from no data sheet",
    },
}
