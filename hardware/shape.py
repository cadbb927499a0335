"""The TOML files of this room as tables of known keys: whatever else stands in them is refused, with file, line, key and what is allowed."""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from simulator.errors import InputError

ROOM = Path(__file__).parent
MOST_BYTES = 1_000_000  # of a file: the largest here has ten thousand
_HEAD = re.compile(r"\s*\[\[?[^\[{]*\]\s*(?:#|$)")
Trail = tuple[str | int, ...]  # where in a file: keys, and the number of a table in a list


class RuleError(InputError):
    """What a rule of hardware/rules.toml forbids, found while a station is read: `waspada hardware check` names the rule."""

    def __init__(self, sentence: str, rule: str, trail: Trail, line: int, found: str) -> None:
        super().__init__(sentence)
        self.rule, self.trail, self.line, self.found = rule, trail, line, found


class Source:
    """One file: its values, and where in its text they stand."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.broken: list[RuleError] | None = None  # a list: what rules forbid is gathered in it, and reading goes on
        self._lines = text.splitlines()
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(plain(f"{path} is not TOML: {error}")) from None
        except (RecursionError, ValueError) as error:  # a thousand brackets; a date that is none
            raise InputError(f"{plain(str(path))} is not TOML that can be used: {type(error).__name__}") from None

    def refuse(self, trail: Trail, sentence: str) -> NoReturn:
        raise InputError(self._said(trail, sentence))

    def breaks(self, trail: Trail, sentence: str, rule: str) -> None:
        """A rule forbids what stands there: raised, or kept where `broken` gathers them."""
        error = RuleError(self._said(trail, sentence), rule, trail, self.line(trail), plain(sentence))
        if self.broken is None:
            raise error
        self.broken.append(error)

    def _said(self, trail: Trail, sentence: str) -> str:
        number = self.line(trail)
        return plain(f"{self.path}{f', line {number}' if number else ''}: {sentence}")

    def line(self, trail: Trail) -> int:
        """Where the text speaks of this, as near as can be found; 0 for nowhere."""
        steps = list(trail)
        at, steps = self._section(steps)
        found = at + 1 if len(steps) < len(trail) else 0
        end = next((k for k in range(at + 1, len(self._lines)) if _HEAD.match(self._lines[k])), len(self._lines))
        if not found:
            end = len(self._lines)
        for step in steps:
            if isinstance(step, int):
                rows = [k for k in range(at, end) if self._lines[k].lstrip().startswith("{")]
                at = rows[step] if len(rows) > step else at
            else:
                given = re.compile(rf'(?:^|[{{,])\s*"?{re.escape(step)}"?\s*=')
                named = [k for k in range(at, end) if given.search(self._lines[k])]
                if not named:
                    break
                at = named[0]
            found = at + 1
        return found

    def _section(self, steps: list[str | int]) -> tuple[int, list[str | int]]:
        """The line of the longest header that begins the trail, and the steps that are left."""
        if len(steps) > 1 and isinstance(steps[1], int):
            heads = self._heads(rf"\[\[\s*{re.escape(str(steps[0]))}\s*\]\]")
            return (heads[steps[1]], steps[2:]) if len(heads) > steps[1] else (0, steps)
        for count in (2, 1):
            names = r"\s*\.\s*".join(rf'"?{re.escape(str(step))}"?' for step in steps[:count])
            heads = self._heads(rf"\[\s*{names}\s*\]") if len(steps) >= count else []
            if heads:
                return heads[0], steps[count:]
        return 0, steps

    def _heads(self, pattern: str) -> list[int]:
        head = re.compile(rf"\s*{pattern}")
        return [k for k, line in enumerate(self._lines) if head.match(line)]


def read(folder: Path, name: str | Path, what: str) -> Source:
    """A shipped table by its name, or a TOML file by its path."""
    shipped = sorted(path.stem for path in folder.glob("*.toml"))
    path = folder / f"{name}.toml" if str(name) in shipped else Path(name)
    said = plain(f"'{name}'")
    if not str(name):
        raise InputError(f"no {what} is named: '' is empty; give a file, or one of the shipped {', '.join(shipped)}")
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except IsADirectoryError:
        raise InputError(f"{said} is a folder; give the {what}'s file in it") from None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise InputError(
            f"no {what} {said}: neither a readable file nor one of the shipped {', '.join(shipped)}{meant(name, shipped)}"
        ) from None
    except OSError as error:
        raise InputError(f"{what} {said} can't be read ({error.strerror}); look at its name and its rights") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"{said} is larger than {MOST_BYTES} bytes, which no {what} is")
    try:
        return Source(path, data.decode("utf-8-sig"))  # Windows' editors put a mark before it
    except UnicodeDecodeError:
        raise InputError(f"{plain(str(path))} is not text in UTF-8; save it as such in your editor") from None


def meant(name: Any, choices: Iterable[str]) -> str:
    """What may be meant by a name that is none of these, to end a sentence with."""
    near = difflib.get_close_matches(str(name), list(choices), 1)
    return f"; did you mean {near[0]}?" if near else ""


def plain(text: str) -> str:
    """On one line, and nothing in it that a terminal obeys."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(source: Source, value: Any, specs: Mapping[str, Mapping[str, Any]], trail: Trail = ()) -> dict[str, Any]:
    """`value` with known keys only, each of its kind, in the order of `specs`."""
    where = _where(trail)
    if not isinstance(value, dict):
        source.refuse(trail, f"{where or 'this'} must be a table of {', '.join(specs) or 'nothing'}")
    for key in value:
        if key not in specs:
            allowed = f"allowed are {', '.join(specs)}" if specs else "none is allowed"
            source.refuse(
                (*trail, key), f"unknown key '{key}'{' in ' + where if where else ''}; {allowed}{meant(key, specs)}"
            )
    found = {}
    for key, spec in specs.items():
        if key in value:
            found[key] = _one(source, value[key], spec, (*trail, key))
        elif spec.get("required"):
            source.refuse(trail, f"{where or 'the file'} lacks '{key}'; {_allowed(spec)}")
    return found


