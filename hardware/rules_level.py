"""Rules of a level's sensor and its settings: an alarm that can never come, a line that can't be seen, a siren that nobody hears."""

import math
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from hardware.compile import Station
from hardware.harness import setting
from hardware.rule import Finding, finding
from hardware.shape import Trail
from node.core import hydrology
from node.drivers import catalog

_LINES = ("alert", "warning", "danger")
_BURST_MS = 2000  # firmware/node/gauge.py: a burst ends then
_LOOKS_MS = 300  # and three good readings, 100 ms apart, are the fewest
_BESIDE = ("wall", "manhole", "quay", "lamp_post", "pv_pole")  # what holds the sensor goes down to the water there


def _ranger(station: Station) -> tuple[int, Mapping[str, Any], Any] | None:
    """(number, row, the driver itself) of the sensor that gives the level."""
    quiet = SimpleNamespace(open=lambda: None, close=lambda: None, write=lambda *_: 0, read_into=lambda *_: 0)
    for i, sensor in enumerate(station.sensors):
        if sensor.get("gives") == "level":
            return i, sensor, catalog.make(catalog.LEVEL, sensor["driver"], quiet, sensor)
    return None


def tells_mm(station: Station) -> tuple[int, int] | None:
    """The lowest and the highest level that the sensor can tell, as the gauge reckons them."""
    found = _ranger(station)
    if not found:
        return None
    _, sensor, made = found
    height = setting(station, "sensor.height")
    if sensor.get("measures") == "depth" or sensor["driver"] == "current_loop":
        return height + made.blanking_mm, height + made.range_mm
    mount = hydrology.Mount(height, sensor.get("tilt", 0))
    return mount.level(made.range_mm), mount.level(made.blanking_mm)


def level_reach(station: Station) -> Iterator[Finding]:
    told = tells_mm(station)
    if not told:
        return
    low, high = told
    lines: list[tuple[Trail, list[int]]] = [
        (("settings", "level.danger"), [setting(station, f"level.{key}") for key in _LINES])
    ]
    lines += [(("seasons", i), list(row[2:])) for i, row in enumerate(station.seasons)]
    clears = setting(station, "level.deadband")
    higher, lower = _ways_out(station)
    for trail, limits in lines:
        beyond = [f"{key} {mm / 1000:g} m" for key, mm in zip(_LINES, limits, strict=True) if mm > high]
        if beyond:
            said = f"{' and '.join(beyond)} {'is' if len(beyond) == 1 else 'are'} above {high / 1000:g} m, the highest that the sensor tells"
            yield finding(station.source, "level-reach", trail, said, advice=higher)
        if limits[0] - clears < low:
            said = f"alert {limits[0] / 1000:g} m clears at {(limits[0] - clears) / 1000:g} m, and the sensor tells nothing below {low / 1000:g} m"
            yield finding(station.source, "level-reach", trail, said, advice=lower)


def _ways_out(station: Station) -> tuple[str, str]:
    """What to do about a line that is too high for the sensor, and about one that is too low."""
    found = _ranger(station)
    if not found or found[1].get("measures") == "depth" or found[1]["driver"] == "current_loop":
        return (
            "set the line lower, or take a transmitter of more range",
            "lay the transmitter deeper (sensor.height), or set the line higher",
        )
    part = station.fittings.sensors[found[0]].part
    sees = part.get("range_mm", 0) if part else 0
    further = f"range_mm = {sees}, which {part.id} sees to, " if part and sees > found[1].get("range_mm", sees) else ""
    return (
        "hang the sensor higher (sensor.height), or set the line lower",
        f"{further}hang the sensor lower (sensor.height), set the line higher, or take a sensor that sees further",
    )


def care_blanking(station: Station) -> Iterator[Finding]:
    """Fouling is looked for where the sensor still tells something."""
    found, care = _ranger(station), station.extras.get("care", {}).get("blanking_mm")
    if not found or care is None:
        return
    part = station.fittings.sensors[found[0]].part
    blind = found[1].get("blanking_mm") or (part.get("blanking_mm", 0) if part else 0)
    if care < blind:
        said = f"[care] looks for fouling at {care} mm, and the sensor is blind for {blind}"
        yield finding(station.source, "care-blanking", ("care", "blanking_mm"), said)


