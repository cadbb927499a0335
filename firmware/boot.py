"""The first code after a reset. Whatever ran before, siren, strobe and every other output are off before anything else is tried.

Later it will choose the application's slot here and roll back one that does not come up.
"""

import json

from machine import Pin

try:
    with open("station.json") as _file:
        _pins = json.load(_file)["pins"]
    for _name in _pins:
        try:
            if _pins[_name]["kind"] == "output":
                Pin(_pins[_name]["pin"], Pin.OUT, value=0)
        except (ValueError, KeyError, TypeError):
            continue  # one that can't be used keeps no other one on
except (OSError, ValueError, KeyError, TypeError):
    pass  # no description yet: main.py says so
