"""What a run of `chaos` is watched for while it goes on: the order of what is said, the bounds of every queue, the sizes of the program's own objects."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from node.core import happenings as H
from node.core import measurements as M
from node.core.measurements import STREAMS
from node.core.quantities import POINTS
from simulator.agenda import NEVER
from simulator.fleet import District
from simulator.mishaps import FullKey
from simulator.notes import Said, numbers
from simulator.stations import Station

EVERY_MS = 3_600_000
DAY_MS = 86_400_000
IN_FLIGHT = 8
OUT_BYTES = 12 * 2048
REPLIES = 8
ASKED = 8
GIVEN_UP = 64
UNTOLD = 32
BROKER_WAITING = 400
GATEWAY_WAITING = 4000
RING_BYTES = (122 + 20) * 8188 + 16_384
GROWTH = 600  # elements and bytes that a station's own objects may differ by from day to day

_KEY = re.compile(rb'"boot":(\d+),"seq":(\d+)')
_VERSION = re.compile(rb'"n":"version","vs":"([^"]*)"')
_BT = re.compile(rb'"bt":(\d+)(?:\.(\d{1,3}))?')


@dataclass
class Seen:
    """Of one station."""

    published: dict[str, set[tuple[int, int]]] = field(default_factory=dict)  # keys, by stream
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)
    sirens: list[tuple[int, int]] = field(default_factory=list)  # (t, on)
    strobes: list[tuple[int, int]] = field(default_factory=list)
    alarms: list[tuple[int, int]] = field(default_factory=list)  # (t, state) as the journal has it
    said: list[Said] = field(default_factory=list)
    silenced: list[tuple[int, int, int]] = field(default_factory=list)  # (t, seconds of a shelf or 0, state then)
    updates: list[int] = field(default_factory=list)  # the words of the point `update`, as the journal has them
    sizes: list[tuple[int, int]] = field(default_factory=list)  # (t, elements and bytes of the program's objects)


class Watch:
    """An actor and a listener of a district. What was wrong is in `broken`, each kind once for a station."""

    def __init__(self, district: District, bodies: dict[str, Any]) -> None:
        self._district = district
        self._bodies = bodies
        self.seen = {place.node: Seen() for place in district.places}
        self.broken: dict[tuple[str, str], str] = {}
        self._on_flash: dict[tuple[str, str], list[tuple[int, int]]] = {}  # (node, file) -> keys appended to it
        self.taken_back: set[FullKey] = set()  # the gateway forgot them, and their stations had them no more
        if district.restorer:
            district.restorer.went_back = self._went_back
        district.watch = self
        district.agenda.join(self, EVERY_MS)

    def breaks(self, invariant: str, node: str, how: str) -> None:
        self.broken.setdefault((invariant, node), f"{node} at {self._district.moment.t / 1000:.3f} s: {how}")

    def body(self, node: str) -> Any:
        return self._bodies.get(node)

    # Heard

    def published(self, node: str, topic: str, payload: bytes) -> None:
        stream = topic.rpartition("/")[2]
        if stream == "status":
            self._says_its_version(node, payload)
        if stream not in STREAMS:
            return
        uplink = getattr(getattr(self._bodies.get(node), "app", None), "uplink", None)
        if uplink and uplink.client.in_flight > IN_FLIGHT:
            self.breaks("bounds", node, f"{uplink.client.in_flight} messages in flight, {IN_FLIGHT} at most")
        found = _KEY.search(payload)
        if found is None:
            self.breaks("order", node, f"a record without a key: {payload[:120]!r}")
            return
        seen = self.seen[node]
        key = (int(found[1]), int(found[2]))
        published = seen.published.setdefault(stream, set())
        if key in published:
            return
        published.add(key)
        newest = seen.newest.get(stream, (0, 0))
        if key < newest:
            self.breaks("order", node, f"{stream} {key} was said first after {newest}")
        seen.newest[stream] = max(key, newest)

    def switched(self, node: str, name: str, on: int) -> None:
        if name in ("siren", "strobe"):
            seen = self.seen[node]
            (seen.sirens if name == "siren" else seen.strobes).append((self._district.moment.t, on))

    def appended(self, node: str, file: str, data: bytes) -> None:
        boot = self._district.notes.boot_of(node, file)
        if boot is None or len(data) == 24:
            return
        seen = self.seen[node]
        found = numbers(data)
        self._on_flash.setdefault((node, file), []).append((boot, found[0]))
        if not file.startswith("event-"):
            return
        t = self._district.moment.t
        if found[1] == M.ALARM:
            seen.alarms.append((t, found[3]))
            seen.said.append(Said(t, found[6], found[3], POINTS[found[7] & 0xFF][0]))
        elif found[1] == H.UPDATE:
            seen.updates.append(found[3])
        elif found[1] in (M.ACKNOWLEDGED, M.SHELVED_S):
            state = seen.alarms[-1][1] if seen.alarms else 0
            seen.silenced.append((t, found[3] if found[1] == M.SHELVED_S else 0, state))

    def filled(self, node: str, slot: str) -> None:
        """Something was written to a slot."""
        slots = self._stations[node].ports.slots
        if slots and slot in (slots.running, slots.state().good):
            self.breaks("slots", node, f"slot {slot} was written to, which runs or is the good one")

    def _says_its_version(self, node: str, payload: bytes) -> None:
        slots = self._stations[node].ports.slots
        said = _VERSION.search(payload)
        if slots and not slots.sound(slots.state().good):
            self.breaks("slots", node, f"its good slot, {slots.state().good}, is not whole")
        if slots and (said is None or said[1].decode() != slots.version):
            self.breaks("slots", node, f"it runs {slots.version} and says {said and said[1].decode()}")

    @cached_property
    def _stations(self) -> dict[str, Station]:
        return {station.node: station for station in self._district.stations}

    def _went_back(self, forgotten: set[FullKey]) -> None:
        stations = self._stations
        held = {
            (node, file.rpartition("-")[0], *key)
            for (node, file), keys in self._on_flash.items()
            if file in stations[node].ports.storage.files
            for key in keys
        }
        self.taken_back |= forgotten - held

    # Looked at

    def run(self, t_ms: int) -> int:
        district = self._district
        for place, station in zip(district.places, district.stations, strict=True):
            node = place.node
            storage = station.ports.storage
            used = sum(len(data) for name, data in storage.files.items() if "-0" in name)
            if used > RING_BYTES:
                self.breaks("bounds", node, f"the journal has {used} bytes")
            if storage.free < 0:
                self.breaks("bounds", node, f"flash is {-storage.free} bytes over its capacity")
            app = getattr(self._bodies.get(node), "app", None)
            if app is not None:
                self._look_into(node, app, t_ms, getattr(self._bodies[node], "drawn", 0))
        for node, waiting in district.broker.waiting().items():
            if waiting > BROKER_WAITING:
                self.breaks("bounds", node, f"{waiting} messages wait for it at the broker")
        if district.intake.waiting > GATEWAY_WAITING:
            self.breaks("bounds", "gateway", f"{district.intake.waiting} messages wait to be committed")
        return t_ms + EVERY_MS if t_ms < NEVER else NEVER

    def _look_into(self, node: str, app: Any, t_ms: int, drawn: int) -> None:
        bounds = [("untold events", len(getattr(app._rounds, "_untold", ())), UNTOLD)]
        uplink = app.uplink
        if uplink:
            bounds += [
                ("bytes to be sent", len(uplink.client.out), OUT_BYTES),
                ("replies", len(uplink._replies), REPLIES),
                ("gaps asked for", len(uplink._asked), ASKED),
            ]
        bounds += [("losses to be declared", len(log.given_up), GIVEN_UP) for log in app.logs or ()]
        for what, count, most in bounds:
            if count > most:
                self.breaks("bounds", node, f"{count} {what}, {most} at most")
        defects = getattr(app, "defects", 0) - getattr(app, "drawn", 0) - drawn
        if defects > 0:
            self.breaks("exception", node, f"{defects} exceptions in its program")
        if t_ms % DAY_MS == 0:
            self.seen[node].sizes.append((t_ms, size_of(app)))


def size_of(app: Any) -> int:
    """How many objects, elements and bytes hang on a program: what it holds itself, not its ports."""
    total = 0
    met: set[int] = set()
    stack = [app]
    while stack:
        one = stack.pop()
        if id(one) in met or one is None or isinstance(one, int | float):
            continue
        met.add(id(one))
        total += 1
        if isinstance(one, bytes | bytearray | str):
            total += len(one)
        elif isinstance(one, dict):
            stack += [*one, *one.values()]
        elif isinstance(one, list | tuple | set):
            total += len(one)
            stack += one
        elif type(one).__module__.startswith("node."):
            stack += vars(one).values()
    return total
