"""The scenario `chaos`: three days and more of one to three stations, with four kinds of fault or more, all drawn from the seed.

Faults end `QUIET_S` before the end: then everything must arrive. Peaks of the water stay 30 mm away from every line.
"""

import datetime
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from simulator import fault_tables as F
from simulator import noise
from simulator.scenario import FaultsTable, OutageTable, Scenario, StationsTable
from simulator.tables import FloodTable, SpanTable, WorldTable

NAME = "chaos"
QUIET_S = 12 * 3600
FEWEST_KINDS = 4
MOST_KINDS = 9
_FIRST_S = 1800
_BASE_MM = 200
_PEAKS_MM = (250, 600, 1050, 1700)  # above the base: nothing, alert (600), warning (1000), danger (1500)
_SOME = TypeVar("_SOME")


class Dice:
    """Numbers from a seed, one after the other."""

    def __init__(self, seed: int) -> None:
        self._key = noise.key(seed, NAME)
        self._count = 0

    def below(self, limit: int) -> int:
        self._count += 1
        return noise.below(noise.draw(self._key, self._count), limit)

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def pick(self, things: Sequence[_SOME]) -> _SOME:
        return things[self.below(len(things))]

    def some(self, things: Sequence[_SOME], count: int) -> list[_SOME]:
        left = list(things)
        return [left.pop(self.below(len(left))) for _ in range(min(count, len(left)))]


