from hypothesis import given
from hypothesis import strategies as st

from node.drivers.battery import Battery

# microvolts at the pin, ratio in thousandths, millivolts of the battery
CASES = [
    (0, 5700, 0),
    (2_210_526, 5700, 12_599),
    (3_300_000, 5700, 18_810),
    (3_300_000, 1000, 3300),
    (2_000_000, 2000, 4000),
]


class Pin:
    def __init__(self, uv):
        self.uv = uv

    def read_uv(self):
        return self.uv


def test_every_case_gives_its_millivolts():
    for uv, ratio, mv in CASES:
        assert Battery(Pin(uv), ratio).read_mv() == mv


@given(st.integers(0, 3_300_000), st.integers(1000, 12_000))
def test_within_a_millivolt_of_the_fraction_and_inside_the_small_ints(uv, ratio):
    mv = Battery(Pin(uv), ratio).read_mv()
    assert 0 <= uv * ratio / 1_000_000 - mv < 2.2
    assert uv // 100 * ratio < 1 << 30
