"""Deep sleep is invisible: a river lived through asleep between the samples is told, sounded and kept as by a station that is always on."""

import itertools
import json
from collections.abc import Callable

import msgspec
import pytest

from gateway.ingest import Ingest
from gateway.store import SqliteStore
from hardware.parts import parts as hardware_parts
from node import parts
from node.core.alarm import LevelAlarm
from simulator import energy, fleet, rain_asleep, scenario
from simulator.adapters.buses import Pulses
from simulator.adapters.power import BLIND_MS, Power
from simulator.agenda import Moment
from simulator.run import HEAP, simulate
from simulator.runtimes.host import HostBody
from simulator.runtimes.vm import VMBody

START_H, HOURS = 16, 9  # of a flood's day: six calm hours, then the rise
ASLEEP = {"power.profile": 1, "sample.interval": 300, "report.interval": 900, "radio.interval": 3600, "rise.limit": 0}


def river(**settings: int) -> scenario.Scenario:
    whole = scenario.load("first_light")
    table = whole.stations[0]
    table = msgspec.structs.replace(
        table, nodes=table.nodes[:2], scale_milli=[1000, 910], lag_s=[0, 600], settings={**table.settings, **ASLEEP, **settings}
    )  # fmt: skip
    series = {
        name: msgspec.structs.replace(row, starts=row.starts.replace(hour=START_H))
        for name, row in whole.series.items()
    }
    start = whole.start.replace(hour=START_H)
    return msgspec.structs.replace(whole, hours=HOURS, start=start, series=series, stations=[table], outages=[])


class Lived:
    """One run: what was kept on flash, switched and published."""

    def __init__(
        self,
        chosen: scenario.Scenario,
        runtime: str = "host",
        change: Callable[[fleet.District], object] = lambda _: None,
    ) -> None:
        lines: list[bytes] = []
        store = SqliteStore(":memory:")
        bodies: list = []

        def body(node: str) -> HostBody | VMBody:
            bodies.append(HostBody() if runtime == "host" else VMBody(node, HEAP))
            return bodies[-1]

        try:
            self.district = fleet.District(chosen, 11, fleet.places(chosen, 11), body, Ingest(store), lines.append)
            change(self.district)
            self.district.run()
            self.stored = store.rows("SELECT COUNT(*) FROM records")[0][0]
        finally:
            for one in bodies:
                if runtime == "vm":
                    one.close()
            store.close()
        said = [json.loads(line) for data in lines for line in data.splitlines()]
        self.sha256 = self.district.trace.sha256()
        self.kept = [(row["node"], row["file"], row["t"], row["data"]) for row in said if row["kind"] == "append"]
        self.switched = [(row["node"], row["name"], row["t"], row["on"]) for row in said if row["kind"] == "output"]
        self.said = [
            (row["t"], row["node"], row["topic"].rsplit("/", 1)[1], json.loads(row["payload"]))
            for row in said
            if row["kind"] == "publish"
        ]
        self.wakes = [station.power.wakes for station in self.district.stations]

    def told(self) -> dict:
        """Every record that was sent, by its key."""
        return {
            (node, name, pack[0]["boot"], pack[0]["seq"]): pack
            for _, node, name, pack in self.said
            if name in ("readings", "event")
        }

    def states(self) -> list[tuple[int, str]]:
        return [(t, pack[0]["vs"]) for t, _, name, pack in self.said if name == "status"]


def seen(lived: Lived) -> tuple:
    return lived.kept, lived.switched


DELAYS = [{}, {"level.on_delay": 900, "sample.alarm_interval": 300}, {"rise.limit": 200, "rise.window": 900}]