def _one(source: Source, value: Any, spec: Mapping[str, Any], trail: Trail) -> Any:
    if "rows" in spec:
        if not isinstance(value, list) or not 0 < len(value) <= spec["most"]:
            source.refuse(trail, f"{_where(trail)} must be a list of 1 to {spec['most']} tables")
        return [table(source, row, spec["rows"], (*trail, i)) for i, row in enumerate(value)]
    count = spec.get("count")
    if count:
        good = isinstance(value, list) and len(value) == count and all(_fits(each, spec) for each in value)
    else:
        good = _fits(value, spec)
    if not good:
        source.refuse(trail, f"{_where(trail)} is {_shown(value)}; {_allowed(spec)}")
    return value


def _fits(value: Any, spec: Mapping[str, Any]) -> bool:
    if "choices" in spec:
        return type(value) in (int, str) and value in spec["choices"]
    if "flag" in spec:
        return type(value) is bool
    if "low" in spec:
        return type(value) is int and spec["low"] <= value <= spec["high"]
    if "text" in spec:
        return isinstance(value, str) and re.fullmatch(spec["text"], value) is not None
    if "point" in spec:
        return isinstance(value, str)
    check: Callable[[Any], bool] = spec["is"]
    return check(value)


def _allowed(spec: Mapping[str, Any]) -> str:
    many = f"{spec['count']} times " if "count" in spec else ""
    if "rows" in spec:
        return f"it is a list of tables of {', '.join(spec['rows'])}"
    if "choices" in spec:
        return f"allowed are {many}{', '.join(str(choice) for choice in spec['choices'])}"
    if "flag" in spec:
        return "allowed are true and false"
    if "low" in spec:
        return f"allowed are {many}whole numbers from {spec['low']} to {spec['high']}"
    return f"allowed is {spec.get('about') or 'the key of a quantity, as text'}"


def _where(trail: Trail) -> str:
    """`sensors[2].driver`, counted from 1 as people do."""
    words = ""
    for step in trail:
        words += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if words else str(step)
    return words


def _shown(value: Any) -> str:
    text = repr(value).encode("ascii", "backslashreplace").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def listed(words: Sequence[str]) -> str:
    return ", ".join(words) if words else "none"
