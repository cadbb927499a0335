"""What may stand on the wire (docs/wire.md): a topic and a payload become typed values, or a reason in one sentence.

Pure: nothing here remembers anything. msgspec checks types and ranges while it decodes and names the member that is wrong.
"""

import re
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

from node.core.measurements import STREAMS
from node.core.quantities import POINTS

TOP = 2**31 - 1
PAYLOAD_LIMIT = 8192
MOST_TEXT = 300  # bytes of a record's text in the journal
EARLIEST_S = 946_684_800  # 2000-01-01: an ESP32 counts from there
LATEST_S = 4_102_444_800  # 2100-01-01
NAMES = ("readings", "event", "status", "settings", "reply")

Count = Annotated[int, Meta(ge=1, le=TOP)]
CountOrNone = Annotated[int, Meta(ge=0, le=TOP)]
Flag = Literal[1, 2, 3, 4, 9]

_NAME = r"[a-z0-9][a-z0-9_-]{0,31}"
_TOPIC = re.compile(rf"waspada/v1/({_NAME})/({_NAME})/({'|'.join(NAMES)})")
_LIFE = re.compile(r"[0-9a-f]{8}")
_POINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
_UNIT = re.compile(r"[!-~]{1,16}")
_MUST_UNDERSTAND = re.compile(rb'_"\s*:')


class Refused(Exception):
    """One sentence: why a message can't be a record."""


class Address(NamedTuple):
    """Whose topic it is."""

    district: str
    node: str
    name: str


class Point(Struct, gc=False):
    """One entry of a pack; only the first carries the base members. Labels that would change a value's meaning must be absent."""

    n: str = ""
    u: str | None = None
    v: float | None = None
    vs: str | None = None
    q: Flag | None = None
    q1: Flag | None = None
    bn: str | None = None
    bver: int | None = None
    bt: Annotated[float, Meta(ge=EARLIEST_S, le=LATEST_S)] | None = None
    up_ms: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    life: str | None = None
    boot: Count | None = None
    seq: Count | None = None
    prev_boot: CountOrNone | None = None
    prev_seq: CountOrNone | None = None
    t: None = None
    ut: None = None
    s: None = None
    vb: None = None
    vd: None = None
    bu: None = None
    bv: None = None
    bs: None = None


class Key(NamedTuple):
    """What is left of a record that can't be used: enough to say that it was seen. `prev` is None when it isn't said."""

    life: str
    boot: int
    seq: int
    prev: tuple[int, int] | None


class Settings(Struct):
    """The retained message of what a node runs."""

    life: str
    revision: CountOrNone
    values: dict[str, float]


class Reply(Struct):
    """What became of a command."""

    life: str
    id: Annotated[str, Meta(min_length=1, max_length=32)]
    result: Literal["done", "refused"]
    why: Annotated[str, Meta(max_length=MOST_TEXT)] = ""


class Status(NamedTuple):
    """The retained message of how a node is."""

    life: str
    boot: int | None
    t_ms: int | None
    state: str
    version: str | None
    standing: dict[str, float | str]  # what else it says of itself, by STANDING's names; nothing in a last will


_Said = TypeVar("_Said")
_pack = msgspec.json.Decoder(list[Point])
_settings = msgspec.json.Decoder(Settings)
_reply = msgspec.json.Decoder(Reply)
_anything = msgspec.json.Decoder()

# what a decoder may raise for bytes from anywhere
BAD_BYTES = (msgspec.MsgspecError, ValueError, RecursionError)

ROWS = {row[0]: row for row in POINTS}
WORDS: dict[str, tuple[str, ...]] = {row[0]: row[5] for row in POINTS if row[5]}
_INSTANCE = re.compile(r"(.+):([2-9]|[1-9]\d{1,2})")

# In place of a scale, which is 10**decimals:
UNKNOWN = 0  # may be a newer station's
NO_NUMBER = -1  # the point has a unit in its table and none here, so it may only say why there is no number
WORD = -2  # says one of its words
AS_TEXT = (
    -3
)  # a point this firmware's own table doesn't know: its number has no unit and no decimals, so it is kept as text
STANDING = ("reset", "up_s", "heap_low", "flash_errors", "sensors_bad", "slot", "lost", "refused", "safe", "wake")
STATES_OF_A_NODE = ("online", "sleeping", "unreachable", "maintenance")


def address(topic: str) -> Address:
    """The parts of a topic the gateway listens to."""
    found = _TOPIC.fullmatch(topic)
    if not found:
        raise Refused("the topic is not waspada/v1/<district>/<node>/ and one of " + ", ".join(NAMES))
    return Address(*found.groups())