@pytest.mark.parametrize("settings", DELAYS)
def test_asleep_or_awake_the_same_levels_the_same_alarms_the_same_siren_to_the_millisecond(settings: dict) -> None:
    awake, asleep = Lived(river(**{**settings, "power.profile": 0})), Lived(river(**settings))
    assert awake.wakes == [0, 0]
    assert min(asleep.wakes) > 20
    assert asleep.switched == awake.switched
    assert asleep.kept == awake.kept
    assert any(on for _, name, _, on in awake.switched if name == "siren")


@pytest.mark.vm
def test_sleep_leaves_the_same_trace_in_the_real_vm() -> None:
    host, vm = Lived(river()), Lived(river(), "vm")
    assert vm.wakes == host.wakes
    assert seen(vm) == seen(host)
    assert vm.sha256 == host.sha256


LEFT_OUT = {
    "the alarm's delay": ("_ALARM", ("_since_usable_ms", "state")),
    "the sample before": ("_QUALITY", ("_value_1", "_newest")),
}


@pytest.mark.parametrize("what", sorted(LEFT_OUT))
def test_a_sleep_that_forgets_is_found_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, names = LEFT_OUT[what]
    settings = DELAYS[1]
    awake = Lived(river(**{**settings, "power.profile": 0}))
    monkeypatch.setattr(parts, table, tuple(name for name in getattr(parts, table) if name not in names))
    if table == "_ALARM":
        walk = parts._walk_alarm

        def forgetful(alarm: LevelAlarm, v: object) -> None:  # the time above the line goes
            held = list(alarm._held_ms)
            walk(alarm, v)
            if isinstance(v, parts.Taking):
                for i in range(3):
                    alarm._held_ms[i] = 0 if alarm._held_ms[i] > 0 else held[i]

        monkeypatch.setattr(parts, "_walk_alarm", forgetful)
    assert seen(Lived(river(**settings))) != seen(awake)


def test_calm_the_radio_comes_by_the_hour_says_until_when_and_leaves_in_order() -> None:
    lived = Lived(river(**{"level.alert": 9000, "level.warning": 9500, "level.danger": 9900}))
    states = lived.states()
    assert {state for _, state in states} == {"online", "sleeping"}  # no last will: nobody called it unreachable
    sleeping = [
        (t, pack)
        for t, node, name, pack in lived.said
        if name == "status" and pack[0]["vs"] == "sleeping" and node == "dr01"
    ]
    assert HOURS <= len(sleeping) <= HOURS + 3
    begins = lived.district.scenario.starts_unix_ms
    for (_, pack), (later, _) in itertools.pairwise(sleeping[2:]):
        wake = next(point["v"] for point in pack if point["n"] == "wake")
        assert abs(begins + later - wake * 1000) <= 300_000  # with the nearest sample
    assert lived.stored == len(lived.told())


def test_an_alarm_is_told_at_once() -> None:
    lived = Lived(river())
    alarms = [(t, pack) for t, _, name, pack in lived.said if name == "event" and pack[0]["n"] == "alarm"]
    assert alarms
    for t, pack in alarms:
        assert 0 <= t - (pack[0]["bt"] * 1000 - lived.district.scenario.starts_unix_ms) < 2000


def test_a_broker_that_is_away_costs_half_a_minute_now_and_then_and_no_record() -> None:
    calm = river(**{"level.alert": 9000, "level.warning": 9500, "level.danger": 9900})
    away = msgspec.structs.replace(calm, outages=[scenario.OutageTable(from_s=3600, for_s=2 * 3600)])
    meters: list[energy.Meter] = []
    lived = Lived(away, change=lambda district: meters.extend(energy.Meter(one) for one in district.stations))
    use = meters[0].use(away.span_ms)
    assert use.radio_ms < 120_000
    assert use.asleep_ms > 0.93 * away.span_ms
    made = lived.district.notes.made
    for (node, stream, boot), count in made.items():
        told = sorted(seq for at, name, of, seq in lived.told() if (at, name, of) == (node, stream, boot))
        assert told == list(range(1, len(told) + 1))
        assert count - len(told) <= 4  # of the newest hour: they wait for the next time of the radio


