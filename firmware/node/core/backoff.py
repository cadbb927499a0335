"""How long to wait before the next attempt: doubling to a bound, spread by a random number that is passed in."""

FIRST_MS = 1000
MOST_MS = 120000


def delay_ms(attempt, random_16):
    """Wait before attempt number `attempt` (0 is the first retry): half of the doubled time and a random part of the other half.

    `random_16` is 0 to 65535. A thousand stations that lost one broker together do not come back in one second.
    """
    whole = FIRST_MS << attempt if attempt < 7 else MOST_MS
    half = (whole if whole < MOST_MS else MOST_MS) >> 1
    return half + (half * random_16 >> 16)