def decode_pack(payload: bytes) -> list[Point]:
    """A SenML pack, its types and ranges checked; at least one entry."""
    pack = _decoded(_pack, payload, "a record")
    if not pack:
        raise Refused("the pack is empty")
    if b'_"' in payload and _MUST_UNDERSTAND.search(payload):
        raise Refused("a label ends with _, which RFC 8428 asks to be understood, and it is not known here")
    return pack


def _decoded(decoder: msgspec.json.Decoder[_Said], payload: bytes, what: str) -> _Said:
    """The payload by its decoder's types; `what` it should have been."""
    if len(payload) > PAYLOAD_LIMIT:
        raise Refused(f"the payload is longer than {PAYLOAD_LIMIT} bytes")
    try:
        return decoder.decode(payload)
    except BAD_BYTES as error:
        raise Refused(f"the payload is not {what}: {error}") from None


def check_head(head: Point, base_name: str) -> None:
    """The members every record's first entry must have."""
    if head.bn != base_name:
        raise Refused(f"bn is {head.bn!r}, this topic's is {base_name!r}")
    if head.life is None or head.boot is None or head.seq is None:
        raise Refused("a record needs life, boot and seq")
    if (head.bt is None) == (head.up_ms is None):
        raise Refused("a record has either bt or up_ms")
    if head.seq == 1:
        check_previous(head)


def check_previous(head: Point) -> None:
    """The first record of a boot names the last one before."""
    if head.prev_boot is None or head.prev_seq is None:
        raise Refused("the record with seq 1 needs prev_boot and prev_seq")
    if head.boot is not None and (head.prev_boot >= head.boot or (head.prev_boot == 0) != (head.prev_seq == 0)):
        raise Refused(f"prev_boot {head.prev_boot} and prev_seq {head.prev_seq} are no record before boot {head.boot}")


def check_life(life: str) -> None:
    if not _LIFE.fullmatch(life):
        raise Refused(f"life is {life[:40]!r}, not 8 hex digits")


def split(name: str) -> tuple[str, int]:
    """`panel_power:2` is the second of its kind; any other name is a key and the first."""
    found = _INSTANCE.fullmatch(name)
    return (found[1], int(found[2])) if found and found[1] in ROWS else (name, 1)


def unit_of(name: str, said: str | None) -> str | None:
    """The unit of a point's row in the table, whichever of its kind it is; what the table doesn't know has the one it says."""
    row = ROWS.get(split(name)[0])
    return row[1] if row else said


def scale_of(name: str, unit: str | None) -> int:
    """10**decimals of a point, or one of the marks above it. The unit is right."""
    key = split(name)[0]
    if key in ROWS:
        return WORD if key in WORDS else 10 ** ROWS[key][2]
    return AS_TEXT if unit is None and name.startswith("unknown:") else UNKNOWN


def check_name(name: str, unit: str | None) -> int:
    """The scale of a point, or what stands in its place."""
    if not _POINT_NAME.fullmatch(name):
        raise Refused(f"the name {name[:70]!r} is not a point's")
    if unit is not None and not _UNIT.fullmatch(unit):
        raise Refused(f"the unit {unit[:40]!r} of {name} is not SenML's")
    own = unit_of(name, unit)
    if own != unit:
        if unit is None:
            return NO_NUMBER
        raise Refused(f"{name} is in {own or 'no unit'}, not in {unit}")
    return scale_of(name, unit)


LARGEST = 2**53  # what a JSON number keeps exactly, and SQLite's integers hold


def check_value(point: Point, scale: int, reading: bool) -> None:
    """A number or a word; a reading says how good it is."""
    v = point.v
    if v is None:
        if point.vs is None:
            raise Refused(f"{point.n} has neither v nor vs")
        if len(point.vs) > MOST_TEXT:
            raise Refused(f"the text of {point.n} is too long")
    elif point.vs is not None:
        raise Refused(f"{point.n} has both v and vs")
    elif scale > 0:
        scaled = v * scale
        if abs(scaled) > LARGEST:
            raise Refused(f"{point.n} {v:g} is beyond any number a node can print")
        if abs(scaled - round(scaled)) > 1e-4:
            raise Refused(f"{point.n} {v} has more decimals than its table allows")
    elif scale == NO_NUMBER:
        raise Refused(f"{point.n} is in {unit_of(point.n, None)}, not without a unit")
    elif scale == WORD:
        raise Refused(f"{point.n} is a word, not a number")
    if reading and (point.q is None or ((point.q == 9) != (v is None) and _is_number(scale, point))):
        raise Refused(f"{point.n} needs q, which is 9 exactly when there is no v")


