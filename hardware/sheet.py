"""A station's data sheet as a page: what it measures, how, how well, who may see it, and what others call it. Derived from its file, never written by hand."""

from collections.abc import Iterable, Sequence

from hardware import building
from hardware.compile import Station
from hardware.drivers import DRIVERS
from hardware.quantities import LANGUAGES, QUANTITIES, STATES, point
from node.core import fixed, settings

_LANGUAGE_NAMES = {"en": "English", "ms": "Bahasa Melayu", "id": "Bahasa Indonesia"}
_UNIT_NAMES = {"Cel": "°C", "/100": "%", "/": "1", "ug/m3": "µg/m³", "W/m2": "W/m²", "%RH": "% RH", None: ""}
_DAYS = "from {}-{} to {}-{}"


def sheet(station: Station) -> str:
    """The page in Markdown."""
    lines = [
        f"# {station.sheet.get('title', station.source.path.stem)}",
        "",
        f"<!-- Made by `waspada station sheet {station.called}`: change the station's file, not this page. -->",
        "",
        station.about,
        "",
        station.sheet.get("use", "").strip(),
        "",
        f"Board: {station.board['name']}. A sample every {_setting(station, 'sample.interval')}, "
        f"in alarm every {_setting(station, 'sample.alarm_interval')}; every reading carries a quality flag (QARTOD).",
        "",
        *_measured(station),
        *_levels(station),
        *_names(station),
        *building.sections(station),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    found = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in found] + [""]


def _measured(station: Station) -> list[str]:
    rows = []
    for key, count, driver in _grouped(station):
        quantity = QUANTITIES[key]
        row = point(key)
        how, accuracy = quantity.how, "as good as what it is made of"
        if driver:
            chip = DRIVERS[driver]
            how = f"{chip.chip}: {chip.how}"
            accuracy = chip.accuracy.get(key, chip.accuracy["*"])
        name = f"{quantity.en} ({count} of them)" if count > 1 else quantity.en
        rows.append([name, f"`{key}`", *_unit(row), how, accuracy, _who(station, key)])
    head = ["quantity", "key", "unit", "to", "how it is made", "accuracy", "who may see it"]
    return ["## What it measures", "", *_table(head, rows)]


def _grouped(station: Station) -> list[tuple[str, int, str]]:
    """(key, how many of it, its first driver) in the station's order, what is derived last."""
    found: dict[str, tuple[int, str]] = {}
    for key, number in station.points:
        name = key.split(":")[0]
        count, driver = found.get(name, (0, station.sensors[number]["driver"]))
        found[name] = (count + 1, driver)
    for key in [key for key in QUANTITIES if key in station.derived]:
        count = len([other for other in station.derived if other.split(":")[0] == key])
        found[key] = (count, "")
    return [(key, count, driver) for key, (count, driver) in found.items()]


def _unit(row: tuple) -> tuple[str, str]:
    if row[5]:
        return "", "a word"
    return _UNIT_NAMES.get(row[1], row[1] or ""), fixed.text(1, row[2])


def _who(station: Station, key: str) -> str:
    hidden = QUANTITIES[key].who != "everyone" or key in station.sheet.get("operators_only", [])
    return "operators" if hidden else "everyone"


def _levels(station: Station) -> list[str]:
    keys = (["level"] if "level" in [key for key, _ in station.points] else []) + list(station.watch)
    if not keys:
        return ["It raises no alarm of its own.", ""]
    rows = []
    for i in range(1, len(STATES["en"])):
        name = STATES["en"][i]
        rows.append(
            [STATES[language][i] for language in LANGUAGES] + [_setting(station, f"{key}.{name}") for key in keys]
        )
    head = [_LANGUAGE_NAMES[language] for language in LANGUAGES] + [f"`{key}` from" for key in keys]
    lines = [
        "## Its levels",
        "",
        "Defaults of this profile: every station sets its own, and keeps an event of each change.",
        "",
    ]
    lines += _table(head, rows)
    for begin, end, *levels in station.seasons:
        when = _DAYS.format(*[f"{part:02}" for day in (begin, end) for part in (day // 100, day % 100)])
        texts = [f"{name} {fixed.text(level, 3)} m" for name, level in zip(STATES["en"][1:], levels, strict=True)]
        lines += [f"In the season {when} (month-day, both included): {', '.join(texts)}.", ""]
    return lines


def _setting(station: Station, key: str) -> str:
    i = settings.index(key, station.rows)
    row = station.rows[i]
    return settings.shown(row, station.settings.get(key, row[3])).replace(" /100", " %")


def _names(station: Station) -> list[str]:
    rows, words = [], []
    for key, _, _ in _grouped(station):
        quantity = QUANTITIES[key]
        entity = f"{quantity.model}.{quantity.property}"
        if quantity.model == "DeviceMeasurement":
            entity += f", controlledProperty `{key}`"
        code = quantity.code + (f", times {quantity.factor:g}" if quantity.factor != 1 else "")
        rows.append([quantity.en, quantity.ms, quantity.id, entity, code])
        if quantity.words:
            words += [[quantity.words[language][i] for language in LANGUAGES] for i in range(len(quantity.words["en"]))]
    head = [*[_LANGUAGE_NAMES[language] for language in LANGUAGES], "Smart Data Models", "UN/CEFACT unit"]
    lines = ["## What it is called", "", *_table(head, rows)]
    if words:
        lines += ["The words it says:", "", *_table([_LANGUAGE_NAMES[language] for language in LANGUAGES], words)]
    return lines


def index(stations: Iterable[Station]) -> str:
    """The page that lists the sheets."""
    rows = [[f"[{station.sheet['title']}]({station.source.path.stem}.md)", station.about] for station in stations]
    lines = [
        "# Data sheets",
        "",
        "<!-- Made by `waspada station sheet`. -->",
        "",
        "One page a kind of station, made from its file in `hardware/stations`.",
        "",
    ]
    return "\n".join([*lines, *_table(["station", "what it is"], rows)]).rstrip() + "\n"
