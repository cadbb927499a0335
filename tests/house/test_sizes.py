"""Files and functions stay readable, and the firmware stays small enough for a stock board's RAM."""

import ast
import math
import tomllib
from collections.abc import Iterable

import pytest

from tests.house import sources
from tests.vm32 import compile_mpy

FILE_LINES = 400
TEST_FILE_LINES = 600  # tables of cases are long and simple
FUNCTION_LINES = 60
FIRMWARE_BYTES = (
    60 * 1024
)  # with TLS a board needs PSRAM (hardware/memory.py); without, this is what leaves 50 KB of a stock heap to work in
RIVER_GAUGE = ("main.py", "node/gauge.py", "node/drivers/a02yyuw.py", "node/drivers/battery.py")
BUDGET = "tests/house/mpy_budget.toml"


def long_files(name: str, source: str) -> list[str]:
    lines = source.count("\n")
    limit = TEST_FILE_LINES if name.startswith("tests/") else FILE_LINES
    if lines <= limit:
        return []
    return [f"{name}: {lines} lines; past {limit} a second thing is hiding in it: give that its own file"]


def long_functions(name: str, tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                found.append(
                    f"{name}:{node.lineno}: {node.name} has {lines} lines; past {FUNCTION_LINES}, name its steps"
                )
    return found


def test_no_file_hides_a_second_thing() -> None:
    broken = [line for name in sources.python() for line in long_files(name, sources.text(name))]
    assert not broken, "\n" + "\n".join(broken)


def test_no_function_hides_a_second_thing() -> None:
    broken = [line for name in sources.python() for line in long_functions(name, sources.tree(name))]
    assert not broken, "\n" + "\n".join(broken)


def test_a_long_file_or_function_is_caught() -> None:
    assert long_files("x.py", "x = 1\n" * (FILE_LINES + 1))
    assert not long_files("x.py", "x = 1\n" * FILE_LINES)
    assert long_functions("x.py", ast.parse("def f():\n" + "    x = 1\n" * FUNCTION_LINES))
    assert not long_functions("x.py", ast.parse("def f():\n" + "    x = 1\n" * (FUNCTION_LINES - 1)))


@pytest.fixture(scope="module")
def sizes() -> dict[str, int]:
    """Bytes of .mpy by module, as `waspada flash` puts them on a board."""
    made = {}
    for name in sources.python("firmware/node/"):
        short = name.removeprefix("firmware/")
        made[short] = len(compile_mpy(sources.ROOT / name, short))
    return made


def over_budget(sizes: dict[str, int], budget: dict[str, int]) -> list[str]:
    """Modules that outgrew their line, have none, or left one behind."""
    found = []
    for name, size in sizes.items():
        room = math.ceil(size * 1.1 / 50) * 50
        if name not in budget:
            found.append(f"{name} has no line; it takes {size} bytes now, so: {name!r} = {room}".replace("'", '"'))
        elif size > budget[name]:
            found.append(
                f"{name} takes {size} bytes, its line says {budget[name]}: shrink it, or raise the line and say why"
            )
    return found + [f"{name} is gone: take its line out" for name in budget if name not in sizes]


def test_each_module_keeps_its_budget(sizes: dict[str, int]) -> None:
    broken = over_budget(sizes, tomllib.loads(sources.text(BUDGET))["bytes"])
    assert not broken, f"\n{BUDGET}: a stock image loads .mpy into RAM, heap is what counts\n" + "\n".join(broken)


def loaded(entries: Iterable[str]) -> set[str]:
    """Modules that are in RAM once these are imported: what they import at the top, and so on; not what a function imports when it needs it."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        top = sources.tree("firmware/" + name).body
        for node in [*top, *[inner for outer in top if isinstance(outer, ast.Try) for inner in outer.body]]:
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "node":
                whole = node.module.replace(".", "/")
                parts = [f"{whole}.py", *[f"{whole}/{alias.name}.py" for alias in node.names]]
                waiting += [part for part in parts if (sources.ROOT / "firmware" / part).is_file()]
    return found


def test_a_river_gauge_fits_in_a_stock_boards_ram(sizes: dict[str, int]) -> None:
    used = {name: sizes[name] for name in loaded(RIVER_GAUGE) if name in sizes}
    assert "node/uplink.py" in used
    assert "node/esp32/link.py" in used
    assert "node/core/quantities.py" not in used, (
        "a river gauge measures none of these: import them where they are used"
    )
    assert sum(used.values()) <= FIRMWARE_BYTES, (
        f"{sum(used.values())} bytes of .mpy; find what can go before raising this"
    )


def test_an_outgrown_module_is_caught() -> None:
    assert over_budget({"a.py": 101}, {"a.py": 100})
    assert over_budget({"a.py": 1}, {})
    assert over_budget({}, {"a.py": 100})
    assert not over_budget({"a.py": 100}, {"a.py": 100})
