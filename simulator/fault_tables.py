"""The tables of what goes wrong in a scenario beyond sensors and outages: links, packets, clocks, flash, the gateway's database, the program itself,
updates, and what people send and type."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from simulator.tables import Name, Natural, Positive, Spell, Table

LINK_FAULTS = ("no_network", "half_open", "certificate", "tls", "trickle", "late")
PACKET_FAULTS = ("repeat", "reorder", "hold")
GOOD_ORDERS = ("ack", "shelve", "status", "drill", "reboot", "desired")
BAD_ORDERS = ("replayed", "expired", "retained", "stranger", "junk", "unusable")


class ResetTable(Table):
    """The power goes, at a millisecond; with `in_write` in the middle of the first such write to flash from then on."""

    node: Name
    at_s: Positive
    ms: Annotated[int, Meta(ge=0, le=999)] = 0
    in_write: Annotated[int, Meta(ge=0, le=9)] = 0


class LinkTable(Table):
    """A station's line. `no_network`: nothing opens; `half_open`: bytes go nowhere and nobody is told; `certificate` and `tls`: every handshake fails
    (the scenario has `tls`); `trickle`: `number` bytes are taken at a time; `late`: what comes is `number` ms late."""

    node: Name
    what: Literal["no_network", "half_open", "certificate", "tls", "trickle", "late"]
    from_s: Natural
    for_s: Positive
    number: Annotated[int, Meta(ge=0, le=60_000)] = 0


class PacketsTable(Table):
    """Between broker and gateway, and from the broker to the stations: `repeat` some messages come twice, `reorder` in another order (gateway only),
    `hold` they come later (gateway only)."""

    what: Literal["repeat", "reorder", "hold"]
    from_s: Natural
    for_s: Positive


class ClockTable(Table):
    """A station's time: `lies` [from, for, off] the server's is so wrong, `silent` [from, for] no server answers, all in seconds; `steps` [at in
    seconds, ms] its own clock jumps."""

    node: Name
    commissioned: bool = True  # it knows the day on which it was set up
    drift_ppm: Annotated[int, Meta(ge=-200, le=200)] = 0
    lies: list[tuple[int, int, int]] = msgspec.field(default_factory=list)
    silent: list[Spell] = msgspec.field(default_factory=list)
    steps: list[tuple[int, int]] = msgspec.field(default_factory=list)


class FlashTable(Table):
    node: Name
    capacity_kb: Annotated[int, Meta(ge=16, le=16_384)]


class RestoreTable(Table):
    """The gateway starts again; with `back_s` on its database of so long ago."""

    at_s: Positive
    back_s: Natural = 0


class OrderTable(Table):
    """A command or desired settings: the good ones through the gateway's own core, the bad ones past it; they must change nothing."""

    node: Name
    at_s: Positive
    what: Literal[
        "ack",
        "shelve",
        "status",
        "drill",
        "reboot",
        "desired",
        "replayed",
        "expired",
        "retained",
        "stranger",
        "junk",
        "unusable",
    ]
    number: Natural = 0
    values: dict[str, str] = msgspec.field(default_factory=dict)


class CrashTable(Table):
    """The station's program raises an exception, where it is said, the first `times` times from then on."""

    node: Name
    at_s: Positive
    where: Literal["measure", "_record", "talk", "_calm"] = "measure"
    times: Annotated[int, Meta(ge=1, le=7)] = 1


class TypedTable(Table):
    """Somebody at the cable types these lines."""

    node: Name
    at_s: Positive
    lines: list[str]


class UpdateTable(Table):
    """A release is offered. `good`: it runs as what ran before; `dying`: it raises in every step; `forged`: its signature is another's; `harmed`: its parts
    come with a wrong byte; `unserved`: for an hour nobody answers; `withdrawn`: the offer goes away half a minute later."""

    node: Name
    at_s: Positive
    what: Literal["good", "dying", "forged", "harmed", "unserved", "withdrawn"] = "good"