class Drawn:
    """What has been drawn so far. Every kind of fault is a method that adds to it."""

    def __init__(self, dice: Dice, nodes: list[str], until_s: int) -> None:
        self.dice = dice
        self.nodes = nodes
        self.until_s = until_s
        self.tls = dice.below(3) == 0
        self.outages: list[OutageTable] = []
        self.spans: list[SpanTable] = []
        self.resets: list[F.ResetTable] = []
        self.links: list[F.LinkTable] = []
        self.packets: list[F.PacketsTable] = []
        self.clocks: dict[str, F.ClockTable] = {}
        self.flash: list[F.FlashTable] = []
        self.restores: list[F.RestoreTable] = []
        self.orders: list[F.OrderTable] = []
        self.crashes: list[F.CrashTable] = []
        self.typed: list[F.TypedTable] = []
        self.updates: list[F.UpdateTable] = []

    def span(self, shortest_s: int, longest_s: int) -> tuple[int, int]:
        """(from, for) before the quiet end."""
        lasts = self.dice.between(shortest_s, longest_s)
        return self.dice.between(_FIRST_S, self.until_s - lasts), lasts

    def moment(self) -> int:
        return self.dice.between(_FIRST_S, self.until_s)

    def node(self) -> str:
        return self.dice.pick(self.nodes)

    # The broker and the gateway

    def outage(self) -> None:
        self._outages(self.dice.between(1, 2), False, False)

    def silent_outage(self) -> None:
        self._outages(1, True, False)

    def forgetting_outage(self) -> None:
        self._outages(self.dice.between(1, 2), bool(self.dice.below(2)), True)

    def _outages(self, count: int, silent: bool, forgets: bool) -> None:
        for _ in range(count):
            begin, lasts = self.span(30, self.dice.pick((600, 7200, 36 * 3600)))
            if all(begin >= o.from_s + o.for_s + 5 or begin + lasts + 5 <= o.from_s for o in self.outages):
                self.outages.append(OutageTable(from_s=begin, for_s=lasts, silent=silent, forgets=forgets))

    def restart(self) -> None:
        for _ in range(self.dice.between(1, 3)):
            self.restores.append(F.RestoreTable(at_s=self.moment()))

    def restore(self) -> None:
        back_s = self.dice.pick((600, 3600, 36_000))
        self.restores.append(F.RestoreTable(at_s=self.dice.between(back_s + 60, self.until_s), back_s=back_s))

    def repeat(self) -> None:
        self._packets("repeat")

    def reorder(self) -> None:
        self._packets("reorder")

    def hold(self) -> None:
        self._packets("hold")

    def _packets(self, what: str) -> None:
        begin, lasts = self.span(3600, 2 * 86_400)
        self.packets.append(F.PacketsTable(what=what, from_s=begin, for_s=lasts))  # type: ignore[arg-type]

    # The power

    def reset(self) -> None:
        for _ in range(self.dice.between(1, 6)):
            self._reset(self.node(), self.moment(), self.dice.below(1000))

    def reset_storm(self) -> None:
        node, at = self.node(), self.moment()
        for _ in range(self.dice.between(3, 12)):
            self._reset(node, at, self.dice.below(1000))
            at += self.dice.pick((0, 1, 3, 10, 45))

    def write_cut(self) -> None:
        for _ in range(self.dice.between(1, 5)):
            self._reset(self.node(), self.moment(), 0, self.dice.between(1, 4))

    def _reset(self, node: str, at_s: int, ms: int, in_write: int = 0) -> None:
        self.resets.append(F.ResetTable(node=node, at_s=at_s, ms=ms, in_write=in_write))

    # The station's line

    def no_network(self) -> None:
        self._links("no_network", 60, 12 * 3600)

    def half_open(self) -> None:
        self._links("half_open", 10, 2 * 3600)

    def late(self) -> None:
        self._links("late", 60, 4 * 3600, self.dice.pick((500, 3000, 15_000, 30_000)))

    def trickle(self) -> None:
        self._links("trickle", 60, 600, self.dice.pick((1, 7, 60)))

    def certificate(self) -> None:
        self.tls = True
        self._links("certificate", 60, 12 * 3600)

    def handshake(self) -> None:
        self.tls = True
        self._links("tls", 60, 12 * 3600)

    def _links(self, what: str, shortest_s: int, longest_s: int, number: int = 0) -> None:
        for _ in range(self.dice.between(1, 3)):
            begin, lasts = self.span(shortest_s, longest_s)
            self.links.append(
                F.LinkTable(node=self.node(), what=what, from_s=begin, for_s=lasts, number=number)  # type: ignore[arg-type]
            )

    # Time

    def lying_time(self) -> None:
        begin, lasts = self.span(3600, 86_400)
        off_s = self.dice.pick((-86_400, -400, 30, 4000, 40 * 86_400, -20 * 31_557_600))
        self._clock().lies.append((begin, lasts, off_s))

    def silent_time(self) -> None:
        lasts = self.dice.between(600, 2 * 86_400)
        begin = self.dice.pick((0, self.moment()))
        self._clock().silent.append([begin, min(lasts, self.until_s - begin)])

    def clock_step(self) -> None:
        self._clock().steps.append((self.moment(), self.dice.pick((-90_000, -3000, -40, 700, 5000, 3_600_000))))
        self._clock().drift_ppm = self.dice.between(-60, 60)

    def _clock(self) -> F.ClockTable:
        node = self.node()
        return self.clocks.setdefault(node, F.ClockTable(node=node, commissioned=bool(self.dice.below(3))))

    # Sensors and flash

    def sensor(self) -> None:
        for _ in range(self.dice.between(1, 2)):
            begin, lasts = self.span(60, 4 * 3600)
            what = self.dice.pick(("unplugged", "garbage", "silent"))
            node = self.dice.pick([node for node in self.nodes if node.startswith("river")])
            self.spans.append(SpanTable(node=node, what=what, from_s=begin, for_s=lasts))  # type: ignore[arg-type]

    def flash_error(self) -> None:
        for _ in range(self.dice.between(1, 3)):
            begin, lasts = self.span(1, self.dice.pick((30, 3600, 6 * 3600)))
            self.spans.append(SpanTable(node=self.node(), what="storage", from_s=begin, for_s=lasts))

    def full_flash(self) -> None:
        for node in self.nodes:
            self.flash.append(F.FlashTable(node=node, capacity_kb=self.dice.between(20, 60)))
        self._outages(2, False, False)

    # The program

    def crash(self) -> None:
        for _ in range(self.dice.between(1, 5)):
            self._crash(1)

    def crash_storm(self) -> None:
        """Enough of them for restarts, sometimes for safe mode; somebody pulls the plug in the end, since safe mode leaves a backlog alone for a day."""
        node = self.node()
        for _ in range(self.dice.between(1, 4)):
            self._crash(self.dice.between(5, 7), node)
        self._reset(node, self.until_s, 0)

    def _crash(self, times: int, node: str = "") -> None:
        where = self.dice.pick(("measure", "_record", "talk", "_calm"))
        self.crashes.append(F.CrashTable(node=node or self.node(), at_s=self.moment(), where=where, times=times))  # type: ignore[arg-type]

    def update(self) -> None:
        node = self.node()
        for _ in range(self.dice.between(1, 3)):
            what = self.dice.pick(("good", "good", "good", "dying", "forged", "harmed", "unserved", "withdrawn"))
            self.updates.append(F.UpdateTable(node=node, at_s=self.moment(), what=what))  # type: ignore[arg-type]

    # People, and who pretends to be one

    def network_trial(self) -> None:
        for _ in range(self.dice.between(1, 2)):
            change = self.dice.pick(("broker.host nowhere.example", "broker.host nowhere.example", "broker.port 1884"))
            self.typed.append(F.TypedTable(node=self.node(), at_s=self.moment(), lines=[f"set {change}", "save"]))

    def reboot(self) -> None:
        for _ in range(self.dice.between(1, 4)):
            self._order("reboot")

    def orders_of_people(self) -> None:
        for _ in range(self.dice.between(2, 8)):
            self._order(self.dice.pick(F.GOOD_ORDERS))

    def orders_of_others(self) -> None:
        for _ in range(self.dice.between(2, 8)):
            self._order(self.dice.pick((*F.BAD_ORDERS, "status")))

    def _order(self, what: str) -> None:
        values = {}
        if what == "desired":
            values = self.dice.pick(({"level.off_delay": "180"}, {"report.interval": "900"}, {"battery.low": "11.2"}))
        elif what == "unusable":
            values = self.dice.pick(({"level.alert": "9"}, {"no.such": "1"}, {"level.off_delay": "soon"}))
        number = (
            self.dice.pick((60, 1800))
            if what == "shelve"
            else self.dice.between(1, 3)
            if what == "drill"
            else self.dice.below(9)
        )
        self.orders.append(
            F.OrderTable(node=self.node(), at_s=self.moment(), what=what, number=number, values=values)  # type: ignore[arg-type]
        )


