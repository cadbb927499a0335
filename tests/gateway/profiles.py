"""One station of each kind, as the firmware itself writes its records: points by its table, packs by its `senml`."""

from __future__ import annotations

import math
from collections.abc import Callable

from node.core import journal, limits, senml
from node.core import measurements as M
from node.core import quantities as Q
from node.core import settings as S
from tests.wire_cases import Memory

LIFE = "5eed0001"
PANELS = 4
MISSING = "no_answer"
Said = dict[str, float | str]  # name -> value as a person writes it, a word, or a reason


def index(name: str) -> int:
    key, _, number = name.partition(":")
    found = next(i for i, row in enumerate(Q.POINTS) if row[0] == key)
    return found + (int(number) - 1) * M.INSTANCE if number else found


def point(name: str, value: float | str, q: int = M.FLAG_PASS) -> tuple[int, int, int]:
    """(id, q, integer) as a driver gives it."""
    row = Q.POINTS[index(name) & 0xFF]
    if isinstance(value, str):
        if row[5] and value in row[5]:
            return index(name), q, row[5].index(value)
        return index(name), M.FLAG_MISSING, M.REASONS.index(value)
    return index(name), q, round(value * 10 ** row[2])


def packed(
    node: str, stream: int, seq: int, seconds: float, points: list[tuple[int, int, int]], boot: int = 1
) -> bytes:
    """One record's pack."""
    log = journal.Log(Memory(), M.STREAMS[stream], boot, 65536, 4)
    log.seq = seq - 1
    log.append(journal.DATED, int(seconds), int(seconds * 1000) % 1000, points)
    record = journal.Cursor(log).peek()[3]
    return senml.encode(f"waspada:demo:{node}:", LIFE, boot, 0, 0, record).encode()


def readings(node: str, seq: int, seconds: float, said: Said) -> bytes:
    return packed(node, journal.READINGS, seq, seconds, [point(name, value) for name, value in said.items()])


def alarm(node: str, seq: int, seconds: float, to: str, before: str, cause: str, value: float) -> bytes:
    """As `App._tell_state` says it for a quantity that is not the level."""
    new, old = M.STATES.index(to), M.STATES.index(before)
    first = limits.first_of(cause) + max(new, old) - 1
    line = (M.NEW_SETTING + S.id_of(first), 0, limits.ROWS[first][3])
    return packed(
        node, journal.EVENT, seq, seconds, [(M.ALARM, 0, new), (M.ALARM_FROM, 0, old), point(cause, value), line]
    )


def fault(node: str, seq: int, seconds: float, number: int, reason: str | None = MISSING) -> bytes:
    """As `Rounds._tell_sensor` says it; None: it works again."""
    points = [(M.SENSOR, 0, 0 if reason else 1), (M.SENSOR_NUMBER, 0, number)]
    if reason:
        points.append((M.REASON, 0, M.REASONS.index(reason)))
    return packed(node, journal.EVENT, seq, seconds, points)


def settings(watches: bool = True) -> bytes:
    """The retained settings with the table's defaults."""
    return S.Settings({}, limits.ROWS if watches else S.ROWS).json(LIFE).encode()


def air(part: float) -> Said:
    """`part` 0 to 1 of the time shown: a classroom fills up."""
    swing = math.sin(part * 9)
    return {
        "temperature": 27.4 + swing, "humidity": 71.5 - 3 * swing, "pressure": 100912, "co2": round(520 + 900 * part**2),
        "pm1": 6.1 + swing, "pm2_5": 11.8 + 4 * swing + 8 * part, "pm4": 13.0 + swing, "pm10": 15.2 + 3 * swing,
        "voc_index": 104 + round(20 * swing), "nox_index": 1, "pm2_5_nowcast": round(12.2 + 6 * part, 1), "battery": 12.9,
    }  # fmt: skip


def panels(part: float) -> Said:
    """A clear day's sun on four panels: the second dusty, the fourth with a bypassed third."""
    sun = max(0.0, math.sin(math.pi * part))
    said: Said = {"irradiance": round(940 * sun)}
    for i, (share, word) in enumerate(((1.0, "clean"), (0.91, "dirty"), (0.99, "clean"), (0.66, "faulty"))):
        suffix = f":{i + 1}" if i else ""
        said |= {
            f"panel_power{suffix}": round(102 * sun * share, 1), f"panel_energy{suffix}": round(410 * part * share, 1),
            f"performance_ratio{suffix}": round(0.84 * share, 3), f"diagnosis{suffix}": word,
        }  # fmt: skip
    return said | {"battery": 13.2}


def rain(part: float) -> Said:
    heavy = 44.0 * math.exp(-(((part - 0.7) / 0.06) ** 2))
    return {
        "rain": round(heavy / 12, 3),
        "rain_rate": round(heavy, 1),
        "temperature": 25.1,
        "lid": "open",
        "battery": 12.4,
    }


def tank(part: float) -> Said:
    return {"fill": round(62 + 20 * part, 1), "water_temperature": 24.81, "conductivity": 0.0312, "battery": 12.5}


def weather(part: float) -> Said:
    swing = math.sin(part * 12)
    return {
        "temperature": 29.2 + swing, "humidity": 78.0, "pressure": 100871 + round(90 * swing), "wind_speed": 3.2 + swing,
        "wind_direction": round(3.9 + swing / 3, 3), "sound_level": 48.2, "battery": 12.7,
    }  # fmt: skip


def mixed(part: float) -> Said:
    """The other sensors of a gauge: they have records of their own."""
    return {
        "rain": round(0.25 * part, 3),
        "rain_rate": round(15 * part, 1),
        "water_temperature": 26.4,
        "enclosure_humidity": 44.0,
    }


PROFILES: dict[str, Callable[[float], Said]] = {
    "air": air, "panels": panels, "rain": rain, "tank": tank, "weather": weather, "mixed": mixed,
}  # fmt: skip
