"""Noise is a function of seed, names and counter, and looks like what it says."""

import random

from simulator import noise

DRAWS = 20_000


def test_noise_does_not_depend_on_the_order_of_asking():
    key = noise.key(7, "dr01", "range")
    forward = [noise.draw(key, n) for n in range(100)]
    order = list(range(100))
    random.Random(1).shuffle(order)
    assert {n: noise.draw(key, n) for n in order} == dict(enumerate(forward))


def test_splitmix64_gives_its_published_numbers():
    # seed 1234567, first outputs of the reference C code (as listed at rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64)
    published = (
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    )
    assert tuple(noise.draw(1234567, n) for n in range(1, 6)) == published


def test_other_seed_node_or_purpose_gives_other_noise():
    keys = [noise.key(s, node, what) for s in (1, 2) for node in ("dr01", "dr02", "dr011") for what in ("range", "adc")]
    assert len(set(keys)) == len(keys)
    assert noise.key(1, "ab", "c") != noise.key(1, "a", "bc")


def test_draws_are_even_and_bells_are_round():
    key = noise.key(3, "dr01", "range")
    tenths = [0] * 10
    bells = []
    for n in range(DRAWS):
        bits = noise.draw(key, n)
        tenths[noise.below(bits, 10)] += 1
        bells.append(noise.bell(bits))
    assert all(abs(count - DRAWS / 10) < 5 * (DRAWS * 0.09) ** 0.5 for count in tenths)
    mean = sum(bells) / DRAWS
    deviation = (sum((b - mean) ** 2 for b in bells) / DRAWS) ** 0.5
    assert abs(mean) < 5 * noise.BELL_SD / DRAWS**0.5
    assert abs(deviation - noise.BELL_SD) < 3
    within = sum(abs(b) < noise.BELL_SD for b in bells) / DRAWS
    assert 0.65 < within < 0.71  # 0.683 in a normal distribution
