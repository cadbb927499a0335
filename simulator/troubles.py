"""What may befall a sensor by a scenario's spans, and a serial line on which it does.

What can't befall a chip is refused, so that no scenario believes it tested something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator import noise
from simulator.adapters.buses import SerialChip, Spans, within
from simulator.errors import InputError
from simulator.tables import SpanTable

_OF_SERIAL = ("unplugged", "garbage", "wrong_chip", "silent")
CAN_BEFALL = {
    **dict.fromkeys(("maxbotix", "modbus", "pms5003", "sps30"), _OF_SERIAL),
    "a02yyuw": ("unplugged", "garbage", "silent"),
    **dict.fromkeys(("bme280", "ina226", "scd4x", "sen5x", "sht4x"), ("unplugged", "garbage", "wrong_chip", "silent")),
    "ads1115": ("unplugged", "garbage", "wrong_chip", "silent"),
    "current_loop": (
        "unplugged",
        "garbage",
        "wrong_chip",
        "silent",
    ),  # unplugged: its wire is broken; the others are its converter's
    "reference_cell": ("unplugged", "garbage", "wrong_chip", "silent"),  # its converter's: a broken wire is darkness
    "ds18b20": ("unplugged", "garbage"),
    "tipping_bucket": ("unplugged",),
    "switch": (),
    "battery": (),
}
_OF_BUS = ("i2c", "onewire", "uart")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `sensors`; `number` is what events call it, None for the level and the battery."""

    config: dict
    number: int | None

    @property
    def driver(self) -> str:
        return self.config["driver"]


def rows_of(compiled: dict) -> list[Row]:
    found = []
    others = 0
    for config in compiled["sensors"]:
        if config["driver"] == "battery" or config.get("gives") == "level":
            found.append(Row(config, None))
        else:
            found.append(Row(config, others))
            others += 1
    return found


def check(compiled: dict, spans: Sequence[SpanTable]) -> None:
    """InputError for a span that speaks of a sensor or a bus that this station has not, or of what can't befall it."""
    rows = rows_of(compiled)
    node = compiled["node"]
    for span in spans:
        if span.what in ("storage", "siren_broken"):
            continue
        if span.what == "bus_low":
            kind = compiled["pins"].get(span.bus or "", {}).get("kind")
            if kind not in _OF_BUS:
                there = [name for name, pin in sorted(compiled["pins"].items()) if pin["kind"] in _OF_BUS]
                raise InputError(f"span bus_low of '{node}' needs a bus: allowed are {', '.join(there)}")
            continue
        row = next((row for row in rows if row.number == span.sensor and row.driver != "battery"), None)
        if row is None:
            numbers = [f"{r.number} {r.driver}" for r in rows if r.number is not None]
            raise InputError(
                f"span {span.what} of '{node}' speaks of "
                + ("a level, which it has not" if span.sensor is None else f"sensor {span.sensor}")
                + f"; it has {', '.join(numbers) or 'no others'}"
            )
        if span.what not in CAN_BEFALL[row.driver]:
            can = ", ".join(CAN_BEFALL[row.driver]) or "nothing yet"
            raise InputError(f"span {span.what} can't befall the {row.driver} of '{node}'; {can} can")


class Troubled:
    """A serial chip on a line that goes wrong in spans: noise for bytes, nothing, or its sister in its place."""

    def __init__(self, chip: SerialChip, sister: SerialChip | None, key: int, spans: Mapping[str, Spans]) -> None:
        self._chip = chip
        self._sister = sister
        self._key = key
        self._garbage = spans.get("garbage", ())
        self._silent = spans.get("silent", ()) + spans.get("bus_low", ())
        self._swapped = spans.get("wrong_chip", ())

    def hear(self, t_ms: int, data: bytes) -> None:
        for chip in (self._chip, self._sister):
            hear = getattr(chip, "hear", None)
            if hear is not None and not within(t_ms, self._silent):
                hear(t_ms, data)

    def frames_into(self, fifo: bytearray, after_ms: int, now_ms: int, powered_ms: int, room: int) -> None:
        heard = bytearray()
        other = bytearray()
        left = room - len(fifo)
        self._chip.frames_into(heard, after_ms, now_ms, powered_ms, left)
        if self._sister is not None:
            self._sister.frames_into(other, after_ms, now_ms, powered_ms, left)
        if within(now_ms, self._silent):
            return
        if within(now_ms, self._swapped):
            heard = other
        if within(now_ms, self._garbage):
            heard = bytearray(noise.draw(self._key, now_ms << 8 | i) & 0xFF for i in range(len(heard)))
        fifo += heard
