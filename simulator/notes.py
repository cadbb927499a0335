"""What a run leaves behind for the judge: outputs switched, alarms said, records kept on flash. Read from outside, not asked of the firmware."""

import json
import struct
from dataclasses import dataclass

from simulator.agenda import Moment

# The journal's records on flash (firmware/node/core/journal.py), read here on their own: header, then flags, points, seq, seconds, ms.
_HEADER = struct.Struct("<IIIIII")
_RECORD = struct.Struct("<BBIIH")
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
        if name == "siren":
            self.sirens.setdefault(node, []).append((self._moment.t, on))

    def append(self, node: str, file: str, data: bytes) -> None:
        stream = file.rpartition("-")[0]
        if len(data) == _HEADER.size and _HEADER.unpack(data)[0] == _MAGIC:
            self._boots[node, file] = _HEADER.unpack(data)[1]
            return
        boot = self._boots.get((node, file))
        if boot is not None:
            self.made[node, stream, boot] = _RECORD.unpack_from(data)[2]
