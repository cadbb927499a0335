"""A gateway in twenty lines: keeps keys in memory and commits what has no hole. For tests of the simulator alone."""

import json


class MemoryDesk:
    def __init__(self) -> None:
        self.rows: list[tuple] = []
        self.keys: set[tuple] = set()
        self.lives: dict[tuple[str, str], str] = {}
        self.marks: dict[tuple[str, str], dict[str, list[int]]] = {}
        self._moved: set[tuple[str, str]] = set()

    def take(self, topic: str, payload: bytes, received_ms: int) -> None:
        _, _, district, node, name = topic.split("/")
        if name not in ("readings", "event"):
            return
        first = json.loads(payload)[0]
        where = (district, node)
        self.lives[where] = first["life"]
        key = (node, first["life"], first["boot"], name, first["seq"])
        self._moved.add(where)
        if key in self.keys:
            return
        self.keys.add(key)
        self.rows.append(key)

    def flush(self) -> None:
        pass

    def tell_all(self) -> None:
        self._moved.update(self.lives)

    def due(self, now_ms: int) -> list:
        said = []
        for where in sorted(self._moved):
            district, node = where
            marks = self.marks.setdefault(where, {"readings": [1, 0], "event": [1, 0]})
            for stream, mark in marks.items():
                while (node, self.lives[where], mark[0], stream, mark[1] + 1) in self.keys:
                    mark[1] += 1
            body = {"life": self.lives[where]}
            for stream, (boot, seq) in marks.items():
                body[stream] = {"boot": boot if seq else 0, "seq": seq}
            said.append(
                (f"waspada/v1/{district}/{node}/committed", json.dumps(body, separators=(",", ":")).encode(), 1)
            )
        self._moved.clear()
        return said

    def stored(self) -> dict[tuple[str, str, int], tuple[int, int]]:
        found: dict[tuple[str, str, int], tuple[int, int]] = {}
        for node, _, boot, stream, _ in self.rows:
            count, rows = found.get((node, stream, boot), (0, 0))
            found[node, stream, boot] = (count + 1, rows + 1)
        return found
