"""A year of eight panels, told apart by the station's own code: `python -m simulator.pv_year --seeds 50`.

Panels 1 and 2 get dirty in both dry spells: rain ends the first, a person the second. Panel 3 wears, 4 loses a third
to a bypass diode, 5 stands in a shadow each morning, 6 to 8 stay clean. The station is told the rain, not the washing.
"""

import argparse
import json
import sys
from collections import Counter
from typing import Any, NamedTuple

from node.core.diagnosis import CLEAN, DETERIORATED, DIRTY, FAULTY, SHADED, UNKNOWN, Field
from node.core.quantities import DIAGNOSIS, POINTS
from simulator import noise
from simulator.errors import InputError
from simulator.world.panels import Fate, Year, year
from simulator.world.rain import storms
from simulator.world.sun import KASHIWA, Sky, clear_sky

NAME = "pv_year"
DAYS = 365
PEAK_MW = 300_000
WORDS: tuple[str, ...] = POINTS[DIAGNOSIS][5] or ()
LEARNING_DAYS = 60  # until then "unknown" is an honest word
ROWS = ("dirty, rain ends it", "dirty, washed", "deteriorated", "faulty", "shaded", "clean")


class Case(NamedTuple):
    """What a panel is asked: its word at the end of `day` must be `right`."""

    row: str
    panel: int
    day: int
    right: int


def between(seed: int, what: str, low: int, high: int) -> int:
    return low + noise.below(noise.draw(noise.key(seed, NAME, what), 0), high - low + 1)


def fates_of(seed: int) -> tuple[list[Fate], tuple[tuple[int, int], ...], list[Case]]:
    """The eight panels of a seed, its dry spells, and what is asked."""
    first = between(seed, "first spell", 40, 70)
    second = between(seed, "second spell", 200, 240)
    spells = ((first, first + between(seed, "first", 45, 75)), (second, second + between(seed, "second", 45, 75)))
    fates = []
    for panel in range(2):
        dust = tuple((begin, end, between(seed, f"dust{panel}{begin}", 120, 250) / 1e5) for begin, end in spells)
        fates.append(Fate(dust=dust, washed=(spells[1][1],)))
    fates.append(Fate(wear_year=between(seed, "wear", 70, 120) / 1000))
    fates.append(Fate(fault_day=between(seed, "fault", 60, 300)))
    fates.append(Fate(shade=(between(seed, "shade", 30, 120), 420, 540)))
    fates += [Fate()] * 3
    cases = [Case(ROWS[k], panel, spells[k][1], DIRTY) for panel in range(2) for k in range(2)]
    cases += [Case(ROWS[2 + k], 2 + k, DAYS - 1, word) for k, word in enumerate((DETERIORATED, FAULTY, SHADED))]
    cases += [Case(ROWS[5], panel, DAYS - 1, CLEAN) for panel in (0, 1, 5, 6, 7)]
    return fates, spells, cases


def diagnose(made: Year, field: Field) -> list[list[int]]:
    """The station's word for each panel on each day."""
    words: list[list[int]] = [[] for _ in made.truth]
    minute, irradiance, module_cc = made.minute.tolist(), made.irradiance.tolist(), made.module_cc.tolist()
    powers = made.power_mw.tolist()
    per_day = len(minute[0])
    for day in range(len(minute)):
        rows = list(zip(*[power[day] for power in powers], strict=True))
        for step in range(per_day):
            t_s = (day * per_day + step) * made.step_s
            field.sample(irradiance[day][step], module_cc[day][step], t_s, minute[day][step], rows[step])
        field.end_day(day, made.rain_um[day])
        for panel, history in enumerate(field.histories):
            words[panel].append(history.word)
    return words


def run(seed: int, sky: Sky) -> dict[str, Any]:
    """Of one seed: the confusion (row, word told), and the words that were never true of a panel."""
    fates, spells, cases = fates_of(seed)
    made = year(seed, NAME, sky, fates, storms(seed, NAME, DAYS, dry=spells), PEAK_MW)
    field = Field([PEAK_MW] * len(fates))
    words = diagnose(made, field)
    invented: Counter[str] = Counter()
    for panel, told in enumerate(words):
        true = {CLEAN, *made.truth[panel]}
        if true != {CLEAN}:
            true.add(UNKNOWN)  # in doubt between dirt and wear, until something has washed it
        for day, word in enumerate(told):
            if word not in true and not (word == UNKNOWN and day < LEARNING_DAYS):
                invented[WORDS[word]] += 1
    late = [_first(words[p], w) - _first(made.truth[p], w) for p, w in ((2, DETERIORATED), (3, FAULTY), (4, SHADED))]
    return {
        "seed": seed,
        "told": [(case.row, WORDS[words[case.panel][case.day]]) for case in cases],
        "wrong": [case for case in cases if words[case.panel][case.day] != case.right],
        "invented": dict(invented),
        "days_late": late,
    }


def _first(words: list[int], word: int) -> int:
    return words.index(word) if word in words else len(words)


def table(results: list[dict[str, Any]]) -> str:
    counts = Counter(told for result in results for told in result["told"])
    lines = [f"{'':21}" + "".join(f"{word:>14}" for word in WORDS)]
    for row in ROWS:
        lines.append(f"{row:21}" + "".join(f"{counts[row, word] or '.':>14}" for word in WORDS))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m simulator.pv_year", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50, help="how many years, seeds 1, 2, ... (default 50)")
    parser.add_argument("--json", action="store_true", help="the numbers as one line of JSON at the end")
    chosen = parser.parse_args(arguments)
    try:
        sky = clear_sky(KASHIWA, days=DAYS)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    results = [run(seed, sky) for seed in range(1, chosen.seeds + 1)]
    asked = sum(len(result["told"]) for result in results)
    wrong = sum(len(result["wrong"]) for result in results)
    invented: Counter[str] = Counter()
    for result in results:
        invented.update(result["invented"])
    print(table(results))
    print(
        f"{asked - wrong} of {asked} right over {chosen.seeds} seeds; panel-days with a word that was never true: {dict(invented)}"
    )
    for i, name in enumerate(("deteriorated", "faulty", "shaded")):
        days = sorted(result["days_late"][i] for result in results)
        print(f"{name}: told {days[len(days) // 2]} days after it could be seen (median; {days[0]} to {days[-1]})")
    if chosen.json:
        print(json.dumps({"seeds": chosen.seeds, "asked": asked, "wrong": wrong, "invented": dict(invented)}))
    return 1 if wrong or invented else 0


if __name__ == "__main__":
    sys.exit(main())
