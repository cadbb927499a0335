"""What ingest remembers of a district: nodes, the lives of their boards, the streams of each life."""

from gateway.marks import Key, Mark


class Stream:
    """One stream of one life: its mark as it will be, and as it is on disk."""

    __slots__ = ("ask_ms", "asked", "dirty", "kept", "life", "mark", "stream")

    def __init__(self, life: "Life", stream: int, mark: Mark) -> None:
        self.life = life
        self.stream = stream
        self.mark = mark
        self.kept: Key = (mark.boot, mark.seq)
        self.dirty = False
        self.asked = 0
        self.ask_ms: int | None = None  # no request before this


class Life:
    """A board from one flashing to the next."""

    __slots__ = ("boots", "id", "node", "streams", "text")

    def __init__(self, node: "Node", id: int, text: str) -> None:
        self.node = node
        self.id = id
        self.text = text
        self.boots: dict[int, tuple[int, int]] = {}  # boot -> (seq of its time_fix, when it began)
        self.streams = (Stream(self, 0, Mark()), Stream(self, 1, Mark()))

    @property
    def has_spoken(self) -> bool:
        return any(s.mark.boot or s.mark.ahead or s.mark.prev for s in self.streams)


class Node:
    """A station by its name."""

    __slots__ = (
        "base_name",
        "committed_ms",
        "district",
        "id",
        "life",
        "lives",
        "name",
        "settings",
        "state",
        "told_online",
    )

    def __init__(self, id: int, district: str, name: str) -> None:
        self.id = id
        self.district = district
        self.name = name
        self.base_name = f"waspada:{district}:{name}:"
        self.lives: dict[str, Life] = {}
        self.life: Life | None = None  # the current one
        self.told_online = False  # a status said which life is current
        self.state = ""
        self.settings: tuple[str, int, str] | None = None
        self.committed_ms: int | None = None
