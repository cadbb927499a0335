"""Two daily series of one panel, from integers alone: what rdtools judged once, and what the station judges in the tests."""

from simulator import noise

SOILING_DAYS = 730
SOILING_PPM_DAY = (900, 1400, 2100, 1700)  # share lost each day, one after the other
WEAR_DAYS = 1095
WEAR_PPM_YEAR = 40_000
NOISE_BP = 50


def soiling_series() -> tuple[list[int], list[int]]:
    """Normalised output in 1/10000, and rain in um: dirt at four rates, washed off every 45 to 74 days."""
    key = noise.key(1, "golden", "soiling")
    output, rain = [], []
    loss_ppm, spell, left = 0, 0, 45
    for day in range(SOILING_DAYS):
        if not left:
            spell += 1
            left = 45 + noise.below(noise.draw(key, 2 * day), 30)
            loss_ppm = 0
        rain.append(0 if loss_ppm or not day else 12_000)
        noisy = noise.bell(noise.draw(key, 2 * day + 1)) * NOISE_BP // noise.BELL_SD
        output.append(9000 - loss_ppm * 9 // 1000 + noisy)
        loss_ppm += SOILING_PPM_DAY[spell % len(SOILING_PPM_DAY)]
        left -= 1
    return output, rain


def wear_series() -> tuple[list[int], list[int]]:
    """The same of a panel that stays clean and loses 4 % of its first output a year; it rains every ninth day."""
    key = noise.key(1, "golden", "wear")
    output = []
    for day in range(WEAR_DAYS):
        noisy = noise.bell(noise.draw(key, day)) * NOISE_BP // noise.BELL_SD
        output.append(9000 - 9000 * WEAR_PPM_YEAR * day // 365_000_000 + noisy)
    return output, [12_000 if day % 9 == 0 else 0 for day in range(WEAR_DAYS)]
