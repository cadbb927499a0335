"""What a run leaves behind for the judge: outputs switched, alarms said, records kept on flash. Read from outside, not asked of the firmware."""

import json
import struct
from dataclasses import dataclass

from simulator.agenda import Moment

# The journal's records on flash (firmware/node/core/journal.py), read here on their own: a header; a record's seq and points stand behind 7 bytes of size,
# flags and time, in groups of 7 bits, the lowest first.
_HEADER = struct.Struct("<IIIIII")
_RECORD_BYTES = 7
_MAGIC = 0x314A4157
STATES = ("normal", "alert", "warning", "danger")


@dataclass(frozen=True, slots=True)
class Said:
    """A station said that its alarm went from one state to another."""

    t_ms: int
    before: int
    after: int
    key: str = "level"  # the quantity that made it


class Notes:
    def __init__(self, moment: Moment, starts_unix_ms: int) -> None:
        self._moment = moment
        self._starts_unix_ms = starts_unix_ms
        self._boots: dict[tuple[str, str], int] = {}  # (node, file) -> boot of a segment
        self._seen: set[tuple[str, int, int]] = set()
        self.made: dict[tuple[str, str, int], int] = {}  # (node, stream, boot) -> newest seq on flash
        self.sirens: dict[str, list[tuple[int, int]]] = {}  # node -> [(t, on)]
        self.strobes: dict[str, list[tuple[int, int]]] = {}
        self.alarms: dict[str, list[Said]] = {}

    def publish(self, node: str, topic: str, payload: bytes) -> None:
        if not topic.endswith("/event") or b'"n":"alarm"' not in payload:
            return
        first, second, cause = json.loads(payload)[:3]
        key = (node, first["boot"], first["seq"])
        if key in self._seen:
            return
        self._seen.add(key)
        t_ms = round(first["bt"] * 1000) - self._starts_unix_ms if "bt" in first else self._moment.t
        said = Said(t_ms, STATES.index(second["vs"]), STATES.index(first["vs"]), cause["n"])
        self.alarms.setdefault(node, []).append(said)

    def output(self, node: str, name: str, on: int) -> None:
        if name in ("siren", "strobe"):
            kept = self.sirens if name == "siren" else self.strobes
            kept.setdefault(node, []).append((self._moment.t, on))

    def boot_of(self, node: str, file: str) -> int | None:
        """Of a segment of the journal."""
        return self._boots.get((node, file))

    def append(self, node: str, file: str, data: bytes) -> None:
        """What was appended to a file, or put in its place."""
        stream = file.rpartition("-")[0]
        if len(data) == _HEADER.size and _HEADER.unpack(data)[0] == _MAGIC:
            self._boots[node, file] = _HEADER.unpack(data)[1]
            return
        boot = self._boots.get((node, file))
        if boot is not None:
            self.made[node, stream, boot] = numbers(data)[0]


def numbers(record: bytes) -> list[int]:
    """seq of a journal's record, then id, flags and value of each point."""
    found: list[int] = []
    at, end = _RECORD_BYTES, _RECORD_BYTES + (record[0] | (record[1] & 3) << 8)
    if record[1] >> 2 & 2:  # a text, and its length
        end -= 2 + int.from_bytes(record[end - 2 : end], "little")
    while at < end:
        if len(found) % 3 == 2:
            found.append(record[at])
            at += 1
            continue
        number = shift = 0
        while True:
            number |= (record[at] & 127) << shift
            at += 1
            if record[at - 1] < 128:
                break
            shift += 7
        found.append(number)
    for i in range(1, len(found), 3):
        if found[i] & 1:
            found[i + 2] = -found[i + 2]
        found[i] >>= 1
    return found
