"""Runs rdtools over the two series and writes rdtools.json beside this file: what `tests/oracle/test_rdtools.py` compares with.

By hand, in an environment of its own: pip install rdtools==3.2.1; python -m tests.golden.make_rdtools
"""

import json
import random
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy
import pandas
from rdtools import degradation_year_on_year
from rdtools.soiling import soiling_srr

from tests.golden.pv_series import soiling_series, wear_series


def daily(values: list[int], scale: float) -> pandas.Series:
    index = pandas.date_range("2022-01-01", periods=len(values), freq="D", tz="UTC")
    return pandas.Series([value * scale for value in values], index=index)


def main() -> None:
    warnings.simplefilter("ignore")
    random.seed(1)
    numpy.random.seed(1)
    output, rain = soiling_series()
    energy = daily(output, 1e-4)
    ratio, interval, found = soiling_srr(
        energy, daily([5] * len(output), 1.0), reps=1000, precipitation_daily=daily(rain, 1e-3)
    )
    spells = found["soiling_interval_summary"]
    valid = spells[spells["valid"]]
    wear, wear_interval, _ = degradation_year_on_year(daily(wear_series()[0], 1e-4))
    result = {
        "made_with": {name: version(name) for name in ("rdtools", "pandas", "numpy", "scipy")},
        "made_by": "python -m tests.golden.make_rdtools",
        "soiling_srr": {
            "ratio": round(float(ratio), 4),
            "ratio_68": [round(float(end), 4) for end in interval],
            "spells": [
                {
                    "from_day": (row["start"] - energy.index[0]).days,
                    "to_day": (row["end"] - energy.index[0]).days,
                    "ppm_day": round(-1e6 * float(row["soiling_rate"])),
                }
                for _, row in valid.iterrows()
            ],
        },
        "degradation_year_on_year": {
            "percent_year": round(float(wear), 3),
            "percent_year_68": [round(float(end), 3) for end in wear_interval],
        },
    }
    path = Path(__file__).parent / "rdtools.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(path.read_text())


if __name__ == "__main__":
    main()