KINDS: tuple[Callable[[Drawn], None], ...] = (
    Drawn.outage, Drawn.silent_outage, Drawn.forgetting_outage, Drawn.restart, Drawn.restore, Drawn.repeat, Drawn.reorder, Drawn.hold,
    Drawn.reset, Drawn.reset_storm, Drawn.write_cut, Drawn.no_network, Drawn.half_open, Drawn.late, Drawn.trickle, Drawn.certificate,
    Drawn.handshake, Drawn.lying_time, Drawn.silent_time, Drawn.clock_step, Drawn.sensor, Drawn.flash_error, Drawn.full_flash,
    Drawn.orders_of_people, Drawn.orders_of_others, Drawn.reboot, Drawn.crash, Drawn.crash_storm, Drawn.update, Drawn.network_trial,
)  # fmt: skip


def names() -> list[str]:
    return [kind.__name__ for kind in KINDS]


def draw(seed: int, only: Sequence[str] = ()) -> Scenario:
    """The scenario of a seed; `only`: with these kinds of fault and no others."""
    dice = Dice(seed)
    hours = 72 + dice.pick((0, 0, 0, 6, 24))
    tables = _stations(dice)
    nodes = [node for table in tables for node in table.nodes]
    drawn = Drawn(dice, nodes, hours * 3600 - QUIET_S)
    kinds = [kind for kind in KINDS if kind.__name__ in only] or dice.some(
        KINDS, dice.between(FEWEST_KINDS, MOST_KINDS)
    )
    for kind in kinds:
        kind(drawn)
    return Scenario(
        about="everything, drawn from the seed",
        name=NAME,
        seed=seed,
        start=datetime.datetime(2025, 6, 1, tzinfo=datetime.UTC) + datetime.timedelta(hours=dice.below(24 * 200)),
        hours=hours,
        stations=tables,
        commit_ms=dice.pick((30_000, 60_000, 120_000)),
        latency_ms=dice.pick((5, 20, 300)),
        drain_s=7200,
        faults=FaultsTable(
            bias_mm=2, heat_cc=60, spike_ppm=4000, no_echo_ppm=4000, bad_sum_ppm=2000, lost_byte_ppm=1000
        ),
        outages=sorted(drawn.outages, key=lambda one: one.from_s),
        spans=drawn.spans,
        resets=drawn.resets,
        tls=drawn.tls,
        links=drawn.links,
        packets=drawn.packets,
        clocks=list(drawn.clocks.values()),
        flash=drawn.flash,
        restores=drawn.restores,
        orders=drawn.orders,
        crashes=drawn.crashes,
        typed=drawn.typed,
        updates=drawn.updates,
        world=WorldTable(flood=_flood(dice, hours)),
        kinds=[kind.__name__ for kind in kinds],
    )


def _stations(dice: Dice) -> list[StationsTable]:
    """A river gauge always, sometimes another, or one for rain or air, or the largest."""
    which = dice.below(100)
    intervals = {
        "sample.interval": dice.pick((300, 600, 600)),
        "sample.alarm_interval": dice.pick((60, 120)),
        "report.interval": 600,
    }
    if dice.below(5) == 0:
        intervals["power.profile"] = 1
    if which < 2:
        intervals |= {"sample.interval": 1200, "report.interval": 1200, "sample.alarm_interval": 300}
        return [StationsTable(nodes=["river1"], station="weather_pole", series="flood", settings=intervals)]
    tables = [
        StationsTable(nodes=["river1", "river2"][: 1 + (which >= 85)], series="flood", settings=intervals, lag_s=[0])
    ]
    if which < 12:
        kind = "rain_gauge" if which < 8 else "air_station"
        settings = {"sample.interval": 1800, "report.interval": 1800, "sample.alarm_interval": 600}
        tables.append(StationsTable(nodes=["other1"], station=kind, settings=settings))
    return tables


def _flood(dice: Dice, hours: int) -> FloodTable:
    waves = []
    for _ in range(dice.between(2, 4)):
        rises, falls = dice.pick((900, 3600, 10_800)), dice.pick((3600, 7200))
        begin = dice.between(3600, hours * 3600 - rises - falls - 3600)
        waves.append([begin, rises, falls, dice.pick(_PEAKS_MM)])
    return FloodTable(base_mm=_BASE_MM, waves=waves)


def replay(seed: int, runtime: str = "host") -> str:
    """The one command that runs this seed again."""
    return f"waspada simulate {NAME} --seed {seed}" + (f" --runtime {runtime}" if runtime != "host" else "")


def with_faults(seed: int, kind: str) -> Scenario:
    return msgspec.structs.replace(draw(seed, [kind]), name=f"{NAME}:{kind}")
