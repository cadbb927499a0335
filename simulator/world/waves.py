"""Sine without floats, so that every machine draws the same tide and the same day."""

TURN = 1_000_000  # phases are in millionths of a turn
_PI_9 = 3_141_592_654  # pi in 10**-9


def sine_ppm(phase: int) -> int:
    """Sine in millionths: its series in 10**-9 within a quarter turn, right to 1 ppm."""
    phase %= TURN
    sign = 1
    if phase >= TURN // 2:
        phase -= TURN // 2
        sign = -1
    if phase > TURN // 4:
        phase = TURN // 2 - phase
    x = 2 * _PI_9 * phase // TURN
    square = x * x // 10**9
    term = total = x
    for n in (6, 20, 42, 72, 110):
        term = -term * square // (n * 10**9)
        total += term
    return sign * ((total + 500) // 1000)
