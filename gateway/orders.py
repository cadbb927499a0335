"""Orders to stations: settings that are wanted (`desired`) and commands, each with who sent it and what became of it. Pure; time is an argument.

A station's settings have one owner, the station. The gateway wants a revision above every one it has heard of; the station takes it when it is
newer than its own. Where a technician saved meanwhile the station's stands, and what was wanted is reported as superseded. An order is on disk
before it is sent, and ends once.

States of an order: `waiting`, then for settings `confirmed`, `refused` (the station's words), `superseded` (the station has its own newer ones),
`replaced` (something newer was wanted, or the board is another), `withdrawn`; for a command `done`, `refused`, `unanswered`.
"""

import json
from collections.abc import Iterable
from typing import Any

from gateway import wire
from gateway.desk import INDEX, WAITING, Desk, Message, Order, differences, encoded, topic, whole
from gateway.district import Node
from gateway.ledger import Entries, Remembered
from node.core import fixed
from node.core import settings as S
from node.core.limits import ROWS

COUNTS_FROM_S = (
    1_577_836_800  # 2020: a counter is at least the seconds since, so that it goes on after a database was restored
)
EXPIRES_S = (10, 300, 82_800)  # least, usual, most: a station refuses what expires more than a day after its own clock
GRACE_MS = 60_000  # an answer may still come so long after a command has expired
REPEAT_MS = 660_000  # a station tells only every ten minutes why it refuses: what is not confirmed is said again
REPEATS = 6
WAITING_MOST = 8  # commands of a station; it remembers as many answers
PAYLOAD_MOST = 1900  # a station takes packets of 2048 bytes
# What each command takes: what its number is, lowest, highest
COMMANDS = {
    "ack": ("", 0, 0),
    "shelve": ("seconds, 0 ends it", 0, 86_400),
    "drill": ("the state to sound, 1 alert, 2 warning, 3 danger", 1, 3),
    "reboot": ("", 0, 0),
    "status": ("", 0, 0),
}


