"""Reads the results of `make chaos`: every seed must have answered, with nothing lost and no alarm missed or false."""

import json
import sys

ZERO = ("lost", "duplicates_stored", "false_alarms", "missed_alarms")


def bad(result: dict[str, object]) -> list[str]:
    """What is wrong with one run, in words."""
    if "error" in result:
        return [str(result["error"])]
    return [f"{key} is {result.get(key)}" for key in ZERO if result.get(key) != 0]


def main(path: str, seeds: int) -> int:
    with open(path, encoding="utf-8") as lines:
        results = [json.loads(line) for line in lines if line.strip()]
    wrong = [(result.get("seed"), why) for result in results for why in bad(result)]
    for seed, why in sorted(wrong, key=str):
        print(f"seed {seed}: {why}  (again: waspada simulate chaos --seed {seed})")
    if len(results) != seeds:
        print(f"{seeds - len(results)} of {seeds} runs gave no answer")
    print(f"{seeds - len({seed for seed, _ in wrong})} of {seeds} seeds clean")
    return 1 if wrong or len(results) != seeds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
