"""Reads the results of `make chaos`, a line for each seed: every seed must have answered, with nothing lost and no alarm missed or false."""

import json
import sys

ZERO = ("lost", "duplicates_stored", "false_alarms", "missed_alarms")


def bad(answer: str) -> list[str]:
    """What is wrong with one run, in words."""
    try:
        result = json.loads(answer)
    except ValueError:
        return ["no answer"]
    if "error" in result:
        return [str(result["error"])]
    return [f"{key} is {result.get(key)}" for key in ZERO if result.get(key) != 0]


def main(path: str, seeds: int) -> int:
    """Each line is a seed, a space and what the run answered in JSON, if it did."""
    with open(path, encoding="utf-8") as lines:
        answers = {int(seed): answer for seed, _, answer in (line.partition(" ") for line in lines) if seed.strip()}
    wrong = {seed: bad(answers.get(seed, "")) for seed in range(1, seeds + 1)}
    for seed, reasons in wrong.items():
        for why in reasons:
            print(f"seed {seed}: {why}  (again: waspada simulate chaos --seed {seed})")
    clean = sum(not reasons for reasons in wrong.values())
    print(f"{clean} of {seeds} seeds clean")
    return 0 if clean == seeds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