@pytest.mark.parametrize(("boot_ms", "late_most_ms"), [(300, 0), (2500, 1500)])
def test_a_board_that_boots_otherwise_samples_late_once(boot_ms: int, late_most_ms: int) -> None:
    def change(district: fleet.District) -> None:
        for station in district.stations:
            station.power.boot_ms = boot_ms

    awake, asleep = Lived(river(**{"power.profile": 0})), Lived(river(), change=change)
    late = [b[2] - a[2] for a, b in zip(awake.kept, asleep.kept, strict=True)]
    assert len([ms for ms in late if ms]) <= 2 * (late_most_ms > 0) * len(asleep.wakes)
    assert max(late) <= late_most_ms


def test_a_sleep_clock_that_is_five_per_cent_slow_costs_no_alarm_and_is_put_right_by_the_hour() -> None:
    def change(district: fleet.District) -> None:
        for station in district.stations:
            station.power.drift_ppm = 50_000

    true, lived = Lived(river()), Lived(river(), change=change)
    alarms = {
        len([1 for _, _, name, pack in one.said if name == "event" and pack[0]["n"] == "alarm"])
        for one in (true, lived)
    }
    assert len(alarms) == 1
    begins = lived.district.scenario.starts_unix_ms
    dated = [(at, data) for node, file, at, data in lived.kept if file.startswith("readings") and node == "dr01"]
    assert len(dated) > 50
    off = [
        abs(pack[0]["bt"] * 1000 - begins - t)
        for t, node, name, pack in lived.said
        if name == "event" and pack[0]["n"] == "alarm"
    ]
    assert max(off) < 200_000  # 5 % of an hour and a little
    assert not any(pack[0]["n"] == "time_doubted" for _, _, name, pack in lived.said if name == "event")


# Energy


@pytest.mark.parametrize("reports", sorted(energy.PUBLISHED))
def test_the_model_gives_back_what_others_published(reports: int) -> None:
    assert energy.published_mah(reports) == pytest.approx(energy.PUBLISHED[reports], rel=0.03)


def test_every_current_says_where_it_is_from() -> None:
    assert all(len(source) > 20 for source in energy.SOURCES.values())


def test_a_day_adds_up() -> None:
    use = energy.calm_day(900)
    assert (use.wakes, use.sessions, use.span_ms) == (96, 24, 86_400_000)
    shares = energy.shares_mah(use, energy.Currents())
    assert shares["sleep"] == pytest.approx(1.2, rel=0.01)
    assert shares["connect"] == pytest.approx(2.0)
    assert 5.5 < sum(shares.values()) < 6.5  # the goal of 4 is missed, and says so
    hourly = sum(
        energy.shares_mah(energy.calm_day(3600), energy.CASES["low-power board, known access point"][1]).values()
    )
    assert hourly <= energy.GOAL_MAH


def test_a_development_board_is_never_said_to_reach_the_goal() -> None:
    rows = [row for row in energy.figures((3600,))["rows"] if row["case"] == "development board"]
    assert [row["goal_met"] for row in rows] == [False]
    assert rows[0]["shares"]["sleep"] == pytest.approx(3.8 * 24, rel=0.01)
    assert all(case.startswith(("low-power board", "development board")) for case in energy.CASES), (
        "each says whose figure it is"
    )


def test_the_battery_feeds_the_stations_own_divider_and_a_linear_regulator() -> None:
    divider = hardware_parts("circuits")["divider_470k_100k"]
    assert energy.Currents().divider_ma == pytest.approx(12.8 / (divider["top_ohm"] + divider["bottom_ohm"]) * 1000)
    idle = energy.battery_mah(0)
    assert idle == pytest.approx(24 * (12.8 / 570 + 1.2))
    # 100 mAh at 3.3 V are 100 mAh at 5 V, 500 mWh, and the converter's losses: not 330 mWh.
    assert energy.battery_mah(100) - idle == pytest.approx(500 / 0.85 / 12.8)
    assert energy.battery_mah(0, straight_mah=7) - idle == pytest.approx(7)