def _is_number(scale: int, point: Point) -> bool:
    """Whether q 9 and a number exclude each other: not for a word, nor for what the station's firmware itself couldn't name."""
    return scale not in (WORD, AS_TEXT) and (scale != UNKNOWN or point.v is not None)


def number_text(v: float) -> str:
    """A number without unit and decimals, kept as text."""
    return str(int(v)) if v == int(v) else repr(v)


def check_later(point: Point) -> None:
    """An entry after the first says nothing about the whole pack."""
    if point.bn is not None or point.bt is not None or point.up_ms is not None or point.life is not None:
        raise Refused("only the first entry may have bn, bt, up_ms or life")


def key_of(payload: bytes, base_name: str) -> Key | None:
    """The key of a payload that was refused, if it can be read and is this node's own."""
    if len(payload) > 16 * PAYLOAD_LIMIT:
        return None
    try:
        pack = _anything.decode(payload)
    except BAD_BYTES:
        return None
    head = pack[0] if isinstance(pack, list) and pack else None
    if not isinstance(head, dict) or head.get("bn") != base_name:
        return None
    life, boot, seq = head.get("life"), head.get("boot"), head.get("seq")
    if not (isinstance(life, str) and _LIFE.fullmatch(life) and _is_count(boot) and _is_count(seq)):
        return None
    prev = None
    try:
        entry = Point(boot=boot, prev_boot=head.get("prev_boot"), prev_seq=head.get("prev_seq"))
        if seq == 1 and _is_count(entry.prev_boot, 0) and _is_count(entry.prev_seq, 0):
            check_previous(entry)
            prev = (entry.prev_boot or 0, entry.prev_seq or 0)
    except Refused:
        pass
    return Key(life, int(boot), int(seq), prev)  # type: ignore[arg-type]


def _is_count(value: object, least: int = 1) -> bool:
    return type(value) is int and least <= value <= TOP


def dropped(pack: list[Point]) -> tuple[int, int, int, int]:
    """(stream, boot, first, last) that a `dropped` event declares."""
    told = {point.n: point.v for point in pack[1:]}
    if pack[0].vs not in STREAMS:
        raise Refused(f"dropped names {pack[0].vs!r}, not one of {', '.join(STREAMS)}")
    numbers = []
    for name in ("of_boot", "first_seq", "last_seq"):
        value = told.get(name)
        if value is None or not 1 <= value <= TOP:
            raise Refused(f"dropped needs {name}, from 1")
        numbers.append(int(value))
    boot, first, last = numbers
    if first > last or boot > (pack[0].boot or 0):
        raise Refused(
            f"dropped declares {first} to {last} of boot {boot}, which is no range of this or an earlier boot"
        )
    return STREAMS.index(pack[0].vs), boot, first, last


def time_fix(pack: list[Point]) -> int:
    """Milliseconds since 1970 at which this boot began."""
    up_ms = next((point.v for point in pack[1:] if point.n == "up_ms"), None)
    if pack[0].bt is None or up_ms is None or up_ms < 0:
        raise Refused("time_fix needs bt and up_ms")
    return int(pack[0].bt * 1000 + 0.5) - int(up_ms)


def decode_status(payload: bytes, base_name: str) -> Status:
    """The retained status; the last will has neither time nor boot."""
    pack = decode_pack(payload)
    head = pack[0]
    if head.bn != base_name or head.life is None:
        raise Refused("a status needs this node's bn, and life")
    check_life(head.life)
    if head.n != "state" or head.vs not in STATES_OF_A_NODE:
        raise Refused("a status needs n state and vs one of " + ", ".join(STATES_OF_A_NODE))
    version = next((point.vs for point in pack[1:] if point.n == "version"), None)
    t_ms = None if head.bt is None else int(head.bt * 1000 + 0.5)
    return Status(head.life, head.boot, t_ms, head.vs, version, standing(pack))


def standing(pack: list[Point]) -> dict[str, float | str]:
    """What a newer station says besides is left out."""
    found: dict[str, float | str] = {}
    for point in pack[1:]:
        if point.n in STANDING:
            if point.v is not None and abs(point.v) <= LARGEST:
                found[point.n] = point.v
            elif point.vs is not None and len(point.vs) <= MOST_TEXT:
                found[point.n] = point.vs
    return found


def canonical(values: dict[str, float]) -> str:
    """The same text for the same settings, in the node's order."""
    return msgspec.json.encode(values).decode()


def decode_settings(payload: bytes) -> Settings:
    """The retained settings."""
    settings = _decoded(_settings, payload, "a node's settings")
    check_life(settings.life)
    return settings


def decode_reply(payload: bytes) -> Reply:
    """The answer to a command."""
    reply = _decoded(_reply, payload, "a reply")
    check_life(reply.life)
    return reply
