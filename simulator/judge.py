"""Whether the stations were right, judged by the truth alone: plain Python on the series, nothing of the firmware's own logic.

A series is a level, or any other quantity that a station watches (`simulator.watched`), in the quantity's own integers.

The words are the design's. truth: the noiseless series, straight between points. crossing: the first truth sample at or above a level from below,
armed again below level minus deadband. false alarm: a raise while the truth stays more than 20 mm (another quantity: its margin) below the level for
two samples either side. Told late: what flash could not take (`unwritten`) is told when it can, often when the water is down; such a raise is false if
the water made it at no time since flash failed in which the strobe was lit without a break. missed: a crossing that goes 20 mm above the level for
longer than on_delay plus two samples, and no raise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulator.notes import STATES, Said
from simulator.world.river import River


@dataclass(frozen=True, slots=True)
class Rules:
    """What a station was meant to do."""

    levels: tuple[int, int, int]
    deadband: int
    sample_ms: int  # the longest time between two samples
    on_delay_ms: int
    boots_ms: int = 0
    siren_from: int = 1
    key: str = "level"
    margin: int = 20


@dataclass(frozen=True, slots=True)
class Crossing:
    level: int  # 1 alert, 2 warning, 3 danger
    t_ms: int
    clear_of_doubt: bool  # it went so far above for long enough that no raise is a miss


@dataclass(frozen=True, slots=True)
class Answered:
    crossing: Crossing
    raised_ms: int | None
    siren_ms: int | None  # None: no siren for this level, or told late and nobody knows since when


@dataclass(frozen=True, slots=True)
class Verdict:
    answered: tuple[Answered, ...]
    false_alarms: tuple[Said, ...]
    missed: tuple[Crossing, ...]


def crossings(river: River, rules: Rules, until_ms: int, step_ms: int = 1000) -> Iterator[Crossing]:
    """Every crossing of every level from the station's first sample on; the truth is sampled each `step_ms`."""
    for level, line in enumerate(rules.levels, 1):
        armed = True
        t = rules.boots_ms
        while t <= until_ms:
            mm = river.at(t)
            corner = river.corner_after(t)
            there = river.at(corner)
            if (armed and mm < line and there < line) or (not armed and mm >= line - rules.deadband <= there):
                t += max(1, (corner - t) // step_ms) * step_ms  # nothing can happen on this straight piece
                continue
            if armed and mm >= line:
                armed = False
                yield Crossing(level, t, _clear_of_doubt(river, line, t, rules, until_ms, step_ms))
            elif not armed and mm < line - rules.deadband:
                armed = True
            t += step_ms


def _clear_of_doubt(river: River, line: int, t: int, rules: Rules, until_ms: int, step_ms: int) -> bool:
    need = rules.on_delay_ms + 2 * rules.sample_ms
    above = 0
    while t <= until_ms:
        mm = river.at(t)
        if mm >= line + rules.margin:
            above += step_ms
            if above > need:
                return True
        else:
            above = 0
            if mm < line - rules.deadband:
                return False
        t += step_ms
    return False


def is_false(river: River, rules: Rules, said: Said, since_ms: int | None = None) -> bool:
    """A raise with the truth well below the level for two samples either side; `since_ms`: from when on it may have been made."""
    line = rules.levels[said.after - 1]
    reach = 2 * rules.sample_ms
    begin = (said.t_ms if since_ms is None else since_ms) - reach
    return all(river.at(t) < line - rules.margin for t in range(begin, said.t_ms + reach + 1, 1000))


def judge(
    river: River,
    rules: Rules,
    alarms: Sequence[Said],
    sirens: Sequence[tuple[int, int]],
    until_ms: int,
    unwritten: Sequence[tuple[int, int]] = (),
    strobes: Sequence[tuple[int, int]] = (),
) -> Verdict:
    """`unwritten`: from, until; flash took nothing then, so a raise within was told after it, with the time of the telling."""
    alarms = sorted((said for said in alarms if said.t_ms <= until_ms), key=lambda said: said.t_ms)
    raises = [said for said in alarms if said.after > said.before and said.key == rules.key]
    answered = []
    missed = []
    found = list(crossings(river, rules, until_ms))
    for crossing in found:
        next_ms = min(
            (c.t_ms for c in found if c.level == crossing.level and c.t_ms > crossing.t_ms), default=until_ms + 1
        )
        raised = _raised(alarms, crossing, next_ms, rules)
        if raised is not None:
            since = _since(raised, rules, unwritten, strobes)
            known = since == raised or raised <= crossing.t_ms
            if not known and since >= crossing.t_ms and (since, 1) in strobes:
                raised, known = since, True  # the strobe came on with it
            heard = known and crossing.level >= rules.siren_from
            answered.append(Answered(crossing, raised, _sounded(sirens, raised) if heard else None))
        elif crossing.clear_of_doubt:
            missed.append(crossing)
    false = (said for said in raises if is_false(river, rules, said, _since(said.t_ms, rules, unwritten, strobes)))
    return Verdict(tuple(answered), tuple(false), tuple(missed))


def _since(told_ms: int, rules: Rules, unwritten: Sequence[tuple[int, int]], strobes: Sequence[tuple[int, int]]) -> int:
    """From when on a raise told then may have been made: since flash failed, but no longer than the strobe has been lit."""
    lit_ms = None
    for t_ms, on in strobes:
        if t_ms > told_ms:
            break
        lit_ms = (t_ms if lit_ms is None else lit_ms) if on else None
    if lit_ms is None:
        return told_ms
    failed_ms = told_ms
    for begin, end in sorted(unwritten, reverse=True):
        if begin <= failed_ms <= end + 2 * rules.sample_ms:
            failed_ms = begin
    return max(failed_ms, lit_ms)


def _raised(alarms: Sequence[Said], crossing: Crossing, before_ms: int, rules: Rules) -> int | None:
    """When the station's state reached the level for this crossing, whichever of its quantities made it.

    A sensor a few mm high may be early by some samples: then the state was there already."""
    since = None
    for said in alarms:
        if said.t_ms >= before_ms:
            break
        if said.t_ms > crossing.t_ms and since is not None:
            break
        if said.after >= crossing.level:
            since = said.t_ms if since is None else since
        else:
            since = None
    return since


def _sounded(sirens: Sequence[tuple[int, int]], raised_ms: int) -> int | None:
    """From when the siren was heard for a raise: at once if it was sounding, else when it next came on."""
    on = 0
    for t_ms, now_on in sirens:
        if t_ms >= raised_ms:
            return raised_ms if on else (t_ms if now_on else _sounded_later(sirens, t_ms))
        on = now_on
    return raised_ms if on else None


def _sounded_later(sirens: Sequence[tuple[int, int]], after_ms: int) -> int | None:
    return next((t_ms for t_ms, on in sirens if on and t_ms > after_ms), None)


def spread(values: Sequence[int]) -> dict[str, int]:
    """count, median, 95th percentile and worst of delays in ms."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    last = len(ordered) - 1
    return {"count": len(ordered), "median": ordered[last // 2], "p95": ordered[last * 95 // 100], "worst": ordered[-1]}


def state_name(level: int) -> str:
    return STATES[level]
