"""From messages to kept records. Pure but for the store: no sockets, no clock; time is an argument.

`take` judges a message and adds it to the batch, `flush` commits the batch in one transaction, `due` says what the nodes should hear. Whoever
brings the messages acknowledges them after `flush` has returned. `seal` and `kept` are the two halves of `flush`, for who commits while taking
more. The simulator feeds the same core that the gateway's connections feed.

The current life of a node is the one whose board said last that it is online: that status is retained and written by who is connected now. Before
any status it is the life first seen last. A record never brings another life back, and a refused message neither makes nor changes one.
"""

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from gateway import wire
from gateway.district import Life, Node, Stream
from gateway.marks import Key, Mark
from gateway.orders import Orders
from gateway.store import QUARANTINED_BYTES, Batch, Store
from gateway.telling import Message, Telling
from gateway.wire import Point, Refused
from node.core.measurements import STREAMS

KNOWN_TOPICS = 20_000
KNOWN_NAMES = 4096
TOLD_TO_ORDERS = ("settings", "refused")


class Ingest:
    """`store` is open; `district`: take only this one, None takes all."""

    def __init__(self, store: Store, district: str | None = None) -> None:
        self.store = store
        self.district = district
        self.batch = Batch()
        self.sealed: Batch | None = None  # being committed, or to be tried again
        self.counts = {"records": 0, "duplicates": 0, "conflicts": 0, "quarantined": 0, "commits": 0}
        self.touched: set[tuple[str, str]] = set()  # (district, node) since whoever looks emptied it
        self._nodes: dict[tuple[str, str], Node] = {}
        self._routes: dict[str, tuple[Node, Callable[..., None], int]] = {}
        self._names: dict[tuple[str, str | None], tuple[int, int]] = {}
        self._dirty: list[Stream] = []
        self._telling = Telling()
        self._seen: set[Node] = set()
        self._taken = 0
        self._sealed_taken = 0
        self._sealed_streams: list[tuple[Stream, Key]] = []
        self._sealed_seen: set[Node] = set()
        self._load()

    def _load(self) -> None:
        kept = self.store.load()
        nodes = {}
        lives = {}
        for id, district, name in kept.nodes:
            nodes[id] = self._nodes[district, name] = Node(id, district, name)
        for id, node_id, text in kept.lives:
            node = nodes[node_id]
            node.life = node.lives[text] = lives[id] = Life(node, id, text)
        for node_id, life_id in kept.current:
            nodes[node_id].life = lives[life_id]
            nodes[node_id].told_online = True
        for life_id, boot, seq, began_ms in kept.boots:
            lives[life_id].boots[boot] = (seq, began_ms)
        for life_id, number, boot, seq, beyond in kept.marks:
            stream = lives[life_id].streams[number]
            stream.mark = Mark(boot, seq, beyond)
            stream.kept = (boot, seq)
            if beyond:
                self._telling.watch(stream)
        for node in nodes.values():
            self._telling.tell(node)
        for node_id, state in kept.status:
            nodes[node_id].state = state
        for node_id, text, revision, values in kept.settings:
            nodes[node_id].settings = (text, revision, values)
        self.orders = Orders(nodes, kept.remembered)
        for id, name, unit in kept.names:
            self._names[name, unit] = (id, wire.scale_of(name, unit))
        self._last_record = kept.last_record
        self._last_life = max(lives, default=0)
        self._last_name = max((id for id, _, _ in kept.names), default=0)

    # Taking

    @property
    def waiting(self) -> int:
        """Messages taken and not yet committed."""
        return self._taken + self._sealed_taken

    def take(self, topic: str, payload: bytes, received_ms: int) -> None:
        """Judge one message and add it to the batch. Never raises for what is in it; StoreError when the database can't be asked."""
        self._taken += 1
        try:
            node, accept, stream = self._routes.get(topic) or self._route(topic)
            accept(node, stream, payload, received_ms)
        except Refused as refused:
            self._refuse(topic, payload, received_ms, str(refused))

    def _route(self, topic: str) -> tuple[Node, Callable[..., None], int]:
        at = wire.address(topic)
        if self.district is not None and at.district != self.district:
            raise Refused(f"the district is {at.district}, this gateway serves {self.district}")
        node = self._nodes.get((at.district, at.node))
        if node is None:
            node = Node(len(self._nodes) + 1, at.district, at.node)
            self._nodes[at.district, at.node] = node
            self.batch.nodes.append((node.id, at.district, at.node))
        accept = {"status": self._status, "settings": self._settings, "reply": self._reply}.get(at.name, self._record)
        route = (node, accept, STREAMS.index(at.name) if at.name in STREAMS else -1)
        if len(self._routes) >= KNOWN_TOPICS:
            self._routes.clear()
        self._routes[topic] = route
        return route

    def _record(self, node: Node, number: int, payload: bytes, received_ms: int) -> None:
        pack = wire.decode_pack(payload)
        head = pack[0]
        life = node.lives.get(head.life)  # type: ignore[arg-type]
        wire.check_head(head, node.base_name)
        if life is None:
            wire.check_life(head.life)  # type: ignore[arg-type]
        record_id = self._last_record + 1
        points = self._points(pack, record_id, number == 0)
        declared = fixed = None
        kind = 0
        if number == 1:
            kind = points[0][2]
            if head.n == "dropped":
                declared = wire.dropped(pack)
            elif head.n == "time_fix":
                fixed = wire.time_fix(pack)
        if life is None:
            life = self._new_life(node, head.life, received_ms)  # type: ignore[arg-type]
        stream = life.streams[number]
        mark = stream.mark
        boot: int = head.boot  # type: ignore[assignment]
        seq: int = head.seq  # type: ignore[assignment]
        digest = int.from_bytes(blake2b(payload, digest_size=8).digest(), "big", signed=True)
        self._seen.add(node)
        is_next = boot == mark.boot and seq == mark.seq + 1 and not (mark.ahead or mark.prev or mark.forgot)
        prev = (head.prev_boot, head.prev_seq) if seq == 1 else None
        if not is_next and mark.may_have(boot, seq) and self._is_kept(stream, boot, seq, digest):
            if mark.forgot:
                self._cover(stream, boot, seq, seq, prev)  # type: ignore[arg-type]
            return

        if head.bt is not None:
            t_ms: int | None = int(head.bt * 1000 + 0.5)
        else:
            began = life.boots.get(boot)
            t_ms = began[1] + head.up_ms if began else None  # type: ignore[operator]
        batch = self.batch
        batch.records[life.id, number, boot, seq] = (
            record_id, life.id, number, boot, seq, kind, t_ms, head.up_ms, received_ms, digest,
        )  # fmt: skip
        batch.points += points
        self._last_record = record_id
        self.counts["records"] += 1
        if is_next:
            mark.seq = seq
            if not stream.dirty:
                self._soil(stream)
        else:
            self._cover(stream, boot, seq, seq, prev)  # type: ignore[arg-type]
        if declared:
            self._cover(life.streams[declared[0]], *declared[1:])
        elif fixed is not None:
            self._fix(life, boot, seq, fixed)
        elif number == 1 and head.n in TOLD_TO_ORDERS:
            self.orders.hear_event(node, pack, t_ms if t_ms is not None else received_ms)

    def _points(self, pack: list[Point], record_id: int, reading: bool) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        names = self._names
        place = 0
        for point in pack:
            try:
                name_id, scale = names[point.n, point.u]
            except KeyError:
                name_id, scale = self._new_name(point.n, point.u)
            if place:
                wire.check_later(point)
            wire.check_value(point, scale, reading)
            v, vs = point.v, point.vs
            if v is not None and scale == wire.AS_TEXT:
                vs, v = wire.number_text(v), None
            rows.append((record_id, place, name_id, v, vs, point.q, point.q1))
            place += 1
        return rows

    def _is_kept(self, stream: Stream, boot: int, seq: int, digest: int) -> bool:
        """True: counted as a duplicate. Refused: the key is kept with another payload."""
        life = stream.life
        key = (life.id, stream.stream, boot, seq)
        waiting = self.batch.records.get(key) or (self.sealed and self.sealed.records.get(key))
        kept = waiting[9] if waiting else self.store.hash_of(*key)
        if kept is None:
            return False
        if kept != digest:
            self.counts["conflicts"] += 1
            raise Refused(
                f"another payload is kept for life {life.text}, boot {boot}, {STREAMS[stream.stream]} {seq}: two stations, or a fault"
            )
        self.counts["duplicates"] += 1
        return True

    def _new_life(self, node: Node, text: str, received_ms: int) -> Life:
        self._last_life += 1
        life = Life(node, self._last_life, text)
        node.lives[text] = life
        if not node.told_online:
            node.life = life
        self.batch.lives.append((life.id, node.id, text, received_ms))
        return life

    def _new_name(self, name: str, unit: str | None) -> tuple[int, int]:
        scale = wire.check_name(name, unit)
        if len(self._names) >= KNOWN_NAMES:
            raise Refused(f"{name!r} would be one name too many: {KNOWN_NAMES} are known")
        own = wire.unit_of(name, unit)
        known = self._names.get((name, own)) if scale == wire.NO_NUMBER else None
        if known is None:
            self._last_name += 1
            known = (self._last_name, scale)
            self.batch.names.append((self._last_name, name, own))
            self._names[name, own] = (self._last_name, wire.scale_of(name, own))
        self._names[name, unit] = (known[0], scale)
        return known[0], scale

    def _soil(self, stream: Stream) -> None:
        stream.dirty = True
        self._dirty.append(stream)

    def _cover(self, stream: Stream, boot: int, first: int, last: int, prev: Key | None = None) -> None:
        """first..last are handled: move the mark, and note whether there is a gap."""
        mark = stream.mark
        before = (mark.boot, mark.seq)
        mark.add(boot, first, last, prev)
        if before != (mark.boot, mark.seq):
            stream.asked = 0
            stream.ask_ms = None
        if mark.ahead or mark.prev:
            self._telling.watch(stream)
        if not stream.dirty:
            self._soil(stream)

    def _fix(self, life: Life, boot: int, seq: int, began_ms: int) -> None:
        """The boot's first time_fix counts, whichever comes first."""
        known = life.boots.get(boot)
        if known is None or seq < known[0]:
            life.boots[boot] = (seq, began_ms)
            self.batch.boots.append((life.id, boot, seq, began_ms))

    def _status(self, node: Node, _stream: int, payload: bytes, received_ms: int) -> None:
        if payload:  # an empty one only withdraws what was retained
            status = wire.decode_status(payload, node.base_name)
            if status.state == "online" != node.state:
                self.orders.came_online(node)
            node.state = status.state
            if status.state == "online":
                self._is_online(node, status.life, received_ms)
            row = (node.id, status.life, status.boot, status.t_ms, status.state, status.version, received_ms)
            self.batch.status.append(row)
            if status.standing:  # a last will leaves the newest words of the station's own
                self.batch.standing.append((node.id, json.dumps(status.standing)))
            self._seen.add(node)

    def _is_online(self, node: Node, text: str, received_ms: int) -> None:
        """The board of this life is the one connected now."""
        before = node.life
        life = node.lives.get(text) or self._new_life(node, text, received_ms)
        if life is before and node.told_online:
            return
        node.life = life
        node.told_online = True
        self.batch.current.append((node.id, life.id))
        self.orders.look(node, received_ms)
        if life is not before:
            for stream in life.streams:  # while another life was current nobody asked for its gaps
                stream.asked = 0
                stream.ask_ms = None
                self._telling.watch(stream)

    def _settings(self, node: Node, _stream: int, payload: bytes, received_ms: int) -> None:
        if payload:
            settings = wire.decode_settings(payload)
            values = wire.canonical(settings.values)
            seen = (settings.life, settings.revision, values)
            if seen != node.settings:
                node.settings = seen
                self.batch.settings.append((node.id, received_ms, *seen))
                self._seen.add(node)
            self.orders.hear_settings(node, *seen[:2], settings.values, received_ms)

    def _reply(self, node: Node, _stream: int, payload: bytes, received_ms: int) -> None:
        self.orders.hear_reply(node, wire.decode_reply(payload), received_ms)

    def only_node(self, name: str) -> Node | None:
        """The station of this name in whichever district, if there is only one."""
        found = [node for (_, each), node in self._nodes.items() if each == name]
        return found[0] if len(found) == 1 else None

    def node_of(self, district: str, name: str) -> Node | None:
        """The station of this name, if it has ever spoken."""
        return self._nodes.get((district, name))

    def _refuse(self, topic: str, payload: bytes, received_ms: int, reason: str) -> None:
        """Kept apart, counted, and its key, if it can be read and is the topic's own, is done with: no node repeats it for ever."""
        self.counts["quarantined"] += 1
        digest = int.from_bytes(blake2b(payload, digest_size=8).digest(), "big", signed=True)
        shown = topic.encode("utf-8", "backslashreplace").decode()[:300]
        row = (received_ms, received_ms, shown, reason[:500], len(payload), digest, payload[:QUARANTINED_BYTES])
        self.batch.quarantine.append(row)
        route = self._routes.get(topic)
        if route is None or route[2] < 0:
            return
        node, _, number = route
        key = wire.key_of(payload, node.base_name)
        if key is not None:
            life = node.lives.get(key.life)
            # of a life not known yet nothing is done with: once it is, this is asked for again
            if life is not None:
                self._cover(life.streams[number], key.boot, key.seq, key.seq, key.prev)
                self._seen.add(node)

    # Keeping and telling

    def flush(self, now_ms: int | None = None) -> list[Message]:
        """Commit all that was taken. StoreError leaves it waiting, to be flushed again. With `now_ms`: what is due to be told."""
        while (batch := self.seal()) is not None:
            self.store.write(batch)
            self.store.finish()
            self.kept()
        return [] if now_ms is None else self.due(now_ms)

    def seal(self) -> Batch | None:
        """The batch to be committed now, None if there is nothing; what is taken from here on goes into the next. One that failed comes again."""
        if self.sealed is None and (self._taken or self.orders.waits):
            self.sealed, self.batch = self.batch, Batch()
            self.sealed.entries = self.orders.seal()
            self._sealed_taken, self._taken = self._taken, 0
            self._sealed_seen, self._seen = self._seen, set()
            self._sealed_streams = [(s, (s.mark.boot, s.mark.seq)) for s in self._dirty]
            for stream in self._dirty:
                mark = stream.mark
                self.sealed.marks.append((stream.life.id, stream.stream, mark.boot, mark.seq, mark.image()))
                stream.dirty = False
            self._dirty.clear()
        return self.sealed

    def kept(self) -> None:
        """The sealed batch is on disk."""
        self.counts["commits"] += 1
        self.sealed = None
        self.orders.kept()
        self._sealed_taken = 0
        for stream, key in self._sealed_streams:
            stream.kept = key
        for node in self._sealed_seen:
            self._telling.tell(node)
            self.touched.add((node.district, node.name))
        self._sealed_streams = []
        self._sealed_seen = set()

    def tell_all(self) -> None:
        """Say every `committed` again: the broker may have lost what it retained."""
        self._telling.tell_all(self._nodes.values())
        self.orders.tell_all()

    def due(self, now_ms: int) -> list[Message]:
        """Messages the nodes should hear by now; they speak only of what is on disk."""
        return self._telling.due(now_ms) + self.orders.due(now_ms)