class Orders:
    """`nodes` are those that are known; `remembered` is what was kept of orders."""

    def __init__(self, nodes: dict[int, Node], remembered: Remembered) -> None:
        self._desks: dict[int, Desk] = {}
        self._open: dict[int, Order] = {}
        self._changed: dict[int, Order] = {}
        self._entries = Entries()
        self._sealed: list[Order] = []
        self._ready: list[Message] = []
        self._to_tell: dict[int, Desk] = {}
        self._last = remembered.last_order
        self._remember(nodes, remembered)

    def _remember(self, nodes: dict[int, Node], remembered: Remembered) -> None:
        for node_id, life, highest, revision, values in remembered.runs:
            desk = self.desk(nodes[node_id])
            desk.ran(life, revision, whole(json.loads(values)))
            desk.highest[life] = highest
        for node_id, life in remembered.boards:
            self.desk(nodes[node_id]).board = life
        for node_id, life, of_settings, number in remembered.highest:
            desk = self.desk(nodes[node_id])
            if of_settings:
                desk.says_desired = True
                desk.highest[life] = max(desk.highest.get(life, 0), number)
            else:
                desk.counter = max(desk.counter, number)
        for id, node_id, life, do, number, body, *rest, _ in remembered.orders:
            order = Order(id, nodes[node_id], life, do, number, json.loads(body), *rest)
            order.on_disk = True
            self._add(order)

    def desk(self, node: Node) -> Desk:
        desk = self._desks.get(node.id)
        if desk is None:
            desk = self._desks[node.id] = Desk(node)
        return desk

    def _add(self, order: Order) -> None:
        desk = self.desk(order.node)
        desk.recent.append(order)
        if order.state == WAITING:
            self._open[order.id] = order
            if order.is_settings:
                desk.desired = order

    def _audit(
        self, node: Node, at_ms: int, who: str, what: str, detail: str = "", order: Order | None = None, **more: Any
    ) -> None:
        revision = more.get("revision", order.number if order and order.is_settings else None)
        change = (more.get("setting"), more.get("old"), more.get("new"))
        self._entries.audit.append(
            (node.id, at_ms, who, what, *change, revision, order.id if order else None, detail[:500])
        )

    # What people want

    def desire(self, node: Node, words: dict[str, str], sender: str, now_ms: int) -> Order:
        """Want these settings, key -> as typed, and what was still waiting of earlier ones. ValueError: why they can't be had."""
        desk = self.desk(node)
        found = desk.running
        if found is None:
            raise ValueError(f"{node.name} has not said yet what it runs: try again once it has")
        before = desk.desired
        values = self.checked(node, words, before.body if before else None)
        running = found[1]
        if before is None and all(running[key] == value for key, value in values.items()):
            raise ValueError(f"nothing to change: {node.name} runs that already")
        return self._want(desk, values, sender, now_ms, f"{sender} wanted something newer")

    def checked(self, node: Node, words: dict[str, str], before: dict[str, str] | None = None) -> dict[str, int]:
        """The values for what was typed, over what was wanted before, by the station's own table. ValueError: what is allowed."""
        found = self.desk(node).running
        running = found[1] if found else {}
        values = {}
        for key, word in {**(before or {}), **words}.items():
            if key not in running or key not in INDEX:
                raise ValueError(f"{node.name} has no setting {key[:40]!r}; there are {', '.join(running)}")
            number, _, unit = str(word).strip().partition(" ")
            values[key] = S.validate(ROWS[INDEX[key]], number, unit.strip() or None)
        proposed = [row[3] for row in ROWS]
        for key, value in {**running, **values}.items():
            if key in INDEX:
                proposed[INDEX[key]] = value
        problem = S.conflict(proposed, ROWS)
        if problem:
            raise ValueError(problem)
        return values

    def _want(self, desk: Desk, values: dict[str, int], sender: str, now_ms: int, instead: str) -> Order:
        life, found, node = desk.life, desk.running, desk.node
        assert life is not None and found is not None
        body = {key: fixed.text(value, ROWS[INDEX[key]][2]) for key, value in values.items()}
        number = max(desk.highest.get(life, 0), found[0]) + 1
        order = Order(self._last + 1, node, life, "set", number, body, sender, now_ms)
        if len(order.message()[1]) > PAYLOAD_MOST:
            raise ValueError("too many settings at once: want them in two steps")
        before = desk.desired
        if before is not None:
            self._end(before, "replaced", instead, now_ms)
        self._place(order)
        desk.highest[life] = number
        desk.says_desired = True
        for key, value in values.items():
            old, new = (S.shown(ROWS[INDEX[key]], v) for v in (found[1][key], value))
            self._audit(node, now_ms, sender, "wanted", order=order, setting=key, old=old, new=new)
        return order

    def withdraw(self, node: Node, sender: str, now_ms: int) -> None:
        """Want nothing any more. ValueError: nothing waits."""
        order = self.desk(node).desired
        if order is None:
            raise ValueError(f"nothing to withdraw: no settings wait for {node.name}")
        self._end(order, "withdrawn", f"by {sender}", now_ms)

    def command(
        self, node: Node, do: str, number: int, sender: str, now_ms: int, expires_in_s: int = EXPIRES_S[1]
    ) -> Order:
        """Send this once it is on disk. ValueError: what is allowed."""
        desk = self.desk(node)
        life = desk.life
        if do not in COMMANDS:
            raise ValueError(f"there is no command {do[:40]!r}; there are {', '.join(COMMANDS)}")
        of, low, high = COMMANDS[do]
        if type(number) is not int or not low <= number <= high:
            raise ValueError(f"{do} takes {f'a whole number of {low} to {high}: {of}' if of else 'no number'}")
        if not EXPIRES_S[0] <= expires_in_s <= EXPIRES_S[2]:
            raise ValueError(f"a command expires in {EXPIRES_S[0]} to {EXPIRES_S[2]} seconds")
        if life is None:
            raise ValueError(f"{node.name} has not spoken yet: it can't be told which board is meant")
        if sum(o.node is node and not o.is_settings for o in self._open.values()) >= WAITING_MOST:
            raise ValueError(f"{WAITING_MOST} commands wait for {node.name}: wait until they are answered or expire")
        desk.counter = max(desk.counter + 1, now_ms // 1000 - COUNTS_FROM_S)
        order = Order(
            self._last + 1, node, life, do, desk.counter, number, sender, now_ms, now_ms // 1000 + expires_in_s
        )
        self._place(order)
        self._audit(node, now_ms, sender, "ordered", f"{do} {number}" if of else do, order)
        return order

    def _place(self, order: Order) -> None:
        self._last = order.id
        self._add(order)
        self._changed[order.id] = order

    def _end(self, order: Order, state: str, why: str, now_ms: int) -> None:
        """An order ends once, but for a station that says better later: then it is done, or confirmed, all the same."""
        order.state, order.why, order.ended_ms = state, why, now_ms
        self._open.pop(order.id, None)
        self._changed[order.id] = order
        if self.desk(order.node).desired is order:
            self.desk(order.node).desired = None
        self._audit(order.node, now_ms, order.sender, state, why, order)

    # What stations say

    def hear_settings(self, node: Node, life: str, revision: int, values: dict[str, float], now_ms: int) -> None:
        """A board says what it runs."""
        desk = self.desk(node)
        desk.ran(life, revision, whole(values))
        desk.highest[life] = max(desk.highest.get(life, 0), revision)
        self.look(node, now_ms)

    def look(self, node: Node, now_ms: int) -> None:
        """Compare what is wanted of the station with what its board says; also when the board has become another."""
        desk = self._desks.get(node.id)
        if desk is None or desk.running is None:
            return
        life, (revision, values) = desk.life, desk.running
        assert life is not None
        if desk.board != life and self._is_newer(desk, life):
            before, desk.board = desk.board, life
            self._entries.boards.append((node.id, life))
            if before is not None:
                self._new_board(desk, before, now_ms)
                return
        order = desk.desired
        if order is None:
            self._better(desk, life, revision, values, now_ms)
        elif order.life == life and revision >= order.number:
            others = differences(order, values)
            if not others:
                self._end(order, "confirmed", f"the station runs it, revision {revision}", now_ms)
            else:
                self._end(order, "superseded", f"the station's own revision {revision} stands: {others}", now_ms)

    @staticmethod
    def _is_newer(desk: Desk, life: str) -> bool:
        """Whether this board came after the one that was known: an old message does not bring an old board back."""
        lives = desk.node.lives
        return desk.board not in lives or life not in lives or lives[life].id > lives[desk.board].id

    def _better(self, desk: Desk, life: str, revision: int, values: dict[str, int], now_ms: int) -> None:
        """What was refused or withdrawn has been taken all the same, before the station heard that it need not."""
        for order in desk.recent:
            over = order.is_settings and order.state in ("refused", "withdrawn")
            if over and (order.life, order.number) == (life, revision) and not differences(order, values):
                self._end(order, "confirmed", f"the station runs it all the same, revision {revision}", now_ms)

    def _new_board(self, desk: Desk, before: str, now_ms: int) -> None:
        """Another board has the station's place: what the one before ran, and what was wanted of it, is wanted of this one."""
        assert desk.running is not None
        order, (revision, values) = desk.desired, desk.running
        wanted = {**desk.runs.get(before, (0, {}))[1], **(order.numbers if order else {})}
        changes = {key: value for key, value in wanted.items() if key in INDEX and values.get(key, value) != value}
        sender = order.sender if order else "gateway"
        problem = f"a new board, set up by hand to revision {revision}, keeps what it runs" if revision > 1 else None
        if changes and problem is None:
            try:
                words = {key: fixed.text(value, ROWS[INDEX[key]][2]) for key, value in changes.items()}
                changes = self.checked(desk.node, words)
                self._want(desk, changes, sender, now_ms, "the board is another: wanted of that one")
                return
            except ValueError as error:
                problem = str(error)
        if changes and problem is not None:
            lost = ", ".join(f"{key} {S.shown(ROWS[INDEX[key]], value)}" for key, value in changes.items())
            self._audit(desk.node, now_ms, sender, "not carried over", f"{problem}; before: {lost}", revision=revision)
        if order is not None and problem is not None:
            self._end(order, "superseded", problem, now_ms)
        elif order is not None:
            self._end(order, "confirmed", "the new board runs it already", now_ms)

    def hear_reply(self, node: Node, reply: wire.Reply, now_ms: int) -> None:
        """A station answers a command. Who answers twice did it if one of the answers says so."""
        for order in self.desk(node).recent:
            if not order.is_settings and order.name == reply.id and order.life == reply.life:
                if order.state == WAITING or (reply.result == "done" and order.state != "done"):
                    self._end(order, reply.result, reply.why, now_ms)

    def hear_event(self, node: Node, pack: list[wire.Point], at_ms: int) -> None:
        """An event of a station, once: a change of settings for the audit, or why settings were refused."""
        head = pack[0]
        if head.n == "settings":
            self._hear_change(node, pack, at_ms)
        elif head.n == "refused" and head.vs is not None and head.vs.startswith("desired "):
            number, _, why = head.vs[8:].partition(": ")
            order = self.desk(node).desired
            if order is not None and order.life == head.life and number == str(order.number):
                self._end(order, "refused", why, at_ms)

    def _hear_change(self, node: Node, pack: list[wire.Point], at_ms: int) -> None:
        told = {point.n: point for point in pack[1:]}
        number = told["revision"].v if "revision" in told else None
        revision = int(number) if number is not None else None
        order = None
        if pack[0].vs == "gateway":
            order = next(
                (o for o in self.desk(node).recent if o.is_settings and (o.life, o.number) == (pack[0].life, revision)),
                None,
            )
        who = order.sender if order else str(pack[0].vs or "?")
        for name, point in told.items():
            if name.startswith("new:"):
                old = _text(told.get("old:" + name[4:]))
                self._audit(
                    node,
                    at_ms,
                    who,
                    "changed",
                    "",
                    order,
                    setting=name[4:],
                    old=old,
                    new=_text(point),
                    revision=revision,
                )

    # Keeping and telling

    @property
    def waits(self) -> bool:
        """Something is to be kept."""
        return bool(self._changed or self._entries.audit or self._entries.boards)

    def seal(self) -> Entries:
        """What is to be kept now."""
        entries, self._entries = self._entries, Entries()
        self._sealed = list(self._changed.values())
        entries.orders = [order.row() for order in self._sealed]
        self._changed = {}
        return entries

    def kept(self) -> None:
        """What was sealed is on disk: it may be sent."""
        for order in self._sealed:
            if order.is_settings:
                self._to_tell[order.node.id] = self.desk(order.node)
            elif not order.on_disk:
                self._ready.append(order.message())
            order.on_disk = True
        self._sealed = []

    def tell_all(self) -> None:
        """The broker may have lost what it retained, or retain what is over."""
        self._to_tell.update({id: desk for id, desk in self._desks.items() if desk.says_desired})

    def due(self, now_ms: int) -> list[Message]:
        """What to say now; and what nobody answers ends."""
        messages, self._ready = self._ready, []
        for order in list(self._open.values()):
            if not order.is_settings:
                if order.expires_s is not None and now_ms > order.expires_s * 1000 + GRACE_MS:
                    self._end(order, "unanswered", "expired without an answer", now_ms)
            elif order.told_ms is not None and now_ms - order.told_ms >= REPEAT_MS and order.told < REPEATS:
                self._to_tell[order.node.id] = self.desk(order.node)
        for desk in self._to_tell.values():
            messages += self._desired(desk, now_ms)
        self._to_tell = {}
        return messages

    def came_online(self, node: Node) -> None:
        """What it has not confirmed may be said to it as often again."""
        desk = self._desks.get(node.id)
        if desk is not None and desk.desired is not None:
            desk.desired.told = 0

    @staticmethod
    def _desired(desk: Desk, now_ms: int) -> Iterable[Message]:
        order = desk.desired
        if order is None:
            # over: revision 0 is never newer, so that a station that lost its settings is not given old ones
            nothing = {"life": desk.life or "", "revision": 0, "values": {}}
            return [(topic(desk.node, "desired"), encoded(nothing), True)]
        if not order.on_disk:
            return []
        order.told_ms = now_ms
        order.told += 1
        return [order.message()]


def _text(point: wire.Point | None) -> str | None:
    if point is None or point.v is None:
        return None if point is None else point.vs
    return wire.number_text(point.v) + (f" {point.u}" if point.u else "")
