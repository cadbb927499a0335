"""What nodes should hear: up to where they are kept, and what is missing. Pure; time is an argument, and every wait and number has a limit."""

from collections.abc import Iterable

from gateway.district import Node, Stream
from node.core.measurements import STREAMS

Message = tuple[str, bytes, bool]  # topic, payload, retain

COMMITTED_EVERY_MS = 2000
RESEND_AFTER_MS = (
    2000,
    5000,
    10_000,
    30_000,
    60_000,
    300_000,
)  # waits between two requests for the same gap; the last one repeats
RESEND_RANGES = 4  # requests at a time for one stream; a node remembers eight


class Telling:
    """`committed` at most every two seconds a node, and requests for gaps, later and later. Only the current life is spoken to."""

    def __init__(self) -> None:
        self._to_tell: dict[int, Node] = {}
        self._gappy: dict[tuple[int, int], Stream] = {}

    def tell(self, node: Node) -> None:
        """Something of this node was kept."""
        if node.life is not None and node.life.has_spoken:
            self._to_tell[node.id] = node

    def tell_all(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            node.committed_ms = None
            self.tell(node)

    def watch(self, stream: Stream) -> None:
        """There may be a gap."""
        self._gappy[stream.life.id, stream.stream] = stream

    def due(self, now_ms: int) -> list[Message]:
        """What to say now."""
        messages: list[Message] = []
        for node in list(self._to_tell.values()):
            if node.committed_ms is None or now_ms - node.committed_ms >= COMMITTED_EVERY_MS:
                node.committed_ms = now_ms
                del self._to_tell[node.id]
                messages.append((_topic(node, "committed"), _committed(node, now_ms // 1000), True))
        for key, stream in list(self._gappy.items()):
            if not (stream.mark.ahead or stream.mark.prev) or stream.life is not stream.life.node.life:
                del self._gappy[key]
            elif stream.ask_ms is None:
                stream.ask_ms = now_ms + RESEND_AFTER_MS[0]
            elif now_ms >= stream.ask_ms and stream.life.node.state != "unreachable":
                stream.asked = min(stream.asked + 1, len(RESEND_AFTER_MS) - 1)
                stream.ask_ms = now_ms + RESEND_AFTER_MS[stream.asked]
                messages += _requests(stream)
        return messages


def _requests(stream: Stream) -> list[Message]:
    node = stream.life.node
    messages: list[Message] = []
    for boot, first, last in stream.mark.gaps():
        if len(messages) == RESEND_RANGES:
            break
        text = '{"life":"%s","stream":"%s","boot":%d,"from":%d,"to":%d}'
        payload = text % (stream.life.text, STREAMS[stream.stream], boot, first, last)
        messages.append((_topic(node, "resend"), payload.encode(), False))
    return messages


def _topic(node: Node, name: str) -> str:
    return f"waspada/v1/{node.district}/{node.name}/{name}"


def _committed(node: Node, at_s: int) -> bytes:
    life = node.life
    assert life is not None
    text = '{"life":"%s","readings":{"boot":%d,"seq":%d},"event":{"boot":%d,"seq":%d},"at":%d}'
    return (text % (life.text, *life.streams[0].kept, *life.streams[1].kept, at_s)).encode()
