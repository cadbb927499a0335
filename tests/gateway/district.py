"""Records as stations say them, for the gateway's tests: a few lines instead of the firmware, so that they can also be wrong."""

from __future__ import annotations

import json
from typing import Any

LIFE = "5eed0001"
T0_S = 1528063200


def topic(name: str, node: str = "dr01", district: str = "demo") -> str:
    return f"waspada/v1/{district}/{node}/{name}"


def pack(
    boot: int,
    seq: int,
    *points: dict[str, Any],
    node: str = "dr01",
    district: str = "demo",
    life: str = LIFE,
    bt: float | None = None,
    up_ms: int | None = None,
    prev: tuple[int, int] | None = None,
) -> bytes:
    head: dict[str, Any] = {"bn": f"waspada:{district}:{node}:"}
    head |= {"up_ms": up_ms} if up_ms is not None else {"bt": bt if bt is not None else T0_S + boot * 86400 + seq * 60}
    head |= {"life": life, "boot": boot, "seq": seq}
    if seq == 1:
        head |= {"prev_boot": (prev or (0, 0))[0], "prev_seq": (prev or (0, 0))[1]}
    return json.dumps([head | points[0], *points[1:]], separators=(",", ":")).encode()


def reading(boot: int, seq: int, level: float | None = 1.25, q: int = 2, q1: int | None = None, **more: Any) -> bytes:
    point: dict[str, Any] = {"n": "level"}
    point |= {"vs": "no_answer", "q": 9} if level is None else {"u": "m", "v": level, "q": q}
    if q1 is not None:
        point["q1"] = q1
    return pack(boot, seq, point, {"n": "battery", "u": "V", "v": 12.61, "q": 2}, **more)


def alarm(boot: int, seq: int, to: str, before: str = "normal", level: float = 1.5, **more: Any) -> bytes:
    return pack(
        boot,
        seq,
        {"n": "alarm", "vs": to},
        {"n": "alarm_from", "vs": before},
        {"n": "level", "u": "m", "v": level, "q": 2},
        {"n": "limit", "u": "m", "v": 1.5},
        {"n": "rise", "u": "m/h", "v": 0.42},
        **more,
    )


def time_fix(boot: int, seq: int, bt: float, up_ms: int, **more: Any) -> bytes:
    return pack(boot, seq, {"n": "time_fix", "vs": "sntp"}, {"n": "up_ms", "v": up_ms}, bt=bt, **more)


def dropped(boot: int, seq: int, stream: str, of_boot: int, first: int, last: int, **more: Any) -> bytes:
    numbers = [{"n": "of_boot", "v": of_boot}, {"n": "first_seq", "v": first}, {"n": "last_seq", "v": last}]
    return pack(boot, seq, {"n": "dropped", "vs": stream}, *numbers, **more)


def status(
    state: str = "online", node: str = "dr01", district: str = "demo", life: str = LIFE, bt: float | None = T0_S
) -> bytes:
    head: dict[str, Any] = {"bn": f"waspada:{district}:{node}:"}
    if bt is not None:
        head["bt"] = bt
    return json.dumps(
        [head | {"life": life, "boot": 1, "n": "state", "vs": state}, {"n": "version", "vs": "0.1.0"}]
    ).encode()


def settings(
    alert: float = 0.6, warning: float = 1.0, danger: float = 1.5, revision: int = 1, life: str = LIFE
) -> bytes:
    values = {"level.alert": alert, "level.warning": warning, "level.danger": danger}
    return json.dumps({"life": life, "revision": revision, "values": values}).encode()
