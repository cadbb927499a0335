"""What the stations of a run told, read from its trace: every record once, with its virtual time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from simulator.scenario import Scenario


@dataclass
class Record:
    node: str
    stream: str
    boot: int
    seq: int
    t_ms: int
    points: dict[str, dict]
    finals: dict[str, int] = field(default_factory=dict)  # the flag of the record before, once it is final


def records(lines: Sequence[bytes], scenario: Scenario) -> Iterator[Record]:
    """In the order of the trace; a record from before the clock was known is dated by its boot's first `time_fix`."""
    fixes: dict[tuple[str, int], int] = {}
    told: dict[tuple[str, str, int, int], list[dict]] = {}
    for line in lines:
        at = json.loads(line)
        if at["kind"] != "publish" or not at["topic"].endswith(("/readings", "/event")):
            continue
        pack = json.loads(at["payload"])
        first = pack[0]
        told.setdefault((at["node"], at["topic"].rpartition("/")[2], first["boot"], first["seq"]), pack)
        if first["n"] == "time_fix":
            unix_ms = round(first["bt"] * 1000) - pack[1]["v"]
            fixes[at["node"], first["boot"]] = unix_ms - scenario.starts_unix_ms
    for (node, stream, boot, seq), pack in told.items():
        first = pack[0]
        if "bt" in first:
            t_ms = round(first["bt"] * 1000) - scenario.starts_unix_ms
        else:
            t_ms = fixes[node, boot] + first["up_ms"]
        finals = {point["n"]: point["q1"] for point in pack if "q1" in point}
        yield Record(node, stream, boot, seq, t_ms, {point["n"]: point for point in pack}, finals)


def switched(lines: Sequence[bytes], node: str, name: str) -> list[tuple[int, int]]:
    """When an output went on and off."""
    found = []
    for line in lines:
        if b'"kind":"output"' in line:
            at = json.loads(line)
            if at["node"] == node and at["name"] == name:
                found.append((at["t"], at["on"]))
    return found
