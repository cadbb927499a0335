"""One order, and what the gateway knows of the station it is for."""

import json
from collections import deque
from typing import Any

from gateway.district import Node
from gateway.ledger import RECENT
from node.core import fixed
from node.core import settings as S
from node.core.limits import ROWS

Message = tuple[str, bytes, bool]  # topic, payload, retain

LIVES_MOST = 4
WAITING = "waiting"
INDEX = {row[0]: i for i, row in enumerate(ROWS)}


class Order:
    """What someone wants of a station."""

    __slots__ = (
        "at_ms", "body", "do", "ended_ms", "expires_s", "id", "life", "node", "number", "on_disk", "sender", "state", "told", "told_ms", "why",
    )  # fmt: skip

    def __init__(
        self, id: int, node: Node, life: str, do: str, number: int, body: Any, sender: str, at_ms: int,
        expires_s: int | None = None, state: str = WAITING, why: str = "", ended_ms: int | None = None,
    ) -> None:  # fmt: skip
        self.id, self.node, self.life, self.do, self.number, self.body = id, node, life, do, number, body
        self.sender, self.at_ms, self.expires_s = sender, at_ms, expires_s
        self.state, self.why, self.ended_ms = state, why, ended_ms
        self.on_disk = False
        self.told_ms: int | None = None
        self.told = 0

    @property
    def is_settings(self) -> bool:
        return self.do == "set"

    @property
    def name(self) -> str:
        """A command's id on the wire: its counter, which no other has."""
        return f"{self.number:08x}"

    @property
    def numbers(self) -> dict[str, int]:
        """The settings that are wanted, as integers in the table's units."""
        return {key: fixed.parse(word, ROWS[INDEX[key]][2]) for key, word in self.body.items() if key in INDEX}

    def row(self) -> tuple[Any, ...]:
        return (
            self.id, self.node.id, self.life, self.do, self.number, json.dumps(self.body), self.sender, self.at_ms,
            self.expires_s, self.state, self.why, self.ended_ms,
        )  # fmt: skip

    def message(self) -> Message:
        if self.is_settings:
            told: dict[str, Any] = {"life": self.life, "revision": self.number, "values": self.body}
            return topic(self.node, "desired"), encoded(told), True
        told = {
            "life": self.life,
            "id": self.name,
            "counter": self.number,
            "expires": self.expires_s,
            "do": self.do,
            "with": self.body,
        }
        return topic(self.node, "command"), encoded(told), False


class Desk:
    """What is known of one station here."""

    __slots__ = ("board", "counter", "desired", "highest", "node", "recent", "runs", "says_desired")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.board: str | None = None  # the life whose settings are the station's
        self.runs: dict[str, tuple[int, dict[str, int]]] = {}  # life -> revision and values, as it said last
        self.highest: dict[str, int] = {}  # life -> revision, said or wanted
        self.counter = 0
        self.desired: Order | None = None  # the one that waits
        self.says_desired = False  # the broker may retain one
        self.recent: deque[Order] = deque(maxlen=RECENT)

    @property
    def life(self) -> str | None:
        """Of the board that is there now."""
        return self.node.life.text if self.node.life is not None else next(reversed(self.runs), None)

    @property
    def running(self) -> tuple[int, dict[str, int]] | None:
        life = self.life
        return self.runs.get(life) if life is not None else None

    def ran(self, life: str, revision: int, values: dict[str, int]) -> None:
        self.runs.pop(life, None)
        self.runs[life] = (revision, values)
        while len(self.runs) > LIVES_MOST:
            self.runs.pop(next(iter(self.runs)))


def whole(values: dict[str, float]) -> dict[str, int]:
    """Settings as integers in the table's units; of what the table does not know only the number."""
    return {key: round(v * 10 ** (ROWS[INDEX[key]][2] if key in INDEX else 0)) for key, v in values.items()}


def differences(order: Order, values: dict[str, int]) -> str:
    """Where the station runs another value than was wanted, in words."""
    found = []
    for key, value in order.numbers.items():
        if values.get(key) != value:
            row = ROWS[INDEX[key]]
            runs = S.shown(row, values[key]) if key in values else "nothing"
            found.append(f"{key} is {runs}, wanted {S.shown(row, value)}")
    return ", ".join(found)


def topic(node: Node, name: str) -> str:
    return f"waspada/v1/{node.district}/{node.name}/{name}"


def encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode()
