"""The repository's own files, as the house rules read them."""

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("firmware", "simulator", "gateway", "hardware", "waspada", "tests")
NOT_TEXT = {".png", ".ico", ".db", ".gz", ".mpy", ".bin", ".woff2"}


@functools.cache
def files() -> tuple[str, ...]:
    """Every file that git keeps or would keep, as a path from the root; without git, every file that is no cache."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        made = {".git", ".venv", "node_modules", "typings", "build", "dist", "__pycache__", "vendor"}
        listed = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if not made & set(path.parts)]
    return tuple(sorted({name for name in listed if name and (ROOT / name).is_file()}))


@functools.cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def texts() -> list[str]:
    return [name for name in files() if Path(name).suffix not in NOT_TEXT]


def python(*folders: str) -> list[str]:
    """The Python files below these folders, all of them when none is given."""
    return [name for name in files() if name.endswith(".py") and (not folders or name.startswith(folders))]


@functools.cache
def tree(name: str) -> ast.Module:
    return ast.parse(text(name), name)
