"""The fuzzers' checks still run and hold on their seeds; the fuzzing itself is done by hand."""

import pytest

from tests.fuzz import fuzz_console, fuzz_ingest, fuzz_orders, fuzz_ranger

SEEDS = [
    (fuzzer, i) for fuzzer in (fuzz_console, fuzz_ingest, fuzz_orders, fuzz_ranger) for i in range(len(fuzzer.SEEDS))
]


@pytest.mark.parametrize(("fuzzer", "i"), SEEDS, ids=lambda value: getattr(value, "__name__", value))
def test_what_must_hold_holds_on_every_seed(fuzzer, i):
    fuzzer.check(fuzzer.SEEDS[i])
