"""How long to wait before the next attempt: doubling to a bound, spread by a random number that is passed in."""

FIRST_MS = 1000
MOST_MS = 120000
RETURN_MS = 60000


def delay_ms(attempt, random_16):
    """Wait before attempt number `attempt` (0 is the first retry): half of the doubled time and a random part of the other half.

    `random_16` is 0 to 65535. A thousand stations that lost one broker together do not come back in one second.
    """
    whole = FIRST_MS << attempt if attempt < 7 else MOST_MS
    half = (whole if whole < MOST_MS else MOST_MS) >> 1
    return half + (half * random_16 >> 16)


def return_ms(random_16):
    """Wait before the first attempt after a connection that was good: anything up to a minute.

    A broker that restarts lets go of all its stations at once, and the first of the waits above would bring a thousand of them back within half a second.
    """
    return RETURN_MS * (random_16 >> 2) >> 14