def low_water(station: Station) -> Iterator[Finding]:
    told = tells_mm(station)
    if told and told[0] > 0 and setting(station, "level.alert") - setting(station, "level.deadband") >= told[0]:
        said = f"from the gauge's zero to {told[0] / 1000:g} m the sensor sees nothing"
        yield finding(station.source, "low-water", ("settings", "sensor.height"), said)


def warm_up(station: Station) -> Iterator[Finding]:
    """Of sensors that are switched off between two samples, and of a level's burst."""
    found = _ranger(station)
    number = found[0] if found else -1
    waits = found[2].start() if found else 0
    if waits > _BURST_MS - _LOOKS_MS:
        said = f"sensors[{number + 1}] is first asked after {waits} ms, and a level's burst ends {_BURST_MS} ms after its start"
        yield finding(station.source, "level-burst", ("sensors", number), said)
    for i, (sensor, fitted) in enumerate(zip(station.sensors, station.fittings.sensors, strict=True)):
        if fitted.part is None or "power" not in station.pins[sensor["bus"]]:
            continue
        if i != number and sensor["driver"] != "modbus":
            continue  # the driver knows its one chip, and waits for it
        given = waits if i == number else sensor.get("warm_up_ms", 0)
        if fitted.part["warm_up_ms"] > given:
            said = f"{fitted.part.id} is ready {fitted.part['warm_up_ms']} ms after it is switched on, and is asked after {given}"
            yield finding(station.source, "warm-up", ("sensors", i), said)


def rise_window(station: Station) -> Iterator[Finding]:
    if not _ranger(station) or not setting(station, "rise.limit"):
        return
    every, window = setting(station, "sample.interval"), setting(station, "rise.window")
    if 2 * every > window:
        said = f"a sample every {every} s, and a rise is looked for within {window} s"
        yield finding(station.source, "rise-window", ("settings", "sample.interval"), said)


def beam(station: Station) -> Iterator[Finding]:
    """The beam is widest at the lowest water, so zero decides; how much of the range is free is said with it."""
    found = _ranger(station)
    part = station.fittings.sensors[found[0]].part if found else None
    if not found or part is None or "beam_deg" not in part.figures:
        return
    half, tilt = part["beam_deg"] / 2, found[1].get("tilt", 0) / 10
    if tilt > half:
        said = f"it is tilted by {tilt:g} degrees, and {part.id} looks {half:g} degrees to each side"
        yield finding(station.source, "beam-tilt", ("sensors", found[0], "tilt"), said)
    mount = station.fittings.mount
    beside = station.fittings.clear_mm
    if beside is None and mount and mount["place"] in _BESIDE:
        beside = mount["reach_mm"]
    height = setting(station, "sensor.height")
    angle = math.radians(max(half - tilt, 0))
    if beside is not None and height * math.tan(angle) > beside:
        meets = height - beside / math.tan(angle)
        said = (
            f"{part.id} looks {half - tilt:g} degrees to that side: at the gauge's zero {height * math.tan(angle) / 1000:.1f} m wide, "
            f"and below {meets / 1000:.2f} m of level it meets what stands at {beside / 1000:g} m"
        )
        yield finding(station.source, "beam-clear", ("mount",), said)


def silent_siren(station: Station) -> Iterator[Finding]:
    if not _ranger(station):
        return
    siren = station.fittings.fit("siren").part
    if siren and siren.kind == "lamp":
        said = f"the siren's output has {siren.id}, and the station has a level to warn of"
        yield finding(station.source, "silent-siren", ("fit", "siren", "part"), said)
    for key, silent, what in (
        ("siren.from", 4, "it never sounds"), ("alarm.shadow", 1, "alarms are only recorded"),
        ("alarm.out_of_service", 1, "the alarm is out of service"),
    ):  # fmt: skip
        if setting(station, key) == silent:
            yield finding(station.source, "silent-siren", ("settings", key), f"{key} is {silent}: {what}")


def watchdog(station: Station) -> Iterator[Finding]:
    if station.numbers.get("watchdog_s") == 0:
        yield finding(station.source, "watchdog-off", ("watchdog_s",), "watchdog_s is 0")


ALL = (level_reach, care_blanking, low_water, warm_up, rise_window, beam, silent_siren, watchdog)