def test_a_station_with_a_file_is_priced_with_its_own_board_and_parts() -> None:
    gauge = fleet.described("river_gauge")
    assert gauge
    prices = energy.prices_of(gauge)
    assert prices.currents.sleep_ma == gauge.board["asleep_ua"] / 1000 > 1
    assert prices.draws == (energy.Draw(0, 8.0, 0.0),), "its ranger is switched"
    assert energy.prices_of(None) == energy.Prices()


def test_figures_have_all_that_the_bench_prints() -> None:
    found = energy.figures((900,))
    assert [row["goal_met"] for row in found["rows"]] == [False] * len(energy.CASES)
    assert json.loads(json.dumps(found)) == found
    assert found["siren_reserve_mah"]["1 h"] == round(1000 / 3 + 200)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_tells_what_each_station_that_sleeps_takes_a_day(jobs: int) -> None:
    found = simulate(river(), jobs=jobs)["kpi"]["mah_per_day"]
    assert list(found) == ["dr01", "dr02"]
    assert all(
        600 < mah < 24 * energy.Currents().radio_ma for mah in found.values()
    )  # the calm hours asleep, the flood awake
    calm = {"level.alert": 9000, "level.warning": 9500, "level.danger": 9900}
    assert all(10 < mah < 0.02 * found[node] for node, mah in simulate(river(**calm))["kpi"]["mah_per_day"].items())
    assert "mah_per_day" not in simulate(river(**{"power.profile": 0}))["kpi"]


# Rain


class Tips:
    """A contact that closes at these times."""

    def __init__(self, *times: int) -> None:
        self.times = times

    def edges(self, after_ms: int, until_ms: int) -> list[int]:
        return [at for at in self.times if after_ms < at <= until_ms]


# closings, and how many of them a sleep of 10 s with a boot from 9 s on counts
SLEEPS = [
    ((5000,), 1),
    ((5000, 5008, 5015), 1),  # it bounces
    ((5000, 5150), 1),  # a second one while nothing counts
    ((5000, 5250), 2),  # still closed when the pin is read
    ((5000, 5400), 2),  # behind the boot it wakes, or is counted
    ((9100,), 0),  # in the blind part of the timer's boot
    ((9250,), 1),
    ((9301,), 1),  # the rest of the boot counts by interrupt
    ((8900, 9150), 1),
    ((1000, 2000, 3000), 3),
]


@pytest.mark.parametrize(("closings", "counted"), SLEEPS)
def test_a_tip_in_a_sleep_is_counted_by_what_can_see_it(closings: tuple[int, ...], counted: int) -> None:
    moment = Moment()
    pulses = Pulses(moment, Tips(*closings))
    moment.t = 10_000
    pulses.slept(9000, 10_000, BLIND_MS)
    assert pulses.count() == counted


def test_what_sleep_loses_of_heavy_rain_is_less_than_half_a_percent_and_an_always_on_gauge_loses_nothing() -> None:
    for mm_h in rain_asleep.RATES_MM_H:
        found = rain_asleep.through(mm_h, 60)
        assert found.always_on == found.tips
        assert 0 < found.loss_percent < 0.5
    worse = rain_asleep.through(300, 60, blind_ms=1000)
    assert worse.loss_percent > 1  # with nothing that counts before the station's modules are loaded


def test_memory_goes_with_the_power_and_stays_in_any_other_reset() -> None:
    power = Power(Moment())
    power.keep(b"state")
    power.restart("watchdog")
    assert (power.cause(), power.memory()) == ("watchdog", b"state")
    power.restart()
    assert (power.cause(), power.memory()) == ("power", b"")
    with pytest.raises(ValueError, match="1900"):
        power.keep(bytes(1901))
